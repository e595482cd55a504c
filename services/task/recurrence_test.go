package task_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func (h house) patch(t *testing.T, id uuid.UUID, body doc) task.Task {
	t.Helper()
	return testkit.JSON[task.Task](t, h.owner.For(t).Want(200, "PATCH", path("tasks", id), body))
}

// forget makes the cache forget what these see.
func (h house) forget(t *testing.T, who ...*testkit.Client) {
	t.Helper()
	for _, c := range who {
		if err := h.Cache.DropForSure(t.Context(), cache.HomesKey(c.Actor.UserID)); err != nil {
			t.Fatal(err)
		}
	}
}

// The clock of the tests says Tuesday, March 10th, 2026.
func TestWhenATaskIsDueFirstAndAfterItWasDone(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		name, first string
		doneAt      string
		next        string // "done" for one that does not come back
		fields      doc
	}{
		{"an rrule says itself when it begins", "2026-03-14", "2026-03-14T10:00:00Z", "2026-03-21", doc{"rrule": "rrule:freq=weekly;byday=sa"}},
		{"an rrule from a date", "2026-04-04", "2026-04-05T10:00:00Z", "2026-05-02", doc{"rrule": "FREQ=MONTHLY;BYDAY=1SA", "due_date": "2026-04-04"}},
		{"an rrule from the completion", "2026-03-14", "2026-03-18T10:00:00Z", "2026-03-21", doc{"rrule": "FREQ=WEEKLY;BYDAY=SA", "reschedule_from": "completion"}},
		{"a season", "2026-10-15", "2026-10-15T10:00:00Z", "2027-04-15", doc{"frequency_id": monthly, "due_date": "2026-10-15", "season_start": "04-01", "season_end": "10-31"}},
		{"the residence's day, not the world's", "2026-03-10", "2026-03-10T23:30:00Z", "2026-03-12", doc{"frequency_id": daily, "due_date": "2026-03-10"}},
		{"an end", "2026-03-10", "2026-03-12T10:00:00Z", "done", doc{"frequency_id": weekly, "due_date": "2026-03-10", "end_date": "2026-03-16"}},
		{"once and no more", "2026-03-10", "2026-03-12T10:00:00Z", "done", doc{"frequency_id": weekly, "due_date": "2026-03-10", "max_occurrences": 1}},
		{"an rrule's last", "2026-03-10", "2026-03-12T10:00:00Z", "done", doc{"rrule": "FREQ=DAILY;COUNT=2", "due_date": "2026-03-10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := house{Service: h.Service, owner: h.owner.For(t), home: h.home}
			h.Clock.Set(testkit.Start)
			mine := h.add(t, h.owner, c.fields)
			h.Clock.Advance(300 * 24 * time.Hour)
			if due(mine) != c.first || mine.DueDate.String() != c.first {
				t.Errorf("first due %s (%s), want %s", due(mine), mine.DueDate, c.first)
			}
			done := h.complete(t, mine.ID, c.doneAt)
			got := h.read(t, mine.ID)
			if next := due(got); next != strings.TrimSuffix(c.next, "done") || got.IsDone != (c.next == "done") {
				t.Errorf("then due %q, done %t; want %s", next, got.IsDone, c.next)
			}
			h.owner.Want(204, "DELETE", path("task-completions", done.ID), nil)
			if got := h.read(t, mine.ID); due(got) != c.first || got.IsDone {
				t.Errorf("undone, it is due %s, done %t", due(got), got.IsDone)
			}
		})
	}
}

