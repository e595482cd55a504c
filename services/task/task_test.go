package task_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func TestATaskKeepsWhatItWasGiven(t *testing.T) {
	h := open(t)
	id := newID()
	body := doc{
		"id": id, "residence_id": h.home, "title": "Bleed the radiators", "description": "All of them", "category_id": plumbing, "priority_id": urgent,
		"frequency_id": custom, "custom_interval_days": 45, "reschedule_from": "completion", "due_date": "2026-03-20",
		"assigned_to_id": h.member.Actor.UserID, "estimated_cost": "12.5", "actual_cost": "0", "rrule": nil, "contractor_id": nil,
		"template_id": smokeAlarms,
	}
	a := h.owner.Want(201, "POST", "/api/tasks/", body)
	if a.Header.Get("ETag") != `"1"` {
		t.Errorf("ETag %s", a.Header.Get("ETag"))
	}
	got := testkit.JSON[doc](t, a)
	for field, want := range (doc{
		"id": id.String(), "title": "Bleed the radiators", "description": "All of them", "category_id": plumbing.String(), "custom_interval_days": 45.0,
		"reschedule_from": "completion", "due_date": "2026-03-20", "next_due_date": "2026-03-20", "estimated_cost": "12.50", "actual_cost": "0.00", "template_id": smokeAlarms.String(),
		"rrule": nil, "equipment_id": nil, "season_start": nil, "season_end": nil, "in_progress": false, "is_cancelled": false, "is_archived": false, "assigned_to_name": nil,
		"assigned_to_id": h.member.Actor.UserID.String(), "last_completed_at": nil, "completion_count": 0.0, "version": 1.0,
		"created_by_id": h.owner.Actor.UserID.String(), "created_at": "2026-03-10T12:00:00Z", "updated_at": "2026-03-10T12:00:00Z",
	}) {
		if value, there := got[field]; !there || value != want {
			t.Errorf("%s is %v, want %v", field, value, want)
		}
	}
	if len(got) != 38 {
		t.Errorf("%d fields: %v", len(got), got)
	}
	h.owner.Want(304, "GET", path("tasks", id), nil, "If-None-Match", `"1"`)
	var ref events.TaskRef
	if err := json.Unmarshal(h.Outbox(t, "task.created")[0], &ref); err != nil {
		t.Fatal(err)
	}
	want := events.TaskRef{ID: id, ResidenceID: h.home, Title: "Bleed the radiators", NextDueDate: "2026-03-20", AssignedToID: h.member.Actor.UserID, Open: true, ActorID: h.owner.Actor.UserID, Version: 1, Counted: events.Counted{OwnerID: h.owner.Actor.UserID}}
	if ref != want {
		t.Errorf("event %+v, want %+v", ref, want)
	}
}

