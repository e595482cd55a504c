package billing_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stripe/stripe-go/v76"

	"hearth.internal/billing"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func (s *stripeShop) of(user uuid.UUID) billing.Subscription {
	s.t.Helper()
	return testkit.JSON[billing.Subscription](s.t, s.As(s.t, user).Want(200, "GET", "/api/subscription/", nil))
}

// has waits until a person has the tier for the reason.
func (s *stripeShop) has(user uuid.UUID, tier string, reason billing.Reason) billing.Subscription {
	s.t.Helper()
	var sub billing.Subscription
	testkit.Eventually(s.t, tier+" for being "+string(reason), func() bool {
		sub = s.of(user)
		return sub.Tier == tier && sub.Reason == reason
	})
	return sub
}

// notices are what somebody is to be told, in order.
func (s *stripeShop) notices(user uuid.UUID, kind string) []events.Notice {
	s.t.Helper()
	var out []events.Notice
	for _, raw := range s.Outbox(s.t, "billing.notice") {
		var n events.Notice
		if err := json.Unmarshal(raw, &n); err != nil {
			s.t.Fatal(err)
		}
		if n.UserID == user && n.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// checkout opens one and answers its session.
func (s *stripeShop) checkout(user uuid.UUID, body string) billing.Checkout {
	s.t.Helper()
	return testkit.JSON[billing.Checkout](s.t, s.As(s.t, user).Want(200, "POST", "/api/subscription/checkout/", body))
}

const monthOrder = `{"product_id": "price_month"}`

// subscribed is somebody who has bought the month, without a trial.
func (s *stripeShop) subscribed() (uuid.UUID, stripeThing) {
	s.t.Helper()
	user := uuid.Must(uuid.NewV7())
	sub := s.stripe.buy(s.checkout(user, monthOrder).SessionID)
	sub = sub.with("status", "active", "trial_start", nil, "trial_end", nil, "current_period_end", s.Clock.Now().Add(30*day))
	s.stripe.put(sub)
	s.tell(stripeEvent("evt_"+sub["id"].(string), "customer.subscription.created", s.Clock.Now(), sub))
	s.has(user, "pro", billing.IsPaid)
	return user, sub
}

func TestBuyingByStripe(t *testing.T) {
	s := newStripeShop(t)
	ann := uuid.Must(uuid.NewV7())
	c := s.checkout(ann, monthOrder)
	if !strings.HasPrefix(c.URL, "https://checkout.stripe.com/") || c.SessionID == "" || !c.ExpiresAt.Equal(start.Add(day)) {
		t.Errorf("checkout %+v", c)
	}
	_, form := s.stripe.called("POST /v1/checkout/sessions")
	for key, want := range map[string]string{
		"mode": "subscription", "client_reference_id": ann.String(), "subscription_data[metadata][user_id]": ann.String(), "subscription_data[trial_period_days]": "14",
		"line_items[0][price]": stripeMonth, "line_items[0][quantity]": "1", "allow_promotion_codes": "true", "automatic_tax[enabled]": "",
		"success_url": "https://hearth.example/bought?session={CHECKOUT_SESSION_ID}", "cancel_url": "https://hearth.example/plans",
	} {
		if form.Get(key) != want {
			t.Errorf("%s is %q, wanted %q", key, form.Get(key), want)
		}
	}
	sub := s.stripe.buy(c.SessionID)
	s.tell(stripeEvent("evt_1", "checkout.session.completed", s.Clock.Now(), stripeThing{
		"id": c.SessionID, "object": "checkout.session", "mode": "subscription", "subscription": sub["id"], "customer": sub["customer"], "client_reference_id": ann.String(),
		"customer_details": stripeThing{"email": "ann@example.org"},
	}))
	has := s.has(ann, "pro", billing.IsTried)
	if !has.Trial || !has.TrialUsed || !has.AutoRenew || has.Source != billing.Stripe || !has.ExpiresAt.Equal(start.Add(14*day)) || len(has.Purchases) != 1 ||
		has.Purchases[0].ProductID != stripeMonth || has.Purchases[0].ManageURL != nil {
		t.Errorf("subscription %+v", has)
	}
	if told := s.notices(ann, "started"); len(told) != 1 || told[0].Source != "stripe" {
		t.Errorf("told %+v", told)
	}
	if len(s.Outbox(t, "subscription.changed")) == 0 {
		t.Error("nobody heard of it")
	}
	if hook := s.hooks()[0]; strings.Contains(string(hook.Body), "ann@example.org") {
		t.Errorf("more is kept than is needed: %s", hook.Body)
	}
	// Who has one cannot buy a second.
	refused := s.As(t, ann).Refused(409, "already_subscribed", "POST", "/api/subscription/checkout/", `{"product_id": "price_year"}`)
	if !strings.Contains(string(refused.Body), "Stripe") {
		t.Errorf("refused without a reason: %s", refused.Body)
	}
	// Once it is over they can, but a trial is had once.
	s.Clock.Advance(day)
	over := sub.with("status", "canceled", "ended_at", s.Clock.Now())
	s.stripe.put(over)
	s.tell(stripeEvent("evt_2", "customer.subscription.deleted", s.Clock.Now(), over))
	s.has(ann, "free", billing.HasExpired)
	s.checkout(ann, monthOrder)
	if _, form := s.stripe.called("POST /v1/checkout/sessions"); form.Has("subscription_data[trial_period_days]") {
		t.Error("a second trial")
	}
	if made, _ := s.stripe.called("POST /v1/customers"); made != 1 {
		t.Errorf("%d customers", made)
	}
}

func TestACheckoutIsOpenedOnceForAKey(t *testing.T) {
	s := newStripeShop(t)
	ann, bob := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	id := uuid.Must(uuid.NewV7()).String()
	body := `{"product_id": "price_month", "id": "` + id + `"}`
	first := s.checkout(ann, body)
	if again := s.checkout(ann, body); again != first {
		t.Errorf("the same request twice: %+v and %+v", first, again)
	}
	byHeader := testkit.JSON[billing.Checkout](t, s.As(t, ann).Want(200, "POST", "/api/subscription/checkout/", monthOrder, "Idempotency-Key", id))
	if byHeader != first {
		t.Errorf("by the header: %+v", byHeader)
	}
	if other := s.checkout(bob, body); other.SessionID == first.SessionID {
		t.Error("somebody else has the same checkout")
	}
	if other := s.checkout(ann, monthOrder); other.SessionID == first.SessionID {
		t.Error("without a key it is the same checkout")
	}
	app := s.As(t, ann)
	app.Refused(409, "id_taken", "POST", "/api/subscription/checkout/", `{"product_id": "price_year", "id": "`+id+`"}`)
	app.Refused(422, "validation_failed", "POST", "/api/subscription/checkout/", body, "Idempotency-Key", "another")
}

func TestTwoCheckoutsAtOnceMakeOneCustomer(t *testing.T) {
	s := newStripeShop(t)
	ann := uuid.Must(uuid.NewV7())
	app := s.As(t, ann)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { app.Want(200, "POST", "/api/subscription/checkout/", monthOrder) })
	}
	all.Wait()
	s.stripe.mu.Lock()
	defer s.stripe.mu.Unlock()
	customers := 0
	for _, o := range s.stripe.things {
		if o["object"] == "customer" {
			customers++
		}
	}
	if customers != 1 {
		t.Errorf("%d customers", customers)
	}
	kept, _, err := pg.Scalar[string](t.Context(), s.DB, `SELECT stripe_customer_id FROM subscriptions WHERE user_id = @user`, pgx.NamedArgs{"user": ann})
	if err != nil || s.stripe.things[kept] == nil {
		t.Errorf("kept %q, %v", kept, err)
	}
}

