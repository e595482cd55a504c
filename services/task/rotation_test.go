package task_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func (h house) leaves(t *testing.T, c *testkit.Client) {
	t.Helper()
	testkit.Deliver(t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home, OwnerID: h.owner.Actor.UserID, UserID: c.Actor.UserID, Change: "removed", AffectedIDs: ids(c)})
}

// turn is the initial of whose turn it is.
func (h house) turn(t *testing.T, id uuid.UUID) string {
	t.Helper()
	who := h.read(t, id).AssignedToID
	if who == nil {
		return "-"
	}
	return map[uuid.UUID]string{h.owner.Actor.UserID: "o", h.member.Actor.UserID: "m", h.viewer.Actor.UserID: "v"}[*who]
}

// turns are whose turn it is now and after each of n completions by the owner on days after that.
func (h house) turns(t *testing.T, id uuid.UUID, after, n int) string {
	t.Helper()
	turns := h.turn(t, id)
	for i := range n {
		h.complete(t, id, fmt.Sprintf("2026-03-%02dT10:00:00Z", after+i+1))
		turns += h.turn(t, id)
	}
	return turns
}

func TestARotationOfATaskThatWasDoneBeforeBeginsWithItsFirst(t *testing.T) {
	h := open(t)
	h.Clock.Advance(30 * 24 * time.Hour)
	all := ids(h.owner, h.member, h.viewer)
	doneOnce := func() uuid.UUID {
		mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-01"})
		h.complete(t, mine.ID, "2026-03-01T10:00:00Z")
		return mine.ID
	}
	for _, c := range []*testkit.Client{h.member, h.viewer} {
		c.Want(200, "GET", "/api/tasks/", nil) // the cache knows what they see
	}
	robin := doneOnce()
	a := h.owner.Want(200, "PATCH", path("tasks", robin), doc{"rotation": "round_robin", "rotation_member_ids": all})
	if got := h.turns(t, robin, 1, 4); got != "omvom" || sqlTrips(a) != 2 {
		t.Errorf("round robin %s in %d round trips", got, sqlTrips(a))
	}
	entries := list[task.Completion](t, h.owner.Want(200, "GET", path("tasks", robin, "completions"), nil)).Items
	for _, want := range []string{"o", "v", "m", "o", "v"} { // also back before it began
		h.owner.Want(204, "DELETE", path("task-completions", entries[0].ID), nil)
		if entries = entries[1:]; h.turn(t, robin) != want {
			t.Errorf("undone, it is the turn of %s, want %s", h.turn(t, robin), want)
		}
	}
	fewest := doneOnce()
	h.patch(t, fewest, doc{"rotation": "fewest_done", "rotation_member_ids": all})
	if got := h.turn(t, fewest); got != "m" {
		t.Errorf("who did least is %s", got)
	}
	for range 5 {
		random := doneOnce()
		h.patch(t, random, doc{"rotation": "random", "rotation_member_ids": all})
		if got := h.turns(t, random, 1, 5); strings.Contains(got, "oo") || strings.Contains(got, "mm") || strings.Contains(got, "vv") {
			t.Errorf("random %s: somebody twice in a row", got)
		}
	}
	theirs := doneOnce()
	h.patch(t, theirs, doc{"assigned_to_id": h.member.Actor.UserID, "rotation": "round_robin", "rotation_member_ids": all})
	if got := h.turns(t, theirs, 1, 3); got != "mvom" {
		t.Errorf("beginning with who has it: %s", got)
	}
	added := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-01", "assigned_to_id": h.viewer.Actor.UserID, "rotation": "round_robin", "rotation_member_ids": all})
	if got := h.turns(t, added.ID, 0, 3); got != "vomv" {
		t.Errorf("added with who has it: %s", got)
	}
	outside := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-01", "assigned_to_id": h.viewer.Actor.UserID, "rotation": "round_robin", "rotation_member_ids": all[:2]})
	if got := h.turns(t, outside.ID, 0, 3); got != "vomo" {
		t.Errorf("added with somebody who is not in it: %s", got)
	}
	h.patch(t, outside.ID, doc{"assigned_to_id": h.member.Actor.UserID, "rotation_member_ids": all})
	if got := h.turns(t, outside.ID, 3, 2); got != "mvo" {
		t.Errorf("with one more: %s", got)
	}
}

