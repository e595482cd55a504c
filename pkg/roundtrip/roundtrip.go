// Package roundtrip counts what a request waits for: the journeys to a store that happen one after the other. Two
// queries in parallel cost the time of one, so a journey's place in the series is one more than that of the longest
// series that had ended when it began. What is parallel says so (Together): left to the scheduler, a journey on a fast
// link often ends before its neighbour begins, and the two would count as a series that they are not.
package roundtrip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Store is what the journey goes to.
type Store int

// The stores that are counted.
const (
	DB Store = iota
	Redis
	stores
)

// Counter counts the journeys of one request. All its methods work on a nil counter and do nothing then.
type Counter struct {
	mu     sync.Mutex
	series [stores]int // the longest finished series
	total  [stores]int
}

type contextKey struct{}

// With gives the context a counter.
func With(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{}
	return context.WithValue(ctx, contextKey{}, c), c
}

// From is the context's counter, or nil.
func From(ctx context.Context) *Counter {
	c, _ := ctx.Value(contextKey{}).(*Counter)
	return c
}

// Mark is where in the series each store stood when a journey began.
type Mark [stores]int

// Begin marks the start of a journey.
func (c *Counter) Begin() Mark {
	if c == nil {
		return Mark{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.series
}

// End records a journey of n round trips to the store that began at the mark.
func (c *Counter) End(store Store, begun Mark, n int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total[store] += n
	c.series[store] = max(c.series[store], begun[store]+n)
}

// Series is the number of round trips one after the other.
func (c *Counter) Series(store Store) int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.series[store]
}

// Total is the number of all round trips, parallel ones included.
func (c *Counter) Total(store Store) int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total[store]
}

// Header is the value of Server-Timing: the series of each store and the milliseconds in all.
func (c *Counter) Header(milliseconds float64) string {
	return fmt.Sprintf(`db;desc="%d", redis;desc="%d", total;dur=%.1f`, c.Series(DB), c.Series(Redis), milliseconds)
}

// Together makes the calls at the same time and waits for all of them. The first error cancels the others' context and is
// answered. The request's series grows by that of the longest call.
func Together(ctx context.Context, calls ...func(context.Context) error) error {
	parent := From(ctx)
	group, ctx := errgroup.WithContext(ctx)
	branches := make([]*Counter, len(calls))
	begun := parent.Begin()
	for i, call := range calls {
		ctx := ctx
		if parent != nil {
			branches[i] = &Counter{series: begun}
			ctx = context.WithValue(ctx, contextKey{}, branches[i])
		}
		group.Go(func() error { return call(ctx) })
	}
	err := group.Wait()
	for _, branch := range branches {
		parent.join(branch)
	}
	return err
}

func (c *Counter) join(branch *Counter) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	branch.mu.Lock() // a load that outlives its request may still be counting
	defer branch.mu.Unlock()
	for store := range stores {
		c.series[store] = max(c.series[store], branch.series[store])
		c.total[store] += branch.total[store]
	}
}

// Add takes over what another service's Server-Timing says of a call that began at the mark.
func (c *Counter) Add(begun Mark, serverTiming string) {
	if c == nil {
		return
	}
	c.End(DB, begun, Parse(serverTiming, DB))
	c.End(Redis, begun, Parse(serverTiming, Redis))
}

// Parse reads one store's count out of a Server-Timing header; an absent one is 0.
func Parse(serverTiming string, store Store) int {
	name := [stores]string{"db", "redis"}[store]
	for entry := range strings.SplitSeq(serverTiming, ",") {
		count, found := strings.CutPrefix(strings.TrimSpace(entry), name+`;desc="`)
		if found {
			n, err := strconv.Atoi(strings.TrimSuffix(count, `"`))
			if err == nil {
				return n
			}
		}
	}
	return 0
}