func TestDiscounts(t *testing.T) {
	s := newStripeShop(t)
	s.exec(`INSERT INTO promotions (id, key, title, message, coupon, starts_at, ends_at, is_active, tiers, platforms, share) VALUES
		(gen_random_uuid(), 'spring', '', '', 'coupon_spring', '2026-03-01', '2026-04-01', true, '{free}', '{ios}', 100),
		(gen_random_uuid(), 'winter', '', '', 'coupon_winter', '2026-01-01', '2026-03-01', true, '{}', '{}', 100),
		(gen_random_uuid(), 'nobodys', '', '', 'coupon_x', NULL, NULL, true, '{}', '{}', 0),
		(gen_random_uuid(), 'for_pro', '', '', 'coupon_x', NULL, NULL, true, '{pro}', '{}', 100),
		(gen_random_uuid(), 'withdrawn', '', '', 'coupon_x', NULL, NULL, false, '{}', '{}', 100),
		(gen_random_uuid(), 'words', '', '', NULL, NULL, NULL, true, '{}', '{}', 100)`)
	ann := uuid.Must(uuid.NewV7())
	for body, want := range map[string][2]string{
		`{"product_id": "price_month", "promotion": "spring"}`:      {"discounts[0][coupon]", "coupon_spring"},
		`{"product_id": "price_month", "promotion_code": "SPRING"}`: {"discounts[0][promotion_code]", "promo_spring"},
	} {
		s.checkout(ann, body)
		if _, form := s.stripe.called("POST /v1/checkout/sessions"); form.Get(want[0]) != want[1] || form.Has("allow_promotion_codes") {
			t.Errorf("%s: %v", body, form)
		}
	}
	app := s.As(t, ann)
	for _, body := range []string{
		`{"product_id": "price_month", "promotion": "winter"}`, `{"product_id": "price_month", "promotion": "withdrawn"}`,
		`{"product_id": "price_month", "promotion": "nobodys"}`, `{"product_id": "price_month", "promotion": "for_pro"}`,
		`{"product_id": "price_month", "promotion": "words"}`, `{"product_id": "price_month", "promotion": "none"}`,
		`{"product_id": "price_month", "promotion_code": "AUTUMN"}`, `{"product_id": "price_month", "promotion_code": "SPRING", "promotion": "spring"}`,
	} {
		app.Refused(422, "validation_failed", "POST", "/api/subscription/checkout/", body)
	}
}

