package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/testkit"
)

// rough is a service that does with each request's connection what the test says, after it has read the request.
type rough struct {
	net.Listener
	requests atomic.Int64
}

func newRough(t *testing.T, behave func(n int64, conn net.Conn)) *rough {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rough{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				reader := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if strings.HasPrefix(req.URL.Path, "/internal/") {
						_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
						return
					}
					behave(r.requests.Add(1), conn)
				}
			}()
		}
	}()
	return r
}

func (r *rough) url() string { return "http://" + r.Addr().String() }

const okay = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

func TestConnectionThatBreaksBeforeTheAnswer(t *testing.T) {
	for _, want := range []struct {
		method   string
		header   []string
		status   int
		requests int64
	}{
		{"GET", nil, 200, 2}, {"PUT", nil, 200, 2}, {"POST", nil, 503, 1}, {"PATCH", nil, 503, 1}, {"DELETE", nil, 503, 1},
		{"PUT", []string{"If-Match", `"3"`}, 503, 1}, // the first may have been applied: the second would be stale
	} {
		t.Run(strings.Join(append([]string{want.method}, want.header...), " "), func(t *testing.T) {
			s := newRough(t, func(n int64, conn net.Conn) {
				if n > 1 {
					_, _ = io.WriteString(conn, okay)
				}
				_ = conn.Close()
			})
			w := build(t, func(x *setup) { x.cfg.TaskURL = s.url() })
			token, _ := w.signIn("UTC")
			path := "/api/tasks/x/"
			if want.method == "POST" {
				path = "/api/tasks/"
			}
			a := w.want(t, want.status, want.method, path, token, "", want.header...)
			if s.requests.Load() != want.requests {
				t.Errorf("sent %d times", s.requests.Load())
			}
			if a.StatusCode == 503 && (a.code() != "service_unavailable" || a.Header.Get("Retry-After") != "1") {
				t.Errorf("%v %s", a.Header, a.body)
			}
		})
	}
}

func TestServiceThatNeverAnswersIsAskedTwiceAtMost(t *testing.T) {
	s := newRough(t, func(_ int64, conn net.Conn) { _ = conn.Close() })
	w := build(t, func(x *setup) { x.cfg.TaskURL = s.url() })
	token, _ := w.signIn("UTC")
	w.refused(t, 503, "service_unavailable", "GET", "/api/tasks/", token, nil)
	if n := s.requests.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	if w.metric(t, `hearth_gateway_upstream_failures_total{service="task"}`) != 1 {
		t.Error("the failure is not counted")
	}
}

func TestRestartedServiceFailsNobody(t *testing.T) {
	var conns sync.Map
	s := newRough(t, func(_ int64, conn net.Conn) {
		conns.Store(conn, true)
		_, _ = io.WriteString(conn, okay)
	})
	w := build(t, func(x *setup) { x.cfg.TaskURL = s.url() })
	token, _ := w.signIn("UTC")
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { w.want(t, 200, "POST", "/api/tasks/", token, "{}") })
	}
	all.Wait()
	conns.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
	for range 16 {
		all.Go(func() { w.want(t, 200, "POST", "/api/tasks/", token, "{}") })
	}
	all.Wait()
	if n := s.requests.Load(); n != 32 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestServiceThatIsGone(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	address := w.task.Listener.Addr().String()
	w.task.CloseClientConnections()
	w.task.Close()
	for range lostInARow + 1 {
		w.refused(t, 503, "service_unavailable", "POST", "/api/tasks/", token, "{}")
	}
	// It is back, but while the circuit is open nobody asks it.
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	back := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) })}
	go func() { _ = back.Serve(listener) }()
	defer func() { _ = back.Close() }()
	a := w.refused(t, 503, "service_unavailable", "GET", "/api/tasks/", token, nil)
	if asked.Load() != 0 || a.Header.Get("Retry-After") != "1" {
		t.Errorf("asked %d times; %v", asked.Load(), a.Header)
	}
	w.want(t, 200, "GET", "/api/residences/", token, nil) // the others are not concerned
	testkit.Eventually(t, "the circuit closes", func() bool { return w.call(t, "GET", "/api/tasks/", token, nil).StatusCode == 200 })
}

func TestHeadOfAServiceThatIsGoneHasNoBody(t *testing.T) {
	w := build(t, func(s *setup) { s.cfg.TaskURL = "http://127.0.0.1:9" })
	token, _ := w.signIn("UTC")
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	reader := bufio.NewReader(conn)
	for _, c := range []struct {
		method, path string
		status       int
	}{{"HEAD", "/api/tasks/", 503}, {"GET", "/api/residences/", 200}} { // on the same connection
		if _, err := io.WriteString(conn, c.method+" "+c.path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Token "+token+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(reader, &http.Request{Method: c.method})
		if err != nil {
			t.Fatalf("%s: %v", c.method, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d", c.method, resp.StatusCode)
		}
	}
}

func TestErrorsOfAServiceDoNotOpenTheCircuit(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	w.task.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) })
	for range 3 * lostInARow {
		w.want(t, 500, "GET", "/api/tasks/", token, nil)
	}
	if n := w.task.hits.Load(); n != 3*lostInARow {
		t.Errorf("%d arrived", n)
	}
}

