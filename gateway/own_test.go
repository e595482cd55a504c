package gateway

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

func TestHealth(t *testing.T) {
	w := build(t)
	look := func(status int) Overview {
		t.Helper()
		w.health.mu.Lock()
		w.health.at = time.Time{} // look again
		w.health.mu.Unlock()
		var h Overview
		if err := json.Unmarshal(w.want(t, status, "GET", "/api/health/", "", nil).body, &h); err != nil {
			t.Fatal(err)
		}
		return h
	}
	well := internalapi.Health{Status: "ok", Database: "ok", Cache: "ok", Queue: "ok"}
	if h := look(200); h.Status != "ok" || h.Cache != "ok" || !reflect.DeepEqual(h.Service, map[string]internalapi.Health{
		auth: well, residence: well, task: well, "document": well, "notification": well, "billing": well, "admin": well}) {
		t.Errorf("%+v", h)
	}
	w.task.CloseClientConnections()
	w.task.Close()
	if h := look(200); h.Status != "degraded" || h.Service[task].Status != "down" || h.Service[auth] != well {
		t.Errorf("without task: %+v", h)
	}
	w.auth.CloseClientConnections()
	w.auth.Close()
	if h := look(503); h.Status != "down" {
		t.Errorf("without auth: %+v", h)
	}
}

func TestStaticData(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	var asked atomic.Int64
	answer := func(s *service, body string) {
		s.answers(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/internal/lookups" {
				t.Errorf("asked %s", r.URL.Path)
			}
			asked.Add(1)
			rw.Header().Set("Server-Timing", `db;desc="1", redis;desc="1", total;dur=1`)
			_, _ = rw.Write([]byte(body))
		})
	}
	const id = "01890a5d-ac96-774b-bcce-b302099a8057"
	answer(w.residence, `{"residence_types":[{"id":"`+id+`","name":"House","icon":"home","color":"#fff","display_order":1}]}`)
	answer(w.task, `{"task_categories":[{"id":"`+id+`","name":"Roof"}],"task_priorities":[],"task_frequencies":[{"id":"`+id+`","name":"Weekly","unit":"day","every":7}],"contractor_specialties":[]}`)
	w.refused(t, 401, "authentication_required", "GET", "/api/static_data/", "", nil)
	w.want(t, 401, "GET", "/api/static_data/", "nobody", nil)
	a := w.want(t, 200, "GET", "/api/static_data/", token, nil)
	if timing := a.Header.Get("Server-Timing"); !strings.HasPrefix(timing, `db;desc="2"`) { // the session, then both services at once
		t.Errorf("cold: %s", timing)
	}
	var data map[string][]map[string]any
	if err := json.Unmarshal(a.body, &data); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"residence_types", "task_categories", "task_priorities", "task_frequencies", "contractor_specialties"} {
		if data[table] == nil {
			t.Errorf("%s: %v", table, data[table])
		}
	}
	if data["task_frequencies"][0]["every"] != 7.0 {
		t.Errorf("frequency %v", data["task_frequencies"][0])
	}
	etag := a.Header.Get("ETag")
	a = w.want(t, 304, "GET", "/api/static_data/", token, nil, "If-None-Match", etag)
	if timing := a.Header.Get("Server-Timing"); !strings.HasPrefix(timing, `db;desc="0", redis;desc="0"`) || len(a.body) != 0 || a.Header.Get("ETag") != etag {
		t.Errorf("warm: %s %v", timing, a.Header)
	}
	if asked.Load() != 2 {
		t.Errorf("asked %d times", asked.Load())
	}
	w.want(t, 200, "GET", "/api/static_data/", token, nil, "If-None-Match", `"other"`)
}

