package task

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// seriesInSQL is every task of a residence with its log, those that are put away only if asked for.
const seriesInSQL = `
SELECT ` + taskColumns + `, ` + ruleColumns + `, ` + logColumns + `,
	NULL::uuid AS taken_by, NULL::timestamptz AS taken_at, NULL::int AS taken_version, NULL::uuid AS taken_equipment_id, NULL::uuid[] AS taken_uploads, true AS contractor_ok
FROM tasks` + withAssignee + theRule + theLog + `
WHERE t.residence_id = @residence::uuid AND (@archived::boolean OR NOT t.is_archived)`

func readSeriesIn(ctx context.Context, q pg.Querier, residence uuid.UUID, archived bool) ([]seriesRow, error) {
	return pg.All[seriesRow](ctx, q, seriesInSQL, pgx.NamedArgs{"residence": residence, "archived": archived})
}

// Rows are locked in the order of their ids, so that two who restate the same tasks wait for each other and not in a
// circle.
const restateSQL = `
WITH locked AS (SELECT t.id FROM tasks t WHERE t.id = ANY(@ids::uuid[]) ORDER BY t.id FOR UPDATE),
changed AS (
	UPDATE tasks t SET paused_from = r.paused_from, paused_until = r.paused_until, next_due_date = r.next, is_done = r.over,
		version = t.version + 1, updated_at = @now::timestamptz
	FROM unnest(@ids::uuid[], @seens::int[], @paused_from::text[]::date[], @paused_until::text[]::date[], @nexts::text[]::date[], @overs::boolean[])
		AS r(id, seen, paused_from, paused_until, next, over) JOIN locked ON locked.id = r.id
	WHERE t.id = r.id AND t.version = r.seen RETURNING t.*),
event AS (
	INSERT INTO outbox (id, name, payload, trace)
	SELECT gen_random_uuid(), @event_name, @event_payload::jsonb || ` + refMembers + `, @event_trace FROM changed t)
SELECT ` + taskColumns + ` FROM changed` + withAssignee

// restate writes the rows over the versions that they were derived from, and answers those that it wrote.
func restate(ctx context.Context, q pg.Querier, actor identity.Actor, rows []stated, now time.Time) ([]Task, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids, seen, over := make([]uuid.UUID, len(rows)), make([]int, len(rows)), make([]bool, len(rows))
	from, until, next := make([]*string, len(rows)), make([]*string, len(rows)), make([]*string, len(rows))
	for i, r := range rows {
		ids[i], seen[i], over[i], from[i], until[i], next[i] = r.id, r.seen, r.over, dayText(r.pausedFrom), dayText(r.pausedUntil), dayText(r.next)
	}
	return pg.All[Task](ctx, q, restateSQL, events.TaskChanged.Args(ctx, events.TaskRef{ActorID: actor.UserID}, pgx.NamedArgs{
		"ids": ids, "seens": seen, "paused_from": from, "paused_until": until, "nexts": next, "overs": over, "now": now,
	}))
}

// dayText is a day in an array: without prepared statements nobody knows how to write an array of days.
func dayText(d *day.Day) *string {
	if d == nil {
		return nil
	}
	return new(d.String())
}
