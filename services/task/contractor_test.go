package task_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func (h house) hire(t *testing.T, c *testkit.Client, more doc) task.Contractor {
	t.Helper()
	return testkit.JSON[task.Contractor](t, c.For(t).Want(201, "POST", "/api/contractors/", with(doc{"name": "Ada"}, more)))
}

func TestAContractorKeepsWhatItWasGiven(t *testing.T) {
	h := open(t)
	id := newID()
	body := doc{"id": id, "residence_id": h.home, "name": "Ada", "company": "Pipes", "phone": "+49 30 1", "email": "ada@example.com", "website": "https://example.com",
		"address": "Here 1", "notes": "n", "rating": 4.5, "specialty_ids": []uuid.UUID{plumber}}
	a := h.owner.Want(201, "POST", "/api/contractors/", body)
	got := testkit.JSON[doc](t, a)
	for field, want := range (doc{"id": id.String(), "residence_id": h.home.String(), "name": "Ada", "company": "Pipes", "phone": "+49 30 1", "email": "ada@example.com",
		"website": "https://example.com", "address": "Here 1", "notes": "n", "rating": 4.5, "is_favorite": false, "task_count": 0.0, "version": 1.0, "created_by_id": h.owner.Actor.UserID.String()}) {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	h.owner.Want(200, "POST", "/api/contractors/", body)
	h.member.Refused(409, "id_taken", "POST", "/api/contractors/", body)
	patched := testkit.JSON[task.Contractor](t, h.member.Want(200, "PATCH", path("contractors", id), doc{"phone": nil, "rating": 0, "specialty_ids": nil}))
	if patched.Phone != nil || *patched.Rating != 0 || *patched.Company != "Pipes" || len(patched.SpecialtyIDs) != 0 || patched.CreatedByID != h.owner.Actor.UserID {
		t.Errorf("patched %+v", patched)
	}
	put := testkit.JSON[task.Contractor](t, h.member.Want(200, "PUT", path("contractors", id), doc{"name": "Bob", "residence_id": h.home}))
	if put.Name != "Bob" || put.Company != nil || put.Rating != nil || put.Version != 3 {
		t.Errorf("put %+v", put)
	}
	h.owner.Refused(412, "version_conflict", "PATCH", path("contractors", id), doc{"name": "x"}, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "DELETE", path("contractors", id), nil, "If-Match", `"1"`)
	etag := h.owner.Want(200, "GET", path("contractors", id), nil).Header.Get("ETag")
	h.owner.Want(200, "PATCH", path("contractors", id), doc{"name": "Eve"}, "If-Match", etag)
	for field, value := range (doc{"name": "", "rating": 5.1, "email": "nobody", "specialty_ids": []uuid.UUID{newID()}, "notes": strings.Repeat("x", 10_001), "is_favorite": true}) {
		a := h.owner.Refused(422, "validation_failed", "PATCH", path("contractors", id), doc{field: value})
		if !strings.Contains(string(a.Body), `"body.`+field) {
			t.Errorf("does not name %s: %s", field, a.Body)
		}
	}
	h.owner.Refused(422, "validation_failed", "POST", "/api/contractors/", doc{"name": "x", "specialty_ids": []uuid.UUID{newID()}})
	if n := len(h.Outbox(t, "contractor.changed")); n != 4 {
		t.Errorf("%d events", n)
	}
}

func TestWhoSeesAContractor(t *testing.T) {
	h := open(t)
	shared, personal := h.hire(t, h.owner, doc{"residence_id": h.home}), h.hire(t, h.owner, doc{"name": "Mine"})
	read := func(c *testkit.Client, id uuid.UUID, status int) {
		t.Helper()
		c.Want(status, "GET", path("contractors", id), nil)
		c.Want(status, "GET", path("contractors", id, "tasks"), nil)
		c.Want(status, "POST", path("contractors", id, "toggle-favorite"), nil)
	}
	for c, status := range map[*testkit.Client]int{h.owner: 200, h.member: 200, h.viewer: 200, h.stranger: 404} {
		read(c, shared.ID, status)
	}
	for c, status := range map[*testkit.Client]int{h.owner: 200, h.member: 404, h.viewer: 404, h.stranger: 404} {
		read(c, personal.ID, status)
	}
	h.viewer.Refused(403, "not_permitted", "PATCH", path("contractors", shared.ID), doc{"name": "x"})
	h.viewer.Refused(403, "not_permitted", "DELETE", path("contractors", shared.ID), nil)
	h.viewer.Refused(403, "not_permitted", "POST", "/api/contractors/", doc{"name": "x", "residence_id": h.home})
	h.stranger.Refused(404, "not_found", "POST", "/api/contractors/", doc{"name": "x", "residence_id": h.home})
	h.stranger.Refused(404, "not_found", "PATCH", path("contractors", shared.ID), doc{"name": "x"})
	h.member.Refused(404, "not_found", "DELETE", path("contractors", personal.ID), nil)
	h.owner.Refused(404, "not_found", "PATCH", path("contractors", personal.ID), doc{"residence_id": h.elsewhere})
	// Only who added it can make it personal again.
	h.member.Refused(422, "validation_failed", "PATCH", path("contractors", shared.ID), doc{"residence_id": nil})
	h.owner.Want(200, "PATCH", path("contractors", shared.ID), doc{"residence_id": nil})
	h.member.Refused(404, "not_found", "GET", path("contractors", shared.ID), nil)
}

func TestAFavoriteIsOnePersons(t *testing.T) {
	h := open(t)
	shared := h.hire(t, h.owner, doc{"residence_id": h.home})
	toggle := func(c *testkit.Client) bool {
		return testkit.JSON[task.Contractor](t, c.Want(200, "POST", path("contractors", shared.ID, "toggle-favorite"), nil)).IsFavorite
	}
	isFavorite := func(c *testkit.Client) bool {
		return testkit.JSON[task.Contractor](t, c.Want(200, "GET", path("contractors", shared.ID), nil)).IsFavorite
	}
	etag := h.viewer.Want(200, "GET", path("contractors", shared.ID), nil).Header.Get("ETag")
	if !toggle(h.viewer) || !isFavorite(h.viewer) || isFavorite(h.owner) {
		t.Error("a favourite is not the viewer's own")
	}
	h.viewer.Want(200, "GET", path("contractors", shared.ID), nil, "If-None-Match", etag)
	if got := list[task.Contractor](t, h.viewer.Want(200, "GET", "/api/contractors/?is_favorite=true", nil)); len(got.Items) != 1 {
		t.Errorf("%d favourites", len(got.Items))
	}
	if toggle(h.viewer) || isFavorite(h.viewer) {
		t.Error("still a favourite")
	}
	// An odd number of toggles at once ends as one alone would, and each answers what it has made of it.
	const devices = 21
	var group sync.WaitGroup
	var on atomic.Int32
	for range devices {
		group.Go(func() {
			if toggle(h.owner.For(t)) {
				on.Add(1)
			}
		})
	}
	group.Wait()
	if !isFavorite(h.owner) || on.Load() != devices/2+1 {
		t.Errorf("after %d toggles: %v, %d of them made it a favourite", devices, isFavorite(h.owner), on.Load())
	}
}

func TestAContractorCanBeWrittenToOpenedAndDialled(t *testing.T) {
	h := open(t)
	for field, values := range map[string][]any{
		"email":   {"ada", "ada@localhost", "Ada <ada@example.com>", "a@example.com, b@example.com", "ada@[127.0.0.1]", "a b@example.com"},
		"website": {"example.com", "ftp://example.com", "javascript:alert(1)", "https://", "https:///path", "http://a b.com", "//example.com", "https://me:pw@example.com"},
		"phone":   {"12", "call me", "+49 30 12x", strings.Repeat("1", 31), "----"},
		"name":    {"", "   ", "\u00a0"},
	} {
		for _, value := range values {
			a := h.owner.Refused(422, "validation_failed", "POST", "/api/contractors/", with(doc{"name": "x"}, doc{field: value}))
			if !strings.Contains(string(a.Body), `"body.`+field) {
				t.Errorf("%v does not name %s: %s", value, field, a.Body)
			}
		}
	}
	a := h.owner.Refused(422, "validation_failed", "POST", "/api/contractors/", doc{"name": "x", "email": "x", "website": "x", "phone": "x"})
	if n := strings.Count(string(a.Body), `"location"`); n != 3 {
		t.Errorf("%d fields at fault: %s", n, a.Body)
	}
	got := h.hire(t, h.owner, doc{"name": " Ada ", "email": " Ada.B+x@Example.com ", "website": " http://münchen.example/Ä?q=1 ", "phone": " +1 (555) 010-99.7/8 ", "company": "  ", "address": "\tHere 1\n"})
	if got.Name != "Ada" || *got.Email != "Ada.B+x@Example.com" || *got.Website != "http://münchen.example/Ä?q=1" || *got.Phone != "+1 (555) 010-99.7/8" ||
		got.Company != nil || *got.Address != "Here 1" {
		t.Errorf("kept %+v", got)
	}
	h.owner.Want(200, "PATCH", path("contractors", got.ID), doc{"phone": "911"})
}

func TestAContractorsFigures(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC", Currency: "USD"})
	ada := h.hire(t, h.owner, nil)
	if ada.AverageRating != nil || ada.RatingCount != 0 || ada.LastWorkedAt != nil || ada.TotalPaid == nil || len(ada.TotalPaid) != 0 {
		t.Errorf("new: %+v", ada)
	}
	here, there := h.add(t, h.owner, doc{"frequency_id": daily}), h.add(t, h.owner, doc{"frequency_id": daily, "residence_id": second})
	work := func(task uuid.UUID, at string, more doc) {
		h.owner.Want(201, "POST", "/api/task-completions/", with(doc{"task_id": task, "contractor_id": ada.ID, "completed_at": at}, more))
	}
	work(here.ID, "2026-03-01T10:00:00Z", doc{"rating": 4, "actual_cost": "10.50"})
	before := h.owner.Want(200, "GET", path("contractors", ada.ID), nil).Header.Get("ETag")
	work(here.ID, "2026-03-03T10:00:00Z", doc{"rating": 5, "actual_cost": "9999999999.99"})
	work(there.ID, "2026-03-02T10:00:00Z", doc{"rating": 4, "actual_cost": "0.01"})
	work(there.ID, "2026-03-02T11:00:00Z", nil)
	h.complete(t, here.ID, "2026-03-04T10:00:00Z") // by nobody's hand but one's own
	a := h.owner.Want(200, "GET", path("contractors", ada.ID), nil, "If-None-Match", before)
	want := doc{"average_rating": 4.3, "rating_count": 3.0, "completion_count": 4.0, "last_worked_at": "2026-03-03T10:00:00Z"}
	for name, got := range map[string]doc{
		"by itself": testkit.JSON[doc](t, a), "in the list": list[doc](t, h.owner.Want(200, "GET", "/api/contractors/", nil)).Items[0],
		"changed": testkit.JSON[doc](t, h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"notes": "good"})),
		"toggled": testkit.JSON[doc](t, h.owner.Want(200, "POST", path("contractors", ada.ID, "toggle-favorite"), nil)),
	} {
		for field, value := range want {
			if got[field] != value {
				t.Errorf("%s: %s is %v, want %v", name, field, got[field], value)
			}
		}
		if paid := fmt.Sprint(got["total_paid"]); paid != "[map[amount:10000000010.49 currency:EUR] map[amount:0.01 currency:USD]]" {
			t.Errorf("%s: paid %s", name, paid)
		}
	}
	if version := testkit.JSON[task.Contractor](t, h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"notes": "x"}, "If-Match", h.owner.Want(200, "GET", path("contractors", ada.ID), nil).Header.Get("ETag"))).Version; version != 3 {
		t.Errorf("version %d", version)
	}
	// Who does not see the second residence does not see what was paid there.
	h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"residence_id": h.home})
	got := testkit.JSON[task.Contractor](t, h.member.Want(200, "GET", path("contractors", ada.ID), nil))
	if *got.AverageRating != 4.5 || got.CompletionCount != 2 || len(got.TotalPaid) != 1 || got.TotalPaid[0].Currency != "EUR" {
		t.Errorf("to a member %+v", got)
	}
}

