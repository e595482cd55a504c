package task

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// completionColumns are a Completion, of completions c, their doer p and contractor k.
const completionColumns = `c.id, c.task_id, c.completed_at, c.completed_by_id,
	p.name AS completed_by_name,
	c.notes, c.actual_cost, c.rating, c.contractor_id,
	coalesce(k.name, c.contractor_name) AS contractor_name, c.equipment_id,
	c.upload_ids, c.version`

// withDoer joins what completionColumns wants.
const withDoer = ` c LEFT JOIN LATERAL (` + personName + ` WHERE p.user_id = c.completed_by_id LIMIT 1) p ON true
	LEFT JOIN LATERAL (SELECT k.name FROM contractors k WHERE k.id = c.contractor_id LIMIT 1) k ON true `

type seriesQuery struct {
	task       uuid.UUID // zero: the one of the completion
	completion uuid.UUID
	contractor *uuid.UUID // to be named in the completion
	actor      identity.Actor
	homes      []access.Home
}

// seriesRow is a task with its log, and the completion of the id that was asked for.
type seriesRow struct {
	Task
	ruleRow
	DoneAt           []time.Time // oldest first
	DoneIDs          []uuid.UUID // as DoneAt
	DoneBy           []uuid.UUID // as DoneAt
	SkippedOn        []day.Day
	RotationStart    int
	TakenBy          *uuid.UUID // whose completion has the id; nil: nobody's
	TakenAt          *time.Time
	TakenVersion     *int
	TakenEquipmentID *uuid.UUID
	TakenUploads     []uuid.UUID
	ContractorOK     bool
}

// logColumns are what became of a task t, which theLog joins.
const logColumns = `coalesce(log.done_at, '{}') AS done_at, coalesce(log.done_ids, '{}') AS done_ids, coalesce(log.done_by, '{}') AS done_by,
	ARRAY(SELECT k.occurrence FROM task_skips k WHERE k.task_id = t.id) AS skipped_on, t.rotation_start`

const theLog = ` CROSS JOIN LATERAL (
		SELECT array_agg(c.completed_at ORDER BY c.completed_at, c.id) AS done_at, array_agg(c.id ORDER BY c.completed_at, c.id) AS done_ids,
			array_agg(c.completed_by_id ORDER BY c.completed_at, c.id) AS done_by
		FROM completions c WHERE c.task_id = t.id) log`

// The task is given by its id, or found by the completion's.
const seriesSQL = `
SELECT ` + taskColumns + `, ` + ruleColumns + `,
	` + logColumns + `,
	taken.completed_by_id AS taken_by, taken.completed_at AS taken_at, taken.version AS taken_version, taken.equipment_id AS taken_equipment_id, taken.upload_ids AS taken_uploads,
	@contractor::uuid IS NULL OR (taken.task_id = t.id AND taken.contractor_id = @contractor::uuid) IS TRUE OR EXISTS (
		SELECT FROM contractors k WHERE k.id = @contractor::uuid AND ` + visibleContractor + `) AS contractor_ok
FROM tasks` + withAssignee + theRule + theLog + `
	LEFT JOIN completions taken ON taken.id = @completion::uuid
WHERE t.id = coalesce(@task::uuid, (SELECT c.task_id FROM completions c WHERE c.id = @completion::uuid)) AND t.residence_id = ANY(@mine::uuid[])`

func readSeries(ctx context.Context, q pg.Querier, query seriesQuery) (seriesRow, bool, error) {
	var task *uuid.UUID
	if query.task != uuid.Nil {
		task = &query.task
	}
	return pg.One[seriesRow](ctx, q, seriesSQL, pgx.NamedArgs{
		"task": task, "completion": query.completion, "contractor": query.contractor, "actor": query.actor.UserID, "mine": access.IDs(query.homes),
	})
}

// completing is a change of a task's log: the entry, and the task as it will stand.
type completing struct {
	doing
	version   int  // of an entry that is there already
	gone      bool // the entry is to be removed
	fields    CompletionFields
	equipment *uuid.UUID // that the entry names
	actor     identity.Actor
	now       time.Time
	derived
	task Task
}

