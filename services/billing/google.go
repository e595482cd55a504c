package billing

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/oauth2"
	oauth "golang.org/x/oauth2/google"
	"google.golang.org/api/androidpublisher/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/telemetry"
)

// GoogleConfig is how Google Play is reached; without it nothing is sold there.
type GoogleConfig struct {
	PackageNames       []string `env:"GOOGLE_PACKAGE_NAMES" doc:"Google Play: the package names of the apps, with commas between them; empty: nothing is sold there"`
	Credentials        string   `env:"GOOGLE_CREDENTIALS" secret:"true" doc:"Google Play: the JSON key of the service account that may see and manage orders"`
	CredentialsFile    string   `env:"GOOGLE_CREDENTIALS_FILE" doc:"Google Play: the file that the key is in, instead"`
	GoogleURL          string   `env:"GOOGLE_API_URL" envDefault:"https://androidpublisher.googleapis.com/" doc:"Google Play: where the Developer API answers"`
	PushAudience       string   `env:"GOOGLE_PUSH_AUDIENCE" doc:"Google Play: the audience that Pub/Sub puts into the tokens of its pushes, as the push subscription names it"`
	PushAccount        string   `env:"GOOGLE_PUSH_ACCOUNT" doc:"Google Play: the e-mail address of the service account that Pub/Sub signs its pushes as"`
	GoogleKeysURL      string   `env:"GOOGLE_JWKS_URL" envDefault:"https://www.googleapis.com/oauth2/v3/certs" doc:"Google Play: the keys that Google signs those tokens with"`
	AllowTestPurchases bool     `env:"GOOGLE_ALLOW_TEST_PURCHASES" doc:"Google Play: purchases of license testers count; never where real people buy"`
}

// googleTime bounds one question, and the one for an access token before it.
const googleTime = 5 * time.Second

// google is Google Play. What it tells says only that something has changed: how a purchase is, it is always asked.
type google struct {
	packages  []string // a purchase token does not say of which of them it is
	tests     bool
	clock     clock.Clock
	purchases *androidpublisher.PurchasesService
	push      pushCheck
}

// openGoogle opens the shop, if it is configured.
func (s *Service) openGoogle(all Config) (shop, error) {
	cfg := all.GoogleConfig
	given := []string{strings.Join(cfg.PackageNames, ""), cfg.Credentials + cfg.CredentialsFile, cfg.PushAudience, cfg.PushAccount}
	switch {
	case !slices.ContainsFunc(given, func(v string) bool { return v != "" }):
		return nil, nil //nolint:nilnil // not configured
	case slices.Contains(given, "") || slices.Contains(cfg.PackageNames, ""):
		return nil, errors.New("configuration: HEARTH_GOOGLE_PACKAGE_NAMES, HEARTH_GOOGLE_CREDENTIALS or HEARTH_GOOGLE_CREDENTIALS_FILE, " +
			"HEARTH_GOOGLE_PUSH_AUDIENCE and HEARTH_GOOGLE_PUSH_ACCOUNT are needed together")
	case cfg.Credentials != "" && cfg.CredentialsFile != "":
		return nil, errors.New("configuration: of HEARTH_GOOGLE_CREDENTIALS and HEARTH_GOOGLE_CREDENTIALS_FILE one is enough")
	}
	for name, address := range map[string]string{"API_URL": cfg.GoogleURL, "JWKS_URL": cfg.GoogleKeysURL} {
		if u, err := url.Parse(address); err != nil || u.Host == "" {
			return nil, fmt.Errorf("configuration: HEARTH_GOOGLE_%s is not a URL", name)
		}
	}
	plain := plainTransport()
	publisher, err := openPublisher(cfg, s.Tel, plain)
	if err != nil {
		return nil, err
	}
	return &google{
		packages: cfg.PackageNames, tests: cfg.AllowTestPurchases, clock: s.Clock, purchases: publisher.Purchases,
		push: newPushCheck(cfg, s.Clock, traced(s.Tel, plain)),
	}, nil
}

