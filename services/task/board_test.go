package task_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/config"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

// cards are a board's tasks, column after column.
func cards(t *testing.T, a testkit.Answer) []task.BoardTask {
	t.Helper()
	var all []task.BoardTask
	for _, column := range testkit.JSON[task.Board](t, a).Columns {
		all = append(all, column.Tasks...)
	}
	return all
}

// shape is each column's name with the titles in it.
func shape(t *testing.T, a testkit.Answer) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, column := range testkit.JSON[task.Board](t, a).Columns {
		titles := []string{}
		for _, card := range column.Tasks {
			titles = append(titles, card.Title)
		}
		if column.Count != len(titles) {
			t.Errorf("%s counts %d of %v", column.Name, column.Count, titles)
		}
		out[column.Name] = titles
	}
	return out
}

func wantShape(t *testing.T, a testkit.Answer, want map[string][]string) {
	t.Helper()
	got := shape(t, a)
	for name, titles := range got {
		if !slices.Equal(titles, want[name]) {
			t.Errorf("%s has %q, want %q", name, titles, want[name])
		}
	}
}

func TestAnEmptyBoardHasEveryColumn(t *testing.T) {
	h := open(t)
	for name, who := range map[string]*testkit.Client{"a residence without tasks": h.owner, "no residence": h.As(t, newID())} {
		a := who.Want(200, "GET", "/api/tasks/", nil)
		var names []string
		for _, column := range testkit.JSON[task.Board](t, a).Columns {
			names = append(names, column.Name)
			if column.Title == "" || column.Color == "" || column.Icon == "" || column.Count != 0 || column.Tasks == nil {
				t.Errorf("%s: column %+v", name, column)
			}
		}
		if want := []string{"overdue", "in_progress", "due_soon", "upcoming", "completed", "cancelled"}; !slices.Equal(names, want) {
			t.Errorf("%s: columns %v", name, names)
		}
	}
	nobody := h.As(t, newID())
	nobody.Want(200, "GET", "/api/tasks/", nil)
	if a := nobody.Want(200, "GET", "/api/tasks/", nil); sqlTrips(a) != 0 {
		t.Errorf("who sees no residence costs %d round trips", sqlTrips(a))
	}
}

func TestTasksStandInTheirColumns(t *testing.T) {
	h := open(t)
	add := func(title, due string, more doc) uuid.UUID {
		body := doc{"title": title}
		if due != "" {
			body["due_date"] = due
		}
		return h.add(t, h.owner, with(body, more)).ID
	}
	add("yesterday", "2026-03-09", nil)
	add("today", "2026-03-10", nil)
	add("in 30 days", "2026-04-09", nil)
	add("in 31 days", "2026-04-10", nil)
	add("some day", "", nil)
	begun := add("begun", "2026-03-01", nil)
	h.owner.Want(200, "POST", path("tasks", begun, "mark-in-progress"), nil)
	h.complete(t, add("done", "2026-03-01", nil), "2026-03-10T10:00:00Z")
	h.complete(t, add("done, and due again", "2026-03-01", doc{"frequency_id": weekly}), "2026-03-01T10:00:00Z")
	stopped := add("cancelled", "2026-03-01", nil)
	h.complete(t, stopped, "2026-03-10T10:00:00Z")
	h.owner.Want(200, "POST", path("tasks", stopped, "cancel"), nil)
	h.owner.Want(200, "POST", path("tasks", add("archived", "2026-03-01", nil), "archive"), nil)
	h.add(t, h.stranger, doc{"residence_id": h.elsewhere, "title": "a stranger's"})

	want := map[string][]string{
		"overdue": {"done, and due again", "yesterday"}, "in_progress": {"begun"}, "due_soon": {"today", "in 30 days"},
		"upcoming": {"in 31 days", "some day"}, "completed": {"done"}, "cancelled": {"cancelled"},
	}
	wantShape(t, h.owner.Want(200, "GET", "/api/tasks/", nil), want)
	wantShape(t, h.viewer.Want(200, "GET", path("tasks/by-residence", h.home), nil), want)
	narrow := h.owner.Want(200, "GET", "/api/tasks/?days_threshold=0", nil)
	if got := shape(t, narrow); !slices.Equal(got["due_soon"], []string{"today"}) || len(got["upcoming"]) != 3 {
		t.Errorf("with a threshold of 0: %v", got)
	}
	// In Auckland it is the 11th already.
	h.owner.Actor.Zone = "Pacific/Auckland"
	if got := shape(t, h.owner.Want(200, "GET", "/api/tasks/", nil)); !slices.Equal(got["overdue"], []string{"done, and due again", "yesterday", "today"}) {
		t.Errorf("a day later: %v", got)
	}
	h.owner.Refused(422, "validation_failed", "GET", "/api/tasks/?days_threshold=-1", nil)
	h.owner.Refused(422, "validation_failed", "GET", "/api/tasks/?days_threshold=soon", nil)
	h.owner.Refused(422, "validation_failed", "GET", "/api/tasks/?category_id=plumbing", nil)
	h.owner.Refused(422, "validation_failed", "GET", "/api/tasks/?assigned_to=you", nil)
}

func TestABoardIsSortedByDateThenPriorityThenTitle(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		title, due string
		priority   any
	}{
		{"c", "", nil}, {"b", "", urgent}, {"a", "", low}, {"B", "2026-09-01", low}, {"A", "2026-09-01", low}, {"Z", "2026-09-01", urgent}, {"first", "2026-08-01", nil},
	} {
		body := doc{"title": c.title, "priority_id": c.priority}
		if c.due != "" {
			body["due_date"] = c.due
		}
		h.add(t, h.owner, body)
	}
	wantShape(t, h.owner.Want(200, "GET", "/api/tasks/", nil), map[string][]string{"upcoming": {"first", "Z", "A", "B", "b", "a", "c"}})
}

