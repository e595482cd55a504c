package task_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

// does completes the task as the owner.
func (h house) does(t *testing.T, id uuid.UUID, at string, more doc) {
	t.Helper()
	h.owner.For(t).Want(201, "POST", "/api/task-completions/", with(doc{"task_id": id, "completed_at": at}, more))
}

func TestATasksHistory(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "category_id": plumbing})
	ada := h.hire(t, h.owner, doc{"residence_id": h.home})
	empty := testkit.JSON[task.TaskHistory](t, h.viewer.Want(200, "GET", path("tasks", mine.ID, "history"), nil))
	if len(empty.Items) != 0 || empty.Totals.Completions != 0 || empty.Totals.Cost != 0 || empty.Totals.AverageRating != nil || empty.Totals.FirstAt != nil {
		t.Errorf("of nothing done: %+v", empty)
	}
	h.does(t, mine.ID, "2026-03-02T10:00:00Z", doc{"rating": 5, "actual_cost": "10", "contractor_id": ada.ID, "notes": "n"})
	h.does(t, mine.ID, "2026-03-01T10:00:00Z", doc{"rating": 4, "actual_cost": "0.5"})
	h.does(t, mine.ID, "2026-03-03T10:00:00Z", doc{"rating": 4})
	h.owner.Want(201, "POST", path("tasks", mine.ID, "skip"), doc{"reason": "Away"})
	h.settle(t)
	a := h.viewer.Want(200, "GET", path("tasks", mine.ID, "history")+"?limit=2", nil)
	if sqlTrips(a) != 1 {
		t.Errorf("%d round trips", sqlTrips(a))
	}
	got := testkit.JSON[task.TaskHistory](t, a)
	if len(got.Items) != 2 || got.NextCursor == nil || got.Totals.Completions != 3 || got.Totals.Cost.String() != "10.50" || *got.Totals.AverageRating != 4.3 ||
		got.Totals.FirstAt.Day() != 1 || got.Totals.LastAt.Day() != 3 || len(got.Skips) != 1 || *got.Skips[0].Reason != "Away" {
		t.Errorf("history %+v", got)
	}
	if e := got.Items[1]; e.TaskTitle != mine.Title || *e.CategoryID != plumbing || e.Currency != "EUR" || e.ResidenceID != h.home ||
		*e.ContractorName != "Ada" || *e.Notes != "n" || e.ActualCost.String() != "10.00" || *e.Rating != 5 || e.TaskID != mine.ID {
		t.Errorf("entry %+v", e)
	}
	rest := testkit.JSON[task.TaskHistory](t, h.viewer.Want(200, "GET", path("tasks", mine.ID, "history")+"?cursor="+*got.NextCursor, nil))
	if len(rest.Items) != 1 || rest.NextCursor != nil || rest.Totals.Completions != 3 {
		t.Errorf("the rest %+v", rest)
	}
	etag := a.Header.Get("ETag")
	if again := h.viewer.Want(304, "GET", path("tasks", mine.ID, "history")+"?limit=2", nil, "If-None-Match", etag); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
	h.complete(t, mine.ID, "2026-03-04T10:00:00Z")
	h.viewer.Want(200, "GET", path("tasks", mine.ID, "history")+"?limit=2", nil, "If-None-Match", etag)
	h.stranger.Refused(404, "not_found", "GET", path("tasks", mine.ID, "history"), nil)
	h.owner.Refused(404, "not_found", "GET", path("tasks", newID(), "history"), nil)
	h.owner.Refused(422, "invalid_cursor", "GET", path("tasks", mine.ID, "history")+"?cursor=!!", nil)
}

