package task_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
	"hearth.internal/task/recur"
)

func TestCompletingMovesTheDueDateAndUndoingMovesItBack(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": monthly, "due_date": "2025-12-31"})
	h.owner.Want(200, "POST", path("tasks", mine.ID, "mark-in-progress"), nil)
	var ids []uuid.UUID
	for i, want := range []string{"2026-01-31", "2026-02-28", "2026-03-31"} {
		done := h.complete(t, mine.ID, fmt.Sprintf("2026-0%d-20T12:00:00Z", max(1, i)))
		ids = append(ids, done.ID)
		got := h.read(t, mine.ID)
		if due(got) != want || got.CompletionCount != i+1 || got.InProgress || !got.LastCompletedAt.Equal(done.CompletedAt) {
			t.Fatalf("done %d times: due %s, %+v", i+1, due(got), got)
		}
	}
	h.owner.Want(204, "DELETE", path("task-completions", ids[2]), nil)
	if got := h.read(t, mine.ID); due(got) != "2026-02-28" || got.CompletionCount != 2 {
		t.Errorf("one undone: due %s, %+v", due(got), got)
	}
	h.owner.Want(204, "DELETE", path("task-completions", ids[0]), nil)
	h.owner.Want(204, "DELETE", path("task-completions", ids[1]), nil)
	if got := h.read(t, mine.ID); due(got) != "2025-12-31" || got.LastCompletedAt != nil || got.CompletionCount != 0 {
		t.Errorf("all undone: due %s, %+v", due(got), got)
	}
	if n := len(h.Outbox(t, "task.completion_changed")); n != 3 {
		t.Errorf("%d events of what was undone", n)
	}
	var event events.Completion
	if err := json.Unmarshal(h.Outbox(t, "task.completed")[0], &event); err != nil {
		t.Fatal(err)
	}
	if event.ID != ids[0] || event.Task.ID != mine.ID || event.Task.NextDueDate != "2026-01-31" || !event.Task.Open ||
		event.CompletedBy != h.owner.Actor.UserID || event.CompletedAt != "2026-01-20T12:00:00Z" || event.Task.Version != 3 {
		t.Errorf("event %+v", event)
	}
}

func TestTheDayOfACompletionIsTheResidences(t *testing.T) {
	h := open(t)
	for _, c := range []struct{ zone, at, due string }{
		{"Europe/Berlin", "2026-03-09T22:59:00Z", "2026-03-10"},    // the 9th, in winter
		{"Europe/Berlin", "2026-03-09T23:00:00Z", "2026-03-11"},    // the 10th
		{"Europe/Berlin", "2025-10-25T22:30:00Z", "2025-10-27"},    // the 26th, in summer; the clocks go back that night
		{"Europe/Berlin", "2025-10-26T22:30:00Z", "2025-10-27"},    // still the 26th, in winter
		{"America/New_York", "2026-03-08T04:59:00Z", "2026-03-08"}, // the 7th; the clocks go forward the night after
		{"America/New_York", "2026-03-09T03:59:00Z", "2026-03-09"}, // the 8th, in summer
		{"Pacific/Kiritimati", "2026-03-09T10:00:00Z", "2026-03-11"},
		{"America/Santiago", "2025-09-07T04:00:00Z", "2025-09-08"}, // midnight did not exist that day
	} {
		t.Run(c.zone+" "+c.at, func(t *testing.T) {
			person, home := h.As(t, newID()), newID()
			person.Actor.Zone = "Asia/Tokyo" // where they are does not matter
			h.homes.Give(person.Actor.UserID, internalapi.Home{ID: home, Role: "owner", Timezone: c.zone})
			mine := h.add(t, person, doc{"residence_id": home, "frequency_id": daily, "reschedule_from": "completion", "due_date": "2025-01-01"})
			person.Want(201, "POST", "/api/task-completions/", doc{"task_id": mine.ID, "completed_at": c.at})
			got := testkit.JSON[task.Task](t, person.Want(200, "GET", path("tasks", mine.ID), nil))
			if due(got) != c.due {
				t.Errorf("due %s, want %s", due(got), c.due)
			}
		})
	}
}