func TestTasksThatAreRefused(t *testing.T) {
	h := open(t)
	base := doc{"residence_id": h.home, "title": "x"}
	for _, c := range []struct {
		name, field string
		more        doc
	}{
		{"an id of zeros", "body.id", doc{"id": uuid.Nil}},
		{"no title", "body.title", doc{"title": ""}},
		{"a blank title", "body.title", doc{"title": "  "}},
		{"a long title", "body.title", doc{"title": strings.Repeat("x", 201)}},
		{"an unknown category", "body.category_id", doc{"category_id": newID()}},
		{"an unknown priority", "body.priority_id", doc{"priority_id": newID()}},
		{"an unknown frequency", "body.frequency_id", doc{"frequency_id": newID()}},
		{"an unknown template", "body.template_id", doc{"template_id": newID()}},
		{"an unknown contractor", "body.contractor_id", doc{"contractor_id": newID()}},
		{"somebody who does not see the residence", "body.assigned_to_id", doc{"assigned_to_id": h.stranger.Actor.UserID}},
		{"nobody there is", "body.assigned_to_id", doc{"assigned_to_id": newID()}},
		{"custom without days", "body.custom_interval_days", doc{"frequency_id": custom}},
		{"no days", "body.custom_interval_days", doc{"frequency_id": custom, "custom_interval_days": 0}},
		{"10,001 characters", "body.description", doc{"description": strings.Repeat("x", 10_001)}},
		{"cost with three decimals", "body.estimated_cost", doc{"estimated_cost": "1.005"}},
		{"no recurrence rule", "body.rrule", doc{"rrule": "every other day"}},
		{"a rule by the hour", "body.rrule", doc{"rrule": "FREQ=HOURLY"}},
		{"a rule that never fires", "body.rrule", doc{"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}},
		{"a rule and a frequency", "body.rrule", doc{"rrule": "FREQ=DAILY", "frequency_id": daily}},
		{"a due date outside the rule", "body.due_date", doc{"rrule": "FREQ=WEEKLY;BYDAY=MO", "due_date": "2026-03-10"}},
		{"a season without an end", "body.season_end", doc{"season_start": "04-01"}},
		{"a season without a start", "body.season_start", doc{"season_end": "10-31"}},
		{"a season that is none", "body.season_start", doc{"season_start": "13-01", "season_end": "10-31"}},
		{"a due date out of season", "body.due_date", doc{"frequency_id": monthly, "due_date": "2026-03-10", "season_start": "04-01", "season_end": "10-31"}},
		{"a rule that never fires in season", "body.season_start", doc{"rrule": "FREQ=YEARLY;BYMONTH=12", "season_start": "04-01", "season_end": "10-31"}},
		{"a season of a one-off", "body.season_start", doc{"due_date": "2026-05-10", "season_start": "04-01", "season_end": "10-31"}},
		{"an end before the beginning", "body.end_date", doc{"frequency_id": monthly, "due_date": "2026-03-10", "end_date": "2026-03-09"}},
		{"an end of a one-off", "body.end_date", doc{"due_date": "2026-03-10", "end_date": "2026-04-09"}},
		{"never at all", "body.max_occurrences", doc{"frequency_id": monthly, "max_occurrences": 0}},
		{"a rotation of one", "body.rotation_member_ids", doc{"rotation": "round_robin", "rotation_member_ids": []uuid.UUID{h.owner.Actor.UserID}}},
		{"a rotation of nobody", "body.rotation_member_ids", doc{"rotation": "random"}},
		{"members without a rotation", "body.rotation_member_ids", doc{"rotation_member_ids": []uuid.UUID{h.owner.Actor.UserID, h.member.Actor.UserID}}},
		{"a rotation with a stranger", "body.rotation_member_ids", doc{"rotation": "random", "rotation_member_ids": []uuid.UUID{h.owner.Actor.UserID, h.stranger.Actor.UserID}}},
		{"somebody twice in a rotation", "body.rotation_member_ids", doc{"rotation": "random", "rotation_member_ids": []uuid.UUID{h.owner.Actor.UserID, h.owner.Actor.UserID}}},
		{"an item without a title", "body.checklist[1].title", doc{"checklist": []doc{{"title": "a"}, {"title": " "}}}},
		{"two items of one id", "body.checklist[1].id", doc{"checklist": []doc{{"id": h.home, "title": "a"}, {"id": h.home, "title": "b"}}}},
		{"a day that is none", "body.due_date", doc{"due_date": "2026-02-30"}},
		{"a day too far off", "body.due_date", doc{"due_date": "2900-01-01"}},
		{"money below nothing", "body.estimated_cost", doc{"estimated_cost": "-1"}},
		{"another way to reschedule", "body.reschedule_from", doc{"reschedule_from": "never"}},
		{"a field that there is not", "body.colour", doc{"colour": "red"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.owner.For(t).Refused(422, "validation_failed", "POST", "/api/tasks/", with(base, c.more))
			if !strings.Contains(string(a.Body), `"`+c.field+`"`) {
				t.Errorf("does not name %s: %s", c.field, a.Body)
			}
		})
	}
	if n := len(h.Outbox(t, "task.created")); n != 0 {
		t.Errorf("%d events of tasks that were refused", n)
	}
	h.owner.Refused(404, "not_found", "POST", "/api/tasks/", doc{"residence_id": h.elsewhere, "title": "x"})
	h.owner.Refused(404, "not_found", "POST", "/api/tasks/", doc{"residence_id": newID(), "title": "x"})
	h.viewer.Refused(403, "not_permitted", "POST", "/api/tasks/", base)
	h.AsNobody(t).Refused(401, "authentication_required", "POST", "/api/tasks/", base)
}

func TestTheSameTaskTwiceIsOneTask(t *testing.T) {
	h := open(t)
	body := doc{"id": newID(), "residence_id": h.home, "title": "x"}
	var group sync.WaitGroup
	statuses := make(chan int, 20)
	for range cap(statuses) {
		group.Go(func() { statuses <- h.owner.Call("POST", "/api/tasks/", body).Status })
	}
	group.Wait()
	close(statuses)
	counts := map[int]int{}
	for status := range statuses {
		counts[status]++
	}
	if counts[201] != 1 || counts[200] != 19 {
		t.Errorf("answers %v", counts)
	}
	if n := len(h.Outbox(t, "task.created")); n != 1 {
		t.Errorf("%d events", n)
	}
	h.member.Refused(409, "id_taken", "POST", "/api/tasks/", body)
	h.stranger.Refused(409, "id_taken", "POST", "/api/tasks/", with(body, doc{"residence_id": h.elsewhere}))
}

func TestBulkIsAllOrNone(t *testing.T) {
	h := open(t)
	good := func(title string) doc { return doc{"id": newID(), "residence_id": h.home, "title": title} }
	three := []doc{good("a"), good("b"), good("c")}
	a := h.owner.Want(201, "POST", "/api/tasks/bulk/", doc{"tasks": three})
	got := testkit.JSON[struct{ Items []task.Task }](t, a).Items
	if len(got) != 3 || got[0].Title != "a" || got[2].Title != "c" {
		t.Fatalf("answered %s", a.Body)
	}
	h.owner.Want(200, "POST", "/api/tasks/bulk/", doc{"tasks": three})
	if n := len(h.Outbox(t, "task.created")); n != 3 {
		t.Errorf("%d events", n)
	}
	bad := []doc{good("d"), with(good("e"), doc{"category_id": newID()}), good("f")}
	if a := h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/bulk/", doc{"tasks": bad}); !strings.Contains(string(a.Body), "body.tasks[1].category_id") {
		t.Errorf("does not say which: %s", a.Body)
	}
	h.owner.Refused(404, "not_found", "GET", path("tasks", bad[0]["id"].(uuid.UUID)), nil)
	twice := good("g")
	h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/bulk/", doc{"tasks": []doc{twice, twice}})
	taken := []doc{good("h"), three[0]}
	h.member.Refused(409, "id_taken", "POST", "/api/tasks/bulk/", doc{"tasks": taken})
	h.owner.Refused(404, "not_found", "GET", path("tasks", taken[0]["id"].(uuid.UUID)), nil)
	h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/bulk/", doc{"tasks": []doc{}})
	many := make([]doc, 201)
	for i := range many {
		many[i] = good("x")
	}
	h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/bulk/", doc{"tasks": many})
	if a := h.owner.Want(201, "POST", "/api/tasks/bulk/", doc{"tasks": many[:200]}); sqlTrips(a) != 1 {
		t.Errorf("200 tasks took %d round trips", sqlTrips(a))
	}
}

func TestBulkLooksUpAnAssigneeOnce(t *testing.T) {
	h := open(t)
	many := make([]doc, 200)
	for i := range many {
		many[i] = doc{"residence_id": h.home, "title": "x", "assigned_to_id": h.member.Actor.UserID}
	}
	h.owner.Want(201, "POST", "/api/tasks/bulk/", doc{"tasks": many[:1]}) // all that is needed is cached now
	one := h.owner.Want(201, "POST", "/api/tasks/bulk/", doc{"tasks": many[:1]})
	all := h.owner.Want(201, "POST", "/api/tasks/bulk/", doc{"tasks": many})
	if got, want := redisTrips(all), redisTrips(one); got != want {
		t.Errorf("200 tasks take %d round trips to Redis, one takes %d", got, want)
	}
}

func TestTheSameTasksInAnyOrderAtOnceAreAddedOnce(t *testing.T) {
	h := open(t)
	for range 5 {
		there := make([]doc, 200)
		for i := range there {
			there[i] = doc{"id": newID(), "residence_id": h.home, "title": "x"}
		}
		back := slices.Clone(there)
		slices.Reverse(back)
		var added atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				a := h.owner.Call("POST", "/api/tasks/bulk/", doc{"tasks": [][]doc{there, back}[i%2]})
				if a.Status == 201 {
					added.Add(1)
				} else if a.Status != 200 {
					t.Errorf("answered %d: %s", a.Status, a.Body)
				}
			})
		}
		wg.Wait()
		if n := added.Load(); n != 1 {
			t.Fatalf("added %d times", n)
		}
	}
}

