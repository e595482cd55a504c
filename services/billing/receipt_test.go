package billing_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/billing"
	"hearth.internal/billing/appstore"
	"hearth.internal/billing/appstore/appstoretest"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestAPurchaseAtAppleCounts(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	for range 2 { // the second time it is known
		sub := a.buy(ann, with(period("1", testkit.Start), object{"appAccountToken": ann.String()}))
		if sub.Tier != "pro" || sub.Source != billing.Apple || sub.Reason != billing.IsPaid || !sub.AutoRenew || !sub.ExpiresAt.Equal(testkit.Start.Add(30*day)) {
			t.Errorf("bought: %+v", sub)
		}
		if len(sub.Purchases) != 1 || sub.Purchases[0].ManageURL == nil || sub.Purchases[0].EndsWithAccount {
			t.Errorf("purchases: %+v", sub.Purchases)
		}
	}
	if sub := a.has(ann); sub.Tier != "pro" {
		t.Errorf("afterwards: %+v", sub)
	}
	p := a.purchaseOf("1")
	if p.UserID != ann || p.ProductID != iosMonthly || p.State != billing.Active || p.Environment != "production" || p.Version != 1 || !p.ObservedAt.Equal(testkit.Start) {
		t.Errorf("row: %+v", p)
	}
	if n := a.changed(ann); n != 1 {
		t.Errorf("%d events", n)
	}
	log := changes(t, a.Service, ann)
	if len(log) != 1 || log[0].Actor != "person" || log[0].Reason != "purchase" || log[0].After.Tier != "pro" {
		t.Errorf("log: %+v", log)
	}
	if got := notices(t, a.Service); !slices.Equal(got, []string{"started"}) {
		t.Errorf("notices: %v", got)
	}
}

func TestATrialAtAppleIsHadOnce(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	if sub := a.buy(ann, with(period("1", testkit.Start), object{"offerType": 1, "offerDiscountType": "FREE_TRIAL"})); !sub.Trial || sub.Reason != billing.IsTried || !sub.TrialUsed {
		t.Errorf("tried: %+v", sub)
	}
}

