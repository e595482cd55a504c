package httpx_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/telemetry"
)

// newServer is a server with one operation, and what it logs.
func newServer(t *testing.T) (s *httpx.Server, passport string, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Out: log})
	if err != nil {
		t.Fatal(err)
	}
	passports, err := identity.NewPassports([][]byte{bytes.Repeat([]byte("k"), 32)}, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	if passport, err = passports.Sign(identity.Actor{Kind: identity.Anonymous}); err != nil {
		t.Fatal(err)
	}
	s = httpx.New(httpx.Options{Name: "test", Title: "Test", Telemetry: tel, Passports: passports})
	httpx.Post(s, "/api/things/", identity.Anyone, func(context.Context, *struct{ Body map[string]string }) (*struct{}, error) {
		return nil, nil
	}, "Add a thing")
	return s, passport, log
}

func TestACompressedBodyIsNotUnpacked(t *testing.T) {
	s, passport, _ := newServer(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, `{"a":"`+strings.Repeat("a", 4<<20)+`"}`)
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	for encoding, want := range map[string]int{"": http.StatusNoContent, "gzip": http.StatusUnsupportedMediaType, "br, gzip": http.StatusUnsupportedMediaType} {
		body := io.Reader(strings.NewReader(`{"a":"b"}`))
		if encoding != "" {
			body = bytes.NewReader(packed.Bytes())
		}
		r := httptest.NewRequest(http.MethodPost, "/api/things/", body)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set(identity.Header, passport)
		answer, err := s.App.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != want {
			t.Errorf("%q: %d, want %d", encoding, answer.StatusCode, want)
		}
	}
}

func TestARefusalNamesTheFieldInPlainWords(t *testing.T) {
	s, passport, _ := newServer(t)
	type inner struct {
		Title string `json:"title" required:"true"`
	}
	type input struct {
		Key  string `path:"key" maxLength:"3"`
		Body struct {
			Name string    `json:"name" required:"true"`
			ID   uuid.UUID `json:"id"`
			List []inner   `json:"list"`
		}
	}
	httpx.Post(s, "/api/boxes/{key}/", identity.Anyone, func(context.Context, *input) (*struct{}, error) { return nil, nil }, "Add a box")
	for _, c := range []struct{ key, body, location, message string }{
		{"a", `{}`, "body.name", "is required"},
		{"a", `{"name":"a","list":[{"title":"a"},{}]}`, "body.list[1].title", "is required"},
		{"a", `{"name":"a","id":"x"}`, "body.id", "is not a UUID"},
		{"a", `{"name":1e400}`, "body.name", "does not fit the type of this field"},
		{"a", `1e400`, "body", "does not fit the type of this field"},
		{"secret", `{"name":"a"}`, "path.key", "expected length <= 3"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/api/boxes/"+c.key+"/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(identity.Header, passport)
		answer, err := s.App.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		var problem struct{ Errors []apperr.Field }
		if err := json.Unmarshal(raw, &problem); err != nil {
			t.Fatal(err)
		}
		if len(problem.Errors) != 1 || problem.Errors[0].Location != c.location || problem.Errors[0].Message != c.message || strings.Contains(string(raw), "secret") {
			t.Errorf("%s: %s", c.body, raw)
		}
	}
}

func TestTheDocumentAllowsProblemsTheirExtraMembers(t *testing.T) {
	s, _, _ := newServer(t)
	schema := s.API.OpenAPI().Components.Schemas.Map()["Problem"]
	if schema == nil || schema.AdditionalProperties != true || schema.Properties["code"] == nil {
		t.Errorf("%+v", schema)
	}
}

func TestARequestThatDoesNotArriveIsNoFailureOfOurs(t *testing.T) {
	s, _, log := newServer(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.App.Server().ReadTimeout = 1 // a nanosecond: nobody is in time
	served := make(chan error, 1)
	go func() { served <- s.App.Listener(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
		t.Errorf("answer %s", answer)
	}
	if err := s.App.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("log %s", log)
	}
}
