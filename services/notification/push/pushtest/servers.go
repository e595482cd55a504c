// Package pushtest has Apple's and Google's push services in a test: servers on 127.0.0.1 that speak their protocols, are as
// strict as they are, and fail as they do when they are told to. Programs of their own reach them too: all that these
// need stands in Environ.
package pushtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Servers are both.
type Servers struct {
	APNs *APNs
	FCM  *FCM
}

// Start starts them; they stop with the test.
func Start(t testing.TB) *Servers {
	t.Helper()
	return &Servers{APNs: startAPNs(t), FCM: startFCM(t)}
}

// Environ is what a program needs in its environment to push here.
func (s *Servers) Environ() []string { return append(s.APNs.Environ(), s.FCM.Environ()...) }

// NewToken makes up a device's token, which both take.
func NewToken() string {
	raw := make([]byte, 32)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}

// Push is one that was taken.
type Push struct {
	Token    string
	Sandbox  bool   // APNs
	ID       string // apns-id; FCM: the name that it was given
	Title    string
	Body     string
	Badge    int
	Sound    string // APNs
	Collapse string
	Thread   string
	Category string
	Quiet    bool          // priority 5, or NORMAL
	Expires  time.Time     // APNs; zero: not said
	Life     time.Duration // FCM; zero: not said, or none
	Data     map[string]string
	Header   http.Header
	Payload  []byte // as it came
}

// Failure is what a server does instead of taking a push: it answers with a status, or a mishap happens.
type Failure struct {
	Status     int
	Reason     string    // APNs: BadDeviceToken, ...; FCM: the errorCode, UNREGISTERED, ...; at its token endpoint the error
	Since      time.Time // APNs, of a 410: since when the token is none
	RetryAfter string
	Field      string // FCM, of INVALID_ARGUMENT: the field at fault, such as message.token
	Text       string // FCM: the message
	Mishap     Mishap
	Times      int // how often; zero: until Heal
}

// Mishap is what goes wrong without an answer.
type Mishap int

// The mishaps. The connection is what they are about, so that other pushes on it suffer too, as they would at Apple's.
const (
	// Cut: the connection ends; the push has not been looked at.
	Cut Mishap = iota + 1
	// TakenThenCut: the push is taken, and the connection ends before the answer. It counts as delivered.
	TakenThenCut
	// Hang: there is no answer for as long as the client waits.
	Hang
	// GoAway: APNs says that it has looked at nothing on this connection and will not.
	GoAway
)

// ledger is what a server has taken, and how it is to fail.
type ledger struct {
	mu       sync.Mutex
	all      []Push
	failures map[string]*Failure // by token; empty: every one
	asked    int
}

func newLedger() ledger { return ledger{failures: map[string]*Failure{}} }

// Fail has pushes to a device's token fail, or with no token all of them. A token's own failure comes first.
func (l *ledger) Fail(token string, f Failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures[token] = &f
}

// Heal ends what Fail began.
func (l *ledger) Heal(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failures, token)
}

// failure is what this push is to meet with.
func (l *ledger) failure(token string) (Failure, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	for _, of := range []string{token, ""} {
		f := l.failures[of]
		if f == nil {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				delete(l.failures, of)
			}
		}
		return *f, true
	}
	return Failure{}, false
}

func (l *ledger) take(p Push) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, p)
}

// Pushes are those that a device got, in the order in which they came.
func (l *ledger) Pushes(token string) []Push {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Push
	for _, p := range l.all {
		if p.Token == token {
			out = append(out, p)
		}
	}
	return out
}

// All are the pushes that were taken, in the order in which they came.
func (l *ledger) All() []Push {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Push(nil), l.all...)
}

// Count is how many pushes were taken.
func (l *ledger) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// Asked is how many requests to push there were, whatever came of them.
func (l *ledger) Asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// gate is a listening server that can be away for a while.
type gate struct {
	handler http.Handler
	tls     *tls.Config // nil: plain HTTP
	addr    string

	mu      sync.Mutex
	server  *http.Server
	ended   chan struct{} // nobody listens any more
	opened  int
	streams int // of HTTP/2, at once on a connection
}

type lineKey struct{}

// line is a connection of a client.
type line struct {
	net.Conn
	mu     sync.Mutex
	bearer string // that it was used with
	since  time.Time
}

func openGate(t testing.TB, handler http.Handler, cfg *tls.Config) *gate {
	t.Helper()
	g := &gate{handler: handler, tls: cfg, addr: "127.0.0.1:0", streams: 1000} // as Apple's
	g.up(t)
	t.Cleanup(g.down)
	return g
}

func (g *gate) up(t testing.TB) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server != nil {
		return
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	g.addr = listener.Addr().String()
	server := &http.Server{
		Handler: g.handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.opened++
			return context.WithValue(ctx, lineKey{}, &line{Conn: c})
		},
	}
	g.server = server
	if g.tls != nil {
		server.TLSConfig = g.tls.Clone() // the server changes it
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP2(true)
		server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: g.streams}
	}
	ended := make(chan struct{})
	g.ended = ended
	go func() {
		defer close(ended)
		serve := server.Serve
		if g.tls != nil {
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server stopped: %v", err)
		}
	}()
}

func (g *gate) down() {
	g.mu.Lock()
	server, ended := g.server, g.ended
	g.server = nil
	g.mu.Unlock()
	if server != nil {
		_ = server.Close() // the listener may be closed already
		<-ended
	}
}

func (g *gate) address() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addr
}

func (g *gate) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// hangUp ends the connection of a request without a word.
func hangUp(r *http.Request) {
	_ = r.Context().Value(lineKey{}).(*line).Close() // the client may have been quicker
	panic(http.ErrAbortHandler)
}