func TestUndoingAnyCompletionLeavesWhatTheOthersSay(t *testing.T) {
	h := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, fields := range []doc{
		{"frequency_id": monthly, "due_date": "2026-01-31"},
		{"rrule": "FREQ=WEEKLY;BYDAY=MO,TH", "due_date": "2026-01-01"},
		{"frequency_id": weekly, "due_date": "2026-01-01", "reschedule_from": "completion", "season_start": "11-01", "season_end": "02-10"},
		{"frequency_id": weekly, "due_date": "2026-01-01", "max_occurrences": 3},
	} {
		var at []string
		for range 5 {
			at = append(at, time.Date(2026, 1, 1+r.IntN(60), r.IntN(24), 0, 0, 0, time.UTC).Format(time.RFC3339))
		}
		slices.Sort(at)
		for undone := range at {
			mine, other := h.add(t, h.owner, fields), h.add(t, h.owner, fields)
			var ids []uuid.UUID
			for i, when := range at {
				if fields["max_occurrences"] != nil && i >= 3 {
					break // it does not come back
				}
				ids = append(ids, h.complete(t, mine.ID, when).ID)
				if i != undone {
					h.complete(t, other.ID, when)
				}
			}
			if undone >= len(ids) {
				continue
			}
			h.owner.Want(204, "DELETE", path("task-completions", ids[undone]), nil)
			got, want := h.read(t, mine.ID), h.read(t, other.ID)
			if due(got) != due(want) || got.IsDone != want.IsDone || got.CompletionCount != want.CompletionCount {
				t.Errorf("%v done at %v without the one at %d: due %s, want %s", fields, at, undone, due(got), due(want))
			}
		}
	}
}

func TestAChangedRuleIsCheckedAndMovesTheDueDate(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-10"})
	for _, c := range []struct {
		field string
		body  doc
	}{
		{"body.rrule", doc{"rrule": "FREQ=DAILY"}}, // beside a frequency
		{"body.rrule", doc{"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "frequency_id": nil}},
		{"body.season_end", doc{"season_start": "04-01"}},
		{"body.due_date", doc{"season_start": "04-01", "season_end": "10-31", "due_date": "2026-03-10"}},
		{"body.season_start", doc{"frequency_id": yearly, "season_start": "04-01", "season_end": "10-31"}},
		{"body.season_start", doc{"frequency_id": monthly, "season_start": "02-29", "season_end": "02-29"}},
		{"body.end_date", doc{"end_date": "2026-03-09"}},
		{"body.end_date", doc{"frequency_id": nil, "end_date": "2026-04-09"}},
		{"body.rotation_member_ids", doc{"rotation": "random"}},
		{"body.rotation_member_ids", doc{"rotation": "random", "rotation_member_ids": []uuid.UUID{h.owner.Actor.UserID, h.stranger.Actor.UserID}}},
	} {
		a := h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), c.body)
		if !strings.Contains(string(a.Body), `"`+c.field+`"`) {
			t.Errorf("%v does not name %s: %s", c.body, c.field, a.Body)
		}
	}
	if got := h.patch(t, mine.ID, doc{"season_start": "04-01", "season_end": "10-31"}); due(got) != "2026-04-07" || got.DueDate.String() != "2026-04-07" {
		t.Errorf("a season moves what was never done to %s", due(got))
	}
	h.complete(t, mine.ID, "2026-03-10T10:00:00Z")
	if got := h.patch(t, mine.ID, doc{"season_start": nil, "season_end": nil, "frequency_id": nil, "rrule": "FREQ=MONTHLY;BYMONTHDAY=1"}); due(got) != "2026-06-01" {
		t.Errorf("an rrule for a task that was done early is due on %s", due(got))
	}
	if got := h.patch(t, mine.ID, doc{"max_occurrences": 1}); !got.IsDone || due(got) != "" {
		t.Errorf("no more than it was done: %+v", got)
	}
	h.owner.Refused(409, "impossible_move", "POST", path("tasks", mine.ID, "quick-complete"), nil)
	if got := h.patch(t, mine.ID, doc{"max_occurrences": nil}); got.IsDone || due(got) != "2026-06-01" {
		t.Errorf("again without an end: %+v", got)
	}
}