// holding runs the statement in a transaction, calls, and commits once the call waits for it.
func (h house) holding(t *testing.T, statement string, args pgx.NamedArgs, call func() testkit.Answer) testkit.Answer {
	t.Helper()
	tx, err := h.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), statement, args); err != nil {
		t.Fatal(err)
	}
	answer := make(chan testkit.Answer, 1)
	go func() { answer <- call() }()
	testkit.Eventually(t, "the call waits", func() bool {
		var waiting bool
		err := tx.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		return err == nil && waiting
	})
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return <-answer
}

func TestBulkIsAllOrNoneWhenAnotherTakesAnID(t *testing.T) {
	h := open(t)
	free, taken := newID(), newID()
	body := doc{"tasks": []doc{{"id": free, "residence_id": h.home, "title": "a"}, {"id": taken, "residence_id": h.home, "title": "b"}}}
	a := h.holding(t, `INSERT INTO tasks (id, residence_id, title, created_by_id, created_at, updated_at) VALUES (@id, @home, 'x', @by, now(), now())`,
		pgx.NamedArgs{"id": taken, "home": h.elsewhere, "by": h.stranger.Actor.UserID},
		func() testkit.Answer { return h.owner.Call("POST", "/api/tasks/bulk/", body) })
	if a.Status != 409 || a.Code() != "id_taken" {
		t.Errorf("answered %d: %s", a.Status, a.Body)
	}
	h.owner.Refused(404, "not_found", "GET", path("tasks", free), nil)
}

