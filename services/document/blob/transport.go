package blob

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/pkg/telemetry"
)

// newTransport is how we speak to the storage: traced, over kept-alive connections, and not for longer than it speaks to us.
// The trace ends here: whoever runs the storage is told nothing of it.
func newTransport(patience time.Duration, tel *telemetry.Telemetry) http.RoundTripper {
	plain := &http.Transport{
		DialContext:  (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConns: 64, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 5 * time.Second,
		DisableCompression:  true, // a blob comes as it was stored
	}
	return otelhttp.NewTransport(discreet{impatient{plain, patience}}, otelhttp.WithTracerProvider(tel.Provider),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()), otelhttp.WithMeterProvider(tel.Meters))
}

// discreet keeps the query out of the spans that otelhttp makes of requests: in signed addresses it lets people in.
type discreet struct{ http.RoundTripper }

// RoundTrip sends the request.
func (d discreet) RoundTrip(r *http.Request) (*http.Response, error) {
	trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("url.full", r.URL.Scheme+"://"+r.URL.Host+r.URL.Path))
	return d.RoundTripper.RoundTrip(r)
}

var errSilent = errors.New("the storage keeps silent")

// impatient ends a request when the storage lets us wait: for a connection, for it to take more of what we send, for its
// answer or for more of that. It does not count how long the caller takes to give or take bytes: people's connections are
// slow, and what is slow is not broken.
type impatient struct {
	http.RoundTripper
	patience time.Duration
}

// RoundTrip sends the request.
func (i impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	turn := &turn{patience: i.patience, timer: time.AfterFunc(i.patience, func() { cancel(errSilent) })}
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &sent{ReadCloser: r.Body, turn: turn}
	}
	resp, err := i.RoundTripper.RoundTrip(r)
	turn.answered.Store(true)
	turn.ours()
	if err != nil {
		defer cancel(nil)
		if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
			return nil, cause
		}
		return nil, err
	}
	resp.Body = &received{ReadCloser: resp.Body, turn: turn, ctx: ctx, cancel: cancel}
	return resp, nil
}

// turn is whose move it is: the storage's, while the timer runs, or ours.
type turn struct {
	patience time.Duration
	timer    *time.Timer
	answered atomic.Bool // what is still read of the request's body then does not matter
}

func (t *turn) theirs() { t.timer.Reset(t.patience) }
func (t *turn) ours()   { t.timer.Stop() }

// sent is a request's body: while we read it, it is our turn.
type sent struct {
	io.ReadCloser
	turn *turn
}

// Read implements io.Reader.
func (s *sent) Read(p []byte) (int, error) {
	if s.turn.answered.Load() {
		return s.ReadCloser.Read(p)
	}
	s.turn.ours()
	n, err := s.ReadCloser.Read(p)
	if !s.turn.answered.Load() {
		s.turn.theirs()
	}
	return n, err
}

// received is an answer's body: while we read it, it is the storage's turn.
type received struct {
	io.ReadCloser
	turn   *turn
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Read implements io.Reader.
func (r *received) Read(p []byte) (int, error) {
	r.turn.theirs()
	n, err := r.ReadCloser.Read(p)
	r.turn.ours()
	if cause := context.Cause(r.ctx); err != nil && errors.Is(cause, errSilent) {
		return n, cause
	}
	return n, err
}

// Close implements io.Closer.
func (r *received) Close() error {
	r.turn.ours()
	defer r.cancel(nil)
	return r.ReadCloser.Close()
}