func TestAReceiptThatIsNotGoodIsRefused(t *testing.T) {
	a := openAppStore(t, true)
	other := appstoretest.NewChain(t, appstoretest.Options{})
	good := period("1", testkit.Start)
	parts := strings.Split(a.chain.Sign(good), ".")
	longer := strings.Split(a.chain.Sign(with(good, object{"expiresDate": ms(testkit.Start.AddDate(10, 0, 0))})), ".")
	sign := func(members object) string { return a.chain.Sign(with(good, members)) }
	for name, c := range map[string]struct {
		signed string
		status int
		code   string
	}{
		"by somebody else":              {other.Sign(good), 422, "receipt_invalid"},
		"altered":                       {parts[0] + "." + longer[1] + "." + parts[2], 422, "receipt_invalid"},
		"no transaction":                {"hello", 422, "receipt_invalid"},
		"of another app":                {sign(object{"bundleId": "app.other"}), 422, "receipt_invalid"},
		"of the sandbox":                {sign(object{"environment": appstore.Sandbox}), 422, "receipt_wrong_environment"},
		"of Xcode":                      {sign(object{"environment": "Xcode"}), 422, "receipt_wrong_environment"},
		"no subscription":               {sign(object{"type": "Consumable"}), 422, "unknown_product"},
		"of a product that is not ours": {sign(object{"productId": "app.hearth.sword"}), 422, "unknown_product"},
		"without an end":                {sign(object{"expiresDate": 0}), 422, "unknown_product"},
		"made for another account":      {sign(object{"appAccountToken": uuid.NewString()}), 409, "receipt_of_another_account"},
		"over":                          {a.chain.Sign(period("1", testkit.Start.Add(-30*day))), 409, "receipt_expired"},
		"refunded":                      {sign(object{"revocationDate": ms(testkit.Start), "revocationReason": 0}), 409, "receipt_revoked"},
		"upgraded":                      {sign(object{"isUpgraded": true}), 409, "receipt_superseded"},
	} {
		ann := uuid.New()
		answer := a.As(t, ann).Call("POST", purchasePath, object{"platform": "ios", "signed_transaction": c.signed})
		if answer.Status != c.status || answer.Code() != c.code {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		if strings.Contains(string(answer.Body), c.signed) {
			t.Errorf("%s: the answer repeats the receipt", name)
		}
		if sub := a.has(ann); sub.Tier != "free" || len(sub.Purchases) != 0 {
			t.Errorf("%s: %+v", name, sub)
		}
	}
	if n, _, err := pg.Scalar[int](t.Context(), a.DB, `SELECT count(*) FROM purchases`, nil); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestAReceiptFitsItsPlatform(t *testing.T) {
	a := openAppStore(t, true)
	app := a.As(t, uuid.New())
	for _, body := range []object{
		{"platform": "ios"}, {"platform": "android"}, {"platform": "web", "signed_transaction": "x"}, {"signed_transaction": "x"},
		{"platform": "ios", "product_id": "p", "purchase_token": "t"}, {"platform": "android", "signed_transaction": "x"},
		{"platform": "android", "product_id": "p"}, {"platform": "android", "purchase_token": "t"},
		{"platform": "ios", "signed_transaction": "x", "purchase_token": "t"}, {"platform": "ios", "signed_transaction": "x", "tier": "pro"},
		{"platform": "ios", "signed_transaction": strings.Repeat("x", 20001)},
	} {
		app.Refused(422, "validation_failed", "POST", purchasePath, body)
	}
	many := slices.Repeat([]string{"x"}, 51)
	for _, body := range []object{
		{"platform": "ios"}, {"platform": "ios", "signed_transactions": []string{}}, {"platform": "ios", "signed_transactions": many},
		{"platform": "android", "signed_transactions": many[:1]}, {"platform": "android", "purchases": []object{{"product_id": "p"}}},
		{"platform": "ios", "signed_transactions": many[:1], "purchases": []object{{"product_id": "p", "purchase_token": "t"}}},
	} {
		app.Refused(422, "validation_failed", "POST", restorePath, body)
	}
	a.AsNobody(t).Refused(401, "authentication_required", "POST", purchasePath, object{"platform": "ios", "signed_transaction": "x"})
}

func TestWhatIsNotSoldHereIsNotTaken(t *testing.T) {
	s := run(t)
	app := s.As(t, uuid.New())
	app.Refused(409, "not_sold_here", "POST", purchasePath, object{"platform": "ios", "signed_transaction": "x"})
	app.Refused(409, "not_sold_here", "POST", purchasePath, object{"platform": "android", "product_id": "p", "purchase_token": "t"})
	app.Refused(409, "not_sold_here", "POST", restorePath, object{"platform": "ios", "signed_transactions": []string{"x"}})
}

func TestAPurchaseIsOneAccounts(t *testing.T) {
	a := openAppStore(t, true)
	ann, bob := uuid.New(), uuid.New()
	a.buy(ann, period("1", testkit.Start))
	a.As(t, bob).Refused(409, "receipt_of_another_account", "POST", purchasePath, a.receipt(period("1", testkit.Start)))
	// Nor has another the next period of it.
	a.Clock.Advance(30 * day)
	a.As(t, bob).Refused(409, "receipt_of_another_account", "POST", purchasePath, a.receipt(period("1", testkit.Start.Add(30*day))))
	if sub := a.has(bob); sub.Tier != "free" || len(sub.Purchases) != 0 {
		t.Errorf("the other: %+v", sub)
	}
}

// TestTwoAccountsBringOneReceipt: at the same moment, by either operation, one has it.
func TestTwoAccountsBringOneReceipt(t *testing.T) {
	a := openAppStore(t, true)
	for range 5 {
		original := uuid.NewString()
		signed := a.chain.Sign(period(original, testkit.Start))
		people := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
		answers := make([]testkit.Answer, len(people))
		var all sync.WaitGroup
		for i, person := range people {
			all.Go(func() {
				path, body := purchasePath, object{"platform": "ios", "signed_transaction": signed}
				if i%2 == 1 {
					path, body = restorePath, object{"platform": "ios", "signed_transactions": []string{signed, signed}}
				}
				answers[i] = a.As(t, person).Call("POST", path, body)
			})
		}
		all.Wait()
		owners := 0
		for i, person := range people {
			sub := a.has(person)
			if sub.Tier == "pro" {
				owners++
			}
			if i%2 == 0 && (answers[i].Status == 200) != (sub.Tier == "pro") || i%2 == 1 && answers[i].Status != 200 {
				t.Errorf("%s has %s: %d %s", person, sub.Tier, answers[i].Status, answers[i].Body)
			}
			if answers[i].Status == 409 && answers[i].Code() != "receipt_of_another_account" {
				t.Errorf("refused with %s", answers[i].Body)
			}
		}
		if owners != 1 {
			t.Fatalf("%d have it", owners)
		}
	}
}

// TestAnOldReceiptOfWhatGoesOnIsGood: it takes nothing back, whenever it was signed.
func TestAnOldReceiptOfWhatGoesOnIsGood(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	first, second := period("1", testkit.Start), period("1", testkit.Start.Add(30*day))
	a.buy(ann, first)
	a.Clock.Advance(30 * day)
	a.buy(ann, second)
	a.tell(a.notify("DID_CHANGE_RENEWAL_STATUS", "AUTO_RENEW_DISABLED", a.Clock.Now().Add(time.Minute), 1, second,
		renewal(second, a.Clock.Now(), object{"autoRenewStatus": 0})))
	known := a.purchaseOf("1")
	signedToday := ms(a.Clock.Now().Add(2 * time.Minute))
	for name, receipt := range map[string]object{
		"the first":                      first,
		"the second":                     second,
		"the first, signed anew":         with(first, object{"signedDate": signedToday}),
		"the first, given back":          with(first, object{"signedDate": signedToday, "revocationDate": signedToday}),
		"the first, when it was changed": with(first, object{"signedDate": signedToday, "isUpgraded": true}),
		"the second, signed anew":        with(second, object{"signedDate": signedToday}),
	} {
		sub := a.buy(ann, receipt)
		if sub.Tier != "pro" || sub.AutoRenew || !sub.ExpiresAt.Equal(testkit.Start.Add(60*day)) {
			t.Errorf("%s: %+v", name, sub)
		}
	}
	if p := a.purchaseOf("1"); p.Version != known.Version {
		t.Errorf("changed: %+v", p)
	}
}

// TestAReceiptOfWhatWasGivenBack: what Apple has told since counts more than what it has signed before; and a receipt that
// says so itself is believed at once.
func TestAReceiptOfWhatWasGivenBack(t *testing.T) {
	a := openAppStore(t, true)
	ann, bob := uuid.New(), uuid.New()
	bought := period("1", testkit.Start)
	a.buy(ann, bought)
	refunded := with(bought, object{"revocationDate": ms(testkit.Start.Add(time.Minute)), "signedDate": ms(testkit.Start.Add(time.Minute))})
	a.tell(a.notify("REFUND", "", testkit.Start.Add(time.Minute), 5, refunded, renewal(bought, testkit.Start, object{"autoRenewStatus": 0})))
	a.As(t, ann).Refused(409, "receipt_revoked", "POST", purchasePath, a.receipt(bought))

	bought = period("2", testkit.Start)
	a.buy(bob, bought)
	refunded = with(bought, object{"revocationDate": ms(testkit.Start.Add(time.Minute)), "signedDate": ms(testkit.Start.Add(time.Minute))})
	a.As(t, bob).Refused(409, "receipt_revoked", "POST", purchasePath, a.receipt(refunded))
	for _, person := range []uuid.UUID{ann, bob} {
		if sub := a.has(person); sub.Tier != "free" || sub.State != billing.Revoked || sub.Reason != billing.IsRefunded {
			t.Errorf("given back: %+v", sub)
		}
	}
	if got := notices(t, a.Service); !slices.Equal(got, []string{"started", "refunded", "started", "refunded"}) {
		t.Errorf("notices: %v", got)
	}
}

func TestRestoringTakesWhatIsGood(t *testing.T) {
	a := openAppStore(t, true, func(c *billing.Config) { c.DatabasePrepare = false }) // as behind PgBouncer
	ann, bob := uuid.New(), uuid.New()
	a.buy(bob, period("bobs", testkit.Start))
	ago := func(days int) time.Time { return testkit.Start.Add(-time.Duration(days) * day) }
	signed := []string{}
	for _, tx := range []object{
		period("mine", ago(70)), period("mine", ago(10)), period("mine", ago(40)), // of one subscription, the last goes on
		period("bobs", testkit.Start), period("old", ago(100)),
		with(period("back", ago(1)), object{"revocationDate": ms(ago(0))}),
		with(period("toy", ago(1)), object{"type": "Consumable"}),
		with(period("year", ago(20)), object{"productId": iosYearly, "expiresDate": ms(testkit.Start.Add(345 * day))}),
		with(period("test", ago(1)), object{"environment": appstore.Sandbox}),
	} {
		signed = append(signed, a.chain.Sign(tx))
	}
	signed = append(signed, "hello")
	want := []string{"", "", "", "receipt_of_another_account", "receipt_expired", "receipt_revoked", "unknown_product", "", "receipt_wrong_environment", "receipt_invalid"}
	for range 2 {
		out := testkit.JSON[billing.Restored](t, a.As(t, ann).Want(200, "POST", restorePath, object{"platform": "ios", "signed_transactions": signed}))
		if out.Tier != "pro" || !out.ExpiresAt.Equal(testkit.Start.Add(345*day)) || len(out.Purchases) != 2 || len(out.Results) != len(want) {
			t.Fatalf("restored: %+v", out)
		}
		for i, r := range out.Results {
			if got := code(r.Code); got != want[i] || r.Index != i || (r.Detail == "") != (got == "") {
				t.Errorf("%d: %+v, wanted %q", i, r, want[i])
			}
		}
	}
	if n := a.changed(ann); n != 1 {
		t.Errorf("%d events for one restore, and one that changed nothing", n)
	}
	if log := changes(t, a.Service, ann); len(log) != 1 || log[0].Reason != "restore" {
		t.Errorf("log: %+v", log)
	}
	if p := a.purchaseOf("mine"); !p.ExpiresAt.Equal(testkit.Start.Add(20 * day)) {
		t.Errorf("row: %+v", p)
	}
}

func code(c *string) string {
	if c == nil {
		return ""
	}
	return *c
}

// TestAnOldReceiptHasAppleAsked: it may not be the last word. Meanwhile it counts.
func TestAnOldReceiptHasAppleAsked(t *testing.T) {
	a := openAppStore(t, false)
	ann, bob := uuid.New(), uuid.New()
	fresh := period("2", testkit.Start.Add(-time.Minute))
	a.buy(bob, fresh)
	if p := a.purchaseOf("2"); p.CheckAt == nil || !p.CheckAt.Equal(*p.ExpiresAt) {
		t.Errorf("a fresh one: %+v", p)
	}
	old := period("1", testkit.Start.Add(-10*day))
	if sub := a.buy(ann, old); sub.Tier != "pro" || !sub.AutoRenew {
		t.Errorf("an old one: %+v", sub)
	}
	if p := a.purchaseOf("1"); p.CheckAt == nil || p.CheckAt.After(a.Clock.Now()) {
		t.Errorf("an old one: %+v", p)
	}
	a.know(appstore.Active, with(old, object{"signedDate": ms(testkit.Start)}), renewal(old, testkit.Start, object{"autoRenewStatus": 0}))
	if err := a.probe.AskShops(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sub := a.has(ann); sub.Tier != "pro" || sub.AutoRenew {
		t.Errorf("asked: %+v", sub)
	}
	if log := changes(t, a.Service, ann); len(log) != 2 || log[1].Actor != "apple" || log[1].Reason != "reconciled" {
		t.Errorf("log: %+v", log)
	}
	if a.api.Asked() != 1 || len(a.api.Refused()) > 0 {
		t.Errorf("asked %d times, refused: %v", a.api.Asked(), a.api.Refused())
	}
}

// TestWhoCannotAskDoesNotTryAllTheTime: without a key for Apple's API a purchase that should have been renewed is no error.
func TestWhoCannotAskDoesNotTryAllTheTime(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	a.buy(ann, period("1", testkit.Start))
	a.Clock.Advance(30*day + time.Hour)
	if err := a.probe.AskShops(t.Context()); err != nil {
		t.Errorf("asked: %v", err)
	}
	if sub := a.has(ann); sub.Tier != "pro" {
		t.Errorf("an hour late: %+v", sub)
	}
	a.Clock.Advance(day)
	if sub := a.has(ann); sub.Tier != "free" {
		t.Errorf("a day late: %+v", sub)
	}
}

// TestAReceiptOfALaterPeriodIsNews: also when that period began before Apple told that it could not be paid.
func TestAReceiptOfALaterPeriodIsNews(t *testing.T) {
	a := openAppStore(t, true)
	ann := uuid.New()
	first := period("1", testkit.Start.Add(-30*day-time.Hour))
	second := period("1", testkit.Start.Add(-time.Hour))
	a.Clock.Set(testkit.Start.Add(-2 * day))
	a.buy(ann, first)
	a.Clock.Set(testkit.Start)
	a.tell(a.notify("DID_FAIL_TO_RENEW", "", testkit.Start.Add(-time.Minute), 3, first, renewal(first, testkit.Start, object{"isInBillingRetryPeriod": true})))
	if sub := a.has(ann); sub.Tier != "free" || sub.State != billing.OnHold {
		t.Fatalf("not paid: %+v", sub)
	}
	if sub := a.buy(ann, second); sub.Tier != "free" {
		t.Errorf("signed before it failed: %+v", sub)
	}
	if sub := a.buy(ann, with(second, object{"signedDate": ms(testkit.Start)})); sub.Tier != "pro" {
		t.Errorf("signed since: %+v", sub)
	}
}

// TestWhoBeginsAnewBringsWhatTheyPayFor: deleting an account does not end what Apple sells, so that its buyer would pay for
// nothing.
func TestWhoBeginsAnewBringsWhatTheyPayFor(t *testing.T) {
	a := openAppStore(t, true)
	before, after, other := uuid.New(), uuid.New(), uuid.New()
	receipt := with(period("1", testkit.Start), object{"appAccountToken": before.String()})
	a.buy(before, receipt)
	a.As(t, after).Refused(409, "receipt_of_another_account", "POST", purchasePath, a.receipt(receipt))
	testkit.Deliver(t, a.Service, events.UserDeleted, events.Person{ID: before})
	if sub := a.buy(after, receipt); sub.Tier != "pro" || sub.Source != billing.Apple {
		t.Errorf("brought along: %+v", sub)
	}
	a.As(t, other).Refused(409, "receipt_of_another_account", "POST", purchasePath, a.receipt(receipt))
}
