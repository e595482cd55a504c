package gateway

import (
	"net/http"
	"strings"
	"testing"

	"hearth.internal/pkg/identity"
)

func TestEveryRouteReachesItsService(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	services := map[string]*service{auth: w.auth, residence: w.residence, task: w.task}
	const id = "01890a5d-ac96-774b-bcce-b302099a8057"
	for _, route := range Table() {
		s := services[route.Service]
		if s == nil {
			continue
		}
		path := parameter.ReplaceAllString(route.Path, id)
		for _, path := range []string{path, strings.TrimSuffix(path, "/")} {
			t.Run(route.Method+" "+path, func(t *testing.T) {
				before := s.hits.Load()
				body := ""
				if route.Method != get {
					body = `{"a":1}`
				}
				sent := ""
				if route.Guard.Name == identity.User.Name {
					w.refused(t, 401, "authentication_required", route.Method, path, "", body)
					sent = token
				}
				g := w.want(t, 200, route.Method, path, sent, body).got()
				if s.hits.Load() == before || g.Method != route.Method || g.Path != path || g.Body != body {
					t.Errorf("got %+v", g)
				}
			})
		}
	}
}

func TestTableIsConsistent(t *testing.T) {
	for _, route := range Table() {
		if !strings.HasPrefix(route.Path, "/api/") || strings.Contains(route.Path, "internal") || route.Rate == "" || route.Deadline == 0 || route.Guard.Admit == nil {
			t.Errorf("%+v", route)
		}
	}
	if _, err := newRouter(append(Table(), Table()[0])); err == nil {
		t.Error("the same operation twice is accepted")
	}
}

func TestPathsThatAreNotOurs(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	for _, path := range []string{
		"/", "/api", "/api/", "/api/nothing/", "/API/tasks/", "/api/Tasks/", "/api/tasks/x/y/z/",
		"/internal", "/internal/", "/internal/health", "//internal/health", "///internal/health", "/./internal/health",
		"/internal/sessions/00", "/api/internal/health", "/api/../internal/health", "/api/tasks/../../internal/health",
		"/api/tasks/..%2f..%2finternal/health", "/api/tasks/%2e%2e/%2e%2e/internal/health", "/api/tasks/%2E%2E/x",
		"/api/tasks/..%5c..%5cinternal", `/api/tasks/..\..\internal`, "/api/tasks/x%2finternal/", "/api/tasks/x%2Finternal/",
		"/api/tasks/./", "/api/tasks/../", "/api/tasks/..", "/api/tasks/.", "/api/tasks//", "/api//tasks/", "/api/tasks/x//",
		"/api/tasks/..;/internal/health", "/api/tasks;x=1/", "/api/tasks/%", "/api/tasks/%2", "/api/tasks/%zz/", "/api/tasks/a b/",
		"/api/tasks/\x01/", "/api/tasks/\xff/", "/api/tasks/x%2e/", "internal/health", "*", "http://task/internal/health",
		"http://internal/internal/health", "/api/tasks/x/completions/%2e%2e/%2e%2e/%2e%2e/%2e%2e/internal/health",
	} {
		t.Run(path, func(t *testing.T) {
			before := w.task.hits.Load() + w.auth.hits.Load() + w.residence.hits.Load()
			a := w.raw(t, "GET "+path+" HTTP/1.1\r\nHost: gateway\r\nAuthorization: Token "+token+"\r\nConnection: close\r\n\r\n")
			if a.StatusCode != 404 && a.StatusCode != 400 {
				t.Errorf("%d: %s", a.StatusCode, a.body)
			}
			if a.StatusCode == 404 && a.code() != "route_not_found" {
				t.Errorf("code %q", a.code())
			}
			if w.task.hits.Load()+w.auth.hits.Load()+w.residence.hits.Load() != before {
				t.Error("it reached a service")
			}
		})
	}
}

