package task

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

const templatesSQL = `
SELECT id, title, description, how_to, category_id, priority_id, frequency_id, custom_interval_days, reschedule_from,
	season_start, season_end, estimated_cost, estimated_minutes, icon, tags, residence_types, climates, is_essential, display_order, is_active
FROM task_templates ORDER BY display_order, id`

func readTemplates(ctx context.Context, q pg.Querier) ([]Template, error) {
	return pg.All[Template](ctx, q, templatesSQL, nil)
}

// oneAtATimeSQL lets one apply to the residence at a time: until the batch that it is the first statement of is through.
const oneAtATimeSQL = `SELECT pg_advisory_xact_lock(hashtextextended('templates ' || @residence::uuid, 0))`

// applySQL is insertTasksSQL without the tasks whose template stands open in the residence. What is open there is read
// once, by the residence: a join would tempt the planner to read every task there is.
const applySQL = newTasks + `
	WHERE n.template_id <> ALL (ARRAY(
		SELECT t.template_id FROM tasks t WHERE t.residence_id = @residence::uuid AND t.template_id IS NOT NULL
			AND NOT (t.is_cancelled OR t.is_archived OR ` + done + `)))` + addNewTasks

// applyTo is the inserter of what is made from templates in that residence. The statement begins after the lock is had
// and sees what whoever had it before has added. No unique index could do it: a person may well have a second task of
// the same template, only not by applying it twice.
func applyTo(residence uuid.UUID) inserter {
	return func(ctx context.Context, q pg.Querier, actor identity.Actor, mine []uuid.UUID, rows []map[string]any) (added []insertedTask, err error) {
		args, err := insertArgs(ctx, actor, mine, rows)
		if err != nil {
			return nil, err
		}
		args["residence"] = residence
		var batch pgx.Batch
		batch.Queue(oneAtATimeSQL, pgx.NamedArgs{"residence": residence})
		batch.Queue(applySQL, args).Query(pg.Rows(&added))
		return added, pg.Send(ctx, q, &batch)
	}
}
