package roundtrip_test

import (
	"context"
	"errors"
	"testing"

	"hearth.internal/pkg/roundtrip"
)

func TestParallelJourneysCostOne(t *testing.T) {
	_, c := roundtrip.With(t.Context())
	first := c.Begin()
	c.End(roundtrip.DB, first, 1)
	a, b := c.Begin(), c.Begin() // both at once, after the first
	c.End(roundtrip.DB, a, 1)
	c.End(roundtrip.DB, b, 1)
	if got := c.Series(roundtrip.DB); got != 2 {
		t.Errorf("series %d, wanted 2", got)
	}
	if got := c.Total(roundtrip.DB); got != 3 {
		t.Errorf("total %d, wanted 3", got)
	}
	call := c.Begin()
	c.Add(call, `db;desc="2", redis;desc="1", total;dur=3.1`)
	if got := c.Series(roundtrip.DB); got != 4 {
		t.Errorf("with another service's two: %d, wanted 4", got)
	}
	if got := roundtrip.Parse(c.Header(1.5), roundtrip.Redis); got != 1 {
		t.Errorf("the header says %q", c.Header(1.5))
	}
}

func TestWhatIsDoneTogetherCostsTheLongest(t *testing.T) {
	ctx, c := roundtrip.With(t.Context())
	c.End(roundtrip.DB, c.Begin(), 1)
	query := func(times int) func(context.Context) error {
		return func(ctx context.Context) error {
			for range times {
				c := roundtrip.From(ctx)
				c.End(roundtrip.DB, c.Begin(), 1)
			}
			return nil
		}
	}
	before := make(chan struct{})
	err := roundtrip.Together(ctx, func(ctx context.Context) error {
		defer close(before)
		return query(2)(ctx)
	}, func(ctx context.Context) error {
		<-before // the scheduler ran the other one to its end first
		return query(1)(ctx)
	})
	if err != nil || c.Series(roundtrip.DB) != 3 || c.Total(roundtrip.DB) != 4 {
		t.Errorf("series %d of %d, wanted 3 of 4 (%v)", c.Series(roundtrip.DB), c.Total(roundtrip.DB), err)
	}
	broken := errors.New("broken")
	err = roundtrip.Together(t.Context(), query(1), func(context.Context) error { return broken }, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("answered %v", err)
	}
}

func TestNobodyCounts(t *testing.T) {
	c := roundtrip.From(t.Context())
	c.End(roundtrip.DB, c.Begin(), 1)
	if c.Series(roundtrip.DB) != 0 {
		t.Error("a context without a counter counts")
	}
	for _, broken := range []string{"", "db", `db;desc="x"`, "cache;dur=1"} {
		if n := roundtrip.Parse(broken, roundtrip.DB); n != 0 {
			t.Errorf("%q is %d", broken, n)
		}
	}
}
