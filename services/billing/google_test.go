package billing_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/api/androidpublisher/v3"

	"hearth.internal/billing"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
)

// TestAPurchaseInPlayCounts: it is known to Google as known to us, and its token is nowhere to be read.
func TestAPurchaseInPlayCounts(t *testing.T) {
	for _, prepare := range []bool{true, false} {
		t.Run(fmt.Sprintf("prepared %t", prepare), func(t *testing.T) {
			s := openStore(t, func(c *billing.Config) { c.DatabasePrepare = prepare })
			ann := uuid.New()
			s.play.sell("token-of-ann", ann)
			sub := testkit.JSON[billing.Subscription](t, s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("token-of-ann")))
			if sub.Tier != "pro" || sub.Source != billing.Google || sub.State != billing.Active || sub.Reason != billing.IsPaid || !sub.AutoRenew || sub.Trial ||
				sub.ExpiresAt == nil || !sub.ExpiresAt.Equal(start.Add(30*day)) || !sub.StartedAt.Equal(start) {
				t.Errorf("bought: %+v", sub)
			}
			testkit.Eventually(t, "it is acknowledged", func() bool { return s.play.acknowledged("token-of-ann") })
			s.eventually("", `SELECT kind FROM errands`)
			s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("token-of-ann")) // again
			if got := s.rows(`SELECT source || ' ' || external_id || ' ' || state || ' ' || environment FROM purchases`); got != "google token-of-ann active production" {
				t.Errorf("kept %s", got)
			}
			if got := s.rows(`SELECT actor || ' ' || reason FROM entitlement_changes`); got != "person purchase" {
				t.Errorf("log %s", got)
			}
			if n := s.play.times("acknowledge"); n != 1 {
				t.Errorf("acknowledged %d times", n)
			}
			if got := fmt.Sprint(notices(t, s.Service)); got != "[started]" || len(s.Outbox(t, "subscription.changed")) == 0 {
				t.Errorf("told %s", got)
			}
			asked := 0
			for _, span := range s.spans.Ended() {
				text := fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Status())
				if strings.Contains(text, "token-of-ann") || strings.Contains(text, playAccess) {
					t.Errorf("a token is in the span %s", text)
				}
				if strings.Contains(text, "/tokens/{token}") {
					asked++
				}
			}
			if asked == 0 {
				t.Error("no span of what Google was asked")
			}
			if strings.Contains(s.log.text(), "token-of-ann") || strings.Contains(s.log.text(), "PRIVATE KEY") {
				t.Error("a token is in the log")
			}
		})
	}
}

func TestReceiptsThatPlayDoesNotBearOut(t *testing.T) {
	s := openStore(t)
	ann, bob := uuid.New(), uuid.New()
	s.play.sell("of-nobody", uuid.Nil)
	s.play.sell("of-bob", bob)
	s.play.sell("of-no-account", ann, func(p *sold) { p.ExternalAccountIdentifiers.ObfuscatedExternalAccountId = "somebody" })
	s.play.sell("expired", ann, state("EXPIRED", start.Add(-day)))
	s.play.sell("never-paid", ann, state("PENDING_PURCHASE_CANCELED", start), func(p *sold) { p.StartTime = "" })
	s.play.sell("replaced", ann, state("EXPIRED", start), func(p *sold) {
		p.CanceledStateContext = &androidpublisher.CanceledStateContext{ReplacementCancellation: &androidpublisher.ReplacementCancellation{}}
	})
	s.play.sell("tester's", ann, func(p *sold) { p.TestPurchase = &androidpublisher.TestPurchase{} })
	s.play.sell("yearly", ann, func(p *sold) { p.LineItems[0].ProductId = "pro_yearly" })
	s.play.sell("others-app", ann, func(p *sold) { p.app = "com.example.other" })
	s.As(t, bob).Want(200, "POST", "/api/subscription/purchase/", playReceipt("of-nobody"))
	for _, c := range []struct {
		token, product string
		status         int
		code           string
	}{
		{"of-nobody", "pro_monthly", 409, "receipt_of_another_account"}, // bob's by now
		{"of-bob", "pro_monthly", 409, "receipt_of_another_account"},
		{"of-no-account", "pro_monthly", 409, "receipt_of_another_account"},
		{"expired", "pro_monthly", 409, "receipt_expired"},
		{"never-paid", "pro_monthly", 409, "receipt_expired"},
		{"replaced", "pro_monthly", 409, "receipt_superseded"},
		{"tester's", "pro_monthly", 422, "receipt_wrong_environment"},
		{"yearly", "pro_monthly", 422, "receipt_invalid"},
		{"others-app", "pro_monthly", 422, "receipt_invalid"},
		{"of-bob", "gold", 422, "unknown_product"},
		{"forged", "pro_monthly", 422, "receipt_invalid"},
		{"../../" + strings.Repeat("x", 900), "pro_monthly", 422, "receipt_invalid"},
		{"a b", "pro_monthly", 422, "receipt_invalid"},
		{"NUL\x00", "pro_monthly", 422, "receipt_invalid"},
		{"tök", "pro_monthly", 422, "receipt_invalid"},
	} {
		body := map[string]string{"platform": "android", "product_id": c.product, "purchase_token": c.token}
		if a := s.As(t, ann).Call("POST", "/api/subscription/purchase/", body); a.Status != c.status || a.Code() != c.code && a.Code() != "validation_failed" {
			t.Errorf("%.40q of %s: %d %s", c.token, c.product, a.Status, a.Body)
		}
	}
	s.play.fail("get", 410)
	s.As(t, ann).Refused(422, "receipt_invalid", "POST", "/api/subscription/purchase/", playReceipt("of-nobody"))
	if got := s.rows(`SELECT external_id FROM purchases`); got != "of-nobody" {
		t.Errorf("kept %s", got)
	}
	if sub := s.has(ann); sub.Tier != "free" || sub.Reason != billing.NeverBought {
		t.Errorf("ann has %+v", sub)
	}
	if sub := s.has(bob); sub.Tier != "pro" {
		t.Errorf("bob has %+v", sub)
	}
}

