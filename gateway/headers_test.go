package gateway

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"hearth.internal/pkg/identity"
)

func TestHeadersThatClientsMayNotSend(t *testing.T) {
	w := build(t)
	token, session := w.signIn("UTC")
	lines := []string{
		"X-Hearth-Passport: forged", "x-hearth-passport: forged", "X_Hearth_Passport: forged", "X-HEARTH-ANYTHING: forged", "X-User-Id: forged", "x-user-email: forged",
		"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: forged", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: forged", "Forwarded: for=forged",
		"X-Real-Ip: forged", "X-Client-IP: forged", "True-Client-IP: forged", "X-Original-URL: /forged", "X-Rewrite-Url: /forged", "X-HTTP-Method-Override: DELETE",
		"Connection: X-Named, keep-alive, X-Other", "X-Named: hop", "X-Other: hop", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic forged",
		"TE: trailers", "Trailer: X-Late", "Upgrade: websocket", "Baggage: a=b", "Server: x",
	}
	a := w.raw(t, "GET /api/tasks/ HTTP/1.1\r\nHost: forged\r\nAuthorization: Token "+token+"\r\nAccept-Language: de\r\nIf-None-Match: \"7\"\r\n"+strings.Join(lines, "\r\n")+"\r\n\r\n")
	g := a.got()
	for name, values := range g.Header {
		for _, line := range lines {
			sent, _, _ := strings.Cut(line, ":")
			if http.CanonicalHeaderKey(sent) == name && name != identity.Header && name != "Server" {
				t.Errorf("%s: %v arrived", name, values)
			}
		}
		if strings.Contains(strings.Join(values, ","), "forged") {
			t.Errorf("%s: %v arrived", name, values)
		}
	}
	if len(g.Header[identity.Header]) != 1 || g.Actor.UserID != session.UserID || g.Actor.SessionID != session.ID || g.Actor.ClientIP != "127.0.0.1" {
		t.Errorf("actor %+v, passports %d", g.Actor, len(g.Header[identity.Header]))
	}
	if g.Header.Get("Authorization") != "" {
		t.Error("the token arrived")
	}
	if g.Header.Get("Accept-Language") != "de" || g.Header.Get("If-None-Match") != `"7"` {
		t.Errorf("what clients may send did not arrive: %v", g.Header)
	}
}

// TestOnlyShopsProofsPass: what the shops send to prove themselves arrives as it came, and nobody's token anywhere else.
func TestOnlyShopsProofsPass(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	for _, service := range []*service{w.auth, w.residence, w.task, w.papers} {
		service.answers(nil) // tells what it got
	}
	w.auth.answers(w.people.serve(w.auth))
	hooks := 0
	for _, r := range w.table {
		if r.Service == itself || r.Body == streamed {
			continue
		}
		sent := "Token " + token
		if r.Rate == hook {
			sent = "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln=="
			hooks++
		}
		path := strings.NewReplacer("{", "", "}", "").Replace(r.Path)
		g := w.want(t, 200, r.Method, path, "", "{}", "Authorization", sent).got()
		if arrived := g.Header.Get("Authorization"); r.Rate == hook && arrived != sent || r.Rate != hook && arrived != "" {
			t.Errorf("%s %s: %q arrived", r.Method, r.Path, arrived)
		}
	}
	if hooks == 0 {
		t.Error("no shop tells anything")
	}
	a := w.raw(t, "POST /api/subscription/webhook/google/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a.b.c\r\nX-Hearth-Passport: forged\r\nProxy-Authorization: Basic forged\r\nContent-Length: 2\r\n\r\n{}")
	if g := a.got(); g.Actor.Kind != identity.Anonymous || g.Header.Get("Proxy-Authorization") != "" || g.Header.Get("Authorization") != "Bearer a.b.c" {
		t.Errorf("a shop came as %+v with %v", g.Actor, g.Header)
	}
}

func TestHeadersThatAreNotHeaders(t *testing.T) {
	w := build(t)
	for _, text := range []string{
		"POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nX-Hearth-Passport : forged\r\nContent-Length: 0\r\n\r\n",
		"POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
		"POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
		"POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 20<<10) + "\r\n\r\n",
		"GET /api/tasks/?q=\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
		"nonsense\r\n\r\n",
	} {
		before := w.auth.hits.Load()
		a := w.raw(t, text)
		if a.StatusCode != 400 || a.code() != "malformed_request" || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%.80q: %d %s", text, a.StatusCode, a.body)
		}
		if w.auth.hits.Load() != before {
			t.Errorf("%.80q reached a service", text)
		}
	}
}

