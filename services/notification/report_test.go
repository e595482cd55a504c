package notification_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
)

type order struct {
	ID                                       uuid.UUID
	Purpose, Email, FirstName, Locale, State string
	Report                                   json.RawMessage
}

func orders(t *testing.T, s *testkit.Service) []order {
	t.Helper()
	return all[order](t, s, `SELECT id, purpose, email, first_name, locale, state, data->'report' AS report FROM messages ORDER BY created_at, id`, nil)
}

func TestAnOrderedReportWaitsOnce(t *testing.T) {
	s := run(t, configuration(t)) // without a transport
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Email: "ann@example.com", FirstName: "Ann", Locale: "sv", Version: 1})
	once := testkit.Delivery{ID: uuid.Must(uuid.NewV7())}
	want := events.ReportRequest{Kind: "tasks", ResidenceID: uuid.New(), UserID: ann, From: "2026-01-01", To: "2026-03-10", Paper: "a4", Locale: "en-US"}
	testkit.DeliverAs(t, s, events.ReportRequested, want, once)
	testkit.DeliverAs(t, s, events.ReportRequested, want, once) // the same event again

	got := orders(t, s)
	var kept events.ReportRequest
	if len(got) != 1 || json.Unmarshal(got[0].Report, &kept) != nil || kept != want {
		t.Fatalf("messages %+v", got)
	}
	if m := got[0]; m.ID != once.ID || m.Purpose != "tasks_report" || m.Email != "ann@example.com" || m.FirstName != "Ann" || m.Locale != "en-US" || m.State != "pending" {
		t.Errorf("message %+v", m)
	}
	s.Clock.Advance(3 * 24 * time.Hour)
	testkit.Eventually(t, "it expires", func() bool {
		return slices.ContainsFunc(orders(t, s), func(m order) bool { return m.ID == once.ID && m.State == "expired" })
	})
}

func TestAReportOfAPersonNotHeardOfComesAgain(t *testing.T) {
	s := run(t, configuration(t))
	ordered := events.ReportRequest{Kind: "history", ResidenceID: uuid.New(), UserID: ann, Paper: "letter"}
	testkit.Enqueue(t, s, events.ReportRequested, ordered, testkit.Delivery{ID: uuid.Must(uuid.NewV7())})
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Email: "ann@example.com", Locale: "sv", Version: 1})
	testkit.Eventually(t, "it waits", func() bool {
		got := orders(t, s)
		return len(got) == 1 && got[0].Purpose == "history_report" && got[0].Locale == "sv"
	})
}
