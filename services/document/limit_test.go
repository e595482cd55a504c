package document_test

import (
	"sync"
	"testing"

	"hearth.internal/document"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

// refusal is what the apps read of limit_reached.
type refusal struct {
	Trigger string `json:"trigger_key"`
	Limit   int    `json:"limit"`
	Used    int    `json:"used"`
}

func full(t *testing.T, a testkit.Answer, want refusal) {
	t.Helper()
	if got := testkit.JSON[refusal](t, a); a.Status != 403 || a.Code() != "limit_reached" || got != want {
		t.Errorf("%d %s, want %+v", a.Status, a.Body, want)
	}
}

func TestDocumentsUpToTheLimitHoweverManyComeAtOnce(t *testing.T) {
	t.Run("prepared", func(t *testing.T) {
		raceForDocuments(t, openWith(t, func(*document.Config) {}, testkit.OnFreePlan))
	})
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		raceForDocuments(t, openWith(t, func(cfg *document.Config) { cfg.DatabasePrepare = false }, testkit.OnFreePlan))
	})
}

func raceForDocuments(t *testing.T, h house) {
	t.Helper()
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	h.owner.Want(200, "GET", "/api/documents/", nil) // what they see is known to the cache
	h.member.Want(200, "GET", "/api/documents/", nil)
	const limit, times = 5, 60
	var group sync.WaitGroup
	answers := make([]testkit.Answer, times)
	for i := range times {
		group.Go(func() {
			if i%2 == 0 { // a member's documents count for the owner
				answers[i] = h.member.Call("POST", "/api/documents/", doc{"residence_id": h.home, "title": "x"})
			} else {
				answers[i] = h.owner.Call("POST", "/api/documents/", doc{"residence_id": second, "title": "x"})
			}
		})
	}
	group.Wait()
	counts := map[int]int{}
	for _, a := range answers {
		counts[a.Status]++
		if a.Status == 403 {
			full(t, a, refusal{"add_document", limit, limit})
		}
		if sqlTrips(a) != 1 {
			t.Errorf("%d took %d round trips", a.Status, sqlTrips(a))
		}
	}
	if counts[201] != limit || counts[403] != times-limit || len(h.Outbox(t, "document.changed")) != limit {
		t.Errorf("answers %v", counts)
	}
}

func TestWhatCountsForTheLimitOfDocuments(t *testing.T) {
	h := openWith(t, func(*document.Config) {}, testkit.OnFreePlan)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	h.homes.Give(h.member.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "member", Timezone: "UTC"})
	id := newID()
	body := doc{"id": id, "residence_id": h.home, "title": "x"}
	h.owner.Want(201, "POST", "/api/documents/", body)
	for range 4 {
		h.file(t, h.member, nil)
	}
	full(t, h.member.Call("POST", "/api/documents/", with(body, doc{"id": newID()})), refusal{"add_document", 5, 5})
	// What is there already answers as ever, and what is wrong is told first.
	h.owner.Want(200, "POST", "/api/documents/", body)
	h.owner.Refused(422, "validation_failed", "POST", "/api/documents/", doc{"residence_id": h.home, "title": "x", "upload_id": newID()})
	h.viewer.Refused(403, "not_permitted", "POST", "/api/documents/", with(body, doc{"id": newID()}))
	// Moving counts where the owner is another one.
	h.owner.Want(200, "PATCH", path("documents", id), doc{"residence_id": second})
	guest := h.file(t, h.member, doc{"residence_id": h.elsewhere})
	full(t, h.member.Call("PATCH", path("documents", guest.ID), doc{"residence_id": h.home}), refusal{"add_document", 5, 5})
	h.owner.Want(204, "DELETE", path("documents", id), nil)
	h.member.Want(200, "PATCH", path("documents", guest.ID), doc{"residence_id": h.home})
}
