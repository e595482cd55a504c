package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/plans"
)

// Start is where a test's clock stands: noon UTC on a Tuesday, away from every DST change.
var Start = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// Key signs the passports of tests.
var Key = bytes.Repeat([]byte("k"), 32)

// Config is a service's configuration on fresh stores.
func Config(t testing.TB, service string) config.Service {
	t.Helper()
	return config.Service{
		Addr: "127.0.0.1:0", OpsAddr: "127.0.0.1:0",
		DatabaseURL: Database(t, service), DatabasePool: 4, DatabasePrepare: true,
		CacheURL: Redis(t), CachePatience: 5 * time.Second, // on a busy machine a slow answer is not an outage
		QueueURL: Redis(t), PassportKeys: config.Keys{Key},
		// Nothing answers there: a test names the services that it runs.
		AuthURL: nowhere, ResidenceURL: nowhere, TaskURL: nowhere, DocumentURL: nowhere, NotificationURL: nowhere,
		BillingURL: nowhere, AdminURL: nowhere,
		TraceRatio: 1, DrainTime: 10 * time.Second,
	}
}

const nowhere = "http://127.0.0.1:9"

// Service is one running service.
type Service struct {
	*boot.Deps
	URL   string
	Clock *clock.Manual
	spans *tracetest.SpanRecorder
}

// Run starts the service; it stops with the test. Its log goes to the test's. Nobody is limited, unless an option says so.
func Run(t testing.TB, cfg config.Service, s boot.Service, options ...func(*boot.Options)) *Service {
	t.Helper()
	manual := clock.At(Start)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	spans := tracetest.NewSpanRecorder()
	o := boot.Options{
		Config: cfg, Clock: manual, Listener: listener, LogOut: &logWriter{t: t}, OpsOff: true,
		Processors: []sdktrace.SpanProcessor{spans}, Plans: plans.Fixed(plans.Plan{Unlimited: true}),
	}
	for _, option := range options {
		option(&o)
	}
	deps, err := boot.Open(t.Context(), s, o)
	if err != nil {
		t.Fatalf("open %s: %v", s.Name, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- deps.Run(ctx) }()
	t.Cleanup(func() {
		// The server gives a connection that was opened but not yet used five seconds, also at a stop.
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("%s did not stop cleanly: %v", s.Name, err)
		}
	})
	Eventually(t, "the service is ready", deps.Ready)
	return &Service{Deps: deps, URL: "http://" + listener.Addr().String(), Clock: manual, spans: spans}
}

// OnFreePlan puts everybody on the free plan.
func OnFreePlan(o *boot.Options) {
	o.Plans = plans.Fixed(plans.Plan{Tier: plans.Free, Properties: new(1), Tasks: new(10), Contractors: new(5), Documents: new(5), Equipment: new(10)})
}

// logWriter hands a service's log to the test, as long as the test lives.
type logWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t.Log(strings.TrimSpace(string(line)))
	return len(line), nil
}

// Eventually waits until the condition holds, and fails the test after ten seconds.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("waited 10 s in vain until %s", what)
}

// Client calls a service the way the gateway does: with a passport.
type Client struct {
	t         testing.TB
	base      string
	passports *identity.Passports
	Actor     identity.Actor
	Header    http.Header // on every request
}

// As is a client of the service on behalf of a person in UTC.
func (s *Service) As(t testing.TB, user uuid.UUID) *Client {
	t.Helper()
	return s.client(t, identity.Actor{Kind: identity.Person, UserID: user, SessionID: uuid.Must(uuid.NewV7()), Zone: "UTC", ClientIP: "192.0.2.1"})
}

// AsNobody is a client of the service without a token.
func (s *Service) AsNobody(t testing.TB) *Client {
	t.Helper()
	return s.client(t, identity.Actor{Kind: identity.Anonymous, ClientIP: "192.0.2.1"})
}

// AsPart is a client of the service's internal operations.
func (s *Service) AsPart(t testing.TB, name string) *Client {
	t.Helper()
	return s.client(t, identity.Actor{Kind: identity.Service, Service: name})
}