func TestAContractorThatMovesKeepsItsHistory(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	ada := h.hire(t, h.owner, doc{"residence_id": h.home})
	todo, done := h.add(t, h.owner, doc{"contractor_id": ada.ID}), h.add(t, h.owner, doc{"contractor_id": ada.ID})
	put := h.add(t, h.owner, doc{"contractor_id": ada.ID})
	h.owner.Want(200, "POST", path("tasks", put.ID, "archive"), nil)
	first := testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": done.ID, "contractor_id": ada.ID}))
	if first.ContractorName == nil || *first.ContractorName != "Ada" {
		t.Errorf("done by %v", first.ContractorName)
	}
	events := len(h.Outbox(t, "task.changed"))
	board, log := h.member.Want(200, "GET", "/api/tasks/", nil).Header.Get("ETag"), h.member.Want(200, "GET", "/api/task-completions/", nil).Header.Get("ETag")
	moved := testkit.JSON[task.Contractor](t, h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"residence_id": second, "name": "Ada B."}))
	if moved.TaskCount != 1 || moved.CompletionCount != 1 {
		t.Errorf("moved %+v", moved)
	}
	for _, open := range []task.Task{todo, put} {
		if got := h.read(t, open.ID); got.ContractorID != nil || got.Version <= open.Version {
			t.Errorf("what is still to do: %+v", got)
		}
	}
	if n := len(h.Outbox(t, "task.changed")); n != events+2 {
		t.Errorf("%d events of tasks that let go", n-events)
	}
	if got := h.read(t, done.ID); got.ContractorID == nil || *got.ContractorID != ada.ID {
		t.Errorf("what is done: %+v", got)
	}
	h.member.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", board)
	h.member.Want(200, "GET", "/api/task-completions/", nil, "If-None-Match", log)
	h.member.Refused(404, "not_found", "GET", path("contractors", ada.ID), nil)
	named := func(name string, id *uuid.UUID) {
		t.Helper()
		got := testkit.JSON[task.Completion](t, h.member.Want(200, "GET", path("task-completions", first.ID), nil))
		if got.ContractorName == nil || *got.ContractorName != name || (id == nil) != (got.ContractorID == nil) {
			t.Errorf("done by %v %v", got.ContractorID, got.ContractorName)
		}
	}
	named("Ada B.", &ada.ID)
	// Personal: what is still to do in any residence lets go.
	todo = h.add(t, h.owner, doc{"residence_id": second, "contractor_id": ada.ID})
	h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"residence_id": nil})
	if got := h.read(t, todo.ID); got.ContractorID != nil {
		t.Errorf("names a personal one: %+v", got)
	}
	// Back home, what names it there stays.
	todo = h.add(t, h.owner, doc{"contractor_id": ada.ID})
	h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"residence_id": h.home})
	if got := h.read(t, todo.ID); got.ContractorID == nil || got.Version != 1 {
		t.Errorf("let go of one of its own: %+v", got)
	}
	named("Ada B.", &ada.ID)
	// Deleted, its work keeps its name, also when somebody writes something else anew.
	h.owner.Want(204, "DELETE", path("contractors", ada.ID), nil)
	named("Ada B.", nil)
	h.owner.Want(200, "PUT", path("task-completions", first.ID), doc{"notes": "leaks again"})
	named("Ada B.", nil)
	bob := h.hire(t, h.owner, doc{"name": "Bob", "residence_id": h.home})
	h.owner.Want(200, "PUT", path("task-completions", first.ID), doc{"contractor_id": bob.ID})
	named("Bob", &bob.ID)
	h.owner.Want(200, "PUT", path("task-completions", first.ID), doc{})
	if got := testkit.JSON[task.Completion](t, h.owner.Want(200, "GET", path("task-completions", first.ID), nil)); got.ContractorName != nil {
		t.Errorf("still done by %s", *got.ContractorName)
	}
}

