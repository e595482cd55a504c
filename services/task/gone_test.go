package task_test

import (
	"testing"
	"time"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func TestATaskThatComesTooLateForItsResidenceIsErased(t *testing.T) {
	h := open(t)
	testkit.Deliver(t, h.Service, events.ResidenceDeleted, events.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Version: 2})
	late := h.add(t, h.owner, nil) // its access was looked up before the deletion
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	h.owner.Refused(404, "not_found", "GET", path("tasks", late.ID), nil)
	h.Clock.Advance(25 * time.Hour)
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	var kept int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM gone_residences`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d marks are kept for ever (%v)", kept, err)
	}
}
