package billing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/billing"
	"hearth.internal/billing/appstore"
	"hearth.internal/billing/appstore/appstoretest"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestANotificationIsRefusedThatIsNotApplesOrNotForUs(t *testing.T) {
	a := openAppStore(t, true)
	other := appstoretest.NewChain(t, appstoretest.Options{})
	now := testkit.Start
	tx := period("1", now)
	good := a.notify("SUBSCRIBED", "INITIAL_BUY", now, 1, tx, renewal(tx, now, nil))
	parts := strings.Split(good["signedPayload"].(string), ".")
	longer := strings.Split(a.notify("SUBSCRIBED", "", now, 1, with(tx, object{"expiresDate": ms(now.Add(9000 * day))}), nil)["signedPayload"].(string), ".")
	data := func(members object) object {
		return object{"data": with(object{"appAppleId": iosAppID, "bundleId": iosApp, "environment": appstore.Production, "status": 1,
			"signedTransactionInfo": a.chain.Sign(tx), "signedRenewalInfo": a.chain.Sign(renewal(tx, now, nil))}, members)}
	}
	told := func(members object) object { return a.notify("SUBSCRIBED", "", now, 1, tx, nil, members) }
	app := a.AsNobody(t)
	for name, body := range map[string]any{
		"altered":                          object{"signedPayload": parts[0] + "." + longer[1] + "." + parts[2]},
		"by somebody else":                 object{"signedPayload": other.Sign(object{"notificationType": "TEST", "notificationUUID": "1", "signedDate": ms(now)})},
		"no notification":                  object{"signedPayload": "hello"},
		"empty":                            object{},
		"no object":                        `"hello"`,
		"without an id":                    told(object{"notificationUUID": ""}),
		"about another app":                told(data(object{"bundleId": "app.other"})),
		"about another app id":             told(data(object{"appAppleId": 1})),
		"about another environment":        told(data(object{"environment": appstore.Sandbox})),
		"about no app":                     told(object{"data": nil}),
		"a transaction by somebody else":   told(data(object{"signedTransactionInfo": other.Sign(tx)})),
		"a renewal by somebody else":       told(data(object{"signedRenewalInfo": other.Sign(renewal(tx, now, nil))})),
		"a transaction of another app":     told(data(object{"signedTransactionInfo": a.chain.Sign(with(tx, object{"bundleId": "app.other"}))})),
		"a transaction of the sandbox":     told(data(object{"signedTransactionInfo": a.chain.Sign(with(tx, object{"environment": appstore.Sandbox}))})),
		"a renewal of another purchase":    told(data(object{"signedRenewalInfo": a.chain.Sign(renewal(period("2", now), now, nil))})),
		"a transaction where it should be": told(data(object{"signedTransactionInfo": a.chain.Sign(renewal(tx, now, nil))})),
		"too old":                          a.notify("SUBSCRIBED", "", now.Add(-31*day), 1, tx, nil),
		"in the future":                    a.notify("SUBSCRIBED", "", now.Add(time.Hour), 1, tx, nil),
		"a receipt":                        object{"signedPayload": a.chain.Sign(tx)},
	} {
		if answer := app.Call("POST", appleHook, body); answer.Status != 400 || answer.Code() != "webhook_refused" {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	if answer := app.Call("POST", appleHook, "{"); answer.Status != 400 {
		t.Errorf("half a body: %d %s", answer.Status, answer.Body)
	}
	if states := a.states(); len(states) != 0 {
		t.Errorf("kept: %v", states)
	}
	app.Want(200, "POST", appleHook, good)
	app.Want(200, "POST", appleHook, a.notify("TEST", "", now.Add(-29*day), 0, nil, nil)) // that old it may be
}

func TestTheSandboxCountsWhereItIsAllowed(t *testing.T) {
	a := openAppStore(t, true, func(c *billing.Config) { c.AppleEnvironments = []string{appstore.Production, appstore.Sandbox} })
	ann := uuid.New()
	tx := with(period("1", testkit.Start), object{"environment": appstore.Sandbox, "appAccountToken": ann.String()})
	a.tell(a.notify("SUBSCRIBED", "INITIAL_BUY", testkit.Start, 1, tx, renewal(tx, testkit.Start, nil), object{
		"data": object{"bundleId": iosApp, "environment": appstore.Sandbox, "status": 1, "signedTransactionInfo": a.chain.Sign(tx)}})) // without an app id
	if p := a.purchaseOf("1"); p.Environment != "sandbox" || p.UserID != ann {
		t.Errorf("row: %+v", p)
	}
	if sub := a.buy(ann, tx); sub.Tier != "pro" {
		t.Errorf("bought: %+v", sub)
	}
}

func TestANotificationIsKeptAndFollowedOnce(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	tx := with(period("1", testkit.Start), object{"appAccountToken": ann.String()})
	body := a.notify("DID_RENEW", "", testkit.Start, 1, tx, renewal(tx, testkit.Start, nil))
	for range 3 {
		a.tell(body)
	}
	if states := a.states(); !slices.Equal(states, []string{"done"}) {
		t.Errorf("states: %v", states)
	}
	if sub := a.has(ann); sub.Tier != "pro" || !sub.AutoRenew {
		t.Errorf("has: %+v", sub)
	}
	if n := a.changed(ann); n != 1 {
		t.Errorf("%d events", n)
	}
	if got := notices(t, a.Service); !slices.Equal(got, []string{"started", "renewed"}) {
		t.Errorf("notices: %v", got)
	}
	if log := changes(t, a.Service, ann); len(log) != 1 || log[0].Actor != "apple" || log[0].Reason != "DID_RENEW" {
		t.Errorf("log: %+v", log)
	}
}

// TestWhatFollowsFromANotification: of every type, what a person has afterwards who had paid for 30 days.
func TestWhatFollowsFromANotification(t *testing.T) {
	a := openAppStore(t, true)
	bought, later := testkit.Start.Add(-10*day), testkit.Start.Add(-time.Minute)
	first := period("", bought)
	next := with(first, object{"transactionId": "n", "purchaseDate": ms(later), "expiresDate": ms(testkit.Start.Add(50 * day))})
	back := object{"revocationDate": ms(later), "revocationReason": 0}
	off := object{"autoRenewStatus": 0}
	grace := object{"isInBillingRetryPeriod": true, "gracePeriodExpiresDate": ms(testkit.Start.Add(6 * day))}
	ended := object{"expiresDate": ms(testkit.Start.Add(-time.Hour))}
	days := func(n int) time.Time { return testkit.Start.Add(time.Duration(n) * day) }
	for _, c := range []struct {
		kind, subtype string
		status        int
		transaction   object // what is different of the first one
		renewal       object
		state         billing.State
		counts, renew bool
		until         time.Time // zero: does not matter
		notices       []string
	}{
		{"SUBSCRIBED", "INITIAL_BUY", 1, nil, nil, billing.Active, true, true, days(20), nil},
		{"SUBSCRIBED", "RESUBSCRIBE", 1, next, nil, billing.Active, true, true, days(50), nil},
		{"DID_RENEW", "", 1, next, nil, billing.Active, true, true, days(50), []string{"renewed"}},
		{"DID_RENEW", "BILLING_RECOVERY", 1, next, nil, billing.Active, true, true, days(50), []string{"renewed"}},
		{"DID_CHANGE_RENEWAL_PREF", "UPGRADE", 1, with(next, object{"productId": iosYearly, "expiresDate": ms(days(365))}), nil, billing.Active, true, true, days(365), nil},
		{"DID_CHANGE_RENEWAL_PREF", "DOWNGRADE", 1, nil, object{"autoRenewProductId": iosYearly}, billing.Active, true, true, days(20), nil},
		{"DID_CHANGE_RENEWAL_PREF", "", 1, nil, nil, billing.Active, true, true, days(20), nil},
		{"DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", 1, nil, off, billing.Active, true, false, days(20), nil},
		{"DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_ENABLED", 1, nil, nil, billing.Active, true, true, days(20), nil},
		{"DID_FAIL_TO_RENEW", "GRACE_PERIOD", 4, ended, grace, billing.PastDue, true, true, time.Time{}, []string{"payment_failed"}},
		{"DID_FAIL_TO_RENEW", "", 3, ended, object{"isInBillingRetryPeriod": true}, billing.OnHold, false, true, time.Time{}, []string{"payment_failed"}},
		{"GRACE_PERIOD_EXPIRED", "", 3, ended, object{"isInBillingRetryPeriod": true}, billing.OnHold, false, true, time.Time{}, nil},
		{"EXPIRED", "VOLUNTARY", 2, ended, off, billing.Expired, false, false, time.Time{}, nil},
		{"EXPIRED", "BILLING_RETRY", 2, ended, off, billing.Expired, false, false, time.Time{}, nil},
		{"EXPIRED", "PRICE_INCREASE", 2, ended, off, billing.Expired, false, false, time.Time{}, nil},
		{"EXPIRED", "PRODUCT_NOT_FOR_SALE", 2, ended, off, billing.Expired, false, false, time.Time{}, nil},
		{"OFFER_REDEEMED", "", 1, with(next, object{"offerDiscountType": "PAY_AS_YOU_GO"}), nil, billing.Active, true, true, days(50), nil},
		{"PRICE_INCREASE", "PENDING", 1, nil, nil, billing.Active, true, true, days(20), nil},
		{"PRICE_INCREASE", "ACCEPTED", 1, nil, nil, billing.Active, true, true, days(20), nil},
		{"REFUND", "", 5, back, off, billing.Revoked, false, false, time.Time{}, nil},
		{"REFUND", "", 2, back, off, billing.Revoked, false, false, time.Time{}, nil},
		{"REFUND", "", 1, back, off, billing.Revoked, false, false, time.Time{}, nil}, // it is the latest period that was given back
		{"REFUND", "", 1, back, object{"renewalDate": ms(days(50))}, billing.Active, true, true, days(50), nil},
		{"REFUND", "", 0, back, off, billing.Revoked, false, false, time.Time{}, nil},
		{"REFUND_DECLINED", "", 1, nil, nil, billing.Active, true, true, days(20), nil},
		{"REFUND_REVERSED", "", 1, nil, nil, billing.Active, true, true, days(20), nil},
		{"RENEWAL_EXTENDED", "", 1, object{"expiresDate": ms(days(25))}, nil, billing.Active, true, true, days(25), nil},
		{"REVOKE", "", 5, back, nil, billing.Revoked, false, false, time.Time{}, nil},
		{"DID_CHANGE_RENEWAL_PREF", "UPGRADE", 1, object{"isUpgraded": true}, object{"productId": iosYearly, "renewalDate": ms(days(365))}, billing.Active, true, true, days(365), nil},
		{"DID_CHANGE_RENEWAL_STATUS", "", 0, nil, nil, billing.Active, true, true, days(20), nil}, // no status is told
		{"DID_FAIL_TO_RENEW", "GRACE_PERIOD", 0, ended, grace, billing.PastDue, true, true, time.Time{}, []string{"payment_failed"}},
		{"DID_FAIL_TO_RENEW", "", 0, ended, object{"isInBillingRetryPeriod": true}, billing.OnHold, false, true, time.Time{}, []string{"payment_failed"}},
		{"EXPIRED", "VOLUNTARY", 0, ended, off, billing.Expired, false, false, time.Time{}, nil},
	} {
		ann, original := uuid.New(), uuid.NewString()
		mine := object{"originalTransactionId": original}
		a.buy(ann, with(first, mine))
		before := len(notices(t, a.Service))
		tx := with(with(first, c.transaction), mine)
		a.tell(a.notify(c.kind, c.subtype, later.Add(30*time.Second), c.status, with(tx, object{"signedDate": ms(later)}), renewal(tx, later, c.renewal)))
		name := c.kind + "." + c.subtype
		p := a.purchaseOf(original)
		if p.State != c.state || p.AutoRenew != c.renew || p.Entitles(a.Clock.Now()) != c.counts || !c.until.IsZero() && !p.ExpiresAt.Equal(c.until) {
			t.Errorf("%s, status %d: %+v", name, c.status, p)
		}
		if (p.GraceUntil != nil) != (c.state == billing.PastDue) {
			t.Errorf("%s, status %d: grace until %v", name, c.status, p.GraceUntil)
		}
		told := slices.DeleteFunc(notices(t, a.Service)[before:], func(kind string) bool { return kind == "ended" || kind == "refunded" })
		if !slices.Equal(told, c.notices) {
			t.Errorf("%s, status %d: notices %v, wanted %v", name, c.status, told, c.notices)
		}
		if sub := a.has(ann); (sub.Tier == "pro") != c.counts {
			t.Errorf("%s, status %d: has %+v", name, c.status, sub)
		}
	}
}

func TestNothingFollowsFromWhatIsNotOurs(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	tx := period("1", testkit.Start)
	a.buy(ann, tx)
	known := a.purchaseOf("1")
	later := testkit.Start.Add(time.Minute)
	gone := with(tx, object{"expiresDate": ms(testkit.Start.Add(-day)), "revocationDate": ms(testkit.Start)})
	app := object{"appAppleId": iosAppID, "bundleId": iosApp, "environment": appstore.Production}
	bodies := []object{
		a.notify("SUBSCRIBED", "", later, 5, with(gone, object{"productId": "app.hearth.sword"}), nil),
		a.notify("SUBSCRIBED", "", later, 5, with(gone, object{"type": "Consumable"}), nil),
		a.notify("REFUND", "", later, 5, nil, nil), // of nothing
		a.notify("RENEWAL_EXTENSION", "SUMMARY", later, 0, nil, nil, object{"data": nil, "summary": app}),
		a.notify("EXTERNAL_PURCHASE_TOKEN", "UNREPORTED", later, 0, nil, nil,
			object{"data": nil, "externalPurchaseToken": object{"appAppleId": iosAppID, "bundleId": iosApp, "externalPurchaseId": "b2158121"}}),
		a.notify("RESCIND_CONSENT", "", later, 0, nil, nil, object{"data": nil, "appData": app}),
	}
	for _, kind := range []string{"CONSUMPTION_REQUEST", "ONE_TIME_CHARGE", "METADATA_UPDATE", "MIGRATION", "TEST", "SOMETHING_NEW"} {
		bodies = append(bodies, a.notify(kind, "", later, 5, gone, nil))
	}
	for i, body := range bodies {
		a.tell(body)
		if states := a.states(); len(states) != i+1 || states[i] != "ignored" {
			t.Errorf("%d: %v", i, states)
		}
	}
	outcomes, err := pg.Column[string](t.Context(), a.DB, `SELECT outcome FROM webhook_events ORDER BY received_at, id`, nil)
	if err != nil || slices.Contains(outcomes, "") || !strings.Contains(outcomes[0], "none of ours") {
		t.Errorf("outcomes %q, %v", outcomes, err)
	}
	if p := a.purchaseOf("1"); p.Version != known.Version {
		t.Errorf("changed: %+v", p)
	}
	sandbox := a.notify("EXTERNAL_PURCHASE_TOKEN", "", later, 0, nil, nil,
		object{"data": nil, "externalPurchaseToken": object{"appAppleId": iosAppID, "bundleId": iosApp, "externalPurchaseId": "SANDBOX_b2158121"}})
	a.AsNobody(t).Refused(400, "webhook_refused", "POST", appleHook, sandbox)
}

// TestALifeEndsTheSameInWhateverOrderItIsTold, each notification twice, with the receipt among them.
func TestALifeEndsTheSameInWhateverOrderItIsTold(t *testing.T) {
	a := openAppStore(t, true)
	at := func(days int) time.Time { return testkit.Start.Add(time.Duration(days-100) * day) }
	for name, c := range map[string]struct {
		tell  func(first, second object) []object
		state billing.State
		until time.Time
	}{
		"given back": {func(first, second object) []object {
			back := with(second, object{"revocationDate": ms(at(91)), "signedDate": ms(at(91))})
			return []object{
				a.notify("SUBSCRIBED", "INITIAL_BUY", at(60), 1, first, renewal(first, at(60), nil)),
				a.notify("DID_RENEW", "", at(90), 1, second, renewal(second, at(90), nil)),
				a.notify("REFUND", "", at(91), 5, back, renewal(second, at(91), object{"autoRenewStatus": 0})),
			}
		}, billing.Revoked, at(120)},
		"given back, and that taken back": {func(first, second object) []object {
			back := with(second, object{"revocationDate": ms(at(91)), "signedDate": ms(at(91))})
			return []object{
				a.notify("DID_RENEW", "", at(90), 1, second, renewal(second, at(90), nil)),
				a.notify("REFUND", "", at(91), 5, back, renewal(second, at(91), object{"autoRenewStatus": 0})),
				a.notify("REFUND_REVERSED", "", at(92), 1, with(second, object{"signedDate": ms(at(92))}), renewal(second, at(92), nil)),
			}
		}, billing.Active, at(120)},
		"an earlier period given back": {func(first, second object) []object {
			back := with(first, object{"revocationDate": ms(at(91)), "signedDate": ms(at(91))})
			return []object{
				a.notify("SUBSCRIBED", "INITIAL_BUY", at(60), 1, first, renewal(first, at(60), nil)),
				a.notify("REFUND", "", at(91), 1, back, renewal(second, at(91), nil)),
				a.notify("DID_RENEW", "", at(90), 1, second, renewal(second, at(90), nil)),
			}
		}, billing.Active, at(120)},
		"failed, and recovered": {func(first, second object) []object {
			return []object{
				a.notify("DID_FAIL_TO_RENEW", "GRACE_PERIOD", at(89), 4, first, renewal(first, at(89), object{"gracePeriodExpiresDate": ms(at(95))})),
				a.notify("DID_RENEW", "BILLING_RECOVERY", at(90), 1, second, renewal(second, at(90), nil)),
				a.notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", at(93), 1, second, renewal(second, at(93), object{"autoRenewStatus": 0})),
			}
		}, billing.Active, at(120)},
	} {
		var outcome *billing.Purchase
		for _, order := range appleOrders(4) {
			ann, original := uuid.New(), uuid.NewString()
			mine := object{"appAccountToken": ann.String(), "originalPurchaseDate": ms(at(60))}
			first, second := with(period(original, at(60)), mine), with(period(original, at(90)), mine)
			bodies := c.tell(first, second)
			for _, i := range slices.Concat(order, order) {
				if i < len(bodies) {
					// What was told 30 days ago and more comes by another way: it is put in as it was kept.
					a.put(bodies[i], original)
					continue
				}
				answer := a.As(t, ann).Call("POST", purchasePath, a.receipt(second))
				if answer.Status != 200 && (answer.Status != 409 || answer.Code() != "receipt_revoked") {
					t.Fatalf("%s %v: %d %s", name, order, answer.Status, answer.Body)
				}
			}
			p := a.purchaseOf(original)
			if p.State != c.state || !p.ExpiresAt.Equal(c.until) || p.UserID != ann {
				t.Fatalf("%s %v: %+v", name, order, p)
			}
			if outcome == nil {
				outcome = &p
			}
			if p.AutoRenew != outcome.AutoRenew || !p.ObservedAt.Equal(outcome.ObservedAt) || !p.StartedAt.Equal(outcome.StartedAt) || p.ProductID != outcome.ProductID {
				t.Errorf("%s %v: %+v, and in another order %+v", name, order, p, outcome)
			}
		}
	}
}

// put keeps a notification as if it had come in time, and waits until it is worked off.
func (a *appStore) put(body object, original string) {
	a.t.Helper()
	raw := `{"signedPayload":"` + body["signedPayload"].(string) + `"}`
	if _, err := pg.Exec(a.t.Context(), a.DB, `
		INSERT INTO webhook_events (id, source, external_id, type, subject, occurred_at, received_at, body, next_at)
		VALUES (gen_random_uuid(), 'apple', gen_random_uuid()::text, 'PUT', @subject, @now, @now, @body::bytea, @now)`,
		pgx.NamedArgs{"subject": original, "now": a.Clock.Now(), "body": []byte(raw)}); err != nil {
		a.t.Fatal(err)
	}
	a.AsNobody(a.t).Want(200, "POST", appleHook, a.notify("TEST", "", a.Clock.Now(), 0, nil, nil)) // wakes the worker
	a.settled()
}

// appleOrders are all the orders of n things.
func appleOrders(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var out [][]int
	for _, shorter := range appleOrders(n - 1) {
		for at := range n {
			out = append(out, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return out
}

// TestWhatAppleToldBeforeAClaimWaits: nothing is lost that Apple told before the app brought its receipt.
func TestWhatAppleToldBeforeAClaimWaits(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	tx := period("1", testkit.Start)
	a.tell(a.notify("SUBSCRIBED", "INITIAL_BUY", testkit.Start, 1, tx, renewal(tx, testkit.Start, nil)))
	a.Clock.Advance(time.Hour)
	a.tell(a.notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", a.Clock.Now(), 1, tx, renewal(tx, a.Clock.Now(), object{"autoRenewStatus": 0})))
	if states := a.states(); !slices.Equal(states, []string{"unclaimed", "unclaimed"}) {
		t.Fatalf("states: %v", states)
	}
	a.Clock.Advance(time.Hour)
	a.buy(ann, with(tx, object{"signedDate": ms(a.Clock.Now())})) // signed later than all that was told
	a.settled()
	if states := a.states(); !slices.Equal(states, []string{"done", "done"}) {
		t.Errorf("states: %v", states)
	}
	if sub := a.has(ann); sub.Tier != "pro" || sub.AutoRenew {
		t.Errorf("has: %+v", sub)
	}
}

// TestWhatWasClaimedMeanwhileIsFound: a notification that was settled as nobody's while its purchase was claimed.
func TestWhatWasClaimedMeanwhileIsFound(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	tx := period("1", testkit.Start)
	a.tell(a.notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", testkit.Start.Add(time.Minute), 1, tx, renewal(tx, testkit.Start, object{"autoRenewStatus": 0})))
	if _, err := pg.Exec(t.Context(), a.DB, `UPDATE webhook_events SET subject = 'hidden'`, nil); err != nil {
		t.Fatal(err)
	}
	a.buy(ann, tx)
	if _, err := pg.Exec(t.Context(), a.DB, `UPDATE webhook_events SET subject = '1'`, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.probe.ReviveClaimed(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.settled()
	if sub := a.has(ann); sub.AutoRenew || !slices.Equal(a.states(), []string{"done"}) {
		t.Errorf("has: %+v, %v", sub, a.states())
	}
}

// TestWhatIsInDoubtIsAsked: two that Apple signed at the same moment say different things. Apple is down meanwhile.
func TestWhatIsInDoubtIsAsked(t *testing.T) {
	a := openAppStore(t, false)
	ann := uuid.New()
	tx := with(period("1", testkit.Start), object{"appAccountToken": ann.String()})
	now := testkit.Start.Add(time.Minute)
	off := renewal(tx, now, object{"autoRenewStatus": 0})
	a.know(appstore.Active, with(tx, object{"signedDate": ms(now.Add(time.Second))}), off)
	a.tell(a.notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", now, 1, tx, off))
	a.api.Fail(503)
	a.AsNobody(t).Want(200, "POST", appleHook, a.notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_ENABLED", now, 1, tx, renewal(tx, now, nil)))
	testkit.Eventually(t, "it was tried", func() bool {
		tries, _, err := pg.Scalar[int](t.Context(), a.DB, `SELECT tries FROM webhook_events WHERE state = 'pending'`, nil)
		return err == nil && tries == 1
	})
	outcome, _, err := pg.Scalar[string](t.Context(), a.DB, `SELECT outcome FROM webhook_events WHERE state = 'pending'`, nil)
	if err != nil || !strings.Contains(outcome, apperr.ShopUnavailable.Name) {
		t.Errorf("outcome %q, %v", outcome, err)
	}
	a.api.Fail(0)
	a.Clock.Advance(time.Minute)
	a.settled()
	if sub := a.has(ann); sub.Tier != "pro" || sub.AutoRenew {
		t.Errorf("has: %+v", sub)
	}
	if refused := a.api.Refused(); len(refused) > 0 {
		t.Errorf("tokens refused: %v", refused)
	}
	// A refund of which it is not said what is left is asked about as well: here the period that counts is another one.
	next := with(period("1", testkit.Start.Add(time.Minute)), object{"appAccountToken": ann.String()})
	a.know(appstore.Active, with(next, object{"signedDate": ms(now.Add(time.Hour))}), renewal(next, now.Add(time.Hour), nil))
	a.Clock.Advance(time.Hour)
	a.tell(a.notify("REFUND", "", now.Add(30*time.Minute), 1, with(tx, object{"revocationDate": ms(now)}), nil))
	if sub := a.has(ann); sub.Tier != "pro" || !sub.AutoRenew || !slices.Equal(a.states(), []string{"done", "done", "done"}) {
		t.Errorf("has: %+v, %v", sub, a.states())
	}
}

// TestWithoutAnApiTheLastOfTwoCounts: there is nobody to ask, and it must not wait for ever.
func TestWithoutAnAPITheLastOfTwoCounts(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	tx := with(period("1", testkit.Start), object{"appAccountToken": ann.String()})
	a.tell(a.notify("SUBSCRIBED", "", testkit.Start, 1, tx, renewal(tx, testkit.Start, nil)))
	a.tell(a.notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", testkit.Start, 1, tx, renewal(tx, testkit.Start, object{"autoRenewStatus": 0})))
	if sub := a.has(ann); sub.AutoRenew || !slices.Equal(a.states(), []string{"done", "done"}) {
		t.Errorf("has: %+v, %v", sub, a.states())
	}
}

// TestANotificationChangesNoOther: it counts for the account that has the purchase, whoever it names.
func TestANotificationChangesNoOther(t *testing.T) {
	a := openAppStore(t, true)
	ann, bob := uuid.New(), uuid.New()
	tx := period("1", testkit.Start)
	a.buy(ann, tx)
	next := with(period("1", testkit.Start.Add(time.Minute)), object{"appAccountToken": bob.String()})
	a.Clock.Advance(time.Hour)
	a.tell(a.notify("DID_RENEW", "", a.Clock.Now(), 1, next, renewal(next, a.Clock.Now(), nil)))
	if p := a.purchaseOf("1"); p.UserID != ann || !p.ExpiresAt.Equal(testkit.Start.Add(time.Minute+30*day)) {
		t.Errorf("row: %+v", p)
	}
	if sub := a.has(bob); len(sub.Purchases) != 0 {
		t.Errorf("the other: %+v", sub)
	}
}

func TestHalfAConfigurationStopsTheStart(t *testing.T) {
	chain := appstoretest.NewChain(t, appstoretest.Options{})
	key := appstoretest.NewAPI(t, time.Now).PrivateKey
	for name, change := range map[string]func(*billing.AppleConfig){
		"no app":                 func(c *billing.AppleConfig) { c.AppleBundleIDs = nil },
		"an empty app":           func(c *billing.AppleConfig) { c.AppleBundleIDs = []string{iosApp, ""} },
		"no app id":              func(c *billing.AppleConfig) { c.AppleAppID = 0 },
		"no environment":         func(c *billing.AppleConfig) { c.AppleEnvironments = nil },
		"another environment":    func(c *billing.AppleConfig) { c.AppleEnvironments = []string{"Xcode"} },
		"no file":                func(c *billing.AppleConfig) { c.AppleRoots = "/nonexistent" },
		"another file":           func(c *billing.AppleConfig) { c.AppleRoots = "apple_notification_test.go" },
		"a key without an id":    func(c *billing.AppleConfig) { c.AppleKey = key },
		"an id without a key":    func(c *billing.AppleConfig) { c.AppleKeyID, c.AppleIssuerID = "k", "i" },
		"a key that is none":     func(c *billing.AppleConfig) { c.AppleKeyID, c.AppleIssuerID, c.AppleKey = "k", "i", "secret" },
		"no app but an app's id": func(c *billing.AppleConfig) { *c = billing.AppleConfig{AppleAppID: 1} },
	} {
		cfg := appleConfig(t, chain)
		change(&cfg.AppleConfig)
		if err := openFails(t, cfg); err == nil || !strings.Contains(err.Error(), "HEARTH_APPLE_") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
