package e2e

import (
	"regexp"
	"testing"

	"hearth.internal/pkg/testkit"
)

// TestTour is what a household does on its first evening.
func TestTour(t *testing.T) {
	w := start(t)
	ada, sam := w.join(t, "Ada"), w.join(t, "Sam")

	testkit.Eventually(t, "the verification code is on its way", func() bool { return w.codes.find(ada.Email) != "" })
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(w.codes.find(ada.Email))
	ada.want(200, "POST", "/api/auth/verify-email/", map[string]any{"code": code})
	if verified := ada.want(200, "GET", "/api/auth/me/", nil).value("email_verified"); verified != true {
		t.Errorf("email_verified is %v", verified)
	}

	house := ada.home("Maple Street")
	ada.invite(sam, house)
	if role := sam.want(200, "GET", "/api/residences/"+house+"/", nil).text("role"); role != "member" {
		t.Errorf("Sam is %s", role)
	}
	testkit.Eventually(t, "both are listed by name", func() bool {
		a := ada.want(200, "GET", "/api/residences/"+house+"/users/", nil)
		names := map[any]bool{}
		for _, u := range a.list("items") {
			names[u.(map[string]any)["first_name"]] = true
		}
		return names["Ada"] && names["Sam"]
	})

	monthly := ada.lookup("task_frequencies", "monthly")
	filter := sam.task(house, "Replace the filter", map[string]any{"frequency_id": monthly, "due_date": "2026-01-31"})
	board := w.settled(ada, "/api/tasks/")
	if n := board.column("overdue")["count"]; n != 1.0 {
		t.Errorf("overdue: %v", n)
	}
	done := ada.want(201, "POST", "/api/tasks/"+filter+"/quick-complete/", map[string]any{})
	if who := done.text("completed_by_id"); who != ada.ID {
		t.Errorf("completed by %s", who)
	}
	after := sam.want(200, "GET", "/api/tasks/", nil, "If-None-Match", board.Header.Get("ETag"))
	if n := after.column("overdue")["count"]; n != 0.0 {
		t.Errorf("still overdue after the completion: %v", n)
	}
	if due := sam.want(200, "GET", "/api/tasks/"+filter+"/", nil).text("next_due_date"); due <= "2026-01-31" {
		t.Errorf("next due %s", due)
	}
	sam.want(200, "GET", "/api/residences/my-residences/", nil)

	ada.want(204, "DELETE", "/api/residences/"+house+"/", nil)
	sam.want(404, "GET", "/api/residences/"+house+"/", nil)
	sam.want(404, "GET", "/api/tasks/by-residence/"+house+"/", nil)
	testkit.Eventually(t, "the tasks went with the residence", func() bool {
		return sam.call("GET", "/api/tasks/"+filter+"/", nil).Status == 404
	})
	ada.want(204, "POST", "/api/auth/logout/", nil)
	if took := dead(t, ada); took > revocationLimit {
		t.Errorf("the token lived %v longer", took)
	}
}
