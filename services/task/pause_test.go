package task_test

import (
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func TestAPauseThatOutlastsTheEnd(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-09", "end_date": "2026-03-20"})
	h.complete(t, mine.ID, "2026-03-09T10:00:00Z")
	got := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", path("tasks", mine.ID, "pause"), doc{"from": "2026-03-10", "until": "2026-03-31"}))
	if due(got) != "" || !got.IsDone {
		t.Errorf("due %q after its end, done %t", due(got), got.IsDone)
	}
	if got := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", path("tasks", mine.ID, "resume"), nil)); due(got) != "2026-03-10" || got.IsDone {
		t.Errorf("resumed, it is due %q, done %t", due(got), got.IsDone)
	}
}

func TestAVacationDoesNotShortenALongerPause(t *testing.T) {
	h := open(t)
	add := func() uuid.UUID { return h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-10"}).ID }
	forever, longer, shorter, later := add(), add(), add(), add()
	h.owner.Want(200, "POST", path("tasks", forever, "pause"), nil)
	h.owner.Want(200, "POST", path("tasks", longer, "pause"), doc{"until": "2026-03-20"})
	h.owner.Want(200, "POST", path("tasks", shorter, "pause"), doc{"until": "2026-03-12"})
	h.owner.Want(200, "POST", path("tasks", later, "pause"), doc{"from": "2026-03-12"})
	a := h.owner.Want(200, "POST", path("tasks/by-residence", h.home, "pause"), doc{"until": "2026-03-15"})
	if n := testkit.JSON[struct{ Changed int }](t, a).Changed; n != 2 {
		t.Errorf("%d tasks", n)
	}
	for id, want := range map[uuid.UUID]string{forever: "", longer: "2026-03-21", shorter: "2026-03-16", later: "2026-03-16"} {
		if got := h.read(t, id); due(got) != want {
			t.Errorf("due %q, want %q", due(got), want)
		}
	}
}

func TestWhatIsPutAwayFollowsItsResidence(t *testing.T) {
	h := open(t)
	paused := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-10"})
	zoned := h.add(t, h.owner, doc{"frequency_id": daily, "reschedule_from": "completion"})
	h.complete(t, zoned.ID, "2026-03-09T23:30:00Z") // half past midnight in Berlin
	h.owner.Want(200, "POST", path("tasks/by-residence", h.home, "pause"), nil)
	for _, id := range []uuid.UUID{paused.ID, zoned.ID} {
		h.owner.Want(200, "POST", path("tasks", id, "archive"), nil)
	}
	h.owner.Want(200, "POST", path("tasks/by-residence", h.home, "resume"), nil)
	if got := h.read(t, paused.ID); due(got) != "2026-03-10" || got.PausedFrom != nil {
		t.Errorf("after the vacation: %+v", got)
	}
	h.settle(t)
	h.homes.Take(h.owner.Actor.UserID)
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "America/New_York", Currency: "EUR"})
	h.forget(t, h.owner)
	testkit.Deliver(t, h.Service, events.ResidenceChanged, events.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, ActorID: h.owner.Actor.UserID, Timezone: "America/New_York", Version: 2})
	h.owner.Want(200, "POST", path("tasks", zoned.ID, "unarchive"), nil)
	if got := h.read(t, zoned.ID); due(got) != "2026-03-10" {
		t.Errorf("in New York it is due %s", due(got))
	}
}
