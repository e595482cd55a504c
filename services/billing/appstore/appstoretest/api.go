package appstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"hearth.internal/billing/appstore"
)

// API is the App Store Server API of one environment.
type API struct {
	URL        string
	KeyID      string
	Issuer     string
	PrivateKey string // as the .p8 file

	public  *ecdsa.PublicKey
	now     func() time.Time
	bundles []string
	mu      sync.Mutex
	known   map[string]appstore.LastTransaction
	fail    int
	header  http.Header
	asked   int
	refused []string
}

// NewAPI starts it; it stops with the test. It takes tokens for these apps.
func NewAPI(t testing.TB, now func() time.Time, bundles ...string) *API {
	t.Helper()
	key := newKey(t, elliptic.P256())
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a := &API{
		KeyID: "2X9R4HXF34", Issuer: "57246542-96fe-1a63-e053-0824d011072a", public: &key.PublicKey, now: now, bundles: bundles,
		PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), known: map[string]appstore.LastTransaction{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /inApps/v1/subscriptions/{id}", a.subscriptions)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.URL = server.URL
	return a
}

// Like has the API take the same key as another.
func (a *API) Like(b *API) *API {
	a.public, a.PrivateKey = b.public, b.PrivateKey
	return a
}

// Know has it answer this of a subscription.
func (a *API) Know(l appstore.LastTransaction) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[l.OriginalTransactionID] = l
}

// Fail has it answer with a status, and headers; 0: as it should.
func (a *API) Fail(status int, header ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail, a.header = status, http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		a.header.Set(header[i], header[i+1])
	}
}

// Asked is how often it was asked.
func (a *API) Asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

// Refused says why tokens were not taken.
func (a *API) Refused() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.refused)
}

func (a *API) subscriptions(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.fail != 0 {
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.fail)
		return
	}
	if problem := a.check(r.Header.Get("Authorization")); problem != "" {
		a.refused = append(a.refused, problem)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	last, known := a.known[r.PathValue("id")]
	if !known {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]any{"errorCode": 4040010, "errorMessage": "Transaction id not found."})
		return
	}
	other := appstore.LastTransaction{OriginalTransactionID: "another one of the same customer", Status: appstore.Expired}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": []any{
		map[string]any{"subscriptionGroupIdentifier": "1", "lastTransactions": []any{other}},
		map[string]any{"subscriptionGroupIdentifier": "2", "lastTransactions": []any{last}},
	}})
}

// check is Apple's rules for tokens.
func (a *API) check(authorization string) string {
	var claims struct {
		jwt.RegisteredClaims
		Bundle string `json:"bid"`
	}
	token, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithTimeFunc(a.now), jwt.WithIssuer(a.Issuer),
		jwt.WithAudience("appstoreconnect-v1"), jwt.WithExpirationRequired(), jwt.WithIssuedAt()).
		ParseWithClaims(strings.TrimPrefix(authorization, "Bearer "), &claims, func(*jwt.Token) (any, error) { return a.public, nil })
	switch {
	case err != nil:
		return err.Error()
	case token.Header["kid"] != a.KeyID:
		return "another key"
	case claims.IssuedAt == nil || claims.ExpiresAt.Sub(claims.IssuedAt.Time) > 20*time.Minute:
		return "it lives too long"
	case !slices.Contains(a.bundles, claims.Bundle):
		return "another app"
	}
	return ""
}