func TestWhatCannotBeBought(t *testing.T) {
	s := newStripeShop(t)
	s.exec(`INSERT INTO products (source, product_id, tier, period) VALUES ('apple', 'app.month', 'pro', 'month')`)
	ann := uuid.Must(uuid.NewV7())
	app := s.As(t, ann)
	for _, product := range []string{"price_unknown", stripeGone, "app.month"} {
		app.Refused(422, "unknown_product", "POST", "/api/subscription/checkout/", stripeThing{"product_id": product})
	}
	for _, body := range []string{`{}`, `{"product_id": ""}`, `{"product_id": 7}`, `{"product_id": "price_month", "price": "1"}`, `{"product_id": "price_month", "id": "x"}`} {
		app.Refused(422, "validation_failed", "POST", "/api/subscription/checkout/", body)
	}
	s.AsNobody(t).Refused(401, "authentication_required", "POST", "/api/subscription/checkout/", monthOrder)
	if calls, _ := s.stripe.called("POST /v1/customers"); calls != 0 {
		t.Error("Stripe was asked for nothing")
	}
	// Another store's subscription that counts is named; one that does not is no hindrance.
	if _, err := s.probe.Take(t.Context(), billing.Apple, bought(ann, "original", 30*day)); err != nil {
		t.Fatal(err)
	}
	refused := app.Refused(409, "already_subscribed", "POST", "/api/subscription/checkout/", monthOrder)
	if !strings.Contains(string(refused.Body), "App Store") || !strings.Contains(string(refused.Body), `"manage_url":"https://apps.apple.com`) {
		t.Errorf("refused: %s", refused.Body)
	}
	s.Clock.Advance(31 * day)
	s.As(t, ann).Want(200, "POST", "/api/subscription/checkout/", monthOrder)
}

