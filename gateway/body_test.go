package gateway

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/testkit"
)

// uploads is a table with a route whose bodies flow.
func uploads(s *setup) {
	s.table = append(Table(),
		Route{post, "/api/flows/", task, identity.User, write, streamed, 30 * time.Second},
		Route{get, "/api/flows/", task, identity.User, write, streamed, 30 * time.Second})
}

// endless makes n bytes without having them.
type endless struct{ source io.Reader }

func newEndless(n int64) io.Reader {
	return endless{io.LimitReader(rand.NewChaCha8([32]byte{1}), n)}
}

func (e endless) Read(p []byte) (int, error) { return e.source.Read(p) }

func TestLargeUploadFlowsThroughFlatMemory(t *testing.T) {
	w := build(t, uploads)
	token, _ := w.signIn("UTC")
	const size = 25 << 20
	sum := sha256.New()
	_, _ = io.Copy(sum, newEndless(size))
	want := fmt.Sprintf("%x", sum.Sum(nil))
	var peak uint64
	w.task.answers(func(rw http.ResponseWriter, r *http.Request) {
		sum, buffer := sha256.New(), make([]byte, 64<<10)
		for i := 0; ; i++ {
			n, err := r.Body.Read(buffer)
			sum.Write(buffer[:n])
			if i%100 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			if err != nil {
				break
			}
		}
		_ = json.NewEncoder(rw).Encode(fmt.Sprintf("%x %d", sum.Sum(nil), r.ContentLength))
	})
	for _, length := range []int64{size, -1} {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		peak = 0
		req, _ := http.NewRequestWithContext(t.Context(), post, w.url+"/api/flows/", newEndless(size))
		req.ContentLength = length
		req.Header.Set("Authorization", "Token "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := strings.Trim(string(body), "\"\n"); got != fmt.Sprintf("%s %d", want, length) {
			t.Errorf("length %d: %s", length, got)
		}
		if grown := int64(peak) - int64(before.HeapAlloc); grown > 12<<20 { //nolint:gosec // a heap is no larger than that
			t.Errorf("length %d: the heap grew by %d KiB", length, grown>>10)
		}
	}
}

func TestLargeAnswerFlows(t *testing.T) {
	w := build(t, uploads)
	token, _ := w.signIn("UTC")
	const size = 25 << 20
	var release <-chan struct{}
	w.task.answers(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("length") {
			rw.Header().Set("Content-Length", fmt.Sprint(size))
		}
		_, _ = io.Copy(rw, newEndless(size/2))
		rw.(http.Flusher).Flush()
		<-release // the beginning must arrive before the end is made
		_, _ = io.Copy(rw, newEndless(size/2))
	})
	for _, query := range []string{"?length", ""} {
		var open func()
		release, open = gate(t)
		req, _ := http.NewRequestWithContext(t.Context(), get, w.url+"/api/flows/"+query, nil)
		req.Header.Set("Authorization", "Token "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		open()
		rest, err := io.Copy(io.Discard, resp.Body)
		if err != nil || rest != size-1<<20 {
			t.Errorf("%q: %d bytes, %v", query, rest, err)
		}
		_ = resp.Body.Close()
	}
	if a := w.want(t, 200, "HEAD", "/api/flows/?length", token, nil); a.ContentLength != size {
		t.Errorf("HEAD: %d", a.ContentLength)
	}
	w.task.answers(nil)
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
}

func TestBodyLimits(t *testing.T) {
	w := build(t, uploads, func(s *setup) { s.cfg.BodyLimit, s.cfg.UploadLimit = 100_000, 300_000 })
	token, _ := w.signIn("UTC")
	for _, c := range []struct {
		name, path string
		size       int
		status     int
	}{
		{"nothing", "/api/tasks/", 0, 200},
		{"a few bytes", "/api/tasks/", 10, 200},
		{"more than is read at once", "/api/tasks/", 20_000, 200},
		{"just fits", "/api/tasks/", 100_000, 200},
		{"one too many", "/api/tasks/", 100_001, 413},
		{"far too many", "/api/tasks/", 2_000_000, 413},
		{"upload that just fits", "/api/flows/", 300_000, 200},
		{"upload, one too many", "/api/flows/", 300_001, 413},
		{"upload, far too many", "/api/flows/", 2_000_000, 413},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %v", c.name, chunked), func(t *testing.T) {
				body := io.Reader(strings.NewReader(strings.Repeat("a", c.size)))
				if chunked {
					body = io.MultiReader(body) // a length that the client does not know
				}
				a := w.want(t, c.status, "POST", c.path, token, body)
				if c.status == 200 && len(a.got().Body) != c.size {
					t.Errorf("%d bytes arrived", len(a.got().Body))
				}
				if c.status == 413 && a.code() != "body_too_large" {
					t.Errorf("%s", a.body)
				}
			})
		}
	}
}

