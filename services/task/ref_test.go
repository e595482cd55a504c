package task_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
)

func TestAnotherServiceAsksWhereThingsAre(t *testing.T) {
	h := open(t)
	one := h.add(t, h.owner, nil)
	shared, personal, theirs := h.hire(t, h.owner, doc{"residence_id": h.home}), h.hire(t, h.owner, nil), h.hire(t, h.member, nil)
	part := h.AsPart(t, "document")
	a := part.Want(200, "POST", "/internal/refs", doc{"user_id": h.owner.Actor.UserID, "task_ids": []uuid.UUID{one.ID}})
	if sqlTrips(a) != 1 {
		t.Errorf("took %d round trips", sqlTrips(a))
	}
	got, err := h.Calls.Task(h.URL).Refs(t.Context(), internalapi.RefsQuery{
		UserID: h.owner.Actor.UserID, TaskIDs: []uuid.UUID{one.ID, newID()}, ContractorIDs: []uuid.UUID{shared.ID, personal.ID, theirs.ID, newID()},
	})
	if err != nil || !slices.Equal(got.Tasks, []internalapi.Ref{{ID: one.ID, ResidenceID: h.home}}) {
		t.Errorf("tasks %v, %v", got.Tasks, err)
	}
	if len(got.Contractors) != 2 || !slices.Contains(got.Contractors, internalapi.Ref{ID: shared.ID, ResidenceID: h.home}) || !slices.Contains(got.Contractors, internalapi.Ref{ID: personal.ID}) {
		t.Errorf("contractors %v", got.Contractors)
	}
	got, err = h.Calls.Task(h.URL).Refs(t.Context(), internalapi.RefsQuery{UserID: h.owner.Actor.UserID})
	if err != nil || len(got.Tasks)+len(got.Contractors) != 0 {
		t.Errorf("of nothing %v, %v", got, err)
	}
}
