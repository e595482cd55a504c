package document_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func run(t *testing.T) *testkit.Service {
	t.Helper()
	cfg := document.Config{Service: testkit.Config(t, "document")}
	return testkit.Run(t, cfg.Service, document.New(cfg))
}

type goneResidence struct {
	ResidenceID uuid.UUID
	GoneAt      time.Time
}

func gone(t *testing.T, s *testkit.Service) []goneResidence {
	t.Helper()
	rows, err := pg.All[goneResidence](t.Context(), s.DB, `SELECT residence_id, gone_at FROM gone_residences ORDER BY gone_at`, nil)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestADeletedResidenceIsRemembered(t *testing.T) {
	s := run(t)
	home := events.Home{ID: uuid.Must(uuid.NewV7())}
	trace, traceID := testkit.NewTrace()
	once := testkit.Delivery{ID: uuid.Must(uuid.NewV7()), Trace: trace}
	testkit.DeliverAs(t, s, events.ResidenceDeleted, home, once)
	s.Clock.Advance(time.Hour)
	testkit.DeliverAs(t, s, events.ResidenceDeleted, home, once)                             // the same event again
	testkit.Deliver(t, s, events.ResidenceDeleted, home)                                     // another one of the same residence
	testkit.Deliver(t, s, events.ResidenceDeleted, events.Home{ID: uuid.Must(uuid.NewV7())}) // another residence
	if rows := gone(t, s); len(rows) != 2 || rows[0] != (goneResidence{home.ID, testkit.Start}) {
		t.Errorf("gone: %v", rows)
	}
	if spans := s.Spans(traceID); !slices.Contains(spans, "consume residence.deleted") {
		t.Errorf("the event's trace does not go on: %v", spans)
	}
}

func TestItIsWell(t *testing.T) {
	s := run(t)
	h := testkit.JSON[internalapi.Health](t, s.AsPart(t, "gateway").Want(200, "GET", "/internal/health", nil))
	if h != (internalapi.Health{Status: "ok", Database: "ok", Cache: "ok", Queue: "ok"}) {
		t.Errorf("health: %+v", h)
	}
}
