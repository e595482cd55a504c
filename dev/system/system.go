// Package system runs all of Hearth on one machine: every service and the gateway, each with its own database, either
// inside this process or as processes of their own that are started again when they die.
package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth.internal/gateway"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/stores"
)

// GatewayName is the gateway's name among the parts.
const GatewayName = "gateway"

// Options say what to run on.
type Options struct {
	// Postgres is the URL of a server on which databases and roles may be made.
	Postgres string
	Cache    string
	Queue    string
	// Prefix begins the names of the databases and roles; several systems can share a server.
	Prefix  string
	Secrets Secrets
	// Listener is the gateway's; nil: a free port of 127.0.0.1.
	Listener net.Listener
	// Pool is the number of database connections of each service.
	Pool int
	// DatabaseVia replaces host and port of the database in the services' addresses: a proxy in front of it.
	DatabaseVia string
	// Storage are the variables that say where document keeps files: see Directory.
	Storage []string
	// Shops are the variables that say how billing reaches Stripe, Apple and Google; none: nothing is sold.
	Shops []string
	// Messages are the variables that say how notification sends mails and pushes; none: it sends none.
	Messages []string
	// Environ is added to every part's environment.
	Environ []string
	// Processes runs every part as a process of this program: `<program> part <name>`.
	Processes bool
	// Program runs the parts when Processes is set; empty: this very program.
	Program string

	Clock    clock.Clock // nil: the system's; not with Processes
	LogOut   io.Writer   // where the parts log
	Terminal io.Writer   // where codes are printed that nobody mails yet
	Progress func(step string)
}

// Directory is the Storage of files in a directory of this machine.
func Directory(path string) []string { return []string{"HEARTH_STORAGE_DIR=" + path} }

// System is a running Hearth.
type System struct {
	URL string // of the gateway
	// Services answers each service's own address, by name: behind the gateway's back, for tests.
	Services map[string]string

	options  Options
	parts    []part
	mu       sync.Mutex
	running  map[string]*runner
	failures chan error
}

// runner is one part at work.
type runner struct {
	stop  func()
	ended chan struct{}
	err   error
	kill  func() // processes only
	pid   func() int
}