func TestALicenseTestersPurchaseCountsWhereItMay(t *testing.T) {
	s := openStore(t, func(c *billing.Config) { c.AllowTestPurchases = true })
	ann := uuid.New()
	s.play.sell("tester", ann, func(p *sold) {
		p.TestPurchase = &androidpublisher.TestPurchase{}
		p.LineItems[0].OfferPhase = &androidpublisher.OfferPhase{FreeTrial: &androidpublisher.FreeTrialOfferPhase{}}
	})
	sub := testkit.JSON[billing.Subscription](t, s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("tester")))
	if sub.Tier != "pro" || !sub.Trial || sub.Reason != billing.IsTried || !sub.TrialUsed {
		t.Errorf("has %+v", sub)
	}
	if got := s.rows(`SELECT environment FROM purchases`); got != "sandbox" {
		t.Errorf("environment %s", got)
	}
}

// TestAPlayPurchaseHasOneOwner: of many who bring it at the same moment one has it.
func TestAPlayPurchaseHasOneOwner(t *testing.T) {
	s := openStore(t)
	s.play.sell("shared", uuid.Nil)
	var group sync.WaitGroup
	answers := make([]string, 6)
	for i := range answers {
		app := s.As(t, uuid.New())
		group.Go(func() {
			a := app.Call("POST", "/api/subscription/purchase/", playReceipt("shared"))
			answers[i] = fmt.Sprint(a.Status, " ", a.Code())
		})
	}
	group.Wait()
	slices.Sort(answers)
	if answers[0] != "200 " || slices.ContainsFunc(answers[1:], func(a string) bool { return a != "409 receipt_of_another_account" }) {
		t.Errorf("answers %q", answers)
	}
	if got := s.rows(`SELECT count(*)::text FROM subscriptions WHERE tier = 'pro'`); got != "1" {
		t.Errorf("%s have it", got)
	}
}

