package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/testkit"
)

// staff calls an operation of a service that no client can reach, as the admin service does.
func (w *world) staff(t *testing.T, method, path string, body any, header ...string) answer {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(w.secrets.PassportKey)
	if err != nil {
		t.Fatal(err)
	}
	passports, err := identity.NewPassports([][]byte{key}, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	passport, err := passports.Sign(identity.Actor{Kind: identity.Service, Service: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	part := &person{t: t, base: w.Services["billing"], header: http.Header{}}
	a := part.call(method, path, body, append(header, identity.Header, passport)...)
	if a.Status >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	return a
}

// usage is a person's, as the status shows it.
type usage struct{ Properties, Tasks, Contractors, Documents, Equipment int }

// standing is what the property compares: as answered, and as the databases have it.
type standing struct {
	Tier               string
	IsFree             bool `json:"is_free"`
	LimitationsEnabled bool `json:"limitations_enabled"`
	Usage              usage
	FreeTasks          *int
}

// books are the services' databases, open.
type books struct {
	t  *testing.T
	of map[string]*pgx.Conn
}

func (w *world) books(t *testing.T) *books {
	t.Helper()
	b := &books{t, map[string]*pgx.Conn{}}
	for _, service := range []string{"residence", "task", "document", "billing"} {
		url, err := w.Database(service)
		if err != nil {
			t.Fatal(err)
		}
		db, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close(t.Context()) })
		b.of[service] = db
	}
	return b
}

func (b *books) row(service, sql string, args []any, into ...any) {
	b.t.Helper()
	if err := b.of[service].QueryRow(b.t.Context(), sql, args...).Scan(into...); err != nil {
		b.t.Fatalf("%s: %v", service, err)
	}
}

// truth is a person's standing, counted in every database.
func (b *books) truth(person string) standing {
	b.t.Helper()
	var homes []uuid.UUID
	var out standing
	b.row("residence", `SELECT coalesce(array_agg(residence_id), '{}') FROM members WHERE user_id = $1 AND role = 'owner'`, []any{person}, &homes)
	out.Usage.Properties = len(homes)
	b.row("task", `SELECT (SELECT count(*) FROM tasks WHERE residence_id = ANY($1)),
		(SELECT count(*) FROM contractors WHERE residence_id = ANY($1) OR residence_id IS NULL AND created_by_id = $2)`,
		[]any{homes, person}, &out.Usage.Tasks, &out.Usage.Contractors)
	b.row("document", `SELECT (SELECT count(*) FROM documents WHERE residence_id = ANY($1)), (SELECT count(*) FROM equipment WHERE residence_id = ANY($1))`,
		[]any{homes}, &out.Usage.Documents, &out.Usage.Equipment)
	b.row("billing", `SELECT coalesce((SELECT tier FROM subscriptions WHERE user_id = $1), 'free'), coalesce((SELECT is_free FROM subscriptions WHERE user_id = $1), false),
		(SELECT limitations_enabled FROM settings), (SELECT tasks FROM plans WHERE tier = 'free')`, []any{person}, &out.Tier, &out.IsFree, &out.LimitationsEnabled, &out.FreeTasks)
	return out
}

// status is a person's standing as they are answered it.
func (p *person) status() standing {
	p.t.Helper()
	a := p.want(200, "GET", "/api/subscription/status/", nil)
	var out standing
	if err := json.Unmarshal(a.Body, &out); err != nil {
		p.t.Fatal(err)
	}
	var limits struct {
		Limits struct{ Free struct{ Tasks *int } }
	}
	if err := json.Unmarshal(a.Body, &limits); err != nil {
		p.t.Fatal(err)
	}
	out.FreeTasks = limits.Limits.Free.Tasks
	return out
}

func (s standing) String() string {
	raw, _ := json.Marshal(s) // a struct of plain fields
	return string(raw)
}

// TestEverybodysStatusIsAlwaysTrue: after each of many random changes by several people, everybody's status, which comes
// from the cache unless the change dropped it, is what the databases say.
func TestEverybodysStatusIsAlwaysTrue(t *testing.T) {
	w := start(t)
	b := w.books(t)
	seed := rand.Uint64() //nolint:gosec // a test's dice
	t.Logf("seed %d", seed)
	m := &mutations{t: t, w: w, random: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // likewise
	for _, name := range []string{"Ada", "Sam", "Kim", "Joe"} {
		m.people = append(m.people, w.join(t, name))
	}
	const rounds = 220
	done := map[string]int{}
	for round := range rounds {
		what, status := m.one()
		done[fmt.Sprintf("%s %d", what, status)]++
		for _, p := range m.people {
			if got, want := p.status().String(), b.truth(p.ID).String(); got != want {
				t.Fatalf("round %d, after %s (%d): %s is answered\n%s, and has\n%s", round, what, status, p.Username, got, want)
			}
		}
	}
	names := []string{}
	for name, n := range done {
		names = append(names, fmt.Sprintf("%s: %d", name, n))
	}
	slices.Sort(names)
	t.Logf("%d changes\n%s", rounds, strings.Join(names, "\n"))
}

// mutations makes random changes to what people have.
type mutations struct {
	t      *testing.T
	w      *world
	random *rand.Rand
	people []*person
}

func oneOf[T any](m *mutations, from []T) (T, bool) {
	if len(from) == 0 {
		var none T
		return none, false
	}
	return from[m.random.IntN(len(from))], true
}

// ids are those of what a person sees at a path.
func (m *mutations) ids(p *person, path string) []string {
	var out []string
	for _, item := range p.want(200, "GET", path, nil).list("items") {
		out = append(out, item.(map[string]any)["id"].(string))
	}
	return out
}

// one makes a change, and answers what it was and how it was answered. What is refused changes nothing: that is a case too.
func (m *mutations) one() (string, int) {
	p, _ := oneOf(m, m.people)
	home, housed := oneOf(m, m.ids(p, "/api/residences/?limit=200"))
	if !housed || m.random.IntN(12) == 0 {
		return "add residence", p.call("POST", "/api/residences/", map[string]any{"name": "House"}).Status
	}
	in := func(more map[string]any) map[string]any {
		body := map[string]any{"residence_id": home}
		for k, v := range more {
			body[k] = v
		}
		return body
	}
	other, _ := oneOf(m, m.people)
	elsewhere, _ := oneOf(m, m.ids(p, "/api/residences/?limit=200"))
	remove := func(what, path string) (string, int) {
		id, some := oneOf(m, m.ids(p, path))
		if !some {
			return what + " (none)", 0
		}
		return what, p.call("DELETE", strings.SplitN(path, "?", 2)[0]+id+"/", nil).Status
	}
	move := func(what, path string) (string, int) {
		id, some := oneOf(m, m.ids(p, path))
		if !some {
			return what + " (none)", 0
		}
		return what, p.call("PATCH", strings.SplitN(path, "?", 2)[0]+id+"/", map[string]any{"residence_id": elsewhere}).Status
	}
	tasks := func() []string {
		var out []string
		for _, c := range p.want(200, "GET", "/api/tasks/", nil).list("columns") {
			for _, task := range c.(map[string]any)["tasks"].([]any) {
				out = append(out, task.(map[string]any)["id"].(string))
			}
		}
		return out
	}
	staff := func(method, path string, body map[string]any) int {
		body["staff_id"] = uuid.NewString()
		if strings.Contains(path, "/people/") {
			body["reason"] = "a test"
		}
		return m.w.staff(m.t, method, path, body).Status
	}
	switch m.random.IntN(26) {
	case 0, 1:
		return "add task", p.call("POST", "/api/tasks/", in(map[string]any{"title": "Sweep"})).Status
	case 2:
		return "add tasks", p.call("POST", "/api/tasks/bulk/", map[string]any{"tasks": []any{in(map[string]any{"title": "One"}), in(map[string]any{"title": "Two"})}}).Status
	case 3:
		return "apply templates", p.call("POST", "/api/tasks/templates/apply/", in(nil)).Status
	case 4, 5:
		if id, some := oneOf(m, tasks()); some {
			return "delete task", p.call("DELETE", "/api/tasks/"+id+"/", nil).Status
		}
	case 6:
		if id, some := oneOf(m, tasks()); some {
			return "move task", p.call("PATCH", "/api/tasks/"+id+"/", map[string]any{"residence_id": elsewhere}).Status
		}
	case 7:
		return "add contractor", p.call("POST", "/api/contractors/", in(map[string]any{"name": "Rosa"})).Status
	case 8:
		return "add personal contractor", p.call("POST", "/api/contractors/", map[string]any{"name": "Tom"}).Status
	case 9:
		return remove("delete contractor", "/api/contractors/?limit=200")
	case 10:
		return move("move contractor", "/api/contractors/?limit=200")
	case 11:
		return "add document", p.call("POST", "/api/documents/", in(map[string]any{"title": "Deed", "document_type": "general"})).Status
	case 12:
		return remove("delete document", "/api/documents/?limit=200")
	case 13:
		return move("move document", "/api/documents/?limit=200")
	case 14:
		return "add equipment", p.call("POST", "/api/equipment/", in(map[string]any{"name": "Furnace"})).Status
	case 15:
		return remove("delete equipment", "/api/equipment/?limit=200")
	case 16:
		return "delete residence", p.call("DELETE", "/api/residences/"+home+"/", nil).Status
	case 17, 18:
		code := p.call("POST", "/api/residences/"+home+"/generate-share-code/", map[string]any{})
		if code.Status == 201 && other != p {
			return "join", other.call("POST", "/api/residences/join-with-code/", map[string]any{"code": code.text("code")}).Status
		}
	case 19:
		return "leave", p.call("DELETE", "/api/residences/"+home+"/users/"+p.ID+"/", nil).Status
	case 20:
		return "remove member", p.call("DELETE", "/api/residences/"+home+"/users/"+other.ID+"/", nil).Status
	case 21:
		return "transfer", p.call("POST", "/api/residences/"+home+"/transfer/", map[string]any{"user_id": other.ID}).Status
	case 22:
		return "grant", staff("POST", "/internal/admin/people/"+p.ID+"/grant", map[string]any{"tier": "pro", "until": nil})
	case 23:
		return "free", staff("PUT", "/internal/admin/people/"+p.ID+"/free", map[string]any{"is_free": m.random.IntN(2) == 0})
	case 24:
		return "settings", staff("PATCH", "/internal/admin/settings", map[string]any{"limitations_enabled": m.random.IntN(3) == 0})
	case 25:
		return "limits", staff("PUT", "/internal/admin/plans/free", map[string]any{
			"properties": 3, "tasks": 5 + m.random.IntN(30), "contractors": 5, "documents": 5, "equipment": 10,
		})
	}
	return "nothing", 0
}

// TestStatusThroughTheLink: cold, everything is asked at once; warm, nothing is.
func TestStatusThroughTheLink(t *testing.T) {
	w := start(t, farAway(t))
	ada := w.join(t, "Ada")
	house := ada.home("Maple Street")
	ada.task(house, "Sweep", nil)
	path := "/api/subscription/status/"
	testkit.Eventually(t, "the services have heard of the residence", func() bool {
		w.forget(t)
		ada.want(200, "GET", "/api/auth/me/", nil) // the token is known again
		return ada.want(200, "GET", path, nil).trips() == 1
	})
	asserted(t, "status, cold", 1, link*3/2, func() answer {
		w.forget(t)
		ada.want(200, "GET", "/api/auth/me/", nil)
		return ada.want(200, "GET", path, nil)
	})
	within(t, "status, warm", 0, func() answer { return ada.want(200, "GET", path, nil) })
	within(t, "the subscription", 1, func() answer { return ada.want(200, "GET", "/api/subscription/", nil) })
	within(t, "status after a change, its owner's residences known", 1, func() answer {
		ada.task(house, "Rake", nil)
		return ada.want(200, "GET", path, nil)
	})
}
