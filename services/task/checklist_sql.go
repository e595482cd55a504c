package task

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// untouched is an item that nobody has ticked off.
const untouched = `'{"is_done": false, "done_by_id": null, "done_at": null}'::jsonb`

// newChecklist is the checklist of a task x.value as sent.
const newChecklist = `(SELECT coalesce(jsonb_agg(i.item || ` + untouched + ` ORDER BY i.ord), '[]') FROM jsonb_array_elements(x.value->'checklist') WITH ORDINALITY AS i(item, ord))`

// changedChecklist is a task t's with the entries of a patch p, if it has any; what stays keeps its tick.
const changedChecklist = `
	CASE WHEN jsonb_exists(@patch::jsonb, 'checklist') THEN (
		SELECT coalesce(jsonb_agg(coalesce(o.item, ` + untouched + `) || i.item ORDER BY i.ord), '[]')
		FROM jsonb_array_elements(p.checklist) WITH ORDINALITY AS i(item, ord)
		LEFT JOIN jsonb_array_elements(t.checklist) AS o(item) ON o.item->>'id' = i.item->>'id')
	ELSE t.checklist END`

// openAgain is a task t's checklist with nothing ticked off.
const openAgain = `(SELECT coalesce(jsonb_agg(i.item || ` + untouched + ` ORDER BY i.ord), '[]') FROM jsonb_array_elements(t.checklist) WITH ORDINALITY AS i(item, ord))`

var tickSQL = targetSQL(`jsonb_path_exists(t.checklist, '$[*] ? (@.id == $item && @.is_done != $done)',
			jsonb_build_object('item', @item::text, 'done', @done::boolean))`) + `
changed AS (
	UPDATE tasks t SET version = t.version + 1, updated_at = @now::timestamptz, checklist = (
		SELECT jsonb_agg(CASE WHEN i.item->>'id' <> @item::text THEN i.item ELSE i.item || jsonb_build_object('is_done', @done::boolean,
			'done_by_id', CASE WHEN @done::boolean THEN @actor::uuid END, 'done_at', CASE WHEN @done::boolean THEN @now::timestamptz END) END ORDER BY i.ord)
		FROM jsonb_array_elements(t.checklist) WITH ORDINALITY AS i(item, ord))
	FROM target w WHERE w.applicable AND t.id = w.id AND t.version = w.version RETURNING t.*),
event AS (` + events.ColumnsWith(refMembers) + ` FROM changed t)` + afterWrite

func tick(ctx context.Context, q pg.Querier, actor identity.Actor, task, item uuid.UUID, done bool, homes []access.Home, now time.Time) (writtenTask, bool, error) {
	args := writeArgs(task, nil, homes)
	maps.Copy(args, pgx.NamedArgs{"item": item.String(), "done": done, "actor": actor.UserID, "now": now})
	return pg.One[writtenTask](ctx, q, tickSQL, events.TaskChanged.Args(ctx, events.TaskRef{ActorID: actor.UserID}, args))
}
