// Package bench measures Hearth beside a bare floor in the same run: a Fiber gateway and a Fiber service that do nothing
// but the same Redis GET and the same SQL. The ratio is what counts; the figures themselves belong to the machine.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// The load: what the peers were measured with.
const (
	connections = 16
	rounds      = 4
	warmUp      = time.Second
)

// target is one thing to measure.
type target struct {
	name   string
	url    string
	header map[string]string
	turns  []map[string]string // instead of header, one after the other
	wants  int
}

// headers are those of the n-th request.
func (t target) headers(n int) map[string]string {
	if len(t.turns) == 0 {
		return t.header
	}
	return t.turns[n%len(t.turns)]
}

// result is what a target did.
type result struct {
	requests int
	took     time.Duration
	times    []time.Duration
}

func (r result) rate() float64 { return float64(r.requests) / r.took.Seconds() }

func (r result) percentile(p float64) time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	slices.Sort(r.times)
	return r.times[min(int(p*float64(len(r.times))), len(r.times)-1)]
}

// versus measures two targets in turn, several rounds of each, so that what else the machine does hits both.
func versus(ctx context.Context, ours, floor target, each time.Duration) (a, b result, err error) {
	for _, t := range []target{ours, floor} {
		if _, err := load(ctx, t, warmUp); err != nil {
			return a, b, err
		}
	}
	for range rounds {
		for _, turn := range []struct {
			target target
			into   *result
		}{{ours, &a}, {floor, &b}} {
			runtime.GC() // nobody pays for the other's garbage
			r, err := load(ctx, turn.target, each/rounds)
			if err != nil {
				return a, b, err
			}
			turn.into.requests += r.requests
			turn.into.took += r.took
			turn.into.times = append(turn.into.times, r.times...)
		}
	}
	return a, b, nil
}

// load keeps the connections busy for a while.
func load(ctx context.Context, t target, span time.Duration) (result, error) {
	uri := fasthttp.AcquireURI()
	defer fasthttp.ReleaseURI(uri)
	if err := uri.Parse(nil, []byte(t.url)); err != nil {
		return result{}, fmt.Errorf("%s: %w", t.name, err)
	}
	client := &fasthttp.HostClient{Addr: string(uri.Host()), MaxConns: connections}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var out result
	var failure error
	var workers sync.WaitGroup
	begun := time.Now()
	until := begun.Add(span)
	for range connections {
		workers.Go(func() {
			times, err := work(ctx, client, t, until)
			mu.Lock()
			defer mu.Unlock()
			out.times = append(out.times, times...)
			failure = errors.Join(failure, err)
		})
	}
	workers.Wait()
	out.took, out.requests = time.Since(begun), len(out.times)
	return out, failure
}

func work(ctx context.Context, client *fasthttp.HostClient, t target, until time.Time) ([]time.Duration, error) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	var times []time.Duration
	for ctx.Err() == nil && time.Now().Before(until) {
		request.Reset()
		request.SetRequestURI(t.url)
		for k, v := range t.headers(len(times)) {
			request.Header.Set(k, v)
		}
		begun := time.Now()
		if err := client.Do(request, response); err != nil {
			return times, fmt.Errorf("%s: %w", t.name, err)
		}
		if response.StatusCode() != http.StatusOK {
			return times, fmt.Errorf("%s answered %d: %.200s", t.name, response.StatusCode(), response.Body())
		}
		if len(response.Body()) < t.wants {
			return times, fmt.Errorf("%s answered only %d bytes", t.name, len(response.Body()))
		}
		times = append(times, time.Since(begun))
	}
	return times, nil
}

func report(w io.Writer, what string, ours, floor result) {
	_, _ = fmt.Fprintf(w, "%-28s %8.0f req/s  p50 %6.2f ms  p99 %6.2f ms\n%-28s %8.0f req/s  p50 %6.2f ms  p99 %6.2f ms   ratio %.2f\n",
		what, ours.rate(), millis(ours.percentile(.5)), millis(ours.percentile(.99)),
		"  bare floor", floor.rate(), millis(floor.percentile(.5)), millis(floor.percentile(.99)), ours.rate()/floor.rate())
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