func TestAContractorsHistory(t *testing.T) {
	h := open(t)
	york := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: york, Role: "owner", Timezone: "America/New_York", Currency: "USD"})
	ada := h.hire(t, h.owner, nil)
	here, there := h.add(t, h.owner, doc{"frequency_id": daily}), h.add(t, h.owner, doc{"frequency_id": daily, "residence_id": york, "title": "Far away"})
	// Half an hour before midnight UTC it is next year already in Berlin, and not for long yet in New York.
	h.does(t, here.ID, "2025-12-31T23:30:00Z", doc{"contractor_id": ada.ID, "actual_cost": "10", "rating": 5})
	h.does(t, there.ID, "2025-12-31T23:30:00Z", doc{"contractor_id": ada.ID, "actual_cost": "20", "rating": 4})
	h.does(t, there.ID, "2026-01-01T05:00:00Z", doc{"contractor_id": ada.ID, "actual_cost": "1"})
	h.does(t, here.ID, "2026-01-05T05:00:00Z", nil)
	at := path("contractors", ada.ID, "history")
	a := h.owner.Want(200, "GET", at+"?limit=2", nil)
	if sqlTrips(a) != 1 {
		t.Errorf("%d round trips", sqlTrips(a))
	}
	got := testkit.JSON[task.ContractorHistory](t, a)
	if len(got.Items) != 2 || got.NextCursor == nil || got.Items[0].TaskTitle != "Far away" || got.Items[0].Currency != "USD" {
		t.Errorf("page %+v", got.Items)
	}
	if rest := testkit.JSON[task.ContractorHistory](t, h.owner.Want(200, "GET", at+"?cursor="+*got.NextCursor, nil)); len(rest.Items) != 1 || rest.NextCursor != nil {
		t.Errorf("the rest %+v", rest)
	}
	totals := fmt.Sprintf("%d %d %v %v %v", got.Totals.CompletionCount, got.Totals.RatingCount, *got.Totals.AverageRating, got.Totals.TotalPaid, got.Totals.ByYear)
	if want := "3 2 4.5 [{EUR 10.00} {USD 21.00}] [{2026 2 [{EUR 10.00} {USD 1.00}]} {2025 1 [{USD 20.00}]}]"; totals != want {
		t.Errorf("totals %s\nwant   %s", totals, want)
	}
	h.settle(t)
	etag := h.owner.Want(200, "GET", at, nil).Header.Get("ETag")
	if again := h.owner.Want(304, "GET", at, nil, "If-None-Match", etag); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
	// Shared with one residence, its members see the work in theirs alone.
	h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"residence_id": h.home})
	if seen := testkit.JSON[task.ContractorHistory](t, h.viewer.Want(200, "GET", at, nil)); len(seen.Items) != 1 || seen.Totals.CompletionCount != 1 || len(seen.Totals.ByYear) != 1 {
		t.Errorf("a viewer sees %+v", seen)
	}
	idle := h.hire(t, h.owner, nil)
	if seen := testkit.JSON[task.ContractorHistory](t, h.owner.Want(200, "GET", path("contractors", idle.ID, "history"), nil)); len(seen.Items) != 0 || seen.Totals.TotalPaid == nil || seen.Totals.ByYear == nil {
		t.Errorf("of who has done nothing: %+v", seen)
	}
	h.member.Refused(404, "not_found", "GET", path("contractors", idle.ID, "history"), nil)
	h.stranger.Refused(404, "not_found", "GET", at, nil)
}

