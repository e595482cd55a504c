package notification_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/notification"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/testkit"
)

func code(t *testing.T, cfg notification.Config, digits string) events.Code {
	t.Helper()
	box, err := json.Marshal(events.CodeBox{Code: digits})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal.Seal(cfg.SealPrivateKey.Public(), box)
	if err != nil {
		t.Fatal(err)
	}
	return events.Code{
		UserID: ann, Purpose: "verify_email", Email: "demo@example.com", FirstName: "Demo", Locale: "en", Sealed: sealed,
		ExpiresAt: testkit.Start.Add(2*time.Hour + 5*time.Minute).Format(time.RFC3339),
	}
}

type row struct {
	ID     uuid.UUID
	State  string
	Sealed []byte
	SentAt *time.Time
}

func messages(t *testing.T, s *testkit.Service) []row {
	t.Helper()
	return all[row](t, s, `SELECT id, state, sealed, sent_at FROM messages ORDER BY created_at, id`, nil)
}

func TestACodeIsSentOnceAndForgotten(t *testing.T) {
	cfg, terminal := configuration(t), &screen{}
	s := run(t, cfg, notification.WithTerminal(terminal))
	trace, traceID := testkit.NewTrace()
	once := testkit.Delivery{ID: uuid.Must(uuid.NewV7()), Trace: trace}
	issued := code(t, cfg, "123456")
	testkit.DeliverAs(t, s, events.CodeIssued, issued, once)
	testkit.Eventually(t, "it is sent", func() bool { return messages(t, s)[0].State == "sent" })
	testkit.DeliverAs(t, s, events.CodeIssued, issued, once) // the same event again
	reset := code(t, cfg, "654321")
	reset.Purpose, reset.Email = "reset_password", "de\x1b[2Jmo@example.com"
	testkit.Deliver(t, s, events.CodeIssued, reset)
	testkit.Eventually(t, "the second is sent", func() bool { return len(terminal.lines()) == 2 })

	want := []string{
		"[dev mail] to demo@example.com verify your e-mail: 123456 (until Tue 14:05 UTC)",
		"[dev mail] to de�[2Jmo@example.com reset your password: 654321 (until Tue 14:05 UTC)",
	}
	if got := terminal.lines(); !slices.Equal(got, want) {
		t.Errorf("terminal %q, wanted %q", got, want)
	}
	if rows := messages(t, s); len(rows) != 2 || rows[0].ID != once.ID || rows[0].Sealed != nil || !rows[0].SentAt.Equal(testkit.Start) {
		t.Errorf("messages %+v", rows)
	}
	testkit.Eventually(t, "its trace goes on", func() bool { return slices.Contains(s.Spans(traceID), "send verify_email") })
}

func TestWithoutATransportACodeWaitsSealedAndExpires(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	testkit.Deliver(t, s, events.CodeIssued, code(t, cfg, "123456"))
	rows := messages(t, s)
	if len(rows) != 1 || rows[0].State != "pending" || strings.Contains(string(rows[0].Sealed), "123456") {
		t.Fatalf("messages %+v", rows)
	}
	if plain, err := seal.Open(cfg.SealPrivateKey, rows[0].Sealed); err != nil || string(plain) != `{"code":"123456"}` {
		t.Errorf("the box holds %q, %v", plain, err)
	}
	s.Clock.Advance(2*time.Hour + 5*time.Minute)
	testkit.Eventually(t, "it expires", func() bool { return messages(t, s)[0].State == "expired" })
	if rows := messages(t, s); rows[0].Sealed != nil || rows[0].SentAt != nil {
		t.Errorf("messages %+v", rows)
	}
}

func TestWhatWasSentLongAgoIsForgotten(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg, notification.WithTerminal(&screen{}))
	old := testkit.Deliver(t, s, events.CodeIssued, code(t, cfg, "123456"))
	recent := testkit.Deliver(t, s, events.CodeIssued, code(t, cfg, "654321"))
	testkit.Eventually(t, "both are sent", func() bool {
		return !slices.ContainsFunc(messages(t, s), func(r row) bool { return r.State != "sent" })
	})
	if _, err := s.DB.Exec(t.Context(), `UPDATE messages SET created_at = created_at - interval '31 days' WHERE id = $1`, old); err != nil {
		t.Fatal(err)
	}
	run(t, cfg) // it looks at its start
	testkit.Eventually(t, "the old one is forgotten", func() bool {
		rows := messages(t, s)
		return len(rows) == 1 && rows[0].ID == recent
	})
}

