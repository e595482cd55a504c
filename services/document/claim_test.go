package document_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document/filetype/samples"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
)

// sees asserts which of the four see an upload: owner, member, viewer, stranger.
func (h house) sees(t *testing.T, what string, upload uuid.UUID, want ...bool) {
	t.Helper()
	for i, c := range []*testkit.Client{h.owner, h.member, h.viewer, h.stranger} {
		if status := c.For(t).Call("GET", path("uploads", upload), nil).Status; (status == 200) != want[i] {
			t.Errorf("%s: number %d is answered %d", what, i+1, status)
		}
	}
}

// did is a completion at the task's third version.
func (h house) did(task uuid.UUID, uploads ...uuid.UUID) events.Completion {
	const version = 3
	return events.Completion{
		ID: newID(), Task: events.TaskRef{ID: task, ResidenceID: h.home, ActorID: h.member.Actor.UserID, Version: version},
		CompletedBy: h.member.Actor.UserID, UploadIDs: uploads, Version: version,
	}
}

func TestPhotosOfACompletionAreSeenByWhoSeesTheResidence(t *testing.T) {
	h := open(t)
	a, b, theirs := sent(t, h.member, "a.jpg", samples.Allowed()[0].Body).ID, sent(t, h.member, "b.jpg", samples.Allowed()[0].Body).ID, sent(t, h.stranger, "c.jpg", samples.Allowed()[0].Body).ID
	h.sees(t, "before", a, false, true, false, false)
	h.paper(t, h.elsewhere, theirs)
	task := newID()
	done := h.did(task, a, b, theirs)
	testkit.Deliver(t, h.Service, events.TaskCompleted, done)
	h.sees(t, "a photo", a, true, true, true, false)
	h.sees(t, "what is somebody else's", theirs, false, false, false, true)

	done.Version, done.Task.Version, done.UploadIDs = 5, 5, []uuid.UUID{b}
	testkit.Deliver(t, h.Service, events.CompletionChanged, done)
	h.sees(t, "what was taken out", a, false, true, false, false)
	late := done
	late.Version, late.UploadIDs = 4, []uuid.UUID{a}
	testkit.Deliver(t, h.Service, events.CompletionChanged, late)
	h.sees(t, "an older change that comes late", a, false, true, false, false)
	h.sees(t, "what stayed", b, true, true, true, false)

	undone := done
	undone.Version, undone.UploadIDs, undone.Gone = 6, nil, true
	testkit.Deliver(t, h.Service, events.CompletionChanged, undone)
	h.sees(t, "a photo of what was undone", b, false, true, false, false)
	testkit.Deliver(t, h.Service, events.TaskCompleted, h.did(task)) // one without photos
}

func TestPhotosFollowTheirTask(t *testing.T) {
	h := open(t)
	photo := sent(t, h.member, "a.jpg", samples.Allowed()[0].Body).ID
	task := newID()
	done := h.did(task, photo)
	moved := events.TaskRef{ID: task, ResidenceID: h.elsewhere, PreviousResidenceID: h.home, Version: 4}
	for name, order := range map[string][]func(){
		"in order": {
			func() { testkit.Deliver(t, h.Service, events.TaskCompleted, done) },
			func() { testkit.Deliver(t, h.Service, events.TaskChanged, moved) },
		},
		"the other way round": {
			func() { testkit.Deliver(t, h.Service, events.TaskChanged, moved) },
			func() { done.ID, done.Version = newID(), 3; testkit.Deliver(t, h.Service, events.TaskCompleted, done) },
		},
	} {
		for _, f := range order {
			f()
		}
		h.sees(t, name, photo, false, false, false, true)
	}
	testkit.Deliver(t, h.Service, events.TaskDeleted, events.TaskRef{ID: task, ResidenceID: h.elsewhere, Version: 5})
	h.sees(t, "the task is gone", photo, false, true, false, false)
	done.ID = newID()
	testkit.Deliver(t, h.Service, events.TaskCompleted, done)
	h.sees(t, "a completion of a task that is gone", photo, false, true, false, false)
	h.Clock.Advance(26 * time.Hour)
	wake(t, h)
	h.Clock.Advance(26 * time.Hour)
	wake(t, h)
	h.member.Want(404, "GET", path("uploads", photo), nil)
}