func TestAResidencesHistory(t *testing.T) {
	h := open(t)
	ada := h.hire(t, h.owner, doc{"residence_id": h.home})
	pipes, roof := h.add(t, h.owner, doc{"frequency_id": daily, "category_id": plumbing, "title": "Pipes"}), h.add(t, h.owner, doc{"frequency_id": daily, "title": "Roof"})
	h.does(t, roof.ID, "2025-03-31T21:59:00Z", nil) // March in Berlin
	h.does(t, pipes.ID, "2025-03-31T22:00:00Z", nil)
	h.does(t, roof.ID, "2026-03-09T22:59:59Z", doc{"contractor_id": ada.ID})
	h.does(t, pipes.ID, "2026-03-09T23:00:00Z", doc{"contractor_id": ada.ID})
	h.does(t, pipes.ID, "2026-03-10T10:00:00Z", nil)
	at := path("residences", h.home, "history")
	h.viewer.Want(200, "GET", at, nil) // what they see is known to the cache
	for query, want := range map[string]string{
		"":                               "Pipes 10, Pipes 09, Roof 09, Pipes 31",
		"?from=2025-03-31":               "Pipes 10, Pipes 09, Roof 09, Pipes 31, Roof 31",
		"?to=2026-03-09":                 "Roof 09, Pipes 31",
		"?from=2026-03-09&to=2026-03-09": "Roof 09",
		"?from=2026-03-10&to=2026-03-10": "Pipes 10, Pipes 09",
		"?category_id=" + plumbing.String() + "&contractor_id=" + ada.ID.String(): "Pipes 09",
		"?contractor_id=" + ada.ID.String():                                       "Pipes 09, Roof 09",
		"?contractor_id=" + newID().String():                                      "",
		"?from=2016-03-10&to=2026-03-10&limit=1":                                  "Pipes 10",
	} {
		a := h.viewer.Want(200, "GET", at+query, nil)
		var got []string
		for _, e := range list[task.HistoryEntry](t, a).Items {
			got = append(got, fmt.Sprintf("%s %02d", e.TaskTitle, e.CompletedAt.Day()))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", query, strings.Join(got, ", "), want)
		}
		if sqlTrips(a) != 1 {
			t.Errorf("%s: %d round trips", query, sqlTrips(a))
		}
	}
	var all []task.HistoryEntry
	for next := ""; ; {
		page := list[task.HistoryEntry](t, h.viewer.Want(200, "GET", at+"?limit=1&cursor="+next, nil))
		all = append(all, page.Items...)
		if page.NextCursor == nil {
			break
		}
		next = *page.NextCursor
	}
	if len(all) != 4 || !slices.IsSortedFunc(all, func(x, y task.HistoryEntry) int { return y.CompletedAt.Compare(x.CompletedAt) }) {
		t.Errorf("paged %+v", all)
	}
	h.settle(t)
	etag := h.viewer.Want(200, "GET", at, nil).Header.Get("ETag")
	if again := h.viewer.Want(304, "GET", at, nil, "If-None-Match", etag); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
	h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"name": "Eve"})
	h.viewer.Want(200, "GET", at, nil, "If-None-Match", etag)
	for _, what := range []string{"history", "costs"} {
		at := path("residences", h.home, what)
		h.stranger.Refused(404, "not_found", "GET", at, nil)
		h.owner.Refused(404, "not_found", "GET", path("residences", newID(), what), nil)
		h.owner.Refused(404, "not_found", "GET", path("residences", uuid.Nil, what), nil)
		for query, field := range map[string]string{
			"?from=2026-03-11":               "query.from", // after today
			"?from=2026-03-02&to=2026-03-01": "query.from",
			"?from=2016-03-09&to=2026-03-10": "query.from", // ten years and a day
			"?from=2026-02-30":               "query.from",
			"?to=soon":                       "query.to",
		} {
			a := h.owner.Refused(422, "validation_failed", "GET", at+query, nil)
			if !strings.Contains(string(a.Body), `"`+field+`"`) {
				t.Errorf("%s %s does not name %s: %s", what, query, field, a.Body)
			}
		}
	}
	h.owner.Refused(422, "invalid_cursor", "GET", at+"?cursor=!!", nil)
}

