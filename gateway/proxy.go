package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

const (
	upstreamConns = 512
	dialTime      = time.Second
	idleTime      = 4 * time.Minute // below the services' five, so that we close first
	connWait      = time.Second     // for a free connection when all are busy
	maxAnswer     = 32 << 20        // of what is not streamed
	lostInARow    = 10              // then the circuit opens
)

// upstream is one service as the gateway reaches it.
type upstream struct {
	name, scheme, host, prefix string
	calls                      *fasthttp.HostClient // keeps its connections
	streams                    *http.Transport      // opens one for each request (stream.go)
	breaker                    *gobreaker.TwoStepCircuitBreaker[struct{}]
	part                       internalapi.Part
	failures                   prometheus.Counter
}

// addresses is where each service answers.
func addresses(cfg config.Service) map[string]string {
	return map[string]string{
		auth: cfg.AuthURL, residence: cfg.ResidenceURL, task: cfg.TaskURL, papers: cfg.DocumentURL,
		notice: cfg.NotificationURL, billing: cfg.BillingURL, "admin": cfg.AdminURL,
	}
}

func (g *Gateway) openUpstreams(calls *internalapi.Caller) error {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hearth_gateway_upstream_failures_total", Help: "Requests that a service did not answer.",
	}, []string{"service"})
	g.tel.Registry.MustRegister(failures)
	g.upstreams = map[string]*upstream{}
	where := addresses(g.cfg.Service)
	g.parts = map[string]internalapi.Part{}
	for name, base := range where {
		g.parts[name] = calls.Part(name, base)
	}
	for _, route := range g.table {
		if route.Service == itself || g.upstreams[route.Service] != nil {
			continue
		}
		base, err := url.Parse(where[route.Service])
		if err != nil || base.Host == "" {
			return fmt.Errorf("configuration: the address of %s is not a URL", route.Service)
		}
		u := newUpstream(route.Service, base)
		u.part = g.parts[route.Service]
		u.failures = failures.WithLabelValues(route.Service)
		u.breaker = g.newBreaker(route.Service)
		g.upstreams[route.Service] = u
	}
	return nil
}

func newUpstream(name string, base *url.URL) *upstream {
	tls := base.Scheme == "https"
	return &upstream{
		name: name, scheme: base.Scheme, host: base.Host, prefix: strings.TrimSuffix(base.Path, "/"), streams: newStreams(),
		calls: &fasthttp.HostClient{
			Addr: fasthttp.AddMissingPort(base.Host, tls), IsTLS: tls, NoDefaultUserAgentHeader: true,
			Dial: dial, MaxConns: upstreamConns, MaxConnWaitTimeout: connWait, MaxIdleConnDuration: idleTime,
			MaxIdemponentCallAttempts: 1, DisablePathNormalizing: true, MaxResponseBodySize: maxAnswer,
			ReadBufferSize: 16 << 10,
		},
	}
}

// newBreaker stops asking a service that does not answer, and tries again with a few requests every second.
func (g *Gateway) newBreaker(name string) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 3, Timeout: time.Second,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= lostInARow },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			g.log.Warn("circuit", "to_service", name, "from", from.String(), "to", to.String())
		},
	})
}

// errNotConnected: nothing of the request has been sent. errStale: the kept connection had died, so the same.
var (
	errNotConnected = errors.New("no connection")
	errStale        = errors.New("the kept connection had been closed")
)

func dial(addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	conn, err := (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotConnected, err)
	}
	return &kept{Conn: conn, look: quiet(conn)}, nil
}

// kept is a connection that is used for one request after the other, and looks before each whether it still can be: a
// service that restarted has closed it, and then nothing need fail.
type kept struct {
	net.Conn
	look     func() bool
	answered bool // what is written next begins another request
}

// Read takes a part of an answer.
func (k *kept) Read(p []byte) (int, error) {
	k.answered = true
	return k.Conn.Read(p) // a connection hands on what it gets
}

// Write fails with errStale, having sent nothing, when the service has closed the connection since the last answer.
func (k *kept) Write(p []byte) (int, error) {
	if k.answered {
		k.answered = false
		if !k.look() {
			return 0, errStale
		}
	}
	return k.Conn.Write(p) // a connection hands on what it gets
}