func TestWhoLeavesHandsTheirTurnToTheNext(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { leaveInTurn(t, open(t)) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		leaveInTurn(t, openWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = false }))
	})
}

func leaveInTurn(t *testing.T, h house) {
	t.Helper()
	rotation := doc{"frequency_id": daily, "due_date": "2026-03-01", "rotation": "round_robin", "rotation_member_ids": ids(h.owner, h.member, h.viewer)}
	theirs, others := h.add(t, h.owner, rotation), h.add(t, h.owner, rotation)
	h.complete(t, theirs.ID, "2026-03-01T10:00:00Z")
	h.complete(t, others.ID, "2026-03-01T10:00:00Z")
	h.complete(t, others.ID, "2026-03-02T10:00:00Z")
	late := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-01"})
	h.complete(t, late.ID, "2026-03-01T10:00:00Z")
	h.patch(t, late.ID, doc{"rotation": "round_robin", "rotation_member_ids": ids(h.member, h.owner)})
	done := h.add(t, h.owner, with(rotation, doc{"max_occurrences": 2}))
	h.complete(t, done.ID, "2026-03-01T10:00:00Z")
	last := h.complete(t, done.ID, "2026-03-02T10:00:00Z")
	h.leaves(t, h.member)
	if got := h.turns(t, theirs.ID, 1, 3); got != "vovo" {
		t.Errorf("their turn goes on %s", got)
	}
	if got := h.turns(t, others.ID, 2, 3); got != "vovo" {
		t.Errorf("another's turn goes on %s", got)
	}
	if got := h.read(t, late.ID); h.turn(t, late.ID) != "o" || got.Rotation != "none" || len(got.RotationMemberIDs) != 0 {
		t.Errorf("one is left: %+v", got)
	}
	h.owner.Want(204, "DELETE", path("task-completions", last.ID), nil)
	if got := h.turn(t, done.ID); got == "m" {
		t.Error("what is undone is the turn of somebody who has left")
	}
}

func TestRewritingACompletionLeavesTheTaskWithWhomItWasGivenTo(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-01", "rotation": "round_robin", "rotation_member_ids": ids(h.owner, h.member)})
	entry := h.complete(t, mine.ID, "2026-03-01T10:00:00Z")
	h.patch(t, mine.ID, doc{"assigned_to_id": h.viewer.Actor.UserID})
	h.owner.Want(200, "PUT", path("task-completions", entry.ID), doc{"notes": "It dripped"})
	if got := h.turn(t, mine.ID); got != "v" {
		t.Errorf("notes give it to %s", got)
	}
	if got := h.turns(t, mine.ID, 1, 1); got != "vo" {
		t.Errorf("done, it goes on %s", got)
	}
}

func TestMembersAreOnlyForARotation(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, nil)
	a := h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"rotation_member_ids": ids(h.owner, h.member)})
	if !strings.Contains(string(a.Body), `"body.rotation_member_ids"`) {
		t.Errorf("%s", a.Body)
	}
	h.patch(t, mine.ID, doc{"rotation_member_ids": []uuid.UUID{}})
}

func TestWhatIsUndoneIsNotForSomebodyWhoHasLeft(t *testing.T) {
	h := open(t)
	theirs, stays := h.add(t, h.owner, doc{"assigned_to_id": h.member.Actor.UserID}), h.add(t, h.owner, doc{"assigned_to_id": h.viewer.Actor.UserID})
	done, other := h.complete(t, theirs.ID, "2026-03-10T10:00:00Z"), h.complete(t, stays.ID, "2026-03-10T10:00:00Z")
	h.homes.Take(h.member.Actor.UserID)
	h.forget(t, h.member)
	h.leaves(t, h.member)
	if got := h.turn(t, theirs.ID); got != "m" {
		t.Errorf("what was done is now of %s", got)
	}
	h.owner.Want(204, "DELETE", path("task-completions", done.ID), nil)
	h.owner.Want(204, "DELETE", path("task-completions", other.ID), nil)
	if got := h.turn(t, theirs.ID) + h.turn(t, stays.ID); got != "-v" {
		t.Errorf("undone, they are for %s", got)
	}
}