func TestWhatAResidenceHasCost(t *testing.T) {
	h := open(t)
	ada, eve := h.hire(t, h.owner, doc{"residence_id": h.home}), h.hire(t, h.owner, doc{"name": "Eve", "residence_id": h.home})
	pipes, roof := h.add(t, h.owner, doc{"frequency_id": daily, "category_id": plumbing}), h.add(t, h.owner, doc{"frequency_id": daily})
	h.does(t, pipes.ID, "2025-03-31T21:59:59Z", doc{"actual_cost": "1000"}) // before the twelve months
	h.does(t, pipes.ID, "2025-12-31T22:59:00Z", doc{"actual_cost": "1", "contractor_id": ada.ID})
	h.does(t, pipes.ID, "2025-12-31T23:30:00Z", doc{"actual_cost": "2.50", "contractor_id": ada.ID}) // January in Berlin
	h.does(t, roof.ID, "2026-03-01T10:00:00Z", doc{"actual_cost": "30", "contractor_id": eve.ID})
	h.does(t, roof.ID, "2026-03-02T10:00:00Z", doc{"contractor_id": eve.ID}) // free
	h.does(t, roof.ID, "2026-03-03T10:00:00Z", doc{"actual_cost": "0"})
	h.owner.Want(204, "DELETE", path("contractors", eve.ID), nil)
	h.settle(t)
	at := path("residences", h.home, "costs")
	h.viewer.Want(200, "GET", at, nil) // what they see is known to the cache
	a := h.viewer.Want(200, "GET", at, nil)
	if sqlTrips(a) != 1 {
		t.Errorf("%d round trips", sqlTrips(a))
	}
	got := testkit.JSON[task.Costs](t, a)
	if got.From.String() != "2025-04-01" || got.To.String() != "2026-03-10" || got.Currency != "EUR" || got.Total.String() != "33.50" || got.Count != 4 || len(got.ByMonth) != 12 {
		t.Errorf("costs %+v", got)
	}
	for _, m := range got.ByMonth {
		want := map[string]task.Cost{"2025-12": {Count: 1, Amount: 100}, "2026-01": {Count: 1, Amount: 250}, "2026-03": {Count: 2, Amount: 3000}}[m.Month]
		if m.Cost != want {
			t.Errorf("%s: %+v, want %+v", m.Month, m.Cost, want)
		}
	}
	if len(got.ByCategory) != 2 || got.ByCategory[0].CategoryID != nil || got.ByCategory[0].Amount != 3000 || *got.ByCategory[1].CategoryID != plumbing || got.ByCategory[1].Amount != 350 {
		t.Errorf("by category %+v", got.ByCategory)
	}
	by := got.ByContractor
	if len(by) != 3 || by[0].ContractorID != nil || *by[0].ContractorName != "Eve" || by[0].Amount != 3000 || *by[1].ContractorID != ada.ID || by[1].Count != 2 ||
		by[2].ContractorID != nil || by[2].ContractorName != nil || by[2].Count != 1 {
		t.Errorf("by contractor %+v", by)
	}
	if again := h.viewer.Want(304, "GET", at, nil, "If-None-Match", a.Header.Get("ETag")); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
	empty := testkit.JSON[task.Costs](t, h.owner.Want(200, "GET", at+"?from=2020-01-31&to=2020-02-01", nil))
	if len(empty.ByMonth) != 2 || empty.ByMonth[1].Month != "2020-02" || empty.Total != 0 || empty.ByCategory == nil || empty.ByContractor == nil {
		t.Errorf("of nothing: %+v", empty)
	}
	if decade := testkit.JSON[task.Costs](t, h.owner.Want(200, "GET", at+"?from=2016-03-10", nil)); len(decade.ByMonth) != 121 || decade.Total.String() != "1033.50" {
		t.Errorf("ten years: %d months, %s", len(decade.ByMonth), decade.Total)
	}
}

