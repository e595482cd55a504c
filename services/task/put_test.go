package task_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func TestAnAppThatDoesNotKnowNewFieldsKeepsThem(t *testing.T) {
	h := open(t)
	old := doc{"residence_id": h.home, "title": "Clean", "frequency_id": daily, "due_date": "2026-03-10", "assigned_to_id": h.owner.Actor.UserID}
	mine := h.add(t, h.owner, with(old, doc{"checklist": []doc{{"title": "Filter"}}, "rotation": "round_robin", "rotation_member_ids": ids(h.owner, h.member),
		"max_occurrences": 5, "end_date": "2026-04-30"}))
	item := mine.Checklist[0].ID
	h.owner.Want(200, "POST", path("tasks", mine.ID, "checklist")+item.String()+"/check/", nil)
	put := func(body doc) task.Task {
		t.Helper()
		return testkit.JSON[task.Task](t, h.owner.For(t).Want(200, "PUT", path("tasks", mine.ID), body))
	}
	got := put(with(old, doc{"title": "Clean the filter"}))
	if len(got.Checklist) != 1 || !got.Checklist[0].IsDone || got.Rotation != "round_robin" || len(got.RotationMemberIDs) != 2 || *got.MaxOccurrences != 5 || got.EndDate == nil {
		t.Errorf("an old app left %+v", got)
	}
	got = put(with(old, doc{"checklist": []doc{{"id": item, "title": "Air filter"}}, "rotation": "none", "max_occurrences": nil}))
	if !got.Checklist[0].IsDone || got.Checklist[0].Title != "Air filter" || got.Rotation != "none" || len(got.RotationMemberIDs) != 0 || got.MaxOccurrences != nil || got.EndDate == nil {
		t.Errorf("a new one left %+v", got)
	}
	got = put(with(old, doc{"checklist": nil, "rotation": nil, "rotation_member_ids": nil, "end_date": nil}))
	if len(got.Checklist) != 0 || got.Rotation != "none" || got.EndDate != nil {
		t.Errorf("cleared: %+v", got)
	}
	for field, body := range map[string]doc{"body.rotation": {"rotation": "x"}, "body.max_occurrences": {"max_occurrences": 0}, "body.checklist[0].title": {"checklist": []doc{{"title": " "}}}, "body.end_date": {"end_date": "x"}} {
		if a := h.owner.Refused(422, "validation_failed", "PUT", path("tasks", mine.ID), with(old, body)); !strings.Contains(string(a.Body), `"`+field+`"`) {
			t.Errorf("%v: %s", body, a.Body)
		}
	}
}

func TestAnAppThatDoesNotKnowFilesKeepsThoseOfAContractor(t *testing.T) {
	h := open(t)
	card := h.documents.Upload(h.owner.Actor.UserID)
	rosa := testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Rosa", "upload_ids": []uuid.UUID{card}}))
	put := func(body doc) []uuid.UUID {
		t.Helper()
		return testkit.JSON[task.Contractor](t, h.owner.For(t).Want(200, "PUT", path("contractors", rosa.ID), body)).UploadIDs
	}
	if got := put(doc{"name": "Rosa Tiles"}); len(got) != 1 || got[0] != card {
		t.Errorf("an old app left %v", got)
	}
	refusedAt(t, h.owner.Refused(422, "validation_failed", "PUT", path("contractors", rosa.ID), doc{"name": "Rosa", "upload_ids": []uuid.UUID{newID()}}), "body.upload_ids[0]")
	if got := put(doc{"name": "Rosa", "upload_ids": nil}); len(got) != 0 {
		t.Errorf("a new one left %v", got)
	}
}
