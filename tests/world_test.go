// Package e2e holds the tests that run all of Hearth, gateway first, on real stores.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"hearth.internal/dev/system"
	"hearth.internal/document/reader/readertest"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) {
	// A test that wants processes of its own lets this very program be them.
	if len(os.Args) == 3 && os.Args[1] == "part" {
		if err := system.RunPart(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testkit.Main(m)
}

// world is a running Hearth and what a test may do to it.
type world struct {
	*system.System
	cache *redis.Client
	files string // the directory that keeps them, unless they are in a bucket
	codes *mailbox
	// secrets are what the parts share.
	secrets system.Secrets
}

// mailbox collects what notification prints while nothing mails it.
type mailbox struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (m *mailbox) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lines.Write(p)
}

func (m *mailbox) find(want ...string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := ""
	for line := range strings.SplitSeq(m.lines.String(), "\n") {
		all := true
		for _, w := range want {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = line
		}
	}
	return found
}

// start runs a Hearth of its own for the test.
func start(t *testing.T, change ...func(*system.Options)) *world {
	t.Helper()
	secrets, err := system.NewSecrets()
	if err != nil {
		t.Fatal(err)
	}
	mail := &mailbox{}
	files := t.TempDir()
	o := system.Options{
		Postgres: testkit.Postgres(t), Cache: testkit.Redis(t), Queue: testkit.Redis(t), Pool: 4, Secrets: secrets,
		Prefix: fmt.Sprintf("e2e_%08x_", uuid.New().ID()), Terminal: mail, LogOut: testLog{t},
		Storage: append(system.Directory(files), "HEARTH_READER_PROGRAM="+readertest.Program(t)),
	}
	for _, c := range change {
		c(&o)
	}
	t.Cleanup(func() {
		if err := system.DropDatabases(context.Background(), o.Postgres, o.Prefix); err != nil {
			t.Log(err)
		}
	})
	s, err := system.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("the system did not stop cleanly: %v", err)
		}
	})
	ro, err := redis.ParseURL(o.Cache)
	if err != nil {
		t.Fatal(err)
	}
	cache := redis.NewClient(ro)
	t.Cleanup(func() { _ = cache.Close() })
	return &world{System: s, cache: cache, files: files, codes: mail, secrets: secrets}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	defer func() { _ = recover() }() // a line that comes after the test's end has nowhere to go
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// forget empties the caches: the next request is a cold one.
func (w *world) forget(t *testing.T) {
	t.Helper()
	if err := w.cache.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

// settled asks until the answer's ETag stays: the relay drops what a write has made stale a second time, a moment later.
// It checks that the 304 costs no SQL.
func (w *world) settled(p *person, path string) answer {
	p.t.Helper()
	var a answer
	testkit.Eventually(p.t, "the ETag of "+path+" stays", func() bool {
		a = p.want(200, "GET", path, nil)
		again := p.call("GET", path, nil, "If-None-Match", a.Header.Get("ETag"))
		if again.Status == 304 && again.trips() != 0 {
			p.t.Errorf("the 304 of %s cost %d round trips", path, again.trips())
		}
		return again.Status == 304
	})
	return a
}

// person is somebody with an app.
type person struct {
	t        *testing.T
	base     string
	Email    string
	Username string
	Password string
	ID       string
	Token    string
	header   http.Header
}

var (
	numbers sync.Mutex
	number  int
)

// join registers a new person.
func (w *world) join(t *testing.T, first string) *person {
	t.Helper()
	numbers.Lock()
	number++
	n := number
	numbers.Unlock()
	p := &person{t: t, base: w.URL, Username: fmt.Sprintf("%s%d", strings.ToLower(first), n), Password: "correct horse 7 battery", header: http.Header{}}
	p.Email = p.Username + "@example.org"
	a := p.want(201, "POST", "/api/auth/register/", map[string]any{
		"email": p.Email, "username": p.Username, "password": p.Password, "first_name": first, "last_name": "Tester",
	})
	p.Token, p.ID = a.text("token"), a.text("user.id")
	return p
}

// answer is what the gateway said.
type answer struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration
}

