package billing_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/billing"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestWebhooksThatAreNotStripes(t *testing.T) {
	s := newStripeShop(t)
	now := s.Clock.Now()
	sub := stripeSub("sub_1", "cus_1", uuid.Must(uuid.NewV7()).String(), stripeMonth, now, now.Add(30*day))
	body := stripeEvent("evt_1", "customer.subscription.created", now, sub)
	good := stripeSignature(body, stripeSecret, now)
	live := []byte(strings.Replace(string(body), `"livemode":false`, `"livemode":true`, -1))
	noType := []byte(`{"id": "evt_1", "created": 1, "data": {"object": {}}}`)
	nameless := stripeEvent("evt_1", "customer.subscription.created", now, sub.with("id", ""))
	ahead := stripeEvent("evt_1", "customer.subscription.created", now.Add(2*time.Hour), sub)
	beyond := []byte(`{"id": "evt_1", "type": "x", "created": 10000000000000, "data": {"object": {}}}`)
	long := []byte(`{"id": "` + strings.Repeat("x", 300) + `", "type": "x", "created": 1, "data": {"object": {}}}`)
	for name, sent := range map[string]struct {
		body      []byte
		signature string
	}{
		"no signature":      {body, ""},
		"nonsense":          {body, "v1"},
		"only a time":       {body, fmt.Sprintf("t=%d", now.Unix())},
		"another key":       {body, stripeSignature(body, "whsec_other", now)},
		"another body":      {stripeEvent("evt_2", "customer.subscription.created", now, sub), good},
		"an old scheme":     {body, strings.Replace(good, "v1=", "v0=", 1)},
		"stale":             {body, stripeSignature(body, stripeSecret, now.Add(-301*time.Second))},
		"of the future":     {body, stripeSignature(body, stripeSecret, now.Add(301*time.Second))},
		"two times":         {body, fmt.Sprintf("t=%d,", now.Unix()) + stripeSignature(body, stripeSecret, now.Add(-day))},
		"two times, after":  {body, stripeSignature(body, stripeSecret, now.Add(-day)) + fmt.Sprintf(",t=%d", now.Unix())},
		"a time of another": {body, strings.Replace(good, fmt.Sprint(now.Unix()), fmt.Sprint(now.Unix()-1), 1)},
		"the live mode":     {live, stripeSignature(live, stripeSecret, now)},
		"no event":          {[]byte(`[]`), stripeSignature([]byte(`[]`), stripeSecret, now)},
		"no JSON":           {[]byte(`{`), stripeSignature([]byte(`{`), stripeSecret, now)},
		"no type":           {noType, stripeSignature(noType, stripeSecret, now)},
		"too long":          {long, stripeSignature(long, stripeSecret, now)},
		"of nothing":        {nameless, stripeSignature(nameless, stripeSecret, now)},
		"dated ahead":       {ahead, stripeSignature(ahead, stripeSecret, now)},
		"dated in no year":  {beyond, stripeSignature(beyond, stripeSecret, now)},
	} {
		t.Run(name, func(t *testing.T) {
			s.AsNobody(t).Refused(400, "webhook_refused", "POST", stripeWebhook, sent.body, "Stripe-Signature", sent.signature)
		})
	}
	if hooks := s.hooks(); len(hooks) != 0 {
		t.Errorf("kept %v", hooks)
	}
	// All of the secrets that are configured are taken, and any of several signatures.
	s.AsNobody(t).Want(200, "POST", stripeWebhook, body, "Stripe-Signature", stripeSignature(body, "whsec_other", now)+","+strings.Split(stripeSignature(body, stripeOlder, now), ",")[1])
	s.AsNobody(t).Want(200, "POST", stripeWebhook, body, "Stripe-Signature", stripeSignature(body, stripeSecret, now.Add(-299*time.Second)))
	if hooks := s.hooks(); len(hooks) != 1 {
		t.Errorf("kept %v", hooks)
	}
}

