package billing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/billing"
	"hearth.internal/pkg/testkit"
)

var start = testkit.Start

func in(d time.Duration) *time.Time { return new(start.Add(d)) }

const day = 24 * time.Hour

func TestWhatAPurchaseEntitlesTo(t *testing.T) {
	for _, c := range []struct {
		name     string
		purchase billing.Purchase
		counts   bool
		reason   billing.Reason
		flips    *time.Time
	}{
		{"paid, renews", billing.Purchase{State: billing.Active, AutoRenew: true, ExpiresAt: in(day)}, true, billing.IsPaid, in(2 * day)},
		{"paid, does not renew", billing.Purchase{State: billing.Active, ExpiresAt: in(day)}, true, billing.IsPaid, in(day)},
		{"tried", billing.Purchase{State: billing.Active, IsTrial: true, ExpiresAt: in(day)}, true, billing.IsTried, in(day)},
		{"given for good", billing.Purchase{Source: billing.Grant, State: billing.Active}, true, billing.IsGiven, nil},
		{"a renewal that is late", billing.Purchase{State: billing.Active, AutoRenew: true, ExpiresAt: in(-time.Hour)}, true, billing.IsPaid, in(23 * time.Hour)},
		{"a renewal that does not come", billing.Purchase{State: billing.Active, AutoRenew: true, ExpiresAt: in(-day)}, false, billing.HasExpired, nil},
		{"over at this instant", billing.Purchase{State: billing.Active, ExpiresAt: in(0)}, false, billing.HasExpired, nil},
		{"past due, in its grace", billing.Purchase{State: billing.PastDue, ExpiresAt: in(20 * day), GraceUntil: in(day)}, true, billing.InGrace, in(day)},
		{"past due, the grace is over", billing.Purchase{State: billing.PastDue, ExpiresAt: in(20 * day), GraceUntil: in(0)}, false, billing.PaymentFailed, nil},
		{"past due without a grace", billing.Purchase{State: billing.PastDue, ExpiresAt: in(20 * day)}, false, billing.PaymentFailed, nil},
		{"on hold", billing.Purchase{State: billing.OnHold, ExpiresAt: in(day)}, false, billing.PaymentFailed, nil},
		{"paused", billing.Purchase{State: billing.Paused, ExpiresAt: in(day)}, false, billing.IsPaused, nil},
		{"not paid yet", billing.Purchase{State: billing.Incomplete, ExpiresAt: in(day)}, false, billing.NotPaidYet, nil},
		{"expired", billing.Purchase{State: billing.Expired, ExpiresAt: in(-day)}, false, billing.HasExpired, nil},
		{"revoked", billing.Purchase{State: billing.Revoked, ExpiresAt: in(day)}, false, billing.IsRefunded, nil},
		{"refunded up to its end", billing.Purchase{State: billing.Active, ExpiresAt: in(day), RefundedUntil: in(day)}, false, billing.IsRefunded, nil},
		{"refunded, and paid again since", billing.Purchase{State: billing.Active, ExpiresAt: in(31 * day), RefundedUntil: in(day)}, true, billing.IsPaid, in(31 * day)},
		{"changed into another", billing.Purchase{State: billing.Active, ExpiresAt: in(day), SupersededBy: new("other")}, false, billing.HasExpired, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.purchase.ID, c.purchase.Tier = uuid.New(), "pro"
			got := billing.Best([]billing.Purchase{c.purchase}, false, start)
			if (got.Tier == "pro") != c.counts || got.Reason != c.reason || c.purchase.Entitles(start) != c.counts {
				t.Errorf("%+v", got)
			}
			if (got.FlipsAt == nil) != (c.flips == nil) || c.flips != nil && !got.FlipsAt.Equal(*c.flips) {
				t.Errorf("flips at %v, wanted %v", got.FlipsAt, c.flips)
			}
			if c.flips != nil {
				if after := billing.Best([]billing.Purchase{c.purchase}, false, *c.flips); after.Tier != "free" {
					t.Errorf("at its end: %+v", after)
				}
			}
		})
	}
	if got := billing.Best(nil, true, start); got.Tier != "free" || got.Reason != billing.NeverBought || !got.IsFree || got.FlipsAt != nil {
		t.Errorf("nothing bought: %+v", got)
	}
}