// TestTaxesAreStripesWhereConfigured, also behind PgBouncer.
func TestTaxesAreStripesWhereConfigured(t *testing.T) {
	s := newStripeShop(t, func(c *billing.Config) { c.StripeAutomaticTax, c.DatabasePrepare = true, false })
	s.checkout(uuid.Must(uuid.NewV7()), monthOrder)
	_, form := s.stripe.called("POST /v1/checkout/sessions")
	if form.Get("automatic_tax[enabled]") != "true" || form.Get("customer_update[address]") != "auto" || form.Get("billing_address_collection") != "required" {
		t.Errorf("sent %v", form)
	}
}

// TestACustomerDeletedAtStripeIsMadeAnew, be it that Stripe's word of it has come or not.
func TestACustomerDeletedAtStripeIsMadeAnew(t *testing.T) {
	s := newStripeShop(t)
	ann := uuid.Must(uuid.NewV7())
	s.checkout(ann, monthOrder)
	customer := func() string {
		_, form := s.stripe.called("POST /v1/checkout/sessions")
		return form.Get("customer")
	}
	lost := customer()
	s.stripe.mu.Lock()
	delete(s.stripe.things, lost)
	s.stripe.mu.Unlock()
	if s.checkout(ann, monthOrder); customer() == lost {
		t.Error("the checkout is for who is no more")
	}
	lost = customer()
	s.tell(stripeEvent("evt_1", "customer.deleted", s.Clock.Now(), stripeThing{"id": lost, "object": "customer", "email": "ann@example.org"}))
	s.As(t, ann).Refused(409, "no_subscription", "POST", "/api/subscription/portal/", nil)
	if row := s.tell(stripeEvent("evt_2", "customer.deleted", s.Clock.Now(), stripeThing{"id": "cus_other", "object": "customer"})); row.State != "ignored" {
		t.Errorf("a stranger's: %+v", row)
	}
}

func TestStripesPortal(t *testing.T) {
	s := newStripeShop(t)
	ann := uuid.Must(uuid.NewV7())
	app := s.As(t, ann)
	app.Refused(409, "no_subscription", "POST", "/api/subscription/portal/", nil)
	s.checkout(ann, monthOrder)
	for body, want := range map[string]string{
		``: "https://hearth.example/account", `{"return_url": "https://hearth.example/settings?tab=2"}`: "https://hearth.example/settings?tab=2",
	} {
		var sent any
		if body != "" {
			sent = body
		}
		answer := testkit.JSON[map[string]string](t, app.Want(200, "POST", "/api/subscription/portal/", sent))
		if answer["url"] != "https://billing.stripe.com/p/session" {
			t.Errorf("answered %v", answer)
		}
		if _, form := s.stripe.called("POST /v1/billing_portal/sessions"); form.Get("return_url") != want {
			t.Errorf("leads back to %q", form.Get("return_url"))
		}
	}
	for _, address := range []string{"https://evil.example/", "http://hearth.example/", "https://hearth.example@evil.example/", "javascript:alert(1)", "https://hearth.example.evil.example"} {
		app.Refused(422, "validation_failed", "POST", "/api/subscription/portal/", stripeThing{"return_url": address})
	}
}

