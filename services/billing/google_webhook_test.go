package billing_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"google.golang.org/api/androidpublisher/v3"

	"hearth.internal/billing"
	"hearth.internal/pkg/testkit"
)

// TestForgedPushesAreRefused: whatever is not signed by Google, for us, of the account that pushes, and fresh.
func TestForgedPushesAreRefused(t *testing.T) {
	s := openStore(t)
	now := start
	s.play.sell("token", uuid.New())
	body := s.play.envelope("one", subscriptionNotice(4, "token"))
	good := s.play.bearer(now, nil)
	claims := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "https://accounts.google.com", "aud": playAudience, "email": playPusher, "email_verified": true, "exp": now.Add(time.Hour).Unix()}
	}
	parts := strings.Split(strings.TrimPrefix(good, "Bearer "), ".")
	other := strings.Split(strings.TrimPrefix(s.play.bearer(now, map[string]any{"sub": "2"}), "Bearer "), ".")
	for name, header := range map[string]string{
		"none":                "",
		"no bearer":           "Token " + parts[0],
		"nonsense":            "Bearer nonsense",
		"another audience":    s.play.bearer(now, map[string]any{"aud": "https://elsewhere.example.com/"}),
		"another issuer":      s.play.bearer(now, map[string]any{"iss": "https://accounts.example.com"}),
		"another account":     s.play.bearer(now, map[string]any{"email": "evil@example.iam.gserviceaccount.com"}),
		"no account":          s.play.bearer(now, map[string]any{"email": nil}),
		"an unverified one":   s.play.bearer(now, map[string]any{"email_verified": false}),
		"stale":               s.play.bearer(now.Add(-2*time.Hour), nil),
		"no end":              s.play.bearer(now, map[string]any{"exp": nil}),
		"not yet":             s.play.bearer(now, map[string]any{"nbf": now.Add(time.Hour).Unix()}),
		"another key":         s.play.sign("key-1", rsaKeys()[1], jwt.SigningMethodRS256, claims()),
		"an unknown key":      s.play.sign("key-9", rsaKeys()[1], jwt.SigningMethodRS256, claims()),
		"a public key's HMAC": s.play.sign("key-1", rsaKeys()[0].N.Bytes(), jwt.SigningMethodHS256, claims()),
		"no signature":        s.play.sign("key-1", jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, claims()),
		"another's payload":   "Bearer " + parts[0] + "." + other[1] + "." + parts[2],
		"another algorithm":   s.play.sign("key-1", rsaKeys()[0], jwt.SigningMethodPS256, claims()),
	} {
		if a := s.AsNobody(t).Call("POST", playWebhook, body, "Authorization", header); a.Status != 400 || a.Code() != "webhook_refused" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for name, body := range map[string]any{
		"no JSON":      "nonsense",
		"no message":   map[string]any{},
		"no data":      map[string]any{"message": map[string]any{"messageId": "1"}},
		"no id":        map[string]any{"message": map[string]any{"data": []byte(`{}`)}},
		"not base64":   map[string]any{"message": map[string]any{"messageId": "1", "data": "%"}},
		"no such type": map[string]any{"message": map[string]any{"messageId": "1", "data": []byte(`{"subscriptionNotification":{"notificationType":"x"}}`)}},
		"a long token": s.play.envelope("2", subscriptionNotice(2, strings.Repeat("x", 3000))),
		"a NUL in it":  s.play.envelope("3", subscriptionNotice(2, "a\x00")),
	} {
		if a := s.AsNobody(t).Call("POST", playWebhook, body, "Authorization", good); a.Status != 400 || a.Code() != "webhook_refused" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if got := s.rows(`SELECT external_id FROM webhook_events`); got != "" {
		t.Errorf("kept %s", got)
	}
	// The skew, the other spelling of the issuer and an audience among others are Google's.
	for _, header := range []string{
		good, s.play.bearer(now, map[string]any{"exp": now.Add(-30 * time.Second).Unix()}), s.play.bearer(now, map[string]any{"iss": "accounts.google.com"}),
		s.play.bearer(now, map[string]any{"aud": []string{playAudience}}),
	} {
		s.AsNobody(t).Want(200, "POST", playWebhook, body, "Authorization", header)
	}
	if got := s.rows(`SELECT external_id || ' ' || type || ' ' || subject FROM webhook_events`); got != "one SUBSCRIPTION_PURCHASED token" {
		t.Errorf("kept %s", got)
	}
	if n := s.play.times("keys"); n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
	if log := s.log.text(); strings.Contains(log, parts[2]) {
		t.Error("a push's token is in the log")
	}
}

// TestGoogleChangesItsKeys: a new one is taken, the old one is not any more; where they cannot be had, Google tries again.
func TestGoogleChangesItsKeys(t *testing.T) {
	s := openStore(t)
	push := func() (status int, code string) {
		a := s.AsNobody(t).Call("POST", playWebhook, s.play.envelope("", map[string]any{"testNotification": map[string]string{"version": "1.0"}}),
			"Authorization", s.play.bearer(s.Clock.Now(), nil))
		return a.Status, a.Code()
	}
	s.play.fail("keys", 500)
	for range 3 {
		if status, code := push(); status != 503 || code != "shop_unavailable" {
			t.Errorf("no keys: %d %s", status, code)
		}
	}
	s.play.fail("keys", 0)
	s.Clock.Advance(10 * time.Second)
	if status, code := push(); status != 200 || s.play.times("keys") != 2 {
		t.Errorf("keys again: %d %s, asked %d times", status, code, s.play.times("keys"))
	}
	old := s.play.bearer(s.Clock.Now(), nil)
	s.play.rotate("key-2", rsaKeys()[1])
	if status, code := push(); status != 400 || code != "webhook_refused" { // too soon after the last look
		t.Errorf("a key that nobody knows yet: %d %s", status, code)
	}
	s.Clock.Advance(2 * time.Minute)
	if status, code := push(); status != 200 {
		t.Errorf("a new key: %d %s", status, code)
	}
	s.Clock.Advance(2 * time.Minute)
	s.AsNobody(t).Refused(400, "webhook_refused", "POST", playWebhook, s.play.envelope("", subscriptionNotice(2, "x")), "Authorization", old)
	s.eventually("ignored TEST no subscription's, ignored TEST no subscription's", `SELECT state || ' ' || type || ' ' || outcome FROM webhook_events ORDER BY received_at`)
}

// TestTheSamePushTwice: one row, one effect, also at the same moment.
func TestTheSamePushTwice(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("token", ann, state("ACTIVE", start.Add(30*day)))
	s.push(subscriptionNotice(4, "token"))
	s.play.change("token", state("ACTIVE", start.Add(60*day)))
	s.Clock.Advance(time.Second)
	body, bearer := s.play.envelope("renewal", subscriptionNotice(2, "token")), s.play.bearer(s.Clock.Now(), nil)
	var group sync.WaitGroup
	for range 5 {
		app := s.AsNobody(t)
		group.Go(func() { app.Want(200, "POST", playWebhook, body, "Authorization", bearer) })
	}
	group.Wait()
	s.eventually("SUBSCRIPTION_PURCHASED done 1, SUBSCRIPTION_RENEWED done 1", `SELECT type || ' ' || state || ' ' || tries FROM webhook_events ORDER BY received_at`)
	if got := fmt.Sprint(notices(t, s.Service)); got != "[started renewed]" {
		t.Errorf("told %s", got)
	}
	if sub := s.has(ann); !sub.ExpiresAt.Equal(start.Add(60 * day)) {
		t.Errorf("has %+v", sub)
	}
}

// TestWhatPlayTellsOfNobodys: it waits for whoever claims the purchase, unless the purchase says whose it is.
func TestWhatPlayTellsOfNobodys(t *testing.T) {
	s := openStore(t)
	ann, bob, eve := uuid.New(), uuid.New(), uuid.New()
	s.play.sell("unclaimed", uuid.Nil)
	s.play.sell("named", bob)
	s.play.sell("again", uuid.Nil, func(p *sold) {
		p.OutOfAppPurchaseContext = &androidpublisher.OutOfAppPurchaseContext{ExpiredExternalAccountIdentifiers: &androidpublisher.ExternalAccountIdentifiers{ObfuscatedExternalAccountId: eve.String()}}
	})
	if outcome := s.push(subscriptionNotice(4, "unclaimed")); outcome != "unclaimed" {
		t.Errorf("unclaimed: %s", outcome)
	}
	for token, person := range map[string]uuid.UUID{"named": bob, "again": eve} {
		if outcome := s.push(subscriptionNotice(4, token)); outcome != "done" {
			t.Errorf("%s: %s", token, outcome)
		}
		if sub := s.has(person); sub.Tier != "pro" {
			t.Errorf("%s: %+v", token, sub)
		}
		testkit.Eventually(t, "it is acknowledged", func() bool { return s.play.acknowledged(token) })
	}
	if s.play.acknowledged("unclaimed") {
		t.Error("what nobody has was acknowledged")
	}
	s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("unclaimed"))
	s.eventually("done", `SELECT state FROM webhook_events WHERE subject = 'unclaimed'`)
	if sub := s.has(ann); sub.Tier != "pro" {
		t.Errorf("ann has %+v", sub)
	}
}

