package task

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/pg"
)

// reportPerson is whom a report is made for.
type reportPerson struct {
	Name   string
	Locale string
}

// reportTask is as much of a task as a report shows. OfAll is how many there are, beyond the limit as well.
type reportTask struct {
	Title           string
	Category        string
	IsCancelled     bool
	InProgress      bool
	IsDone          bool
	NextDueDate     *day.Day
	Assignee        string
	LastCompletedAt *time.Time
	ActualCost      *money.Amount
	EstimatedCost   *money.Amount
	OfAll           int
}

// reportCompletion is as much of a completion as a report shows.
type reportCompletion struct {
	CompletedAt       time.Time
	Task              string
	Category          string
	CompletedByID     uuid.UUID
	CompletedByName   string
	Notes             string
	NotesCut          bool
	ActualCost        *money.Amount
	Rating            *int
	UploadIDs         []uuid.UUID
	ContractorID      *uuid.UUID
	ContractorName    string
	ContractorCompany string
	OfAll             int
}

// reportUpkeep is what is known of the maintenance of a piece of equipment.
type reportUpkeep struct {
	EquipmentID uuid.UUID
	Works       int
	Cost        *money.Amount
}

const reportPersonSQL = `SELECT n.name, p.locale FROM people p CROSS JOIN LATERAL (` + personName + ` WHERE p.user_id = @actor::uuid) n WHERE p.user_id = @actor::uuid`

// What is done has cost what its completions say, unless somebody has said it of the task.
const reportTasksSQL = `
SELECT t.title, coalesce(l.name, '') AS category, t.is_cancelled, t.in_progress, ` + done + ` AS is_done, t.next_due_date,
	coalesce(p.name, '') AS assignee, t.last_completed_at, t.estimated_cost,
	coalesce(t.actual_cost, CASE WHEN ` + done + ` THEN (SELECT sum(c.actual_cost)::bigint FROM completions c WHERE c.task_id = t.id) END) AS actual_cost,
	count(*) OVER () AS of_all
FROM tasks` + withAssignee + `LEFT JOIN task_categories l ON l.id = t.category_id
WHERE t.residence_id = @residence::uuid AND NOT t.is_archived
ORDER BY t.next_due_date NULLS LAST, t.last_completed_at DESC NULLS LAST, t.title, t.id LIMIT @limit::int`

// Of a contractor whom only somebody else sees there is the name, as in every list of completions, and no more.
const reportCompletionsSQL = `
SELECT c.completed_at, t.title AS task, coalesce(l.name, '') AS category, c.completed_by_id, coalesce(p.name, '') AS completed_by_name,
	coalesce(left(c.notes, @notes::int), '') AS notes, coalesce(char_length(c.notes) > @notes::int, false) AS notes_cut,
	c.actual_cost, c.rating, c.upload_ids, c.contractor_id, coalesce(k.name, c.contractor_name, '') AS contractor_name,
	coalesce(v.company, '') AS contractor_company, count(*) OVER () AS of_all
FROM completions` + withDoer + `
	JOIN LATERAL (SELECT t.title, t.category_id FROM tasks t WHERE t.id = c.task_id LIMIT 1) t ON true
	LEFT JOIN task_categories l ON l.id = t.category_id
	LEFT JOIN LATERAL (SELECT v.company FROM contractors v
		WHERE v.id = c.contractor_id AND (v.residence_id = c.residence_id OR (v.residence_id IS NULL AND v.created_by_id = @actor::uuid)) LIMIT 1) v ON true
WHERE c.residence_id = @residence::uuid
	AND (@since::timestamptz IS NULL OR c.completed_at >= @since::timestamptz) AND (@until::timestamptz IS NULL OR c.completed_at < @until::timestamptz)
ORDER BY c.completed_at DESC, c.id DESC LIMIT @limit::int`

const reportUpkeepSQL = `
SELECT c.equipment_id, count(*)::int AS works, sum(c.actual_cost)::bigint AS cost
FROM completions c WHERE c.residence_id = @residence::uuid AND c.equipment_id IS NOT NULL GROUP BY c.equipment_id`

// readMaterial fills in the person, the completions and, if they are wanted, the tasks; else the upkeep of equipment.
func readMaterial(ctx context.Context, q pg.Querier, withTasks bool, m *material) error {
	args := pgx.NamedArgs{"actor": m.actor.UserID, "residence": m.home.ID, "since": nil, "until": nil, "notes": reportNotes, "limit": reportCompletions}
	if !m.to.IsZero() {
		args["since"], args["until"] = m.from.Start(m.zone), m.to.AddDays(1).Start(m.zone)
	}
	var known bool
	var batch pgx.Batch
	batch.Queue(reportPersonSQL, args).Query(pg.Row(&m.person, &known))
	batch.Queue(reportCompletionsSQL, args).Query(pg.Rows(&m.completions))
	if withTasks {
		batch.Queue(reportTasksSQL, pgx.NamedArgs{"residence": m.home.ID, "limit": reportTasks}).Query(pg.Rows(&m.tasks))
	} else {
		batch.Queue(reportUpkeepSQL, args).Query(pg.Rows(&m.upkeep))
	}
	if err := pg.Send(ctx, q, &batch); err != nil {
		return fmt.Errorf("report of %s: %w", m.home.ID, err)
	}
	return nil
}

var requestReportSQL = events.ColumnsWith(`jsonb_build_object('locale', coalesce((SELECT p.locale FROM people p WHERE p.user_id = @actor::uuid), ''))`)

func insertReportRequest(ctx context.Context, q pg.Querier, r events.ReportRequest) error {
	_, err := pg.Exec(ctx, q, requestReportSQL, events.ReportRequested.Args(ctx, r, pgx.NamedArgs{"actor": r.UserID}))
	if err != nil {
		return fmt.Errorf("request a report of %s: %w", r.ResidenceID, err)
	}
	return nil
}
