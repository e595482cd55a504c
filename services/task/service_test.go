package task_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

// What the migrations seed.
var (
	plumbing = uuid.MustParse("01900000-0000-7000-8000-000000001002")
	low      = uuid.MustParse("01900000-0000-7000-8000-000000002001")
	urgent   = uuid.MustParse("01900000-0000-7000-8000-000000002004")
	once     = uuid.MustParse("01900000-0000-7000-8000-000000003001")
	daily    = uuid.MustParse("01900000-0000-7000-8000-000000003002")
	weekly   = uuid.MustParse("01900000-0000-7000-8000-000000003003")
	monthly  = uuid.MustParse("01900000-0000-7000-8000-000000003005")
	custom   = uuid.MustParse("01900000-0000-7000-8000-000000003009")
	// A template that suits every residence.
	smokeAlarms = uuid.MustParse("01900000-0000-7000-8000-000000005a01")
	plumber     = uuid.MustParse("01900000-0000-7000-8000-000000004002")
	newID       = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
)

type doc = map[string]any

// house is the service with two residences: one that its owner shares with a member and a viewer, and a stranger's.
type house struct {
	*testkit.Service
	homes                           *testkit.Homes
	documents                       *testkit.Documents
	owner, member, viewer, stranger *testkit.Client
	home, elsewhere                 uuid.UUID
}

func open(t *testing.T) house {
	t.Helper()
	return openWith(t, func(*config.Service) {})
}

func openWith(t *testing.T, change func(*config.Service), options ...func(*boot.Options)) house {
	t.Helper()
	homes := testkit.NewHomes(t)
	cfg := testkit.Config(t, "task")
	documents := testkit.NewDocuments(t)
	cfg.ResidenceURL, cfg.DocumentURL = homes.URL, documents.URL
	change(&cfg)
	s := testkit.Run(t, cfg, task.New(task.Config{Service: cfg}), options...)
	h := house{Service: s, homes: homes, documents: documents, home: newID(), elsewhere: newID()}
	h.owner, h.member, h.viewer, h.stranger = s.As(t, newID()), s.As(t, newID()), s.As(t, newID()), s.As(t, newID())
	for role, c := range map[string]*testkit.Client{"owner": h.owner, "member": h.member, "viewer": h.viewer} {
		homes.Give(c.Actor.UserID, internalapi.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Role: role, Timezone: "Europe/Berlin", Currency: "EUR"})
	}
	homes.Give(h.stranger.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "owner", Timezone: "UTC", Currency: "USD"})
	return h
}

