package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/document/blob"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
	"hearth.internal/pkg/testkit"
)

func TestADirectoryHasNoAddresses(t *testing.T) {
	s := open(t, inDirectory(t))
	if _, err := s.Link(t.Context(), blob.NewKey(), blob.LinkOptions{For: time.Minute}); !errors.Is(err, blob.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := s.Invite(t.Context(), blob.NewKey(), 1, "text/plain", time.Minute); !errors.Is(err, blob.ErrUnsupported) {
		t.Error(err)
	}
}

func send(t *testing.T, method, url string, body io.Reader, header http.Header) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(answer)
}

func TestALinkAnswersAsItSaysAndEnds(t *testing.T) {
	cfg := inS3(t)
	s := open(t, cfg)
	key := put(t, s, "0123456789")
	url, err := s.Link(t.Context(), key, blob.LinkOptions{
		ContentType: "application/pdf", Disposition: `attachment; filename="a b.pdf"; filename*=UTF-8''a%20%C3%BC.pdf`, For: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	status, header, body := send(t, "GET", url, nil, nil)
	if status != 200 || body != "0123456789" || header.Get("Content-Type") != "application/pdf" ||
		header.Get("Content-Disposition") != `attachment; filename="a b.pdf"; filename*=UTF-8''a%20%C3%BC.pdf` {
		t.Errorf("%d %v %q", status, header, body)
	}
	if status, _, body := send(t, "GET", url, nil, http.Header{"Range": {"bytes=2-4"}}); status != 206 || body != "234" {
		t.Errorf("a part: %d %q", status, body)
	}
	for what, change := range map[string][2]string{
		"another type": {"application%2Fpdf", "text%2Fhtml"}, "another blob": {key, put(t, s, "secret")}, "longer": {"X-Amz-Expires=2", "X-Amz-Expires=9"},
	} {
		if status, _, body := send(t, "GET", strings.Replace(url, change[0], change[1], 1), nil, nil); status != 403 {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	if status, _, _ := send(t, "DELETE", url, nil, nil); status != 403 {
		t.Errorf("delete: %d", status)
	}
	testkit.Eventually(t, "the link has ended", func() bool {
		status, _, _ := send(t, "GET", url, nil, nil)
		return status == 403
	})
}

func TestALinkGoesToThePublicEndpoint(t *testing.T) {
	cfg := inS3(t)
	cfg.S3PublicEndpoint = strings.Replace(cfg.S3Endpoint, "127.0.0.1", "localhost", 1)
	s := open(t, cfg)
	url, err := s.Link(t.Context(), put(t, s, "hearth"), blob.LinkOptions{For: time.Minute})
	if err != nil || !strings.HasPrefix(url, cfg.S3PublicEndpoint+"/"+cfg.S3Bucket+"/") {
		t.Fatalf("%s: %v", url, err)
	}
	address := strings.TrimPrefix(cfg.S3Endpoint, "http://")
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address) // whatever localhost is on this machine
	}}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("%d: the signature is not of the public host", resp.StatusCode)
	}
}

func TestAnInvitationTakesNothingElse(t *testing.T) {
	s := open(t, inS3(t))
	key := blob.NewKey()
	began := time.Now()
	invited, err := s.Invite(t.Context(), key, 10, "image/png", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if left := invited.ExpiresAt.Sub(began); left <= time.Minute-time.Second || left > time.Minute+time.Since(began) {
		t.Errorf("it ends at %v", invited.ExpiresAt)
	}
	with := func(name, value string) http.Header {
		h := invited.Header.Clone()
		h.Set(name, value)
		return h
	}
	refused := func(what, method, url, body string, header http.Header) {
		if status, _, answer := send(t, method, url, strings.NewReader(body), header); status < 400 {
			t.Errorf("%s: %d %s", what, status, answer)
		}
		if _, err := s.Open(t.Context(), key, 0, -1); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: something is stored (%v)", what, err)
		}
	}
	refused("a larger body", invited.Method, invited.URL, "0123456789a", invited.Header.Clone())
	refused("a smaller body", invited.Method, invited.URL, "012345678", invited.Header.Clone())
	refused("another type", invited.Method, invited.URL, "0123456789", with("Content-Type", "text/html"))
	refused("no type", invited.Method, invited.URL, "0123456789", nil)
	refused("another key", invited.Method, strings.Replace(invited.URL, key, blob.NewKey(), 1), "0123456789", invited.Header.Clone())
	if status, _, answer := send(t, invited.Method, invited.URL, strings.NewReader("0123456789"), invited.Header.Clone()); status != 200 {
		t.Fatalf("what was invited: %d %s", status, answer)
	}
	if got := get(t, s, key, 0, -1); got != "0123456789" {
		t.Errorf("stored: %q", got)
	}
	if status, _, _ := send(t, "GET", invited.URL, nil, nil); status != 403 {
		t.Errorf("it lets people read: %d", status)
	}
}