func TestSkippingAnOccurrence(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-10", "assigned_to_id": h.member.Actor.UserID})
	id := newID()
	a := h.member.Want(201, "POST", path("tasks", mine.ID, "skip"), doc{"id": id, "occurrence": "2026-03-10", "reason": "Snow"})
	skip := testkit.JSON[task.Skip](t, a)
	if skip.ID != id || skip.Occurrence.String() != "2026-03-10" || *skip.Reason != "Snow" || skip.SkippedByID != h.member.Actor.UserID || sqlTrips(a) != 2 {
		t.Errorf("skip %+v in %d round trips", skip, sqlTrips(a))
	}
	h.member.Want(200, "POST", path("tasks", mine.ID, "skip"), doc{"id": id})
	got := h.read(t, mine.ID)
	if due(got) != "2026-03-17" || got.CompletionCount != 0 || got.IsDone || *got.AssignedToID != h.member.Actor.UserID {
		t.Errorf("after the skip: %+v", got)
	}
	a = h.owner.Refused(422, "validation_failed", "POST", path("tasks", mine.ID, "skip"), doc{"occurrence": "2026-03-10"})
	if !strings.Contains(string(a.Body), "2026-03-17") {
		t.Errorf("does not say when it is due: %s", a.Body)
	}
	h.owner.Refused(409, "id_taken", "POST", path("tasks", mine.ID, "skip"), doc{"id": id})
	h.viewer.Refused(403, "not_permitted", "POST", path("tasks", mine.ID, "skip"), nil)
	h.stranger.Refused(404, "not_found", "POST", path("tasks", mine.ID, "skip"), nil)
	h.owner.Want(201, "POST", path("tasks", mine.ID, "skip"), nil)
	if got := h.read(t, mine.ID); due(got) != "2026-03-24" {
		t.Errorf("due %s", due(got))
	}
	skips := testkit.JSON[struct{ Items []task.Skip }](t, h.viewer.Want(200, "GET", path("tasks", mine.ID, "skips"), nil)).Items
	if len(skips) != 2 || skips[1].ID != id {
		t.Errorf("skips %+v", skips)
	}
	h.stranger.Refused(404, "not_found", "GET", path("tasks", mine.ID, "skips"), nil)
	h.viewer.Refused(403, "not_permitted", "DELETE", path("tasks", mine.ID, "skips")+id.String()+"/", nil)
	h.owner.Refused(404, "not_found", "DELETE", path("tasks", mine.ID, "skips")+newID().String()+"/", nil)
	h.owner.Want(204, "DELETE", path("tasks", mine.ID, "skips")+id.String()+"/", nil)
	h.owner.Refused(404, "not_found", "DELETE", path("tasks", mine.ID, "skips")+id.String()+"/", nil)
	if got := h.read(t, mine.ID); due(got) != "2026-03-10" {
		t.Errorf("taken back, it is due %s", due(got))
	}
	h.complete(t, mine.ID, "2026-03-10T10:00:00Z")
	if got := h.read(t, mine.ID); due(got) != "2026-03-24" { // the 17th is skipped still
		t.Errorf("done, it is due %s", due(got))
	}
	for name, fields := range map[string]doc{"a one-off": {"due_date": "2026-03-10"}, "one without a date": {"frequency_id": weekly}} {
		a := h.owner.Refused(409, "impossible_move", "POST", path("tasks", h.add(t, h.owner, fields).ID, "skip"), nil)
		if !strings.Contains(string(a.Body), "cannot be skipped") {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	last := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-10", "max_occurrences": 1})
	h.owner.Want(201, "POST", path("tasks", last.ID, "skip"), nil)
	if got := h.read(t, last.ID); !got.IsDone {
		t.Errorf("the last one is skipped: %+v", got)
	}
	if n := len(h.Outbox(t, "task.changed")); n != 4 {
		t.Errorf("%d events of changes", n)
	}
}

func TestTwentyWhoSkipTheSameOccurrenceSkipOne(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-10"})
	codes := make(chan int, 20)
	for range cap(codes) {
		go func() {
			codes <- h.owner.Call("POST", path("tasks", mine.ID, "skip"), doc{"occurrence": "2026-03-10"}).Status
		}()
	}
	count := map[int]int{}
	for range cap(codes) {
		count[<-codes]++
	}
	if got := h.read(t, mine.ID); count[201] != 1 || count[422] != 19 || due(got) != "2026-03-11" {
		t.Errorf("%v, due %s", count, due(got))
	}
}

func TestPausingATask(t *testing.T) {
	h := open(t)
	overdue := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-05"})
	p := path("tasks", overdue.ID, "pause")
	a := h.owner.Want(200, "POST", p, doc{"until": "2026-03-20"})
	got := testkit.JSON[task.Task](t, a)
	if due(got) != "2026-03-21" || got.PausedFrom.String() != "2026-03-05" || got.PausedUntil.String() != "2026-03-20" || got.Version != 2 || sqlTrips(a) != 2 {
		t.Errorf("paused: %+v in %d round trips", got, sqlTrips(a))
	}
	if got := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", p, nil)); due(got) != "" || got.IsDone || got.PausedUntil != nil {
		t.Errorf("until further notice: %+v", got)
	}
	wantShape(t, h.owner.Want(200, "GET", "/api/tasks/", nil), map[string][]string{"upcoming": {overdue.Title}})
	h.Clock.Advance(48 * time.Hour)
	if got := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", path("tasks", overdue.ID, "resume"), nil)); due(got) != "2026-03-12" || got.PausedUntil.String() != "2026-03-11" {
		t.Errorf("resumed: %+v", got)
	}
	for field, body := range map[string]doc{
		"body.from": {"from": "2026-03-11"}, "body.until": {"until": "2026-03-11"}, "body.until ": {"until": "2046-03-11"},
	} {
		if a := h.owner.Refused(422, "validation_failed", "POST", p, body); !strings.Contains(string(a.Body), `"`+strings.TrimSpace(field)+`"`) {
			t.Errorf("%v: %s", body, a.Body)
		}
	}
	later := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-12"})
	if got := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", path("tasks", later.ID, "pause"), doc{"from": "2026-04-01"})); due(got) != "2026-03-12" {
		t.Errorf("a pause to come: %+v", got)
	}
	if got := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", path("tasks", later.ID, "resume"), nil)); got.PausedFrom != nil {
		t.Errorf("called off: %+v", got)
	}
	h.owner.Refused(409, "impossible_move", "POST", path("tasks", later.ID, "resume"), nil)
	h.viewer.Refused(403, "not_permitted", "POST", p, nil)
	h.stranger.Refused(404, "not_found", "POST", p, nil)
	h.owner.Refused(412, "version_conflict", "POST", p, nil, "If-Match", `"1"`)
	h.owner.Want(200, "POST", path("tasks", later.ID, "cancel"), nil)
	h.owner.Refused(409, "impossible_move", "POST", path("tasks", later.ID, "pause"), nil)
}