func TestDeadline(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for _, body := range []Body{small, streamed} {
		w := build(t, func(s *setup) {
			s.table = []Route{{get, "/api/tasks/", task, identity.User, read, body, 150 * time.Millisecond}}
		})
		w.task.answers(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		token, _ := w.signIn("UTC")
		w.refused(t, 504, "deadline_exceeded", "GET", "/api/tasks/", token, nil)
		if n := w.task.hits.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	}
}

func TestPanicEndsOneRequest(t *testing.T) {
	w := build(t)
	w.own["/api/health/"] = func(*exchange) error { panic("secret detail") }
	a := w.refused(t, 500, "internal_error", "GET", "/api/health/", "", nil)
	if strings.Contains(string(a.body), "secret") || !strings.Contains(w.log.String(), "secret detail") {
		t.Errorf("answer %s", a.body)
	}
	w.want(t, 200, "GET", "/api/docs/", "", nil)
}

func TestRequestsInFlightAreAnsweredBeforeTheStop(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := build(t) // for its stand-ins
	ctx, stop := context.WithCancel(t.Context())
	second, err := Open(ctx, w.cfg, Options{Clock: w.clock, Listener: listener, LogOut: w.log})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- second.Run(ctx) }()
	testkit.Eventually(t, "it is ready", second.Ready)
	arrived := make(chan struct{})
	release, open := gate(t)
	w.auth.answers(func(http.ResponseWriter, *http.Request) { close(arrived); <-release })
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Post("http://"+listener.Addr().String()+"/api/auth/login/", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	await(t, "the request has arrived", arrived)
	stop()
	testkit.Eventually(t, "it is no longer ready", func() bool { return !second.Ready() })
	open()
	if status := await(t, "the request in flight is answered", answered); status != 200 {
		t.Errorf("the request in flight: %d", status)
	}
	if err := await(t, "the gateway ends", ended); err != nil {
		t.Error(err)
	}
}

func TestMetricsAndSpansNameTheRoute(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	w := build(t, func(s *setup) { s.o.Processors = []sdktrace.SpanProcessor{recorder} })
	token, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/some-secret-id/", token, nil)
	w.refused(t, 404, "route_not_found", "GET", "/api/whatever/", "", nil)
	if w.metric(t, `hearth_http_request_duration_seconds{method="GET",route="/api/tasks/{id}/",status="200"}`) != 1 ||
		w.metric(t, `hearth_http_request_duration_seconds{method="GET",route="none",status="404"}`) != 1 {
		t.Error("requests are not counted by route")
	}
	var server, client sdktrace.ReadOnlySpan
	for _, span := range recorder.Ended() {
		switch {
		case span.SpanKind() == trace.SpanKindServer && span.Name() == "GET /api/tasks/{id}/":
			server = span
		case span.SpanKind() == trace.SpanKindClient && span.Name() == "GET task":
			client = span
		}
		for _, attribute := range span.Attributes() {
			if strings.Contains(attribute.Value.String(), token) || strings.Contains(attribute.Value.String(), hexHash(token)) {
				t.Errorf("%s: %s tells the token", span.Name(), attribute.Key)
			}
		}
	}
	if server == nil || client == nil || client.Parent().SpanID() != server.SpanContext().SpanID() {
		t.Errorf("server %v, client %v", server, client)
	}
}

func TestOperatorsPort(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	w := build(t, func(s *setup) { s.cfg.OpsAddr, s.o.OpsOff = address, false })
	w.want(t, 200, "GET", "/api/health/", "", nil)
	look := func(path string) (int, string) {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if status, _ := look(path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
		w.refused(t, 404, "route_not_found", "GET", path, "", nil)
	}
	w.refused(t, 404, "route_not_found", "GET", "/metrics", "", nil)
	if _, metrics := look("/metrics"); !strings.Contains(metrics, `hearth_http_request_duration_seconds_count{method="GET",route="/api/health/",status="200"} 1`) ||
		!strings.Contains(metrics, "hearth_gateway_token_checks_total") {
		t.Errorf("metrics: %.2000s", metrics)
	}
	w.ready.Store(false)
	if status, _ := look("/readyz"); status != 503 {
		t.Errorf("not ready: %d", status)
	}
}
