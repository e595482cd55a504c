package task_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

func openFree(t *testing.T) house {
	t.Helper()
	return openWith(t, func(*config.Service) {}, testkit.OnFreePlan)
}

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

// race sends the request that often at once and counts the answers; the refusals must all say the same.
func race(t *testing.T, times int, want refusal, send func(i int) testkit.Answer) map[int]int {
	t.Helper()
	var group sync.WaitGroup
	answers := make(chan testkit.Answer, times)
	for i := range times {
		group.Go(func() { answers <- send(i) })
	}
	group.Wait()
	close(answers)
	counts := map[int]int{}
	for a := range answers {
		counts[a.Status]++
		if a.Status == 403 {
			full(t, a, want)
		}
		if sqlTrips(a) != 1 {
			t.Errorf("%d took %d round trips", a.Status, sqlTrips(a))
		}
	}
	return counts
}

func TestTasksUpToTheLimitHoweverManyComeAtOnce(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { raceForTasks(t, openFree(t)) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		raceForTasks(t, openWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = false }, testkit.OnFreePlan))
	})
}

func raceForTasks(t *testing.T, h house) {
	t.Helper()
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	h.owner.Want(200, "GET", "/api/tasks/", nil) // what they see is known to the cache
	h.member.Want(200, "GET", "/api/tasks/", nil)
	const limit = 10
	counts := race(t, 100, refusal{"add_task", limit, limit}, func(i int) testkit.Answer {
		if i%2 == 0 { // a member's tasks count for the owner
			return h.member.Call("POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x"})
		}
		return h.owner.Call("POST", "/api/tasks/", doc{"residence_id": second, "title": "x"})
	})
	if counts[201] != limit || counts[403] != 100-limit {
		t.Errorf("answers %v", counts)
	}
	if n := len(h.Outbox(t, "task.created")); n != limit {
		t.Errorf("%d events", n)
	}
}

func TestContractorsUpToTheLimitHoweverManyComeAtOnce(t *testing.T) {
	h := openFree(t)
	h.owner.Want(200, "GET", "/api/contractors/", nil)
	h.member.Want(200, "GET", "/api/contractors/", nil)
	const limit = 5
	counts := race(t, 60, refusal{"add_contractor", limit, limit}, func(i int) testkit.Answer {
		body := doc{"name": "x"} // personal
		if i%3 > 0 {
			body["residence_id"] = h.home
		}
		if i%3 == 2 {
			return h.member.Call("POST", "/api/contractors/", body)
		}
		return h.owner.Call("POST", "/api/contractors/", body)
	})
	if counts[201] != limit || counts[403] != 60-limit {
		t.Errorf("answers %v", counts)
	}
	h.hire(t, h.member, nil) // their own personal one counts for them
}

func TestWhatCountsForALimit(t *testing.T) {
	h := openFree(t)
	id := newID()
	body := doc{"id": id, "residence_id": h.home, "title": "x"}
	h.owner.Want(201, "POST", "/api/tasks/", body)
	some := func(n int) doc {
		tasks := make([]doc, n)
		for i := range tasks {
			tasks[i] = doc{"residence_id": h.home, "title": "x"}
		}
		return doc{"tasks": tasks}
	}
	full(t, h.owner.Call("POST", "/api/tasks/bulk/", some(10)), refusal{"add_task", 10, 1}) // all or none
	h.owner.Want(201, "POST", "/api/tasks/bulk/", some(9))
	full(t, h.member.Call("POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x"}), refusal{"add_task", 10, 10})
	// What is there already answers as ever, and what is wrong is told first.
	h.owner.Want(200, "POST", "/api/tasks/", body)
	h.owner.Want(200, "POST", "/api/tasks/bulk/", doc{"tasks": []doc{body}})
	full(t, h.owner.Call("POST", "/api/tasks/bulk/", doc{"tasks": []doc{body, {"residence_id": h.home, "title": "x"}}}), refusal{"add_task", 10, 10})
	h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x", "category_id": newID()})
	h.member.Refused(409, "id_taken", "POST", "/api/tasks/", body)
	h.viewer.Refused(403, "not_permitted", "POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x"})
	h.stranger.Refused(404, "not_found", "POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x"})
	h.owner.Want(200, "PUT", path("tasks", id), doc{"residence_id": h.home, "title": "y"}) // nothing more than before
	// Somebody else's limit has room still.
	h.add(t, h.stranger, doc{"residence_id": h.elsewhere})
	h.owner.Want(204, "DELETE", path("tasks", id), nil)
	h.owner.Want(201, "POST", "/api/tasks/", body)
}

