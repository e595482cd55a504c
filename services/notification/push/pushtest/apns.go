package pushtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/net/http2"

	"hearth.internal/pkg/clock"
)

// What Apple knows of us here.
const (
	KeyID  = "ABC123DEFG"
	TeamID = "DEF123GHIJ"
	Topic  = "com.example.hearth"
)

// APNs is Apple's push service: production and sandbox, each at an address of its own.
type APNs struct {
	ledger
	t       testing.TB
	key     *ecdsa.PrivateKey
	pem     string
	caFile  string
	gates   [2]*gate // production, sandbox
	clock   clock.Clock
	bearers map[string]bool
}

func startAPNs(t testing.TB) *APNs {
	t.Helper()
	a := &APNs{ledger: newLedger(), t: t, key: newKey(t), clock: clock.System{}, bearers: map[string]bool{}}
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	certificate, ca := newCertificate(t)
	a.caFile = filepath.Join(t.TempDir(), "apns-ca.pem")
	if err := os.WriteFile(a.caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range a.gates {
		a.gates[i] = openGate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, i == 1) }), &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
		})
	}
	return a
}

// Environ is what a program needs in its environment to push here.
func (a *APNs) Environ() []string {
	return []string{
		"HEARTH_APNS_KEY=" + a.pem, "HEARTH_APNS_KEY_ID=" + KeyID, "HEARTH_APNS_TEAM_ID=" + TeamID, "HEARTH_APNS_TOPIC=" + Topic,
		"HEARTH_APNS_URL=https://" + a.gates[0].address(), "HEARTH_APNS_SANDBOX_URL=https://" + a.gates[1].address(), "HEARTH_APNS_CA_FILE=" + a.caFile,
	}
}

// Down has nobody listen, and ends what connections there are.
func (a *APNs) Down() {
	for _, g := range a.gates {
		g.down()
	}
}

// Up is the end of Down, at the same addresses.
func (a *APNs) Up() {
	a.t.Helper()
	for _, g := range a.gates {
		g.up(a.t)
	}
}

// UseClock has provider tokens judged by a clock of the test's; at first it is the machine's.
func (a *APNs) UseClock(c clock.Clock) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock = c
}

func (a *APNs) now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock.Now()
}

// Allow begins anew, with so many streams at once on a connection.
func (a *APNs) Allow(streams int) {
	a.t.Helper()
	a.Down()
	for _, g := range a.gates {
		g.mu.Lock()
		g.streams = streams
		g.mu.Unlock()
	}
	a.Up()
}

// Connections is how many were opened so far, to both environments.
func (a *APNs) Connections() int { return a.gates[0].connections() + a.gates[1].connections() }

// Bearers is how many provider tokens were shown so far, good ones alone.
func (a *APNs) Bearers() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.bearers)
}