func TestHeadersOfAnswers(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	w.task.answers(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Server", "secret")
		h.Set("X-Powered-By", "secret")
		h.Set("X-Hearth-Passport", "secret")
		h.Set("Keep-Alive", "timeout=5")
		h.Set("X-Request-Id", "other")
		h.Set("Server-Timing", `db;desc="2", redis;desc="1", total;dur=99999.0`)
		h.Set("Content-Language", "de")
		h.Add("Set-Cookie", "a=1")
		h.Add("Set-Cookie", "b=2")
		if r.URL.Query().Has("tag") {
			h.Set("ETag", `"7"`)
			if r.Header.Get("If-None-Match") == `"7"` {
				rw.WriteHeader(http.StatusNotModified)
			}
		}
	})
	a := w.want(t, 200, "GET", "/api/tasks/", token, nil, "X-Request-Id", "mine-1")
	h := a.Header
	for _, name := range []string{"Server", "X-Powered-By", "X-Hearth-Passport", "Keep-Alive", "Strict-Transport-Security"} {
		if h.Get(name) != "" {
			t.Errorf("%s: %q is answered", name, h.Get(name))
		}
	}
	for name, want := range map[string]string{
		"X-Request-Id": "mine-1", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Content-Language": "de",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if len(h["Set-Cookie"]) != 2 || len(h["Date"]) != 1 || len(h["Server-Timing"]) != 1 {
		t.Errorf("headers %v", h)
	}
	for status, tag := range map[int]string{200: "", 304: `"7"`} {
		a := w.want(t, status, "GET", "/api/tasks/?tag", token, nil, "If-None-Match", tag)
		if a.Header.Get("Cache-Control") != "private, no-cache" || a.Header.Get("ETag") != `"7"` || a.Header.Get("Vary") != "Authorization" {
			t.Errorf("with a tag: %d %v", status, a.Header)
		}
	}
	if h.Get("Vary") != "" {
		t.Errorf("what nobody keeps varies: %q", h.Get("Vary"))
	}
	// The first request asked auth (and Redis); this one asked nobody but the service.
	if got := a.Header.Get("Server-Timing"); !strings.HasPrefix(got, `db;desc="3", redis;desc="`) {
		t.Errorf("cold Server-Timing %q", got)
	}
	a = w.want(t, 200, "GET", "/api/tasks/", token, nil)
	if got := a.Header.Get("Server-Timing"); !strings.HasPrefix(got, `db;desc="2", redis;desc="1", total;dur=`) || strings.Contains(got, "99999") {
		t.Errorf("warm Server-Timing %q", got)
	}
}