func TestAnEventIsKeptOnceAndHasOneEffect(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	renewed := sub.with("current_period_start", start.Add(30*day), "current_period_end", start.Add(60*day))
	s.stripe.put(renewed)
	paid := stripeEvent("evt_paid", "invoice.paid", s.Clock.Now(), stripeInvoice(sub, "subscription_cycle"))
	for range 3 {
		s.tell(paid)
	}
	s.tell(stripeEvent("evt_paid_too", "invoice.payment_succeeded", s.Clock.Now(), stripeInvoice(sub, "subscription_cycle")))
	told := s.notices(ann, "renewed")
	if len(told) != 1 || told[0].Amount != 499 || told[0].Currency != "EUR" || told[0].URL == "" || told[0].Tier != "pro" {
		t.Errorf("told %+v", told)
	}
	if n := len(s.hooks()); n != 3 {
		t.Errorf("%d kept", n)
	}
	if has := s.of(ann); !has.ExpiresAt.Equal(start.Add(60 * day)) {
		t.Errorf("renewed until %v", has.ExpiresAt)
	}
	for _, hook := range s.hooks() {
		if strings.Contains(string(hook.Body), "example.org") {
			t.Errorf("%s keeps an address", hook.Type)
		}
	}
}

func TestWhatIsKeptAndIgnored(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	s.stripe.put(stripeCharge("ch_part", sub, 499, 100, start.Add(30*day)))
	s.stripe.put(stripeThing{"id": "ch_other", "object": "charge", "amount": 5, "amount_refunded": 5, "refunded": true})
	s.stripe.put(stripeSub("sub_foreign", "cus_x", ann.String(), "price_of_another_shop", start, start.Add(day)))
	for id, e := range map[string]struct {
		kind   string
		object stripeThing
		why    string
	}{
		"1": {"customer.updated", stripeThing{"id": "cus_1", "object": "customer"}, "nothing follows"},
		"2": {"a.type.of.tomorrow", stripeThing{"id": "x_1", "object": "x"}, "nothing follows"},
		"3": {"customer.subscription.updated", stripeSub("sub_foreign", "cus_x", ann.String(), "price_of_another_shop", start, start.Add(day)), `"price_of_another_shop" is none of ours`},
		"4": {"invoice.paid", stripeInvoice(stripeThing{"id": "sub_foreign"}, "subscription_cycle"), "is none of ours"},
		"5": {"invoice.paid", stripeThing{"id": "in_1", "object": "invoice"}, "of no subscription"},
		"6": {"invoice.paid", stripeInvoice(stripeThing{"id": "sub_nowhere"}, "subscription_cycle"), "knows it no more"},
		"7": {"charge.refunded", stripeThing{"id": "ch_part", "object": "charge"}, "not all of it"},
		"8": {"refund.created", stripeThing{"id": "re_1", "object": "refund", "charge": "ch_other"}, "of no subscription"},
		"9": {"charge.dispute.created", stripeThing{"id": "dp_1", "object": "dispute", "charge": "ch_part"}, "is open"},
		"a": {"charge.dispute.closed", stripeThing{"id": "dp_1", "object": "dispute", "charge": "ch_part", "status": "won", "amount": 499}, "not lost"},
		"b": {"checkout.session.completed", stripeThing{"id": "cs_1", "object": "checkout.session", "mode": "payment"}, "no subscription was bought"},
	} {
		if row := s.tell(stripeEvent("evt_"+id, e.kind, start, e.object)); row.State != "ignored" || !strings.Contains(row.Outcome, e.why) {
			t.Errorf("%s is %s: %s", e.kind, row.State, row.Outcome)
		}
	}
	if has := s.of(ann); has.Tier != "pro" || len(has.Purchases) != 1 {
		t.Errorf("has %+v", has)
	}
}

func TestMoneyGivenBackCountsAtOnce(t *testing.T) {
	for name, event := range map[string]struct {
		kind             string
		object           stripeThing
		amount, refunded int64
	}{
		"refunded":     {"charge.refunded", stripeThing{"id": "ch_1", "object": "charge"}, 499, 499},
		"a refund":     {"refund.updated", stripeThing{"id": "re_1", "object": "refund", "charge": "ch_1"}, 499, 499},
		"lost":         {"charge.dispute.closed", stripeThing{"id": "dp_1", "object": "dispute", "charge": "ch_1", "status": "lost", "amount": 499}, 499, 0},
		"lost in part": {"charge.dispute.closed", stripeThing{"id": "dp_1", "object": "dispute", "charge": stripeThing{"id": "ch_1"}, "status": "lost", "amount": 299}, 499, 200},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStripeShop(t)
			ann, sub := s.subscribed()
			s.stripe.put(stripeCharge("ch_1", sub, event.amount, event.refunded, start.Add(30*day)))
			s.tell(stripeEvent("evt_back", event.kind, s.Clock.Now(), event.object))
			if has := s.of(ann); has.Tier != "free" || has.Reason != billing.IsRefunded {
				t.Errorf("has %+v", has)
			}
			if told := s.notices(ann, "refunded"); len(told) != 1 {
				t.Errorf("told %+v", told)
			}
			// What is paid for the next period counts.
			s.Clock.Advance(30 * day)
			renewed := sub.with("current_period_start", start.Add(30*day), "current_period_end", start.Add(60*day))
			s.stripe.put(renewed)
			s.tell(stripeEvent("evt_next", "customer.subscription.updated", s.Clock.Now(), renewed))
			s.has(ann, "pro", billing.IsPaid)
		})
	}
}

