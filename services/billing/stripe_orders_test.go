package billing_test

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/billing"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// life is what Stripe tells of a subscription, from its beginning to where it stands now.
type life struct {
	name  string
	steps []step
	now   []any // how it is at Stripe now, apart from how it began

	tier    string
	reason  billing.Reason
	expires time.Time
	renews  bool
	told    map[string]int // kinds of notices that everybody gets; those of a turn of the tier come once at most
}

// step is one event: of the subscription as it was then, or of an invoice or a charge for it.
type step struct {
	kind string
	at   time.Time
	then []any
}

const (
	subCreated = "customer.subscription.created"
	subUpdated = "customer.subscription.updated"
	subDeleted = "customer.subscription.deleted"
)

var (
	march1, march9 = start.Add(-9 * day), start.Add(-day)
	april1, april9 = start.Add(22 * day), start.Add(30 * day)
)

// lives are in March 2026, of which it is the 10th, for a price of a month paid on the 1st.
func lives() []life {
	begun := []step{{subCreated, march1, []any{"status", "incomplete"}}, {subUpdated, march1.Add(time.Minute), []any{"status", "active"}}}
	then := func(steps ...step) []step { return slices.Concat(begun, steps) }
	late := []any{"status", "past_due", "current_period_start", march9, "current_period_end", april9}
	older := []any{"status", "past_due", "current_period_start", march1, "current_period_end", april1}
	ending := []any{"status", "active", "cancel_at_period_end", true, "cancel_at", april1}
	over := []any{"status", "canceled", "cancel_at_period_end", true, "cancel_at", april1, "ended_at", start.Add(-time.Hour)}
	voided := []any{"status", "active", "pause_collection", stripeThing{"behavior": "void"}}
	return []life{
		{
			name: "all of it", tier: "free", reason: billing.HasExpired, expires: start.Add(-time.Hour), now: over,
			steps: then(step{subUpdated, march1.Add(day), ending}, step{subUpdated, march9, late}, step{"invoice.payment_failed", march9, nil}, step{subDeleted, start.Add(-time.Hour), over}),
		}, {
			name: "from what it says itself", tier: "pro", reason: billing.IsPaid, expires: april1, now: ending,
			steps: then(step{subUpdated, march1.Add(day), ending}, step{subUpdated, march1.Add(2 * day), []any{"status", "active"}}, step{subUpdated, march1.Add(3 * day), ending}),
		}, {
			name: "recovered", tier: "pro", reason: billing.IsPaid, expires: april9, renews: true, told: map[string]int{"renewed": 1},
			now: []any{"status", "active", "current_period_start", march9, "current_period_end", april9},
			steps: then(step{"invoice.payment_failed", march9, nil},
				step{subUpdated, march9.Add(time.Hour), []any{"status", "active", "current_period_start", march9, "current_period_end", april9}},
				step{"invoice.paid", march9.Add(time.Hour), nil}),
		}, {
			name: "all in one second", tier: "pro", reason: billing.IsPaid, expires: april1, now: ending,
			steps: []step{{subCreated, march1, []any{"status", "incomplete"}}, {subUpdated, march1, []any{"status", "active"}}, {subUpdated, march1, ending},
				{subUpdated, march1, []any{"status", "active", "pause_collection", stripeThing{"behavior": "void"}}}},
		}, {
			name: "tried", tier: "pro", reason: billing.IsPaid, expires: april9, renews: true, told: map[string]int{"renewed": 1},
			now: []any{"status", "active", "trial_start", march1, "trial_end", march9, "current_period_start", march9, "current_period_end", april9},
			steps: []step{{subCreated, march1, []any{"status", "trialing", "trial_start", march1, "trial_end", march9, "current_period_end", march9}},
				{"customer.subscription.trial_will_end", march1.Add(5 * day), []any{"status", "trialing", "trial_start", march1, "trial_end", march9, "current_period_end", march9}},
				{subUpdated, march9, []any{"status", "active", "trial_start", march1, "trial_end", march9, "current_period_start", march9, "current_period_end", april9}},
				{"invoice.paid", march9, nil}},
		}, {
			name: "past due", tier: "pro", reason: billing.InGrace, expires: march9, renews: true, now: late, told: map[string]int{"payment_failed": 1},
			steps: then(step{subUpdated, march9, late}, step{"invoice.payment_failed", march9, nil}),
		}, {
			name: "past the grace", tier: "free", reason: billing.PaymentFailed, expires: march1, renews: true, now: older, told: map[string]int{"payment_failed": 1},
			steps: then(step{subUpdated, march1.Add(time.Hour), older}, step{"invoice.payment_failed", march1.Add(time.Hour), nil}),
		}, {
			name: "unpaid", tier: "free", reason: billing.PaymentFailed, expires: march9, renews: true,
			now:   []any{"status", "unpaid", "current_period_start", march9, "current_period_end", april9},
			steps: then(step{subUpdated, march9, late}, step{subUpdated, start.Add(-time.Hour), []any{"status", "unpaid", "current_period_start", march9, "current_period_end", april9}}),
		}, {
			name: "paused", tier: "free", reason: billing.IsPaused, expires: april1, renews: true, now: voided,
			steps: then(step{subUpdated, march9, voided}),
		}, {
			name: "given away for a while", tier: "pro", reason: billing.IsPaid, expires: april1, renews: true,
			now:   []any{"status", "active", "pause_collection", stripeThing{"behavior": "mark_uncollectible"}},
			steps: then(step{subUpdated, march9, []any{"status", "active", "pause_collection", stripeThing{"behavior": "mark_uncollectible"}}}),
		}, {
			name: "refunded", tier: "free", reason: billing.IsRefunded, expires: april1, renews: false, now: ending,
			steps: then(step{subUpdated, march1.Add(day), ending}, step{"charge.refunded", march9, nil}),
		}, {
			name: "never paid", tier: "free", reason: billing.HasExpired, expires: march1.Add(day), now: []any{"status", "incomplete_expired", "ended_at", march1.Add(day)},
			steps: []step{{subCreated, march1, []any{"status", "incomplete"}}, {"invoice.payment_failed", march1, nil},
				{subUpdated, march1.Add(day), []any{"status", "incomplete_expired", "ended_at", march1.Add(day)}}},
		},
	}
}