// TestAStateOfPlayAsItCounts: what each of Google's states comes to.
func TestAStateOfPlayAsItCounts(t *testing.T) {
	s := openStore(t)
	end := start.Add(3 * day)
	for _, c := range []struct {
		name   string
		until  time.Time
		tier   string
		state  billing.State
		reason billing.Reason
		renews bool
	}{
		{"PENDING", start, "free", billing.Incomplete, billing.NotPaidYet, false},
		{"ACTIVE", end, "pro", billing.Active, billing.IsPaid, true},
		{"CANCELED", end, "pro", billing.Active, billing.IsPaid, false},
		{"IN_GRACE_PERIOD", end, "pro", billing.PastDue, billing.InGrace, true},
		{"ON_HOLD", start.Add(-day), "free", billing.OnHold, billing.PaymentFailed, false},
		{"PAUSED", start.Add(-day), "free", billing.Paused, billing.IsPaused, false},
		{"EXPIRED", start.Add(-day), "free", billing.Expired, billing.HasExpired, false},
	} {
		ann := uuid.New()
		s.play.sell(c.name, ann)
		s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt(c.name))
		s.play.change(c.name, state(c.name, c.until))
		s.Clock.Advance(time.Second)
		if outcome := s.push(subscriptionNotice(3, c.name)); outcome != "done" {
			t.Errorf("%s: %s", c.name, outcome)
		}
		if sub := s.has(ann); sub.Tier != c.tier || sub.State != c.state || sub.Reason != c.reason || sub.AutoRenew != c.renews {
			t.Errorf("%s: %+v", c.name, sub)
		}
	}
	s.play.change("ACTIVE", state("A_NEW_ONE", end))
	in := s.play.envelope("new-state", subscriptionNotice(3, "ACTIVE"))
	s.AsNobody(t).Want(200, "POST", playWebhook, in, "Authorization", s.play.bearer(s.Clock.Now(), nil))
	s.eventually("pending 1", `SELECT state || ' ' || tries FROM webhook_events WHERE external_id = 'new-state'`)
}

// TestAPendingPurchaseIsAcknowledgedOnceItIsPaid: before that Google refuses it.
func TestAPendingPurchaseIsAcknowledgedOnceItIsPaid(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("cash", ann, state("PENDING", start), func(p *sold) { p.StartTime, p.LineItems[0].ExpiryTime = "", "" })
	sub := testkit.JSON[billing.Subscription](t, s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("cash")))
	if sub.Tier != "free" || sub.State != billing.Incomplete || s.rows(`SELECT kind FROM errands`) != "" {
		t.Errorf("not paid: %+v", sub)
	}
	s.play.change("cash", state("ACTIVE", start.Add(30*day)))
	s.Clock.Advance(time.Second)
	s.push(subscriptionNotice(4, "cash"))
	testkit.Eventually(t, "it is acknowledged", func() bool { return s.play.acknowledged("cash") })
	if sub := s.has(ann); sub.Tier != "pro" {
		t.Errorf("paid: %+v", sub)
	}
}

// TestAnAcknowledgementIsNotLost: it is there as soon as the purchase is, whatever Google says, and until it is done.
func TestAnAcknowledgementIsNotLost(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("token", ann)
	for _, status := range []int{500, 400, 403} {
		s.play.fail("acknowledge", status)
		s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("token"))
		before := s.rows(`SELECT tries::text FROM errands`)
		s.Clock.Advance(time.Hour)
		testkit.Eventually(t, "it was tried", func() bool { now := s.rows(`SELECT tries::text FROM errands`); return now != before && now != "" })
	}
	s.play.mu.Lock()
	s.play.after = "7200"
	s.play.mu.Unlock()
	s.play.fail("acknowledge", 429)
	before := s.play.times("acknowledge")
	s.Clock.Advance(time.Hour)
	testkit.Eventually(t, "it was tried", func() bool { return s.play.times("acknowledge") > before })
	s.eventually("7200", `SELECT extract(epoch FROM next_at - '`+s.Clock.Now().Format(time.RFC3339)+`')::int::text FROM errands WHERE claimed_until IS NULL`)
	s.play.fail("acknowledge", 0)
	s.Clock.Advance(2 * time.Hour)
	testkit.Eventually(t, "it is acknowledged", func() bool { return s.play.acknowledged("token") })
	s.eventually("", `SELECT kind FROM errands`)
	// What somebody else has acknowledged, and what is gone, is done.
	s.play.change("token", func(p *sold) { p.AcknowledgementState = "ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED" })
	n := s.play.times("acknowledge")
	s.exec(`INSERT INTO errands (id, user_id, source, kind, external_id, next_at, created_at) SELECT gen_random_uuid(), gen_random_uuid(), 'google', 'acknowledge', t, '2026-03-10', '2026-03-10' FROM unnest(ARRAY['token', 'gone']) t`)
	s.eventually("", `SELECT kind FROM errands`)
	if s.play.times("acknowledge") != n {
		t.Error("it was acknowledged again")
	}
}

