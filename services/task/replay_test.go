package task_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
	"hearth.internal/task/recur"
)

// replayed is what a task's log says of it, read and derived apart from the service.
func (h house) replayed(t *testing.T, mine task.Task) (due recur.Due, ids []uuid.UUID) {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var unit *string
	var every *int
	if err := h.DB.QueryRow(t.Context(), `SELECT (SELECT unit FROM task_frequencies WHERE id = t.frequency_id), (SELECT every FROM task_frequencies WHERE id = t.frequency_id) FROM tasks t WHERE id = $1`,
		mine.ID).Scan(&unit, &every); err != nil {
		t.Fatal(err)
	}
	rule := recur.Rule{From: recur.From(mine.RescheduleFrom)}
	if unit != nil {
		rule.Unit, rule.Every = recur.Unit(*unit), *every
	}
	if mine.RRule != nil {
		if rule.RRule, err = recur.ParseRRule(*mine.RRule); err != nil {
			t.Fatal(err)
		}
	}
	for to, from := range map[*day.Day]*day.Day{&rule.Anchor: mine.DueDate, &rule.End: mine.EndDate, &rule.Pause.From: mine.PausedFrom, &rule.Pause.Until: mine.PausedUntil} {
		if from != nil {
			*to = *from
		}
	}
	if mine.MaxOccurrences != nil {
		rule.Max = *mine.MaxOccurrences
	}
	if mine.SeasonStart != nil {
		rule.Season.Start, _ = recur.ParseDate(*mine.SeasonStart)
		rule.Season.End, _ = recur.ParseDate(*mine.SeasonEnd)
	}
	var log recur.Log
	for _, c := range list[task.Completion](t, h.owner.For(t).Want(200, "GET", path("tasks", mine.ID, "completions")+"?limit=200", nil)).Items {
		ids = append(ids, c.ID)
		log.Done = append(log.Done, day.In(c.CompletedAt, berlin))
	}
	slices.Reverse(log.Done)
	for _, skip := range testkit.JSON[struct{ Items []task.Skip }](t, h.owner.For(t).Want(200, "GET", path("tasks", mine.ID, "skips"), nil)).Items {
		log.Skipped = append(log.Skipped, skip.Occurrence)
	}
	return rule.Next(log), ids
}

// agrees compares a task's row, and its card, with its log.
func (h house) agrees(t *testing.T, id uuid.UUID) {
	t.Helper()
	got := h.read(t, id)
	want, ids := h.replayed(t, got)
	if due(got) != want.Day.String() || got.IsDone != want.Over || got.CompletionCount != len(ids) || (got.LastCompletedAt == nil) != (len(ids) == 0) {
		t.Errorf("the row is due %q, done %t, %d times; its log says %q, %t, %d", due(got), got.IsDone, got.CompletionCount, want.Day, want.Over, len(ids))
	}
	for _, card := range cards(t, h.owner.For(t).Want(200, "GET", "/api/tasks/", nil)) {
		if card.ID != id {
			continue
		}
		var shown []uuid.UUID
		for _, c := range card.Completions {
			shown = append(shown, c.ID)
		}
		if !slices.Equal(shown, ids[:min(10, len(ids))]) || card.Version != got.Version {
			t.Errorf("the card of version %d (%d) shows %v, the log is %v", card.Version, got.Version, shown, ids)
		}
	}
}

