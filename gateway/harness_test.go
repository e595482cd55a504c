package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	_ "time/tzdata" // the tests name zones

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/telemetry"
	"hearth.internal/pkg/testkit"
)

// town is a running gateway with stand-ins for the services behind it.
type town struct {
	*Gateway
	t                             testing.TB
	url                           string
	clock                         *clock.Manual
	auth, residence, task, papers *service
	people                        *people
	rdb                           *redis.Client
	log                           *syncBuffer
	authCache                     *cache.Cache // as auth holds it
}

// service is a stand-in: it tells what it got, unless a test says otherwise.
type service struct {
	*httptest.Server
	passports *identity.Passports
	mu        sync.Mutex
	handle    http.HandlerFunc
	document  string
	hits      atomic.Int64
	conns     atomic.Int64 // opened
}

// got is what a stand-in tells.
type got struct {
	Method, Path, Query string
	Header              http.Header
	Body                string
	Actor               identity.Actor
}

func newService(t testing.TB, passports *identity.Passports) *service {
	s := &service{passports: passports, document: `{"paths":{}}`}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/internal/health":
		_ = json.NewEncoder(w).Encode(internalapi.Health{Status: "ok", Database: "ok", Cache: "ok", Queue: "ok"})
		return
	case "/internal/openapi.json":
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = io.WriteString(w, s.document)
		return
	}
	s.hits.Add(1)
	s.mu.Lock()
	handle := s.handle
	s.mu.Unlock()
	if handle != nil {
		handle(w, r)
		return
	}
	s.echo(w, r)
}

func (s *service) echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	actor, _ := s.passports.Verify(r.Header.Get(identity.Header))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Server", "secret/1.0")
	w.Header().Set("Server-Timing", `db;desc="2", redis;desc="1", total;dur=1.0`)
	_ = json.NewEncoder(w).Encode(got{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header, string(body), actor})
}

func (s *service) answers(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = h
}

// people is what auth knows.
type people struct {
	mu       sync.Mutex
	sessions map[string]internalapi.Session // by hex hash
	zones    []string                       // as told
	asked    atomic.Int64
	loading  <-chan struct{} // when set, a look-up waits for it after it has read
}

