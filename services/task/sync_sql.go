package task

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// noFigures stand for what a contractor's tasks and completions decide, which is not sent.
const noFigures = `0::bigint AS task_count, NULL::float8 AS average_rating, 0 AS rating_count, 0 AS completion_count,
	NULL::timestamptz AS last_worked_at, '[]'::jsonb AS total_paid`

// Of each scope the oldest changes come from the index, and the oldest of those are the page.
const (
	syncTasksSQL = `
SELECT ` + taskColumns + `, t.sync_xid, t.residence_id AS sync_scope, t.id AS sync_id FROM (
	SELECT changed.* FROM ` + delta.Scopes + ` CROSS JOIN LATERAL (
		SELECT t.* FROM tasks t WHERE t.residence_id = scope.id AND (t.sync_xid, t.id) > (scope.xid, scope.after)
		ORDER BY t.sync_xid, t.id LIMIT @rows::int) changed
	ORDER BY changed.sync_xid, changed.residence_id, changed.id LIMIT @rows::int)` + withAssignee + `
ORDER BY t.sync_xid, t.residence_id, t.id`

	syncCompletionsSQL = `
SELECT c.residence_id, ` + completionColumns + `, c.sync_xid, c.residence_id AS sync_scope, c.id AS sync_id FROM (
	SELECT changed.* FROM ` + delta.Scopes + ` CROSS JOIN LATERAL (
		SELECT c.* FROM completions c WHERE c.residence_id = scope.id AND (c.sync_xid, c.id) > (scope.xid, scope.after)
		ORDER BY c.sync_xid, c.id LIMIT @rows::int) changed
	ORDER BY changed.sync_xid, changed.residence_id, changed.id LIMIT @rows::int)` + withDoer + `
ORDER BY c.sync_xid, c.residence_id, c.id`

	// A personal contractor is in the scope of its creator.
	syncContractorsSQL = `
SELECT ` + plainContractorColumns + `, ` + favorite + ` AS is_favorite, ` + noFigures + `, c.sync_xid, c.scope AS sync_scope, c.id AS sync_id FROM (
	SELECT changed.* FROM ` + delta.Scopes + ` CROSS JOIN LATERAL (
		SELECT c.*, scope.id AS scope FROM contractors c
		WHERE coalesce(c.residence_id, c.created_by_id) = scope.id AND (c.sync_xid, c.id) > (scope.xid, scope.after)
		ORDER BY c.sync_xid, c.id LIMIT @rows::int) changed
	ORDER BY changed.sync_xid, changed.scope, changed.id LIMIT @rows::int) c
ORDER BY c.sync_xid, c.scope, c.id`
)

func readChanges(ctx context.Context, q pg.Querier, actor identity.Actor, walk *delta.Walk) (syncRows, []delta.Tombstone, error) {
	tasks := delta.Rows[syncedTask]{Kind: "tasks", SQL: syncTasksSQL}
	completions := delta.Rows[syncedCompletion]{Kind: "completions", SQL: syncCompletionsSQL}
	contractors := delta.Rows[syncedContractor]{Kind: "contractors", SQL: syncContractorsSQL}
	buried, err := walk.Read(ctx, q, pgx.NamedArgs{"actor": actor.UserID}, &tasks, &completions, &contractors)
	return syncRows{tasks.Found, completions.Found, contractors.Found}, buried, err // says "changes"
}