func (c completing) event() events.Completion {
	return events.Completion{
		ID: c.id, Task: c.task.ref(c.actor), CompletedBy: c.by, CompletedAt: c.at.Format(time.RFC3339Nano),
		UploadIDs: c.fields.UploadIDs, Gone: c.gone, Version: c.task.Version,
	}
}

func (c completing) args() pgx.NamedArgs {
	uploads := c.fields.UploadIDs
	if uploads == nil {
		uploads = []uuid.UUID{}
	}
	return pgx.NamedArgs{
		"task": c.task.ID, "seen": c.task.Version - 1, "next": c.next, "over": c.over, "assignee": c.assignee, "last_at": c.lastAt, "count": c.count,
		"recent_ids": c.recentIDs, "recent_at": c.recentAt, "id": c.id, "at": c.at, "by": c.actor.UserID, "notes": c.fields.Notes,
		"cost": c.fields.ActualCost, "rating": c.fields.Rating, "contractor": c.fields.ContractorID, "uploads": uploads, "now": c.now,
		"entry": c.version, "equipment": c.equipment,
	}
}

// replayed writes what was derived over the version that it was derived from, and nothing else.
const replayed = `
changed AS (
	UPDATE tasks t SET next_due_date = @next::date, last_completed_at = @last_at::timestamptz, completion_count = @count::int,
		recent_ids = @recent_ids::uuid[], recent_at = @recent_at::timestamptz[], is_done = @over::boolean, assigned_to_id = @assignee::uuid, version = t.version + 1, updated_at = @now::timestamptz`

const completeSQL = `
WITH` + replayed + `, in_progress = false,
		checklist = CASE WHEN @over::boolean THEN t.checklist ELSE ` + openAgain + ` END
	WHERE t.id = @task::uuid AND t.version = @seen::int AND NOT EXISTS (SELECT FROM completions c WHERE c.id = @id::uuid)
	RETURNING t.id, t.residence_id),
written AS (
	INSERT INTO completions (id, task_id, residence_id, completed_at, completed_by_id, notes, actual_cost, rating, contractor_id, equipment_id, upload_ids, created_at, updated_at)
	SELECT @id::uuid, id, residence_id, @at::timestamptz, @by::uuid, @notes::text, @cost::bigint, @rating::smallint, @contractor::uuid, ` + equipmentStillThere + `, @uploads::uuid[],
		@now::timestamptz, @now::timestamptz FROM changed RETURNING *),
event AS (` + events.Columns + ` FROM written)
SELECT ` + completionColumns + ` FROM written` + withDoer

// complete adds the entry; it does not apply when the task has moved on, or the id has been taken, since it was read.
func complete(ctx context.Context, q pg.Querier, c completing) (Completion, bool, error) {
	out, applied, err := pg.One[Completion](ctx, q, completeSQL, events.TaskCompleted.Args(ctx, c.event(), c.args()))
	return out, applied, ignoreRaces(err)
}

// unchanged is the entry that is rewritten, if it and its task are still as they were read. A deleted contractor changes
// the entry alone; and both are locked before either is written, the task first, so that all of it applies or nothing.
const unchanged = `
current AS (SELECT t.id FROM tasks t WHERE t.id = @task::uuid AND t.version = @seen::int FOR NO KEY UPDATE),
entry AS (
	SELECT c.task_id FROM completions c JOIN current ON current.id = c.task_id
	WHERE c.id = @id::uuid AND c.version = @entry::int FOR UPDATE OF c),`

const replaceSQL = `
WITH` + unchanged + replayed + `
	FROM entry WHERE t.id = entry.task_id RETURNING t.id),
written AS (
	UPDATE completions c SET completed_at = @at::timestamptz, notes = @notes::text, actual_cost = @cost::bigint, rating = @rating::smallint,
		contractor_id = @contractor::uuid, equipment_id = ` + equipmentStillThere + `, upload_ids = @uploads::uuid[], version = c.version + 1, updated_at = @now::timestamptz,
		contractor_name = CASE WHEN @contractor::uuid IS NULL AND c.contractor_id IS NULL THEN c.contractor_name END -- of a deleted one
	FROM changed WHERE c.id = @id::uuid AND c.task_id = changed.id RETURNING c.*),
event AS (` + events.Columns + ` FROM written)
SELECT ` + completionColumns + ` FROM written` + withDoer