func TestAVacationPausesEverythingInAResidence(t *testing.T) {
	h := open(t)
	one, two := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-09"}), h.add(t, h.owner, doc{"due_date": "2026-03-15"})
	after := h.add(t, h.owner, doc{"due_date": "2026-05-15"})
	done := h.add(t, h.owner, doc{"due_date": "2026-03-10"})
	h.complete(t, done.ID, "2026-03-10T10:00:00Z")
	theirs := h.add(t, h.stranger, doc{"residence_id": h.elsewhere, "due_date": "2026-03-10"})
	p := path("tasks/by-residence", h.home, "pause")
	h.member.Want(200, "GET", "/api/tasks/", nil) // the cache is warm
	a := h.member.Want(200, "POST", p, doc{"until": "2026-03-31"})
	if n := testkit.JSON[struct{ Changed int }](t, a).Changed; n != 3 || sqlTrips(a) != 2 {
		t.Errorf("%d tasks in %d round trips", n, sqlTrips(a))
	}
	for id, want := range map[uuid.UUID]string{one.ID: "2026-04-01", two.ID: "2026-04-01", after.ID: "2026-05-15", done.ID: ""} {
		if got := h.read(t, id); due(got) != want {
			t.Errorf("%s is due %s, want %s", got.Title, due(got), want)
		}
	}
	if got := testkit.JSON[task.Task](t, h.stranger.Want(200, "GET", path("tasks", theirs.ID), nil)); got.PausedFrom != nil {
		t.Error("somebody else's task is paused")
	}
	if n := len(h.Outbox(t, "task.changed")); n != 3 {
		t.Errorf("%d events", n)
	}
	a = h.member.Want(200, "POST", path("tasks/by-residence", h.home, "resume"), nil)
	if n := testkit.JSON[struct{ Changed int }](t, a).Changed; n != 3 {
		t.Errorf("%d tasks resumed", n)
	}
	if got := h.read(t, two.ID); due(got) != "2026-03-15" || got.PausedFrom != nil {
		t.Errorf("resumed: %+v", got)
	}
	h.viewer.Refused(403, "not_permitted", "POST", p, nil)
	h.stranger.Refused(404, "not_found", "POST", p, nil)
	h.owner.Refused(422, "validation_failed", "POST", p, doc{"until": "2026-03-09"})
}

