package task_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

// refusedAt fails unless the answer names just these fields.
func refusedAt(t *testing.T, a testkit.Answer, fields ...string) {
	t.Helper()
	problem := testkit.JSON[struct {
		Errors []struct{ Location string }
	}](t, a)
	var got []string
	for _, e := range problem.Errors {
		got = append(got, e.Location)
	}
	if !slices.Equal(got, fields) {
		t.Errorf("refused are %v, want %v: %s", got, fields, a.Body)
	}
}

func told[P any](t *testing.T, h house, name string) []P {
	t.Helper()
	var out []P
	for _, raw := range h.Outbox(t, name) {
		var p P
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestACompletionNamesOnlyPhotosThatThePersonMayName(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-01"})
	good, better, theirs := h.documents.Upload(h.owner.Actor.UserID), h.documents.Upload(h.owner.Actor.UserID), h.documents.Upload(h.stranger.Actor.UserID)
	at := "/api/task-completions/"
	body := func(ids ...uuid.UUID) doc { return doc{"task_id": mine.ID, "upload_ids": ids} }

	refusedAt(t, h.owner.Refused(422, "validation_failed", "POST", at, body(good, theirs, newID())), "body.upload_ids[1]", "body.upload_ids[2]")
	refusedAt(t, h.owner.Refused(422, "validation_failed", "POST", at, body(good, good)), "body.upload_ids[1]")
	refusedAt(t, h.owner.Refused(422, "validation_failed", "POST", at, body(uuid.Nil)), "body.upload_ids[0]")
	h.owner.Refused(422, "validation_failed", "POST", at, doc{"task_id": mine.ID, "upload_ids": []string{"x"}})
	h.owner.Refused(422, "validation_failed", "POST", at, body(slices.Repeat([]uuid.UUID{good}, 21)...))
	h.viewer.Refused(403, "not_permitted", "POST", at, body(theirs))
	h.stranger.Refused(404, "not_found", "POST", at, body(theirs)) // what they may name does not matter there
	if got := h.read(t, mine.ID); got.CompletionCount != 0 {
		t.Fatalf("refused, and yet %+v", got)
	}

	made := h.owner.Want(201, "POST", at, with(body(good), doc{"id": newID()}))
	done := testkit.JSON[task.Completion](t, made)
	if !slices.Equal(done.UploadIDs, []uuid.UUID{good}) || sqlTrips(made) != 2 {
		t.Errorf("%+v in %d round trips", done, sqlTrips(made))
	}
	at = path("task-completions", done.ID)
	// Somebody else may leave what is there, which they did not upload, and add what is theirs.
	h.member.Want(200, "PUT", at, doc{"upload_ids": []uuid.UUID{good}, "notes": "n"})
	refusedAt(t, h.member.Refused(422, "validation_failed", "PUT", at, doc{"upload_ids": []uuid.UUID{good, better}}), "body.upload_ids[1]")
	a := h.owner.Want(200, "PUT", at, doc{"upload_ids": []uuid.UUID{better, good}})
	if got := testkit.JSON[task.Completion](t, a).UploadIDs; !slices.Equal(got, []uuid.UUID{better, good}) || sqlTrips(a) != 2 {
		t.Errorf("photos %v in %d round trips", got, sqlTrips(a))
	}
}

func TestOnlyWhoNamesNewFilesNeedsTheDocumentService(t *testing.T) {
	h := open(t)
	photo := h.documents.Upload(h.owner.Actor.UserID)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-01"})
	body := doc{"id": newID(), "task_id": mine.ID, "upload_ids": []uuid.UUID{photo}}
	done := testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", "/api/task-completions/", body))
	rosa := testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Rosa", "residence_id": h.home, "upload_ids": []uuid.UUID{photo}}))
	asked := h.documents.Asked()

	h.owner.Want(201, "POST", path("tasks", mine.ID, "quick-complete"), nil)
	h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": mine.ID, "upload_ids": []uuid.UUID{}})
	h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Tom", "upload_ids": nil})
	h.owner.Want(200, "PATCH", path("contractors", rosa.ID), doc{"notes": "n"})
	if got := h.documents.Asked(); got != asked {
		t.Errorf("it was asked %d times although no file was named", got-asked)
	}

	h.documents.Break(true)
	other := doc{"task_id": mine.ID, "upload_ids": []uuid.UUID{photo}}
	h.owner.Refused(503, "service_unavailable", "POST", "/api/task-completions/", other)
	h.owner.Refused(503, "service_unavailable", "POST", "/api/contractors/", doc{"name": "Sue", "upload_ids": []uuid.UUID{photo}})
	h.owner.Refused(503, "service_unavailable", "PUT", path("task-completions", done.ID), doc{"upload_ids": []uuid.UUID{photo, newID()}})
	h.owner.Refused(503, "service_unavailable", "PATCH", path("contractors", rosa.ID), doc{"upload_ids": []uuid.UUID{newID()}})
	h.viewer.Refused(403, "not_permitted", "POST", "/api/task-completions/", other)
	h.stranger.Refused(404, "not_found", "PATCH", path("contractors", rosa.ID), doc{"upload_ids": []uuid.UUID{newID()}})
	h.owner.Want(200, "POST", "/api/task-completions/", body) // sent again: it is there
	h.owner.Want(200, "PUT", path("task-completions", done.ID), doc{"upload_ids": []uuid.UUID{photo}})
	h.owner.Want(200, "PUT", path("contractors", rosa.ID), doc{"name": "Rosa", "residence_id": h.home, "upload_ids": []uuid.UUID{photo}})
	h.owner.Want(200, "PATCH", path("contractors", rosa.ID), doc{"upload_ids": nil})
}

func TestEventsOfACompletionEndRightInAnyOrder(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	photo := h.documents.Upload(h.owner.Actor.UserID)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly, "due_date": "2026-03-01"})
	id := newID()
	at := path("task-completions", id)
	body := doc{"id": id, "task_id": mine.ID, "upload_ids": []uuid.UUID{photo}}
	h.owner.Want(201, "POST", "/api/task-completions/", body)
	h.owner.Want(200, "PUT", at, doc{"upload_ids": nil})
	h.owner.Want(204, "DELETE", at, nil)
	h.owner.Want(201, "POST", "/api/task-completions/", body) // they think better of it
	done, changed := told[events.Completion](t, h, "task.completed"), told[events.Completion](t, h, "task.completion_changed")
	if len(done) != 2 || len(changed) != 2 {
		t.Fatalf("%d and %d events", len(done), len(changed))
	}
	for i, e := range []struct {
		events.Completion
		gone    bool
		uploads int
	}{{done[0], false, 1}, {changed[0], false, 0}, {changed[1], true, 0}, {done[1], false, 1}} {
		if e.ID != id || e.Task.ID != mine.ID || e.Task.ResidenceID != h.home || e.Task.ActorID != h.owner.Actor.UserID || e.Version != 2+i || e.Version != e.Task.Version ||
			e.Gone != e.gone || len(e.UploadIDs) != e.uploads {
			t.Errorf("event %d is %+v", i, e.Completion)
		}
	}
	h.owner.Want(200, "PATCH", path("tasks", mine.ID), doc{"residence_id": second})
	moved := told[events.TaskRef](t, h, "task.changed")
	if e := moved[len(moved)-1]; e.ResidenceID != second || e.PreviousResidenceID != h.home || e.Version <= done[1].Version {
		t.Errorf("moved: %+v", e)
	}
}

