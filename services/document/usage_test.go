package document_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

func statusKeys(of ...*testkit.Client) []string {
	keys := make([]string, len(of))
	for i, c := range of {
		keys[i] = cache.StatusKey(c.Actor.UserID)
	}
	return keys
}

func TestWhoseStatusAChangeMakesStale(t *testing.T) {
	h := open(t)
	h.homes.Give(h.member.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "member", Timezone: "UTC"})
	id, equipment := newID(), newID()
	for _, c := range []struct {
		name         string
		whose        []*testkit.Client
		method, path string
		body         any
		status       int
	}{
		{"a document of the owner's", []*testkit.Client{h.owner}, "POST", "/api/documents/", doc{"id": id, "residence_id": h.home, "title": "x"}, 201},
		{"an edit", nil, "PATCH", path("documents", id), doc{"title": "y"}, 200},
		{"a move to another owner", []*testkit.Client{h.owner, h.stranger}, "PATCH", path("documents", id), doc{"residence_id": h.elsewhere}, 200},
		{"a deletion", []*testkit.Client{h.stranger}, "DELETE", path("documents", id), nil, 204},
		{"a piece of equipment", []*testkit.Client{h.owner}, "POST", "/api/equipment/", doc{"id": equipment, "residence_id": h.home, "name": "x"}, 201},
		{"an edit of equipment", nil, "PATCH", path("equipment", equipment), doc{"name": "y"}, 200},
		{"a deletion of equipment", []*testkit.Client{h.owner}, "DELETE", path("equipment", equipment), nil, 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Stale(t, h.Service, statusKeys(h.owner, h.member, h.viewer, h.stranger), statusKeys(c.whose...), func() {
				h.member.For(t).Want(c.status, c.method, c.path, c.body)
			})
		})
	}
}

func (h house) usage(t *testing.T, of uuid.UUID, named ...uuid.UUID) map[uuid.UUID]internalapi.DocumentUse {
	t.Helper()
	a := h.AsPart(t, "billing").Want(200, "POST", "/internal/usage", internalapi.UsageQuery{UserID: of, ResidenceIDs: named})
	if sqlTrips(a) != 1 {
		t.Errorf("it took %d round trips", sqlTrips(a))
	}
	return testkit.JSON[internalapi.DocumentUsage](t, a).Homes
}

func TestUsageIsWhatTheLimitsCount(t *testing.T) {
	for name, prepare := range map[string]bool{"prepared": true, "behind an old PgBouncer": false} {
		t.Run(name, func(t *testing.T) {
			h := openWith(t, func(cfg *document.Config) { cfg.DatabasePrepare = prepare }, testkit.OnFreePlan)
			owner, second, empty := h.owner.Actor.UserID, newID(), newID()
			h.homes.Give(owner, internalapi.Home{ID: second, OwnerID: owner, Role: "owner", Timezone: "UTC"})
			testkit.Deliver(t, h.Service, events.ResidenceCreated, events.Home{ID: h.home, OwnerID: owner, Version: 1})
			for range 4 {
				h.file(t, h.member, nil)
			}
			h.file(t, h.owner, doc{"residence_id": second})
			for range 10 {
				h.member.Want(201, "POST", "/api/equipment/", doc{"residence_id": h.home, "name": "x"})
			}
			full(t, h.owner.Call("POST", "/api/documents/", doc{"residence_id": second, "title": "x"}), refusal{"add_document", 5, 5})
			full(t, h.owner.Call("POST", "/api/equipment/", doc{"residence_id": second, "name": "x"}), refusal{"add_equipment", 10, 10})
			// The second is not heard of here yet: whoever asks names it.
			want := map[uuid.UUID]internalapi.DocumentUse{h.home: {Documents: 4, Equipment: 10}, second: {Documents: 1}, empty: {}}
			if got := h.usage(t, owner, second, empty, h.home); !maps.Equal(got, want) {
				t.Errorf("usage %+v", got)
			}
			delete(want, second)
			delete(want, empty)
			if got := h.usage(t, owner); !maps.Equal(got, want) {
				t.Errorf("usage of what is heard of %+v", got)
			}
			if got := h.usage(t, newID()); got == nil || len(got) != 0 {
				t.Errorf("usage of nobody %+v", got)
			}
		})
	}
}

func TestWhoseAResidenceIsInWhateverOrderItIsTold(t *testing.T) {
	h := open(t)
	ann, bob := newID(), newID()
	at := func(minute int) testkit.Delivery {
		return testkit.Delivery{At: testkit.Start.Add(time.Duration(minute) * time.Minute)}
	}
	owned := func(want uuid.UUID) {
		t.Helper()
		for _, person := range []uuid.UUID{ann, bob} {
			if _, theirs := h.usage(t, person)[h.home]; theirs != (want == person) {
				t.Errorf("%s has it: %t", person, theirs)
			}
		}
	}
	testkit.DeliverAs(t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home, OwnerID: bob, UserID: bob, Change: "transferred"}, at(2))
	testkit.DeliverAs(t, h.Service, events.ResidenceCreated, events.Home{ID: h.home, OwnerID: ann, Version: 1}, at(0))
	owned(bob)
	testkit.DeliverAs(t, h.Service, events.ResidenceChanged, events.Home{ID: h.home, OwnerID: ann, Version: 5}, at(3)) // it was given back
	owned(ann)
	testkit.DeliverAs(t, h.Service, events.ResidenceDeleted, events.Home{ID: h.home, OwnerID: ann, Version: 6}, at(5))
	testkit.DeliverAs(t, h.Service, events.ResidenceChanged, events.Home{ID: h.home, OwnerID: ann, Version: 5}, at(4))
	owned(uuid.Nil)
}
