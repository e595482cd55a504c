package task_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
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

func TestWorkElsewhereOutlivesTheContractorsResidence(t *testing.T) {
	h := open(t)
	second, third := newID(), newID()
	for _, home := range []uuid.UUID{second, third} {
		h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: home, Role: "owner", Timezone: "UTC"})
	}
	for _, erase := range []func(home uuid.UUID){
		func(home uuid.UUID) {
			testkit.Deliver(t, h.Service, events.ResidenceDeleted, events.Home{ID: home, OwnerID: h.owner.Actor.UserID, Version: 2})
		},
		func(home uuid.UUID) { // it moves there while the residence is being erased
			if _, err := h.DB.Exec(t.Context(), `INSERT INTO gone_residences VALUES ($1, $2)`, home, h.Clock.Now()); err != nil {
				t.Fatal(err)
			}
			if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
				t.Fatal(err)
			}
		},
	} {
		doomed := second
		second = third
		ada := h.hire(t, h.owner, doc{"residence_id": h.home})
		done := testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": h.add(t, h.owner, nil).ID, "contractor_id": ada.ID}))
		h.owner.Want(200, "PATCH", path("contractors", ada.ID), doc{"residence_id": doomed})
		erase(doomed)
		h.owner.Refused(404, "not_found", "GET", path("contractors", ada.ID), nil)
		got := testkit.JSON[task.Completion](t, h.owner.Want(200, "GET", path("task-completions", done.ID), nil))
		if got.ContractorID != nil || got.ContractorName == nil || *got.ContractorName != "Ada" {
			t.Errorf("done by %v %v", got.ContractorID, got.ContractorName)
		}
	}
}