func TestOccurrencesOfATaskAndOfARule(t *testing.T) {
	h := open(t)
	dates := func(a testkit.Answer) string {
		return strings.Join(testkit.JSON[struct{ Dates []string }](t, a).Dates, " ")
	}
	mine := h.add(t, h.owner, doc{"frequency_id": monthly, "due_date": "2026-01-31"})
	h.complete(t, mine.ID, "2026-02-02T10:00:00Z")
	if got := dates(h.viewer.Want(200, "GET", path("tasks", mine.ID, "occurrences")+"?limit=3", nil)); got != "2026-02-28 2026-03-31 2026-04-30" {
		t.Errorf("occurrences %s", got)
	}
	h.stranger.Refused(404, "not_found", "GET", path("tasks", mine.ID, "occurrences"), nil)
	h.owner.Refused(422, "validation_failed", "GET", path("tasks", mine.ID, "occurrences")+"?limit=101", nil)
	for _, c := range []struct {
		want string
		rule doc
	}{
		{"2026-03-14 2026-03-21", doc{"rrule": "FREQ=WEEKLY;BYDAY=SA", "limit": 2}},
		{"2026-03-10 2026-04-10", doc{"frequency_id": monthly, "limit": 2}},
		{"2026-04-30 2026-05-30 2027-04-30", doc{"frequency_id": monthly, "due_date": "2026-04-30", "season_start": "04-01", "season_end": "06-15", "limit": 3}},
		{"2026-03-10", doc{"due_date": "2026-03-10"}},
		{"", doc{}},
	} {
		if got := dates(h.owner.Want(200, "POST", "/api/tasks/preview/", c.rule)); got != c.want {
			t.Errorf("%v: %s, want %s", c.rule, got, c.want)
		}
	}
	for field, rule := range map[string]doc{
		"body.rrule": {"rrule": "x"}, "body.due_date": {"rrule": "FREQ=WEEKLY;BYDAY=SA", "due_date": "2026-03-10"}, "body.season_end": {"season_start": "04-01", "frequency_id": daily},
		"body.frequency_id": {"frequency_id": newID()}, "body.custom_interval_days": {"frequency_id": custom}, "body.limit": {"limit": 101},
	} {
		if a := h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/preview/", rule); !strings.Contains(string(a.Body), `"`+field+`"`) {
			t.Errorf("%v: %s", rule, a.Body)
		}
	}
	h.owner.Refused(404, "not_found", "POST", "/api/tasks/preview/", doc{"frequency_id": daily, "residence_id": h.elsewhere})
}

