package document_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

func TestTheTaskServiceIsAskedWhereThingsAre(t *testing.T) {
	h := open(t)
	personal, shared := h.refs.contractor(uuid.Nil), h.refs.contractor(h.home)
	d := h.file(t, h.owner, doc{"contractor_id": personal})
	if h.refs.asked != 1 {
		t.Errorf("asked %d times", h.refs.asked)
	}
	// What somebody else has named may stay when the rest is changed.
	h.refs.known.Contractors = h.refs.known.Contractors[1:] // to a member it is not there
	put := doc{"residence_id": h.home, "title": "x", "contractor_id": personal}
	h.member.Want(200, "PUT", path("documents", d.ID), put)
	h.member.Want(200, "PATCH", path("documents", d.ID), doc{"contractor_id": shared})
	h.member.Refused(422, "validation_failed", "PATCH", path("documents", d.ID), doc{"contractor_id": personal})
	asked := h.refs.asked
	h.member.Want(200, "PATCH", path("documents", d.ID), doc{"title": "y", "contractor_id": nil, "task_id": nil})
	if h.refs.asked != asked {
		t.Error("asked for nothing")
	}
}

func TestWithoutTheTaskServiceItsThingsCannotBeNamed(t *testing.T) {
	h := openWith(t, func(cfg *document.Config) { cfg.TaskURL = "http://127.0.0.1:9" })
	h.owner.Refused(503, "service_unavailable", "POST", "/api/documents/", doc{"residence_id": h.home, "title": "x", "task_id": newID()})
	h.file(t, h.owner, nil)
}

func TestDocumentsLetGoOfWhatIsDeleted(t *testing.T) {
	h := open(t)
	task, contractor := h.refs.task(h.home), h.refs.contractor(h.home)
	d, other := h.file(t, h.owner, doc{"task_id": task, "contractor_id": contractor}), h.file(t, h.owner, doc{"task_id": h.refs.task(h.home)})
	before := h.owner.Want(200, "GET", "/api/documents/", nil).Header.Get("ETag")
	testkit.Deliver(t, h.Service, events.TaskDeleted, events.TaskRef{ID: task, ResidenceID: h.home, Version: 3})
	testkit.Deliver(t, h.Service, events.TaskDeleted, events.TaskRef{ID: task, ResidenceID: h.home, Version: 3})
	testkit.Deliver(t, h.Service, events.ContractorChanged, events.Contractor{ID: contractor, Change: "favorite"})
	if got := h.readDocument(t, d.ID); got.TaskID != nil || *got.ContractorID != contractor || got.Version != 2 {
		t.Errorf("without its task %+v", got)
	}
	testkit.Deliver(t, h.Service, events.ContractorChanged, events.Contractor{ID: contractor, Change: "deleted"})
	if got := h.readDocument(t, d.ID); got.ContractorID != nil || got.Version != 3 {
		t.Errorf("without its contractor %+v", got)
	}
	if got := h.readDocument(t, other.ID); got.TaskID == nil || got.Version != 1 {
		t.Errorf("another one %+v", got)
	}
	var last events.DocumentRef
	told := h.Outbox(t, "document.changed")
	if err := json.Unmarshal(told[len(told)-1], &last); err != nil || len(told) != 4 || last.ID != d.ID || last.Version != 3 || last.Change != "changed" {
		t.Errorf("told %d, last %+v (%v)", len(told), last, err)
	}
	h.settle(t)
	h.owner.Want(200, "GET", "/api/documents/", nil, "If-None-Match", before)
	// The task service may still answer where it was.
	for _, body := range []doc{{"task_id": task}, {"contractor_id": contractor}} {
		h.owner.Refused(422, "validation_failed", "POST", "/api/documents/", with(doc{"residence_id": h.home, "title": "x"}, body))
	}
}

func TestADocumentThatIsWrittenWhileItsTaskIsDeletedLetsGoLater(t *testing.T) {
	h := open(t)
	task := h.refs.task(h.home)
	d, other := h.file(t, h.owner, doc{"task_id": task}), h.file(t, h.owner, doc{"task_id": h.refs.task(h.home)})
	mark := func(at time.Time) {
		t.Helper()
		if _, err := h.DB.Exec(t.Context(), `INSERT INTO gone_things (id, gone_at) VALUES ($1, $2)`, task, at); err != nil {
			t.Fatal(err)
		}
		if err := document.LetGoLateOnce(t.Context(), h.Deps); err != nil {
			t.Fatal(err)
		}
	}
	mark(h.Clock.Now())
	if got := h.readDocument(t, d.ID); got.TaskID != nil || got.Version != 2 {
		t.Errorf("it still names it: %+v", got)
	}
	if got := h.readDocument(t, other.ID); got.TaskID == nil || got.Version != 1 {
		t.Errorf("another one %+v", got)
	}
	h.Clock.Advance(25 * time.Hour)
	if err := document.LetGoLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	var kept int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM gone_things`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d marks are kept for ever (%v)", kept, err)
	}
}

func TestDocumentsOfAnotherResidenceLetGoOfATaskThatMoves(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	task := h.refs.task(h.home)
	moved := func(from, to uuid.UUID, version int) {
		t.Helper()
		testkit.Deliver(t, h.Service, events.TaskChanged, events.TaskRef{ID: task, ResidenceID: to, PreviousResidenceID: from, Version: version})
	}
	d := h.file(t, h.owner, doc{"task_id": task})
	testkit.Deliver(t, h.Service, events.TaskChanged, events.TaskRef{ID: task, ResidenceID: h.home, Version: 2}) // nothing that matters
	// It went and came back: the events come the other way round.
	moved(second, h.home, 4)
	moved(h.home, second, 3)
	if got := h.readDocument(t, d.ID); got.TaskID == nil || got.Version != 1 {
		t.Errorf("it let go of a task that is there: %+v", got)
	}
	moved(h.home, second, 5)
	if got := h.readDocument(t, d.ID); got.TaskID != nil || got.Version != 2 {
		t.Errorf("it names a task of elsewhere: %+v", got)
	}
}
