package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

type readiness struct{ atomic.Bool }

// healthTime bounds the look at each store.
const healthTime = 2 * time.Second

// Run serves until ctx ends, then stops in order: no longer ready, requests in flight, events being handled, the
// outbox, connections.
func (d *Deps) Run(ctx context.Context) error {
	defer d.close()
	listener := d.options.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", d.Config.Addr); err != nil {
			return fmt.Errorf("%s cannot listen: %w", d.Name, err)
		}
	}
	ops, err := d.startOps(ctx)
	if err != nil {
		_ = listener.Close()
		return err
	}
	if err := d.Consumer.Start(); err != nil {
		_ = listener.Close()
		return err
	}
	// The relay and background work end after the requests that feed them.
	late, endLate := context.WithCancel(context.WithoutCancel(ctx))
	defer endLate()
	var background errgroup.Group
	background.Go(func() error { d.Relay.Run(late); return nil })
	if d.service.Background != nil {
		background.Go(func() error { return d.service.Background(late, d) })
	}
	served := make(chan error, 1)
	go func() { served <- d.HTTP.Drain.Serve(listener) }()
	d.ready.Store(true)

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-served:
	}
	d.ready.Store(false)
	if failure == nil {
		time.Sleep(d.Config.DrainDelay)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.Config.DrainTime)
	defer cancel()
	err = errors.Join(failure, d.HTTP.Drain.Shutdown(drain))
	d.Consumer.Stop()
	endLate()
	err = errors.Join(err, background.Wait())
	if flushErr := d.Relay.Flush(drain); flushErr != nil {
		d.Log.Warn("events stay in the outbox until the next start", "error", flushErr)
	}
	if ops != nil {
		err = errors.Join(err, ops.Shutdown(drain))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	return nil
}

// Ready reports whether the service takes requests.
func (d *Deps) Ready() bool { return d.ready.Load() }

func (d *Deps) close() {
	d.stopOnce.Do(func() {
		if d.Queue != nil {
			_ = d.Queue.Close()
		}
		if d.cacheRDB != nil {
			_ = d.cacheRDB.Close()
		}
		if d.DB != nil {
			d.DB.Close()
		}
		if d.Tel != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			if err := d.Tel.Close(ctx); err != nil {
				d.Log.Warn("traces not flushed", "error", err)
			}
		}
	})
}

// startOps serves what operators ask: alive, ready, metrics.
func (d *Deps) startOps(ctx context.Context) (*http.Server, error) {
	if d.options.OpsOff {
		return nil, nil // none is wanted
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.Config.OpsAddr)
	if err != nil {
		return nil, fmt.Errorf("%s cannot listen for operators: %w", d.Name, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), healthTime)
		defer cancel()
		if !d.Ready() || d.DB.Ping(ctx) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.Tel.Registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.Log.Error("operators' port", "error", err)
		}
	}()
	return server, nil
}

type healthOutput struct{ Body internalapi.Health }

// serveHealth tells the gateway how the service and its stores are, for /api/health/; and the API's document.
func (d *Deps) serveHealth() {
	httpx.Get(d.HTTP, "/internal/health", identity.Internal, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		return &healthOutput{Body: d.health(ctx)}, nil
	}, "How the service and its stores are")
	httpx.Get(d.HTTP, "/internal/openapi.json", identity.Internal, func(context.Context, *struct{}) (*documentOutput, error) {
		raw, err := d.HTTP.API.OpenAPI().MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("API document: %w", err)
		}
		return &documentOutput{ContentType: "application/json", Body: raw}, nil
	}, "The service's part of the API document")
}

type documentOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (d *Deps) health(ctx context.Context) internalapi.Health {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	h := internalapi.Health{Status: "ok"}
	var group errgroup.Group
	look := func(into *string, ask func(context.Context) error) {
		group.Go(func() error {
			*into = "ok"
			if ask(ctx) != nil {
				*into = "down"
			}
			return nil
		})
	}
	look(&h.Database, d.DB.Ping)
	look(&h.Cache, func(ctx context.Context) error { return d.cacheRDB.Ping(ctx).Err() })
	look(&h.Queue, func(ctx context.Context) error { return d.Queue.Ping(ctx).Err() })
	if d.Storage != nil {
		look(&h.Storage, d.Storage)
	}
	_ = group.Wait() // no look fails
	switch {
	case h.Database != "ok" || !d.Ready():
		h.Status = "down"
	case h.Cache != "ok" || h.Queue != "ok", h.Storage == "down":
		h.Status = "degraded"
	}
	return h
}

// Every does the work now and then again and again, until ctx ends. A failure is logged as what then happens, and the
// work waits for its next time.
func (d *Deps) Every(ctx context.Context, interval time.Duration, failure string, work func(context.Context) error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, failure, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