func (p *people) serve(s *service) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		hash, isLookup := strings.CutPrefix(r.URL.Path, "/internal/sessions/")
		switch {
		case isLookup:
			p.asked.Add(1)
			p.mu.Lock()
			session, there := p.sessions[hash]
			loading := p.loading
			p.mu.Unlock()
			if loading != nil {
				<-loading
			}
			w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1.0`)
			if !there {
				w.WriteHeader(http.StatusUnauthorized)
				_ = json.NewEncoder(w).Encode(apperr.InvalidToken.New("No such session.").Problem(""))
				return
			}
			_ = json.NewEncoder(w).Encode(session)
		case strings.HasPrefix(r.URL.Path, "/internal/users/"):
			var zone internalapi.Zone
			_ = json.NewDecoder(r.Body).Decode(&zone)
			p.mu.Lock()
			p.zones = append(p.zones, zone.Timezone)
			p.mu.Unlock()
		default:
			s.echo(w, r)
		}
	}
}

func (p *people) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.zones...)
}

// setup is what a test changes before the gateway starts.
type setup struct {
	cfg   Config
	table []Route
	o     Options
}

// patient is how long the tests wait for the caches: on a busy machine a slow answer is not an outage.
const patient = 5 * time.Second

func build(t testing.TB, change ...func(*setup)) *town {
	t.Helper()
	manual := clock.At(testkit.Start)
	passports, err := identity.NewPassports([][]byte{testkit.Key}, manual)
	if err != nil {
		t.Fatal(err)
	}
	w := &town{t: t, clock: manual, people: &people{sessions: map[string]internalapi.Session{}}, log: &syncBuffer{}}
	w.auth, w.residence, w.task, w.papers = newService(t, passports), newService(t, passports), newService(t, passports), newService(t, passports)
	w.auth.answers(w.people.serve(w.auth))
	s := &setup{table: Table(), o: Options{Clock: manual, OpsOff: true, LogOut: w.log}, cfg: Config{Service: config.Service{
		AuthURL: w.auth.URL, ResidenceURL: w.residence.URL, TaskURL: w.task.URL, DocumentURL: w.papers.URL, TraceRatio: 1,
		// Nobody reaches these through the gateway; it only asks them how they are.
		NotificationURL: w.residence.URL, BillingURL: w.residence.URL, AdminURL: w.residence.URL,
		CachePatience: patient, PassportKeys: config.Keys{testkit.Key}, DrainTime: 5 * time.Second, OpsAddr: "127.0.0.1:0",
	}}}
	for _, c := range change {
		c(s)
	}
	if s.cfg.CacheURL == "" {
		s.cfg.CacheURL = testkit.Redis(t)
	}
	options, err := redis.ParseURL(s.cfg.CacheURL)
	if err != nil {
		t.Fatal(err)
	}
	w.rdb = redis.NewClient(options)
	t.Cleanup(func() { _ = w.rdb.Close() })
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "auth", Out: w.log})
	if err != nil {
		t.Fatal(err)
	}
	w.authCache = cache.New(w.rdb, patient, tel)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.o.Listener = listener
	if w.Gateway, err = open(t.Context(), s.cfg, s.o, s.table); err != nil {
		t.Fatal(err)
	}
	w.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the gateway did not stop cleanly: %v", err)
		}
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	testkit.Eventually(t, "the gateway is ready", w.Ready)
	return w
}

// signIn makes a session and answers its token.
func (w *town) signIn(zone string) (token string, s internalapi.Session) {
	token = strings.ReplaceAll(uuid.NewString(), "-", "")
	s = internalapi.Session{ID: uuid.New(), UserID: uuid.New(), Timezone: zone}
	w.people.mu.Lock()
	defer w.people.mu.Unlock()
	w.people.sessions[hexHash(token)] = s
	return token, s
}

// endSession is what auth does: delete the row, drop the key, which announces it.
func (w *town) endSession(token string) {
	w.deleteSession(token)
	sum := sha256.Sum256([]byte(token))
	w.authCache.Drop(context.Background(), cache.TokenKey(sum[:]))
}

func (w *town) deleteSession(token string) {
	w.people.mu.Lock()
	defer w.people.mu.Unlock()
	delete(w.people.sessions, hexHash(token))
}

func hexHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// answer is what the gateway said.
type answer struct {
	t testing.TB
	*http.Response
	body []byte
}

func (a answer) got() got {
	a.t.Helper()
	var g got
	if err := json.Unmarshal(a.body, &g); err != nil {
		a.t.Fatalf("%d %s: %v", a.StatusCode, a.body, err)
	}
	return g
}

func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.body, &p)
	return p.Code
}

// call sends a request; header is name, value, name, value.
func (w *town) call(t testing.TB, method, path, token string, body any, header ...string) answer {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	case io.Reader:
		reader = b
	}
	req, err := http.NewRequestWithContext(context.Background(), method, w.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Token "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{t, resp, raw}
}

func (w *town) want(t testing.TB, status int, method, path, token string, body any, header ...string) answer {
	t.Helper()
	a := w.call(t, method, path, token, body, header...)
	if a.StatusCode != status {
		t.Fatalf("%s %s: %d, wanted %d: %s", method, path, a.StatusCode, status, a.body)
	}
	return a
}

func (w *town) refused(t testing.TB, status int, code, method, path, token string, body any, header ...string) answer {
	t.Helper()
	a := w.want(t, status, method, path, token, body, header...)
	if a.code() != code || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%s %s: %q, wanted %q: %s", method, path, a.code(), code, a.body)
	}
	return a
}

// raw sends bytes as they are and reads one answer.
func (w *town) raw(t testing.TB, text string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return answer{t, resp, body}
}

// metric reads a counter or gauge by its line's beginning.
func (w *town) metric(t testing.TB, line string) float64 {
	t.Helper()
	families, err := w.tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += fmt.Sprintf(",%s=%q", l.GetName(), l.GetValue())
			}
			if f.GetName()+"{"+strings.TrimPrefix(labels, ",")+"}" == line {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

// gate is for a handler to wait at until the test opens it, which its end does at the latest: a stand-in does not close
// before its handlers have ended. Make it after the stand-ins.
func gate(t testing.TB) (closed <-chan struct{}, open func()) {
	t.Helper()
	ch := make(chan struct{})
	open = sync.OnceFunc(func() { close(ch) })
	t.Cleanup(open)
	return ch, open
}

// await is for what another goroutine does: it ends the test, and not only its time, when that never happens.
func await[T any](t testing.TB, what string, ch <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("waited 20 s in vain until %s", what)
	}
	return got
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
