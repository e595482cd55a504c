package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"

	"hearth.internal/pkg/config"
	"hearth.internal/pkg/identity"
)

const (
	warmTime  = 3 * time.Second // to open connections before the first request; who is not there by then is met later
	warmConns = 4               // to each service
)

// Run serves until ctx ends, then stops in order: no longer ready, requests in flight, what they left behind,
// connections.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.Close()
	listener := g.options.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", g.cfg.Addr); err != nil {
			return fmt.Errorf("gateway cannot listen: %w", err)
		}
	}
	ops, err := g.startOps(ctx)
	if err != nil {
		_ = listener.Close()
		return err
	}
	late, endLate := context.WithCancel(context.WithoutCancel(ctx))
	defer endLate()
	var background sync.WaitGroup
	background.Go(func() { g.tokens.memory.listen(late) })
	background.Go(func() { g.keepDocument(late) })
	background.Go(func() { g.live.follow(late, g.cfg.CacheURL) })
	served := make(chan error, 1)
	go func() { served <- g.drain.Serve(listener) }()
	g.warm(ctx)
	g.ready.Store(true)

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-served:
	}
	g.ready.Store(false)
	if failure == nil {
		time.Sleep(g.cfg.DrainDelay)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.cfg.DrainTime)
	defer cancel()
	err = errors.Join(failure, g.live.stop(drain), g.drain.Shutdown(drain))
	g.work.Wait()
	endLate()
	background.Wait()
	if ops != nil {
		err = errors.Join(err, ops.Shutdown(drain))
	}
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return nil
}

// Ready reports whether the gateway takes requests.
func (g *Gateway) Ready() bool { return g.ready.Load() }

// Close gives back what Open has taken. Run does it itself.
func (g *Gateway) Close() {
	g.closeOnce.Do(func() {
		for _, up := range g.upstreams {
			up.calls.CloseIdleConnections()
		}
		if g.redis != nil {
			_ = g.redis.Close()
		}
		if g.tel != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			if err := g.tel.Close(ctx); err != nil {
				g.log.Warn("traces not flushed", "error", err)
			}
		}
	})
}

// warm opens connections to the services and to Redis, so that the first request does not wait for them.
func (g *Gateway) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	passport, err := g.passports.Sign(identity.Actor{Kind: identity.Service, Service: itself})
	if err != nil {
		g.log.WarnContext(ctx, "not warmed", "error", err)
		return
	}
	var group sync.WaitGroup
	for _, up := range g.upstreams {
		for range warmConns {
			group.Go(func() { up.warm(ctx, passport) })
		}
		group.Go(func() { _, _ = up.part.Health(ctx) }) // who is not there is met later
	}
	group.Go(func() { _ = g.redis.Ping(ctx).Err() }) // as above
	group.Go(func() {
		for ctx.Err() == nil && !g.tokens.memory.alive(time.Now()) {
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	group.Wait()
}

// warm makes one call, on a connection of its own while others do the same.
func (u *upstream) warm(ctx context.Context, passport string) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.SetRequestURI(u.scheme + "://" + u.host + u.prefix + "/internal/health")
	request.Header.Set(identity.Header, passport)
	deadline, _ := ctx.Deadline()
	_ = u.calls.DoDeadline(request, response, deadline) // who is not there is met later
}

// startOps serves what operators ask: alive, ready, metrics.
func (g *Gateway) startOps(ctx context.Context) (*http.Server, error) {
	if g.options.OpsOff {
		return nil, nil // none is wanted
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", g.cfg.OpsAddr)
	if err != nil {
		return nil, fmt.Errorf("gateway cannot listen for operators: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !g.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.tel.Registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			g.log.Error("operators' port", "error", err)
		}
	}()
	return server, nil
}

// LogStart notes the configuration, secrets masked.
func (g *Gateway) LogStart() {
	shown := make([]any, 0, 60)
	for _, v := range config.Variables(g.cfg) {
		shown = append(shown, v.Name, v.Value)
	}
	g.log.Info("starting", shown...)
}
