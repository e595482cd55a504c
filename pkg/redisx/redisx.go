// Package redisx opens Redis connections the way Hearth wants them: traced, counted, and with deadlines that are kept.
package redisx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/telemetry"
)

// Quiet silences go-redis, whose log is the process's own: it would print a line for each dial that fails, which in an
// outage is thousands. Nothing is lost: whoever asked gets the error.
func Quiet() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// Open connects to the server at url. Several URLs separated by commas are the nodes of one cluster.
// It does not wait for the server: what needs it says so itself.
func Open(url string, poolSize int, tel *telemetry.Telemetry) (redis.UniversalClient, error) {
	Quiet()
	var addrs []string
	var options redis.UniversalOptions
	for part := range strings.SplitSeq(url, ",") {
		o, err := redis.ParseURL(strings.TrimSpace(part))
		if err != nil {
			return nil, errors.New("a Redis address is not a URL such as redis://host:6379/0") // err may repeat the password
		}
		addrs = append(addrs, o.Addr)
		options.Username, options.Password, options.DB, options.TLSConfig = o.Username, o.Password, o.DB, o.TLSConfig
	}
	options.Addrs = addrs
	options.PoolSize = poolSize
	options.MinIdleConns = min(2, poolSize)
	options.DialTimeout = time.Second
	options.ReadTimeout = 2 * time.Second
	options.WriteTimeout = 2 * time.Second
	options.ContextTimeoutEnabled = true
	options.MaxRetries = 1
	options.MinRetryBackoff = 2 * time.Millisecond
	options.MaxRetryBackoff = 10 * time.Millisecond
	client := redis.NewUniversalClient(&options)
	client.AddHook(counter{})
	// Statements stay out of the spans: keys hold token hashes and values hold people's data.
	if err := redisotel.InstrumentTracing(client, redisotel.WithTracerProvider(tel.Provider), redisotel.WithDBStatement(false),
		redisotel.WithCallerEnabled(false)); err != nil {
		return nil, fmt.Errorf("trace redis: %w", err)
	}
	return client, nil
}

// counter adds every journey to the request's round trips. A pipeline is one.
type counter struct{}

func (counter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		trips := roundtrip.From(ctx)
		mark := trips.Begin()
		defer trips.End(roundtrip.Redis, mark, 1)
		return next(ctx, cmd)
	}
}

func (counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		trips := roundtrip.From(ctx)
		mark := trips.Begin()
		defer trips.End(roundtrip.Redis, mark, 1)
		return next(ctx, cmds)
	}
}