func TestWhatIsLeftOfABodyIsNoRequest(t *testing.T) {
	w := build(t, uploads, func(s *setup) { s.cfg.BodyLimit = 1000 })
	token, _ := w.signIn("UTC")
	smuggled := "GET /api/tasks/?smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + "\r\n\r\n"
	for _, first := range []string{
		fmt.Sprintf("POST /api/tasks/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 9000+len(smuggled)), // refused: no token
		fmt.Sprintf("POST /api/nothing/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 9000+len(smuggled)),
		fmt.Sprintf("POST /api/tasks/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token %s\r\nContent-Length: %d\r\n\r\n", token, 9000+len(smuggled)), // too large
		fmt.Sprintf("GET /api/tasks/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token %s\r\nContent-Length: %d\r\n\r\n", token, 9000+len(smuggled)),
		fmt.Sprintf("GET /api/health/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 9000+len(smuggled)),
	} {
		w.raw(t, first+strings.Repeat("a", 9000)+smuggled+"GET /api/docs/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	}
	w.task.answers(func(_ http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "smuggled") {
			t.Error("a body was taken for a request")
		}
	})
	for _, line := range strings.Split(w.log.String(), "\n") {
		if strings.Contains(line, "smuggled") {
			t.Error(line)
		}
	}
}

func TestRequestsFollowEachOtherOnOneConnection(t *testing.T) {
	w := build(t, uploads)
	token, _ := w.signIn("UTC")
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for i, c := range []struct {
		request string
		status  int
	}{
		{"POST /api/tasks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("a", 20000), 401}, // not read, but drained
		{"POST /api/tasks/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200},
		{"POST /api/flows/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200},
		{"POST /api/flows/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + "\r\nContent-Length: 9000\r\n\r\n" + strings.Repeat("b", 9000), 200},
		{"PUT /api/tasks/x/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + "\r\nContent-Length: 3\r\n\r\nabc", 200},
		{"HEAD /api/tasks/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + "\r\n\r\n", 200},
		{"DELETE /api/tasks/x/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + "\r\n\r\n", 200},
	} {
		if _, err := io.WriteString(conn, c.request); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(c.request, " ")
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != c.status || resp.Close {
			t.Fatalf("request %d: %d, closes %v: %s", i, resp.StatusCode, resp.Close, body)
		}
		if c.status == 200 && method != "HEAD" && (answer{t, resp, body}).got().Method != method {
			t.Fatalf("request %d got another's answer: %s", i, body)
		}
	}
}

func TestBodyThatBreaksOffNeverArrivesAsAWhole(t *testing.T) {
	for _, path := range []string{"/api/tasks/", "/api/flows/"} {
		w := build(t, uploads)
		token, _ := w.signIn("UTC")
		for _, text := range []string{
			"Content-Length: 20000\r\n\r\n" + strings.Repeat("a", 15000),
			"Content-Length: 10\r\n\r\nabc",
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
			"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
		} {
			// It may be asked late, when the client has gone: its end is not waited for here, but before the test's.
			w.task.answers(func(_ http.ResponseWriter, r *http.Request) {
				if n, err := io.Copy(io.Discard, r.Body); err == nil {
					t.Errorf("%s: %d bytes of a body that broke off arrived as a whole", path, n)
				}
			})
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Token "+token+"\r\n"+text)
			_ = conn.(*net.TCPConn).CloseWrite()
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			answered, _ := io.ReadAll(conn)
			_ = conn.Close()
			if strings.HasPrefix(string(answered), "HTTP/1.1 200") {
				t.Errorf("%s %.40q: %s", path, text, answered)
			}
		}
	}
}

func TestBodyThatDoesNotComeInTime(t *testing.T) {
	for body, text := range map[Body]string{
		small:    "Content-Length: 20000\r\n\r\n" + strings.Repeat("a", 15000),
		streamed: "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		w := build(t, func(s *setup) {
			s.table = []Route{{post, "/api/tasks/", task, identity.User, write, body, 150 * time.Millisecond}}
		})
		token, _ := w.signIn("UTC")
		a := w.raw(t, "POST /api/tasks/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token "+token+"\r\n"+text)
		if a.StatusCode != 400 && a.StatusCode != 504 || !a.Close {
			t.Errorf("%d, closes %v: %s", a.StatusCode, a.Close, a.body)
		}
	}
}

func TestServiceMayRefuseAnUploadBeforeItsEnd(t *testing.T) {
	w := build(t, uploads)
	token, _ := w.signIn("UTC")
	w.task.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnsupportedMediaType) })
	for range 5 {
		w.want(t, 415, "POST", "/api/flows/", token, newEndless(4<<20))
	}
	if w.metric(t, `hearth_gateway_upstream_failures_total{service="task"}`) != 0 {
		t.Error("an answer counts as a failure")
	}
}

func TestClientThatGoesAwayIsNoFailureOfTheService(t *testing.T) {
	w := build(t, uploads)
	token, _ := w.signIn("UTC")
	reading := make(chan struct{}, 100)
	w.task.answers(func(_ http.ResponseWriter, r *http.Request) {
		reading <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	for range lostInARow + 2 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "POST /api/flows/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token "+token+"\r\nContent-Length: 200000\r\n\r\n"+strings.Repeat("a", 100000))
		await(t, "the service reads the body", reading)
		_ = conn.Close()
	}
	w.task.answers(nil)
	testkit.Eventually(t, "uploads are served", func() bool { return w.call(t, "POST", "/api/flows/", token, "{}").StatusCode == 200 })
	if w.metric(t, `hearth_gateway_upstream_failures_total{service="task"}`) != 0 {
		t.Error("it counts as one")
	}
}

func TestOldAndCautiousClients(t *testing.T) {
	w := build(t, func(s *setup) { s.cfg.BodyLimit = 1000 })
	a := w.raw(t, "POST /api/auth/login/ HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
	if g := a.got(); g.Body != "{}" || !a.Close {
		t.Errorf("HTTP/1.0: %+v, closes %v", g, a.Close)
	}
	for size, status := range map[int]int{500: 200, 5000: 413} {
		req, _ := http.NewRequestWithContext(t.Context(), post, w.url+"/api/auth/login/", strings.NewReader(strings.Repeat("a", size)))
		req.Header.Set("Expect", "100-continue")
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 5 * time.Second}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		client.CloseIdleConnections()
		if resp.StatusCode != status {
			t.Errorf("%d bytes: %d", size, resp.StatusCode)
		}
	}
}