// TestARefundOfWhatIsNotKnownYet brings the subscription with it.
func TestARefundOfWhatIsNotKnownYet(t *testing.T) {
	s := newStripeShop(t)
	ann := uuid.Must(uuid.NewV7())
	sub := s.stripe.buy(s.checkout(ann, monthOrder).SessionID).with("status", "active", "current_period_end", start.Add(30*day))
	s.stripe.put(sub)
	s.stripe.put(stripeCharge("ch_1", sub, 499, 499, start.Add(30*day)))
	s.tell(stripeEvent("evt_1", "charge.refunded", start, stripeThing{"id": "ch_1", "object": "charge"}))
	if has := s.of(ann); has.Tier != "free" || has.Reason != billing.IsRefunded || len(has.Purchases) != 1 {
		t.Errorf("has %+v", has)
	}
}

// TestWhatNobodyHasClaimedWaits, until somebody has: a subscription that staff has made, and what is told of it.
func TestWhatNobodyHasClaimedWaits(t *testing.T) {
	s := newStripeShop(t)
	ann := uuid.Must(uuid.NewV7())
	sub := stripeSub("sub_staff", "cus_staff", "", stripeYear, start.Add(-time.Hour), start.Add(365*day))
	s.stripe.put(sub)
	s.stripe.put(stripeCharge("ch_1", sub, 499, 499, start.Add(365*day)))
	for _, body := range [][]byte{
		stripeEvent("evt_1", "customer.subscription.created", start.Add(-time.Hour), sub),
		stripeEvent("evt_2", "charge.refunded", start.Add(-time.Minute), stripeThing{"id": "ch_1", "object": "charge"}),
		stripeEvent("evt_3", "invoice.paid", start.Add(-time.Hour), stripeInvoice(sub, "subscription_cycle")),
	} {
		if row := s.tell(body); row.State != "unclaimed" {
			t.Errorf("%s is %s: %s", row.Type, row.State, row.Outcome)
		}
	}
	s.tell(stripeEvent("evt_4", "checkout.session.completed", start, stripeThing{
		"id": "cs_1", "object": "checkout.session", "subscription": "sub_staff", "customer": "cus_staff", "client_reference_id": ann.String(),
	}))
	s.has(ann, "free", billing.IsRefunded) // what waited counts
	testkit.Eventually(t, "nothing waits", func() bool {
		for _, hook := range s.hooks() {
			if hook.State != "done" {
				return false
			}
		}
		return len(s.notices(ann, "renewed")) == 1
	})
	if n, _, err := pg.Scalar[string](t.Context(), s.DB, `SELECT stripe_customer_id FROM subscriptions WHERE user_id = @user`, pgx.NamedArgs{"user": ann}); err != nil || n != "cus_staff" {
		t.Errorf("customer %q, %v", n, err)
	}
}

// TestASubscriptionStaysItsBuyers, whoever else its metadata names later.
func TestASubscriptionStaysItsBuyers(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	bob := uuid.Must(uuid.NewV7())
	stolen := sub.with("metadata", stripeThing{"user_id": bob.String()}, "current_period_end", start.Add(31*day))
	s.stripe.put(stolen)
	s.Clock.Advance(time.Minute)
	s.tell(stripeEvent("evt_1", "customer.subscription.updated", s.Clock.Now(), stolen))
	s.tell(stripeEvent("evt_2", "checkout.session.completed", s.Clock.Now(), stripeThing{
		"id": "cs_1", "object": "checkout.session", "subscription": sub["id"], "customer": sub["customer"], "client_reference_id": bob.String(),
	}))
	if has := s.of(bob); has.Tier != "free" || len(has.Purchases) != 0 {
		t.Errorf("bob has %+v", has)
	}
	if has := s.of(ann); !has.ExpiresAt.Equal(start.Add(31 * day)) {
		t.Errorf("ann has %+v", has)
	}
}

