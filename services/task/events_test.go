package task_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func TestNamesFollowTheirPersons(t *testing.T) {
	h := open(t)
	member := events.User{ID: h.member.Actor.UserID, Email: "g@example.com", Username: "grace", Version: 1}
	mine := h.add(t, h.owner, doc{"assigned_to_id": member.ID, "frequency_id": daily})
	testkit.Deliver(t, h.Service, events.UserRegistered, member)
	if got := h.read(t, mine.ID); got.AssignedToName == nil || *got.AssignedToName != "grace" {
		t.Errorf("assigned to %v", got.AssignedToName)
	}
	h.settle(t)
	etag := h.owner.Want(200, "GET", "/api/tasks/", nil).Header.Get("ETag")
	member.FirstName, member.LastName, member.Version = "Grace", "Hopper", 2
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: member})
	a := h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", etag)
	if got := cards(t, a)[0].AssignedToName; *got != "Grace Hopper" {
		t.Errorf("on the board: %s", *got)
	}
	done := testkit.JSON[task.Completion](t, h.member.Want(201, "POST", path("tasks", mine.ID, "quick-complete"), nil))
	if *done.CompletedByName != "Grace Hopper" {
		t.Errorf("completed by %s", *done.CompletedByName)
	}
	paths := []string{path("tasks", mine.ID), path("task-completions", done.ID)}
	var etags []string
	for _, p := range paths {
		etags = append(etags, h.owner.Want(200, "GET", p, nil).Header.Get("ETag"))
		h.owner.Want(304, "GET", p, nil, "If-None-Match", etags[len(etags)-1])
	}
	member.LastName, member.Version = "Murray", 3
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: member})
	for i, p := range paths {
		h.owner.Want(200, "GET", p, nil, "If-None-Match", etags[i])
	}
	h.owner.Want(200, "PATCH", paths[0], doc{"title": "y"}, "If-Match", etags[0]) // no conflict because somebody has a new name
}

func TestAResidenceGoesWithAllThatItHeld(t *testing.T) {
	h := open(t)
	shared, personal := h.hire(t, h.owner, doc{"residence_id": h.home}), h.hire(t, h.owner, nil)
	h.owner.Want(200, "POST", path("contractors", shared.ID, "toggle-favorite"), nil)
	mine := h.add(t, h.owner, doc{"contractor_id": shared.ID, "frequency_id": daily})
	h.complete(t, mine.ID, "2026-03-10T10:00:00Z")
	h.owner.Want(200, "POST", path("tasks", h.add(t, h.owner, nil).ID, "archive"), nil)
	theirs := h.add(t, h.stranger, doc{"residence_id": h.elsewhere})
	testkit.Deliver(t, h.Service, events.ResidenceDeleted, events.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Version: 2})
	for table, want := range map[string]int{"tasks": 1, "completions": 0, "contractors": 1, "contractor_favorites": 0} {
		var n int
		if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil || n != want {
			t.Errorf("%d %s are left, want %d (%v)", n, table, want, err)
		}
	}
	h.stranger.Want(200, "GET", path("tasks", theirs.ID), nil)
	h.owner.Want(200, "GET", path("contractors", personal.ID), nil)
}

func TestWhoHasLeftIsAssignedToNothing(t *testing.T) {
	h := open(t)
	member := h.member.Actor.UserID
	openTask, done := h.add(t, h.owner, doc{"assigned_to_id": member}), h.add(t, h.owner, doc{"assigned_to_id": member})
	h.complete(t, done.ID, "2026-03-10T10:00:00Z")
	owners := h.add(t, h.owner, doc{"assigned_to_id": h.owner.Actor.UserID})
	change := events.Membership{ResidenceID: h.home, OwnerID: h.owner.Actor.UserID, UserID: member, Change: "role", ActorID: h.owner.Actor.UserID, AffectedIDs: []uuid.UUID{member}}
	testkit.Deliver(t, h.Service, events.MembersChanged, change)
	if got := h.read(t, openTask.ID); got.AssignedToID == nil {
		t.Error("another role takes tasks away")
	}
	h.settle(t)
	etag := h.owner.Want(200, "GET", "/api/tasks/", nil).Header.Get("ETag")
	change.Change = "removed"
	testkit.Deliver(t, h.Service, events.MembersChanged, change)
	if got := h.read(t, openTask.ID); got.AssignedToID != nil || got.Version != 2 {
		t.Errorf("still %+v", got)
	}
	if got := h.read(t, done.ID); got.AssignedToID == nil {
		t.Error("what was done is no longer theirs")
	}
	if got := h.read(t, owners.ID); got.AssignedToID == nil {
		t.Error("the owner lost a task")
	}
	h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", etag)
	if out := h.Outbox(t, "task.changed"); len(out) != 1 || !strings.Contains(string(out[0]), openTask.ID.String()) {
		t.Errorf("events %s", out)
	}
}
