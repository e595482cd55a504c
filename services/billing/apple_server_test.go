package billing_test

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/billing"
	"hearth.internal/billing/appstore"
	"hearth.internal/billing/appstore/appstoretest"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

const (
	iosApp     = "app.hearth.test"
	iosAppID   = 1234567890
	iosMonthly = "app.hearth.pro.month"
	iosYearly  = "app.hearth.pro.year"

	purchasePath = "/api/subscription/purchase/"
	restorePath  = "/api/subscription/restore/"
	appleHook    = "/api/subscription/webhook/apple/"
)

// appStore is the service with an App Store of its own.
type appStore struct {
	*testkit.Service
	t     testing.TB
	probe *billing.Probe
	chain *appstoretest.Chain
	api   *appstoretest.API // of production
}

// appleConfig is a configuration for purchases that the chain signs; Apple is not asked.
func appleConfig(t testing.TB, chain *appstoretest.Chain) billing.Config {
	t.Helper()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, chain.Root, 0o600); err != nil {
		t.Fatal(err)
	}
	return billing.Config{Service: testkit.Config(t, "billing"), AppleConfig: billing.AppleConfig{
		AppleBundleIDs: []string{iosApp}, AppleAppID: iosAppID, AppleEnvironments: []string{appstore.Production}, AppleRoots: roots,
	}}
}

// openAppStore runs the service. Apple is asked there unless deaf.
func openAppStore(t testing.TB, deaf bool, options ...func(*billing.Config)) *appStore {
	t.Helper()
	a := &appStore{t: t, chain: appstoretest.NewChain(t, appstoretest.Options{})}
	cfg := appleConfig(t, a.chain)
	now := func() time.Time { return testkit.Start }
	if !deaf {
		a.api = appstoretest.NewAPI(t, func() time.Time { return now() }, iosApp)
		cfg.AppleURL, cfg.AppleKeyID, cfg.AppleIssuerID, cfg.AppleKey = a.api.URL, a.api.KeyID, a.api.Issuer, a.api.PrivateKey
	}
	for _, option := range options {
		option(&cfg)
	}
	service, probe := billing.NewWithProbe(cfg)
	a.probe, a.Service = probe, testkit.Run(t, cfg.Service, service)
	now = a.Clock.Now
	if _, err := pg.Exec(t.Context(), a.DB, `INSERT INTO products (source, product_id, tier, period) VALUES
		('apple', @monthly, 'pro', 'month'), ('apple', @yearly, 'pro', 'year')`, pgx.NamedArgs{"monthly": iosMonthly, "yearly": iosYearly}); err != nil {
		t.Fatal(err)
	}
	return a
}

type object = map[string]any

func ms(t time.Time) int64 { return t.UnixMilli() }

// with is the object with other members.
func with(o object, members object) object {
	out := maps.Clone(o)
	maps.Copy(out, members)
	return out
}

// period is a transaction: 30 days of the monthly subscription, bought and signed at a time.
func period(original string, at time.Time) object {
	return object{
		"transactionId": original + "-" + at.Format("0102"), "originalTransactionId": original, "bundleId": iosApp, "productId": iosMonthly,
		"type": appstore.AutoRenewable, "environment": appstore.Production, "purchaseDate": ms(at), "originalPurchaseDate": ms(at),
		"expiresDate": ms(at.Add(30 * day)), "signedDate": ms(at), "inAppOwnershipType": "PURCHASED",
	}
}

// renewal is what comes after a transaction.
func renewal(transaction object, at time.Time, members object) object {
	return with(object{
		"originalTransactionId": transaction["originalTransactionId"], "productId": transaction["productId"], "environment": transaction["environment"],
		"autoRenewStatus": 1, "renewalDate": transaction["expiresDate"], "signedDate": ms(at),
	}, members)
}

// notify is the body of a notification that is signed at a time. transaction and renewal are signed as well, where there
// are any.
func (a *appStore) notify(kind, subtype string, at time.Time, status int, transaction, renewal object, members ...object) object {
	data := object{"appAppleId": iosAppID, "bundleId": iosApp, "environment": appstore.Production, "status": status}
	if transaction != nil {
		data["signedTransactionInfo"] = a.chain.Sign(transaction)
	}
	if renewal != nil {
		data["signedRenewalInfo"] = a.chain.Sign(renewal)
	}
	payload := object{
		"notificationType": kind, "subtype": subtype, "notificationUUID": uuid.NewString(), "version": "2.0", "signedDate": ms(at), "data": data,
	}
	for _, m := range members {
		payload = with(payload, m)
	}
	return object{"signedPayload": a.chain.Sign(payload)}
}

// tell delivers a notification, and waits until it is worked off.
func (a *appStore) tell(body object) {
	a.t.Helper()
	a.AsNobody(a.t).Want(200, "POST", appleHook, body)
	a.settled()
}

func (a *appStore) settled() {
	a.t.Helper()
	testkit.Eventually(a.t, "all that was told is worked off", func() bool {
		n, _, err := pg.Scalar[int](a.t.Context(), a.DB, `SELECT count(*) FROM webhook_events WHERE state = 'pending'`, nil)
		return err == nil && n == 0
	})
}

// states are what came of the notifications, in the order in which they came.
func (a *appStore) states() []string {
	a.t.Helper()
	states, err := pg.Column[string](a.t.Context(), a.DB, `SELECT state FROM webhook_events ORDER BY received_at, id`, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return states
}

// buy brings a transaction, and wants it taken.
func (a *appStore) buy(user uuid.UUID, transaction object) billing.Subscription {
	a.t.Helper()
	return testkit.JSON[billing.Subscription](a.t, a.As(a.t, user).Want(200, "POST", purchasePath, a.receipt(transaction)))
}

func (a *appStore) receipt(transaction object) object {
	return object{"platform": "ios", "signed_transaction": a.chain.Sign(transaction)}
}

func (a *appStore) has(user uuid.UUID) billing.Subscription {
	a.t.Helper()
	return testkit.JSON[billing.Subscription](a.t, a.As(a.t, user).Want(200, "GET", "/api/subscription/", nil))
}

// purchaseOf is the purchase as its row has it; none: its zero value.
func (a *appStore) purchaseOf(original string) billing.Purchase {
	a.t.Helper()
	p, _, err := pg.One[billing.Purchase](a.t.Context(), a.DB, `SELECT * FROM purchases WHERE source = 'apple' AND external_id = @id`, pgx.NamedArgs{"id": original})
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// know has the App Store answer this of a subscription.
func (a *appStore) know(status appstore.Status, transaction, renewal object) {
	a.api.Know(appstore.LastTransaction{
		OriginalTransactionID: transaction["originalTransactionId"].(string), Status: status,
		SignedTransactionInfo: a.chain.Sign(transaction), SignedRenewalInfo: a.chain.Sign(renewal),
	})
}

// changed is how many events tell of the person's subscription.
func (a *appStore) changed(user uuid.UUID) int {
	a.t.Helper()
	n := 0
	for _, raw := range a.Outbox(a.t, "subscription.changed") {
		var e struct {
			UserID uuid.UUID `json:"user_id"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			a.t.Fatal(err)
		}
		if e.UserID == user {
			n++
		}
	}
	return n
}

// openFails is why the service does not open.
func openFails(t testing.TB, cfg billing.Config) error {
	t.Helper()
	_, err := boot.Open(t.Context(), billing.New(cfg), boot.Options{Config: cfg.Service, LogOut: io.Discard, OpsOff: true})
	return err
}