func TestFilesOfAContractor(t *testing.T) {
	h := open(t)
	card, licence, theirs := h.documents.UploadPaper(h.owner.Actor.UserID), h.documents.Upload(h.owner.Actor.UserID), h.documents.Upload(h.stranger.Actor.UserID)
	contractors := "/api/contractors/"
	refusedAt(t, h.owner.Refused(422, "validation_failed", "POST", contractors, doc{"name": "Rosa", "upload_ids": []uuid.UUID{card, theirs}}), "body.upload_ids[1]")
	refusedAt(t, h.owner.Refused(422, "validation_failed", "POST", contractors, doc{"name": "Rosa", "upload_ids": []uuid.UUID{card, card}}), "body.upload_ids[1]")
	h.owner.Refused(422, "validation_failed", "POST", contractors, doc{"name": "Rosa", "upload_ids": slices.Repeat([]uuid.UUID{card}, 21)})
	if got := list[task.Contractor](t, h.owner.Want(200, "GET", contractors, nil)); len(got.Items) != 0 {
		t.Fatalf("refused, and yet %+v", got.Items)
	}
	h.viewer.Refused(403, "not_permitted", "POST", contractors, doc{"name": "Rosa", "residence_id": h.home, "upload_ids": []uuid.UUID{theirs}})

	body := doc{"id": newID(), "name": "Rosa", "residence_id": h.home, "upload_ids": []uuid.UUID{card}}
	a := h.owner.Want(201, "POST", contractors, body)
	rosa := testkit.JSON[task.Contractor](t, a)
	if !slices.Equal(rosa.UploadIDs, []uuid.UUID{card}) || sqlTrips(a) != 2 {
		t.Errorf("%+v in %d round trips", rosa, sqlTrips(a))
	}
	at := path("contractors", rosa.ID)
	read := func(c *testkit.Client) []uuid.UUID {
		return testkit.JSON[task.Contractor](t, c.Want(200, "GET", at, nil)).UploadIDs
	}
	h.member.Want(200, "PATCH", at, doc{"upload_ids": []uuid.UUID{card}, "notes": "n"}) // it is there
	refusedAt(t, h.member.Refused(422, "validation_failed", "PATCH", at, doc{"upload_ids": []uuid.UUID{theirs, card, licence}}), "body.upload_ids[0]", "body.upload_ids[2]")
	h.viewer.Refused(403, "not_permitted", "PATCH", at, doc{"upload_ids": []uuid.UUID{}})
	h.stranger.Refused(404, "not_found", "PATCH", at, doc{"upload_ids": []uuid.UUID{theirs}})
	h.owner.Refused(412, "version_conflict", "PATCH", at, doc{"upload_ids": []uuid.UUID{licence}}, "If-Match", `"1"`)
	h.owner.Want(200, "PATCH", at, doc{"upload_ids": []uuid.UUID{licence, card}}, "If-Match", `"2"`)
	h.owner.Want(200, "PATCH", at, doc{"company": "Becker"})
	if got := read(h.viewer); !slices.Equal(got, []uuid.UUID{licence, card}) {
		t.Errorf("files %v", got)
	}
	h.owner.Want(200, "PATCH", at, doc{"residence_id": nil})
	h.owner.Want(200, "POST", path("contractors", rosa.ID, "toggle-favorite"), nil)
	h.owner.Want(200, "PUT", at, doc{"name": "Rosa", "upload_ids": nil})
	if got := read(h.owner); len(got) != 0 {
		t.Errorf("files %v", got)
	}
	h.owner.Want(204, "DELETE", at, nil)

	shared := &h.home
	for i, want := range []events.Contractor{
		{Change: "created", ResidenceID: shared, UploadIDs: []uuid.UUID{card}, Version: 1},
		{Change: "changed", ResidenceID: shared, UploadIDs: []uuid.UUID{card}, Version: 2},
		{Change: "changed", ResidenceID: shared, UploadIDs: []uuid.UUID{licence, card}, Version: 3},
		{Change: "changed", ResidenceID: shared, UploadIDs: []uuid.UUID{licence, card}, Version: 4},
		{Change: "changed", UploadIDs: []uuid.UUID{licence, card}, Version: 5},
		{Change: "favorite"},
		{Change: "changed", UploadIDs: []uuid.UUID{}, Version: 6},
		{Change: "deleted", Version: 7},
	} {
		got := told[events.Contractor](t, h, "contractor.changed")[i]
		if got.ID != rosa.ID || got.CreatedBy != h.owner.Actor.UserID || got.Change != want.Change || got.Version != want.Version ||
			!slices.Equal(got.UploadIDs, want.UploadIDs) || fmt.Sprint(orNone(got.ResidenceID)) != fmt.Sprint(orNone(want.ResidenceID)) {
			t.Errorf("event %d is %+v", i, got)
		}
	}
}