func TestOneTapIsOneCompletionHoweverOftenItIsSent(t *testing.T) {
	h := open(t)
	for _, frequency := range []any{weekly, nil} {
		mine := h.add(t, h.owner, doc{"frequency_id": frequency, "due_date": "2026-03-10"})
		body := doc{"id": newID()}
		var group sync.WaitGroup
		answers := make(chan testkit.Answer, 50)
		for range cap(answers) {
			group.Go(func() { answers <- h.owner.Call("POST", path("tasks", mine.ID, "quick-complete"), body) })
		}
		group.Wait()
		close(answers)
		counts := map[int]int{}
		for a := range answers {
			counts[a.Status]++
			if testkit.JSON[task.Completion](t, a).ID != body["id"] {
				t.Errorf("answered %s", a.Body)
			}
		}
		if counts[201] != 1 || counts[200] != 49 {
			t.Errorf("answers %v", counts)
		}
		if got := h.read(t, mine.ID); got.CompletionCount != 1 {
			t.Errorf("completed %d times", got.CompletionCount)
		}
		if got := list[task.Completion](t, h.owner.Want(200, "GET", path("tasks", mine.ID, "completions"), nil)); len(got.Items) != 1 {
			t.Errorf("%d completions", len(got.Items))
		}
	}
	if n := len(h.Outbox(t, "task.completed")); n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestDifferentTapsAtOnceAllCount(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-10"})
	var group sync.WaitGroup
	statuses := make(chan int, 40)
	for i := range cap(statuses) {
		who := []*testkit.Client{h.owner, h.member}[i%2]
		group.Go(func() {
			statuses <- who.Call("POST", path("tasks", mine.ID, "quick-complete"), doc{"id": newID()}).Status
		})
	}
	group.Wait()
	close(statuses)
	for status := range statuses {
		if status != 201 {
			t.Errorf("answer %d", status)
		}
	}
	got := h.read(t, mine.ID)
	if want := day.Must("2026-03-10").AddDays(40).String(); got.CompletionCount != 40 || due(got) != want {
		t.Errorf("completed %d times, due %s, want %s", got.CompletionCount, due(got), want)
	}
}

func TestCompletionsUndoingsAndChangesOfTheRuleAtOnceAllCount(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-01"})
	const each = 10
	var undone, rewritten [each]task.Completion
	for i := range each {
		undone[i], rewritten[i] = h.complete(t, mine.ID, "2026-03-02T10:00:00Z"), h.complete(t, mine.ID, "2026-03-03T10:00:00Z")
	}
	var group sync.WaitGroup
	for i := range each {
		for _, call := range []struct {
			method, path string
			body         any
			status       int
		}{
			{"DELETE", path("task-completions", undone[i].ID), nil, 204},
			{"PUT", path("task-completions", rewritten[i].ID), doc{"completed_at": "2026-03-04T10:00:00Z"}, 200},
			{"PATCH", path("tasks", mine.ID), doc{"due_date": fmt.Sprintf("2026-02-%02d", i+1)}, 200},
			{"POST", path("tasks", mine.ID, "quick-complete"), nil, 201},
		} {
			group.Go(func() {
				if a := h.member.Call(call.method, call.path, call.body); a.Status != call.status {
					t.Errorf("%s %s: %d, wanted %d: %s", call.method, call.path, a.Status, call.status, a.Body)
				}
			})
		}
	}
	group.Wait()
	if got := h.read(t, mine.ID); got.CompletionCount != 2*each {
		t.Errorf("%d completions, wanted %d", got.CompletionCount, 2*each)
	}
}

func TestCompletionsThatAreRefused(t *testing.T) {
	h := open(t)
	mine, other := h.add(t, h.owner, doc{"frequency_id": daily}), h.add(t, h.owner, doc{"frequency_id": daily})
	for _, c := range []struct {
		name, field string
		more        doc
	}{
		{"in the future", "body.completed_at", doc{"completed_at": "2026-03-10T12:05:01Z"}},
		{"before 1970", "body.completed_at", doc{"completed_at": "1969-12-31T23:59:59Z"}},
		{"no time", "body.completed_at", doc{"completed_at": "yesterday"}},
		{"no stars", "body.rating", doc{"rating": 0}},
		{"six stars", "body.rating", doc{"rating": 6}},
		{"long notes", "body.notes", doc{"notes": strings.Repeat("x", 10_001)}},
		{"an unknown contractor", "body.contractor_id", doc{"contractor_id": newID()}},
		{"money that is none", "body.actual_cost", doc{"actual_cost": "much"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.owner.For(t).Refused(422, "validation_failed", "POST", "/api/task-completions/", with(doc{"task_id": mine.ID}, c.more))
			if !strings.Contains(string(a.Body), `"`+c.field+`"`) {
				t.Errorf("does not name %s: %s", c.field, a.Body)
			}
		})
	}
	h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": mine.ID, "completed_at": "2026-03-10T12:05:00Z"}) // a clock may be wrong
	id := newID()
	h.owner.Want(201, "POST", "/api/task-completions/", doc{"id": id, "task_id": mine.ID})
	h.owner.Want(200, "POST", "/api/task-completions/", doc{"id": id, "task_id": mine.ID})
	h.owner.Refused(409, "id_taken", "POST", "/api/task-completions/", doc{"id": id, "task_id": other.ID})
	h.member.Refused(409, "id_taken", "POST", "/api/task-completions/", doc{"id": id, "task_id": mine.ID})
	h.owner.Refused(404, "not_found", "POST", "/api/task-completions/", doc{"task_id": newID()})
	if got := h.read(t, mine.ID); got.CompletionCount != 2 {
		t.Errorf("completed %d times", got.CompletionCount)
	}
}

func TestACompletionIsReplaced(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "reschedule_from": "completion", "due_date": "2026-03-01"})
	photo := h.documents.Upload(h.owner.Actor.UserID)
	a := h.owner.Want(201, "POST", "/api/task-completions/", doc{
		"task_id": mine.ID, "completed_at": "2026-03-03T12:00:00.123456789+01:00", "notes": "n", "actual_cost": "5", "rating": 4, "upload_ids": []uuid.UUID{photo},
	})
	got := testkit.JSON[doc](t, a)
	for field, want := range (doc{"task_id": mine.ID.String(), "completed_at": "2026-03-03T11:00:00.123456Z", "notes": "n", "actual_cost": "5.00", "rating": 4.0,
		"contractor_id": nil, "completed_by_id": h.owner.Actor.UserID.String(), "completed_by_name": nil, "version": 1.0}) {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	at := path("task-completions", uuid.MustParse(got["id"].(string)))
	h.member.Want(200, "PUT", at, doc{"notes": "other", "completed_at": "2026-03-05T12:00:00Z"}, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "PUT", at, doc{}, "If-Match", `"1"`)
	h.owner.Refused(412, "version_conflict", "DELETE", at, nil, "If-Match", `"1"`)
	if got := due(h.read(t, mine.ID)); got != "2026-03-12" {
		t.Errorf("due %s", got)
	}
	now := testkit.JSON[task.Completion](t, h.owner.Want(200, "PUT", at, doc{"rating": 1}))
	if now.Notes != nil || *now.Rating != 1 || now.ActualCost != nil || len(now.UploadIDs) != 0 || now.Version != 3 ||
		!now.CompletedAt.Equal(time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)) || now.CompletedByID != h.owner.Actor.UserID {
		t.Errorf("replaced: %+v", now)
	}
	h.owner.Refused(422, "validation_failed", "PUT", at, doc{"completed_at": "2027-01-01T00:00:00Z"})
	h.owner.Want(204, "DELETE", at, nil, "If-Match", `"3"`)
	h.owner.Refused(404, "not_found", "GET", at, nil)
	h.owner.Refused(404, "not_found", "DELETE", at, nil)
}

