package task_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

// toldTask is what one event says of a task.
type toldTask struct {
	events.TaskRef
	gone bool
}

// toldOf are all the events about tasks, oldest first of each kind.
func (h house) toldOf(t *testing.T) (all []toldTask) {
	t.Helper()
	for _, name := range []string{"task.created", "task.changed", "task.deleted"} {
		for _, ref := range told[events.TaskRef](t, h, name) {
			all = append(all, toldTask{ref, name == "task.deleted"})
		}
	}
	for _, name := range []string{"task.completed", "task.completion_changed"} {
		for _, c := range told[events.Completion](t, h, name) {
			if c.Version != c.Task.Version {
				t.Errorf("a completion of version %d with a task of %d", c.Version, c.Task.Version)
			}
			all = append(all, toldTask{c.Task, false})
		}
	}
	return all
}

// known is a task as a consumer keeps it.
type known struct {
	ID          uuid.UUID
	ResidenceID uuid.UUID
	Title       string
	NextDueDate string
	AssignedTo  uuid.UUID
	Open        bool
	Version     int
}

func (k toldTask) known() known {
	return known{k.ID, k.ResidenceID, k.Title, k.NextDueDate, k.AssignedToID, k.Open, k.Version}
}

// tasks are those in the table.
func (h house) tasks(t *testing.T) map[uuid.UUID]known {
	t.Helper()
	rows, err := pg.All[known](t.Context(), h.DB, `
		SELECT id, residence_id, title, coalesce(next_due_date::text, '') AS next_due_date,
			coalesce(assigned_to_id, '00000000-0000-0000-0000-000000000000') AS assigned_to,
			NOT (is_cancelled OR is_archived OR is_done) AS open, version FROM tasks`, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[uuid.UUID]known{}
	for _, row := range rows {
		out[row.ID] = row
	}
	return out
}

// A consumer that keeps the latest version of what it is told has the tasks as they are, in whatever order it hears.
func (h house) consumed(t *testing.T, r *rand.Rand) {
	t.Helper()
	all := h.toldOf(t)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	latest := map[uuid.UUID]toldTask{}
	versions := map[string]bool{}
	for _, k := range all {
		if at := fmt.Sprint(k.ID, k.Version); versions[at] {
			t.Errorf("version %d of %s is told twice", k.Version, k.Title)
		} else {
			versions[at] = true
		}
		if k.Version > latest[k.ID].Version {
			latest[k.ID] = k
		}
	}
	tasks := h.tasks(t)
	for id, k := range latest {
		is, there := tasks[id]
		if there == k.gone || there && k.known() != is {
			t.Errorf("told %+v (gone %t), it is %+v (there %t)", k.known(), k.gone, is, there)
		}
		delete(tasks, id)
	}
	for _, is := range tasks {
		t.Errorf("nothing is told of %+v", is)
	}
}

// everywhere lets the members also see a second residence.
func (h house) everywhere(t *testing.T, zone string) (second uuid.UUID) {
	t.Helper()
	second = newID()
	for role, c := range map[string]*testkit.Client{"owner": h.owner, "member": h.member, "viewer": h.viewer} {
		h.homes.Take(c.Actor.UserID)
		for _, home := range []uuid.UUID{h.home, second} {
			h.homes.Give(c.Actor.UserID, internalapi.Home{ID: home, OwnerID: h.owner.Actor.UserID, Role: role, Timezone: zone, Currency: "EUR"})
		}
	}
	h.forget(t, h.owner, h.member, h.viewer)
	return second
}

func TestWhoeverHearsOfTasksInAnyOrderHasThemAsTheyAre(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { hearOfTasks(t, open(t)) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		hearOfTasks(t, openWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = false }))
	})
}

