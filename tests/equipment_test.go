package e2e

import (
	"testing"

	"hearth.internal/pkg/testkit"
)

// TestEquipmentFromPurchaseToRemoval is a furnace's life: what is done to it becomes its history, and once it is gone
// nothing names it.
func TestEquipmentFromPurchaseToRemoval(t *testing.T) {
	w := start(t)
	owner, member, stranger := w.join(t, "Owner"), w.join(t, "Member"), w.join(t, "Stranger")
	house, elsewhere := owner.home("Maple Street"), stranger.home("Birch Lane")
	owner.invite(member, house)
	furnace := owner.want(201, "POST", "/api/equipment/", map[string]any{
		"residence_id": house, "name": "Furnace", "category": "heating", "purchase_price": "4000.00", "install_date": "2020-02-29", "expected_life_years": 15,
	}).text("id")
	at := "/api/equipment/" + furnace + "/"
	filter := member.task(house, "Filter", map[string]any{"equipment_id": furnace, "rrule": "FREQ=MONTHLY", "due_date": "2026-01-01"})
	done := member.want(201, "POST", "/api/task-completions/", map[string]any{"task_id": filter, "actual_cost": "25.50"}).text("id")

	// Another's equipment is nobody else's to name, nor is that of another residence.
	stranger.want(422, "POST", "/api/tasks/", map[string]any{"residence_id": elsewhere, "title": "x", "equipment_id": furnace})
	theirs := stranger.task(elsewhere, "Theirs", nil)
	stranger.want(422, "PATCH", "/api/tasks/"+theirs+"/", map[string]any{"equipment_id": furnace})
	stranger.want(422, "POST", "/api/task-completions/", map[string]any{"task_id": theirs, "equipment_id": furnace})
	stranger.want(404, "GET", at+"history/", nil)

	history := owner.want(200, "GET", at+"history/", nil)
	for path, want := range map[string]any{
		"equipment.replace_by": "2035-02-28", "items.0.id": done, "items.0.task_title": "Filter", "items.0.actual_cost": "25.50", "items.0.equipment_id": furnace,
		"open_tasks.0.id": filter, "totals.completions": 1.0, "totals.maintenance_cost": "25.50", "totals.total_cost": "4025.50", "next_cursor": nil,
	} {
		if got := history.value(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	etag := w.settled(owner, at+"history/").Header.Get("ETag")
	member.want(201, "POST", "/api/tasks/"+filter+"/quick-complete/", nil)
	owner.want(200, "GET", at+"history/", nil, "If-None-Match", etag)

	owner.want(204, "DELETE", at, nil)
	testkit.Eventually(t, "nothing names it any more", func() bool {
		task, completion := member.want(200, "GET", "/api/tasks/"+filter+"/", nil), member.want(200, "GET", "/api/task-completions/"+done+"/", nil)
		return task.value("equipment_id") == nil && completion.value("equipment_id") == nil
	})
	member.want(422, "PATCH", "/api/tasks/"+filter+"/", map[string]any{"equipment_id": furnace})
	owner.want(404, "GET", at+"history/", nil)
}
