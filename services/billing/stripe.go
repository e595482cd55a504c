package billing

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// StripeConfig is how Stripe is reached; without it nothing is sold there.
type StripeConfig struct {
	StripeSecretKey      string   `env:"STRIPE_SECRET_KEY" secret:"true" doc:"Stripe's secret or restricted key (sk_live_..., rk_live_..., or those of the test mode); empty: nothing is sold by Stripe"`
	StripeWebhookSecrets []string `env:"STRIPE_WEBHOOK_SECRET" secret:"true" doc:"What Stripe signs its webhooks with (whsec_...); several with commas while it is rolled"`
	StripeAPIURL         string   `env:"STRIPE_API_URL" envDefault:"https://api.stripe.com" doc:"Where Stripe answers"`
	CheckoutSuccessURL   string   `env:"CHECKOUT_SUCCESS_URL" doc:"Where Stripe's checkout leads who has bought; {CHECKOUT_SESSION_ID} in it is filled in"`
	CheckoutCancelURL    string   `env:"CHECKOUT_CANCEL_URL" doc:"Where Stripe's checkout leads who turns back"`
	PortalReturnURL      string   `env:"PORTAL_RETURN_URL" doc:"Where Stripe's billing portal leads back to"`
	StripeAutomaticTax   bool     `env:"STRIPE_AUTOMATIC_TAX" envDefault:"false" doc:"Stripe works out the taxes (Stripe Tax, to be set up there); then its checkout asks for an address"`
}

const (
	stripeTime    = 12 * time.Second // for what a person waits for, below the service's own limit
	stripeAttempt = 10 * time.Second // for one try
	stripeRetries = 2
	stripeIdle    = 4 * time.Minute
)

// stripeShop is Stripe: a purchase's external id is the subscription's, a product's the price's.
type stripeShop struct {
	*Service
	cfg  StripeConfig
	api  *client.API
	live bool // else the keys are of Stripe's test mode
}

// openStripe opens the shop, if it is configured.
func (s *Service) openStripe(all Config) (shop, error) {
	cfg := all.StripeConfig
	needed := map[string]bool{
		"STRIPE_SECRET_KEY": cfg.StripeSecretKey != "", "STRIPE_WEBHOOK_SECRET": len(cfg.StripeWebhookSecrets) > 0,
		"CHECKOUT_SUCCESS_URL": cfg.CheckoutSuccessURL != "", "CHECKOUT_CANCEL_URL": cfg.CheckoutCancelURL != "", "PORTAL_RETURN_URL": cfg.PortalReturnURL != "",
	}
	var missing []string
	for name, given := range needed {
		if !given {
			missing = append(missing, "HEARTH_"+name)
		}
	}
	if len(missing) == len(needed) {
		return nil, nil //nolint:nilnil // not configured
	}
	if slices.Sort(missing); len(missing) > 0 {
		return nil, fmt.Errorf("half configured: %s missing", strings.Join(missing, ", "))
	}
	live, err := stripeMode(cfg.StripeSecretKey)
	if err != nil {
		return nil, err
	}
	if slices.Contains(cfg.StripeWebhookSecrets, "") {
		return nil, errors.New("an empty secret in HEARTH_STRIPE_WEBHOOK_SECRET")
	}
	for name, address := range map[string]string{
		"STRIPE_API_URL": cfg.StripeAPIURL, "CHECKOUT_SUCCESS_URL": cfg.CheckoutSuccessURL, "CHECKOUT_CANCEL_URL": cfg.CheckoutCancelURL,
		"PORTAL_RETURN_URL": cfg.PortalReturnURL,
	} {
		if u, err := url.Parse(address); err != nil || u.Scheme == "" || u.Host == "" {
			return nil, fmt.Errorf("HEARTH_%s is no address", name)
		}
	}
	return &stripeShop{Service: s, cfg: cfg, api: stripeClient(cfg, s.Tel), live: live}, nil
}