// TestAnotherAPIVersionIsAskedFor: what its events say reads differently.
func TestAnotherAPIVersionIsAskedFor(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	s.Clock.Advance(time.Minute)
	s.stripe.put(sub.with("current_period_end", start.Add(40*day)))
	foreign := map[string]any{}
	_ = json.Unmarshal(stripeEvent("evt_1", "customer.subscription.updated", s.Clock.Now(), stripeThing{"id": sub["id"], "object": "subscription", "status": "active"}), &foreign)
	foreign["api_version"] = "2025-03-31.basil"
	raw, _ := json.Marshal(foreign)
	s.tell(raw)
	if has := s.of(ann); !has.ExpiresAt.Equal(start.Add(40 * day)) {
		t.Errorf("has %+v", has)
	}
	s.stripe.put(sub.with("current_period_end", start.Add(50*day)))
	s.Clock.Advance(time.Minute)
	s.tell(stripeEvent("evt_2", "invoice.paid", s.Clock.Now(), stripeThing{
		"id": "in_1", "object": "invoice", "customer": sub["customer"], "parent": stripeThing{"subscription_details": stripeThing{"subscription": sub["id"]}},
	}))
	if has := s.of(ann); !has.ExpiresAt.Equal(start.Add(50 * day)) {
		t.Errorf("has %+v", has)
	}
}

func TestWhatPeopleAreToldOfTheirPayments(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	trying := sub.with("status", "trialing", "trial_start", start, "trial_end", start.Add(3*day), "current_period_end", start.Add(3*day))
	s.stripe.put(trying)
	s.Clock.Advance(time.Minute)
	s.tell(stripeEvent("evt_1", "customer.subscription.trial_will_end", s.Clock.Now(), trying))
	if told := s.notices(ann, "trial_ending"); len(told) != 1 || told[0].Until != start.Add(3*day).Format(time.RFC3339) {
		t.Errorf("told %+v", told)
	}
	s.Clock.Advance(4 * day)
	late := sub.with("status", "past_due", "current_period_start", start.Add(3*day), "current_period_end", start.Add(33*day), "trial_start", start, "trial_end", start.Add(3*day))
	s.stripe.put(late)
	failed := stripeEvent("evt_2", "invoice.payment_failed", s.Clock.Now(), stripeInvoice(sub, "subscription_cycle"))
	s.tell(failed) // before the subscription's own event
	if told := s.notices(ann, "payment_failed"); len(told) != 1 || told[0].Amount != 499 || told[0].Currency != "EUR" || told[0].URL == "" {
		t.Errorf("told %+v", told)
	}
	if has := s.of(ann); has.Reason != billing.InGrace || has.Tier != "pro" {
		t.Errorf("has %+v", has)
	}
	s.tell(stripeEvent("evt_3", "invoice.payment_action_required", s.Clock.Now(), stripeInvoice(sub, "subscription_cycle")))
	if told := s.notices(ann, "payment_action"); len(told) != 1 || told[0].URL == "" {
		t.Errorf("told %+v", told)
	}
	// What comes when it is paid already is told to nobody; nor the end of a trial that is over.
	s.stripe.put(late.with("status", "active"))
	s.tell(stripeEvent("evt_4", "invoice.payment_failed", s.Clock.Now(), stripeInvoice(sub, "subscription_cycle")))
	s.tell(stripeEvent("evt_5", "customer.subscription.trial_will_end", start, trying))
	if len(s.notices(ann, "payment_failed")) != 1 || len(s.notices(ann, "trial_ending")) != 1 {
		t.Error("told what is not true any more")
	}
	// The first payment is no renewal.
	s.tell(stripeEvent("evt_6", "invoice.paid", s.Clock.Now(), stripeInvoice(sub, "subscription_create")))
	if told := s.notices(ann, "renewed"); len(told) != 0 {
		t.Errorf("told %+v", told)
	}
}