// TestPlayDown: nothing is half done, and nothing is lost.
func TestPlayDown(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("token", ann)
	for _, c := range []struct {
		what   string
		status int
	}{{"token", 500}, {"token", 400}, {"get", 500}, {"get", 503}, {"get", 429}, {"get", 401}, {"get", 403}} {
		s.play.fail(c.what, c.status)
		a := s.As(t, ann).Refused(503, "shop_unavailable", "POST", "/api/subscription/purchase/", playReceipt("token"))
		if strings.Contains(string(a.Body), "token") {
			t.Errorf("%s: %s", c.what, a.Body)
		}
		s.As(t, ann).Refused(503, "shop_unavailable", "POST", "/api/subscription/restore/",
			map[string]any{"platform": "android", "purchases": []map[string]string{{"product_id": "pro_monthly", "purchase_token": "token"}}})
		if got := s.rows(`SELECT external_id FROM purchases UNION ALL SELECT kind FROM errands`); got != "" {
			t.Errorf("%s %d: %s is kept", c.what, c.status, got)
		}
		s.play.fail(c.what, 0)
	}
	for name, odd := range map[string]func(*sold){
		"no-product":    func(p *sold) { p.LineItems = append(p.LineItems, nil) },
		"no-such-end":   func(p *sold) { p.LineItems[0].ExpiryTime = "9999-12-31T23:59:59Z" },
		"no-such-start": func(p *sold) { p.StartTime = "0000-01-01T00:00:00+23:59" },
	} {
		s.play.sell(name, ann, odd)
		s.As(t, ann).Refused(503, "shop_unavailable", "POST", "/api/subscription/purchase/", playReceipt(name))
	}
	s.play.mu.Lock()
	s.play.after = "600"
	s.play.mu.Unlock()
	s.play.fail("get", 429)
	if a := s.As(t, ann).Refused(503, "shop_unavailable", "POST", "/api/subscription/purchase/", playReceipt("token")); a.Header.Get("Retry-After") != "600" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	s.AsNobody(t).Want(200, "POST", playWebhook, s.play.envelope("waits", subscriptionNotice(4, "token")), "Authorization", s.play.bearer(s.Clock.Now(), nil))
	s.eventually("pending 1 600", `SELECT state || ' ' || tries || ' ' || extract(epoch FROM next_at - '2026-03-10T12:00:00Z')::int FROM webhook_events`)
	s.play.fail("get", 0)
	s.Clock.Advance(10 * time.Minute)
	s.eventually("done", `SELECT state FROM webhook_events`)
	if sub := s.has(ann); sub.Tier != "pro" {
		t.Errorf("ann has %+v", sub)
	}
	s.play.server.Close()
	s.As(t, ann).Refused(503, "shop_unavailable", "POST", "/api/subscription/purchase/", playReceipt("token"))
	if log := s.log.text(); strings.Contains(log, "/tokens/") || strings.Contains(log, "assertion") {
		t.Error("an address with a purchase token is in the log")
	}
}

// TestAPlanChangedInPlay: the old token makes way for the new one, and does not come back.
func TestAPlanChangedInPlay(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("monthly", ann)
	s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("monthly"))
	s.play.change("monthly", state("EXPIRED", start))
	s.play.change("monthly", func(p *sold) {
		p.CanceledStateContext = &androidpublisher.CanceledStateContext{ReplacementCancellation: &androidpublisher.ReplacementCancellation{}}
	})
	s.play.sell("yearly", ann, state("ACTIVE", start.Add(365*day)), func(p *sold) {
		p.LinkedPurchaseToken, p.LineItems[0].ProductId = "monthly", "pro_yearly"
		p.LineItems = append(p.LineItems, &androidpublisher.SubscriptionPurchaseLineItem{ProductId: "add-on", ExpiryTime: start.Add(900 * day).Format(time.RFC3339)})
	})
	s.Clock.Advance(time.Second)
	s.push(subscriptionNotice(4, "yearly"))
	sub := s.has(ann)
	if sub.Tier != "pro" || len(sub.Purchases) != 2 || !sub.ExpiresAt.Equal(start.Add(365*day)) {
		t.Errorf("changed: %+v", sub)
	}
	if got := s.rows(`SELECT external_id || ' ' || coalesce(superseded_by, '') FROM purchases ORDER BY 1`); got != "monthly yearly, yearly " {
		t.Errorf("kept %s", got)
	}
	s.As(t, ann).Refused(409, "receipt_superseded", "POST", "/api/subscription/purchase/", playReceipt("monthly"))
	restored := testkit.JSON[billing.Restored](t, s.As(t, ann).Want(200, "POST", "/api/subscription/restore/", map[string]any{"platform": "android", "purchases": []map[string]string{
		{"product_id": "pro_monthly", "purchase_token": "monthly"}, {"product_id": "pro_yearly", "purchase_token": "yearly"},
	}}))
	if restored.Tier != "pro" || *restored.Results[0].Code != "receipt_superseded" || restored.Results[1].Code != nil {
		t.Errorf("restored %+v", restored)
	}
}