func TestMovingToAnotherOwnerCounts(t *testing.T) {
	h := openFree(t)
	// The stranger lets the member into their residence, and the owner has a second one.
	second := newID()
	h.homes.Give(h.member.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "member", Timezone: "UTC", Currency: "USD"})
	for _, c := range []*testkit.Client{h.owner, h.member} {
		role := map[bool]string{true: "owner", false: "member"}[c == h.owner]
		h.homes.Give(c.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: role, Timezone: "UTC"})
	}
	for range 9 {
		h.add(t, h.owner, nil)
	}
	guest := h.add(t, h.member, doc{"residence_id": h.elsewhere})
	h.member.Want(200, "PATCH", path("tasks", guest.ID), doc{"residence_id": h.home})
	h.member.Want(200, "PATCH", path("tasks", guest.ID), doc{"residence_id": second}) // of the same owner: nothing more
	late := h.add(t, h.member, doc{"residence_id": h.elsewhere})
	full(t, h.member.Call("PATCH", path("tasks", late.ID), doc{"residence_id": h.home}), refusal{"add_task", 10, 10})
	full(t, h.member.Call("PUT", path("tasks", late.ID), doc{"residence_id": h.home, "title": "x"}), refusal{"add_task", 10, 10})
	h.member.Refused(412, "version_conflict", "PATCH", path("tasks", late.ID), doc{"residence_id": h.home}, "If-Match", `"7"`)

	personal := h.hire(t, h.member, nil)
	var last task.Contractor
	for range 5 {
		last = h.hire(t, h.owner, doc{"residence_id": h.home})
	}
	full(t, h.member.Call("PATCH", path("contractors", personal.ID), doc{"residence_id": h.home}), refusal{"add_contractor", 5, 5})
	h.member.Want(200, "PATCH", path("contractors", personal.ID), doc{"residence_id": h.elsewhere})
	full(t, h.member.Call("PUT", path("contractors", personal.ID), doc{"name": "x", "residence_id": second}), refusal{"add_contractor", 5, 5})
	h.owner.Want(200, "PATCH", path("contractors", last.ID), doc{"residence_id": nil}) // it counts for them as before
	h.owner.Want(200, "PATCH", path("contractors", last.ID), doc{"residence_id": second})
	id := newID()
	full(t, h.owner.Call("POST", "/api/contractors/", doc{"id": id, "name": "x"}), refusal{"add_contractor", 5, 5})
	h.owner.Want(204, "DELETE", path("contractors", last.ID), nil)
	h.owner.Want(201, "POST", "/api/contractors/", doc{"id": id, "name": "x"})
	h.owner.Want(200, "POST", "/api/contractors/", doc{"id": id, "name": "x"})
	h.owner.Refused(422, "validation_failed", "POST", "/api/contractors/", doc{"name": "x", "specialty_ids": []uuid.UUID{newID()}})
}

func TestBulkIntoResidencesOfTwoOwners(t *testing.T) {
	h := openFree(t)
	h.homes.Give(h.member.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "member", Timezone: "UTC", Currency: "USD"})
	both := doc{"tasks": []doc{{"residence_id": h.home, "title": "x"}, {"residence_id": h.elsewhere, "title": "y"}}}
	for range 6 {
		h.add(t, h.stranger, doc{"residence_id": h.elsewhere})
	}
	for _, c := range []*testkit.Client{h.owner, h.member} { // what they see is known to the cache
		c.Want(200, "GET", "/api/tasks/", nil)
	}
	counts := race(t, 20, refusal{"add_task", 10, 10}, func(int) testkit.Answer { return h.member.Call("POST", "/api/tasks/bulk/", both) })
	if counts[201] != 4 || counts[403] != 16 {
		t.Errorf("answers %v", counts)
	}
}

func TestAnotherDirectoryOfPlansDecides(t *testing.T) {
	homes := testkit.NewHomes(t)
	cfg := testkit.Config(t, "task")
	cfg.ResidenceURL = homes.URL
	owner, home := newID(), newID()
	homes.Give(owner, internalapi.Home{ID: home, OwnerID: owner, Role: "owner", Timezone: "UTC"})
	tiny := plans.Fixed(plans.Plan{Tier: "tiny", Tasks: new(0)})
	s := testkit.Run(t, cfg, task.New(task.Config{Service: cfg}), func(o *boot.Options) { o.Plans = tiny })
	full(t, s.As(t, owner).Call("POST", "/api/tasks/", doc{"residence_id": home, "title": "x"}), refusal{"add_task", 0, 0})
	s.As(t, owner).Want(201, "POST", "/api/contractors/", doc{"name": "x", "residence_id": home})
}