func TestWhatIsNotAboutOurSubscriptionsIsKeptAndIgnored(t *testing.T) {
	s := openStore(t)
	s.play.sell("tester", uuid.New(), func(p *sold) { p.TestPurchase = &androidpublisher.TestPurchase{} })
	s.play.sell("gold", uuid.New(), func(p *sold) { p.LineItems[0].ProductId = "gold" })
	others := subscriptionNotice(4, "gold")
	others["packageName"] = "com.example.other"
	for name, n := range map[string]map[string]any{
		"a test":             {"testNotification": map[string]string{"version": "1.0"}},
		"a one-time product": {"oneTimeProductNotification": map[string]any{"version": "1.0", "notificationType": 1, "purchaseToken": "x", "sku": "coins"}},
		"one taken back":     {"voidedPurchaseNotification": map[string]any{"purchaseToken": "x", "orderId": "GPA.1", "productType": 2, "refundType": 1}},
		"something new":      {"surpriseNotification": map[string]any{"purchaseToken": "x"}},
		"another app's":      others,
		"another product":    subscriptionNotice(4, "gold"),
		"a tester's":         subscriptionNotice(4, "tester"),
		"one long gone":      subscriptionNotice(13, "long-gone"),
	} {
		if outcome := s.push(n); outcome != "ignored" {
			t.Errorf("%s: %s", name, outcome)
		}
	}
	if got := s.rows(`SELECT external_id FROM purchases`); got != "" {
		t.Errorf("kept %s", got)
	}
	// A kind that Google has invented since says what all say: look.
	ann := uuid.New()
	s.play.sell("token", ann)
	if outcome := s.push(subscriptionNotice(99, "token")); outcome != "done" || s.has(ann).Tier != "pro" {
		t.Errorf("a new kind: %s", outcome)
	}
}