func hearOfTasks(t *testing.T, h house) {
	t.Helper()
	second := h.everywhere(t, "Europe/Berlin")
	third := h.As(t, newID())
	for _, home := range []uuid.UUID{h.home, second} {
		h.homes.Give(third.Actor.UserID, internalapi.Home{ID: home, OwnerID: h.owner.Actor.UserID, Role: "member", Timezone: "Europe/Berlin", Currency: "EUR"})
	}
	people := []*testkit.Client{h.owner, h.member, third}
	pool := make([]uuid.UUID, 8) // the ids under which they add, delete and add again
	for i := range pool {
		pool[i] = newID()
	}
	ada := h.hire(t, h.owner, doc{"residence_id": h.home})
	for round := range uint64(8) {
		var all sync.WaitGroup
		for i, c := range people {
			r := rand.New(rand.NewPCG(round, uint64(i)))
			all.Go(func() {
				for range 20 {
					id := pool[r.IntN(len(pool))]
					if a := h.meddle(t, c.For(t), r, id, second, ada.ID); a.Status >= 500 && a.Code() != "busy" {
						t.Errorf("%d: %s", a.Status, a.Body)
					}
				}
			})
		}
		all.Wait()
		h.fromOutside(t, round, third)
		h.consumed(t, rand.New(rand.NewPCG(round, 99)))
	}
	if n := len(h.Outbox(t, "task.deleted")); n == 0 {
		t.Error("nothing was ever deleted")
	}
}

// meddle does something at random, as one of the members.
func (h house) meddle(t *testing.T, c *testkit.Client, r *rand.Rand, id, second, contractor uuid.UUID) testkit.Answer {
	anyOf := func(things ...any) any { return things[r.IntN(len(things))] }
	home := anyOf(h.home, second)
	task := doc{"id": id, "residence_id": home, "title": fmt.Sprint("Task ", r.IntN(100)), "frequency_id": anyOf(nil, daily, weekly), "due_date": anyOf(nil, "2026-03-01", "2026-03-20"),
		"assigned_to_id": anyOf(nil, h.owner.Actor.UserID, h.member.Actor.UserID)}
	switch n := r.IntN(20); {
	case n < 4:
		return c.Call("POST", "/api/tasks/", task)
	case n < 5:
		return c.Call("POST", "/api/tasks/bulk/", doc{"tasks": []doc{task, with(task, doc{"id": newID()})}})
	case n < 6:
		return c.Call("POST", "/api/tasks/templates/apply/", doc{"residence_id": home, "template_ids": []uuid.UUID{smokeAlarms}})
	case n < 8:
		return c.Call("DELETE", path("tasks", id), nil)
	case n < 10:
		return c.Call("PATCH", path("tasks", id), anyOf(
			doc{"residence_id": home}, doc{"title": fmt.Sprint("Patched ", r.IntN(100))}, doc{"contractor_id": contractor},
			doc{"assigned_to_id": anyOf(nil, h.owner.Actor.UserID, h.member.Actor.UserID, h.viewer.Actor.UserID)}))
	case n < 11:
		delete(task, "id")
		return c.Call("PUT", path("tasks", id), task)
	case n < 12:
		return c.Call("PATCH", path("contractors", contractor), doc{"residence_id": home})
	}
	return h.tinker(t, c, r, id)
}

// fromOutside is what other services tell: somebody leaves, comes back, and the residence is in another zone.
func (h house) fromOutside(t *testing.T, round uint64, third *testkit.Client) {
	t.Helper()
	owner := h.owner.Actor.UserID
	change := events.Membership{ResidenceID: h.home, OwnerID: owner, UserID: h.member.Actor.UserID, Change: "left", ActorID: h.member.Actor.UserID, AffectedIDs: ids(h.owner, h.member)}
	testkit.Deliver(t, h.Service, events.MembersChanged, change)
	if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil { // what was assigned meanwhile
		t.Fatal(err)
	}
	change.Change, change.Role = "joined", "member"
	testkit.Deliver(t, h.Service, events.MembersChanged, change)
	zone := []string{"America/New_York", "Asia/Tokyo"}[round%2]
	for _, c := range []*testkit.Client{h.owner, h.member, h.viewer, third} {
		homes := h.homes.Of(c.Actor.UserID)
		h.homes.Take(c.Actor.UserID)
		for _, home := range homes {
			home.Timezone = zone
			h.homes.Give(c.Actor.UserID, home)
		}
	}
	h.forget(t, h.owner, h.member, h.viewer, third)
	testkit.Deliver(t, h.Service, events.ResidenceChanged, events.Home{ID: h.home, OwnerID: owner, ActorID: owner, Timezone: zone, Version: int(round) + 2})
}