func TestCancelResumeChange(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	app := s.As(t, ann)
	post := func(what string, body any) billing.Subscription {
		t.Helper()
		s.Clock.Advance(time.Minute)
		app = s.As(t, ann)
		return testkit.JSON[billing.Subscription](t, app.Want(200, "POST", "/api/subscription/"+what+"/", body))
	}
	end := start.Add(30 * day)
	for range 2 { // again it does nothing more
		if has := post("cancel", nil); has.AutoRenew || has.Tier != "pro" || !has.ExpiresAt.Equal(end) {
			t.Errorf("cancelled: %+v", has)
		}
	}
	cancelled := sub.with("cancel_at_period_end", true, "cancel_at", end)
	s.tell(stripeEvent("evt_late", "customer.subscription.updated", s.Clock.Now(), cancelled)) // its own echo
	if has := s.of(ann); has.AutoRenew {
		t.Errorf("after Stripe has told: %+v", has)
	}
	if has := post("resume", nil); !has.AutoRenew || !has.ExpiresAt.Equal(end) {
		t.Errorf("resumed: %+v", has)
	}
	if has := post("change", `{"product_id": "price_year"}`); has.Purchases[0].ProductID != stripeYear || !has.ExpiresAt.Equal(s.Clock.Now().Add(365*day)) {
		t.Errorf("changed: %+v", has)
	}
	updates, _ := s.stripe.called("POST /v1/subscriptions/" + sub["id"].(string))
	post("change", `{"product_id": "price_year"}`)
	if again, _ := s.stripe.called("POST /v1/subscriptions/" + sub["id"].(string)); again != updates {
		t.Error("changed to what it is already")
	}
	app.Refused(422, "unknown_product", "POST", "/api/subscription/change/", stripeThing{"product_id": stripeGone})
	log := changes(t, s.Service, ann)
	if last := log[len(log)-1]; last.Actor != "person" || last.Reason != "changed" {
		t.Errorf("log %+v", last)
	}
	// A payment that does not go through changes nothing, and what Stripe says of it stays behind.
	s.stripe.put(sub.with("declined", true))
	refused := app.Refused(409, "impossible_move", "POST", "/api/subscription/change/", `{"product_id": "price_year"}`)
	if strings.Contains(string(refused.Body), "pi_secret") {
		t.Errorf("refused with %s", refused.Body)
	}
	// What is over cannot be taken back.
	s.Clock.Advance(time.Minute)
	over := sub.with("status", "canceled", "ended_at", s.Clock.Now())
	s.stripe.put(over)
	app = s.As(t, ann)
	app.Refused(409, "impossible_move", "POST", "/api/subscription/resume/", nil)
	s.tell(stripeEvent("evt_over", "customer.subscription.deleted", s.Clock.Now(), over))
	app.Refused(409, "no_subscription", "POST", "/api/subscription/resume/", nil)
}

func TestWhatIsNotStripesIsNotChangedHere(t *testing.T) {
	s := newStripeShop(t)
	ann, bob := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	if _, err := s.probe.Take(t.Context(), billing.Google, bought(bob, "token", 30*day)); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"cancel", "resume", "change"} {
		var body any
		if what == "change" {
			body = monthOrder
		}
		s.As(t, ann).Refused(409, "no_subscription", "POST", "/api/subscription/"+what+"/", body)
		refused := s.As(t, bob).Refused(409, "managed_by_store", "POST", "/api/subscription/"+what+"/", body)
		if !strings.Contains(string(refused.Body), `"manage_url":"https://play.google.com`) {
			t.Errorf("%s: %s", what, refused.Body)
		}
	}
}