// Start brings databases up to date and starts every part; it answers once all of them are ready.
func Start(ctx context.Context, o Options) (*System, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Pool == 0 {
		o.Pool = 8
	}
	if o.LogOut == nil {
		o.LogOut = io.Discard
	}
	if o.Terminal == nil {
		o.Terminal = io.Discard
	}
	s := &System{options: o, Services: map[string]string{}, running: map[string]*runner{}, failures: make(chan error, 16)}
	o.Progress("preparing the databases")
	urls, err := prepareDatabases(ctx, o)
	if err != nil {
		return nil, err
	}
	o.Progress("starting the services")
	if err := s.place(urls); err != nil {
		return nil, err
	}
	if err := s.startAll(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// place gives every part its address and its environment.
func (s *System) place(databases map[string]string) error {
	s.parts = services()
	addresses := map[string]string{}
	for i := range s.parts {
		listener, err := stores.Listen()
		if err != nil {
			return fmt.Errorf("no free port: %w", err)
		}
		s.parts[i].listener = listener
		addresses[s.parts[i].name] = listener.Addr().String()
		s.Services[s.parts[i].name] = "http://" + listener.Addr().String()
	}
	gatewayPart := part{name: GatewayName, listener: s.options.Listener}
	if gatewayPart.listener == nil {
		listener, err := stores.Listen()
		if err != nil {
			return fmt.Errorf("no free port: %w", err)
		}
		gatewayPart.listener = listener
	}
	s.parts = append(s.parts, gatewayPart)
	addresses[GatewayName] = gatewayPart.listener.Addr().String()
	s.URL = URL(gatewayPart.listener.Addr())
	for i := range s.parts {
		s.parts[i].address = addresses[s.parts[i].name]
		s.parts[i].environ = environ(s.options, s.parts[i].name, addresses, databases[s.parts[i].name])
	}
	return nil
}

// URL is where a listener is reached from this machine: one that listens everywhere has no address to go to.
func URL(address net.Addr) string {
	if tcp, ok := address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", tcp.Port)
	}
	return "http://" + address.String()
}

// environ is what the part finds in its environment: the very variables that production sets.
func environ(o Options, name string, addresses map[string]string, database string) []string {
	env := []string{
		"HEARTH_ADDR=" + addresses[name], "HEARTH_OPS_ADDR=127.0.0.1:0",
		"HEARTH_CACHE_REDIS_URL=" + o.Cache, fmt.Sprintf("HEARTH_DATABASE_POOL=%d", o.Pool),
		"HEARTH_PASSPORT_KEYS=" + o.Secrets.PassportKey, "HEARTH_TRACE_RATIO=1",
	}
	if name != GatewayName {
		env = append(env, "HEARTH_DATABASE_URL="+database, "HEARTH_QUEUE_REDIS_URL="+o.Queue)
	}
	for other, address := range addresses {
		if other != GatewayName {
			env = append(env, "HEARTH_"+strings.ToUpper(other)+"_URL=http://"+address)
		}
	}
	if name == events.Document {
		env = append(env, o.Storage...)
	}
	if name == events.Billing {
		env = append(env, o.Shops...)
	}
	if name == events.Notification {
		env = append(env, o.Messages...)
	}
	env = append(env, o.Secrets.environ(name)...)
	return append(env, o.Environ...)
}

func (s *System) startAll(ctx context.Context) error {
	var group errgroup.Group
	for _, p := range s.parts {
		if p.name != GatewayName {
			group.Go(func() error { return s.start(ctx, p) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range s.parts {
		if p.name == GatewayName {
			return s.start(ctx, p) // after the services, so that its API document is whole at once
		}
	}
	return nil
}

func (s *System) start(ctx context.Context, p part) error {
	begin := s.embed
	if s.options.Processes {
		begin = s.spawn
	}
	r, err := begin(ctx, p)
	if err != nil {
		if r != nil { // it runs, but was not ready in time
			r.stop()
			<-r.ended
		}
		return fmt.Errorf("%s does not start: %s", p.name, strings.TrimPrefix(err.Error(), p.name+": ")) // services name themselves
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[p.name] = r
	return nil
}

// runnable is a service or the gateway inside this process.
type runnable interface {
	Run(ctx context.Context) error
	Ready() bool
}

// embed runs the part inside this process.
func (s *System) embed(ctx context.Context, p part) (*runner, error) {
	run, err := s.open(ctx, p)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &runner{stop: stop, ended: make(chan struct{}), pid: func() int { return 0 }}
	go func() {
		defer close(r.ended)
		if r.err = run.Run(life); r.err != nil {
			s.failures <- r.err
		}
	}()
	return r, waitUntil(ctx, r, run.Ready)
}

func (s *System) open(ctx context.Context, p part) (runnable, error) {
	if p.name == GatewayName {
		cfg, err := config.Load[gateway.Config](p.environ)
		if err != nil {
			return nil, err
		}
		return gateway.Open(ctx, cfg, gateway.Options{Clock: s.options.Clock, LogOut: s.options.LogOut, Listener: p.listener, OpsOff: true})
	}
	cfg, service, err := p.build(p.environ, s.options.Terminal)
	if err != nil {
		return nil, err
	}
	return boot.Open(ctx, service, boot.Options{Config: cfg, Clock: s.options.Clock, LogOut: s.options.LogOut, Listener: p.listener, OpsOff: true})
}

// startTime is how long a part may take to be ready.
const startTime = 60 * time.Second

func waitUntil(ctx context.Context, r *runner, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !ready() {
		select {
		case <-r.ended:
			if r.err != nil {
				return r.err
			}
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("it was not ready in %v: %w", startTime, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// answers reports whether something answers HTTP at the address.
func answers(url string) bool {
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get(url) //nolint:noctx // bounded by the client
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}

// Database answers the URL of a service's database.
func (s *System) Database(service string) (string, error) { return DatabaseURL(s.options, service) }

// DatabaseURL is the address of a service's database in a system with these options.
func DatabaseURL(o Options, service string) (string, error) {
	return serviceURL(o.Postgres, o.Prefix+"hearth_"+service, o.Secrets.DatabasePassword)
}

// Prefix begins the names of the system's databases.
func (s *System) Prefix() string { return s.options.Prefix }

// Failed tells of a part that ended by itself.
func (s *System) Failed() <-chan error { return s.failures }

// StopPart stops one part in order, as a deploy would.
func (s *System) StopPart(name string) error {
	s.mu.Lock()
	r := s.running[name]
	delete(s.running, name)
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	r.stop()
	<-r.ended
	return r.err
}

// StartPart starts a part again that StopPart has stopped, at the address that it had.
func (s *System) StartPart(ctx context.Context, name string) error {
	for i := range s.parts {
		if s.parts[i].name != name {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.parts[i].address)
		if err != nil {
			return fmt.Errorf("the address of %s: %w", name, err)
		}
		s.parts[i].listener = listener
		return s.start(ctx, s.parts[i])
	}
	return fmt.Errorf("there is no part %q", name)
}

// KillPart ends one part's process with SIGKILL; it is started again by itself. Only with Processes.
func (s *System) KillPart(name string) {
	s.mu.Lock()
	r := s.running[name]
	s.mu.Unlock()
	if r != nil && r.kill != nil {
		r.kill()
	}
}

// PartPID is the process of a part that runs as one of its own; 0 of another.
func (s *System) PartPID(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.running[name]; r != nil && r.pid != nil {
		return r.pid()
	}
	return 0
}

// Stop stops the gateway, then the services, in order.
func (s *System) Stop() error {
	err := s.StopPart(GatewayName)
	var group errgroup.Group
	for _, p := range s.parts {
		group.Go(func() error { return s.StopPart(p.name) })
	}
	return errors.Join(err, group.Wait())
}
