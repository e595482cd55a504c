package task

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// skipColumns are a Skip, of task_skips k and who skipped it p.
const skipColumns = `k.id, k.task_id, k.occurrence, k.reason, k.skipped_by_id, p.name AS skipped_by_name, k.skipped_at`

const withSkipper = ` k LEFT JOIN LATERAL (` + personName + ` WHERE p.user_id = k.skipped_by_id LIMIT 1) p ON true `

const (
	skipByIDSQL = `SELECT ` + skipColumns + ` FROM task_skips` + withSkipper + `WHERE k.id = @skip::uuid`
	skipsOfSQL  = `SELECT ` + skipColumns + ` FROM task_skips` + withSkipper + `WHERE k.task_id = @task::uuid ORDER BY k.occurrence DESC LIMIT 200`
)

// readSeriesAndSkip also reads the skip of the id, whatever task it is of.
func readSeriesAndSkip(ctx context.Context, q pg.Querier, actor identity.Actor, homes []access.Home, task, id uuid.UUID) (row seriesRow, found bool, there Skip, err error) {
	args := pgx.NamedArgs{"task": task, "completion": nil, "contractor": nil, "actor": actor.UserID, "mine": access.IDs(homes), "skip": id}
	var known bool
	var batch pgx.Batch
	batch.Queue(seriesSQL, args).Query(pg.Row(&row, &found))
	batch.Queue(skipByIDSQL, args).Query(pg.Row(&there, &known))
	err = pg.Send(ctx, q, &batch)
	return row, found, there, err
}

// readSkips also reports whether there is such a task; both in one round trip.
func readSkips(ctx context.Context, q pg.Querier, task uuid.UUID, mine []uuid.UUID) (skips []Skip, found bool, err error) {
	args := pgx.NamedArgs{"task": task, "mine": mine}
	var batch pgx.Batch
	batch.Queue(taskThereSQL, args).Query(pg.Found(&found))
	batch.Queue(skipsOfSQL, args).Query(pg.Rows(&skips))
	err = pg.Send(ctx, q, &batch)
	return skips, found, err
}

var skipSQL = `
WITH changed AS (
	UPDATE tasks t SET next_due_date = @next::date, is_done = @over::boolean, in_progress = false, version = t.version + 1, updated_at = @now::timestamptz,
		checklist = CASE WHEN @over::boolean THEN t.checklist ELSE ` + openAgain + ` END
	WHERE t.id = @task::uuid AND t.version = @seen::int RETURNING t.*),
written AS (
	INSERT INTO task_skips (id, task_id, occurrence, reason, skipped_by_id, skipped_at)
	SELECT @skip::uuid, id, @occurrence::date, @reason::text, @actor::uuid, @now::timestamptz FROM changed RETURNING *),
event AS (` + events.ColumnsWith(refMembers) + ` FROM changed t)
SELECT ` + skipColumns + ` FROM written` + withSkipper

var unskipSQL = `
WITH changed AS (
	UPDATE tasks t SET next_due_date = @next::date, is_done = @over::boolean, version = t.version + 1, updated_at = @now::timestamptz
	WHERE t.id = @task::uuid AND t.version = @seen::int RETURNING t.*),
written AS (DELETE FROM task_skips k USING changed WHERE k.id = @skip::uuid AND k.task_id = changed.id RETURNING k.id),
event AS (` + events.ColumnsWith(refMembers) + ` FROM changed t)
SELECT id FROM written`

func (k skipping) args(ctx context.Context) pgx.NamedArgs {
	return events.TaskChanged.Args(ctx, events.TaskRef{ActorID: k.actor.UserID}, pgx.NamedArgs{
		"task": k.task.ID, "seen": k.task.Version - 1, "next": k.next, "over": k.over, "now": k.now,
		"skip": k.ID, "occurrence": k.Occurrence, "reason": k.Reason, "actor": k.actor.UserID,
	})
}

// skip adds the skip; it does not apply when the task has moved on since it was read.
func skip(ctx context.Context, q pg.Querier, k skipping) (Skip, bool, error) {
	out, applied, err := pg.One[Skip](ctx, q, skipSQL, k.args(ctx))
	switch {
	case pg.Violates(err, "task_skips_pkey"):
		return out, false, apperr.IDTaken.New("There is something else with that id.")
	case pg.Violates(err, "task_skips_occurrence"):
		return out, false, nil
	}
	return out, applied, err
}

func unskip(ctx context.Context, q pg.Querier, k skipping) (bool, error) {
	_, applied, err := pg.Scalar[uuid.UUID](ctx, q, unskipSQL, k.args(ctx))
	return applied, err
}
