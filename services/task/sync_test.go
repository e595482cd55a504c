package task_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/config"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

type changes = internalapi.SyncPage[struct {
	Tasks       []task.Task
	Completions []task.Completion
	Contractors []task.Contractor
}, map[string][]uuid.UUID]

func askSync(t *testing.T, c *testkit.Client, state internalapi.SyncState, limit int) changes {
	t.Helper()
	return testkit.JSON[changes](t, c.For(t).Want(200, "POST", "/internal/sync", internalapi.SyncQuery{State: state, Limit: limit}))
}

func has(tasks []task.Task, id uuid.UUID) bool {
	return slices.ContainsFunc(tasks, func(t task.Task) bool { return t.ID == id })
}

func TestSyncWalksInPagesOfOneRoundTrip(t *testing.T) {
	for name, prepared := range map[string]bool{"prepared": true, "behind an old PgBouncer": false} {
		t.Run(name, func(t *testing.T) {
			h := openWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = prepared })
			want := map[uuid.UUID]bool{}
			for range 5 {
				want[h.add(t, h.owner, nil).ID] = true
			}
			h.member.Want(200, "GET", "/api/tasks/", nil) // who sees what is known
			testkit.AwaitHorizon(t, h.DB)
			var state internalapi.SyncState
			pages := 0
			for more := true; more; pages++ {
				a := h.member.Want(200, "POST", "/internal/sync", internalapi.SyncQuery{State: state, Limit: 2})
				if n := sqlTrips(a); n != 1 {
					t.Errorf("page %d took %d round trips", pages, n)
				}
				page := testkit.JSON[changes](t, a)
				if len(page.Rows.Tasks) > 2 {
					t.Errorf("%d tasks on a page of 2", len(page.Rows.Tasks))
				}
				for _, task := range page.Rows.Tasks {
					delete(want, task.ID)
				}
				state, more = page.State, page.More
			}
			if len(want) > 0 || pages != 3 {
				t.Errorf("%d tasks are missing after %d pages", len(want), pages)
			}
		})
	}
}

func TestSyncBelievesNothingOfTheCursor(t *testing.T) {
	h := open(t)
	mine := h.add(t, h.owner, nil)
	personal := testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Ada"}))
	state := askSync(t, h.owner, internalapi.SyncState{}, 10).State
	h.owner.Want(204, "DELETE", path("contractors", personal.ID), nil)
	h.owner.Want(204, "DELETE", path("tasks", mine.ID), nil)
	page := askSync(t, h.stranger, state, 10)
	if len(page.Rows.Tasks)+len(page.Rows.Contractors)+len(page.Removed["task_ids"])+len(page.Removed["contractor_ids"]) > 0 {
		t.Errorf("a stranger with the owner's cursor gets %+v", page)
	}
	if !slices.Equal(page.Lost, []uuid.UUID{h.home}) || slices.Contains(page.State.Homes, h.home) {
		t.Errorf("lost %v, kept %v", page.Lost, page.State.Homes)
	}
	page = askSync(t, h.owner, state, 10)
	if !slices.Contains(page.Removed["task_ids"], mine.ID) || !slices.Contains(page.Removed["contractor_ids"], personal.ID) {
		t.Errorf("removed %v", page.Removed)
	}
	h.AsNobody(t).Refused(401, "authentication_required", "POST", "/internal/sync", internalapi.SyncQuery{Limit: 1})
	h.AsPart(t, "gateway").Refused(401, "authentication_required", "POST", "/internal/sync", internalapi.SyncQuery{Limit: 1})
	h.owner.Refused(422, "validation_failed", "POST", "/internal/sync", internalapi.SyncQuery{Limit: 501})
}

func TestSyncBeginsAnewWhereTheCursorCannotLead(t *testing.T) {
	h := open(t)
	h.add(t, h.owner, nil)
	state := askSync(t, h.owner, internalapi.SyncState{}, 10).State
	ask := func(s internalapi.SyncState) internalapi.SyncQuery { return internalapi.SyncQuery{State: s, Limit: 10} }
	ahead := state
	ahead.Since += 1 << 20
	h.owner.Refused(410, "cursor_expired", "POST", "/internal/sync", ask(ahead)) // the cluster has lost what it had
	h.Clock.Advance(delta.CursorLife)
	h.owner.Want(200, "POST", "/internal/sync", ask(state))
	h.Clock.Advance(time.Second)
	h.owner.Refused(410, "cursor_expired", "POST", "/internal/sync", ask(state))
}

