package billing_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/api/androidpublisher/v3"

	"hearth.internal/billing"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

const (
	playApp      = "com.example.hearth"
	playAudience = "https://hearth.example.com/api/subscription/webhook/google/"
	playPusher   = "play-pushes@example.iam.gserviceaccount.com"
	playSeller   = "play-orders@example.iam.gserviceaccount.com"
	playAccess   = "ya29.access"
	playWebhook  = "/api/subscription/webhook/google/"
)

// rsaKeys are made once: they take their time.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	out := make([]*rsa.PrivateKey, 4)
	for i := range out {
		out[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return out
})

// play is Google: it gives access tokens to the service account, keeps purchases, signs pushes and publishes its keys.
type play struct {
	t      testing.TB
	server *httptest.Server

	mu        sync.Mutex
	purchases map[string]*sold // by token
	asked     map[string]int   // by what was asked
	fails     map[string]int   // a status, by what is asked: get, acknowledge, cancel, token, keys
	after     string           // Retry-After of what fails
	keys      map[string]*rsa.PrivateKey
	signer    string
	messages  int
}

// sold is a purchase in the store.
type sold struct {
	app string
	androidpublisher.SubscriptionPurchaseV2
}

func newPlay(t testing.TB) *play {
	t.Helper()
	g := &play{t: t, purchases: map[string]*sold{}, asked: map[string]int{}, fails: map[string]int{}, signer: "key-1"}
	g.keys = map[string]*rsa.PrivateKey{"key-1": rsaKeys()[0]}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", g.serveToken)
	mux.HandleFunc("GET /certs", g.serveKeys)
	const app = "/androidpublisher/v3/applications/{app}/purchases/"
	mux.HandleFunc("GET "+app+"subscriptionsv2/tokens/{token}", g.serveGet)
	mux.HandleFunc("POST "+app+"subscriptionsv2/tokens/{token}", g.serveCancel)
	mux.HandleFunc("POST "+app+"subscriptions/{product}/tokens/{token}", g.serveAcknowledge)
	g.server = httptest.NewServer(mux)
	t.Cleanup(g.server.Close)
	return g
}

func (g *play) credentials() string {
	raw, err := x509.MarshalPKCS8PrivateKey(rsaKeys()[3])
	if err != nil {
		g.t.Fatal(err)
	}
	key, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": playSeller, "private_key_id": "seller", "token_uri": g.server.URL + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return string(key)
}

// count counts a question, and answers it with a failure where that is wanted.
func (g *play) count(w http.ResponseWriter, what string) (failed bool) {
	g.asked[what]++
	status := g.fails[what]
	if status == 0 {
		return false
	}
	if g.after != "" {
		w.Header().Set("Retry-After", g.after)
	}
	g.refuse(w, status, "wanted")
	return true
}

func (g *play) refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":"refused","errors":[{"reason":%q,"message":"refused"}]}}`, status, reason)
}

func (g *play) serveToken(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count(w, "token") {
		return
	}
	var claims struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	_, err := jwt.ParseWithClaims(r.FormValue("assertion"), &claims, func(*jwt.Token) (any, error) { return &rsaKeys()[3].PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(g.server.URL+"/token"), jwt.WithIssuer(playSeller), jwt.WithExpirationRequired())
	if err != nil || claims.Scope != androidpublisher.AndroidpublisherScope || r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		g.refuse(w, 400, "invalid_grant")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, playAccess)
}