func TestStatusesPassAsTheyAre(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	for _, status := range []int{201, 202, 204, 304, 400, 403, 404, 409, 412, 422, 429, 500, 503} {
		w.task.answers(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("ETag", `"3"`)
			rw.Header().Set("Retry-After", "9")
			rw.WriteHeader(status)
		})
		a := w.want(t, status, "GET", "/api/tasks/", token, nil)
		if a.Header.Get("ETag") != `"3"` || a.Header.Get("Retry-After") != "9" || len(a.body) != 0 {
			t.Errorf("%d: %v %q", status, a.Header, a.body)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	w := build(t)
	made := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	for sent, kept := range map[string]bool{
		"abc-DEF_1.2:3/4+5=": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false, "": false,
		"a b": false, `a"b`: false, "<script>": false, "a,b": false, "\xff": false,
	} {
		a := w.raw(t, "POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: "+sent+"\r\nContent-Length: 2\r\n\r\n{}")
		answered, arrived := a.Header.Get("X-Request-Id"), a.got().Header.Get("X-Request-Id")
		if answered != arrived || kept && answered != sent || !kept && !made.MatchString(answered) {
			t.Errorf("%q became %q, and %q at the service", sent, answered, arrived)
		}
	}
	a := w.refused(t, 404, "route_not_found", "GET", "/api/nothing/", "", nil, "X-Request-Id", "mine")
	if !strings.Contains(string(a.body), `"request_id":"mine"`) {
		t.Errorf("problem %s", a.body)
	}
}

func TestTracesGoOn(t *testing.T) {
	w := build(t)
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	login := func(traceparent string) (answered, arrived string) {
		a := w.want(t, 200, "POST", "/api/auth/login/", "", "{}", "traceparent", traceparent)
		return a.Header.Get("Traceparent"), a.got().Header.Get("Traceparent")
	}
	for _, flags := range []string{"00", "01"} {
		answered, arrived := login("00-" + id + "-00f067aa0ba902b7-" + flags)
		if !strings.HasPrefix(answered, "00-"+id+"-") || !strings.HasPrefix(arrived, "00-"+id+"-") || !strings.HasSuffix(arrived, "-"+flags) || strings.Contains(arrived, "00f067aa0ba902b7") {
			t.Errorf("answered %s, arrived %s", answered, arrived)
		}
	}
	answered, arrived := login("nonsense")
	if len(answered) != 55 || strings.Contains(answered, id) || answered[3:35] != arrived[3:35] {
		t.Errorf("answered %s, arrived %s", answered, arrived)
	}
}

func TestClientAddress(t *testing.T) {
	trusted := Networks{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct {
		name    string
		trusted Networks
		headers []string
		want    string
	}{
		{"nobody in front", nil, []string{"203.0.113.9"}, "127.0.0.1"},
		{"a stranger in front", Networks{netip.MustParsePrefix("10.0.0.0/8")}, []string{"203.0.113.9"}, "127.0.0.1"},
		{"one proxy", trusted, []string{"203.0.113.9"}, "203.0.113.9"},
		{"what the client wrote itself", trusted, []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{"a chain of ours", trusted, []string{"198.51.100.1, 203.0.113.9, 10.1.2.3,10.4.5.6"}, "203.0.113.9"},
		{"two lines", trusted, []string{"198.51.100.1, 203.0.113.9", "10.1.2.3"}, "203.0.113.9"},
		{"only ours", trusted, []string{"10.1.2.3, 10.4.5.6"}, "10.1.2.3"},
		{"no header", trusted, nil, "127.0.0.1"},
		{"an empty one", trusted, []string{""}, "127.0.0.1"},
		{"nonsense", trusted, []string{"unknown"}, "127.0.0.1"},
		{"nonsense behind a proxy of ours", trusted, []string{"203.0.113.9, unknown, 10.1.2.3"}, "10.1.2.3"},
		{"IPv6", trusted, []string{"2a00:1::7, 2001:db8::1"}, "2a00:1::7"},
		{"with ports", trusted, []string{"203.0.113.9:1234, [2001:db8::1]:80"}, "203.0.113.9"},
		{"IPv4 in IPv6", trusted, []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"a zone", trusted, []string{"fe80::1%eth0"}, "fe80::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := build(t, func(s *setup) { s.cfg.TrustedProxies = c.trusted })
			header := []string{"X-Forwarded-Proto", "https"}
			for _, h := range c.headers {
				header = append(header, "X-Forwarded-For", h)
			}
			a := w.want(t, 200, "POST", "/api/auth/login/", "", "{}", header...)
			g := a.got()
			if g.Actor.ClientIP != c.want || g.Actor.Kind != identity.Anonymous {
				t.Errorf("actor %+v", g.Actor)
			}
			if believed := c.trusted.Contains(netip.MustParseAddr("127.0.0.1")); believed != (a.Header.Get("Strict-Transport-Security") != "") {
				t.Errorf("HSTS %q", a.Header.Get("Strict-Transport-Security"))
			}
		})
	}
}

func TestNetworksFromTheEnvironment(t *testing.T) {
	var n Networks
	if err := n.UnmarshalText([]byte(" 10.0.0.0/8, 192.0.2.7,2001:db8::/32,")); err != nil || len(n) != 3 {
		t.Fatalf("%v %v", n, err)
	}
	if !n.Contains(netip.MustParseAddr("192.0.2.7")) || n.Contains(netip.MustParseAddr("192.0.2.8")) {
		t.Error("a single address is a range of one")
	}
	for _, wrong := range []string{"x", "10.0.0.0/99", "10.0.0"} {
		if new(Networks).UnmarshalText([]byte(wrong)) == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestTrailersDoNotJoinTheHeaders(t *testing.T) {
	w := build(t, uploads)
	token, session := w.signIn("UTC")
	for _, path := range []string{"/api/tasks/", "/api/flows/"} {
		a := w.raw(t, "POST "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Token "+token+"\r\nTrailer: X-User-Id, X-Late\r\nTransfer-Encoding: chunked\r\n\r\n"+
			"3\r\nabc\r\n0\r\nX-Hearth-Passport: forged\r\nX-User-Id: forged\r\nX-Late: forged\r\nBaggage: forged\r\n\r\n")
		g := a.got()
		for name, values := range g.Header {
			if strings.Contains(strings.Join(values, ","), "forged") {
				t.Errorf("%s: %s: %v arrived", path, name, values)
			}
		}
		if g.Body != "abc" || len(g.Header[identity.Header]) != 1 || g.Actor.UserID != session.UserID {
			t.Errorf("%s: %+v", path, g)
		}
	}
}