// TestARenewalThatNobodyTellsOf: Google is asked when the time has come, also by a process that starts later.
func TestARenewalThatNobodyTellsOf(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	for _, token := range []string{"renewed", "long-gone"} {
		s.play.sell(token, ann)
		s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt(token))
	}
	s.play.change("renewed", state("ACTIVE", start.Add(60*day)))
	s.play.mu.Lock()
	delete(s.play.purchases, "long-gone")
	s.play.mu.Unlock()
	s.exec(`UPDATE purchases SET check_at = '2026-03-10T11:00:00Z'`)
	testkit.Run(t, s.cfg.Service, billing.New(s.cfg))
	s.eventually("long-gone 30, renewed 60", `SELECT external_id || ' ' || (expires_at::date - '2026-03-10') FROM purchases WHERE check_at > '2026-03-10T12:00:00Z' ORDER BY 1`)
	if sub := s.has(ann); !sub.ExpiresAt.Equal(start.Add(60 * day)) {
		t.Errorf("has %+v", sub)
	}
}

// TestADeletedPersonPaysPlayNoMore: the renewal is stopped, also when Google does not answer at first.
func TestADeletedPersonPaysPlayNoMore(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	testkit.Deliver(t, s.Service, events.UserRegistered, events.User{ID: ann, Version: 1})
	for _, token := range []string{"renews", "canceled", "gone"} {
		s.play.sell(token, ann)
		s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt(token))
	}
	s.eventually("", `SELECT kind FROM errands`)
	s.play.change("canceled", state("CANCELED", start.Add(day)))
	s.play.mu.Lock()
	delete(s.play.purchases, "gone")
	s.play.mu.Unlock()
	s.play.fail("cancel", 503)
	testkit.Deliver(t, s.Service, events.UserDeleted, events.Person{ID: ann})
	s.eventually("cancel 1", `SELECT kind || ' ' || tries FROM errands`)
	s.play.fail("cancel", 0)
	s.Clock.Advance(time.Minute)
	s.eventually("", `SELECT kind FROM errands`)
	s.play.change("renews", func(p *sold) {
		if p.SubscriptionState != "SUBSCRIPTION_STATE_CANCELED" {
			t.Errorf("it is %s", p.SubscriptionState)
		}
	})
	s.push(subscriptionNotice(3, "renews"))
	if got := s.rows(`SELECT external_id FROM purchases UNION ALL SELECT tier FROM subscriptions`); got != "" {
		t.Errorf("left %s", got)
	}
}

// TestSeveralAppsSellInPlay: a purchase is found in whichever it is.
func TestSeveralAppsSellInPlay(t *testing.T) {
	s := openStore(t, func(c *billing.Config) { c.PackageNames = []string{"com.example.tablet", playApp} })
	ann := uuid.New()
	s.play.sell("token", ann)
	s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("token"))
	testkit.Eventually(t, "it is acknowledged", func() bool { return s.play.acknowledged("token") })
}

func TestHalfAConfigurationOfPlayStopsTheStart(t *testing.T) {
	whole := googleConfig(newPlay(t))
	service := testkit.Config(t, "billing")
	for name, change := range map[string]func(*billing.GoogleConfig){
		"PACKAGE_NAMES":    func(c *billing.GoogleConfig) { c.PackageNames = nil },
		"CREDENTIALS":      func(c *billing.GoogleConfig) { c.Credentials = "" },
		"PUSH_AUDIENCE":    func(c *billing.GoogleConfig) { c.PushAudience = "" },
		"PUSH_ACCOUNT":     func(c *billing.GoogleConfig) { c.PushAccount = "" },
		"CREDENTIALS_FILE": func(c *billing.GoogleConfig) { c.Credentials, c.CredentialsFile = "", "/nowhere/key.json" },
		"one is enough":    func(c *billing.GoogleConfig) { c.CredentialsFile = "/nowhere/key.json" },
		"JSON key":         func(c *billing.GoogleConfig) { c.Credentials = `{"type": "authorized_user"}` },
		"private_key": func(c *billing.GoogleConfig) {
			c.Credentials = `{"type": "service_account", "client_email": "a@example.com"}`
		},
		"API_URL": func(c *billing.GoogleConfig) { c.GoogleURL = "google" },
	} {
		cfg := billing.Config{Service: service, GoogleConfig: whole}
		change(&cfg.GoogleConfig)
		_, err := boot.Open(t.Context(), billing.New(cfg), boot.Options{Config: cfg.Service, Clock: clock.At(start), LogOut: &lockedBuffer{}, OpsOff: true})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "google: configuration: ") {
			t.Errorf("without %s: %v", name, err)
		}
	}
	s := run(t)
	s.AsNobody(t).Refused(http.StatusConflict, "not_sold_here", "POST", playWebhook, map[string]string{})
	s.As(t, uuid.New()).Refused(http.StatusConflict, "not_sold_here", "POST", "/api/subscription/purchase/", playReceipt("token"))
}

