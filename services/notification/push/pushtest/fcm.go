package pushtest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/api/fcm/v1"
)

// What Google knows of us here.
const (
	Project = "hearth-test"
	account = "push@hearth-test.iam.gserviceaccount.com"
	keyID   = "push-key"
)

// rsaKey is made once: it takes its time.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// FCM is Firebase Cloud Messaging, with the endpoint that gives out access tokens.
type FCM struct {
	ledger
	t         testing.TB
	key       *rsa.PrivateKey
	gate      *gate
	issued    map[string]time.Time // access tokens, with their ends
	exchanges int
	tokens    *Failure // of the token endpoint
}

func startFCM(t testing.TB) *FCM {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	f := &FCM{ledger: newLedger(), t: t, key: key, issued: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", f.serveToken)
	mux.HandleFunc("POST /v1/projects/{project}/messages:send", f.serveSend)
	f.gate = openGate(t, mux, nil)
	return f
}

func (f *FCM) url() string { return "http://" + f.gate.address() }

// Environ is what a program needs in its environment to push here.
func (f *FCM) Environ() []string {
	der, err := x509.MarshalPKCS8PrivateKey(f.key)
	if err != nil {
		f.t.Fatal(err)
	}
	credentials, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": Project, "client_email": account, "private_key_id": keyID, "token_uri": f.url() + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}, "", "  ") // as Google's have them, over several lines
	if err != nil {
		f.t.Fatal(err)
	}
	return []string{"HEARTH_FCM_CREDENTIALS=" + string(credentials), "HEARTH_FCM_URL=" + f.url()}
}

// Down has nobody listen, and ends what connections there are.
func (f *FCM) Down() { f.gate.down() }

// Up is the end of Down, at the same address.
func (f *FCM) Up() {
	f.t.Helper()
	f.gate.up(f.t)
}

// FailTokens has the token endpoint fail; a zero failure is the end of it.
func (f *FCM) FailTokens(failure Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tokens = &failure; failure == (Failure{}) {
		f.tokens = nil
	}
}

// Exchanges is how many access tokens were asked for.
func (f *FCM) Exchanges() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.exchanges
}

// Revoke has no access token count that was given out so far.
func (f *FCM) Revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.issued)
}

func (f *FCM) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "no form", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.exchanges++
	failure := f.tokens
	f.mu.Unlock()
	if failure != nil {
		switch failure.Mishap {
		case Hang:
			<-r.Context().Done()
			return
		case Cut, TakenThenCut, GoAway:
			hangUp(r)
		}
		answerToken(w, *failure)
		return
	}
	var claims struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	assertion, err := jwt.ParseWithClaims(r.PostForm.Get("assertion"), &claims, func(*jwt.Token) (any, error) { return &f.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(f.url()+"/token"), jwt.WithIssuer(account), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(time.Minute))
	if err != nil || assertion.Header["kid"] != keyID || claims.IssuedAt == nil || claims.ExpiresAt.Sub(claims.IssuedAt.Time) > time.Hour ||
		claims.Scope != fcm.FirebaseMessagingScope || r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		answerToken(w, Failure{Status: http.StatusBadRequest, Reason: "invalid_grant"})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	access := "ya29." + rand.Text()
	f.issued[access] = time.Now().Add(time.Hour)
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600}`, access)
}

func answerToken(w http.ResponseWriter, f Failure) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": f.Reason, "error_description": f.Text}) // the client may have gone
}

func (f *FCM) serveSend(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	var in fcm.SendMessageRequest
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	unread := strict.Decode(&in)
	if in.Message == nil {
		in.Message = &fcm.Message{}
	}
	failure, fails := f.failure(in.Message.Token)
	switch {
	case failure.Mishap == Cut || failure.Mishap == GoAway:
		hangUp(r)
	case failure.Mishap == Hang:
		<-r.Context().Done()
		return
	case fails && failure.Mishap == 0:
		refuseFCM(w, failure)
		return
	}
	if refused := f.judge(r, in, unread); refused.Status != 0 {
		refuseFCM(w, refused)
		return
	}
	p := asPush(in.Message)
	p.ID, p.Header, p.Payload = fmt.Sprintf("projects/%s/messages/0:%s", Project, rand.Text()), r.Header.Clone(), body
	f.take(p)
	if fails { // TakenThenCut
		hangUp(r)
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\n  \"name\": %q\n}\n", p.ID)
}

func refuseFCM(w http.ResponseWriter, f Failure) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	status := map[int]string{
		400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
	}[f.Status]
	var details []any
	if f.Reason != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": f.Reason})
	}
	if f.Field != "" {
		details = append(details, map[string]any{
			"@type":           "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []any{map[string]string{"field": f.Field, "description": "Invalid value"}},
		})
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{ // the client may have gone
		"code": f.Status, "message": f.Text, "status": status, "details": details,
	}})
}

var life = regexp.MustCompile(`^[0-9]{1,7}s$`)

// judge checks a request as Google does; the failure is zero when it is good.
func (f *FCM) judge(r *http.Request, in fcm.SendMessageRequest, unread error) Failure {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	f.mu.Lock()
	end, known := f.issued[bearer]
	f.mu.Unlock()
	m := in.Message
	invalid := func(field string) Failure { return Failure{Status: 400, Reason: "INVALID_ARGUMENT", Field: field} }
	switch {
	case !strings.EqualFold(scheme, "bearer") || !known || time.Now().After(end):
		return Failure{Status: 401}
	case r.PathValue("project") != Project:
		return Failure{Status: 403}
	case unread != nil:
		f.t.Errorf("a message that FCM does not understand: %v", unread)
		return invalid("message")
	case m.Token == "" || m.Topic != "" || m.Condition != "":
		return invalid("message.token")
	case m.Android == nil || m.Android.Priority != "HIGH" && m.Android.Priority != "NORMAL":
		return invalid("message.android.priority")
	case m.Android.Ttl != "" && !life.MatchString(m.Android.Ttl):
		return invalid("message.android.ttl")
	}
	for name := range m.Data {
		// Google's "message data": what FCM itself uses.
		if name == "from" || name == "message_type" || name == "collapse_key" || strings.HasPrefix(name, "google") || strings.HasPrefix(name, "gcm") {
			return invalid("message.data")
		}
	}
	counted := *m
	counted.Token = ""
	if text, err := json.Marshal(&counted); err != nil || len(text) > 4096 {
		return Failure{Status: 400, Reason: "INVALID_ARGUMENT", Text: "Message is too big"}
	}
	return Failure{}
}

func asPush(m *fcm.Message) Push {
	p := Push{Token: m.Token, Quiet: m.Android.Priority == "NORMAL", Collapse: m.Android.CollapseKey, Data: m.Data, Thread: m.Data["thread"]}
	if n := m.Notification; n != nil {
		p.Title, p.Body = n.Title, n.Body
	}
	if n := m.Android.Notification; n != nil {
		p.Badge, p.Category = int(n.NotificationCount), n.ClickAction
	}
	seconds, _ := strconv.Atoi(strings.TrimSuffix(m.Android.Ttl, "s")) // it was looked at
	p.Life = time.Duration(seconds) * time.Second
	return p
}