// Every way in which a task changes is told with its state after that, and with who did it.
func TestEveryChangeOfATaskIsToldWithWhoDidIt(t *testing.T) {
	h, cellar := openFurnished(t)
	second := h.everywhere(t, "Europe/Berlin")
	furnace := cellar.put(h.home)
	ada := h.hire(t, h.owner, doc{"residence_id": h.home})
	item := newID()
	mine := h.add(t, h.owner, doc{"frequency_id": daily, "due_date": "2026-03-09", "contractor_id": ada.ID, "equipment_id": furnace,
		"checklist": []doc{{"id": item, "title": "Look"}}, "assigned_to_id": h.viewer.Actor.UserID})
	member, owner := h.member.Actor.UserID, h.owner.Actor.UserID
	entry, skip := newID(), newID()
	call := func(status int, method, path string, body any) func() {
		return func() { t.Helper(); h.member.Want(status, method, path, body) }
	}
	post := func(status int, action string, body any) func() {
		return call(status, "POST", path("tasks", mine.ID, action), body)
	}
	gone := events.EquipmentRef{ID: furnace, ResidenceID: h.home, ActorID: member, Change: "deleted", Version: 2}
	left := events.Membership{ResidenceID: h.home, OwnerID: owner, UserID: h.viewer.Actor.UserID, Change: "removed", ActorID: member}
	for _, step := range []struct {
		name  string
		do    func()
		actor uuid.UUID
	}{
		{"begun", post(200, "mark-in-progress", nil), member},
		{"cancelled", post(200, "cancel", nil), member},
		{"taken up again", post(200, "uncancel", nil), member},
		{"archived", post(200, "archive", nil), member},
		{"taken out", post(200, "unarchive", nil), member},
		{"ticked", post(200, "checklist/"+item.String()+"/check", nil), member},
		{"unticked", post(200, "checklist/"+item.String()+"/uncheck", nil), member},
		{"completed", call(201, "POST", "/api/task-completions/", doc{"id": entry, "task_id": mine.ID}), member},
		{"said anew", call(200, "PUT", path("task-completions", entry), doc{"completed_at": "2026-03-01T10:00:00Z"}), member},
		{"undone", call(204, "DELETE", path("task-completions", entry), nil), member},
		{"skipped", post(201, "skip", doc{"id": skip}), member},
		{"not skipped", call(204, "DELETE", path("tasks", mine.ID, "skips", skip.String()), nil), member},
		{"paused", post(200, "pause", doc{}), member},
		{"resumed", post(200, "resume", nil), member},
		{"paused with the residence", call(200, "POST", path("tasks/by-residence", h.home, "pause"), doc{"until": "2026-03-20"}), member},
		{"resumed with it", call(200, "POST", path("tasks/by-residence", h.home, "resume"), nil), member},
		{"another title", call(200, "PATCH", path("tasks", mine.ID), doc{"title": "Renamed"}), member},
		{"another day", call(200, "PATCH", path("tasks", mine.ID), doc{"due_date": "2026-03-12"}), member},
		{"a contractor that moved", call(200, "PATCH", path("contractors", ada.ID), doc{"residence_id": second}), member},
		{"equipment that is gone", func() { testkit.Deliver(t, h.Service, events.EquipmentChanged, gone) }, member},
		{"somebody left", func() { testkit.Deliver(t, h.Service, events.MembersChanged, left) }, member},
		{"a rotation", call(200, "PATCH", path("tasks", mine.ID), doc{"rotation": "round_robin", "rotation_member_ids": ids(h.viewer, h.owner)}), member},
		{"somebody had left already", func() {
			if err := task.EraseLateOnce(t.Context(), h.Deps); err != nil {
				t.Fatal(err)
			}
		}, uuid.Nil},
		{"moved", call(200, "PATCH", path("tasks", mine.ID), doc{"residence_id": second}), member},
		{"named", call(200, "PATCH", path("tasks", mine.ID), doc{"contractor_id": ada.ID}), member},
		{"a contractor that is gone", call(204, "DELETE", path("contractors", ada.ID), nil), member},
		{"done for good", call(200, "PATCH", path("tasks", mine.ID), doc{"frequency_id": once}), member},
		{"done", post(201, "quick-complete", nil), member},
		{"deleted", call(204, "DELETE", path("tasks", mine.ID), nil), member},
		{"added again", call(201, "POST", "/api/tasks/", doc{"id": mine.ID, "residence_id": h.home, "title": "Again"}), member},
	} {
		before := h.toldOf(t)
		step.do()
		var news []toldTask
		for _, k := range h.toldOf(t) {
			if !slices.Contains(before, k) {
				news = append(news, k)
			}
		}
		if len(news) != 1 {
			t.Errorf("%s: told %+v", step.name, news)
			continue
		}
		is, there := h.tasks(t)[mine.ID]
		if got := news[0]; got.ActorID != step.actor || got.gone == there || there && got.known() != is {
			t.Errorf("%s: told %+v by %s, it is %+v (there %t)", step.name, got.known(), got.ActorID, is, there)
		}
	}
	h.consumed(t, rand.New(rand.NewPCG(1, 2)))
}