func (a *APNs) serve(w http.ResponseWriter, r *http.Request, sandbox bool) {
	token := strings.TrimPrefix(r.URL.Path, "/3/device/")
	w.Header().Set("apns-id", r.Header.Get("apns-id"))
	f, fails := a.failure(token)
	if f.Mishap == Cut {
		hangUp(r)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	switch {
	case f.Mishap == GoAway:
		a.goAway(r)
	case f.Mishap == Hang:
		<-r.Context().Done()
		return
	case fails && f.Mishap == 0:
		refuseAPNs(w, f)
		return
	}
	p, f := a.read(r, token, body)
	if f.Status != 0 {
		refuseAPNs(w, f)
		return
	}
	p.Sandbox = sandbox
	a.take(p)
	if fails { // TakenThenCut
		hangUp(r)
	}
}

// goAway tells the client that nothing was looked at, and waits for it to leave.
func (a *APNs) goAway(r *http.Request) {
	// The server writes its own frames through the same connection, each at once: this one comes between two of them.
	conn := r.Context().Value(lineKey{}).(*line)
	if err := http2.NewFramer(conn, nil).WriteGoAway(0, http2.ErrCodeNo, []byte(`{"reason":"IdleTimeout"}`)); err != nil {
		a.t.Errorf("go away: %v", err)
	}
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func refuseAPNs(w http.ResponseWriter, f Failure) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	answer := map[string]any{"reason": f.Reason}
	if !f.Since.IsZero() {
		answer["timestamp"] = f.Since.UnixMilli()
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may have gone
}

// read judges a request as Apple does; the failure is zero when it is good.
func (a *APNs) read(r *http.Request, token string, body []byte) (Push, Failure) {
	refused := func(status int, reason string) (Push, Failure) {
		return Push{}, Failure{Status: status, Reason: reason}
	}
	for _, values := range r.Header {
		if len(values) > 1 {
			return refused(400, "DuplicateHeaders")
		}
	}
	if f := a.authorize(r); f.Status != 0 {
		return Push{}, f
	}
	collapse, expires := r.Header.Get("apns-collapse-id"), r.Header.Get("apns-expiration")
	p := Push{Token: token, ID: r.Header.Get("apns-id"), Collapse: collapse, Quiet: r.Header.Get("apns-priority") == "5", Header: r.Header.Clone(), Payload: body}
	raw, err := hex.DecodeString(token)
	id, idErr := uuid.Parse(p.ID)
	switch {
	case r.Method != http.MethodPost:
		return refused(405, "MethodNotAllowed")
	case !strings.HasPrefix(r.URL.Path, "/3/device/") || strings.Contains(token, "/"):
		return refused(404, "BadPath")
	case token == "":
		return refused(400, "MissingDeviceToken")
	case err != nil || len(raw) < 32:
		return refused(400, "BadDeviceToken")
	case r.Header.Get("apns-topic") == "":
		return refused(400, "MissingTopic")
	case r.Header.Get("apns-topic") != Topic:
		return refused(400, "TopicDisallowed")
	case r.Header.Get("apns-push-type") != "alert":
		return refused(400, "InvalidPushType")
	case p.ID != "" && (idErr != nil || id.String() != p.ID):
		return refused(400, "BadMessageId")
	case !p.Quiet && r.Header.Get("apns-priority") != "10":
		return refused(400, "BadPriority")
	case len(collapse) > 64:
		return refused(400, "BadCollapseId")
	case len(body) == 0:
		return refused(400, "PayloadEmpty")
	case len(body) > 4096:
		return refused(413, "PayloadTooLarge")
	}
	if expires != "" {
		seconds, err := strconv.ParseInt(expires, 10, 64)
		if err != nil {
			return refused(400, "BadExpirationDate")
		}
		p.Expires = time.Unix(seconds, 0).UTC()
	}
	if err := p.readPayload(body); err != nil {
		a.t.Errorf("a payload that no iPhone understands: %v", err) // Apple would take it, and nothing would be shown
		return refused(400, "PayloadEmpty")
	}
	return p, Failure{}
}

func (p *Push) readPayload(body []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return err
	}
	var aps struct {
		Alert struct {
			Title string `json:"title"`
			Body  string `json:"body"`
		} `json:"alert"`
		Badge             int    `json:"badge"`
		Sound             string `json:"sound"`
		ThreadID          string `json:"thread-id"`
		Category          string `json:"category"`
		InterruptionLevel string `json:"interruption-level"`
		MutableContent    int    `json:"mutable-content"`
	}
	strict := json.NewDecoder(bytes.NewReader(fields["aps"]))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&aps); err != nil {
		return err
	}
	delete(fields, "aps")
	p.Title, p.Body, p.Badge, p.Sound, p.Thread, p.Category = aps.Alert.Title, aps.Alert.Body, aps.Badge, aps.Sound, aps.ThreadID, aps.Category
	p.Data = map[string]string{}
	for name, raw := range fields {
		var value string
		if err := json.Unmarshal(raw, &value); err != nil {
			return err
		}
		p.Data[name] = value
	}
	return nil
}

// authorize checks the provider token: Apple's signature algorithm, our key, our team, and an hour.
func (a *APNs) authorize(r *http.Request) Failure {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || text == "" {
		return Failure{Status: 403, Reason: "MissingProviderToken"}
	}
	var claims jwt.RegisteredClaims
	now := a.now()
	token, err := jwt.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) { return &a.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(TeamID), jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil || token.Header["kid"] != KeyID || claims.IssuedAt == nil {
		return Failure{Status: 403, Reason: "InvalidProviderToken"}
	}
	if now.Sub(claims.IssuedAt.Time) > time.Hour {
		return Failure{Status: 403, Reason: "ExpiredProviderToken"}
	}
	l := r.Context().Value(lineKey{}).(*line)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.bearer == "" || claims.IssuedAt.Sub(l.since) >= 20*time.Minute:
		l.bearer, l.since = text, claims.IssuedAt.Time
	case l.bearer != text && claims.IssuedAt.After(l.since):
		return Failure{Status: 429, Reason: "TooManyProviderTokenUpdates"}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bearers[text] = true
	return Failure{}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newCertificate makes a certificate for this machine and the authority behind it, as PEM.
func newCertificate(t testing.TB) (tls.Certificate, []byte) {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Push test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "api.push.apple.com"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	authorityKey, serverKey := newKey(t), newKey(t)
	ca, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.CreateCertificate(rand.Reader, server, authority, &serverKey.PublicKey, authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: serverKey}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca})
}