func TestAMonthIsThatOfTheResidencesZone(t *testing.T) {
	h := open(t)
	for _, c := range []struct{ zone, at, month string }{
		{"Europe/Berlin", "2025-12-31T23:30:00Z", "2026-01"},
		{"America/New_York", "2025-12-31T23:30:00Z", "2025-12"},
		{"Europe/Berlin", "2026-02-28T22:59:59Z", "2026-02"},    // winter
		{"Europe/Berlin", "2025-10-31T22:59:59Z", "2025-10"},    // winter since the 26th
		{"Europe/Berlin", "2025-08-31T22:00:00Z", "2025-09"},    // summer
		{"America/New_York", "2025-11-01T03:59:59Z", "2025-10"}, // summer: the clocks go back on the 2nd
		{"America/New_York", "2025-12-01T04:59:59Z", "2025-11"}, // winter
		{"Asia/Beirut", "2025-03-31T20:59:59Z", "2025-03"},      // summer since the 30th
	} {
		t.Run(c.zone+" "+c.at, func(t *testing.T) {
			person, home := h.As(t, newID()), newID()
			h.homes.Give(person.Actor.UserID, internalapi.Home{ID: home, Role: "owner", Timezone: c.zone, Currency: "EUR"})
			mine := h.add(t, person, doc{"residence_id": home})
			person.Want(201, "POST", "/api/task-completions/", doc{"task_id": mine.ID, "completed_at": c.at, "actual_cost": "1"})
			first := c.month + "-01"
			got := testkit.JSON[task.Costs](t, person.Want(200, "GET", path("residences", home, "costs")+"?from="+first, nil))
			if got.Count != 1 || got.ByMonth[0].Month != c.month || got.ByMonth[0].Count != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestTheZeroUUIDIsNoFilter(t *testing.T) {
	h := open(t)
	h.complete(t, h.add(t, h.owner, nil).ID, "2026-03-10T10:00:00Z")
	for _, query := range []string{
		"tasks/?residence_id=", "tasks/?category_id=", "tasks/?priority_id=", "tasks/?assigned_to=", "tasks/by-residence/" + h.home.String() + "/?category_id=",
		"task-completions/?task_id=", "task-completions/?residence_id=", "contractors/?residence_id=", "contractors/?specialty_id=",
		"residences/" + h.home.String() + "/history/?category_id=", "residences/" + h.home.String() + "/history/?contractor_id=",
	} {
		a := h.owner.Refused(422, "validation_failed", "GET", "/api/"+query+uuid.Nil.String(), nil)
		_, name, _ := strings.Cut(strings.TrimSuffix(query, "="), "?")
		if !strings.Contains(string(a.Body), `"query.`+name+`"`) {
			t.Errorf("does not name %s: %s", name, a.Body)
		}
	}
}

// TestWhatHasNotChangedIsNotReadAgain: the lists of one task and of one contractor know without SQL that they are as
// they were, and that they are not after a change.
func TestWhatHasNotChangedIsNotReadAgain(t *testing.T) {
	h := open(t)
	ada := h.hire(t, h.owner, doc{"residence_id": h.home})
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "contractor_id": ada.ID, "due_date": "2026-03-01"})
	h.settle(t)
	lists := []string{
		path("tasks", mine.ID, "completions"), path("tasks", mine.ID, "skips"), path("tasks", mine.ID, "occurrences"), path("contractors", ada.ID, "tasks"),
	}
	etags := map[string]string{}
	for _, at := range lists {
		etags[at] = h.viewer.Want(200, "GET", at, nil).Header.Get("ETag")
		if again := h.viewer.Want(304, "GET", at, nil, "If-None-Match", etags[at]); sqlTrips(again) != 0 {
			t.Errorf("304 of %s took SQL", at)
		}
	}
	h.owner.Want(201, "POST", path("tasks", mine.ID, "skip"), nil)
	h.does(t, mine.ID, "2026-03-01T10:00:00Z", nil)
	for _, at := range lists {
		h.viewer.Want(200, "GET", at, nil, "If-None-Match", etags[at])
	}
	h.viewer.Want(200, "GET", lists[2]+"?limit=3", nil, "If-None-Match", h.viewer.Want(200, "GET", lists[2], nil).Header.Get("ETag"))
}