func TestAContractorThatGoesAwayMeanwhileIsRefused(t *testing.T) {
	h := open(t)
	there := h.add(t, h.owner, nil)
	for name, call := range map[string]func(contractor uuid.UUID) testkit.Answer{
		"add": func(contractor uuid.UUID) testkit.Answer {
			return h.owner.Call("POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x", "contractor_id": contractor})
		},
		"change": func(contractor uuid.UUID) testkit.Answer {
			return h.owner.Call("PATCH", path("tasks", there.ID), doc{"contractor_id": contractor})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Ada", "residence_id": h.home}))
			a := h.holding(t, `DELETE FROM contractors WHERE id = @id`, pgx.NamedArgs{"id": c.ID}, func() testkit.Answer { return call(c.ID) })
			if a.Status != 422 || !strings.Contains(string(a.Body), "body.contractor_id") {
				t.Errorf("answered %d: %s", a.Status, a.Body)
			}
		})
	}
}

func TestAContractorThatGoesAwayMeanwhileIsNobodysFavorite(t *testing.T) {
	h := open(t)
	c := testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Ada", "residence_id": h.home}))
	a := h.holding(t, `DELETE FROM contractors WHERE id = @id`, pgx.NamedArgs{"id": c.ID}, func() testkit.Answer {
		return h.owner.Call("POST", path("contractors", c.ID, "toggle-favorite"), nil)
	})
	if a.Status != 404 || a.Code() != "not_found" {
		t.Errorf("answered %d: %s", a.Status, a.Body)
	}
}

