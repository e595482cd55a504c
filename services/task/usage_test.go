package task_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
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
	h.homes.Give(h.member.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "member", Timezone: "UTC", Currency: "USD"})
	id, contractor := newID(), newID()
	both := doc{"tasks": []doc{{"residence_id": h.home, "title": "x"}, {"residence_id": h.elsewhere, "title": "y"}}}
	templates := list[task.Template](t, h.owner.Want(200, "GET", "/api/tasks/templates/", nil)).Items
	for _, c := range []struct {
		name         string
		whose        []*testkit.Client
		method, path string
		body         any
		status       int
	}{
		{"a task of the owner's", []*testkit.Client{h.owner}, "POST", "/api/tasks/", doc{"id": id, "residence_id": h.home, "title": "x"}, 201},
		{"an edit", nil, "PATCH", path("tasks", id), doc{"title": "y"}, 200},
		{"a move to another owner", []*testkit.Client{h.owner, h.stranger}, "PATCH", path("tasks", id), doc{"residence_id": h.elsewhere}, 200},
		{"a deletion", []*testkit.Client{h.stranger}, "DELETE", path("tasks", id), nil, 204},
		{"tasks for two owners", []*testkit.Client{h.owner, h.stranger}, "POST", "/api/tasks/bulk/", both, 201},
		{"templates", []*testkit.Client{h.owner}, "POST", "/api/tasks/templates/apply/", doc{"residence_id": h.home, "template_ids": []uuid.UUID{templates[0].ID}}, 201},
		{"a personal contractor", []*testkit.Client{h.member}, "POST", "/api/contractors/", doc{"id": contractor, "name": "x"}, 201},
		{"an edit of a contractor", nil, "PATCH", path("contractors", contractor), doc{"name": "y"}, 200},
		{"a favourite", nil, "POST", path("contractors", contractor) + "toggle-favorite/", nil, 200},
		{"a contractor that is shared", []*testkit.Client{h.member, h.owner}, "PATCH", path("contractors", contractor), doc{"residence_id": h.home}, 200},
		{"one that moves to another owner", []*testkit.Client{h.owner, h.stranger}, "PATCH", path("contractors", contractor), doc{"residence_id": h.elsewhere}, 200},
		{"a deletion of a contractor", []*testkit.Client{h.stranger}, "DELETE", path("contractors", contractor), nil, 204},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Stale(t, h.Service, statusKeys(h.owner, h.member, h.viewer, h.stranger), statusKeys(c.whose...), func() {
				h.member.For(t).Want(c.status, c.method, c.path, c.body)
			})
		})
	}
}

func (h house) usage(t *testing.T, of uuid.UUID, named ...uuid.UUID) internalapi.TaskUsage {
	t.Helper()
	a := h.AsPart(t, "billing").Want(200, "POST", "/internal/usage", internalapi.UsageQuery{UserID: of, ResidenceIDs: named})
	if sqlTrips(a) != 1 {
		t.Errorf("it took %d round trips", sqlTrips(a))
	}
	return testkit.JSON[internalapi.TaskUsage](t, a)
}

func TestUsageIsWhatTheLimitsCount(t *testing.T) {
	for name, prepare := range map[string]bool{"prepared": true, "behind an old PgBouncer": false} {
		t.Run(name, func(t *testing.T) {
			h := openWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = prepare }, testkit.OnFreePlan)
			owner, second := h.owner.Actor.UserID, newID()
			h.homes.Give(owner, internalapi.Home{ID: second, OwnerID: owner, Role: "owner", Timezone: "UTC"})
			testkit.Deliver(t, h.Service, events.ResidenceCreated, events.Home{ID: h.home, OwnerID: owner, Version: 1})
			for range 10 {
				h.add(t, h.member, nil)
			}
			h.hire(t, h.owner, nil)
			h.hire(t, h.owner, doc{"residence_id": second})
			for range 3 {
				h.hire(t, h.member, doc{"residence_id": h.home})
			}
			h.hire(t, h.member, nil) // theirs alone
			full(t, h.owner.Call("POST", "/api/tasks/", doc{"residence_id": second, "title": "x"}), refusal{"add_task", 10, 10})
			full(t, h.owner.Call("POST", "/api/contractors/", doc{"name": "x"}), refusal{"add_contractor", 5, 5})
			// The second is not heard of here yet: whoever asks names it.
			empty := newID()
			want := map[uuid.UUID]internalapi.TaskUse{h.home: {Tasks: 10, Contractors: 3}, second: {Contractors: 1}, empty: {}}
			if got := h.usage(t, owner, second, empty, h.home); !maps.Equal(got.Homes, want) || got.PersonalContractors != 1 {
				t.Errorf("usage %+v", got)
			}
			delete(want, second)
			delete(want, empty)
			if got := h.usage(t, owner); !maps.Equal(got.Homes, want) || got.PersonalContractors != 1 {
				t.Errorf("usage of what is heard of %+v", got)
			}
			if got := h.usage(t, newID()); got.Homes == nil || len(got.Homes) != 0 || got.PersonalContractors != 0 {
				t.Errorf("usage of nobody %+v", got)
			}
			h.AsNobody(t).Refused(401, "authentication_required", "POST", "/internal/usage", internalapi.UsageQuery{UserID: owner}, "X-Hearth-Passport", "x")
		})
	}
}

func TestWhoseAResidenceIsInWhateverOrderItIsTold(t *testing.T) {
	h := open(t)
	ann, bob := newID(), newID()
	home := func(owner uuid.UUID, version int) events.Home {
		return events.Home{ID: h.home, OwnerID: owner, Timezone: "UTC", Version: version}
	}
	at := func(minute int) testkit.Delivery {
		return testkit.Delivery{At: testkit.Start.Add(time.Duration(minute) * time.Minute)}
	}
	owned := func(want *uuid.UUID) {
		t.Helper()
		for _, person := range []uuid.UUID{ann, bob} {
			if _, theirs := h.usage(t, person).Homes[h.home]; theirs != (want != nil && *want == person) {
				t.Errorf("%s has it: %t", person, theirs)
			}
		}
	}
	transferred := events.Membership{ResidenceID: h.home, OwnerID: bob, UserID: bob, Change: "transferred", Role: "owner"}
	testkit.DeliverAs(t, h.Service, events.MembersChanged, transferred, at(2))
	owned(&bob)
	testkit.DeliverAs(t, h.Service, events.ResidenceCreated, home(ann, 1), at(0))
	testkit.DeliverAs(t, h.Service, events.ResidenceChanged, home(ann, 2), at(1))
	owned(&bob)
	testkit.DeliverAs(t, h.Service, events.ResidenceChanged, home(ann, 5), at(3)) // it was given back
	owned(&ann)
	testkit.DeliverAs(t, h.Service, events.ResidenceDeleted, home(ann, 6), at(5))
	owned(nil)
	testkit.DeliverAs(t, h.Service, events.ResidenceChanged, home(ann, 5), at(4))
	owned(nil)
}