func TestTemplatesAreAppliedWithinTheLimitOrNotAtAll(t *testing.T) {
	h := openFree(t)
	h.add(t, h.owner, nil)
	full(t, h.owner.Call("POST", "/api/tasks/templates/apply/", doc{"residence_id": h.home}), refusal{"add_task", 10, 1})
	if n := len(cards(t, h.owner.Want(200, "GET", "/api/tasks/", nil))); n != 1 {
		t.Errorf("%d tasks", n)
	}
	all := list[task.Template](t, h.owner.Want(200, "GET", "/api/tasks/templates/", nil)).Items
	few := []uuid.UUID{all[0].ID, all[1].ID, all[2].ID}
	h.owner.Want(201, "POST", "/api/tasks/templates/apply/", doc{"residence_id": h.home, "template_ids": few})
	a := h.owner.Want(200, "POST", "/api/tasks/templates/apply/", doc{"residence_id": h.home, "template_ids": few})
	if got := testkit.JSON[task.AppliedTemplates](t, a); len(got.Items) != 0 || len(got.Skipped) != 3 || sqlTrips(a) != 1 {
		t.Errorf("again: %s in %d round trips", a.Body, sqlTrips(a))
	}
}

// tariffs stands in for the billing service.
type tariffs struct {
	mu    sync.Mutex
	plans map[uuid.UUID]internalapi.Plan
	asked []uuid.UUID
}

func (f *tariffs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	person := uuid.MustParse(strings.Split(r.URL.Path, "/")[3])
	f.asked = append(f.asked, person)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
	_ = json.NewEncoder(w).Encode(f.plans[person])
}

// begin gives everybody another plan, and answers of whom was asked before.
func (f *tariffs) begin(plans map[uuid.UUID]internalapi.Plan) (asked []uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked, f.asked, f.plans = f.asked, nil, plans
	return asked
}

// A plan is asked for while the residences are, and only of those whose limits may bind.
func TestWhosePlanIsAskedForAndWhatItCosts(t *testing.T) {
	f := &tariffs{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	h := openWith(t, func(cfg *config.Service) { cfg.BillingURL = server.URL }, func(o *boot.Options) { o.Plans = nil })
	owner, member := h.owner.Actor.UserID, h.member.Actor.UserID
	free := internalapi.Plan{Tier: "free", Tasks: new(1000), Contractors: new(1000)}
	off := free
	off.Unlimited = true
	one := h.add(t, h.owner, nil)
	body := doc{"residence_id": h.home, "title": "x"}
	for _, c := range []struct {
		name         string
		plan         internalapi.Plan
		who          *testkit.Client
		method, path string
		body         doc
		cold         int
		asked        []uuid.UUID
	}{
		{"the owner's task", free, h.owner, "POST", "/api/tasks/", body, 2, []uuid.UUID{owner}},
		{"the owner's tasks", free, h.owner, "POST", "/api/tasks/bulk/", doc{"tasks": []doc{body, body}}, 2, []uuid.UUID{owner}},
		{"the owner's contractor", free, h.owner, "POST", "/api/contractors/", doc{"name": "x", "residence_id": h.home}, 2, []uuid.UUID{owner}},
		{"a personal contractor", free, h.member, "POST", "/api/contractors/", doc{"name": "x"}, 2, []uuid.UUID{member}},
		{"a task in another's residence", free, h.member, "POST", "/api/tasks/", body, 3, []uuid.UUID{member, owner}},
		{"where nobody is limited", off, h.member, "POST", "/api/tasks/", body, 2, []uuid.UUID{member}},
		{"an edit", free, h.member, "PATCH", path("tasks", one.ID), doc{"title": "y"}, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.begin(map[uuid.UUID]internalapi.Plan{owner: c.plan, member: c.plan})
			testkit.Eventually(t, "the relay has dropped its keys", func() bool {
				var waiting bool
				err := h.DB.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM outbox WHERE dropped_at IS NULL)`).Scan(&waiting)
				return err == nil && !waiting
			})
			h.Cache.Drop(t.Context(), cache.EveryPlan, cache.HomesKey(owner), cache.HomesKey(member))
			cold := c.who.For(t).Call(c.method, c.path, c.body)
			warm := c.who.For(t).Call(c.method, c.path, c.body)
			if cold.Status >= 300 || warm.Status >= 300 || sqlTrips(cold) != c.cold || sqlTrips(warm) != 1 {
				t.Errorf("%d in %d round trips cold, %d in %d warm", cold.Status, sqlTrips(cold), warm.Status, sqlTrips(warm))
			}
			if asked := f.begin(nil); !slices.Equal(asked, c.asked) {
				t.Errorf("asked for the plans of %v, wanted %v", asked, c.asked)
			}
		})
	}
}