func TestOtherPeoplesTasksDoNotExist(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, nil)
	done := h.complete(t, mine.ID, "2026-03-10T10:00:00Z")
	for _, op := range []struct {
		method, path string
		body         any
		readOnly     bool
	}{
		{"GET", path("tasks", mine.ID), nil, true},
		{"GET", path("tasks", mine.ID, "completions"), nil, true},
		{"GET", path("task-completions", done.ID), nil, true},
		{"GET", path("tasks/by-residence", h.home), nil, true},
		{"GET", path("contractors/by-residence", h.home), nil, true},
		{"PUT", path("tasks", mine.ID), doc{"residence_id": h.home, "title": "x"}, false},
		{"PATCH", path("tasks", mine.ID), doc{"title": "x"}, false},
		{"POST", path("tasks", mine.ID, "mark-in-progress"), nil, false},
		{"POST", path("tasks", mine.ID, "cancel"), nil, false},
		{"POST", path("tasks", mine.ID, "uncancel"), nil, false},
		{"POST", path("tasks", mine.ID, "archive"), nil, false},
		{"POST", path("tasks", mine.ID, "unarchive"), nil, false},
		{"POST", path("tasks", mine.ID, "quick-complete"), nil, false},
		{"POST", "/api/task-completions/", doc{"task_id": mine.ID}, false},
		{"PUT", path("task-completions", done.ID), doc{}, false},
		{"DELETE", path("task-completions", done.ID), nil, false},
		{"DELETE", path("tasks", mine.ID), nil, false},
	} {
		t.Run(op.method+" "+op.path, func(t *testing.T) {
			h.stranger.For(t).Refused(404, "not_found", op.method, op.path, op.body)
			if op.readOnly {
				h.viewer.For(t).Want(200, op.method, op.path, op.body)
			} else {
				h.viewer.For(t).Refused(403, "not_permitted", op.method, op.path, op.body)
			}
		})
	}
	h.owner.Refused(404, "not_found", "GET", path("tasks", newID()), nil)
	for _, q := range []string{"/api/tasks/?residence_id=", "/api/task-completions/?residence_id=", "/api/contractors/?residence_id="} {
		h.stranger.Refused(404, "not_found", "GET", q+h.home.String(), nil)
	}
}

func TestPatchKeepsWhatIsAbsentAndClearsWhatIsNull(t *testing.T) {
	h := open(t)
	full := doc{"description": "d", "category_id": plumbing, "due_date": "2026-04-01", "estimated_cost": "10", "assigned_to_id": h.member.Actor.UserID}
	mine := h.add(t, h.owner, full)
	got := testkit.JSON[task.Task](t, h.owner.Want(200, "PATCH", path("tasks", mine.ID), doc{"title": "new", "description": nil, "estimated_cost": nil}))
	if got.Title != "new" || got.Description != nil || got.EstimatedCost != nil || *got.CategoryID != plumbing || due(got) != "2026-04-01" || got.Version != 2 {
		t.Errorf("after the patch: %+v", got)
	}
	got = testkit.JSON[task.Task](t, h.owner.Want(200, "PUT", path("tasks", mine.ID), doc{"residence_id": h.home, "title": "put", "actual_cost": "3.99"}))
	if got.Title != "put" || got.CategoryID != nil || due(got) != "" || got.AssignedToID != nil || got.ActualCost.String() != "3.99" {
		t.Errorf("after the put: %+v", got)
	}
	h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"title": nil})
	h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"frequency_id": custom})
	h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"rrule": "FREQ=DAILY;BYHOUR=9"})
	h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"assigned_to_id": h.stranger.Actor.UserID})
	h.owner.Want(200, "PATCH", path("tasks", mine.ID), doc{})
	if n := len(h.Outbox(t, "task.changed")); n != 3 {
		t.Errorf("%d events of changes", n)
	}
}

