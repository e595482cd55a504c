package billing_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/billing"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func run(t *testing.T) *testkit.Service {
	t.Helper()
	cfg := billing.Config{Service: testkit.Config(t, "billing")}
	return testkit.Run(t, cfg.Service, billing.New(cfg))
}

type subscription struct {
	UserID  uuid.UUID
	Tier    string
	Source  string
	IsFree  bool
	Version int
}

func TestAPersonStartsWithTheFreePlan(t *testing.T) {
	s := run(t)
	person := events.User{ID: uuid.Must(uuid.NewV7()), Version: 1}
	trace, traceID := testkit.NewTrace()
	once := testkit.Delivery{ID: uuid.Must(uuid.NewV7()), Trace: trace}
	testkit.DeliverAs(t, s, events.UserRegistered, person, once)
	if _, err := pg.Exec(t.Context(), s.DB, `UPDATE subscriptions SET tier = 'pro', source = 'stripe', version = 2`, nil); err != nil {
		t.Fatal(err)
	}
	testkit.DeliverAs(t, s, events.UserRegistered, person, once) // the same event again
	testkit.Deliver(t, s, events.UserRegistered, person)         // another one of the same person
	other := uuid.Must(uuid.NewV7())
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: other, Version: 1})

	rows, err := pg.All[subscription](t.Context(), s.DB, `SELECT user_id, tier, source, is_free, version FROM subscriptions ORDER BY user_id`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []subscription{{person.ID, "pro", "stripe", false, 2}, {other, "free", "none", false, 1}}
	if !slices.Equal(rows, want) {
		t.Errorf("subscriptions %v, wanted %v", rows, want)
	}
	if spans := s.Spans(traceID); !slices.Contains(spans, "consume user.registered") {
		t.Errorf("the event's trace does not go on: %v", spans)
	}
}

type plan struct {
	Tier                                                 string
	Properties, Tasks, Contractors, Documents, Equipment *int
}

func TestPlansAsSold(t *testing.T) {
	s := run(t)
	rows, err := pg.All[plan](t.Context(), s.DB, `SELECT tier, properties, tasks, contractors, documents, equipment FROM plans ORDER BY tier`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []plan{{"free", new(1), new(10), new(5), new(5), new(10)}, {Tier: "pro"}}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("plans %v, wanted %v", rows, want)
	}
	limited, _, err := pg.Scalar[bool](t.Context(), s.DB, `SELECT limitations_enabled FROM settings`, nil)
	if err != nil || limited {
		t.Errorf("limitations_enabled %t, %v", limited, err)
	}
	if _, err := pg.Exec(t.Context(), s.DB, `INSERT INTO settings (singleton) VALUES (false)`, nil); !pg.Violates(err, "settings_singleton") {
		t.Errorf("a second row of settings: %v", err)
	}
}

func TestItIsWell(t *testing.T) {
	s := run(t)
	h := testkit.JSON[internalapi.Health](t, s.AsPart(t, "gateway").Want(200, "GET", "/internal/health", nil))
	if h != (internalapi.Health{Status: "ok", Database: "ok", Cache: "ok", Queue: "ok"}) {
		t.Errorf("health: %+v", h)
	}
}