func TestStaticDataWithAServiceMissingIsNotHalfAnAnswer(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	w.residence.answers(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{"residence_types":[]}`)) })
	w.task.CloseClientConnections()
	w.task.Close()
	w.refused(t, 503, "service_unavailable", "GET", "/api/static_data/", token, nil)
}

const authDocument = `{"paths":{
 "/api/auth/login/":{"post":{"operationId":"login","tags":["auth"],"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Credentials"}}}},
   "responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Item"}}}},"default":{"content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}}}},
 "/api/auth/hidden/":{"get":{"operationId":"hidden"}}},
 "components":{"schemas":{"Credentials":{"type":"object","maxProperties":10000000000000001},"Item":{"type":"string"},"Unused":{"type":"null"},"Problem":{"type":"object","properties":{"code":{"type":"string"}}},"Box":{"$ref":"#/components/schemas/Item"}}}}`

const taskDocument = `{"paths":{
 "/api/tasks/{task_id}/":{"get":{"operationId":"task","tags":["tasks"],"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Box"}}}},"default":{"content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}}}}},
 "components":{"schemas":{"Item":{"type":"integer"},"Problem":{"properties":{"code":{"type":"string"}},"type":"object"},"Box":{"type":"array","items":{"$ref":"#/components/schemas/Item"}}}}}`

func TestDocumentIsMergedFromTheServices(t *testing.T) {
	w := build(t)
	w.auth.setDocument(authDocument)
	w.task.setDocument(taskDocument)
	w.document.mu.Lock()
	w.document.parts = map[string]part{itself: w.document.parts[itself]} // as if none had told yet
	w.document.missing.Store(true)
	w.document.tried = time.Time{}
	w.document.mu.Unlock()
	a := w.want(t, 200, "GET", "/api/openapi.json", "", nil)
	var d struct {
		OpenAPI    string
		Info       struct{ Title, Version string }
		Servers    []map[string]string
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Schemas         map[string]json.RawMessage
			SecuritySchemes map[string]any
		}
	}
	if err := json.Unmarshal(a.body, &d); err != nil {
		t.Fatal(err)
	}
	if d.OpenAPI != "3.1.0" || d.Info.Title == "" || d.Info.Version == "" || len(d.Servers) != 1 || d.Components.SecuritySchemes["token"] == nil {
		t.Errorf("%+v", d)
	}
	if d.Paths["/api/auth/login/"]["post"] == nil || d.Paths["/api/tasks/{task_id}/"]["get"] == nil || d.Paths["/api/health/"]["get"] == nil ||
		d.Paths["/api/static_data/"]["get"] == nil || d.Paths["/api/auth/hidden/"] != nil {
		t.Errorf("paths %v", d.Paths)
	}
	for _, name := range []string{"Credentials", "AuthItem", "TaskItem", "Box"} {
		if d.Components.Schemas[name] == nil {
			t.Errorf("no schema %s", name)
		}
	}
	for _, name := range []string{"Item", "Unused"} {
		if d.Components.Schemas[name] != nil {
			t.Errorf("schema %s is there", name)
		}
	}
	if string(d.Components.Schemas["Credentials"]) != `{"type":"object","maxProperties":10000000000000001}` {
		t.Errorf("numbers suffer: %s", d.Components.Schemas["Credentials"])
	}
	var update struct{ Properties map[string]struct{ Type any } }
	if err := json.Unmarshal(d.Components.Schemas["LiveUpdate"], &update); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "residence_id", "actor_id"} { // an app reads them by what is said here
		if kinds, several := update.Properties[name].Type.([]any); !several || !slices.Contains(kinds, any("null")) {
			t.Errorf("%s of a live update is never null: %v", name, update.Properties[name].Type)
		}
	}
	if !strings.Contains(string(d.Paths["/api/auth/login/"]["post"]), "schemas/AuthItem") || !strings.Contains(string(d.Components.Schemas["Box"]), "schemas/TaskItem") {
		t.Error("references do not follow the names")
	}
	resolves(t, a.body, d.Components.Schemas)
	w.want(t, 304, "GET", "/api/openapi.json", "", nil, "If-None-Match", a.Header.Get("ETag"))
	if b := w.want(t, 200, "GET", "/api/openapi.json/", "", nil); !slices.Equal(a.body, b.body) {
		t.Error("not the same with a slash")
	}
}

func resolves(t *testing.T, document []byte, schemas map[string]json.RawMessage) {
	t.Helper()
	for _, found := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllSubmatch(document, -1) {
		if schemas[string(found[1])] == nil {
			t.Errorf("nothing is called %s", found[1])
		}
	}
}

func TestDocumentIsServedWhileAServiceIsMissing(t *testing.T) {
	w := build(t, func(s *setup) { s.cfg.TaskURL = "http://127.0.0.1:9" })
	w.auth.setDocument(authDocument)
	a := w.want(t, 200, "GET", "/api/openapi.json", "", nil)
	testkit.Eventually(t, "auth's part is there", func() bool {
		a = w.want(t, 200, "GET", "/api/openapi.json", "", nil)
		return strings.Contains(string(a.body), `"login"`)
	})
	if !strings.Contains(string(a.body), `"schemas":{`) || strings.Contains(string(a.body), "AuthItem") {
		t.Errorf("%s", a.body)
	}
}

func (s *service) setDocument(d string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.document = d
}

func TestPageUsesNothingFromElsewhere(t *testing.T) {
	w := build(t)
	a := w.want(t, 200, "GET", "/api/docs/", "", nil)
	if a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("type %q", a.Header.Get("Content-Type"))
	}
	policy := a.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	assets := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(a.body, -1)
	if len(assets) < 5 {
		t.Fatalf("page %s", a.body)
	}
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	for _, found := range assets {
		path := string(found[1])
		if !strings.HasPrefix(path, "/api/") {
			t.Errorf("%s is elsewhere", path)
		}
		b := w.want(t, 200, "GET", path, "", nil)
		if want := types[filepath.Ext(path)]; want != "" && b.Header.Get("Content-Type") != want || len(b.body) == 0 {
			t.Errorf("%s: %s, %d bytes", path, b.Header.Get("Content-Type"), len(b.body))
		}
		if strings.HasPrefix(path, "/api/docs/") {
			w.want(t, 304, "GET", path, "", nil, "If-None-Match", b.Header.Get("ETag")+`, "x"`)
		}
	}
	if regexp.MustCompile(`<script>|<style|\son\w+=|style=`).Match(a.body) {
		t.Error("the page has inline code, which its policy forbids")
	}
	w.refused(t, 404, "route_not_found", "GET", "/api/docs/nothing.js", "", nil)
	w.refused(t, 404, "route_not_found", "GET", "/api/docs/..%2fdoc.go", "", nil)
}
