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

type letter struct {
	ID                                       uuid.UUID
	Purpose, Email, FirstName, Locale, State string
	Notice                                   json.RawMessage
}

func letters(t *testing.T, s *testkit.Service) []letter {
	t.Helper()
	return all[letter](t, s, `SELECT id, purpose, email, first_name, locale, state, data->'notice' AS notice FROM messages ORDER BY created_at, id`, nil)
}

func TestANoticeAboutASubscriptionWaitsOnce(t *testing.T) {
	s := run(t, configuration(t)) // without a transport
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Email: "ann@example.com", FirstName: "Ann", Locale: "sv", Version: 1})
	once := testkit.Delivery{ID: uuid.Must(uuid.NewV7())}
	want := events.Notice{UserID: ann, Kind: "renewed", Source: "stripe", Tier: "pro", Amount: 499, Currency: "EUR", Until: "2026-04-10T12:00:00Z", URL: "https://pay.example.com/r/1"}
	testkit.DeliverAs(t, s, events.BillingNotice, want, once)
	testkit.DeliverAs(t, s, events.BillingNotice, want, once) // the same event again
	if _, err := s.DB.Exec(t.Context(), `DELETE FROM inbox`); err != nil {
		t.Fatal(err)
	}
	testkit.DeliverAs(t, s, events.BillingNotice, want, once) // and when the inbox has forgotten it

	got := letters(t, s)
	var kept events.Notice
	if len(got) != 1 || json.Unmarshal(got[0].Notice, &kept) != nil || kept != want {
		t.Fatalf("messages %+v", got)
	}
	if m := got[0]; m.ID != once.ID || m.Purpose != "billing_renewed" || m.Email != "ann@example.com" || m.FirstName != "Ann" || m.Locale != "sv" || m.State != "pending" {
		t.Errorf("message %+v", m)
	}
	s.Clock.Advance(14*24*time.Hour - time.Minute)
	testkit.Deliver(t, s, events.BillingNotice, events.Notice{UserID: ann, Kind: "ended", Source: "none", Tier: "free"})
	find := func(state string) bool {
		return slices.ContainsFunc(letters(t, s), func(m letter) bool {
			return m.ID == once.ID && m.State == state
		})
	}
	if !find("pending") {
		t.Errorf("messages %+v", letters(t, s))
	}
	s.Clock.Advance(time.Minute)
	testkit.Eventually(t, "it expires", func() bool { return find("expired") })
}

func TestANoticeForAPersonNotHeardOfComesAgain(t *testing.T) {
	s := run(t, configuration(t))
	testkit.Enqueue(t, s, events.BillingNotice, events.Notice{UserID: ann, Kind: "started", Source: "grant", Tier: "pro"}, testkit.Delivery{})
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Email: "ann@example.com", Locale: "sv", Version: 1})
	testkit.Eventually(t, "it waits", func() bool {
		got := letters(t, s)
		return len(got) == 1 && got[0].Purpose == "billing_started" && got[0].Locale == "sv"
	})
}
