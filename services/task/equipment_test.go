package task_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

// cellar stands in for the document service where only its answer to what may be named matters.
type cellar struct {
	URL   string
	mu    sync.Mutex
	homes map[uuid.UUID]uuid.UUID // of the equipment
	asked []internalapi.AttachQuery
	away  bool
}

func newCellar(t *testing.T) *cellar {
	t.Helper()
	c := &cellar{homes: map[uuid.UUID]uuid.UUID{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *cellar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var q internalapi.AttachQuery
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/internal/attachable" || c.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	c.asked = append(c.asked, q)
	answer := internalapi.AttachAnswer{UploadIDs: []uuid.UUID{}, EquipmentIDs: []uuid.UUID{}, EquipmentHomes: map[uuid.UUID]uuid.UUID{}}
	for _, id := range q.EquipmentIDs {
		if home, known := c.homes[id]; known {
			answer.EquipmentHomes[id] = home
		}
		if c.homes[id] != q.ResidenceID {
			answer.EquipmentIDs = append(answer.EquipmentIDs, id)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
	_ = json.NewEncoder(w).Encode(answer)
}

// put makes equipment that everybody sees who is asked about.
func (c *cellar) put(home uuid.UUID) uuid.UUID {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := newID()
	c.homes[id] = home
	return id
}

// times is how often it was asked since the last time.
func (c *cellar) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.asked)
	c.asked = nil
	return n
}

func (c *cellar) lose(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

func openFurnished(t *testing.T, change ...func(*config.Service)) (house, *cellar) {
	t.Helper()
	c := newCellar(t)
	return openWith(t, func(cfg *config.Service) {
		cfg.DocumentURL = c.URL
		for _, more := range change {
			more(cfg)
		}
	}), c
}

func (h house) completion(t *testing.T, id uuid.UUID) task.Completion {
	t.Helper()
	return testkit.JSON[task.Completion](t, h.owner.For(t).Want(200, "GET", path("task-completions", id), nil))
}

func named(got, want *uuid.UUID) bool {
	return got == nil && want == nil || got != nil && want != nil && *got == *want
}

func TestTasksNameEquipment(t *testing.T) {
	h, cellar := openFurnished(t)
	furnace, boiler, away := cellar.put(h.home), cellar.put(h.home), cellar.put(h.elsewhere)
	mine := h.add(t, h.owner, doc{"equipment_id": furnace, "frequency_id": daily})
	if !named(mine.EquipmentID, &furnace) || cellar.times() != 1 {
		t.Errorf("names %v", mine.EquipmentID)
	}
	body := doc{"residence_id": h.home, "title": "x"}
	for _, id := range []uuid.UUID{away, newID()} {
		for method, path := range map[string]string{"POST": "/api/tasks/", "PATCH": path("tasks", mine.ID), "PUT": path("tasks", mine.ID)} {
			a := h.owner.Refused(422, "validation_failed", method, path, with(body, doc{"equipment_id": id}))
			if !strings.Contains(string(a.Body), `"body.equipment_id"`) {
				t.Errorf("%s: %s", method, a.Body)
			}
		}
	}
	a := h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/bulk/", doc{"tasks": []doc{with(body, doc{"equipment_id": furnace}), body, with(body, doc{"equipment_id": away})}})
	if !strings.Contains(string(a.Body), `"body.tasks[2].equipment_id"`) {
		t.Errorf("bulk: %s", a.Body)
	}
	cellar.times()
	h.owner.Want(201, "POST", "/api/tasks/bulk/", doc{"tasks": []doc{with(body, doc{"equipment_id": furnace}), with(body, doc{"equipment_id": boiler}), with(body, doc{"equipment_id": furnace})}})
	if n := cellar.times(); n != 1 {
		t.Errorf("bulk asked %d times", n)
	}
	change := func(method string, body doc, want *uuid.UUID, asks int) {
		t.Helper()
		got := testkit.JSON[task.Task](t, h.member.Want(200, method, path("tasks", mine.ID), body))
		if n := cellar.times(); !named(got.EquipmentID, want) || n != asks {
			t.Errorf("%s %v: names %v, asked %d times", method, body, got.EquipmentID, n)
		}
	}
	change("PATCH", doc{"title": "y"}, &furnace, 0)
	change("PATCH", doc{"equipment_id": boiler}, &boiler, 1)
	change("PUT", body, &boiler, 0) // an app that does not know the field
	change("PUT", with(body, doc{"equipment_id": furnace}), &furnace, 1)
	change("PATCH", doc{"equipment_id": nil}, nil, 0)
	change("PATCH", doc{"equipment_id": furnace}, &furnace, 1)

	// Without the document service what is named already may stay, and nothing else be named.
	cellar.lose(true)
	change("PUT", with(body, doc{"equipment_id": furnace}), &furnace, 0)
	h.owner.Refused(503, "service_unavailable", "PATCH", path("tasks", mine.ID), doc{"equipment_id": boiler})
	h.owner.Refused(503, "service_unavailable", "POST", "/api/tasks/", with(body, doc{"equipment_id": boiler}))
	h.owner.Want(201, "POST", "/api/tasks/", body)
	h.stranger.Refused(404, "not_found", "PATCH", path("tasks", mine.ID), doc{"equipment_id": boiler})
}

func TestABoardOfOnePieceOfEquipment(t *testing.T) {
	h, cellar := openFurnished(t)
	furnace := cellar.put(h.home)
	h.add(t, h.owner, doc{"title": "Filter", "equipment_id": furnace})
	h.add(t, h.owner, doc{"title": "Flame", "equipment_id": cellar.put(h.home)})
	a := h.viewer.Want(200, "GET", "/api/tasks/?equipment_id="+furnace.String(), nil)
	if got := cards(t, a); len(got) != 1 || got[0].Title != "Filter" || !named(got[0].EquipmentID, &furnace) {
		t.Errorf("board %s", a.Body)
	}
	h.viewer.Want(422, "GET", "/api/tasks/?equipment_id="+uuid.Nil.String(), nil)
	h.settle(t)
	etag := h.viewer.Want(200, "GET", "/api/tasks/?equipment_id="+furnace.String(), nil).Header.Get("ETag")
	h.viewer.Want(304, "GET", "/api/tasks/?equipment_id="+furnace.String(), nil, "If-None-Match", etag)
	h.viewer.Want(200, "GET", "/api/tasks/?equipment_id="+newID().String(), nil, "If-None-Match", etag)
}

func TestACompletionKeepsWhatItWasDoneTo(t *testing.T) {
	h, cellar := openFurnished(t)
	furnace, boiler, away := cellar.put(h.home), cellar.put(h.home), cellar.put(h.elsewhere)
	mine := h.add(t, h.owner, doc{"equipment_id": furnace, "frequency_id": daily})
	done := h.complete(t, mine.ID, "2026-03-01T10:00:00Z")
	tapped := testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", path("tasks", mine.ID, "quick-complete"), nil))
	complete := func(status int, more doc) task.Completion {
		t.Helper()
		return testkit.JSON[task.Completion](t, h.owner.Want(status, "POST", "/api/task-completions/", with(doc{"task_id": mine.ID}, more)))
	}
	for what, c := range map[string]struct {
		got  task.Completion
		want *uuid.UUID
	}{
		"the task's": {done, &furnace}, "a tap": {tapped, &furnace}, "none": {complete(201, doc{"equipment_id": nil}), nil},
		"another": {complete(201, doc{"equipment_id": boiler}), &boiler},
	} {
		if !named(c.got.EquipmentID, c.want) {
			t.Errorf("%s: %v", what, c.got.EquipmentID)
		}
	}
	for _, id := range []uuid.UUID{away, newID()} {
		if a := h.owner.Refused(422, "validation_failed", "POST", "/api/task-completions/", doc{"task_id": mine.ID, "equipment_id": id}); !strings.Contains(string(a.Body), `"body.equipment_id"`) {
			t.Errorf("%s", a.Body)
		}
		h.owner.Refused(422, "validation_failed", "PUT", path("task-completions", done.ID), doc{"equipment_id": id})
	}
	// The appliance is replaced: what was done to the old one stays its.
	h.owner.Want(200, "PATCH", path("tasks", mine.ID), doc{"equipment_id": boiler})
	if got := complete(201, nil); !named(got.EquipmentID, &boiler) || !named(h.completion(t, done.ID).EquipmentID, &furnace) {
		t.Errorf("then %v, now %v", h.completion(t, done.ID).EquipmentID, got.EquipmentID)
	}
	cellar.times()
	put := func(body doc, want *uuid.UUID, asks int) {
		t.Helper()
		got := testkit.JSON[task.Completion](t, h.owner.Want(200, "PUT", path("task-completions", done.ID), body))
		if n := cellar.times(); !named(got.EquipmentID, want) || n != asks {
			t.Errorf("put %v: names %v, asked %d times", body, got.EquipmentID, n)
		}
	}
	put(doc{"notes": "x"}, &furnace, 0)
	put(doc{"equipment_id": boiler}, &boiler, 1)
	put(doc{"equipment_id": nil}, nil, 0)
	put(doc{"equipment_id": furnace}, &furnace, 1)
	cellar.lose(true)
	put(doc{"equipment_id": furnace}, &furnace, 0)
	put(doc{"equipment_id": boiler}, &boiler, 0) // the task names it
	h.owner.Refused(503, "service_unavailable", "PUT", path("task-completions", done.ID), doc{"equipment_id": furnace})
	h.owner.Want(201, "POST", path("tasks", mine.ID, "quick-complete"), nil)
}

func TestATaskThatMovesLosesItsEquipment(t *testing.T) {
	h, cellar := openFurnished(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	furnace, there := cellar.put(h.home), cellar.put(second)
	mine, other := h.add(t, h.owner, doc{"equipment_id": furnace, "frequency_id": daily}), h.add(t, h.owner, doc{"equipment_id": furnace})
	done := h.complete(t, mine.ID, "2026-03-01T10:00:00Z")
	h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"residence_id": second, "equipment_id": furnace})
	h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"equipment_id": there})
	moved := testkit.JSON[task.Task](t, h.owner.Want(200, "PATCH", path("tasks", mine.ID), doc{"residence_id": second}))
	if got := h.completion(t, done.ID); moved.EquipmentID != nil || got.EquipmentID != nil || got.Version != done.Version+1 {
		t.Errorf("moved %v, its log %+v", moved.EquipmentID, got)
	}
	moved = testkit.JSON[task.Task](t, h.owner.Want(200, "PUT", path("tasks", other.ID), doc{"title": "x", "residence_id": second, "equipment_id": there}))
	if !named(moved.EquipmentID, &there) {
		t.Errorf("moved to %v", moved.EquipmentID)
	}
}