// orders are all the orders of n things.
func orders(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var out [][]int
	for _, shorter := range orders(n - 1) {
		for at := range n {
			out = append(out, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return out
}

// lived is one person to whom a life happens in one order.
type lived struct {
	life   life
	user   uuid.UUID
	events [][]byte
}

// TestEveryOrderEndsTheSame tells of each life in every order there is, everything twice.
func TestEveryOrderEndsTheSame(t *testing.T) {
	s := newStripeShop(t)
	var people []lived
	for i, l := range lives() {
		for j, order := range orders(len(l.steps)) {
			who := lived{life: l, user: uuid.Must(uuid.NewV7())}
			id := fmt.Sprintf("%d_%d", i, j)
			base := stripeSub("sub_"+id, "cus_"+id, who.user.String(), stripeMonth, march1, april1)
			s.stripe.put(base.with(l.now...))
			s.stripe.put(stripeCharge("ch_"+id, base, 499, 499, april1))
			for _, k := range order {
				st := l.steps[k]
				object := base.with(st.then...)
				switch {
				case strings.HasPrefix(st.kind, "invoice."):
					object = stripeInvoice(base, "subscription_cycle")
				case st.kind == "charge.refunded":
					object = stripeThing{"id": "ch_" + id, "object": "charge"}
				}
				who.events = append(who.events, stripeEvent(fmt.Sprintf("evt_%s_%d", id, k), st.kind, st.at, object))
			}
			people = append(people, who)
		}
	}
	began := time.Now()
	s.tellInRounds(people)
	t.Logf("%d lives told in %s", len(people), time.Since(began).Round(time.Millisecond))
	s.endedAlike(people)
	s.toldOnce(people)
}

// tellInRounds tells of everybody's first event, then of everybody's second, and again of what it was before. Other tests go
// through the route; thousands would take long.
func (s *stripeShop) tellInRounds(people []lived) {
	s.t.Helper()
	for round := range 8 {
		var all sync.WaitGroup
		work := make(chan []byte)
		for range 4 {
			all.Go(func() {
				for body := range work {
					header := http.Header{"Stripe-Signature": {stripeSignature(body, stripeSecret, s.Clock.Now())}}
					if err := s.probe.Receive(s.t.Context(), billing.Stripe, header, body); err != nil {
						s.t.Error(err)
					}
				}
			})
		}
		for _, who := range people {
			if round > 0 && round <= len(who.events) {
				work <- who.events[round-1]
			}
			if round < len(who.events) {
				work <- who.events[round]
			}
		}
		close(work)
		all.Wait()
		if err := s.probe.Work(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		testkit.Eventually(s.t, "what the other worker has taken is worked off", func() bool {
			waiting, _, err := pg.Scalar[int](s.t.Context(), s.DB, `SELECT count(*)::int FROM webhook_events WHERE state = 'pending'`, nil)
			return err == nil && waiting == 0
		})
	}
	wrong, err := pg.All[stripeHook](s.t.Context(), s.DB, `SELECT external_id, type, state, outcome, body, tries FROM webhook_events WHERE state <> 'done' LIMIT 5`, nil)
	if err != nil || len(wrong) != 0 {
		s.t.Fatalf("not done: %+v, %v", wrong, err)
	}
}

// endedAlike: the subscription as its owner reads it, and the rows.
func (s *stripeShop) endedAlike(people []lived) {
	s.t.Helper()
	first := map[string]billing.Subscription{}
	for _, who := range people {
		has := s.of(who.user)
		if len(has.Purchases) != 1 {
			s.t.Fatalf("%s: %+v", who.life.name, has)
		}
		has.Purchases[0].ID = uuid.Nil
		l := who.life
		if _, known := first[l.name]; !known {
			first[l.name] = has
			p := has.Purchases[0]
			if has.Tier != l.tier || has.Reason != l.reason || p.AutoRenew != l.renews || p.ExpiresAt == nil || !p.ExpiresAt.Equal(l.expires) {
				s.t.Errorf("%s ends in %+v", l.name, has)
			}
		}
		if !reflect.DeepEqual(has, first[l.name]) {
			s.t.Fatalf("%s ends in %+v, and in another order in %+v: %s", l.name, first[l.name], has, who.events)
		}
	}
	type row struct {
		Life string
		Ends int
	}
	rows, err := pg.All[row](s.t.Context(), s.DB, `
		SELECT split_part(p.external_id, '_', 2) AS life, count(DISTINCT (p.product_id, p.tier, p.state, p.is_trial, p.auto_renew, p.environment, p.started_at, p.expires_at,
			p.grace_until, p.refunded_until, s.tier, s.source, s.state, s.flips_at, s.tried_at))::int AS ends
		FROM purchases p JOIN subscriptions s USING (user_id) GROUP BY 1`, nil)
	if err != nil || len(rows) != len(first) {
		s.t.Fatalf("%d kinds of rows, %v", len(rows), err)
	}
	for _, r := range rows {
		if r.Ends != 1 {
			s.t.Errorf("life %s has %d ends", r.Life, r.Ends)
		}
	}
}

func (s *stripeShop) toldOnce(people []lived) {
	s.t.Helper()
	type row struct {
		UserID uuid.UUID
		Kind   string
		Times  int
	}
	rows, err := pg.All[row](s.t.Context(), s.DB, `SELECT (payload->>'user_id')::uuid AS user_id, payload->>'kind' AS kind, count(*)::int AS times
		FROM outbox WHERE name = @name GROUP BY 1, 2`, pgx.NamedArgs{"name": "billing.notice"})
	if err != nil {
		s.t.Fatal(err)
	}
	told := map[uuid.UUID]map[string]int{}
	for _, r := range rows {
		if told[r.UserID] == nil {
			told[r.UserID] = map[string]int{}
		}
		told[r.UserID][r.Kind] = r.Times
	}
	for _, who := range people {
		got := maps.Clone(told[who.user])
		for _, turn := range []string{"started", "ended", "refunded"} {
			if got[turn] > 1 {
				s.t.Errorf("%s: told %d times of %s", who.life.name, got[turn], turn)
			}
			delete(got, turn)
		}
		if !maps.Equal(got, who.life.told) {
			s.t.Errorf("%s: told %v, wanted %v", who.life.name, got, who.life.told)
		}
	}
}