// tinker does something at random to the task, as one of those who share it.
func (h house) tinker(t *testing.T, c *testkit.Client, r *rand.Rand, id uuid.UUID) testkit.Answer {
	anyOf := func(things ...any) any { return things[r.IntN(len(things))] }
	when := func() string {
		return time.Date(2026, 1, 1+r.IntN(68), r.IntN(24), r.IntN(60), 0, 0, time.UTC).Format(time.RFC3339)
	}
	date := func() string { return time.Date(2026, 1, 1+r.IntN(120), 0, 0, 0, 0, time.UTC).Format(time.DateOnly) }
	pick := func(address string) (uuid.UUID, bool) {
		items := testkit.JSON[struct{ Items []struct{ ID uuid.UUID } }](t, c.Call("GET", address, nil)).Items
		if len(items) == 0 {
			return uuid.Nil, false
		}
		return items[r.IntN(len(items))].ID, true
	}
	switch n := r.IntN(20); {
	case n < 4:
		return c.Call("POST", "/api/task-completions/", doc{"task_id": id, "completed_at": when()})
	case n < 5:
		return c.Call("POST", path("tasks", id, "quick-complete"), doc{"id": newID()})
	case n < 8:
		if entry, found := pick(path("tasks", id, "completions") + "?limit=200"); found {
			return c.Call("DELETE", path("task-completions", entry), nil)
		}
	case n < 10:
		if entry, found := pick(path("tasks", id, "completions") + "?limit=200"); found {
			return c.Call("PUT", path("task-completions", entry), doc{"completed_at": when(), "notes": "x"})
		}
	case n < 12:
		return c.Call("POST", path("tasks", id, "skip"), nil)
	case n < 14:
		if entry, found := pick(path("tasks", id, "skips")); found {
			return c.Call("DELETE", path("tasks", id, "skips")+entry.String()+"/", nil)
		}
	case n < 15:
		return c.Call("POST", path("tasks", id, "pause"), anyOf(doc{}, doc{"until": "2026-03-25"}, doc{"from": "2026-03-12", "until": "2026-04-25"}))
	case n < 16:
		return c.Call("POST", path("tasks", id, "resume"), nil)
	case n < 17:
		return c.Call("POST", path("tasks/by-residence", h.home, anyOf("pause", "resume").(string)), nil)
	case n < 18:
		return c.Call("POST", path("tasks", id, anyOf("cancel", "uncancel", "mark-in-progress", "archive", "unarchive").(string)), nil)
	}
	return c.Call("PATCH", path("tasks", id), anyOf(
		doc{"frequency_id": anyOf(daily, weekly, monthly), "rrule": nil}, doc{"frequency_id": nil, "rrule": anyOf("FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=DAILY;COUNT=9", "FREQ=MONTHLY;BYDAY=-1FR")},
		doc{"due_date": date()}, doc{"due_date": nil}, doc{"reschedule_from": anyOf("due_date", "completion")}, doc{"max_occurrences": anyOf(nil, 1, 5, 9)},
		doc{"end_date": anyOf(nil, "2026-05-01")}, doc{"season_start": "02-01", "season_end": "02-29"}, doc{"season_start": nil, "season_end": nil}, doc{"title": "y"},
		doc{"rotation": "round_robin", "rotation_member_ids": ids(h.member, h.owner, h.viewer)}, doc{"rotation": "none"},
	))
}

func TestATasksRowIsWhatItsLogSaysWhateverSeveralDoAtOnce(t *testing.T) {
	h := open(t)
	// Another process of the same service: what keeps the log right is not in the memory of one.
	second := testkit.Run(t, h.Config, task.New(task.Config{Service: h.Config}))
	phones := []*testkit.Client{h.owner, h.member, second.As(t, h.owner.Actor.UserID), second.As(t, h.member.Actor.UserID)}
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			mine := h.add(t, h.owner.For(t), doc{"frequency_id": weekly, "due_date": "2026-01-05"})
			for round := range uint64(6) {
				var all sync.WaitGroup
				for i, c := range phones {
					r := rand.New(rand.NewPCG(seed, 4*round+uint64(i)))
					all.Go(func() {
						for range 5 {
							if a := h.tinker(t, c.For(t), r, mine.ID); a.Status >= 500 {
								t.Errorf("%d: %s", a.Status, a.Body)
							}
						}
					})
				}
				all.Wait()
				h.agrees(t, mine.ID)
			}
			h.owner.For(t).Call("POST", path("tasks", mine.ID, "unarchive"), nil)
			h.owner.For(t).Want(204, "DELETE", path("tasks", mine.ID), nil)
		})
	}
}