func TestAResidenceThatMovesToAnotherZoneDerivesItsDaysAnew(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "reschedule_from": "completion"})
	other := h.add(t, h.owner, doc{"frequency_id": daily, "reschedule_from": "completion"})
	h.complete(t, mine.ID, "2026-03-09T23:30:00Z") // half past midnight in Berlin
	h.complete(t, other.ID, "2026-03-09T12:00:00Z")
	if got := h.read(t, mine.ID); due(got) != "2026-03-11" {
		t.Fatalf("in Berlin it is due %s", due(got))
	}
	h.settle(t)
	for _, c := range []*testkit.Client{h.owner, h.member, h.viewer} {
		h.homes.Take(c.Actor.UserID)
		h.homes.Give(c.Actor.UserID, internalapi.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "America/New_York", Currency: "EUR"})
	}
	h.forget(t, h.owner, h.member, h.viewer)
	changed := events.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, ActorID: h.owner.Actor.UserID, Timezone: "America/New_York", Version: 2}
	testkit.Deliver(t, h.Service, events.ResidenceChanged, changed)
	if got := h.read(t, mine.ID); due(got) != "2026-03-10" || got.Version != 3 {
		t.Errorf("in New York it is due %s, version %d", due(got), got.Version)
	}
	if got := h.read(t, other.ID); due(got) != "2026-03-10" || got.Version != 2 {
		t.Errorf("what did not move is due %s, version %d", due(got), got.Version)
	}
}

func TestDaysAreTheResidencesAcrossDaylightSaving(t *testing.T) {
	h := open(t)
	h.Clock.Advance(300 * 24 * time.Hour)
	// Berlin springs forward on March 29th, 2026, and back on October 25th
	for _, c := range []struct{ doneAt, want string }{
		{"2026-03-28T22:59:00Z", "2026-03-29"}, {"2026-03-28T23:00:00Z", "2026-03-30"}, {"2026-03-29T21:59:00Z", "2026-03-30"}, {"2026-03-29T22:00:00Z", "2026-03-31"},
		{"2026-10-24T22:00:00Z", "2026-10-26"}, {"2026-10-25T22:59:00Z", "2026-10-26"}, {"2026-10-25T23:00:00Z", "2026-10-27"},
	} {
		mine := h.add(t, h.owner, doc{"frequency_id": daily, "reschedule_from": "completion"})
		h.complete(t, mine.ID, c.doneAt)
		if got := h.read(t, mine.ID); due(got) != c.want {
			t.Errorf("done at %s it is due %s, want %s", c.doneAt, due(got), c.want)
		}
	}
}

func ids(clients ...*testkit.Client) []uuid.UUID {
	var out []uuid.UUID
	for _, c := range clients {
		out = append(out, c.Actor.UserID)
	}
	return out
}

func TestRotations(t *testing.T) {
	h := open(t)
	people := map[uuid.UUID]string{h.owner.Actor.UserID: "o", h.member.Actor.UserID: "m", h.viewer.Actor.UserID: "v"}
	// whose is whose turn it is, after each of these has done the task.
	whose := func(t *testing.T, id uuid.UUID, done ...*testkit.Client) string {
		t.Helper()
		turns := people[*h.read(t, id).AssignedToID]
		for i, c := range done {
			c.For(t).Want(201, "POST", "/api/task-completions/", doc{"task_id": id, "completed_at": fmt.Sprintf("2026-03-0%dT10:00:00Z", i+1)})
			turns += people[*h.read(t, id).AssignedToID]
		}
		return turns
	}
	all := ids(h.owner, h.member, h.viewer)
	turning := func(rotation string, members []uuid.UUID) doc {
		return doc{"frequency_id": daily, "due_date": "2026-03-01", "rotation": rotation, "rotation_member_ids": members}
	}
	robin := h.add(t, h.owner, turning("round_robin", all))
	if got := whose(t, robin.ID, h.owner, h.owner, h.member, h.owner); got != "omvom" {
		t.Errorf("round robin %s", got)
	}
	fewest := h.add(t, h.owner, turning("fewest_done", all[:2]))
	if got := whose(t, fewest.ID, h.member, h.member, h.owner, h.owner, h.owner); got != "oooomm" {
		t.Errorf("fewest done %s", got)
	}
	random := h.add(t, h.owner, turning("random", all))
	got := whose(t, random.ID, h.owner, h.owner, h.owner, h.owner, h.owner, h.owner, h.owner, h.owner)
	for i := 0; i < 9; i += 3 {
		round := strings.Split(got[i:i+3], "")
		slices.Sort(round)
		if strings.Join(round, "") != "mov" || (i > 0 && got[i] == got[i-1]) {
			t.Errorf("random %s: not everybody once, or somebody twice in a row", got)
		}
	}
	// Undoing hands it back, whichever completion it is.
	list := list[task.Completion](t, h.owner.Want(200, "GET", path("tasks", robin.ID, "completions"), nil)).Items
	h.owner.Want(204, "DELETE", path("task-completions", list[2].ID), nil)
	if got := people[*h.read(t, robin.ID).AssignedToID]; got != "o" {
		t.Errorf("undone, it is the turn of %s", got)
	}
	// Whoever leaves is no longer in it.
	leave := func(c *testkit.Client) {
		testkit.Deliver(t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home, OwnerID: h.owner.Actor.UserID, UserID: c.Actor.UserID, Change: "removed", AffectedIDs: ids(c)})
	}
	leave(h.owner)
	if got := h.read(t, robin.ID); people[*got.AssignedToID] != "m" || len(got.RotationMemberIDs) != 2 || got.Rotation != "round_robin" {
		t.Errorf("after one has left: %+v", got)
	}
	leave(h.member)
	if got := h.read(t, robin.ID); people[*got.AssignedToID] != "v" || len(got.RotationMemberIDs) != 0 || got.Rotation != "none" {
		t.Errorf("after two have left: %+v", got)
	}
	leave(h.viewer)
	if got := h.read(t, robin.ID); got.AssignedToID != nil {
		t.Errorf("after all have left: %+v", got)
	}
}