// forward sends the request to its service and takes the answer over.
func (g *Gateway) forward(x *exchange) error {
	up := g.upstreams[x.route.Service]
	if err := g.rewrite(x, up); err != nil {
		return err
	}
	send, take := g.call, g.holdBody
	if x.route.Body == streamed {
		send, take = g.stream, g.admitBody
	}
	if err := take(x); err != nil {
		return err
	}
	span := g.clientSpan(x, up)
	defer span.End()
	done, err := up.breaker.Allow()
	if err != nil {
		return notAnswering(err)
	}
	mark := x.trips.Begin()
	err = send(x, up, x.start.Add(x.route.Deadline))
	if x.body.failed != nil {
		done(nil) // the client's doing, not the service's
		return bodyError(x.body.failed, g.cfg.UploadLimit)
	}
	done(err)
	if err != nil {
		up.failures.Inc()
		span.SetStatus(codes.Error, "no answer")
		if errors.Is(err, fasthttp.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			return apperr.DeadlineExceeded.Wrap(err, "It took too long; try again.")
		}
		return notAnswering(err)
	}
	response := x.c.Response()
	x.trips.Add(mark, string(response.Header.Peek("Server-Timing")))
	stripAnswer(&response.Header)
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("http.response.status_code", response.StatusCode()))
	}
	if x.oldHTTP {
		response.SetConnectionClose()
	}
	return nil
}

func notAnswering(err error) error {
	return apperr.ServiceUnavailable.Wrap(err, "A part of the system is not answering; try again.").After(time.Second)
}

// call sends the request and holds the answer. It tries a second time when that can do no harm: nothing was sent, or
// sending it again changes nothing.
func (g *Gateway) call(x *exchange, up *upstream, deadline time.Time) error {
	request := x.c.Request()
	for tries := 0; ; tries++ {
		err := up.calls.DoDeadline(request, x.c.Response(), deadline)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errStale) && tries < 2:
			up.calls.CloseIdleConnections() // the others will be no better
		case tries > 0 || !repeatable(&request.Header, err):
			return fmt.Errorf("forward: %w", err)
		}
	}
}

func repeatable(h *fasthttp.RequestHeader, err error) bool {
	if errors.Is(err, errNotConnected) {
		return true
	}
	if errors.Is(err, fasthttp.ErrTimeout) || errors.Is(err, fasthttp.ErrNoFreeConns) || errors.Is(err, fasthttp.ErrBodyTooLarge) {
		return false
	}
	if len(h.Peek("If-Match")) > 0 {
		return false // if the first was applied, the second would be refused as stale
	}
	return h.IsGet() || h.IsHead() || h.IsPut()
}

var headerPassport = []byte(identity.Header)

// rewrite makes the client's request the one that the service gets.
func (g *Gateway) rewrite(x *exchange, up *upstream) error {
	request := x.c.Request()
	h := &request.Header
	var proof []byte
	if x.route.Rate == hook { // no token of ours: it is how a shop proves itself, and its service looks at it
		proof = bytes.Clone(h.Peek(fiber.HeaderAuthorization))
	}
	if err := strip(h); err != nil {
		return err
	}
	if len(proof) > 0 {
		h.SetBytesV(fiber.HeaderAuthorization, proof)
	}
	uri := request.URI()
	target := append(append(x.scratch[:0], up.prefix...), uri.PathOriginal()...)
	if query := uri.QueryString(); len(query) > 0 {
		target = append(append(target, '?'), query...)
	}
	if x.method == http.MethodHead {
		h.SetMethod(get) // services know no HEAD; the body is left out on the way back
	}
	if !h.IsHTTP11() {
		h.SetProtocol("HTTP/1.1")
		x.oldHTTP = true
	}
	h.SetNoDefaultContentType(true)
	h.SetBytesK(headerPassport, x.passport)
	h.SetBytesK(headerRequestID, x.requestID)
	h.SetHost(up.host)
	request.SetRequestURIBytes(target)
	x.scratch = target
	request.URI().SetScheme(up.scheme)
	return nil
}

// clientSpan is the way to the service in the trace; where nothing is recorded, the service hangs on the request itself.
func (g *Gateway) clientSpan(x *exchange, up *upstream) trace.Span {
	span := trace.SpanFromContext(context.Background())
	parent := x.span.SpanContext()
	if x.span.IsRecording() {
		_, span = g.tel.Tracer.Start(x.ctx, x.route.Method+" "+up.name, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("http.request.method", x.route.Method), attribute.String("http.route", x.pattern),
				attribute.String("server.address", up.host), attribute.String("peer.service", up.name)))
		parent = span.SpanContext()
	}
	h := &x.c.Request().Header
	x.scratch = appendTraceParent(x.scratch[:0], parent)
	h.SetCanonical(headerTraceParent, x.scratch)
	if parent.TraceState().Len() > 0 {
		h.Set("Tracestate", parent.TraceState().String())
	}
	return span
}