func TestAnInvitationEnds(t *testing.T) {
	s := open(t, inS3(t))
	invited, err := s.Invite(t.Context(), blob.NewKey(), 1, "image/png", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the invitation has ended", func() bool {
		status, _, _ := send(t, invited.Method, invited.URL, strings.NewReader("a"), invited.Header.Clone())
		return status == 403
	})
}

// unavailable calls everything that needs the storage.
func unavailable(t *testing.T, s blob.Store) {
	t.Helper()
	for name, call := range map[string]func() error{
		"put":    func() error { return s.Put(t.Context(), blob.NewKey(), strings.NewReader("a"), 1, "text/plain") },
		"open":   func() error { _, err := s.Open(t.Context(), blob.NewKey(), 0, -1); return err },
		"delete": func() error { return s.Delete(t.Context(), blob.NewKey()) },
		"walk":   func() error { return s.Walk(t.Context(), func(blob.Blob) error { return nil }) },
		"ping":   func() error { return s.Ping(t.Context()) },
	} {
		if err := call(); !apperr.ServiceUnavailable.Has(err) || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAStorageThatIsAwayIsUnavailable(t *testing.T) {
	cfg := inS3(t)
	cfg.S3Endpoint = "http://127.0.0.1:9"
	unavailable(t, open(t, cfg)) // the start does without it
	local := inDirectory(t)
	s := open(t, local)
	if err := os.RemoveAll(local.StorageDir); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("ping: %v", err)
	}
	if err := s.Put(t.Context(), blob.NewKey(), strings.NewReader("a"), 1, "text/plain"); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("put: %v", err)
	}
}

func TestAStorageThatKeepsSilentIsUnavailable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never says anything
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	cfg := inS3(t)
	cfg.S3Endpoint, cfg.S3Patience = "http://"+listener.Addr().String(), 100*time.Millisecond
	s := open(t, cfg)
	unavailable(t, s)
	// One that stops reading in the middle of what we send.
	const size = 64 << 20
	if err := s.Put(t.Context(), blob.NewKey(), io.LimitReader(zeros{}, size), size, "text/plain"); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("put: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAStorageThatFallsSilentInItsAnswerIsUnavailable(t *testing.T) {
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Header().Set("Last-Modified", "Tue, 10 Mar 2026 12:00:00 GMT")
		w.Header().Set("ETag", `"0"`)
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		<-end
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) })
	cfg := inS3(t)
	cfg.S3Endpoint, cfg.S3Patience = server.URL, 100*time.Millisecond
	body, err := open(t, cfg).Open(t.Context(), blob.NewKey(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); !apperr.ServiceUnavailable.Has(err) || string(got) != "half" {
		t.Errorf("%q: %v", got, err)
	}
}

// slow gives its bytes one by one, each after longer than the storage may take.
type slow struct {
	io.Reader
	pause time.Duration
}

func (s slow) Read(p []byte) (int, error) {
	<-time.After(s.pause)
	return s.Reader.Read(p[:1])
}