func TestAStaleVersionIsRefused(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, nil)
	h.owner.Want(200, "PATCH", path("tasks", mine.ID), doc{"title": "v2"}, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "PATCH", path("tasks", mine.ID), doc{"title": "v3"}, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "PUT", path("tasks", mine.ID), doc{"residence_id": h.home, "title": "v3"}, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "POST", path("tasks", mine.ID, "cancel"), nil, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "DELETE", path("tasks", mine.ID), nil, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "DELETE", path("tasks", mine.ID), nil, "If-Match", `"nonsense"`)
	h.stranger.Refused(404, "not_found", "DELETE", path("tasks", mine.ID), nil, "If-Match", `"1"`)
	h.owner.Want(204, "DELETE", path("tasks", mine.ID), nil, "If-Match", `"2"`)
	if n := len(h.Outbox(t, "task.deleted")); n != 1 {
		t.Errorf("%d events of deletions", n)
	}
}

func TestOfManyWhoChangeAVersionOneWins(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, nil)
	var group sync.WaitGroup
	statuses := make(chan int, 20)
	for range cap(statuses) {
		group.Go(func() {
			statuses <- h.owner.Call("PATCH", path("tasks", mine.ID), doc{"title": "x"}, "If-Match", `"1"`).Status
		})
	}
	group.Wait()
	close(statuses)
	counts := map[int]int{}
	for status := range statuses {
		counts[status]++
	}
	if counts[200] != 1 || counts[412] != 19 {
		t.Errorf("answers %v", counts)
	}
}

func TestMoves(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		before  string // moves, or complete
		move    string
		allowed bool
	}{
		{"", "mark-in-progress", true},
		{"cancel", "mark-in-progress", false},
		{"archive", "mark-in-progress", false},
		{"complete", "mark-in-progress", false},
		{"", "cancel", true},
		{"mark-in-progress", "cancel", true},
		{"cancel", "cancel", false},
		{"", "uncancel", false},
		{"cancel", "uncancel", true},
		{"", "archive", true},
		{"cancel", "archive", true},
		{"complete", "archive", true},
		{"archive", "archive", false},
		{"", "unarchive", false},
		{"archive", "unarchive", true},
		{"cancel", "quick-complete", false},
		{"archive", "quick-complete", false},
		{"complete", "quick-complete", false},
	} {
		t.Run(c.before+" then "+c.move, func(t *testing.T) {
			mine, owner := h.add(t, h.owner, nil), h.owner.For(t)
			switch c.before {
			case "":
			case "complete":
				h.complete(t, mine.ID, "2026-03-10T10:00:00Z")
			default:
				owner.Want(200, "POST", path("tasks", mine.ID, c.before), nil)
			}
			was := h.read(t, mine.ID)
			if !c.allowed {
				owner.Refused(409, "impossible_move", "POST", path("tasks", mine.ID, c.move), nil)
				if is := h.read(t, mine.ID); is.Version != was.Version {
					t.Errorf("refused, and yet at version %d after %d", is.Version, was.Version)
				}
				return
			}
			moved := testkit.JSON[task.Task](t, owner.Want(200, "POST", path("tasks", mine.ID, c.move), nil))
			if moved.Version != was.Version+1 {
				t.Errorf("version %d after %d", moved.Version, was.Version)
			}
		})
	}
	begun := h.add(t, h.owner, nil)
	h.owner.Want(200, "POST", path("tasks", begun.ID, "mark-in-progress"), nil)
	if got := h.read(t, begun.ID); !got.InProgress {
		t.Error("not in progress")
	}
	h.owner.Want(200, "POST", path("tasks", begun.ID, "cancel"), nil)
	if got := h.read(t, begun.ID); got.InProgress || !got.IsCancelled {
		t.Errorf("cancelled, it is %+v", got)
	}
}

