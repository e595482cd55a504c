package task

import (
	"context"

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
var (
	applySQL        = newTasks + notYetOpen + insertTasksStart + insertTasksEnd
	limitedApplySQL = newTasks + notYetOpen + insertTasksStart + noRoomForTasks + insertTasksEnd

	notYetOpen = `
	WHERE n.template_id <> ALL (ARRAY(
		SELECT t.template_id FROM tasks t WHERE t.residence_id = @residence::uuid AND t.template_id IS NOT NULL
			AND NOT (t.is_cancelled OR t.is_archived OR ` + done + `)))`
)