// TestTheBestOfAllCounts: in whatever order they stand, and until the last has ended.
func TestTheBestOfAllCounts(t *testing.T) {
	all := []billing.Purchase{
		{Source: billing.Apple, Tier: "pro", State: billing.Revoked, ExpiresAt: in(90 * day)},
		{Source: billing.Google, Tier: "pro", State: billing.Active, ExpiresAt: in(3 * day)},
		{Source: billing.Stripe, Tier: "pro", State: billing.PastDue, ExpiresAt: in(30 * day), GraceUntil: in(5 * day)},
		{Source: billing.Grant, Tier: "free", State: billing.Active},
	}
	for i := range all {
		all[i].ID = uuid.New()
	}
	for _, step := range []struct {
		after  time.Duration
		source billing.Source
		reason billing.Reason
		tier   string
		flips  *time.Time
	}{
		{0, billing.Stripe, billing.InGrace, "pro", in(3 * day)},
		{3 * day, billing.Stripe, billing.InGrace, "pro", in(5 * day)},
		{5 * day, billing.Grant, billing.IsGiven, "free", nil},
	} {
		for range 20 {
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			got := billing.Best(all, false, start.Add(step.after))
			if got.Source != step.source || got.Reason != step.reason || got.Tier != step.tier ||
				(got.FlipsAt == nil) != (step.flips == nil) || step.flips != nil && !got.FlipsAt.Equal(*step.flips) {
				t.Fatalf("after %v: %+v", step.after, got)
			}
		}
	}
}

// TestObservationsMayComeInAnyOrder: the newest counts, what was refunded stays refunded, and two of one instant that
// differ are in doubt until the shop has been asked.
func TestObservationsMayComeInAnyOrder(t *testing.T) {
	life := []billing.Observation{
		{State: billing.Incomplete, At: start},
		{State: billing.Active, At: start.Add(time.Minute), ExpiresAt: in(30 * day), AutoRenew: true},
		{RefundOnly: true, RefundedUntil: in(30 * day), At: start.Add(time.Hour)},
		{State: billing.Active, At: start.Add(30 * day), ExpiresAt: in(60 * day), AutoRenew: true},
		{State: billing.Active, At: start.Add(31 * day), ExpiresAt: in(60 * day)},
	}
	var want *billing.Purchase
	for range 200 {
		order := append(slices.Clone(life), life...)
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		at := slices.IndexFunc(order, func(o billing.Observation) bool { return !o.RefundOnly })
		order[0], order[at] = order[at], order[0] // a refund of what is not known says too little
		p := billing.Purchase{}
		for _, o := range order {
			o.ExternalID, o.ProductID, o.Tier, o.StartedAt = "x", "monthly", "pro", start
			if p.Observe(o) {
				t.Fatalf("%+v is in doubt", o)
			}
		}
		if want == nil {
			want = &p
		}
		if got, same := fmt.Sprintf("%+v", show(p)), fmt.Sprintf("%+v", show(*want)); got != same {
			t.Fatalf("%s\nand\n%s", got, same)
		}
	}
	if !want.Entitles(start.Add(40*day)) || want.Entitles(start.Add(60*day)) || want.AutoRenew || !want.RefundedUntil.Equal(*in(30 * day)) {
		t.Errorf("in the end %+v", want)
	}
	other := life[4]
	other.ProductID, other.Tier, other.StartedAt, other.State = "monthly", "pro", start, billing.Paused
	if !want.Observe(other) || want.State != billing.Active {
		t.Error("another state of the same instant is no doubt")
	}
	other.Asked = true
	if want.Observe(other) || want.State != billing.Paused {
		t.Error("the shop's answer does not count")
	}
}

func show(p billing.Purchase) any {
	at := func(t *time.Time) any {
		if t == nil {
			return nil
		}
		return t.Unix()
	}
	return []any{p.State, p.AutoRenew, at(p.ExpiresAt), at(p.GraceUntil), at(p.RefundedUntil), p.ObservedAt.Unix(), at(p.CheckAt)}
}