func TestSyncSendsAgainWhatAnotherPartCalledGone(t *testing.T) {
	h := open(t)
	before := h.add(t, h.owner, nil)
	state := askSync(t, h.owner, internalapi.SyncState{}, 10).State
	gone := h.add(t, h.owner, nil)
	state.Homes, state.Again = nil, []uuid.UUID{h.home}
	h.owner.Want(204, "DELETE", path("tasks", gone.ID), nil)
	page := askSync(t, h.owner, state, 10)
	if !has(page.Rows.Tasks, before.ID) || !slices.Contains(page.Removed["task_ids"], gone.ID) || len(page.Lost) > 0 || len(page.State.Again) > 0 {
		t.Errorf("%+v", page)
	}
	h.homes.Take(h.owner.Actor.UserID)
	if page := askSync(t, h.As(t, h.owner.Actor.UserID), state, 10); len(page.Lost) > 0 { // who sees what is still cached
		t.Errorf("lost %v", page.Lost)
	}
	if page := askSync(t, h.stranger, state, 10); !slices.Equal(page.Lost, []uuid.UUID{h.home}) {
		t.Errorf("not to be seen, and lost are %v", page.Lost)
	}
}

func TestErasedResidencesLeaveNoTombstones(t *testing.T) {
	h := open(t)
	done := h.add(t, h.owner, nil)
	h.complete(t, done.ID, "2026-03-10T10:00:00Z")
	h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Ada", "residence_id": h.home})
	testkit.Deliver(t, h.Service, events.ResidenceDeleted, events.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Version: 2})
	if n := count(t, h, `SELECT count(*) FROM tombstones`); n != 0 {
		t.Errorf("%d tombstones", n)
	}
}

func count(t *testing.T, h house, sql string) (n int) {
	t.Helper()
	if err := h.DB.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTombstonesAreKeptLongerThanCursors(t *testing.T) {
	h := open(t)
	h.owner.Want(204, "DELETE", path("tasks", h.add(t, h.owner, nil).ID), nil)
	var buried time.Time
	if err := h.DB.QueryRow(t.Context(), `SELECT deleted_at FROM tombstones`).Scan(&buried); err != nil {
		t.Fatal(err)
	}
	sweep := func(now time.Time) {
		t.Helper()
		if err := delta.Sweep(t.Context(), h.DB, now, "tasks"); err != nil {
			t.Fatal(err)
		}
	}
	sweep(buried.Add(delta.CursorLife))
	if n := count(t, h, `SELECT count(*) FROM tombstones`); n != 1 {
		t.Error("gone while a cursor may need it")
	}
	sweep(buried.Add(delta.CursorLife + 25*time.Hour))
	if n := count(t, h, `SELECT count(*) FROM tombstones`); n != 0 {
		t.Error("kept for ever")
	}
}

// A dump that is read into another cluster brings marks along that no transaction there has made yet.
func TestMarksOfAnotherClusterAreMadeAnew(t *testing.T) {
	h := open(t)
	first, second := h.add(t, h.owner, nil), h.add(t, h.owner, nil)
	_, err := h.DB.Exec(t.Context(), `
		ALTER TABLE tasks DISABLE TRIGGER sync_stamp;
		UPDATE tasks SET sync_xid = '900000000000';
		ALTER TABLE tasks ENABLE TRIGGER sync_stamp;
		UPDATE sync_marks SET seen = '900000000001'`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	h.owner.Want(200, "PATCH", path("tasks", first.ID), doc{"title": "written here"}) // which marks it anew by itself
	if n := count(t, h, `SELECT count(*) FROM tasks WHERE sync_xid >= '900000000000'`); n != 1 {
		t.Errorf("%d rows have the mark of another cluster", n)
	}
	if err := delta.Sweep(t.Context(), h.DB, h.Clock.Now(), "tasks", "completions", "contractors"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, h, `SELECT count(*) FROM tasks WHERE sync_xid >= '900000000000'`); n != 0 {
		t.Errorf("%d rows have the mark of another cluster", n)
	}
	testkit.AwaitHorizon(t, h.DB)
	page := askSync(t, h.owner, internalapi.SyncState{}, 1)
	if next := askSync(t, h.owner, page.State, 1); !has(append(page.Rows.Tasks, next.Rows.Tasks...), second.ID) || !has(append(page.Rows.Tasks, next.Rows.Tasks...), first.ID) {
		raw, _ := json.Marshal(page)
		t.Errorf("%s", raw)
	}
}

func TestAFavouriteIsSentAgainWithoutANewVersion(t *testing.T) {
	h := open(t)
	shared := testkit.JSON[task.Contractor](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Ada", "residence_id": h.home}))
	state := askSync(t, h.viewer, internalapi.SyncState{}, 10).State
	liked := testkit.JSON[task.Contractor](t, h.viewer.Want(200, "POST", path("contractors", shared.ID, "toggle-favorite"), nil))
	page := askSync(t, h.viewer, state, 10)
	if liked.Version != shared.Version || len(page.Rows.Contractors) != 1 || !page.Rows.Contractors[0].IsFavorite || page.Rows.Contractors[0].Version != shared.Version {
		t.Errorf("version %d, sent %+v", liked.Version, page.Rows.Contractors)
	}
}
