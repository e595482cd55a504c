package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/dev/system"
	"hearth.internal/pkg/testkit"
)

// limit turns limits on and changes the free plan: nil is without a limit.
func (w *world) limit(t *testing.T, b *books, free map[string]any) {
	t.Helper()
	db := b.of["billing"]
	if _, err := db.Exec(t.Context(), `UPDATE settings SET limitations_enabled = true`); err != nil {
		t.Fatal(err)
	}
	for what, most := range free {
		if _, err := db.Exec(t.Context(), `UPDATE plans SET `+what+` = $1 WHERE tier = 'free'`, most); err != nil {
			t.Fatal(err)
		}
	}
	w.forget(t)
}

// membersKnown waits until the relay has dropped what changes of residences made stale a second time.
func (b *books) membersKnown() {
	b.t.Helper()
	testkit.Eventually(b.t, "what is known of members stays", func() bool {
		var waiting bool
		b.row("residence", `SELECT EXISTS (SELECT FROM outbox WHERE dropped_at IS NULL)`, nil, &waiting)
		return !waiting
	})
}

// limitReached asserts that an answer is the refusal which the apps know to make an offer of.
func (a answer) limitReached(trigger string, limit, used int) {
	a.t.Helper()
	if a.Status != 403 || a.value("code") != "limit_reached" || a.value("trigger_key") != trigger || a.value("limit") != float64(limit) || a.value("used") != float64(used) {
		a.t.Errorf("answered %d %s; wanted %s, %d of %d used", a.Status, a.Body, trigger, used, limit)
	}
}

func TestALimitIsExactHoweverManyAddAtOnce(t *testing.T) {
	w := start(t, func(o *system.Options) {
		o.Environ = append(o.Environ, "HEARTH_CACHE_PATIENCE=5s") // on a busy machine a slow answer is not an outage
	})
	b := w.books(t)
	ada, bob := w.join(t, "Ada"), w.join(t, "Bob")
	house := ada.home("Maple Street")
	ada.invite(bob, house)
	b.membersKnown()
	w.limit(t, b, nil)
	// Who sees what, and the owner's plan, are known from here on; what is deleted again does not count.
	for _, p := range []*person{ada, bob} {
		id := p.task(house, "Sweep", nil)
		p.want(204, "DELETE", "/api/tasks/"+id+"/", nil)
	}
	const limit, times = 10, 100
	var group sync.WaitGroup
	answers := make([]answer, times)
	for i := range times {
		group.Go(func() {
			p := []*person{ada, bob}[i%2] // a member's tasks count for the owner
			a, err := p.try("POST", "/api/tasks/", map[string]any{"residence_id": house, "title": fmt.Sprintf("Chore %d", i)})
			if err != nil {
				t.Error(err)
			}
			answers[i] = a
		})
	}
	group.Wait()
	added := 0
	for _, a := range answers {
		if a.Status == 201 {
			added++
		} else {
			a.limitReached("add_task", limit, limit)
		}
		if a.trips() != 1 {
			t.Errorf("%d took %d round trips", a.Status, a.trips())
		}
	}
	if truth := b.truth(ada.ID); added != limit || truth.Usage.Tasks != limit {
		t.Errorf("%d were added, %d are there", added, truth.Usage.Tasks)
	}
	if got, want := ada.status().Usage, b.truth(ada.ID).Usage; got != want {
		t.Errorf("the status says %+v, there is %+v", got, want)
	}
	bob.home("Birch Lane") // their own limits are untouched
	if got := bob.status().Usage; got.Properties != 1 || got.Tasks != 0 {
		t.Errorf("the member's status says %+v", got)
	}
}

// A plan that allows less than there is takes nothing away: all of it can be read, changed and done. Only nothing is added.
func TestWhatIsAboveALimitStays(t *testing.T) {
	w := start(t)
	b := w.books(t)
	ada, bob := w.join(t, "Ada"), w.join(t, "Bob")
	house, cabin := ada.home("Maple Street"), ada.home("Cabin")
	ada.invite(bob, house)
	things := []struct {
		trigger, list string
		add, edit     map[string]any
		ids           []string
	}{
		{trigger: "add_task", list: "/api/tasks/", add: map[string]any{"title": "Sweep"}, edit: map[string]any{"title": "Sweep well"}},
		{trigger: "add_contractor", list: "/api/contractors/", add: map[string]any{"name": "Rosa"}, edit: map[string]any{"company": "Becker"}},
		{trigger: "add_document", list: "/api/documents/", add: map[string]any{"title": "Receipt"}, edit: map[string]any{"provider": "Becker"}},
		{trigger: "add_equipment", list: "/api/equipment/", add: map[string]any{"name": "Furnace"}, edit: map[string]any{"location": "Basement"}},
	}
	for i := range things {
		things[i].add["residence_id"] = house
		for range 5 {
			things[i].ids = append(things[i].ids, bob.want(201, "POST", things[i].list, things[i].add).text("id"))
		}
	}
	w.limit(t, b, map[string]any{"properties": 1, "tasks": 3, "contractors": 3, "documents": 3, "equipment": 3})
	for _, thing := range things {
		for _, p := range []*person{ada, bob} {
			p.want(200, "GET", thing.list, nil)
			p.call("POST", thing.list, thing.add).limitReached(thing.trigger, 3, 5)
			for _, id := range thing.ids {
				p.want(200, "GET", thing.list+id+"/", nil)
				p.want(200, "PATCH", thing.list+id+"/", thing.edit)
				p.want(200, "PUT", thing.list+id+"/", thing.add)
			}
		}
	}
	tasks := things[0].ids
	bob.want(201, "POST", "/api/tasks/"+tasks[0]+"/quick-complete/", map[string]any{})
	ada.want(200, "PATCH", "/api/tasks/"+tasks[1]+"/", map[string]any{"residence_id": cabin}) // of the same owner: nothing more
	ada.want(200, "PATCH", "/api/residences/"+cabin+"/", map[string]any{"description": "Blue"})
	ada.call("POST", "/api/residences/", map[string]any{"name": "Hut"}).limitReached("add_property", 1, 2)
	for _, id := range tasks[:3] {
		ada.want(204, "DELETE", "/api/tasks/"+id+"/", nil)
	}
	bob.task(house, "Rake", nil)
	bob.call("POST", "/api/tasks/", things[0].add).limitReached("add_task", 3, 3)

	// Nobody is given what they have no room for.
	give := map[string]any{"user_id": bob.ID}
	hut := bob.home("Hut")
	ada.call("POST", "/api/residences/"+house+"/transfer/", give).limitReached("add_property", 1, 1)
	bob.want(204, "DELETE", "/api/residences/"+hut+"/", nil)
	ada.want(200, "POST", "/api/residences/"+house+"/transfer/", give)
	bob.call("POST", "/api/residences/", map[string]any{"id": uuid.Must(uuid.NewV7()).String(), "name": "Hut"}).limitReached("add_property", 1, 1)
	for _, p := range []*person{ada, bob} {
		testkit.Eventually(t, "the transfer is known everywhere", func() bool { return p.status().Usage == b.truth(p.ID).Usage })
	}
}