func (s *Service) client(t testing.TB, a identity.Actor) *Client {
	t.Helper()
	return &Client{t: t, base: s.URL, passports: s.Passports, Actor: a, Header: http.Header{}}
}

// For is the same client on behalf of a subtest.
func (c *Client) For(t testing.TB) *Client {
	copied := *c
	copied.t = t
	return &copied
}

// Answer is what a service said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON reads the answer into a T.
func JSON[T any](t testing.TB, a Answer) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(a.Body, &out); err != nil {
		t.Fatalf("answer %d %s: %v", a.Status, a.Body, err)
	}
	return out
}

// Code is the code of a problem document.
func (a Answer) Code() string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.Body, &p) // no document, no code
	return p.Code
}

// Call sends a request; body is marshalled unless it is nil, a string, bytes or a reader, which are sent as they are.
func (c *Client) Call(method, path string, body any, header ...string) Answer {
	c.t.Helper()
	var from io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case string:
		from = strings.NewReader(b)
	case []byte:
		from = bytes.NewReader(b)
	case io.Reader:
		from = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		from = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, c.base+path, from)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = c.Header.Clone()
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Actor.Kind != "" {
		passport, err := c.passports.Sign(c.Actor)
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set(identity.Header, passport)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: answer}
}

// Want is Call that fails the test unless the answer has the status.
func (c *Client) Want(status int, method, path string, body any, header ...string) Answer {
	c.t.Helper()
	a := c.Call(method, path, body, header...)
	if a.Status != status {
		c.t.Fatalf("%s %s: %d, wanted %d: %s", method, path, a.Status, status, a.Body)
	}
	return a
}

// Refused is Call that fails the test unless the answer has the status and the problem's code.
func (c *Client) Refused(status int, code, method, path string, body any, header ...string) Answer {
	c.t.Helper()
	a := c.Want(status, method, path, body, header...)
	if a.Code() != code {
		c.t.Fatalf("%s %s: code %q, wanted %q: %s", method, path, a.Code(), code, a.Body)
	}
	return a
}

// Outbox answers the payloads of the service's events of that name, oldest first.
func (s *Service) Outbox(t testing.TB, name string) []json.RawMessage {
	t.Helper()
	rows, err := s.DB.Query(t.Context(), `SELECT payload FROM outbox WHERE name = @name ORDER BY created_at, id`, pgx.NamedArgs{"name": name})
	if err != nil {
		t.Fatal(err)
	}
	payloads, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	if err != nil {
		t.Fatal(err)
	}
	return payloads
}

// Homes stands in for the residence service where only its answer to "who sees what" matters.
type Homes struct {
	URL string
	mu  sync.Mutex
	all map[uuid.UUID][]internalapi.Home
}

// NewHomes starts it; nobody sees anything yet.
func NewHomes(t testing.TB) *Homes {
	t.Helper()
	h := &Homes{all: map[uuid.UUID][]internalapi.Home{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /internal/users/{id}/homes", func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		homes := h.all[uuid.MustParse(r.PathValue("id"))]
		if homes == nil {
			homes = []internalapi.Home{}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
		if err := json.NewEncoder(w).Encode(homes); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /internal/residences/{id}", func(w http.ResponseWriter, r *http.Request) {
		name, street, city, country := "Maple Street 12", "12 Maple Street", "Graz", "AT"
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
		if err := json.NewEncoder(w).Encode(internalapi.Place{
			ID: uuid.MustParse(r.PathValue("id")), Name: name, StreetAddress: &street, City: &city, Country: &country,
		}); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h.URL = server.URL
	return h
}

// Give lets the person see a residence.
func (h *Homes) Give(user uuid.UUID, home internalapi.Home) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all[user] = append(h.all[user], home)
}

// Of is what the person sees.
func (h *Homes) Of(user uuid.UUID) []internalapi.Home {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[user]
}

// Take lets the person see nothing any more.
func (h *Homes) Take(user uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, user)
}