func TestTwoWhoNameFilesOfAContractorAtOnce(t *testing.T) {
	h := open(t)
	at := path("contractors", testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Rosa", "residence_id": h.home})).ID)
	var all sync.WaitGroup
	statuses := make([]int, 6)
	for i := range statuses {
		who := []*testkit.Client{h.owner, h.member}[i%2]
		file := h.documents.Upload(who.Actor.UserID)
		all.Go(func() {
			statuses[i] = who.Call("PATCH", at, doc{"upload_ids": []uuid.UUID{file}}, "If-Match", `"1"`).Status
		})
	}
	all.Wait()
	slices.Sort(statuses)
	if statuses[0] != 200 || statuses[1] != 412 {
		t.Errorf("answers %v", statuses)
	}
	if got := testkit.JSON[task.Contractor](t, h.owner.Want(200, "GET", at, nil)); len(got.UploadIDs) != 1 || got.Version != 2 {
		t.Errorf("it has %v at version %d", got.UploadIDs, got.Version)
	}
	if page := string(h.owner.Want(200, "POST", "/internal/sync", internalapi.SyncQuery{Limit: 10}).Body); !strings.Contains(page, `"upload_ids":["`) {
		t.Errorf("the sync does not tell of the files: %s", page)
	}
}

func orNone(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}