func (g *play) serveKeys(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count(w, "keys") {
		return
	}
	type jwk struct {
		Kty string `json:"kty"`
		Alg string `json:"alg"`
		Use string `json:"use"`
		Kid string `json:"kid"`
		N   string `json:"n"`
		E   string `json:"e"`
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for kid, key := range g.keys {
		set.Keys = append(set.Keys, jwk{"RSA", "RS256", "sig", kid, base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "AQAB"})
	}
	json.NewEncoder(w).Encode(set)
}

// find answers a purchase of an app, as far as the caller may see it.
func (g *play) find(w http.ResponseWriter, r *http.Request, what, verb string) *sold {
	if g.count(w, what) {
		return nil
	}
	token, isVerb := strings.CutSuffix(r.PathValue("token"), verb)
	p := g.purchases[token]
	switch {
	case r.Header.Get("Authorization") != "Bearer "+playAccess:
		g.refuse(w, 401, "authError")
	case !isVerb || p == nil:
		g.refuse(w, 404, "purchaseTokenNotFound")
	case p.app != r.PathValue("app"):
		g.refuse(w, 400, "purchaseTokenDoesNotMatchPackageName")
	default:
		return p
	}
	return nil
}

func (g *play) serveGet(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.find(w, r, "get", ""); p != nil {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(p.SubscriptionPurchaseV2)
	}
}

func (g *play) serveAcknowledge(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.find(w, r, "acknowledge", ":acknowledge")
	if p == nil {
		return
	}
	if p.AcknowledgementState != "ACKNOWLEDGEMENT_STATE_PENDING" || p.SubscriptionState == "SUBSCRIPTION_STATE_EXPIRED" {
		g.refuse(w, 400, "subscriptionNotOwned")
		return
	}
	p.AcknowledgementState = "ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED"
}

func (g *play) serveCancel(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.find(w, r, "cancel", ":cancel")
	if p == nil {
		return
	}
	var in androidpublisher.CancelSubscriptionPurchaseRequest
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.CancellationContext == nil || p.SubscriptionState == "SUBSCRIPTION_STATE_CANCELED" {
		g.refuse(w, 400, "invalid")
		return
	}
	p.SubscriptionState = "SUBSCRIPTION_STATE_CANCELED"
	p.LineItems[0].AutoRenewingPlan.AutoRenewEnabled = false
	fmt.Fprint(w, `{}`)
}

// change changes a purchase in the store, as its buyer or Google does.
func (g *play) change(token string, f func(*sold)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(g.purchases[token])
}

// state is a change into that state, paid or waited for until then.
func state(name string, until time.Time) func(*sold) {
	return func(p *sold) {
		p.SubscriptionState = "SUBSCRIPTION_STATE_" + name
		p.LineItems[0].ExpiryTime = until.Format(time.RFC3339)
		p.LineItems[0].AutoRenewingPlan.AutoRenewEnabled = name != "CANCELED" && name != "EXPIRED"
	}
}

// sell is somebody's buying; the apps say for whom.
func (g *play) sell(token string, person uuid.UUID, change ...func(*sold)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := &sold{app: playApp}
	p.StartTime, p.AcknowledgementState = start.Format(time.RFC3339), "ACKNOWLEDGEMENT_STATE_PENDING"
	p.LineItems = []*androidpublisher.SubscriptionPurchaseLineItem{{
		ProductId: "pro_monthly", LatestSuccessfulOrderId: "GPA.1", AutoRenewingPlan: &androidpublisher.AutoRenewingPlan{},
	}}
	if person != uuid.Nil {
		p.ExternalAccountIdentifiers = &androidpublisher.ExternalAccountIdentifiers{ObfuscatedExternalAccountId: person.String()}
	}
	for _, f := range append([]func(*sold){state("ACTIVE", start.Add(30*day))}, change...) {
		f(p)
	}
	g.purchases[token] = p
}

// fail has questions of a kind answered with a status; 0: not any more.
func (g *play) fail(what string, status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails[what] = status
}

func (g *play) times(what string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked[what]
}

func (g *play) acknowledged(token string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.purchases[token].AcknowledgementState == "ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED"
}

// rotate has pushes signed by another key; the old ones are gone.
func (g *play) rotate(kid string, key *rsa.PrivateKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys, g.signer = map[string]*rsa.PrivateKey{kid: key}, kid
}

// bearer is what Pub/Sub proves itself by, with claims changed.
func (g *play) bearer(now time.Time, change map[string]any) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	claims := jwt.MapClaims{
		"iss": "https://accounts.google.com", "aud": playAudience, "email": playPusher, "email_verified": true, "sub": "1", "azp": "1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, change)
	return g.sign(g.signer, g.keys[g.signer], jwt.SigningMethodRS256, claims)
}

func (g *play) sign(kid string, key any, method jwt.SigningMethod, claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = kid
	signed, err := token.SignedString(key)
	if err != nil {
		g.t.Fatal(err)
	}
	return "Bearer " + signed
}

// envelope is a push of a notification, as Pub/Sub makes it.
func (g *play) envelope(id string, notification map[string]any) map[string]any {
	whole := map[string]any{"version": "1.0", "packageName": playApp, "eventTimeMillis": fmt.Sprint(start.UnixMilli())}
	maps.Copy(whole, notification)
	data, err := json.Marshal(whole)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.messages++
	if id == "" {
		id = fmt.Sprint("message-", g.messages)
	}
	return map[string]any{
		"message":      map[string]any{"data": data, "messageId": id, "message_id": id, "publishTime": "2026-03-10T12:00:00Z", "attributes": map[string]string{}},
		"subscription": "projects/example/subscriptions/play",
	}
}

func subscriptionNotice(kind int, token string) map[string]any {
	return map[string]any{"subscriptionNotification": map[string]any{"version": "1.0", "notificationType": kind, "purchaseToken": token, "subscriptionId": "pro_monthly"}}
}

func voidedNotice(token, order string, refund int) map[string]any {
	return map[string]any{"voidedPurchaseNotification": map[string]any{"purchaseToken": token, "orderId": order, "productType": 1, "refundType": refund}}
}

// store is a running service that sells in a Google Play of its own.
type store struct {
	*testkit.Service
	t     *testing.T
	cfg   billing.Config
	play  *play
	log   *lockedBuffer
	spans *tracetest.SpanRecorder
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func googleConfig(g *play) billing.GoogleConfig {
	return billing.GoogleConfig{
		PackageNames: []string{playApp}, Credentials: g.credentials(), GoogleURL: g.server.URL, GoogleKeysURL: g.server.URL + "/certs",
		PushAudience: playAudience, PushAccount: playPusher,
	}
}

func openStore(t *testing.T, change ...func(*billing.Config)) *store {
	t.Helper()
	s := &store{t: t, play: newPlay(t), log: &lockedBuffer{}, spans: tracetest.NewSpanRecorder()}
	cfg := billing.Config{Service: testkit.Config(t, "billing"), GoogleConfig: googleConfig(s.play)}
	for _, f := range change {
		f(&cfg)
	}
	s.cfg = cfg
	s.Service = testkit.Run(t, cfg.Service, billing.New(cfg), func(o *boot.Options) {
		o.LogOut, o.Processors = s.log, append(o.Processors, sdktrace.SpanProcessor(s.spans))
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.log.text())
		}
	})
	s.exec(`INSERT INTO products (source, product_id, tier, period) VALUES ('google', 'pro_monthly', 'pro', 'month'), ('google', 'pro_yearly', 'pro', 'year')`)
	return s
}