func TestContractorsAreListedByName(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	h.hire(t, h.owner, doc{"name": "delta", "residence_id": h.home, "company": "Pipes & Co"})
	h.hire(t, h.member, doc{"name": "Bravo", "residence_id": h.home, "specialty_ids": []uuid.UUID{plumber}})
	h.hire(t, h.owner, doc{"name": "alpha", "residence_id": second})
	h.hire(t, h.owner, doc{"name": "Charlie"})
	h.hire(t, h.stranger, doc{"name": "stranger's"})
	names := func(path string) []string {
		t.Helper()
		var out []string
		for next := ""; ; {
			page := list[task.Contractor](t, h.owner.Want(200, "GET", path+"&limit=2&cursor="+next, nil))
			for _, c := range page.Items {
				out = append(out, c.Name)
			}
			if page.NextCursor == nil {
				return out
			}
			next = *page.NextCursor
		}
	}
	for path, want := range map[string][]string{
		"/api/contractors/?": {"alpha", "Bravo", "Charlie", "delta"},
		"/api/contractors/by-residence/" + h.home.String() + "/?": {"Bravo", "delta"},
		"/api/contractors/?residence_id=" + second.String():       {"alpha"},
		"/api/contractors/?q=PIPES":                               {"delta"},
		"/api/contractors/?q=%25":                                 nil,
		"/api/contractors/?specialty_id=" + plumber.String():      {"Bravo"},
	} {
		if got := names(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	h.settle(t)
	a := h.owner.Want(200, "GET", "/api/contractors/", nil)
	if again := h.owner.Want(304, "GET", "/api/contractors/", nil, "If-None-Match", a.Header.Get("ETag")); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
	h.hire(t, h.owner, doc{"name": "personal"})
	h.owner.Want(200, "GET", "/api/contractors/", nil, "If-None-Match", a.Header.Get("ETag"))
}

func TestTasksNameContractors(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	shared, personal, far := h.hire(t, h.owner, doc{"residence_id": h.home}), h.hire(t, h.owner, nil), h.hire(t, h.owner, doc{"residence_id": second})
	mine := h.add(t, h.owner, doc{"contractor_id": personal.ID, "frequency_id": daily})
	h.add(t, h.member, doc{"contractor_id": shared.ID})
	h.add(t, h.owner, doc{"contractor_id": shared.ID})
	for _, refused := range []struct {
		who *testkit.Client
		id  uuid.UUID
	}{{h.member, personal.ID}, {h.owner, far.ID}, {h.member, far.ID}} {
		refused.who.Refused(422, "validation_failed", "POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x", "contractor_id": refused.id})
	}
	// What somebody else has named may stay when the rest is changed.
	put := doc{"residence_id": h.home, "title": "x", "contractor_id": personal.ID, "frequency_id": daily}
	h.member.Want(200, "PUT", path("tasks", mine.ID), put)
	h.member.Want(200, "PATCH", path("tasks", mine.ID), doc{"contractor_id": shared.ID})
	h.member.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"contractor_id": personal.ID})
	if got := testkit.JSON[task.Contractor](t, h.viewer.Want(200, "GET", path("contractors", shared.ID), nil)); got.TaskCount != 3 {
		t.Errorf("named by %d tasks", got.TaskCount)
	}
	if got := list[task.Task](t, h.viewer.Want(200, "GET", path("contractors", shared.ID, "tasks")+"?limit=2", nil)); len(got.Items) != 2 || got.NextCursor == nil {
		t.Errorf("tasks %+v", got)
	} else if rest := list[task.Task](t, h.viewer.Want(200, "GET", path("contractors", shared.ID, "tasks")+"?cursor="+*got.NextCursor, nil)); len(rest.Items) != 1 {
		t.Errorf("the rest %+v", rest)
	}
	done := testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": mine.ID, "contractor_id": shared.ID}))
	h.owner.Refused(422, "validation_failed", "PUT", path("task-completions", done.ID), doc{"contractor_id": far.ID})

	// Deleted, it leaves what it has done.
	before := h.read(t, mine.ID)
	etag := h.owner.Want(200, "GET", "/api/tasks/", nil).Header.Get("ETag")
	h.member.Want(204, "DELETE", path("contractors", shared.ID), nil)
	if got := h.read(t, mine.ID); got.ContractorID != nil || got.Version != before.Version+1 {
		t.Errorf("after the deletion %+v", got)
	}
	if got := testkit.JSON[task.Completion](t, h.owner.Want(200, "GET", path("task-completions", done.ID), nil)); got.ContractorID != nil || got.Version != 2 {
		t.Errorf("after the deletion %+v", got)
	}
	h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", etag)
	h.owner.Refused(404, "not_found", "DELETE", path("contractors", shared.ID), nil)
}