func TestATaskThatIsDeletedAndAddedAgainIsALaterVersion(t *testing.T) {
	h := open(t)
	id := newID()
	for round := range 3 {
		mine := h.add(t, h.owner, doc{"id": id, "title": fmt.Sprint("Round ", round)})
		if again := testkit.JSON[task.Task](t, h.owner.Want(200, "POST", "/api/tasks/", doc{"id": id, "residence_id": h.home, "title": "Clean the gutters"})); again.Version != mine.Version {
			t.Errorf("sent twice it is version %d, then %d", mine.Version, again.Version)
		}
		if want := 2*round + 1; mine.Version != want {
			t.Errorf("round %d begins with version %d, wanted %d", round, mine.Version, want)
		}
		h.owner.Want(204, "DELETE", path("tasks", id), nil, "If-Match", fmt.Sprintf(`"%d"`, mine.Version))
	}
	var versions []int
	for _, k := range told[events.TaskRef](t, h, "task.deleted") {
		versions = append(versions, k.Version)
	}
	if !slices.Equal(versions, []int{2, 4, 6}) {
		t.Errorf("deleted as versions %v", versions)
	}
}

// Tasks that were there before anybody reminded of them are told of, if there is something to remind of.
func TestTasksThatAreThereAreToldOf(t *testing.T) {
	h := open(t)
	due := h.add(t, h.owner, doc{"title": "Due", "due_date": "2026-03-20", "assigned_to_id": h.member.Actor.UserID})
	due = h.patch(t, due.ID, doc{"title": "Due soon"})
	h.add(t, h.owner, doc{"title": "Some day"})
	for _, action := range []string{"cancel", "archive", "quick-complete"} {
		other := h.add(t, h.owner, doc{"title": action, "due_date": "2026-03-20"})
		h.owner.Call("POST", path("tasks", other.ID, action), nil)
	}
	before := len(h.Outbox(t, "task.changed"))
	testkit.Reapply(t, h.Service, "task/00015_tell_tasks.sql")
	all := told[events.TaskRef](t, h, "task.changed")[before:]
	want := events.TaskRef{ID: due.ID, ResidenceID: h.home, Title: "Due soon", NextDueDate: "2026-03-20", AssignedToID: h.member.Actor.UserID, Open: true, Version: 2}
	if len(all) != 1 || all[0] != want {
		t.Errorf("told %+v, wanted %+v", all, want)
	}
	if _, err := h.DB.Exec(t.Context(), `
		INSERT INTO tasks (id, residence_id, title, next_due_date, created_by_id, created_at, updated_at)
		SELECT gen_random_uuid(), $1, 'Task ' || n, '2026-03-20', $2, now(), now() FROM generate_series(1, 2100) n`, h.home, h.owner.Actor.UserID); err != nil {
		t.Fatal(err)
	}
	testkit.Reapply(t, h.Service, "task/00015_tell_tasks.sql")
	again := told[events.TaskRef](t, h, "task.changed")[before+1:]
	seen := map[uuid.UUID]bool{}
	for _, ref := range again {
		seen[ref.ID] = true
	}
	if len(again) != 2101 || len(seen) != 2101 {
		t.Errorf("%d events of %d tasks, wanted 2101", len(again), len(seen))
	}
}