func TestWhatWaitedIsSentOnceThereIsATransport(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	testkit.Deliver(t, s, events.CodeIssued, code(t, cfg, "123456"))
	terminal := &screen{}
	run(t, cfg, notification.WithTerminal(terminal)) // the next start, nobody nudges
	testkit.Eventually(t, "it is sent", func() bool { return messages(t, s)[0].State == "sent" })
	if got := terminal.lines(); len(got) != 1 || !strings.Contains(got[0], "123456") {
		t.Errorf("terminal %q", got)
	}
}

// broken is a transport that fails until it is mended.
type broken struct {
	screen
	tries  atomic.Int32
	mended atomic.Bool
}

func (b *broken) Write(p []byte) (int, error) {
	b.tries.Add(1)
	if !b.mended.Load() {
		return 0, errors.New("no paper")
	}
	return b.screen.Write(p)
}

func TestAFailedSendIsTriedAgain(t *testing.T) {
	cfg, terminal := configuration(t), &broken{}
	s := run(t, cfg, notification.WithTerminal(terminal))
	testkit.Deliver(t, s, events.CodeIssued, code(t, cfg, "123456"))
	testkit.Eventually(t, "it is tried", func() bool { return terminal.tries.Load() == 1 })
	testkit.Eventually(t, "it waits again", func() bool {
		rows := messages(t, s)
		return rows[0].State == "pending" && rows[0].Sealed != nil
	})
	terminal.mended.Store(true)
	s.Clock.Advance(time.Minute)
	testkit.Eventually(t, "it is sent", func() bool { return messages(t, s)[0].State == "sent" })
	if got := terminal.lines(); len(got) != 1 {
		t.Errorf("terminal %q", got)
	}
}

func TestABoxThatCannotBeOpenedHoldsNobodyElseUp(t *testing.T) {
	cfg, other, terminal := configuration(t), configuration(t), &screen{}
	s := run(t, cfg, notification.WithTerminal(terminal))
	testkit.Deliver(t, s, events.CodeIssued, code(t, other, "999999"))
	testkit.Deliver(t, s, events.CodeIssued, code(t, cfg, ""))
	testkit.Deliver(t, s, events.CodeIssued, code(t, cfg, "123456"))
	testkit.Eventually(t, "the good one is sent", func() bool { return messages(t, s)[2].State == "sent" })
	testkit.Eventually(t, "the one waits for another key, the other is none", func() bool {
		rows := messages(t, s)
		return rows[0].State == "pending" && rows[0].Sealed != nil && rows[1].State == "failed" && rows[1].Sealed == nil
	})
	if rows := messages(t, s); len(rows) != 3 {
		t.Errorf("messages %+v", rows)
	}
	if got := terminal.lines(); len(got) != 1 || !strings.Contains(got[0], "123456") {
		t.Errorf("terminal %q", got)
	}
}

func TestTwoWorkersSendNothingTwice(t *testing.T) {
	cfg, terminal := configuration(t), &screen{}
	s := run(t, cfg)
	const n = 100
	for range n {
		testkit.Enqueue(t, s, events.CodeIssued, code(t, cfg, "123456"), testkit.Delivery{})
	}
	testkit.Eventually(t, "all wait", func() bool { return len(messages(t, s)) == n })
	run(t, cfg, notification.WithTerminal(terminal))
	run(t, cfg, notification.WithTerminal(terminal))
	testkit.Eventually(t, "all are sent", func() bool {
		left, _, err := pg.Scalar[int](context.Background(), s.DB, `SELECT count(*) FROM messages WHERE state <> 'sent'`, nil)
		return err == nil && left == 0
	})
	if got := terminal.lines(); len(got) != n {
		t.Errorf("%d lines for %d codes", len(got), n)
	}
}