// TestClocksOfStripesThatDiffer: an answer counts that was asked for after what is known had come, though its date is
// a second older.
func TestClocksOfStripesThatDiffer(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	at := s.Clock.Now().Add(time.Second)
	ending := sub.with("cancel_at_period_end", true, "cancel_at", start.Add(30*day))
	s.tell(stripeEvent("evt_1", "customer.subscription.updated", at, ending))
	if s.of(ann).AutoRenew {
		t.Error("does not end")
	}
	s.stripe.put(sub.with("current_period_end", start.Add(33*day))) // and it was resumed and moved in the same second
	s.tell(stripeEvent("evt_2", "customer.subscription.updated", at, sub))
	if has := s.of(ann); !has.AutoRenew || !has.ExpiresAt.Equal(start.Add(33*day)) {
		t.Errorf("has %+v", has)
	}
}

// TestTheEndOfATrialIsToldInEveryVersionOfTheAPI.
func TestTheEndOfATrialIsToldInEveryVersionOfTheAPI(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	end := start.Add(3 * day)
	s.Clock.Advance(time.Minute)
	s.stripe.put(sub.with("status", "trialing", "trial_start", start, "trial_end", end, "current_period_end", end))
	var foreign map[string]any
	event := stripeEvent("evt_1", "customer.subscription.trial_will_end", s.Clock.Now(), stripeThing{"id": sub["id"], "object": "subscription", "status": "trialing", "trial_end": end.Unix()})
	if err := json.Unmarshal(event, &foreign); err != nil {
		t.Fatal(err)
	}
	foreign["api_version"] = "2025-03-31.basil"
	raw, err := json.Marshal(foreign)
	if err != nil {
		t.Fatal(err)
	}
	s.tell(raw)
	if told := s.notices(ann, "trial_ending"); len(told) != 1 || told[0].Until != end.Format(time.RFC3339) {
		t.Errorf("told %+v", told)
	}
}

// TestAnEventThatUpsetsUsHoldsUpNobody: one that is Stripe's and reads as nothing that Stripe sends is an error of its own,
// which is tried again like others.
func TestAnEventThatUpsetsUsHoldsUpNobody(t *testing.T) {
	s := newStripeShop(t)
	user := uuid.Must(uuid.NewV7())
	odd := stripeSub("sub_odd", "cus_odd", user.String(), stripeMonth, start, start.Add(30*day))
	for name, e := range map[string]struct {
		sub  stripeThing
		says string
	}{
		"nothing as an item":    {odd.with("items", stripeThing{"data": []any{nil}}), "panic"},
		"items of another type": {odd.with("items", []any{}), "read"},
		"words as a date":       {odd.with("current_period_end", "soon"), "read"},
		"an end in 9999":        {odd.with("current_period_end", time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)), "in the year 9999"},
		"an end in 10000":       {odd.with("current_period_end", 253402300800), "in the year 10000"},
		"an end in no year":     {odd.with("current_period_end", int64(math.MaxInt64)), "in the year"},
		"a beginning in 1":      {odd.with("start_date", -62135596800), "in the year 1"},
		"an unknown state":      {odd.with("status", "frozen"), "means nothing here"},
	} {
		t.Run(name, func(t *testing.T) {
			s.send(stripeEvent("evt_"+name, "customer.subscription.updated", s.Clock.Now(), e.sub))
			testkit.Eventually(t, "it is tried", func() bool {
				return slices.ContainsFunc(s.hooks(), func(h stripeHook) bool {
					return h.ExternalID == "evt_"+name && h.Tries == 1 && h.State == "pending" && strings.Contains(h.Outcome, e.says)
				})
			})
		})
	}
	s.subscribed()
	if has := s.of(user); has.Tier != "free" || len(has.Purchases) != 0 {
		t.Errorf("has %+v", has)
	}
}

// TestADoubtThatStripeCannotSettle: two events of one second say different things, and Stripe, when it is asked, has a
// subscription to something else. Nothing follows, and it is not asked again.
func TestADoubtThatStripeCannotSettle(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	s.stripe.put(sub.with("items", stripeItems("price_of_another_shop")))
	other := sub.with("current_period_end", s.Clock.Now().Add(20*day))
	if row := s.tell(stripeEvent("evt_doubt", "customer.subscription.updated", s.Clock.Now(), other)); row.State != "ignored" || !strings.Contains(row.Outcome, "knows the purchase no more") {
		t.Errorf("it is %s: %s", row.State, row.Outcome)
	}
	s.has(ann, "pro", billing.IsPaid)
}