func TestARotationCanBeSetAndEnded(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-01"})
	got := h.patch(t, mine.ID, doc{"rotation": "round_robin", "rotation_member_ids": ids(h.member, h.owner)})
	if got.AssignedToID == nil || *got.AssignedToID != h.member.Actor.UserID {
		t.Errorf("nobody begins: %+v", got)
	}
	if got := h.patch(t, mine.ID, doc{"assigned_to_id": h.viewer.Actor.UserID}); *got.AssignedToID != h.viewer.Actor.UserID || got.Rotation != "round_robin" {
		t.Errorf("somebody else this time: %+v", got)
	}
	if got := h.patch(t, mine.ID, doc{"rotation": "none"}); got.Rotation != "none" || len(got.RotationMemberIDs) != 0 || *got.AssignedToID != h.viewer.Actor.UserID {
		t.Errorf("ended: %+v", got)
	}
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "member", Timezone: "UTC", Currency: "USD"})
	h.forget(t, h.owner)
	h.patch(t, mine.ID, doc{"rotation": "round_robin", "rotation_member_ids": ids(h.member, h.owner)})
	if got := h.patch(t, mine.ID, doc{"residence_id": h.elsewhere}); got.Rotation != "none" || got.AssignedToID != nil {
		t.Errorf("elsewhere: %+v", got)
	}
}

func TestWhoIsAssignedWhileLeavingIsTakenOffAfterAll(t *testing.T) {
	h := open(t)
	h.member.Want(200, "GET", "/api/tasks/", nil)
	testkit.Deliver(t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home, OwnerID: h.owner.Actor.UserID, UserID: h.member.Actor.UserID, Change: "left", AffectedIDs: ids(h.member)})
	late := h.add(t, h.owner, doc{"assigned_to_id": h.member.Actor.UserID}) // the cache says still that they see it
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	if got := h.read(t, late.ID); got.AssignedToID != nil || got.Version != 2 {
		t.Errorf("still %+v", got)
	}
	testkit.Deliver(t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home, OwnerID: h.owner.Actor.UserID, UserID: h.member.Actor.UserID, Change: "joined", AffectedIDs: ids(h.member)})
	back := h.add(t, h.owner, doc{"assigned_to_id": h.member.Actor.UserID})
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	if got := h.read(t, back.ID); got.AssignedToID == nil {
		t.Error("somebody who came back is taken off")
	}
}

