// Package internalapi is how Hearth's parts call each other: one file for each service that is called, with the types
// that both sides share. Errors keep their kind and code over the hop.
package internalapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/telemetry"
)

// callTime bounds one call, its retry included.
const callTime = 5 * time.Second

// maxAnswer is far above any answer that one part gives another.
const maxAnswer = 32 << 20

// Caller calls other parts on behalf of one service.
type Caller struct {
	service   string
	http      *http.Client
	passports *identity.Passports
}

// NewCaller makes the caller of a service.
func NewCaller(service string, passports *identity.Passports, tel *telemetry.Telemetry) *Caller {
	transport := &http.Transport{
		DialContext:  (&net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 128, IdleConnTimeout: 4 * time.Minute, // below the server's five
		ResponseHeaderTimeout: callTime,
	}
	traced := otelhttp.NewTransport(discreet{transport}, otelhttp.WithTracerProvider(tel.Provider),
		otelhttp.WithPropagators(telemetry.Propagation), otelhttp.WithMeterProvider(tel.Meters))
	return &Caller{service: service, http: &http.Client{Transport: traced}, passports: passports}
}

// discreet keeps token hashes out of the spans that otelhttp makes of calls.
type discreet struct{ http.RoundTripper }

// RoundTrip sends the request.
func (d discreet) RoundTrip(r *http.Request) (*http.Response, error) {
	if path := shown(r.URL.Path); path != r.URL.Path {
		trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("url.full", r.URL.Scheme+"://"+r.URL.Host+path))
	}
	return d.RoundTripper.RoundTrip(r)
}

// shown is a path as spans and errors may have it.
func shown(path string) string {
	if strings.HasPrefix(path, sessionsPath) {
		return sessionsPath + "{hash}"
	}
	return path
}

// remote is one service as it is called: its address and its circuit breaker.
type remote struct {
	*Caller
	name, base string
	breaker    *gobreaker.CircuitBreaker[[]byte]
}

func (c *Caller) to(name, base string) remote {
	return remote{Caller: c, name: name, base: base, breaker: gobreaker.NewCircuitBreaker[[]byte](gobreaker.Settings{
		Name: name, MaxRequests: 3, Timeout: time.Second,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= 10 },
		// A refusal is an answer, and who goes away has not waited for one: only a service that does not answer opens the
		// circuit.
		IsSuccessful: func(err error) bool {
			return err == nil || errors.Is(err, context.Canceled) || apperr.Of(err).Code.Kind.Status() < http.StatusInternalServerError
		},
	})}
}

// call asks the remote service and reads the JSON of its answer.
func call[T any](ctx context.Context, r remote, method, path string, in any) (T, error) {
	var out T
	raw, err := ask(ctx, r, method, path, in)
	if err != nil || len(raw) == 0 {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("answer of %s %s: %w", r.name, shown(path), err)
	}
	return out, nil
}

// ask answers what the remote service says. Reads are tried a second time when the first did not get an answer.
func ask(ctx context.Context, r remote, method, path string, in any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", r.name, err)
	}
	trips := roundtrip.From(ctx)
	mark := trips.Begin()
	raw, err := r.breaker.Execute(func() ([]byte, error) {
		answer, timing, err := r.once(ctx, method, path, in != nil, body)
		if apperr.ServiceUnavailable.Has(err) && method == http.MethodGet && ctx.Err() == nil {
			answer, timing, err = r.once(ctx, method, path, in != nil, body)
		}
		trips.Add(mark, timing)
		return answer, err
	})
	if refused := notMade(err); refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("call %s %s: %w", r.name, shown(path), err)
	}
	return raw, nil
}

// notMade says why a call was not made at all, nil if it was.
func notMade(err error) error {
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return apperr.ServiceUnavailable.Wrap(err, "A part of the system is not answering; try again.").After(time.Second)
	}
	return nil
}

func (r remote) once(ctx context.Context, method, path string, hasBody bool, body []byte) (answer []byte, timing string, err error) {
	resp, err := r.send(ctx, method, path, hasBody, body)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, "", apperr.ServiceUnavailable.Wrap(err, "A part of the system broke off its answer; try again.").After(time.Second)
	}
	timing = resp.Header.Get("Server-Timing")
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, timing, apperr.Parse(resp.StatusCode, answer)
	}
	return answer, timing, nil
}

// send makes the request and answers the response, whose body the caller closes.
func (r remote) send(ctx context.Context, method, path string, hasBody bool, body []byte) (*http.Response, error) {
	var reader io.Reader
	if hasBody {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, reader)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	passport := identity.Passport(ctx)
	if passport == "" {
		passport, err = r.passports.Sign(identity.Actor{Kind: identity.Service, Service: r.service})
		if err != nil {
			return nil, err
		}
	}
	req.Header.Set(identity.Header, passport)
	req.Header.Set("X-Request-Id", telemetry.RequestID(ctx))
	if hasBody {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // it would repeat the whole address
		}
		return nil, apperr.ServiceUnavailable.Wrap(err, "A part of the system is not answering; try again.").After(time.Second)
	}
	return resp, nil
}