// with is the document with other members.
func with(base doc, more doc) doc {
	out := doc{}
	for k, v := range base {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func (h house) add(t *testing.T, c *testkit.Client, more doc) task.Task {
	t.Helper()
	body := with(doc{"residence_id": h.home, "title": "Clean the gutters"}, more)
	return testkit.JSON[task.Task](t, c.For(t).Want(201, "POST", "/api/tasks/", body))
}

func (h house) read(t *testing.T, id uuid.UUID) task.Task {
	t.Helper()
	return testkit.JSON[task.Task](t, h.owner.For(t).Want(200, "GET", "/api/tasks/"+id.String()+"/", nil))
}

func (h house) complete(t *testing.T, id uuid.UUID, at string) task.Completion {
	t.Helper()
	return testkit.JSON[task.Completion](t, h.owner.For(t).Want(201, "POST", "/api/task-completions/", doc{"task_id": id, "completed_at": at}))
}

// settle waits until the relay has dropped from the cache, for a second time, what changes made stale.
func (h house) settle(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the outbox is settled", func() bool {
		var waiting int
		err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM outbox WHERE dropped_at IS NULL`).Scan(&waiting)
		return err == nil && waiting == 0
	})
}

// due is the task's next due date, empty when it has none.
func due(t task.Task) string {
	if t.NextDueDate == nil {
		return ""
	}
	return t.NextDueDate.String()
}

// path is the address of something under a collection.
func path(collection string, id uuid.UUID, more ...string) string {
	p := "/api/" + collection + "/" + id.String() + "/"
	for _, m := range more {
		p += m + "/"
	}
	return p
}

func sqlTrips(a testkit.Answer) int {
	return roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB)
}

func redisTrips(a testkit.Answer) int {
	return roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.Redis)
}

func list[T any](t *testing.T, a testkit.Answer) page.List[T] {
	t.Helper()
	return testkit.JSON[page.List[T]](t, a)
}

func TestRoundTripsOfEveryOperation(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { countRoundTrips(t, open(t)) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		countRoundTrips(t, openWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = false }))
	})
}

func countRoundTrips(t *testing.T, h house) {
	t.Helper()
	c := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-10"})
	other := h.add(t, h.owner, nil)
	shared := testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Ada", "residence_id": h.home}))
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: h.elsewhere, Role: "member", Timezone: "UTC"}) // seen once the cache is cold
	fresh := h.As(t, newID())
	h.homes.Give(fresh.Actor.UserID, internalapi.Home{ID: h.home, Role: "member", Timezone: "Europe/Berlin"})

	h.member.Want(200, "GET", "/api/tasks/", nil) // who is assigned below is known to the cache

	body := doc{"residence_id": h.home, "title": "x"}
	done := h.complete(t, c.ID, "2026-03-10T10:00:00Z")
	for _, step := range []struct {
		method, path string
		body         any
		status       int
		trips        int
	}{
		{"GET", "/api/tasks/", nil, 200, 1},
		{"GET", "/api/tasks/?q=gutter&assigned_to=me", nil, 200, 1},
		{"GET", path("tasks/by-residence", h.home), nil, 200, 1},
		{"POST", "/api/tasks/", body, 201, 1},
		{"POST", "/api/tasks/", with(body, doc{"frequency_id": custom}), 422, 1},
		{"POST", "/api/tasks/bulk/", doc{"tasks": []doc{body, body, body}}, 201, 1},
		{"GET", path("tasks", c.ID), nil, 200, 1},
		{"PATCH", path("tasks", c.ID), doc{"title": "y", "assigned_to_id": h.member.Actor.UserID}, 200, 1},
		{"PUT", path("tasks", c.ID), with(body, doc{"frequency_id": weekly, "due_date": "2026-03-10"}), 200, 1},
		{"PUT", path("tasks", c.ID), with(body, doc{"frequency_id": daily, "due_date": "2026-03-10"}), 200, 2},
		{"PATCH", path("tasks", c.ID), doc{"due_date": "2026-03-12"}, 200, 2},
		{"PATCH", path("tasks", other.ID), doc{"due_date": "2026-03-12"}, 200, 1},
		{"POST", path("tasks", c.ID, "mark-in-progress"), nil, 200, 1},
		{"POST", path("tasks", c.ID, "cancel"), nil, 200, 1},
		{"POST", path("tasks", c.ID, "cancel"), nil, 409, 1},
		{"POST", path("tasks", c.ID, "uncancel"), nil, 200, 1},
		{"POST", path("tasks", c.ID, "archive"), nil, 200, 1},
		{"POST", path("tasks", c.ID, "unarchive"), nil, 200, 1},
		{"POST", path("tasks", c.ID, "quick-complete"), nil, 201, 2},
		{"POST", "/api/task-completions/", doc{"task_id": c.ID}, 201, 2},
		{"GET", path("tasks", c.ID, "completions"), nil, 200, 1},
		{"GET", path("tasks", other.ID, "completions"), nil, 200, 1},
		{"GET", path("tasks", newID(), "completions"), nil, 404, 1},
		{"GET", path("tasks", c.ID, "history"), nil, 200, 1},
		{"GET", path("residences", h.home, "history"), nil, 200, 1},
		{"GET", path("residences", h.home, "costs"), nil, 200, 1},
		{"GET", "/api/task-completions/", nil, 200, 1},
		{"GET", "/api/task-completions/?task_id=" + c.ID.String(), nil, 200, 1},
		{"GET", path("task-completions", done.ID), nil, 200, 1},
		{"PUT", path("task-completions", done.ID), doc{"notes": "x"}, 200, 2},
		{"DELETE", path("task-completions", done.ID), nil, 204, 2},
		{"DELETE", path("tasks", other.ID), nil, 204, 1},
		{"DELETE", path("tasks", other.ID), nil, 404, 1},
		{"GET", "/api/contractors/", nil, 200, 1},
		{"GET", path("contractors/by-residence", h.home), nil, 200, 1},
		{"POST", "/api/contractors/", doc{"name": "Bob"}, 201, 1},
		{"GET", path("contractors", shared.ID), nil, 200, 1},
		{"PATCH", path("contractors", shared.ID), doc{"rating": 4.5}, 200, 1},
		{"PUT", path("contractors", shared.ID), doc{"name": "Ada", "residence_id": h.home}, 200, 1},
		{"POST", path("contractors", shared.ID, "toggle-favorite"), nil, 200, 1},
		{"GET", path("contractors", shared.ID, "tasks"), nil, 200, 1},
		{"GET", path("contractors", shared.ID, "history"), nil, 200, 1},
		{"DELETE", path("contractors", shared.ID), nil, 204, 1},
		{"GET", "/api/tasks/templates/grouped/", nil, 200, 1},
		{"GET", "/api/tasks/templates/", nil, 200, 0},
		{"GET", "/api/tasks/templates/search/?q=filter", nil, 200, 0},
		{"GET", path("tasks/templates", smokeAlarms), nil, 200, 0},
		{"POST", "/api/tasks/templates/apply/", doc{"residence_id": h.home}, 201, 1},
		{"POST", "/api/tasks/templates/apply/", doc{"residence_id": h.home}, 200, 1},
		{"GET", "/api/tasks/categories/", nil, 200, 0},
		{"POST", path("residences", h.home, "generate-tasks-report"), nil, 200, 1},
		{"POST", path("residences", h.home, "generate-history-report"), doc{"paper": "letter"}, 200, 1},
		{"POST", path("residences", h.home, "generate-tasks-report"), doc{"email": true}, 202, 1},
		{"GET", "/api/tasks/priorities/", nil, 200, 0},
		{"GET", "/api/tasks/frequencies/", nil, 200, 0},
		{"GET", "/api/contractors/specialties/", nil, 200, 0},
	} {
		a := h.owner.For(t).Want(step.status, step.method, step.path, step.body)
		if got := sqlTrips(a); got != step.trips {
			t.Errorf("%s %s: %d round trips, wanted %d", step.method, step.path, got, step.trips)
		}
	}
	if got := sqlTrips(fresh.Want(200, "GET", "/api/tasks/", nil)); got != 2 {
		t.Errorf("a cold board: %d round trips, wanted 2", got)
	}
}

func TestInternalOperations(t *testing.T) {
	h := open(t)
	h.add(t, h.owner, doc{"due_date": "2026-03-09"})
	begun := h.add(t, h.owner, doc{"due_date": "2026-03-09"})
	h.owner.Want(200, "POST", path("tasks", begun.ID, "mark-in-progress"), nil)
	h.add(t, h.owner, doc{"due_date": "2026-03-10"})
	h.add(t, h.owner, doc{"due_date": "2026-04-09"})
	h.add(t, h.owner, doc{"due_date": "2026-04-10"})
	for _, m := range []string{"cancel", "archive"} {
		h.owner.Want(200, "POST", path("tasks", h.add(t, h.owner, doc{"due_date": "2026-03-09"}).ID, m), nil)
	}
	h.complete(t, h.add(t, h.owner, doc{"due_date": "2026-03-09"}).ID, "2026-03-09T10:00:00Z")
	part := h.AsPart(t, "residence")
	a := part.Want(200, "POST", "/internal/task-counts", doc{"residence_ids": []uuid.UUID{h.home, h.elsewhere}, "today": "2026-03-10"})
	counts := testkit.JSON[map[uuid.UUID]internalapi.TaskCounts](t, a)
	if got, want := counts[h.home], (internalapi.TaskCounts{Open: 5, Overdue: 1, DueSoon: 2}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if sqlTrips(a) != 1 {
		t.Errorf("counts took %d round trips", sqlTrips(a))
	}
	if got := string(part.Want(200, "POST", "/internal/task-counts", doc{"residence_ids": []uuid.UUID{}, "today": "2026-03-10"}).Body); got != "{}\n" {
		t.Errorf("counts of no residence: %s", got)
	}
	l := testkit.JSON[internalapi.TaskLookups](t, part.Want(200, "GET", "/internal/lookups", nil))
	if len(l.Categories) < 12 || len(l.Priorities) != 4 || len(l.Frequencies) != 9 || len(l.Specialties) < 10 {
		t.Errorf("lookups %+v", l)
	}
	if f := l.Frequencies[2]; f.Name != "Weekly" || f.Unit != "day" || f.Every != 7 || f.Icon == "" || f.Color == "" {
		t.Errorf("weekly is %+v", f)
	}
	etag := h.owner.Want(200, "GET", "/api/tasks/categories/", nil).Header.Get("ETag")
	h.owner.Want(304, "GET", "/api/tasks/categories/", nil, "If-None-Match", etag)
	h.AsNobody(t).Refused(http.StatusUnauthorized, "authentication_required", "GET", "/api/tasks/categories/", nil)
}

func TestTheDocumentNamesWhatIsAnswered(t *testing.T) {
	h := open(t)
	d := testkit.JSON[struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
	}](t, h.AsPart(t, "gateway").Want(200, "GET", "/internal/openapi.json", nil))
	for _, c := range []struct{ method, path, statuses string }{
		{"get", "/api/tasks/", "200 304 401 404 422 500 503"},
		{"post", "/api/tasks/", "200 201 400 401 403 404 409 413 415 422 500 503"},
		{"patch", "/api/tasks/{id}/", "200 400 401 403 404 409 412 413 415 422 500 503"},
		{"post", "/api/tasks/{id}/cancel/", "200 401 403 404 409 412 422 500 503"},
		{"delete", "/api/task-completions/{id}/", "204 401 403 404 409 412 422 500 503"},
		{"get", "/api/contractors/{id}/", "200 304 401 404 422 500 503"},
		{"post", "/api/residences/{id}/generate-tasks-report/", "200 202 400 401 403 404 409 413 415 422 500 503"},
	} {
		answers := d.Paths[c.path][c.method].Responses
		if got := strings.Join(slices.Sorted(maps.Keys(answers)), " "); got != c.statuses {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.statuses)
		}
	}
	if pdf := d.Paths["/api/residences/{id}/generate-history-report/"]["post"].Responses["200"].Content; len(pdf) != 1 || pdf["application/pdf"].Schema["format"] != "binary" {
		t.Errorf("a report is %v", pdf)
	}
	created := d.Paths["/api/tasks/"]["post"].Responses
	if one, two := created["201"].Content["application/json"].Schema["$ref"], created["200"].Content["application/json"].Schema["$ref"]; one == nil || one != two {
		t.Errorf("a new task is %v, one that was there %v", one, two)
	}
}

// plainJSON is what the encoder makes of a value that knows nothing of its own encoding.
func plainJSON(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
