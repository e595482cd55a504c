package billing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"

	"hearth.internal/billing/appstore"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/telemetry"
)

// AppleConfig is how Apple is reached; without it nothing is sold there.
type AppleConfig struct {
	AppleBundleIDs    []string `env:"APPLE_BUNDLE_IDS" doc:"The iOS apps' bundle ids, separated by commas; empty: nothing is sold at Apple"`
	AppleAppID        int64    `env:"APPLE_APP_ID" doc:"The app's Apple ID, as App Store Connect shows it: what Apple tells from production has to be about it"`
	AppleEnvironments []string `env:"APPLE_ENVIRONMENTS" envDefault:"Production" doc:"Whose purchases count: Production, or Production,Sandbox for test builds"`
	AppleRoots        string   `env:"APPLE_ROOTS" doc:"A PEM file with the certificates that purchases have to lead up to; empty: Apple's own"`
	AppleKeyID        string   `env:"APPLE_KEY_ID" doc:"The id of the key for the App Store Server API; empty: Apple is not asked, only listened to"`
	AppleIssuerID     string   `env:"APPLE_ISSUER_ID" doc:"The issuer id beside the key"`
	AppleKey          string   `env:"APPLE_KEY" secret:"true" doc:"The key itself: the text of the .p8 file"`
	AppleURL          string   `env:"APPLE_API_URL" envDefault:"https://api.storekit.itunes.apple.com" doc:"Where the App Store Server API answers"`
	AppleSandboxURL   string   `env:"APPLE_SANDBOX_API_URL" envDefault:"https://api.storekit-sandbox.itunes.apple.com" doc:"Where its sandbox answers"`
}

// appleTime is how long one question to Apple may take.
const appleTime = 10 * time.Second

// appleShop is the App Store.
type appleShop struct {
	config AppleConfig
	roots  *appstore.Roots
	client *appstore.Client // nil: it is not asked
	clock  clock.Clock
}

// openApple opens the shop, if it is configured.
func (s *Service) openApple(cfg Config) (shop, error) {
	c := cfg.AppleConfig
	if len(c.AppleBundleIDs) == 0 {
		if c.AppleAppID != 0 || c.AppleKeyID != "" || c.AppleIssuerID != "" || c.AppleKey != "" {
			return nil, errors.New("there are settings of HEARTH_APPLE_*, but no HEARTH_APPLE_BUNDLE_IDS")
		}
		return nil, nil //nolint:nilnil // not configured
	}
	a := &appleShop{config: c, clock: s.Clock}
	if err := c.check(); err != nil {
		return nil, err
	}
	var err error
	if a.roots, err = c.roots(); err != nil {
		return nil, fmt.Errorf("HEARTH_APPLE_ROOTS: %w", err)
	}
	if a.client, err = c.client(s.Tel, s.Clock); err != nil {
		return nil, err
	}
	return a, nil
}

func (c AppleConfig) check() error {
	for _, e := range c.AppleEnvironments {
		if e != appstore.Production && e != appstore.Sandbox {
			return fmt.Errorf("HEARTH_APPLE_ENVIRONMENTS: there is no %q, only Production and Sandbox", e)
		}
	}
	switch {
	case len(c.AppleEnvironments) == 0:
		return errors.New("HEARTH_APPLE_ENVIRONMENTS is empty: no purchase would count")
	case slices.Contains(c.AppleBundleIDs, ""):
		return errors.New("HEARTH_APPLE_BUNDLE_IDS has an empty one")
	case c.AppleAppID == 0 && c.allows(appstore.Production):
		return errors.New("HEARTH_APPLE_APP_ID is missing: what Apple tells from production is checked by it")
	}
	return nil
}

func (c AppleConfig) allows(environment string) bool {
	return slices.Contains(c.AppleEnvironments, environment)
}

func (c AppleConfig) roots() (*appstore.Roots, error) {
	text := appstore.AppleRoots
	if c.AppleRoots != "" {
		var err error
		if text, err = os.ReadFile(c.AppleRoots); err != nil {
			return nil, err
		}
	}
	return appstore.ParseRoots(text)
}

// client asks production first: most are of there.
func (c AppleConfig) client(tel *telemetry.Telemetry, now clock.Clock) (*appstore.Client, error) {
	if c.AppleKeyID == "" && c.AppleIssuerID == "" && c.AppleKey == "" {
		return nil, nil //nolint:nilnil // it is not asked
	}
	if c.AppleKeyID == "" || c.AppleIssuerID == "" || c.AppleKey == "" {
		return nil, errors.New("HEARTH_APPLE_KEY_ID, HEARTH_APPLE_ISSUER_ID and HEARTH_APPLE_KEY go together")
	}
	key, err := appstore.ParseKey(c.AppleKey)
	if err != nil {
		return nil, fmt.Errorf("HEARTH_APPLE_KEY: %w", err)
	}
	out := &appstore.Client{
		HTTP: quietClient(tel), Bundles: c.AppleBundleIDs, Now: now.Now,
		Key: appstore.Key{ID: c.AppleKeyID, Issuer: c.AppleIssuerID, Private: key},
	}
	for _, e := range []struct{ name, base string }{{appstore.Production, c.AppleURL}, {appstore.Sandbox, c.AppleSandboxURL}} {
		if c.allows(e.name) {
			out.Bases = append(out.Bases, strings.TrimRight(e.base, "/"))
		}
	}
	return out, nil
}

