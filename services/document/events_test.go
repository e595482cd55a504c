package document_test

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/document/blob"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

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
	s := open(t).Service
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

func TestItTellsHowItAndItsStoresAre(t *testing.T) {
	cfg := document.Config{Service: testkit.Config(t, "document"), Config: blob.Config{StorageDir: t.TempDir()}}
	s := testkit.Run(t, cfg.Service, document.New(cfg))
	look := func() internalapi.Health {
		return testkit.JSON[internalapi.Health](t, s.AsPart(t, "gateway").Want(200, "GET", "/internal/health", nil))
	}
	if h := look(); h != (internalapi.Health{Status: "ok", Database: "ok", Cache: "ok", Queue: "ok", Storage: "ok"}) {
		t.Errorf("health: %+v", h)
	}
	if err := os.RemoveAll(cfg.StorageDir); err != nil {
		t.Fatal(err)
	}
	if h := look(); h != (internalapi.Health{Status: "degraded", Database: "ok", Cache: "ok", Queue: "ok", Storage: "down"}) {
		t.Errorf("without its storage: %+v", h)
	}
}

func TestItDoesNotStartWithoutAStorage(t *testing.T) {
	cfg := document.Config{Service: testkit.Config(t, "document")}
	_, err := boot.Open(t.Context(), document.New(cfg), boot.Options{Config: cfg.Service, LogOut: io.Discard, OpsOff: true})
	if err == nil || !strings.Contains(err.Error(), "set HEARTH_STORAGE_DIR to a directory, or HEARTH_S3_ENDPOINT") {
		t.Errorf("it says %v", err)
	}
}