func TestATaskMovesToAnotherResidence(t *testing.T) {
	h := open(t)
	second, watched := newID(), newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "Pacific/Auckland", Currency: "NZD"})
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: watched, Role: "viewer", Timezone: "UTC", Currency: "USD"})
	mine := h.add(t, h.owner, doc{"assigned_to_id": h.member.Actor.UserID, "frequency_id": daily, "due_date": "2026-03-10"})
	done := h.complete(t, mine.ID, "2026-03-10T11:30:00Z") // the 11th in Auckland, in the residence's own zone the 10th
	if got := due(h.read(t, mine.ID)); got != "2026-03-11" {
		t.Fatalf("due %s", got)
	}
	old, neu := h.owner.Want(200, "GET", path("tasks/by-residence", h.home), nil).Header.Get("ETag"), h.owner.Want(200, "GET", path("tasks/by-residence", second), nil).Header.Get("ETag")
	h.owner.Refused(403, "not_permitted", "PATCH", path("tasks", mine.ID), doc{"residence_id": watched})
	h.owner.Refused(404, "not_found", "PATCH", path("tasks", mine.ID), doc{"residence_id": h.elsewhere})
	got := testkit.JSON[task.Task](t, h.owner.Want(200, "PATCH", path("tasks", mine.ID), doc{"residence_id": second}))
	if got.ResidenceID != second || got.AssignedToID != nil || due(got) != "2026-03-12" {
		t.Errorf("moved: %+v, due %s", got, due(got))
	}
	h.member.Refused(404, "not_found", "GET", path("tasks", mine.ID), nil)
	h.member.Refused(404, "not_found", "GET", path("task-completions", done.ID), nil)
	h.owner.Want(200, "GET", path("task-completions", done.ID), nil)
	for residence, etag := range map[uuid.UUID]string{h.home: old, second: neu} {
		h.owner.Want(200, "GET", path("tasks/by-residence", residence), nil, "If-None-Match", etag)
	}
	changed := h.Outbox(t, "task.changed")
	if last := string(changed[len(changed)-1]); !strings.Contains(last, h.home.String()) || !strings.Contains(last, second.String()) {
		t.Errorf("the event does not tell both residences: %s", last)
	}
}

func TestTheRuleChangesTheNextDueDate(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": monthly, "due_date": "2026-01-31"})
	h.complete(t, mine.ID, "2026-01-31T12:00:00Z")
	for _, step := range []struct {
		patch doc
		due   string
	}{
		{nil, "2026-02-28"},
		{doc{"frequency_id": weekly}, "2026-02-07"},
		{doc{"frequency_id": custom, "custom_interval_days": 3}, "2026-02-03"},
		{doc{"custom_interval_days": 10}, "2026-02-10"},
		{doc{"due_date": "2026-01-15"}, "2026-02-04"},
		{doc{"reschedule_from": "completion"}, "2026-02-10"},
		{doc{"due_date": nil}, "2026-02-10"},
		{doc{"frequency_id": once}, ""},
		{doc{"frequency_id": monthly, "due_date": "2026-03-01", "reschedule_from": "due_date"}, "2026-04-01"},
		{doc{"frequency_id": nil}, ""},
	} {
		if step.patch != nil {
			h.owner.Want(200, "PATCH", path("tasks", mine.ID), step.patch)
		}
		if got := due(h.read(t, mine.ID)); got != step.due {
			t.Errorf("after %v due %q, want %q", step.patch, got, step.due)
		}
	}
}