func replace(ctx context.Context, q pg.Querier, c completing) (Completion, bool, error) {
	out, applied, err := pg.One[Completion](ctx, q, replaceSQL, events.CompletionChanged.Args(ctx, c.event(), c.args()))
	return out, applied, ignoreRaces(err)
}

const undoSQL = `
WITH` + unchanged + replayed + `
	FROM entry WHERE t.id = entry.task_id RETURNING t.id),
written AS (DELETE FROM completions c USING changed WHERE c.id = @id::uuid AND c.task_id = changed.id RETURNING c.id),
event AS (` + events.Columns + ` FROM written)
SELECT id FROM written`

func undo(ctx context.Context, q pg.Querier, c completing) (bool, error) {
	_, applied, err := pg.Scalar[uuid.UUID](ctx, q, undoSQL, events.CompletionChanged.Args(ctx, c.event(), c.args()))
	return applied, err
}

// ignoreRaces makes a lost race a write that did not apply.
func ignoreRaces(err error) error {
	if raced(err) {
		return nil
	}
	return err
}

const completionSQL = `SELECT ` + completionColumns + ` FROM completions` + withDoer + `WHERE c.id = @id::uuid AND c.residence_id = ANY(@mine::uuid[])`

func readCompletion(ctx context.Context, q pg.Querier, id uuid.UUID, mine []uuid.UUID) (Completion, bool, error) {
	return pg.One[Completion](ctx, q, completionSQL, pgx.NamedArgs{"id": id, "mine": mine})
}

// beforeCursor is true of what comes later in a list; without a cursor, of everything. It is one comparison, for the
// index.
const beforeCursor = `(c.completed_at, c.id) < (coalesce(@before_at::timestamptz, 'infinity'), coalesce(@before_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))`

// Each residence gives its newest from the index, and the newest of those are the page.
const completionsSQL = `
SELECT ` + completionColumns + ` FROM (
	SELECT newest.* FROM unnest(@mine::uuid[]) AS home(id) CROSS JOIN LATERAL (
		SELECT c.* FROM completions c WHERE c.residence_id = home.id AND ` + beforeCursor + `
		ORDER BY c.completed_at DESC, c.id DESC LIMIT @limit::int) newest
	ORDER BY newest.completed_at DESC, newest.id DESC LIMIT @limit::int)` + withDoer + `
ORDER BY c.completed_at DESC, c.id DESC`

const completionsOfSQL = `
SELECT ` + completionColumns + ` FROM completions` + withDoer + `
WHERE c.task_id = @task::uuid AND c.residence_id = ANY(@mine::uuid[]) AND ` + beforeCursor + `
ORDER BY c.completed_at DESC, c.id DESC LIMIT @limit::int`

func readCompletions(ctx context.Context, q pg.Querier, mine []uuid.UUID, task *uuid.UUID, before *completionPlace, limit int) ([]Completion, error) {
	args := listArgs(mine, before, limit)
	if task != nil {
		args["task"] = *task
		return pg.All[Completion](ctx, q, completionsOfSQL, args)
	}
	return pg.All[Completion](ctx, q, completionsSQL, args)
}

// readCompletionsOf also reports whether there is such a task; both in one round trip.
func readCompletionsOf(ctx context.Context, q pg.Querier, task uuid.UUID, mine []uuid.UUID, before *completionPlace, limit int) (rows []Completion, found bool, err error) {
	args := listArgs(mine, before, limit)
	args["task"] = task
	var batch pgx.Batch
	batch.Queue(taskThereSQL, args).Query(pg.Found(&found))
	batch.Queue(completionsOfSQL, args).Query(pg.Rows(&rows))
	err = pg.Send(ctx, q, &batch)
	return rows, found, err
}

func listArgs(mine []uuid.UUID, before *completionPlace, limit int) pgx.NamedArgs {
	args := pgx.NamedArgs{"mine": mine, "limit": limit, "before_at": nil, "before_id": nil}
	if before != nil {
		args["before_at"], args["before_id"] = before.At, before.ID
	}
	return args
}