// TestAPaymentThatNobodyTellsOfIsAcknowledged: Google gives back what is not, whoever was the first to know of it.
func TestAPaymentThatNobodyTellsOfIsAcknowledged(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("cash", ann, state("PENDING", start.Add(day)), func(p *sold) { p.StartTime = "" })
	s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("cash"))
	s.play.change("cash", state("ACTIVE", start.Add(30*day)))
	s.play.change("cash", func(p *sold) {
		p.LineItems[0].OfferPhase = &androidpublisher.OfferPhase{FreeTrial: &androidpublisher.FreeTrialOfferPhase{}}
	})
	s.exec(`UPDATE purchases SET check_at = '2026-03-10T11:00:00Z'`)
	testkit.Run(t, s.cfg.Service, billing.New(s.cfg)) // it asks when it starts
	testkit.Eventually(t, "it is acknowledged", func() bool { return s.play.acknowledged("cash") })
	if sub := s.has(ann); sub.Tier != "pro" || !sub.TrialUsed {
		t.Errorf("has %+v", sub)
	}
}

// TestAnAcknowledgementThatFailedIsTriedForWhoAsksAgain: the money goes back in three days, so that nobody has time to wait
// for staff.
func TestAnAcknowledgementThatFailedIsTriedForWhoAsksAgain(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("token", ann)
	s.play.fail("acknowledge", 403)
	s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("token"))
	s.eventually("1", `SELECT tries::text FROM errands WHERE claimed_until IS NULL`)
	s.exec(`UPDATE errands SET tries = 25, state = 'failed'`)
	s.play.fail("acknowledge", 0)
	s.Clock.Advance(time.Minute)
	s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("token"))
	testkit.Eventually(t, "it is acknowledged", func() bool { return s.play.acknowledged("token") })
	s.eventually("", `SELECT kind FROM errands`)
}

// TestAPlanChangedInPlayCountsOnceItIsPaid: until then, and when it never is, what was paid before counts.
func TestAPlanChangedInPlayCountsOnceItIsPaid(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("monthly", ann)
	s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("monthly"))
	yearly := func(p *sold) {
		p.LinkedPurchaseToken, p.LineItems[0].ProductId, p.StartTime = "monthly", "pro_yearly", ""
	}
	for _, token := range []string{"given up", "paid"} {
		token = strings.ReplaceAll(token, " ", "-")
		s.play.sell(token, ann, state("PENDING", start.Add(3*day)), yearly)
		s.Clock.Advance(time.Second)
		s.push(subscriptionNotice(4, token))
		if sub := s.has(ann); sub.Tier != "pro" || sub.State != billing.Active {
			t.Errorf("%s is not paid yet: %+v", token, sub)
		}
	}
	s.play.change("given-up", state("PENDING_PURCHASE_CANCELED", start.Add(3*day)))
	s.Clock.Advance(time.Second)
	s.push(subscriptionNotice(20, "given-up"))
	if sub := s.has(ann); sub.Tier != "pro" || !sub.ExpiresAt.Equal(start.Add(30*day)) {
		t.Errorf("given up: %+v", sub)
	}
	s.play.change("paid", state("ACTIVE", start.Add(365*day)))
	s.Clock.Advance(time.Second)
	s.push(subscriptionNotice(4, "paid"))
	if sub := s.has(ann); sub.Tier != "pro" || !sub.ExpiresAt.Equal(start.Add(365*day)) {
		t.Errorf("paid: %+v", sub)
	}
	if got := s.rows(`SELECT external_id FROM purchases WHERE superseded_by = 'paid'`); got != "monthly" {
		t.Errorf("superseded: %s", got)
	}
}