func TestBoardFilters(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	h.add(t, h.owner, doc{"title": "100% Wool", "category_id": plumbing})
	h.add(t, h.owner, doc{"title": "100 wools", "priority_id": urgent, "assigned_to_id": h.member.Actor.UserID})
	h.add(t, h.owner, doc{"title": "back\\slash", "description": "snake_CASE", "assigned_to_id": h.owner.Actor.UserID})
	h.add(t, h.owner, doc{"title": "elsewhere", "residence_id": second})
	for query, want := range map[string][]string{
		"":                                {"100% Wool", "100 wools", "back\\slash", "elsewhere"},
		"residence_id=" + second.String(): {"elsewhere"},
		"assigned_to=me":                  {"back\\slash"},
		"assigned_to=" + h.member.Actor.UserID.String(): {"100 wools"},
		"category_id=" + plumbing.String():              {"100% Wool"},
		"priority_id=" + urgent.String():                {"100 wools"},
		"q=WOOL":                                        {"100% Wool", "100 wools"},
		"q=" + url.QueryEscape("100%"):                  {"100% Wool"},
		"q=" + url.QueryEscape(`k\s`):                   {"back\\slash"},
		"q=e_c":                                         {"back\\slash"},
		"q=kes":                                         {},
		"q=wool&priority_id=" + urgent.String():         {"100 wools"},
		"q=" + url.QueryEscape("' OR 1=1 --"):           {},
	} {
		t.Run(query, func(t *testing.T) {
			var titles []string
			for _, card := range cards(t, h.owner.For(t).Want(200, "GET", "/api/tasks/?"+query, nil)) {
				titles = append(titles, card.Title)
			}
			slices.Sort(titles)
			slices.Sort(want)
			if !slices.Equal(titles, want) {
				t.Errorf("got %q, want %q", titles, want)
			}
		})
	}
}

func TestABoardThatHasNotChangedCostsNoSQL(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-10"})
	etag := func() string { return h.owner.Want(200, "GET", "/api/tasks/", nil).Header.Get("ETag") }
	unchanged := func(e string) {
		t.Helper()
		a := h.owner.Want(304, "GET", "/api/tasks/", nil, "If-None-Match", e)
		if sqlTrips(a) != 0 || roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.Redis) != 2 || len(a.Body) != 0 || a.Header.Get("ETag") != e {
			t.Errorf("304 with %s and body %q", a.Header.Get("Server-Timing"), a.Body)
		}
	}
	h.settle(t)
	before := etag()
	unchanged(before)
	if h.owner.Want(200, "GET", "/api/tasks/?days_threshold=7", nil).Header.Get("ETag") == before {
		t.Error("another threshold has the same ETag")
	}
	var done task.Completion
	for name, change := range map[string]func(){
		"a new task":   func() { h.add(t, h.member, nil) },
		"a patch":      func() { h.member.Want(200, "PATCH", path("tasks", mine.ID), doc{"title": "new"}) },
		"a move":       func() { h.member.Want(200, "POST", path("tasks", mine.ID, "mark-in-progress"), nil) },
		"a completion": func() { done = h.complete(t, mine.ID, "2026-03-10T10:00:00Z") },
		"a deletion":   func() { h.owner.Want(204, "DELETE", path("tasks", h.add(t, h.owner, nil).ID), nil) },
	} {
		before := etag()
		change()
		if a := h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", before); a.Header.Get("ETag") == before {
			t.Errorf("%s leaves the ETag", name)
		}
	}
	before = etag()
	h.owner.Want(204, "DELETE", path("task-completions", done.ID), nil)
	h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", before)
	h.settle(t)
	before = etag()
	h.add(t, h.stranger, doc{"residence_id": h.elsewhere}) // none of ours
	unchanged(before)
	h.owner.Actor.Zone = "Pacific/Auckland"
	h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", before) // another day
}

func TestABoardsJSONIsThatOfItsType(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { compareJSON(t, open(t)) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		compareJSON(t, openWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = false }))
	})
}

func compareJSON(t *testing.T, h house) {
	t.Helper()
	ugly := "quote \" back \\ line\nbreak tab\t <b>&amp; \u2028 é 🏡 \x7f \x01"
	for i := range 3 {
		mine := h.add(t, h.owner, doc{"title": fmt.Sprint(ugly, i), "description": ugly, "frequency_id": daily, "category_id": plumbing, "priority_id": low, "due_date": "2026-03-10",
			"estimated_cost": "12.34", "assigned_to_id": h.member.Actor.UserID, "custom_interval_days": 3, "template_id": smokeAlarms})
		if _, err := h.DB.Exec(t.Context(), `UPDATE tasks SET equipment_id = $1 WHERE id = $2`, newID(), mine.ID); err != nil {
			t.Fatal(err)
		}
		h.complete(t, mine.ID, "2026-03-10T10:00:00.120Z")
		h.complete(t, mine.ID, "1999-12-31T23:59:59.999Z") // before PostgreSQL's own epoch
		if i == 0 {                                        // what every card can say is what the task says by itself
			card := cards(t, h.owner.Want(200, "GET", "/api/tasks/", nil))[0]
			if got, want := plainJSON(t, card.Task), string(h.owner.Want(200, "GET", path("tasks", mine.ID), nil).Body); got != want {
				t.Errorf("on the board %s\nby itself %s", got, want)
			}
		}
	}
	h.add(t, h.owner, doc{"title": "nothing else"})
	a := h.owner.Want(200, "GET", "/api/tasks/", nil)
	if got, want := string(a.Body), plainJSON(t, testkit.JSON[task.Board](t, a)); got != want {
		t.Errorf("answered %s\nwant     %s", got, want)
	}
}
