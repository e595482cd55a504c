// Package boot turns a configuration into a running service and stops it in order: what is in flight ends, nothing is
// dropped.
package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/redisx"
	"hearth.internal/pkg/telemetry"
)

// Version is set by the build: -ldflags "-X hearth.internal/pkg/boot.Version=...".
var Version = "dev"

// storeWait is how long a start waits for a database that is not there yet; services may start in any order.
const storeWait = 30 * time.Second

// Service is what a service's package says of itself.
type Service struct {
	Name  string
	Title string
	// Hot are the statements to keep prepared.
	Hot []string
	// Files says that the service takes files.
	Files bool
	// Register adds the operations and event handlers, and may start nothing.
	Register func(*Deps) error
	// Background runs beside the operations until its context ends; may be nil.
	Background func(context.Context, *Deps) error
}

// Options are what differs between a production start, the dev command and a test.
type Options struct {
	Config     config.Service
	Clock      clock.Clock              // nil: the system's
	Processors []sdktrace.SpanProcessor // beside the exporter
	LogOut     io.Writer                // nil: standard error
	Listener   net.Listener             // nil: listen on Config.Addr
	OpsOff     bool                     // several services in one process share no ops port
	Plans      *plans.Directory         // nil: as billing says
}

// Deps are what a service works with.
type Deps struct {
	Name      string
	Config    config.Service
	Clock     clock.Clock
	Tel       *telemetry.Telemetry
	Log       *slog.Logger
	Passports *identity.Passports
	DB        *pg.DB
	Cache     *cache.Cache
	Queue     redis.UniversalClient
	Relay     *events.Relay
	Consumer  *events.Consumer
	HTTP      *httpx.Server
	Calls     *internalapi.Caller
	Access    *access.Directory // loads from the residence service; residence replaces it
	Plans     *plans.Directory
	// Storage asks how the storage of files is; set by a service that keeps any.
	Storage func(context.Context) error

	service  Service
	options  Options
	cacheRDB redis.UniversalClient
	ready    readiness
	stopOnce sync.Once
}

// Open connects to the stores and registers the service's operations. Close what it answers, or Run it.
func Open(ctx context.Context, s Service, o Options) (*Deps, error) {
	cfg := o.Config
	d := &Deps{Name: s.Name, Config: cfg, Clock: o.Clock, service: s, options: o}
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	err := d.open(ctx)
	if err == nil {
		err = s.Register(d)
	}
	if err == nil {
		err = d.Consumer.Check()
	}
	if err != nil {
		d.close()
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return d, nil
}

func (d *Deps) open(ctx context.Context) (err error) {
	cfg := d.Config
	d.Tel, err = telemetry.New(ctx, telemetry.Config{
		Service: d.Name, Version: Version, Endpoint: cfg.OTLPEndpoint, Ratio: cfg.TraceRatio, Level: cfg.LogLevel,
		Out: d.options.LogOut, Processors: d.options.Processors,
	})
	if err != nil {
		return err
	}
	d.Log = d.Tel.Log
	if d.Passports, err = identity.NewPassports(cfg.PassportKeys, d.Clock); err != nil {
		return err
	}
	if cfg.DatabaseURL == "" || cfg.QueueURL == "" {
		return errors.New("configuration: HEARTH_DATABASE_URL and HEARTH_QUEUE_REDIS_URL are needed")
	}
	if err := d.openStores(ctx); err != nil {
		return err
	}
	d.Relay = events.NewRelay(d.Name, d.DB, d.Queue, d.Cache, d.Tel)
	d.Consumer = events.NewConsumer(d.Name, d.DB, d.Queue, d.Tel)
	d.Calls = internalapi.NewCaller(d.Name, d.Passports, d.Tel)
	if d.Plans = d.options.Plans; d.Plans == nil {
		d.Plans = plans.New(d.Cache, d.Clock, d.Calls.Billing(cfg.BillingURL).Plan)
	}
	d.Access = access.New(d.Cache, d.Calls.Residence(cfg.ResidenceURL).Homes)
	d.HTTP = httpx.New(httpx.Options{Name: d.Name, Title: d.service.Title, Version: Version, Telemetry: d.Tel, Passports: d.Passports, Files: d.service.Files})
	d.serveHealth()
	return nil
}

func (d *Deps) openStores(ctx context.Context) (err error) {
	if d.cacheRDB, err = redisx.Open(d.Config.CacheURL, 64, d.Tel); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if d.Queue, err = redisx.Open(d.Config.QueueURL, 32, d.Tel); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	d.Cache = cache.New(d.cacheRDB, d.Config.CachePatience, d.Tel)
	if err := queuePolicy(ctx, d.Queue); err != nil {
		return err
	}
	until := time.Now().Add(storeWait)
	for {
		d.DB, err = pg.Open(ctx, pg.Config{
			URL: d.Config.DatabaseURL, Pool: d.Config.DatabasePool, Prepare: d.Config.DatabasePrepare, Hot: d.service.Hot,
		}, d.Tel)
		if err == nil || ctx.Err() != nil || time.Now().After(until) {
			return err
		}
		d.Log.WarnContext(ctx, "the database is not there yet", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// queuePolicy refuses a queue Redis that would throw jobs away when it is full. A server that does not tell (managed
// ones often do not) is believed.
func queuePolicy(ctx context.Context, rdb redis.UniversalClient) error {
	settings, err := rdb.ConfigGet(ctx, "maxmemory*").Result()
	if err != nil || settings["maxmemory"] == "0" || settings["maxmemory-policy"] == "" || settings["maxmemory-policy"] == "noeviction" {
		return nil //nolint:nilerr // see above
	}
	return fmt.Errorf("the queue Redis has maxmemory-policy %s and would lose jobs: set noeviction", settings["maxmemory-policy"])
}

// Main runs a service as its own process: configuration from the environment, until SIGTERM or Ctrl-C.
func Main(build func(environ []string) (config.Service, Service, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := runProcess(ctx, build); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "hearth:", err)
		os.Exit(1)
	}
}

func runProcess(ctx context.Context, build func([]string) (config.Service, Service, error)) error {
	cfg, service, err := build(os.Environ())
	if err != nil {
		return err
	}
	d, err := Open(ctx, service, Options{Config: cfg})
	if err != nil {
		return err
	}
	shown := make([]any, 0, 40)
	for _, v := range config.Variables(cfg) {
		shown = append(shown, v.Name, v.Value)
	}
	d.Log.Info("starting", shown...)
	return d.Run(ctx)
}