func (p *person) call(method, path string, body any, header ...string) answer {
	p.t.Helper()
	a, err := p.try(method, path, body, header...)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (p *person) try(method, path string, body any, header ...string) (answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, reader)
	if err != nil {
		return answer{}, err
	}
	for k, v := range p.header {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.Token != "" {
		req.Header.Set("Authorization", "Token "+p.Token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") == "text/event-stream" { // it has no end
		return answer{t: p.t, Status: resp.StatusCode, Header: resp.Header, Took: time.Since(begun)}, nil
	}
	raw, err := io.ReadAll(resp.Body)
	return answer{t: p.t, Status: resp.StatusCode, Header: resp.Header, Body: raw, Took: time.Since(begun)}, err
}

func (p *person) want(status int, method, path string, body any, header ...string) answer {
	p.t.Helper()
	a := p.call(method, path, body, header...)
	if a.Status != status {
		p.t.Fatalf("%s %s answered %d, wanted %d: %s", method, path, a.Status, status, a.Body)
	}
	return a
}

// value finds a member by its dotted path; list indexes are numbers.
func (a answer) value(path string) any {
	a.t.Helper()
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		a.t.Fatalf("answer %d is not JSON: %s", a.Status, a.Body)
	}
	for part := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[part]
		case []any:
			i := 0
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

func (a answer) text(path string) string {
	a.t.Helper()
	s, ok := a.value(path).(string)
	if !ok {
		a.t.Fatalf("no text at %s in %s", path, a.Body)
	}
	return s
}

func (a answer) list(path string) []any {
	a.t.Helper()
	l, ok := a.value(path).([]any)
	if !ok {
		a.t.Fatalf("no list at %s in %s", path, a.Body)
	}
	return l
}

// trips is the number of SQL round trips in series that the answer cost.
func (a answer) trips() int { return roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB) }

// home makes a residence.
func (p *person) home(name string) string {
	p.t.Helper()
	return p.want(201, "POST", "/api/residences/", map[string]any{"name": name}).text("id")
}

// task adds a task.
func (p *person) task(residence, title string, more map[string]any) string {
	p.t.Helper()
	body := map[string]any{"residence_id": residence, "title": title}
	for k, v := range more {
		body[k] = v
	}
	return p.want(201, "POST", "/api/tasks/", body).text("id")
}

// equipment adds a piece of equipment.
func (p *person) equipment(residence, name string) string {
	p.t.Helper()
	return p.want(201, "POST", "/api/equipment/", map[string]any{"residence_id": residence, "name": name}).text("id")
}

// paper adds a document.
func (p *person) paper(residence string, more map[string]any) string {
	p.t.Helper()
	body := map[string]any{"residence_id": residence, "title": "Furnace warranty", "document_type": "warranty", "end_date": "2031-01-31"}
	for k, v := range more {
		body[k] = v
	}
	return p.want(201, "POST", "/api/documents/", body).text("id")
}

// invite lets another person join a residence.
func (p *person) invite(other *person, residence string) {
	p.t.Helper()
	code := p.want(201, "POST", "/api/residences/"+residence+"/generate-share-code/", map[string]any{}).text("code")
	a := other.call("POST", "/api/residences/join-with-code/", map[string]any{"code": code})
	if a.Status != 200 && a.Status != 201 {
		p.t.Fatalf("join answered %d: %s", a.Status, a.Body)
	}
}

// lookup answers the id of a row of static_data by the beginning of its name.
func (p *person) lookup(table, name string) string {
	p.t.Helper()
	for _, row := range p.want(200, "GET", "/api/static_data/", nil).list(table) {
		r := row.(map[string]any)
		if strings.HasPrefix(strings.ToLower(r["name"].(string)), strings.ToLower(name)) {
			return r["id"].(string)
		}
	}
	p.t.Fatalf("no %s named %s", table, name)
	return ""
}

// column answers a column of the board by its name.
func (a answer) column(name string) map[string]any {
	a.t.Helper()
	for _, c := range a.list("columns") {
		if column := c.(map[string]any); column["name"] == name {
			return column
		}
	}
	a.t.Fatalf("no column %s in %.300s", name, a.Body)
	return nil
}