func TestCompletionsArePagedNewestFirst(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	a, b := h.add(t, h.owner, doc{"frequency_id": daily}), h.add(t, h.owner, doc{"frequency_id": daily, "residence_id": second})
	for i := range 9 {
		h.complete(t, []uuid.UUID{a.ID, b.ID}[i%2], fmt.Sprintf("2026-03-0%dT10:00:00Z", 1+(i*4)%9))
	}
	var all []task.Completion
	next := ""
	for {
		page := list[task.Completion](t, h.owner.Want(200, "GET", "/api/task-completions/?limit=2&cursor="+next, nil))
		all = append(all, page.Items...)
		if page.NextCursor == nil {
			break
		}
		next = *page.NextCursor
	}
	if len(all) != 9 || !slices.IsSortedFunc(all, func(x, y task.Completion) int { return y.CompletedAt.Compare(x.CompletedAt) }) {
		t.Errorf("%d completions: %+v", len(all), all)
	}
	for query, want := range map[string]int{
		"?residence_id=" + second.String():                               4,
		"?task_id=" + a.ID.String():                                      5,
		"?task_id=" + a.ID.String() + "&residence_id=" + second.String(): 0,
		"?task_id=" + newID().String():                                   0,
		"?residence_id=" + h.home.String() + "&task_id=" + a.ID.String(): 5,
		"?residence_id=" + h.home.String() + "&limit=3":                  3,
	} {
		if got := list[task.Completion](t, h.owner.Want(200, "GET", "/api/task-completions/"+query, nil)); len(got.Items) != want {
			t.Errorf("%s: %d, want %d", query, len(got.Items), want)
		}
	}
	h.owner.Refused(422, "invalid_cursor", "GET", "/api/task-completions/?cursor=!!", nil)
	first := h.owner.Want(200, "GET", "/api/task-completions/", nil)
	if again := h.owner.Want(304, "GET", "/api/task-completions/", nil, "If-None-Match", first.Header.Get("ETag")); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
	h.complete(t, a.ID, "2026-03-10T10:00:00Z")
	h.owner.Want(200, "GET", "/api/task-completions/", nil, "If-None-Match", first.Header.Get("ETag"))
}

