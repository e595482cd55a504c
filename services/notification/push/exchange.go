package push

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/notification/delivery"
)

const (
	patience      = 30 * time.Second // with one push, where the caller has more
	maxAnswer     = 64 << 10         // bytes of an answer; Apple's and Google's have a few hundred
	misconfigured = 5 * time.Minute  // until it is tried again whether a provider takes our configuration
	longestAfter  = 24 * time.Hour   // that a provider can have us wait
)

// exchange is what was seen of one request beside its answer.
type exchange struct {
	bearer string
	// written: the request was on its way over a connection, so that the provider may have taken it, whatever came then.
	written atomic.Bool
	status  int // zero: there was no answer
	header  http.Header
}

type exchangeKey struct{}

// begin prepares a request that proves itself by a bearer token.
func begin(ctx context.Context, bearer string) (context.Context, *exchange) {
	x := &exchange{bearer: bearer}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// HTTP/2 sends once more what a server has said that it did not look at.
		GetConn:      func(string) { x.written.Store(false) },
		WroteHeaders: func() { x.written.Store(true) },
	})
	return context.WithValue(ctx, exchangeKey{}, x), x
}

// watched fills in the exchange of a request, and shows the request's bearer token.
type watched struct{ http.RoundTripper }

// RoundTrip sends the request.
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return w.RoundTripper.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+x.bearer)
	response, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	x.status, x.header = response.StatusCode, response.Header
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}

// client follows no redirect: a POST would arrive as a GET.
func client(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     watched{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// unanswered is what it means that a request was not answered.
func (x *exchange) unanswered(ctx context.Context, err error) delivery.Result {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return delivery.Result{Outcome: delivery.Later, Reason: "given up before an answer came"}
	case x.written.Load() && ctx.Err() != nil:
		return delivery.Result{Outcome: delivery.Later, Reason: "no answer in time"}
	case x.written.Load():
		return delivery.Result{Outcome: delivery.Later, Reason: "answer cut off"}
	}
	return delivery.Result{Outcome: delivery.Later, Provider: true, Reason: "not connected: " + cause(err)}
}

// cause is why there is no connection, without the address that was asked: Apple's holds the device's token.
func cause(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if err == nil {
		return "unknown"
	}
	return err.Error()
}

// refusesUs is the answer of a provider that takes nothing from us as we are configured.
func refusesUs(reason string) delivery.Result {
	return delivery.Result{Outcome: delivery.Later, Provider: true, After: misconfigured, Reason: "the provider refuses our configuration, nothing is pushed: " + reason}
}

// named is a reason as it stands in logs: the status, and the provider's own word where it is one. Free text stays out: it
// could repeat what we sent.
func (x *exchange) named(word string) string {
	out := strconv.Itoa(x.status)
	if word == "" || len(word) > 60 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") != "" {
		return out
	}
	return out + " " + word
}

// after is how long the provider asks us to wait: Retry-After, in seconds or as a date. Zero: it does not.
func (x *exchange) after(now time.Time) time.Duration {
	value := x.header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second //nolint:gosec // 31 bits
	} else if at, err := http.ParseTime(value); err == nil {
		if theirs, err := http.ParseTime(x.header.Get("Date")); err == nil {
			now = theirs // by one clock
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestAfter)
}

var outcomes = map[delivery.Outcome]string{delivery.Sent: "sent", delivery.Dead: "dead", delivery.Refused: "refused", delivery.Later: "later"}

// settle ends the span of a push.
func settle(span trace.Span, m Message, r delivery.Result) {
	span.SetAttributes(attribute.String("push.message", m.ID.String()), attribute.String("push.outcome", outcomes[r.Outcome]))
	if r.Reason != "" {
		span.SetAttributes(attribute.String("push.reason", r.Reason))
	}
	if r.Outcome == delivery.Later || r.Outcome == delivery.Refused {
		span.SetStatus(codes.Error, r.Reason)
	}
	span.End()
}