func TestPathsAreForwardedAsTheyWereWritten(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	for path, query := range map[string]string{
		"/api/tasks/%252e%252e/": "", "/api/tasks/caf%C3%A9/": "", "/api/tasks/a+b:c@d/": "", "/api/tasks/..x/": "",
		"/api/tasks/": "q=a%20b&q=%2F..%2Finternal&x", "/api/tasks/%00/": "",
	} {
		a := w.raw(t, "GET "+strings.TrimSuffix(path+"?"+query, "?")+" HTTP/1.1\r\nHost: gateway\r\nAuthorization: Token "+token+"\r\nConnection: close\r\n\r\n")
		if g := a.got(); g.Path != path || g.Query != query {
			t.Errorf("%s?%s became %s?%s", path, query, g.Path, g.Query)
		}
	}
	// An absolute target means the same as its path.
	a := w.raw(t, "GET http://elsewhere/api/tasks/ HTTP/1.1\r\nHost: elsewhere\r\nAuthorization: Token "+token+"\r\nConnection: close\r\n\r\n")
	if g := a.got(); g.Path != "/api/tasks/" {
		t.Errorf("path %s", g.Path)
	}
}

func TestOtherMethods(t *testing.T) {
	w := build(t)
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/api/tasks/", "GET, HEAD, POST, OPTIONS"},
		{"DELETE", "/api/auth/login", "POST, OPTIONS"},
		{"TRACE", "/api/tasks/", "GET, HEAD, POST, OPTIONS"},
		{"BREW", "/api/tasks/", "GET, HEAD, POST, OPTIONS"},
		{"POST", "/api/health/", "GET, HEAD, OPTIONS"},
		{"POST", "/api/tasks/x/", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"},
	} {
		a := w.refused(t, 405, "method_not_allowed", c.method, c.path, "", "")
		if a.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: Allow %q", c.method, c.path, a.Header.Get("Allow"))
		}
	}
	if a := w.want(t, 204, "OPTIONS", "/api/tasks/", "", ""); a.Header.Get("Allow") != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("Allow %q", a.Header.Get("Allow"))
	}
	w.refused(t, 404, "route_not_found", "OPTIONS", "/api/nothing/", "", "")
}

func TestHeadIsGetWithoutItsBody(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	full := w.want(t, 200, "GET", "/api/tasks/", token, nil)
	head := w.want(t, 200, "HEAD", "/api/tasks/", token, nil)
	if len(head.body) != 0 || head.ContentLength <= 0 {
		t.Errorf("body %d, length %d, GET's %d", len(head.body), head.ContentLength, full.ContentLength)
	}
	if w.call(t, "GET", "/api/tasks/", token, nil).got().Method != "GET" { // the connection is still in step
		t.Error("the next request is out of step")
	}
	if a := w.want(t, 200, "HEAD", "/api/docs/", "", nil); len(a.body) != 0 || a.ContentLength <= 0 {
		t.Errorf("docs: body %d, length %d", len(a.body), a.ContentLength)
	}
}

func TestCrossOrigin(t *testing.T) {
	closed := build(t)
	const origin, other = "https://app.example.com", "https://evil.example.com"
	if a := closed.want(t, 200, "GET", "/api/health/", "", nil, "Origin", origin); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("an origin is allowed by default")
	}
	w := build(t, func(s *setup) { s.cfg.CORSOrigins = []string{origin} })
	a := w.want(t, 204, "OPTIONS", "/api/tasks/", "", nil, "Origin", origin, "Access-Control-Request-Method", "POST")
	h := a.Header
	if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Methods") != "GET, HEAD, POST, OPTIONS" ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") || h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %v", h)
	}
	if a := w.want(t, 204, "OPTIONS", "/api/tasks/", "", nil, "Origin", other, "Access-Control-Request-Method", "POST"); a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("other's preflight: %v", a.Header)
	}
	// Also what is refused must be readable for the page.
	a = w.refused(t, 401, "authentication_required", "GET", "/api/tasks/", "", nil, "Origin", origin)
	if a.Header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "X-Request-Id") {
		t.Errorf("refusal: %v", a.Header)
	}
	if a := w.call(t, "GET", "/api/tasks/", "", nil, "Origin", other); a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Vary") != "Origin" {
		t.Errorf("other: %v", a.Header)
	}
	w.residence.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Access-Control-Allow-Origin", "*") })
	token, _ := w.signIn("UTC")
	if a := w.want(t, 200, "GET", "/api/residences/", token, nil, "Origin", other); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a service decided about origins")
	}
}
