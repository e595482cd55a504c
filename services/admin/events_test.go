package admin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/admin"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func run(t *testing.T) *testkit.Service {
	t.Helper()
	cfg := admin.Config{Service: testkit.Config(t, "admin")}
	return testkit.Run(t, cfg.Service, admin.New(cfg))
}

type signups struct {
	Day    day.Day
	People int
}

func TestSignupsAreCountedOnceOnTheirDay(t *testing.T) {
	s := run(t)
	trace, traceID := testkit.NewTrace()
	lastSecond := testkit.Delivery{
		ID: uuid.Must(uuid.NewV7()), Trace: trace,
		At: time.Date(2026, 3, 10, 23, 59, 59, 0, time.UTC).In(time.FixedZone("", 3*3600)), // the 11th on that clock
	}
	person := events.User{ID: uuid.Must(uuid.NewV7())}
	testkit.DeliverAs(t, s, events.UserRegistered, person, lastSecond)
	testkit.DeliverAs(t, s, events.UserRegistered, person, lastSecond) // the same event again
	testkit.DeliverAs(t, s, events.UserRegistered, events.User{ID: uuid.Must(uuid.NewV7())}, testkit.Delivery{At: lastSecond.At.Add(time.Second)})
	testkit.DeliverAs(t, s, events.UserRegistered, events.User{ID: uuid.Must(uuid.NewV7())}, testkit.Delivery{At: lastSecond.At.Add(-time.Hour)})
	s.Clock.Advance(48 * time.Hour) // arriving late changes nothing
	testkit.DeliverAs(t, s, events.UserRegistered, person, lastSecond)

	rows, err := pg.All[signups](t.Context(), s.DB, `SELECT day, people FROM signups ORDER BY day`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []signups{{day.Must("2026-03-10"), 2}, {day.Must("2026-03-11"), 1}}
	if !slices.Equal(rows, want) {
		t.Errorf("sign-ups %v, wanted %v", rows, want)
	}
	if spans := s.Spans(traceID); !slices.Contains(spans, "consume user.registered") {
		t.Errorf("the event's trace does not go on: %v", spans)
	}
}

func TestSignupsAtTheSameTimeAreAllCounted(t *testing.T) {
	s := run(t)
	const people = 20
	for range people {
		testkit.Enqueue(t, s, events.UserRegistered, events.User{ID: uuid.Must(uuid.NewV7())}, testkit.Delivery{})
	}
	testkit.Eventually(t, "all are counted", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT people FROM signups WHERE day = '2026-03-10'`, nil)
		return err == nil && n == people
	})
}

func TestItIsWell(t *testing.T) {
	s := run(t)
	h := testkit.JSON[internalapi.Health](t, s.AsPart(t, "gateway").Want(200, "GET", "/internal/health", nil))
	if h != (internalapi.Health{Status: "ok", Database: "ok", Cache: "ok", Queue: "ok"}) {
		t.Errorf("health: %+v", h)
	}
}
