package testkit

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// AwaitHorizon waits until every transaction that is open now, in whatever test of the cluster, has ended: what was
// written so far is below the next horizon of the delta sync, and comes once.
func AwaitHorizon(t testing.TB, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) {
	t.Helper()
	var last string
	if err := db.QueryRow(t.Context(), `SELECT pg_current_xact_id()::text`).Scan(&last); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the transactions of before have ended", func() bool {
		var passed bool
		err := db.QueryRow(t.Context(), `SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::text::xid8`, last).Scan(&passed)
		return err == nil && passed
	})
}
