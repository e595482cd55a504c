package task

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// namableEquipment is true of the equipment of a row w that is in its residence, and not gone meanwhile.
const namableEquipment = `(EXISTS (
			SELECT FROM unnest(@equipment::uuid[], @equipment_homes::uuid[]) AS n(id, home) WHERE n.id = w.equipment_id AND n.home = w.residence_id)
			AND NOT EXISTS (SELECT FROM gone_equipment g WHERE g.equipment_id = w.equipment_id))`

// equipmentStillThere is the equipment that a completion is to name, or none when that is gone meanwhile.
const equipmentStillThere = `(SELECT n.id FROM (VALUES (@equipment::uuid)) AS n(id) WHERE NOT EXISTS (SELECT FROM gone_equipment g WHERE g.equipment_id = n.id))`

const (
	equipmentGoneSQL   = `INSERT INTO gone_equipment (equipment_id, gone_at) VALUES (@id::uuid, @now::timestamptz) ON CONFLICT (equipment_id) DO UPDATE SET gone_at = excluded.gone_at`
	forgetEquipmentSQL = `DELETE FROM gone_equipment WHERE gone_at <= @since::timestamptz`
)

func markGone(ctx context.Context, q pg.Querier, id uuid.UUID, now time.Time) error {
	if _, err := pg.Exec(ctx, q, equipmentGoneSQL, pgx.NamedArgs{"id": id, "now": now}); err != nil {
		return fmt.Errorf("equipment %s is gone: %w", id, err)
	}
	return nil
}

// Tasks before completions, and tasks in the order of their ids, as others lock them too: nobody waits in a circle.
const (
	lettingGo = `
WITH gone AS (
	SELECT g.equipment_id FROM gone_equipment g WHERE g.gone_at > @since::timestamptz AND (@id::uuid IS NULL OR g.equipment_id = @id::uuid)),`

	tasksLetGoSQL = lettingGo + `
locked AS (SELECT t.id FROM gone JOIN tasks t ON t.equipment_id = gone.equipment_id ORDER BY t.id FOR UPDATE OF t),
let_go AS (
	UPDATE tasks t SET equipment_id = NULL, version = t.version + 1, updated_at = @now::timestamptz
	FROM locked WHERE t.id = locked.id AND t.equipment_id IN (SELECT equipment_id FROM gone) RETURNING t.*),
told AS (` + letGo + `)
SELECT residence_id FROM let_go`

	completionsLetGoSQL = lettingGo + `
let_go AS (
	UPDATE completions c SET equipment_id = NULL, version = c.version + 1, updated_at = @now::timestamptz
	FROM gone WHERE c.equipment_id = gone.equipment_id RETURNING c.residence_id)
SELECT residence_id FROM let_go`
)

type letGoRow struct{ ResidenceID uuid.UUID }

// letGoOfEquipment makes tasks and completions name equipment that is gone no longer, in one round trip, and answers the
// residences in which that changed something.
func letGoOfEquipment(ctx context.Context, q pg.Querier, g goneEquipment) ([]letGoRow, error) {
	args := events.TaskChanged.ArgsAs(ctx, "task", events.TaskRef{ActorID: g.actor}, pgx.NamedArgs{"id": g.id, "since": g.since, "now": g.now})
	var tasks, completions []letGoRow
	var batch pgx.Batch
	batch.Queue(tasksLetGoSQL, args).Query(pg.Rows(&tasks))
	batch.Queue(completionsLetGoSQL, args).Query(pg.Rows(&completions))
	if err := pg.Send(ctx, q, &batch); err != nil {
		return nil, fmt.Errorf("let go of equipment that is gone: %w", err)
	}
	return append(tasks, completions...), nil
}

const (
	equipmentWorkSQL = `
SELECT c.id, c.task_id, c.task_title, c.category_id, c.residence_id, c.completed_at, c.completed_by_id, p.name AS completed_by_name, c.notes,
	c.actual_cost, c.rating, c.contractor_id, coalesce(k.name, c.contractor_name) AS contractor_name, c.upload_ids, c.version FROM (
	SELECT c.*, t.title AS task_title, t.category_id FROM completions` + withTask + `WHERE ` + beforeCursor + `
		AND c.equipment_id = @equipment::uuid AND c.residence_id = ANY(@mine::uuid[])` + historyOrder

	equipmentTasksSQL = `
SELECT t.id, t.title, t.next_due_date, t.in_progress, t.assigned_to_id, p.name AS assigned_to_name FROM tasks` + withAssignee + `
WHERE t.equipment_id = @equipment::uuid AND t.residence_id = ANY(@mine::uuid[]) AND NOT (t.is_cancelled OR t.is_archived OR ` + done + `)
ORDER BY t.next_due_date NULLS LAST, t.title, t.id LIMIT @most::int`

	equipmentTotalsSQL = `
SELECT count(*)::int AS completions, coalesce(sum(c.actual_cost), 0)::bigint AS cost, min(c.completed_at) AS first_at, max(c.completed_at) AS last_at
FROM completions c WHERE c.equipment_id = @equipment::uuid AND c.residence_id = ANY(@mine::uuid[])`
)

// readEquipmentWork reads all of it in one round trip.
func readEquipmentWork(ctx context.Context, q pg.Querier, query internalapi.EquipmentWorkQuery) (internalapi.EquipmentWork, error) {
	out := internalapi.EquipmentWork{}
	args := listArgs(query.ResidenceIDs, (*completionPlace)(query.Before), query.Limit)
	args["equipment"], args["most"] = query.EquipmentID, mostOpenTasks
	var counted bool
	var batch pgx.Batch
	batch.Queue(equipmentWorkSQL, args).Query(pg.Rows(&out.Completions))
	batch.Queue(equipmentTasksSQL, args).Query(pg.Rows(&out.OpenTasks))
	batch.Queue(equipmentTotalsSQL, args).Query(pg.Row(&out.Totals, &counted))
	err := pg.Send(ctx, q, &batch)
	return out, err
}