func TestAChecklist(t *testing.T) {
	h := open(t)
	first := newID()
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-10", "checklist": []doc{{"id": first, "title": "Filter"}, {"title": "Belt"}}})
	if len(mine.Checklist) != 2 || mine.Checklist[0].ID != first || mine.Checklist[1].Title != "Belt" || mine.Checklist[1].ID == uuid.Nil || mine.Checklist[0].IsDone {
		t.Fatalf("checklist %+v", mine.Checklist)
	}
	item := func(id uuid.UUID, what string) string {
		return path("tasks", mine.ID, "checklist") + id.String() + "/" + what + "/"
	}
	h.member.Want(200, "GET", "/api/tasks/", nil) // the cache is warm
	a := h.member.Want(200, "POST", item(first, "check"), nil)
	got := testkit.JSON[task.Task](t, a).Checklist[0]
	if !got.IsDone || *got.DoneByID != h.member.Actor.UserID || !got.DoneAt.Equal(h.Clock.Now()) || sqlTrips(a) != 1 {
		t.Errorf("ticked off: %+v in %d round trips", got, sqlTrips(a))
	}
	if v := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", item(first, "check"), nil)); v.Version != 2 || *v.Checklist[0].DoneByID != h.member.Actor.UserID {
		t.Errorf("ticked off twice: %+v", v)
	}
	if got := cards(t, h.owner.Want(200, "GET", "/api/tasks/", nil))[0].Checklist; len(got) != 2 || !got[0].IsDone || got[1].Title != "Belt" {
		t.Errorf("on the board: %+v", got)
	}
	changed := h.patch(t, mine.ID, doc{"checklist": []doc{{"title": "Motor"}, {"id": first, "title": "Air filter"}}}).Checklist
	if len(changed) != 2 || changed[0].Title != "Motor" || changed[1].Title != "Air filter" || !changed[1].IsDone {
		t.Errorf("changed: %+v", changed)
	}
	if again := h.patch(t, mine.ID, doc{"title": "x"}).Checklist; len(again) != 2 || !again[1].IsDone {
		t.Errorf("another patch: %+v", again)
	}
	h.owner.Want(201, "POST", path("tasks", mine.ID, "quick-complete"), nil)
	if got := h.read(t, mine.ID).Checklist; got[1].IsDone || got[1].DoneByID != nil {
		t.Errorf("when it comes back: %+v", got)
	}
	h.owner.Want(200, "POST", item(first, "check"), nil)
	if v := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", item(first, "uncheck"), nil)).Checklist[1]; v.IsDone || v.DoneAt != nil {
		t.Errorf("taken back: %+v", v)
	}
	h.owner.Refused(404, "not_found", "POST", item(newID(), "check"), nil)
	h.viewer.Refused(403, "not_permitted", "POST", item(first, "check"), nil)
	h.stranger.Refused(404, "not_found", "POST", item(first, "check"), nil)
	if got := h.patch(t, mine.ID, doc{"checklist": nil}).Checklist; len(got) != 0 {
		t.Errorf("cleared: %+v", got)
	}
	once := h.add(t, h.owner, doc{"checklist": []doc{{"id": first, "title": "Filter"}}})
	h.owner.Want(200, "POST", path("tasks", once.ID, "checklist")+first.String()+"/check/", nil)
	h.owner.Want(201, "POST", path("tasks", once.ID, "quick-complete"), nil)
	if got := h.read(t, once.ID).Checklist; !got[0].IsDone {
		t.Errorf("a one-off that is done: %+v", got)
	}
}

func TestAnUnknownFrequencyIsNamedWhateverElseTheRuleSays(t *testing.T) {
	h := open(t)
	for _, more := range []doc{{"season_start": "04-01", "season_end": "10-31"}, {"end_date": "2026-04-01"}, {"max_occurrences": 3}, {}} {
		a := h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/", with(doc{"residence_id": h.home, "title": "x", "frequency_id": newID()}, more))
		if !strings.Contains(string(a.Body), `"body.frequency_id"`) {
			t.Errorf("%v: %s", more, a.Body)
		}
	}
}
