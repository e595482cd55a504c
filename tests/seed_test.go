package e2e

import (
	"testing"
	"time"

	"hearth.internal/dev/seed"
)

// TestTheDemoHouseholdIsFoundAgain however the people in it were left: every start looks after it.
func TestTheDemoHouseholdIsFoundAgain(t *testing.T) {
	w := start(t)
	sam := map[string]any{"email": "sam@hearth.example", "username": "sam", "password": "warm-hearth-2026", "first_name": "Sam", "last_name": "Okafor"}
	(&person{t: t, base: w.URL}).want(201, "POST", "/api/auth/register/", sam) // and then the run was killed
	household, err := seed.Demo(t.Context(), w.URL, time.Now())
	if err != nil {
		t.Fatalf("after a run that was cut off: %v", err)
	}
	ada := &person{t: t, base: w.URL}
	ada.Token = ada.want(200, "POST", "/api/auth/login/", map[string]any{"email": household.Owner, "password": household.Password}).text("token")
	homes := ada.want(200, "GET", "/api/residences/", nil).list("items")
	if len(homes) != 2 {
		t.Errorf("%d residences", len(homes))
	}
	if n := len(ada.want(200, "GET", "/api/documents/", nil).list("items")); n != 5 {
		t.Errorf("%d documents", n)
	}
	eventually(t, time.Minute, "everything that was sent is used, looked into, and where the database says", func() bool {
		found := w.findings(t)
		return found.Sound() && found.Uploads == 11 && found.Blobs == 3*found.Uploads && w.unclaimed(t) == 0
	})
	ada.want(204, "POST", "/api/auth/change-password/", map[string]any{"current_password": household.Password, "new_password": "another horse 7 battery"})
	if _, err := seed.Demo(t.Context(), w.URL, time.Now()); err != nil {
		t.Errorf("after a change of the password: %v", err)
	}
}