func (s *store) exec(sql string) {
	s.t.Helper()
	if _, err := pg.Exec(s.t.Context(), s.DB, sql, nil); err != nil {
		s.t.Fatal(err)
	}
}

// rows answers one text for each row.
func (s *store) rows(sql string) string {
	s.t.Helper()
	out, err := pg.Column[string](s.t.Context(), s.DB, sql, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(out, ", ")
}

// eventually waits for rows.
func (s *store) eventually(want, sql string) {
	s.t.Helper()
	var got string
	defer func() {
		if s.t.Failed() {
			s.t.Logf("got %q", got)
		}
	}()
	testkit.Eventually(s.t, fmt.Sprintf("%q from %s", want, sql), func() bool { got = s.rows(sql); return got == want })
}

// push has Google tell something, and waits until it has been worked off.
func (s *store) push(notification map[string]any) (outcome string) {
	s.t.Helper()
	in := s.play.envelope("", notification)
	s.AsNobody(s.t).Want(200, "POST", playWebhook, in, "Authorization", s.play.bearer(s.Clock.Now(), nil))
	id := in["message"].(map[string]any)["messageId"].(string)
	testkit.Eventually(s.t, id+" is worked off", func() bool {
		outcome = s.rows(`SELECT state FROM webhook_events WHERE external_id = '` + id + `'`)
		return outcome != "pending"
	})
	return outcome
}

func (s *store) has(person uuid.UUID) billing.Subscription {
	s.t.Helper()
	return testkit.JSON[billing.Subscription](s.t, s.As(s.t, person).Want(200, "GET", "/api/subscription/", nil))
}

func playReceipt(token string) map[string]string {
	return map[string]string{"platform": "android", "product_id": "pro_monthly", "purchase_token": token}
}
