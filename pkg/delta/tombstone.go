package delta

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// tombstones is the stream that every walk has.
const tombstones = "tombstones"

// Tombstone says that something is no longer in a scope.
type Tombstone struct {
	Kind  string
	Scope uuid.UUID
	ID    uuid.UUID
	Placed
}

// TombstonesSQL is the statement of the tombstones' stream.
const TombstonesSQL = `
SELECT t.kind, t.scope, t.id, t.sync_xid, t.scope AS sync_scope, t.key AS sync_id FROM (
	SELECT gone.* FROM ` + Scopes + ` CROSS JOIN LATERAL (
		SELECT t.* FROM tombstones t WHERE t.scope = scope.id AND (t.sync_xid, t.key) > (scope.xid, scope.after)
		ORDER BY t.sync_xid, t.key LIMIT @rows::int) gone
	ORDER BY gone.sync_xid, gone.scope, gone.key LIMIT @rows::int) t
ORDER BY t.sync_xid, t.scope, t.key`

const sweepSQL = `
DELETE FROM tombstones WHERE key IN (
	SELECT key FROM tombstones WHERE deleted_at < @since::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`

// Sweep removes the tombstones that no cursor needs any more. It also looks whether the database is in another cluster
// than before, filled from a dump: there transactions are counted anew, and the rows of these tables, whose marks would
// be ahead of every horizon, are marked again.
func Sweep(ctx context.Context, q pg.Querier, now time.Time, tables ...string) error {
	err := pg.Sweep(ctx, q, sweepSQL, pgx.NamedArgs{"since": now.Add(-CursorLife - 24*time.Hour)})
	if err != nil {
		return fmt.Errorf("sweep tombstones: %w", err)
	}
	const ahead = `>= pg_snapshot_xmax(pg_current_snapshot())`
	moved, _, err := pg.Scalar[bool](ctx, q, `SELECT seen `+ahead+` FROM sync_marks`, nil)
	if err != nil {
		return fmt.Errorf("mark of the sync: %w", err)
	}
	if moved {
		for _, table := range append(tables, "tombstones") {
			err := pg.Sweep(ctx, q, `
				UPDATE `+table+` SET sync_xid = '0' WHERE ctid = ANY(ARRAY(
					SELECT ctid FROM `+table+` WHERE sync_xid `+ahead+` LIMIT @batch FOR UPDATE))`, pgx.NamedArgs{})
			if err != nil {
				return fmt.Errorf("mark %s again: %w", table, err)
			}
		}
	}
	if _, err := pg.Exec(ctx, q, `UPDATE sync_marks SET seen = pg_current_xact_id()`, nil); err != nil {
		return fmt.Errorf("mark of the sync: %w", err)
	}
	return nil
}