// TestWhatIsTakenBackCountsNoMore: at once, and for what it was paid for.
func TestWhatIsTakenBackCountsNoMore(t *testing.T) {
	end := start.Add(30 * day)
	for _, c := range []struct {
		name   string
		told   func(token string) map[string]any
		change func(*sold)
		tier   string
		state  string // of the purchase
		reason billing.Reason
	}{
		{"revoked", func(k string) map[string]any { return subscriptionNotice(12, k) }, state("EXPIRED", start.Add(time.Second)), "free", "revoked", billing.IsRefunded},
		{"revoked, and Google is late", func(k string) map[string]any { return subscriptionNotice(12, k) }, state("ACTIVE", end), "free", "revoked", billing.IsRefunded},
		{"voided", func(k string) map[string]any { return voidedNotice(k, "GPA.1", 1) }, state("EXPIRED", start.Add(time.Second)), "free", "revoked", billing.IsRefunded},
		{"voided, and it goes on", func(k string) map[string]any { return voidedNotice(k, "GPA.1", 1) }, state("ACTIVE", end), "free", "active", billing.IsRefunded},
		{"an earlier payment voided", func(k string) map[string]any { return voidedNotice(k, "GPA.0", 1) }, state("ACTIVE", end), "pro", "active", billing.IsPaid},
		{"a part voided", func(k string) map[string]any { return voidedNotice(k, "GPA.1", 2) }, state("ACTIVE", end), "pro", "active", billing.IsPaid},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t)
			ann := uuid.New()
			s.play.sell("token", ann)
			s.As(t, ann).Want(200, "POST", "/api/subscription/purchase/", playReceipt("token"))
			s.play.change("token", c.change)
			s.Clock.Advance(time.Second)
			if outcome := s.push(c.told("token")); outcome != "done" {
				t.Fatal(outcome)
			}
			check := func(when string) {
				t.Helper()
				sub := s.has(ann)
				if sub.Tier != c.tier || sub.Reason != c.reason || s.rows(`SELECT state FROM purchases`) != c.state {
					t.Errorf("%s: %+v", when, sub)
				}
			}
			check("at once")
			if c.tier == "pro" {
				return
			}
			if got := fmt.Sprint(notices(t, s.Service)); got != "[started refunded]" {
				t.Errorf("told %s", got)
			}
			s.As(t, ann).Refused(409, "receipt_revoked", "POST", "/api/subscription/purchase/", playReceipt("token"))
			if c.name == "voided, and it goes on" { // what is paid afterwards counts
				s.play.change("token", state("ACTIVE", end.Add(30*day)))
				s.Clock.Set(end.Add(time.Minute))
				s.push(subscriptionNotice(2, "token"))
				if sub := s.has(ann); sub.Tier != "pro" {
					t.Errorf("paid again: %+v", sub)
				}
				return
			}
			s.play.change("token", state("EXPIRED", start.Add(time.Second)))
			s.Clock.Advance(time.Second)
			s.push(subscriptionNotice(13, "token"))
			check("after it has expired as well")
		})
	}
}