// stripeMode reads off a key whether it is of Stripe's live mode. The error does not repeat it.
func stripeMode(key string) (live bool, err error) {
	for _, kind := range []string{"sk_", "rk_"} {
		if strings.HasPrefix(key, kind+"live_") || strings.HasPrefix(key, kind+"test_") {
			return strings.HasPrefix(key, kind+"live_"), nil
		}
	}
	return false, errors.New("HEARTH_STRIPE_SECRET_KEY is no secret key of Stripe's")
}

// stripeClient shares nothing with another one, and logs nothing: an error of Stripe's may hold a payment's secret.
func stripeClient(cfg StripeConfig, tel *telemetry.Telemetry) *client.API {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: stripeIdle,
	}
	traced := otelhttp.NewTransport(transport, otelhttp.WithTracerProvider(tel.Provider), otelhttp.WithMeterProvider(tel.Meters))
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: &cfg.StripeAPIURL, HTTPClient: &http.Client{Transport: traced, Timeout: stripeAttempt}, MaxNetworkRetries: stripe.Int64(stripeRetries),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}, EnableTelemetry: stripe.Bool(false),
	})
	return client.New(cfg.StripeSecretKey, &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
}

// stripe answers the shop. It fails with not_sold_here when it is not configured.
func (s *Service) stripe() (*stripeShop, error) {
	shop, err := s.shop(Stripe)
	if err != nil {
		return nil, err
	}
	return shop.(*stripeShop), nil
}

// run does what is to be done there: what is gone already is done.
func (s *stripeShop) run(ctx context.Context, e errand) error {
	switch e.Kind {
	case cancelNow:
		_, err := s.api.Subscriptions.Cancel(e.ExternalID, &stripe.SubscriptionCancelParams{Params: stripe.Params{Context: ctx}})
		return stripeFailure(err)
	case forget:
		_, err := s.api.Customers.Del(e.ExternalID, &stripe.CustomerParams{Params: stripe.Params{Context: ctx}})
		return stripeFailure(err)
	default:
		return fmt.Errorf("%s is nothing that is done at Stripe", e.Kind)
	}
}

// stripeFailure is what an error of Stripe's means: errNoSuchPurchase where it does not know the thing,
// shop_unavailable where another try may help, impossible_move where it will not do it. Stripe's own words stay behind:
// they may hold what belongs to a payment.
func stripeFailure(err error) error {
	if err == nil {
		return nil
	}
	refused, ok := errors.AsType[*stripe.Error](err)
	if !ok {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // it would repeat the whole address
		}
		return apperr.ShopUnavailable.Wrap(err, "Stripe does not answer; try again.").After(time.Second)
	}
	cause := fmt.Errorf("stripe answered %d %s %s %s (request %s)", refused.HTTPStatusCode, refused.Type, refused.Code, refused.Param, refused.RequestID)
	switch status := refused.HTTPStatusCode; {
	case refused.Code == stripe.ErrorCodeResourceMissing, status == http.StatusNotFound:
		return fmt.Errorf("%w: %w", errNoSuchPurchase, cause)
	case refused.Type == stripe.ErrorTypeIdempotency:
		return apperr.IDTaken.Wrap(cause, "The id was used for another request.")
	case status == http.StatusConflict:
		return apperr.Busy.Wrap(cause, "Stripe is still doing the same; try again.")
	case status == http.StatusPaymentRequired:
		return apperr.ImpossibleMove.Wrap(cause, "The payment did not go through: nothing was changed.")
	case status == http.StatusBadRequest:
		return apperr.ImpossibleMove.Wrap(cause, "Stripe does not do that as the subscription stands.")
	}
	return apperr.ShopUnavailable.Wrap(cause, "Stripe does not answer; try again.").After(time.Second)
}

// stripeMissing reports whether Stripe does not know what a parameter names.
func stripeMissing(err error, param string) bool {
	refused, ok := errors.AsType[*stripe.Error](err)
	return ok && refused.Code == stripe.ErrorCodeResourceMissing && refused.Param == param
}