// Whatever is done, edited and undone in whatever order, the row says what replaying the log says.
func TestTheRowIsAlwaysWhatTheLogSays(t *testing.T) {
	h := open(t)
	r := rand.New(rand.NewPCG(7, 7))
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	mine := h.add(t, h.owner, doc{"frequency_id": monthly, "due_date": "2025-08-31"})
	rule := recur.Rule{Unit: recur.Month, Every: 1, From: recur.DueDate, Anchor: day.Must("2025-08-31")}
	log := map[uuid.UUID]time.Time{}
	instant := func() time.Time { return testkit.Start.Add(-time.Duration(r.IntN(400*24)) * time.Hour) }
	for range 60 {
		at := instant()
		ids := make([]uuid.UUID, 0, len(log))
		for id := range log {
			ids = append(ids, id)
		}
		switch action := r.IntN(5); {
		case len(ids) == 0 || action < 3:
			done := h.complete(t, mine.ID, at.Format(time.RFC3339))
			log[done.ID] = at
		case action == 3:
			id := ids[r.IntN(len(ids))]
			h.owner.Want(200, "PUT", path("task-completions", id), doc{"completed_at": at})
			log[id] = at
		default:
			id := ids[r.IntN(len(ids))]
			h.owner.Want(204, "DELETE", path("task-completions", id), nil)
			delete(log, id)
		}
		var done []time.Time
		for _, at := range log {
			done = append(done, at)
		}
		slices.SortFunc(done, time.Time.Compare)
		var days []day.Day
		for _, at := range done {
			days = append(days, day.In(at, berlin))
		}
		got := h.read(t, mine.ID)
		if got.CompletionCount != len(log) || due(got) != rule.Next(recur.Log{Done: days}).Day.String() || (len(done) > 0) != (got.LastCompletedAt != nil) ||
			len(done) > 0 && !got.LastCompletedAt.Equal(done[len(done)-1]) {
			t.Fatalf("the log says %d, due %s; the row %+v, due %s", len(log), rule.Next(recur.Log{Done: days}).Day, got, due(got))
		}
		card := cards(t, h.owner.Want(200, "GET", "/api/tasks/", nil))[0]
		slices.Reverse(done)
		if len(card.Completions) != min(10, len(done)) {
			t.Fatalf("%d completions on the card of %d", len(card.Completions), len(done))
		}
		for i, c := range card.Completions {
			if !c.CompletedAt.Equal(done[i]) || c.TaskID != mine.ID || !log[c.ID].Equal(c.CompletedAt) {
				t.Fatalf("on the card %+v, in the log %v", card.Completions, done)
			}
		}
	}
}