// TestPaymentsThatFail: the person is told, as long as it is so.
func TestPaymentsThatFail(t *testing.T) {
	s := openStore(t)
	ann := uuid.New()
	s.play.sell("token", ann)
	s.push(subscriptionNotice(4, "token"))
	s.Clock.Set(start.Add(30 * day))
	step := func(kind int, to func(*sold), tier string, told string) {
		t.Helper()
		s.play.change("token", to)
		s.Clock.Advance(time.Second)
		s.push(subscriptionNotice(kind, "token"))
		if sub := s.has(ann); sub.Tier != tier {
			t.Errorf("after %d: %+v", kind, sub)
		}
		if got := fmt.Sprint(notices(t, s.Service)); got != told {
			t.Errorf("after %d: told %s, wanted %s", kind, got, told)
		}
	}
	step(6, state("IN_GRACE_PERIOD", start.Add(37*day)), "pro", "[started payment_failed]")
	s.Clock.Set(start.Add(37 * day))
	step(5, state("ON_HOLD", start.Add(37*day)), "free", "[started payment_failed ended payment_failed]")
	step(6, state("ON_HOLD", start.Add(37*day)), "free", "[started payment_failed ended payment_failed]") // late
	step(1, state("ACTIVE", start.Add(67*day)), "pro", "[started payment_failed ended payment_failed started]")
	if raw := string(s.Outbox(t, "billing.notice")[1]); !strings.Contains(raw, `"until": "2026-04-16T12:00:00Z"`) || !strings.Contains(raw, "play.google.com") || !strings.Contains(raw, ann.String()) {
		t.Errorf("the notice %s", raw)
	}
}

// TestALifeInPlayToldInAnyOrder: each twice, and to several lives at once, it comes to the same.
func TestALifeInPlayToldInAnyOrder(t *testing.T) {
	s := openStore(t)
	life := []int{4, 2, 6, 5, 1, 3, 12, 13}
	const lives = 24
	random := rand.New(rand.NewPCG(1, 2))
	for i := range lives {
		token, ann := fmt.Sprint("life-", i), uuid.New()
		s.play.sell(token, ann, state("EXPIRED", start.Add(-time.Hour)))
		bearer := s.play.bearer(s.Clock.Now(), nil)
		told := append(append([]int{}, life...), life...)
		random.Shuffle(len(told), func(i, j int) { told[i], told[j] = told[j], told[i] })
		for _, kind := range told {
			s.AsNobody(t).Want(200, "POST", playWebhook, s.play.envelope(fmt.Sprint(token, "-", kind), subscriptionNotice(kind, token)), "Authorization", bearer)
		}
	}
	s.eventually(fmt.Sprint("done ", lives*len(life)), `SELECT state || ' ' || count(*) FROM webhook_events GROUP BY state`)
	if got := s.rows(`SELECT DISTINCT p.state || ' ' || s.tier || ' ' || p.auto_renew || ' ' || (p.expires_at = p.refunded_until) FROM purchases p JOIN subscriptions s USING (user_id)`); got != "revoked free false true" {
		t.Errorf("the lives end as %s", got)
	}
	if got := fmt.Sprint(notices(t, s.Service)); got != "[]" {
		t.Errorf("told %s", got)
	}
}