func TestDeletedEquipmentIsNamedNoLonger(t *testing.T) {
	h, cellar := openFurnished(t)
	furnace, boiler := cellar.put(h.home), cellar.put(h.home)
	mine, done := h.add(t, h.owner, doc{"equipment_id": furnace, "frequency_id": daily}), h.add(t, h.owner, doc{"equipment_id": boiler, "frequency_id": daily})
	completion := testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": done.ID, "equipment_id": furnace}))
	kept := h.complete(t, done.ID, "2026-03-01T10:00:00Z")
	h.settle(t)
	before := len(h.Outbox(t, "task.changed"))
	board := h.owner.Want(200, "GET", "/api/tasks/", nil).Header.Get("ETag")
	ref := events.EquipmentRef{ID: furnace, ResidenceID: h.home, ActorID: h.owner.Actor.UserID, Change: "changed", Version: 2}
	testkit.Deliver(t, h.Service, events.EquipmentChanged, ref)
	if got := h.read(t, mine.ID); got.EquipmentID == nil {
		t.Error("a change let go of it")
	}
	ref.Change, ref.Version = "deleted", 3
	once := testkit.Delivery{ID: newID()}
	testkit.DeliverAs(t, h.Service, events.EquipmentChanged, ref, once)
	testkit.DeliverAs(t, h.Service, events.EquipmentChanged, ref, once)
	testkit.Deliver(t, h.Service, events.EquipmentChanged, ref)
	if got := h.read(t, mine.ID); got.EquipmentID != nil || got.Version != mine.Version+1 {
		t.Errorf("task %+v", got)
	}
	if got := h.completion(t, completion.ID); got.EquipmentID != nil || got.Version != completion.Version+1 {
		t.Errorf("completion %+v", got)
	}
	if got := h.completion(t, kept.ID); !named(got.EquipmentID, &boiler) || got.Version != kept.Version {
		t.Errorf("another's completion %+v", got)
	}
	h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", board)
	if out := h.Outbox(t, "task.changed")[before:]; len(out) != 1 || !strings.Contains(string(out[0]), mine.ID.String()) {
		t.Errorf("events %s", out)
	}
	// Who asked just before the deletion is told in the write.
	h.owner.Refused(422, "validation_failed", "POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x", "equipment_id": furnace})
	h.owner.Refused(422, "validation_failed", "PATCH", path("tasks", mine.ID), doc{"equipment_id": furnace})
	if got := testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": mine.ID, "equipment_id": furnace})); got.EquipmentID != nil {
		t.Errorf("done to what is gone: %+v", got)
	}
}