// openPublisher is the Developer API, asked as the service account.
func openPublisher(cfg GoogleConfig, tel *telemetry.Telemetry, plain http.RoundTripper) (*androidpublisher.Service, error) {
	key := []byte(cfg.Credentials)
	if cfg.CredentialsFile != "" {
		var err error
		if key, err = os.ReadFile(cfg.CredentialsFile); err != nil {
			return nil, fmt.Errorf("configuration: HEARTH_GOOGLE_CREDENTIALS_FILE: %w", err)
		}
	}
	account, err := oauth.JWTConfigFromJSON(key, androidpublisher.AndroidpublisherScope)
	if err != nil {
		return nil, errors.New("configuration: HEARTH_GOOGLE_CREDENTIALS is not the JSON key of a service account") // the error could show a part of it
	}
	if block, _ := pem.Decode(account.PrivateKey); block == nil || account.Email == "" {
		return nil, errors.New("configuration: HEARTH_GOOGLE_CREDENTIALS has no client_email or no private_key")
	}
	// The client of the access tokens outlives every request: it has its own patience.
	tokens := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: traced(tel, plain), Timeout: googleTime})
	client := &http.Client{Timeout: 2 * googleTime, Transport: &oauth2.Transport{Source: account.TokenSource(tokens), Base: traced(tel, plain)}}
	publisher, err := androidpublisher.NewService(context.Background(), option.WithHTTPClient(client),
		option.WithEndpoint(strings.TrimSuffix(cfg.GoogleURL, "/")+"/"), option.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("developer API: %w", err)
	}
	return publisher, nil
}

func plainTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DialContext: (&net.Dialer{Timeout: googleTime, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: googleTime, ResponseHeaderTimeout: googleTime, MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute,
	}
}

func traced(tel *telemetry.Telemetry, plain http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(withoutTokens{plain}, otelhttp.WithTracerProvider(tel.Provider),
		otelhttp.WithPropagators(telemetry.Propagation), otelhttp.WithMeterProvider(tel.Meters))
}

// withoutTokens keeps purchase tokens, which stand in Google's addresses, out of the spans that otelhttp makes of calls.
type withoutTokens struct{ http.RoundTripper }

// RoundTrip sends the request.
func (w withoutTokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if before, token, found := strings.Cut(r.URL.Path, "/tokens/"); found {
		_, verb, _ := strings.Cut(token, ":")
		trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("url.full", r.URL.Scheme+"://"+r.URL.Host+before+"/tokens/{token}:"+verb))
	}
	return w.RoundTripper.RoundTrip(r)
}

// googleFailure is what an error of Google's means. None names the purchase token: what Google says of it, and the
// address of the question, stay out.
func googleFailure(err error) error {
	cause := errors.New("google does not answer")
	var after time.Duration
	if e, ok := errors.AsType[*googleapi.Error](err); ok {
		reason := ""
		if len(e.Errors) > 0 {
			reason = e.Errors[0].Reason
		}
		cause = fmt.Errorf("google answers %d %s", e.Code, reason)
		switch e.Code {
		// 400: the token is none, or of another app. 410: it was over 60 days ago, or the token was replaced.
		case http.StatusBadRequest, http.StatusNotFound, http.StatusGone:
			return fmt.Errorf("%w: %w", errNoSuchPurchase, cause)
		case http.StatusUnauthorized, http.StatusForbidden:
			cause = fmt.Errorf("google refuses our service account: %w", cause)
		}
		if seconds, err := strconv.Atoi(e.Header.Get("Retry-After")); err == nil && seconds > 0 {
			after = time.Duration(min(seconds, 24*60*60)) * time.Second
		}
	} else if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		cause = fmt.Errorf("google gives our service account no access token: %d", e.Response.StatusCode)
	} else if e, ok := errors.AsType[*url.Error](err); ok {
		cause = fmt.Errorf("google does not answer: %w", e.Err)
	}
	return apperr.ShopUnavailable.Wrap(cause, "Google Play does not answer; try again.").After(after)
}