func TestASlowReaderIsNoSilentStorage(t *testing.T) {
	cfg := inS3(t)
	cfg.S3Patience = 250 * time.Millisecond
	s, key := open(t, cfg), blob.NewKey()
	if err := s.Put(t.Context(), key, slow{strings.NewReader("abc"), 300 * time.Millisecond}, 3, "text/plain"); err != nil {
		t.Fatal(err)
	}
	body, err := s.Open(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(slow{body, 300 * time.Millisecond}); err != nil || string(got) != "abc" {
		t.Errorf("%q: %v", got, err)
	}
}

func TestAStorageThatRefusesUsStopsTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*blob.Config)
		words  string
	}{
		"a wrong secret":     {func(c *blob.Config) { c.S3SecretKey = "hush-hush" }, "does not let us into the bucket"},
		"a wrong access key": {func(c *blob.Config) { c.S3AccessKey = "nobody" }, "does not let us into the bucket"},
		"no bucket":          {func(c *blob.Config) { c.S3Bucket = "no-such-bucket" }, "there is no bucket no-such-bucket"},
	} {
		cfg := inS3(t)
		c.change(&cfg)
		_, err := blob.Open(t.Context(), cfg, quiet(t))
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfigurationsThatAreNotClear(t *testing.T) {
	full := blob.Config{
		S3Endpoint: "https://s3.example.com", S3Region: "us-east-1", S3Bucket: "hearth", S3AccessKey: "a", S3SecretKey: "hush-hush", S3Patience: time.Second,
	}
	with := func(change func(*blob.Config)) blob.Config { c := full; change(&c); return c }
	for name, c := range map[string]struct {
		cfg   blob.Config
		words string
	}{
		"nothing":             {blob.Config{S3Region: "us-east-1", S3PathStyle: true, S3Patience: time.Second}, "files have to be kept somewhere"},
		"both":                {with(func(c *blob.Config) { c.StorageDir = t.TempDir() }), "both set"},
		"a bucket as well":    {blob.Config{StorageDir: t.TempDir(), S3Bucket: "hearth"}, "both set"},
		"no endpoint":         {with(func(c *blob.Config) { c.S3Endpoint = "" }), "needed together"},
		"no bucket":           {with(func(c *blob.Config) { c.S3Bucket = "" }), "needed together"},
		"no secret":           {with(func(c *blob.Config) { c.S3SecretKey = "" }), "needed together"},
		"no patience":         {with(func(c *blob.Config) { c.S3Patience = 0 }), "S3_PATIENCE"},
		"no scheme":           {with(func(c *blob.Config) { c.S3Endpoint = "s3.example.com" }), "HEARTH_S3_ENDPOINT must be"},
		"a path":              {with(func(c *blob.Config) { c.S3PublicEndpoint = "https://s3.example.com/hearth" }), "HEARTH_S3_PUBLIC_ENDPOINT must be"},
		"a password":          {with(func(c *blob.Config) { c.S3Endpoint = "https://a:hush-hush@s3.example.com" }), "HEARTH_S3_ENDPOINT must be"},
		"a file":              {blob.Config{StorageDir: filepath.Join("/dev/null", "files")}, "storage directory cannot be used"},
		"not even an address": {with(func(c *blob.Config) { c.S3Endpoint = "://" }), "HEARTH_S3_ENDPOINT must be"},
	} {
		_, err := blob.Open(t.Context(), c.cfg, quiet(t))
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "hush-hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A request's trace shows the calls of the storage, without signatures, and the storage is told nothing of it.
func TestSpansShowNoSignatures(t *testing.T) {
	var seen bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.Header.Write(&seen)
		w.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(server.Close)
	spans := tracetest.NewSpanRecorder()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Ratio: 1, Out: io.Discard, Processors: []sdktrace.SpanProcessor{spans}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := inS3(t)
	cfg.S3Endpoint = server.URL
	s, err := blob.Open(t.Context(), cfg, tel)
	if err != nil {
		t.Fatal(err)
	}
	ctx, request := tel.Tracer.Start(t.Context(), "request", trace.WithSpanKind(trace.SpanKindServer))
	_ = s.Walk(ctx, func(blob.Blob) error { return nil }) // what it says is no list
	request.End()
	var urls []string
	for _, span := range spans.Ended() {
		for _, a := range span.Attributes() {
			if a.Key == "url.full" {
				urls = append(urls, a.Value.AsString())
			}
		}
	}
	if len(urls) == 0 || strings.Contains(strings.Join(urls, " "), "?") {
		t.Errorf("spans: %v", urls)
	}
	if strings.Contains(seen.String(), "Traceparent") {
		t.Errorf("the storage hears: %s", seen.String())
	}
}
