package document_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

type changes = internalapi.SyncPage[struct {
	Documents []document.Document
	Equipment []document.Equipment
}, map[string][]uuid.UUID]

func askSync(t *testing.T, c *testkit.Client, state internalapi.SyncState, limit int) changes {
	t.Helper()
	return testkit.JSON[changes](t, c.For(t).Want(200, "POST", "/internal/sync", internalapi.SyncQuery{State: state, Limit: limit}))
}

func TestSyncWalksInPagesOfOneRoundTrip(t *testing.T) {
	for name, prepared := range map[string]bool{"prepared": true, "behind an old PgBouncer": false} {
		t.Run(name, func(t *testing.T) {
			h := openWith(t, func(cfg *document.Config) { cfg.DatabasePrepare = prepared })
			want := map[uuid.UUID]bool{h.installed(t, h.home): true}
			for range 5 {
				want[h.file(t, h.owner, doc{"end_date": "2026-03-20"}).ID] = true
			}
			h.member.Want(200, "GET", "/api/documents/", nil) // who sees what is known
			testkit.AwaitHorizon(t, h.DB)
			var state internalapi.SyncState
			pages := 0
			for more := true; more; pages++ {
				a := h.member.Want(200, "POST", "/internal/sync", internalapi.SyncQuery{State: state, Limit: 2})
				if n := sqlTrips(a); n != 1 {
					t.Errorf("page %d took %d round trips", pages, n)
				}
				page := testkit.JSON[changes](t, a)
				if len(page.Rows.Documents) > 2 {
					t.Errorf("%d documents on a page of 2", len(page.Rows.Documents))
				}
				for _, d := range page.Rows.Documents {
					delete(want, d.ID)
				}
				for _, e := range page.Rows.Equipment {
					delete(want, e.ID)
				}
				state, more = page.State, page.More
			}
			if len(want) > 0 || pages != 3 {
				t.Errorf("%d things are missing after %d pages", len(want), pages)
			}
			raw := testkit.JSON[struct {
				Rows struct{ Documents, Equipment []doc }
			}](t, h.member.Want(200, "POST", "/internal/sync", internalapi.SyncQuery{Limit: 10}))
			if _, sent := raw.Rows.Documents[0]["days_until_expiry"]; sent || raw.Rows.Documents[0]["end_date"] != "2026-03-20" {
				t.Errorf("a document is sent as %v", raw.Rows.Documents[0])
			}
			if _, sent := raw.Rows.Equipment[0]["replace_by"]; sent {
				t.Errorf("equipment is sent as %v", raw.Rows.Equipment[0])
			}
		})
	}
}

func TestSyncBuriesWhatIsGoneAndBelievesNothingOfTheCursor(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	gone, moved, equipment := h.file(t, h.owner, nil), h.file(t, h.owner, nil), h.installed(t, h.home)
	h.member.Want(200, "GET", "/api/documents/", nil)
	testkit.AwaitHorizon(t, h.DB)
	state := askSync(t, h.member, internalapi.SyncState{}, 10).State
	h.owner.Want(204, "DELETE", path("documents", gone.ID), nil)
	h.owner.Want(200, "PATCH", path("documents", moved.ID), doc{"residence_id": second})
	if _, err := h.DB.Exec(t.Context(), `DELETE FROM equipment WHERE id = $1`, equipment); err != nil {
		t.Fatal(err)
	}
	page := askSync(t, h.member, state, 10)
	for _, id := range []uuid.UUID{gone.ID, moved.ID} {
		if !slices.Contains(page.Removed["document_ids"], id) {
			t.Errorf("removed %v", page.Removed)
		}
	}
	if !slices.Equal(page.Removed["equipment_ids"], []uuid.UUID{equipment}) || len(page.Rows.Documents) != 0 {
		t.Errorf("%+v", page)
	}
	page = askSync(t, h.stranger, state, 10)
	if len(page.Rows.Documents)+len(page.Removed["document_ids"])+len(page.Removed["equipment_ids"]) > 0 || !slices.Equal(page.Lost, []uuid.UUID{h.home}) {
		t.Errorf("a stranger with the member's cursor gets %+v", page)
	}
	h.AsNobody(t).Refused(401, "authentication_required", "POST", "/internal/sync", internalapi.SyncQuery{Limit: 1})
	h.owner.Refused(422, "validation_failed", "POST", "/internal/sync", internalapi.SyncQuery{Limit: 501})
	h.Clock.Advance(delta.CursorLife + time.Second)
	h.owner.Refused(410, "cursor_expired", "POST", "/internal/sync", internalapi.SyncQuery{State: state, Limit: 10})
}
