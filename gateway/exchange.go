package gateway

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/telemetry"
)

type fiberRequest = fasthttp.RequestCtx

// How long a client may be silent while it sends or takes something.
const (
	readTime  = 30 * time.Second
	writeTime = 30 * time.Second
)

// exchange is one request and what is known of it so far.
type exchange struct {
	c         *fiber.Ctx
	ctx       context.Context
	span      trace.Span
	trips     *roundtrip.Counter
	start     time.Time
	method    string // as the client sent it; the request itself is rewritten on its way
	requestID string
	route     *Route
	pattern   string // of the route, for metrics
	session   *session
	clientIP  netip.Addr
	secure    bool // TLS ended in front of us
	zone      string
	passport  string
	oldHTTP   bool // the client speaks HTTP/1.0
	body      bodyState
	scratch   []byte // kept from one request to the next, for values that are copied at once
}

// begin gives the request its id, its trace and its counters.
func (g *Gateway) begin(c *fiber.Ctx) *exchange {
	x := g.exchanges.Get().(*exchange) // the pool holds nothing else
	*x = exchange{c: c, start: time.Now(), method: c.Method(), pattern: "none", body: bodyState{buffer: x.body.buffer}, scratch: x.scratch}
	header := &c.Request().Header
	x.requestID = requestID(header.Peek("X-Request-Id"))
	ctx := telemetry.WithRequestID(context.Background(), x.requestID)
	ctx, x.trips = roundtrip.With(ctx)
	if len(header.Peek("Traceparent")) > 0 {
		ctx = propagation.TraceContext{}.Extract(ctx, headerCarrier{header})
	}
	x.ctx, x.span = g.tel.Tracer.Start(ctx, x.method, serverSpan...)
	c.SetUserContext(x.ctx)
	x.clientIP, x.secure = g.whence(c)
	return x
}

// serverSpan is made once: options are costly to make.
var serverSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}

// requestID takes the client's own id where it is harmless.
func requestID(sent []byte) string {
	if len(sent) == 0 || len(sent) > 128 {
		return uuid.NewString()
	}
	for _, c := range sent {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' && c != ':' && c != '/' && c != '+' && c != '=' {
			return uuid.NewString()
		}
	}
	return string(sent)
}

// finish completes the answer's headers and counts the request.
func (g *Gateway) finish(x *exchange) {
	g.settleBody(x)
	elapsed := time.Since(x.start)
	response := x.c.Response()
	response.SkipBody = x.method == http.MethodHead // the server looks at the request, which may have become a GET on its way
	status := response.StatusCode()
	h := &response.Header
	h.SetNoDefaultContentType(true)
	h.SetBytesK(headerRequestID, x.requestID)
	x.scratch = x.appendTiming(x.scratch[:0], elapsed)
	h.SetCanonical(headerServerTiming, x.scratch)
	x.scratch = appendTraceParent(x.scratch[:0], x.span.SpanContext())
	h.SetCanonical(headerTraceParent, x.scratch)
	g.protect(x, h)
	g.duration.WithLabelValues(x.pattern, x.method, statusText(status)).Observe(elapsed.Seconds())
	if x.span.IsRecording() {
		x.span.SetName(x.method + " " + x.pattern)
		x.span.SetAttributes(attribute.String("http.request.method", x.method), attribute.String("http.route", x.pattern),
			attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			x.span.SetStatus(codes.Error, http.StatusText(status))
		}
	}
	x.span.End()
	patience := writeTime
	if x.route != nil && x.route.Body == streamed {
		patience = x.route.Deadline
	}
	_ = x.c.Context().Conn().SetWriteDeadline(x.start.Add(elapsed + patience)) // a closed connection shows when it is written to
	*x = exchange{body: bodyState{buffer: x.body.buffer}, scratch: x.scratch}
	g.exchanges.Put(x)
}

var (
	headerRequestID    = []byte("X-Request-Id")
	headerServerTiming = []byte("Server-Timing")
	headerTraceParent  = []byte("Traceparent")
)

// statuses are the numbers as words, for the metrics' labels.
var statuses = func() (words [600]string) {
	for i := range words {
		words[i] = strconv.Itoa(i)
	}
	return words
}()

func statusText(status int) string {
	if status < 0 || status >= len(statuses) {
		return "other"
	}
	return statuses[status]
}

// appendTiming is roundtrip.Counter's Server-Timing without its allocations.
func (x *exchange) appendTiming(b []byte, elapsed time.Duration) []byte {
	b = append(b, `db;desc="`...)
	b = strconv.AppendInt(b, int64(x.trips.Series(roundtrip.DB)), 10)
	b = append(b, `", redis;desc="`...)
	b = strconv.AppendInt(b, int64(x.trips.Series(roundtrip.Redis)), 10)
	b = append(b, `", total;dur=`...)
	return strconv.AppendFloat(b, float64(elapsed.Microseconds())/1000, 'f', 1, 64)
}

func appendTraceParent(b []byte, span trace.SpanContext) []byte {
	traceID, spanID := span.TraceID(), span.SpanID()
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, traceID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, spanID[:])
	return hex.AppendEncode(append(b, '-'), []byte{byte(span.TraceFlags() & trace.FlagsSampled)})
}

type headerCarrier struct{ h *fasthttp.RequestHeader }

func (c headerCarrier) Get(key string) string { return string(c.h.Peek(key)) }
func (c headerCarrier) Set(key, value string) { c.h.Set(key, value) }
func (c headerCarrier) Keys() []string        { return nil }

// whence answers the client's address, and whether it came over TLS. Only proxies of our own are believed: the client
// is the rightmost address of X-Forwarded-For that is not one of theirs.
func (g *Gateway) whence(c *fiber.Ctx) (client netip.Addr, secure bool) {
	peer := peerOf(c.Context().RemoteAddr())
	if !g.cfg.TrustedProxies.Contains(peer) {
		return peer, false
	}
	header := &c.Request().Header
	secure = string(header.Peek("X-Forwarded-Proto")) == "https"
	client = peer
	lines := header.PeekAll("X-Forwarded-For")
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := string(lines[i]), true; more; {
			var entry string
			rest, entry, more = cutLast(rest)
			addr, ok := parseForwarded(entry)
			if !ok {
				return client, secure // whoever wrote that, nothing left of it can be believed
			}
			client = addr
			if !g.cfg.TrustedProxies.Contains(addr) {
				return client, secure
			}
		}
	}
	return client, secure
}

func peerOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.IPv4Unspecified()
}