func TestFilesOfAContractor(t *testing.T) {
	h := open(t)
	card, licence := sent(t, h.owner, "card.jpg", samples.Allowed()[0].Body).ID, sent(t, h.owner, "licence.pdf", samples.PDF("Licence")).ID
	rosa := events.Contractor{ID: newID(), CreatedBy: h.owner.Actor.UserID, ActorID: h.owner.Actor.UserID, Change: "created", UploadIDs: []uuid.UUID{card, licence}, Version: 1}
	hear := func(version int, change string, home *uuid.UUID, uploads ...uuid.UUID) {
		t.Helper()
		next := rosa
		next.Version, next.Change, next.ResidenceID, next.UploadIDs = version, change, home, uploads
		testkit.Deliver(t, h.Service, events.ContractorChanged, next)
	}
	testkit.Deliver(t, h.Service, events.ContractorChanged, rosa)
	h.sees(t, "of a personal one", card, true, false, false, false)
	hear(2, "changed", &h.home, card, licence)
	h.sees(t, "of a shared one", card, true, true, true, false)
	hear(0, "favorite", nil)
	h.sees(t, "of a favourite", licence, true, true, true, false)
	hear(3, "changed", &h.home, card)
	h.sees(t, "what was taken out", licence, true, false, false, false)
	hear(4, "deleted", &h.home)
	h.sees(t, "of one that is deleted", card, true, false, false, false)
	hear(2, "changed", &h.home, card) // late
	h.sees(t, "of one that is deleted, whatever comes late", card, true, false, false, false)
	if f := h.check(t); !f.Sound() || slices.Contains(f.OrphanBlobs, "") {
		t.Errorf("the storage: %+v", f)
	}
}

func TestFilesOfAContractorMoveWithIt(t *testing.T) {
	h := open(t)
	card := sent(t, h.member, "card.jpg", samples.Allowed()[0].Body).ID
	rosa := events.Contractor{
		ID: newID(), CreatedBy: h.owner.Actor.UserID, ActorID: h.member.Actor.UserID, Change: "changed", ResidenceID: &h.home, UploadIDs: []uuid.UUID{card}, Version: 2,
	}
	testkit.Deliver(t, h.Service, events.ContractorChanged, rosa)
	h.sees(t, "of a shared one", card, true, true, true, false)
	rosa.ActorID, rosa.ResidenceID, rosa.Version = h.owner.Actor.UserID, &h.elsewhere, 3 // by somebody else than who has uploaded it
	testkit.Deliver(t, h.Service, events.ContractorChanged, rosa)
	h.sees(t, "of one that is shared elsewhere", card, false, false, false, true)
	rosa.ResidenceID, rosa.Version = nil, 4
	testkit.Deliver(t, h.Service, events.ContractorChanged, rosa)
	h.sees(t, "of a personal one", card, true, false, false, false)
}

func TestAPhotoIsKeptWhoeverIsHeardFirst(t *testing.T) {
	h := open(t)
	photo := sent(t, h.member, "a.jpg", samples.Allowed()[0].Body).ID
	done := h.did(newID(), photo)
	edited := done
	edited.Version, edited.Task.Version, edited.Task.ActorID = 4, 4, h.owner.Actor.UserID
	testkit.Deliver(t, h.Service, events.CompletionChanged, edited) // by the owner, of a photo that the member has sent
	testkit.Deliver(t, h.Service, events.TaskCompleted, done)
	h.sees(t, "the photo", photo, true, true, true, false)
}