func TestStripeThatIsAway(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	for _, status := range []int{500, 503, 429, 401} {
		s.stripe.breaks(status)
		for _, what := range []string{"cancel", "resume", "portal"} {
			s.As(t, ann).Refused(503, "shop_unavailable", "POST", "/api/subscription/"+what+"/", nil)
		}
		s.As(t, uuid.Must(uuid.NewV7())).Refused(503, "shop_unavailable", "POST", "/api/subscription/checkout/", monthOrder)
	}
	if n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*)::int FROM subscriptions`, nil); err != nil || n != 1 {
		t.Errorf("half written: %d subscriptions, %v", n, err)
	}
	// What it told waits, and is applied once it answers.
	s.send(stripeEvent("evt_paid", "invoice.paid", s.Clock.Now(), stripeInvoice(sub, "subscription_cycle")))
	testkit.Eventually(t, "it is tried in vain", func() bool {
		hooks := s.hooks()
		return hooks[len(hooks)-1].State == "pending" && hooks[len(hooks)-1].Tries > 0
	})
	renewed := sub.with("current_period_start", start.Add(30*day), "current_period_end", start.Add(60*day))
	s.stripe.put(renewed)
	s.stripe.breaks(0)
	s.Clock.Advance(time.Minute)
	testkit.Eventually(t, "it is applied", func() bool { return s.of(ann).ExpiresAt.Equal(start.Add(60 * day)) })
	testkit.Eventually(t, "the receipt is sent", func() bool { return len(s.notices(ann, "renewed")) == 1 })
}

func TestStripeIsNotConfiguredByHalf(t *testing.T) {
	for name, change := range map[string]func(*billing.Config){
		"STRIPE_WEBHOOK_SECRET": func(c *billing.Config) { c.StripeWebhookSecrets = nil },
		"CHECKOUT_CANCEL_URL":   func(c *billing.Config) { c.CheckoutCancelURL = "" },
		"PORTAL_RETURN_URL":     func(c *billing.Config) { c.PortalReturnURL = "hearth" },
		"STRIPE_SECRET_KEY":     func(c *billing.Config) { c.StripeSecretKey = "pk_live_hush" },
		"STRIPE_API_URL":        func(c *billing.Config) { c.StripeAPIURL = "" },
	} {
		cfg := stripeConfig(t, "http://127.0.0.1:9")
		change(&cfg)
		deps, err := boot.Open(t.Context(), billing.New(cfg), boot.Options{Config: cfg.Service, Clock: clock.At(start), OpsOff: true})
		if err == nil {
			t.Errorf("%s: started %v", name, deps)
			continue
		}
		if !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := run(t)
	s.As(t, uuid.Must(uuid.NewV7())).Refused(409, "not_sold_here", "POST", "/api/subscription/checkout/", monthOrder)
	s.AsNobody(t).Refused(409, "not_sold_here", "POST", stripeWebhook, `{}`)
}

// TestWhoLeavesPaysNoMore: the subscription ends and the customer is forgotten, also where Stripe is away at first.
func TestWhoLeavesPaysNoMore(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	id, customer := sub["id"].(string), sub["customer"].(string)
	s.stripe.breaks(500)
	testkit.Deliver(t, s.Service, events.UserDeleted, events.Person{ID: ann})
	s.stripe.breaks(0)
	testkit.Eventually(t, "all is done", func() bool {
		s.Clock.Advance(time.Minute) // a try that failed is put off from when it has failed
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*)::int FROM errands`, nil)
		return err == nil && n == 0
	})
	s.stripe.mu.Lock()
	if s.stripe.things[id]["status"] != "canceled" || s.stripe.things[customer] != nil {
		t.Errorf("left behind: %v, %v", s.stripe.things[id], s.stripe.things[customer])
	}
	s.stripe.mu.Unlock()
	// What they buy in a checkout that was still open ends at once.
	late := sub.with("id", "sub_late", "status", "active")
	s.stripe.put(late)
	s.tell(stripeEvent("evt_x", "customer.subscription.created", s.Clock.Now(), late))
	testkit.Eventually(t, "it is cancelled", func() bool {
		times, _ := s.stripe.called("DELETE /v1/subscriptions/sub_late")
		return times == 1
	})
	if n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*)::int FROM purchases`, nil); err != nil || n != 0 {
		t.Errorf("%d purchases, %v", n, err)
	}
}

// TestRequestsAreAsStripeDescribesThem, by its own description of its API.
func TestRequestsAreAsStripeDescribesThem(t *testing.T) {
	mock := testkit.StripeMock(t)
	cfg := stripeConfig(t, mock)
	cfg.StripeAutomaticTax = true
	service, probe := billing.NewWithProbe(cfg)
	s := testkit.Run(t, cfg.Service, service)
	req, err := http.NewRequestWithContext(t.Context(), "GET", mock+"/v1/subscriptions/sub_1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sk_test_key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var sub stripe.Subscription
	if err := json.NewDecoder(resp.Body).Decode(&sub); err != nil {
		t.Fatal(err)
	}
	price := sub.Items.Data[0].Price.ID
	if _, err := pg.Exec(t.Context(), s.DB, `INSERT INTO products (source, product_id, tier, period) VALUES ('stripe', @price, 'pro', 'month'), ('stripe', 'price_year', 'pro', 'year')`,
		pgx.NamedArgs{"price": price}); err != nil {
		t.Fatal(err)
	}
	app := s.As(t, uuid.Must(uuid.NewV7()))
	for _, body := range []stripeThing{{"product_id": "price_year"}, {"product_id": price, "promotion_code": "SPRING", "id": uuid.Must(uuid.NewV7())}} {
		app.Want(200, "POST", "/api/subscription/checkout/", body)
	}
	app.Want(200, "POST", "/api/subscription/portal/", nil)
	owner := uuid.Must(uuid.NewV7())
	app = s.As(t, owner)
	for i, call := range []struct {
		what string
		body any
	}{{"cancel", nil}, {"resume", nil}, {"change", stripeThing{"product_id": "price_year"}}} {
		o := bought(owner, sub.ID, 30*day) // its examples are of long ago
		o.ProductID, o.At = price, time.Date(2100, 1, 1, 0, i, 0, 0, time.UTC)
		if _, err := probe.Take(t.Context(), billing.Stripe, o); err != nil {
			t.Fatal(err)
		}
		app.Want(200, "POST", "/api/subscription/"+call.what+"/", call.body)
	}
	testkit.Deliver(t, s, events.UserDeleted, events.Person{ID: owner})
	testkit.Eventually(t, "it is cancelled", func() bool {
		left, err := pg.Column[string](t.Context(), s.DB, `SELECT kind FROM errands`, nil)
		return err == nil && !slices.Contains(left, "cancel")
	})
}

// TestWhatWasGivenBackIsPaidForAgain, unless it is cancelled: until then there is no second one to be bought beside it.
func TestWhatWasGivenBackIsPaidForAgain(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	s.stripe.put(stripeCharge("ch_1", sub, 499, 499, start.Add(30*day)))
	s.tell(stripeEvent("evt_back", "charge.refunded", s.Clock.Now(), stripeThing{"id": "ch_1", "object": "charge"}))
	s.has(ann, "free", billing.IsRefunded)
	app := s.As(t, ann)
	app.Refused(409, "already_subscribed", "POST", "/api/subscription/checkout/", monthOrder)
	if has := testkit.JSON[billing.Subscription](t, app.Want(200, "POST", "/api/subscription/cancel/", nil)); has.Tier != "free" || has.Purchases[0].AutoRenew {
		t.Errorf("cancelled: %+v", has)
	}
	s.checkout(ann, monthOrder)
}

// TestOfTwoSubscriptionsBothCanBeCancelled: a person may have paid in two checkouts.
func TestOfTwoSubscriptionsBothCanBeCancelled(t *testing.T) {
	s := newStripeShop(t)
	ann, year := s.subscribed()
	year = year.with("items", stripeItems(stripeYear), "current_period_end", start.Add(365*day))
	month := year.with("id", "sub_month", "items", stripeItems(stripeMonth), "current_period_end", start.Add(30*day))
	s.Clock.Advance(time.Second)
	for _, sub := range []stripeThing{year, month} {
		s.stripe.put(sub)
		s.tell(stripeEvent("evt_2_"+sub["id"].(string), "customer.subscription.updated", s.Clock.Now(), sub))
	}
	renewing := func() (n int) {
		for _, p := range s.of(ann).Purchases {
			if p.AutoRenew {
				n++
			}
		}
		return n
	}
	for left := range 2 {
		s.Clock.Advance(time.Second)
		s.As(t, ann).Want(200, "POST", "/api/subscription/cancel/", nil)
		if got := renewing(); got != 1-left {
			t.Errorf("%d are renewed", got)
		}
	}
	// What is taken back is the better one.
	s.Clock.Advance(time.Second)
	s.As(t, ann).Want(200, "POST", "/api/subscription/resume/", nil)
	if has := s.of(ann); !has.AutoRenew || !has.ExpiresAt.Equal(start.Add(365*day)) || renewing() != 1 {
		t.Errorf("resumed: %+v", has)
	}
}

// TestASubscriptionThatBecameAnothersAtStripe: what its owner would change is none of ours any more.
func TestASubscriptionThatBecameAnothersAtStripe(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	s.stripe.put(sub.with("items", stripeItems("price_of_another_shop")))
	for _, action := range []string{"cancel", "resume"} {
		s.As(t, ann).Refused(409, "no_subscription", "POST", "/api/subscription/"+action+"/", nil)
	}
	s.As(t, ann).Refused(409, "no_subscription", "POST", "/api/subscription/change/", `{"product_id": "price_year"}`)
}