// quietClient tells Apple nothing of our traces, and follows it nowhere else.
func quietClient(tel *telemetry.Telemetry) *http.Client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 3 * time.Second, ResponseHeaderTimeout: appleTime, IdleConnTimeout: time.Minute,
	}
	return &http.Client{
		Transport: otelhttp.NewTransport(transport, otelhttp.WithTracerProvider(tel.Provider),
			otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()), otelhttp.WithMeterProvider(tel.Meters)),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       appleTime,
	}
}

// receipt reads a transaction that StoreKit has signed. It says what was bought, as of when it was bought: a device has old
// ones signed anew, and an old one says nothing of what has become of the subscription since. So of the account's purchase
// it makes something only when it is newer than all that Apple has told.
func (a *appleShop) receipt(_ context.Context, r receipt, terms terms) (evidence, error) {
	var t appstore.Transaction
	if err := a.roots.Verify(r.Transaction, a.clock.Now(), &t); err != nil {
		return evidence{}, apperr.ReceiptInvalid.Wrap(err, "The transaction is not as Apple signs them.")
	}
	switch {
	case !slices.Contains(a.config.AppleBundleIDs, t.BundleID):
		return evidence{}, apperr.ReceiptInvalid.New("The transaction is of another app.")
	case !a.config.allows(t.Environment):
		return evidence{}, apperr.WrongEnvironment.New("Purchases of that environment do not count here.")
	}
	o, err := a.subscription(t, terms)
	if err != nil {
		return evidence{}, apperr.UnknownProduct.Wrap(err, "What was bought is not a subscription that is sold here.")
	}
	now := a.clock.Now()
	o.At, o.AutoRenew = t.PurchaseDate.Time(), true
	if signed := t.SignedDate.Time(); signed.Before(o.At) {
		o.At = signed // a renewal is signed before its period begins
	}
	switch {
	case t.RevocationDate != 0:
		o.State, o.AutoRenew, o.At = Revoked, false, t.RevocationDate.Time()
	case o.ExpiresAt.After(now):
		o.State = Active
	default:
		o.State, o.AutoRenew = Expired, false
	}
	return evidence{Observation: o, SignedAt: t.SignedDate.Time(), Superseded: t.IsUpgraded, Check: a.client != nil && now.Sub(o.At) > settled}, nil
}

// settled is how old a transaction is when more may be known of it than it says itself.
const settled = 5 * time.Minute

// subscription is what a transaction says whatever has become of it since. It fails when it is no subscription of ours.
func (a *appleShop) subscription(t appstore.Transaction, terms terms) (Observation, error) {
	tier, sold := terms.tierOf(Apple, t.ProductID)
	switch {
	case t.Type != appstore.AutoRenewable:
		return Observation{}, fmt.Errorf("product %q is no subscription", t.ProductID)
	case !sold:
		return Observation{}, fmt.Errorf("product %q is none of ours", t.ProductID)
	case t.OriginalTransactionID == "" || t.ExpiresDate == 0 || t.PurchaseDate == 0:
		return Observation{}, errors.New("the transaction does not say of what, since when or until when it is")
	}
	started := t.OriginalPurchaseDate
	if started == 0 {
		started = t.PurchaseDate
	}
	return Observation{
		UserID: buyer(t.AppAccountToken), ExternalID: t.OriginalTransactionID, ProductID: t.ProductID, Tier: tier,
		Environment: strings.ToLower(t.Environment), IsTrial: t.OfferDiscountType == appstore.FreeTrial,
		StartedAt: started.Time(), ExpiresAt: t.ExpiresDate.Pointer(),
	}, nil
}

// buyer is whom the app made the purchase for; none where it did not say.
func buyer(token string) uuid.UUID {
	id, err := uuid.Parse(token)
	if err != nil {
		return uuid.Nil
	}
	return id
}

// ask asks the App Store Server API. Without a key for it there is only what Apple tells.
func (a *appleShop) ask(ctx context.Context, external string, terms terms) (Observation, error) {
	if a.client == nil {
		return Observation{}, errCannotAsk
	}
	last, err := a.client.Subscription(ctx, external)
	if e, ok := errors.AsType[*appstore.UnavailableError](err); ok {
		return Observation{}, apperr.ShopUnavailable.Wrap(err, "Apple does not answer; try again.").After(e.RetryAfter)
	}
	if errors.Is(err, appstore.ErrNotFound) {
		return Observation{}, errNoSuchPurchase
	}
	if err != nil {
		return Observation{}, err
	}
	facts, err := a.facts(last.Status, last.SignedTransactionInfo, last.SignedRenewalInfo)
	if err != nil {
		return Observation{}, fmt.Errorf("answer of Apple: %w", err)
	}
	o, _, err := a.observation(facts, terms)
	if err != nil {
		return Observation{}, fmt.Errorf("answer of Apple: %w", err)
	}
	o.At, o.Asked = max(facts.transaction.SignedDate, facts.renewal.SignedDate).Time(), true
	return o, nil
}

// run: nothing can be done at Apple. What was bought there only its buyer cancels.
func (a *appleShop) run(_ context.Context, e errand) error {
	return fmt.Errorf("apple runs no errand: %s", e.Kind)
}