func TestEquipmentThatIsNamedWhileItIsDeletedIsLetGo(t *testing.T) {
	h, cellar := openFurnished(t)
	furnace := cellar.put(h.home)
	testkit.Deliver(t, h.Service, events.EquipmentChanged, events.EquipmentRef{ID: furnace, ResidenceID: h.home, Change: "deleted", Version: 2})
	mine := h.add(t, h.owner, nil)
	done := h.complete(t, mine.ID, "2026-03-01T10:00:00Z")
	for table, id := range map[string]uuid.UUID{"tasks": mine.ID, "completions": done.ID} { // written after the look, before the event
		if _, err := h.DB.Exec(t.Context(), `UPDATE `+table+` SET equipment_id = $1 WHERE id = $2`, furnace, id); err != nil {
			t.Fatal(err)
		}
	}
	h.settle(t)
	board := h.owner.Want(200, "GET", "/api/tasks/", nil).Header.Get("ETag")
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	if got, completion := h.read(t, mine.ID), h.completion(t, done.ID); got.EquipmentID != nil || completion.EquipmentID != nil || completion.Version != done.Version+1 {
		t.Errorf("still %v %v", got.EquipmentID, completion.EquipmentID)
	}
	h.owner.Want(200, "GET", "/api/tasks/", nil, "If-None-Match", board)
	h.Clock.Advance(11 * time.Minute)
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	var kept int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM gone_equipment`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d marks are kept for ever (%v)", kept, err)
	}
}

func TestTheWorkOnEquipment(t *testing.T) {
	h, cellar := openFurnished(t)
	furnace := cellar.put(h.home)
	ada := h.hire(t, h.owner, doc{"residence_id": h.home})
	filter := h.add(t, h.owner, doc{"title": "Filter", "category_id": plumbing, "equipment_id": furnace, "frequency_id": daily, "due_date": "2026-03-12"})
	flame := h.add(t, h.owner, doc{"title": "Flame", "equipment_id": furnace, "due_date": "2026-03-11", "assigned_to_id": h.member.Actor.UserID})
	for _, m := range []string{"cancel", "archive"} {
		h.owner.Want(200, "POST", path("tasks", h.add(t, h.owner, doc{"equipment_id": furnace}).ID, m), nil)
	}
	h.add(t, h.owner, doc{"title": "of nothing"})
	var done []uuid.UUID
	for _, body := range []doc{
		{"completed_at": "2026-03-01T10:00:00Z", "actual_cost": "10.50", "rating": 4, "contractor_id": ada.ID, "notes": "n", "upload_ids": []uuid.UUID{}},
		{"completed_at": "2026-03-02T10:00:00Z", "actual_cost": "9999999999.99"},
		{"completed_at": "2026-03-03T10:00:00Z"},
	} {
		done = append(done, testkit.JSON[task.Completion](t, h.owner.Want(201, "POST", "/api/task-completions/", with(doc{"task_id": filter.ID}, body))).ID)
	}
	h.owner.Want(201, "POST", "/api/task-completions/", doc{"task_id": filter.ID, "equipment_id": nil, "actual_cost": "1"})
	part := h.AsPart(t, "document")
	ask := func(q internalapi.EquipmentWorkQuery) internalapi.EquipmentWork {
		t.Helper()
		q.EquipmentID = furnace
		a := part.Want(200, "POST", "/internal/equipment-work", q)
		if n := sqlTrips(a); n != 1 {
			t.Errorf("%d round trips", n)
		}
		return testkit.JSON[internalapi.EquipmentWork](t, a)
	}
	got := ask(internalapi.EquipmentWorkQuery{ResidenceIDs: []uuid.UUID{h.home}, Limit: 2})
	if len(got.Completions) != 2 || got.Completions[0].ID != done[2] || got.Completions[1].ID != done[1] || got.Completions[0].TaskTitle != "Filter" || *got.Completions[0].CategoryID != plumbing {
		t.Errorf("completions %+v", got.Completions)
	}
	if len(got.OpenTasks) != 2 || got.OpenTasks[0].ID != flame.ID || *got.OpenTasks[0].AssignedToID != h.member.Actor.UserID || got.OpenTasks[1].ID != filter.ID {
		t.Errorf("open %+v", got.OpenTasks)
	}
	if total := got.Totals; total.Completions != 3 || total.Cost.String() != "10000000010.49" || total.FirstAt.Day() != 1 || total.LastAt.Day() != 3 {
		t.Errorf("totals %+v", total)
	}
	rest := ask(internalapi.EquipmentWorkQuery{ResidenceIDs: []uuid.UUID{h.home}, Limit: 2, Before: &internalapi.WorkPlace{At: got.Completions[1].CompletedAt, ID: done[1]}})
	if len(rest.Completions) != 1 || rest.Completions[0].ID != done[0] || *rest.Completions[0].ContractorName != "Ada" || rest.Completions[0].ActualCost.String() != "10.50" || rest.Totals.Completions != 3 {
		t.Errorf("the rest %+v", rest)
	}
	none := ask(internalapi.EquipmentWorkQuery{ResidenceIDs: []uuid.UUID{h.elsewhere}, Limit: 2})
	if none.Completions == nil || none.OpenTasks == nil || len(none.Completions)+len(none.OpenTasks)+none.Totals.Completions != 0 || none.Totals.FirstAt != nil {
		t.Errorf("elsewhere %+v", none)
	}
	h.owner.Want(200, "PATCH", path("tasks", filter.ID), doc{"equipment_id": nil})
	if got := ask(internalapi.EquipmentWorkQuery{ResidenceIDs: []uuid.UUID{h.home}, Limit: 200}); len(got.Completions) != 3 || len(got.OpenTasks) != 1 {
		t.Errorf("after the task let go %+v", got)
	}
}

func TestNamingEquipmentTakesOneMoreRoundTrip(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { countNaming(t) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		countNaming(t, func(cfg *config.Service) { cfg.DatabasePrepare = false })
	})
}

func countNaming(t *testing.T, change ...func(*config.Service)) {
	t.Helper()
	h, cellar := openFurnished(t, change...)
	furnace, boiler := cellar.put(h.home), cellar.put(h.home)
	mine := h.add(t, h.owner, doc{"frequency_id": weekly})
	body := doc{"residence_id": h.home, "title": "x"}
	done := h.complete(t, mine.ID, "2026-03-01T10:00:00Z")
	for _, step := range []struct {
		method, path string
		body         any
		status       int
		trips        int
	}{
		{"POST", "/api/tasks/", with(body, doc{"equipment_id": furnace}), 201, 2},
		{"POST", "/api/tasks/bulk/", doc{"tasks": []doc{with(body, doc{"equipment_id": furnace}), with(body, doc{"equipment_id": boiler})}}, 201, 2},
		{"PATCH", path("tasks", mine.ID), doc{"equipment_id": boiler}, 200, 2},
		{"PATCH", path("tasks", mine.ID), doc{"equipment_id": nil}, 200, 1},
		{"POST", "/api/task-completions/", doc{"task_id": mine.ID, "equipment_id": furnace}, 201, 2}, // asked beside the log
		{"POST", "/api/task-completions/", doc{"task_id": mine.ID}, 201, 2},
		{"PUT", path("task-completions", done.ID), doc{"equipment_id": boiler}, 200, 2},
		{"GET", "/api/tasks/?equipment_id=" + furnace.String(), nil, 200, 1},
	} {
		if got := sqlTrips(h.owner.For(t).Want(step.status, step.method, step.path, step.body)); got != step.trips {
			t.Errorf("%s %s: %d round trips, wanted %d", step.method, step.path, got, step.trips)
		}
	}
}

func TestCompletingAndDeletingAtOnceLeavesNothingNamed(t *testing.T) {
	h, cellar := openFurnished(t)
	var group sync.WaitGroup
	var gone []uuid.UUID
	for range 10 {
		furnace := cellar.put(h.home)
		gone = append(gone, furnace)
		mine := h.add(t, h.owner, doc{"equipment_id": furnace, "frequency_id": daily})
		group.Go(func() { h.owner.For(t).Want(201, "POST", path("tasks", mine.ID, "quick-complete"), nil) })
		group.Go(func() {
			h.owner.For(t).Call("POST", "/api/tasks/", doc{"residence_id": h.home, "title": "x", "equipment_id": furnace})
		})
		testkit.Enqueue(t, h.Service, events.EquipmentChanged, events.EquipmentRef{ID: furnace, ResidenceID: h.home, Change: "deleted", Version: 2}, testkit.Delivery{})
	}
	group.Wait()
	testkit.Eventually(t, "all are known to be gone", func() bool {
		var n int
		err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM gone_equipment`).Scan(&n)
		return err == nil && n == len(gone)
	})
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
		t.Fatal(err)
	}
	var still int
	err := h.DB.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM tasks WHERE equipment_id = ANY($1)) + (SELECT count(*) FROM completions WHERE equipment_id = ANY($1))`, gone).Scan(&still)
	if err != nil || still != 0 {
		t.Errorf("%d name what is gone (%v)", still, err)
	}
}
