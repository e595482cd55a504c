package task

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/room"
)

// taskColumns are a Task, of tasks t and their assignee p.
const taskColumns = `t.id, t.residence_id, t.title, t.description, t.category_id, t.priority_id, t.frequency_id,
	t.custom_interval_days, t.rrule, t.reschedule_from, t.season_start, t.season_end, t.due_date, t.next_due_date,
	t.in_progress, t.is_cancelled, t.is_archived, t.assigned_to_id,
	p.name AS assigned_to_name,
	t.contractor_id, t.equipment_id, t.estimated_cost, t.actual_cost, t.template_id, t.last_completed_at, t.completion_count, t.created_by_id,
	t.version, t.created_at, t.updated_at,
	t.is_done, t.paused_from, t.paused_until, t.end_date, t.max_occurrences, t.checklist, t.rotation, t.rotation_member_ids`

// withAssignee joins what taskColumns wants.
const withAssignee = ` t LEFT JOIN LATERAL (` + personName + ` WHERE p.user_id = t.assigned_to_id LIMIT 1) p ON true `

// personName is what a person is called. It is joined with LIMIT 1 so that the planner looks persons up one by one: it
// takes a person for something that every row has, and would sooner read all of them.
const personName = `SELECT coalesce(nullif(btrim(p.first_name || ' ' || p.last_name), ''), p.username) AS name FROM people p`

// done is true of a task t that was done and will not come back.
const done = `t.is_done`

// refMembers is a task t as events tell of it; Task.ref in SQL, but for the actor.
const refMembers = `jsonb_build_object('id', t.id, 'residence_id', t.residence_id, 'title', t.title, 'next_due_date', t.next_due_date,
	'assigned_to_id', t.assigned_to_id, 'open', NOT (t.is_cancelled OR t.is_archived OR ` + done + `), 'version', t.version)`

// goneRef is a task t as it is told of when it is deleted: that is a later version too.
const goneRef = refMembers + ` || jsonb_build_object('version', t.version + 1)`

// countedIn says for which owner a task t is one more, or one less.
var countedIn = `jsonb_build_object('owner_id', ` + access.OwnerOf("t.residence_id") + `)`

// visibleContractor is true of a contractor k that the actor may name in the residence of a row w.
const visibleContractor = `(k.residence_id = w.residence_id OR (k.residence_id IS NULL AND k.created_by_id = @actor::uuid))`

// writtenTask is the task after a write, or as it stands when the write did not apply.
type writtenTask struct {
	Applied bool
	Task
}

const taskSQL = `SELECT ` + taskColumns + ` FROM tasks` + withAssignee + `WHERE t.id = @id::uuid AND t.residence_id = ANY(@mine::uuid[])`

func readTask(ctx context.Context, q pg.Querier, id uuid.UUID, mine []uuid.UUID) (Task, bool, error) {
	return pg.One[Task](ctx, q, taskSQL, pgx.NamedArgs{"id": id, "mine": mine})
}

type insertedTask struct {
	Ord     int    // place among the tasks of the request, from 1
	Outcome string // added, there (by the same person before), taken, refused
	Field   string // the one refused
	Task
}

const newColumns = `id, residence_id, title, description, category_id, priority_id, frequency_id, custom_interval_days, reschedule_from,
	due_date, next_due_date, assigned_to_id, contractor_id, equipment_id, estimated_cost, actual_cost, template_id, created_by_id, created_at, updated_at,
	rrule, season_start, season_end, end_date, max_occurrences, checklist, rotation, rotation_member_ids, rotation_start, version`

// firstVersion is that of a new task x.value: the first one, or of one that was deleted and is added again the next.
const firstVersion = `1 + coalesce((SELECT max(g.version) FROM tombstones g WHERE g.id = (x.value->>'id')::uuid AND g.kind = 'task'), 0)`

// An id that is added by somebody else while this runs breaks the primary key and with it the whole statement: skipping
// the one row would leave some of the tasks added and some not. The rows go in in the order of their ids, so that two who
// send the same tasks in different orders wait for each other and not in a circle.
var (
	insertTasksSQL        = newTasks + insertTasksStart + insertTasksEnd
	limitedInsertTasksSQL = newTasks + insertTasksStart + noRoomForTasks + insertTasksEnd

	newTasks = `
WITH new AS (
	SELECT n.*, x.ord::int AS ord, (x.value->>'event_id')::uuid AS event_id
	FROM jsonb_array_elements(@tasks::jsonb) WITH ORDINALITY AS x(value, ord)
	CROSS JOIN LATERAL jsonb_populate_record(NULL::tasks, x.value || jsonb_build_object('checklist', ` + newChecklist + `, 'version', ` + firstVersion + `)) n`

	insertTasksStart = `),
refused AS (
	SELECT w.ord, v.field FROM new w CROSS JOIN LATERAL (VALUES ` + lookupChecks + `,
		('template_id', w.template_id IS NOT NULL AND NOT EXISTS (SELECT FROM task_templates l WHERE l.id = w.template_id)),
		('contractor_id', w.contractor_id IS NOT NULL AND NOT EXISTS (
			SELECT FROM contractors k WHERE k.id = w.contractor_id AND ` + visibleContractor + `)),
		('equipment_id', w.equipment_id IS NOT NULL AND NOT ` + namableEquipment + `)`
	insertTasksEnd = `) AS v(field, wrong)
	WHERE v.wrong),
there AS (
	SELECT w.ord, t.created_by_id = @actor::uuid AND t.residence_id = ANY(@mine::uuid[]) AS ours, t.*
	FROM new w JOIN tasks t ON t.id = w.id),
added AS (
	INSERT INTO tasks (` + newColumns + `)
	SELECT ` + newColumns + ` FROM new
	WHERE NOT EXISTS (SELECT FROM refused) AND NOT EXISTS (SELECT FROM there WHERE NOT ours) AND id NOT IN (SELECT id FROM there)
	ORDER BY id RETURNING *),
event AS (
	INSERT INTO outbox (id, name, payload, trace)
	SELECT new.event_id, @event_name, @event_payload::jsonb || ` + refMembers + ` || ` + countedIn + `, @event_trace FROM added t JOIN new ON new.id = t.id)
SELECT new.ord, 'added' AS outcome, '' AS field, ` + taskColumns + ` FROM added` + withAssignee + `JOIN new ON new.id = t.id
UNION ALL
SELECT t.ord, CASE WHEN t.ours THEN 'there' ELSE 'taken' END, '', ` + taskColumns + ` FROM there` + withAssignee + `
UNION ALL
SELECT t.ord, 'refused', r.field, ` + taskColumns + ` FROM new` + withAssignee + `JOIN refused r ON r.ord = t.ord
ORDER BY ord`
)

// lookupChecks find what a row w has that no lookup table has.
const lookupChecks = `
	('category_id', w.category_id IS NOT NULL AND NOT EXISTS (SELECT FROM task_categories l WHERE l.id = w.category_id)),
	('priority_id', w.priority_id IS NOT NULL AND NOT EXISTS (SELECT FROM task_priorities l WHERE l.id = w.priority_id)),
	('frequency_id', w.frequency_id IS NOT NULL AND NOT EXISTS (SELECT FROM task_frequencies l WHERE l.id = w.frequency_id)),
	('rrule', w.rrule IS NOT NULL AND EXISTS (SELECT FROM task_frequencies l WHERE l.id = w.frequency_id AND l.unit <> 'none')),
	('season_start', w.season_start IS NULL AND w.season_end IS NOT NULL),
	('season_end', w.season_start IS NOT NULL AND w.season_end IS NULL),
	('custom_interval_days', w.custom_interval_days IS NULL AND EXISTS (SELECT FROM task_frequencies l WHERE l.id = w.frequency_id AND l.unit = 'custom'))`

// insertTasks adds all of the rows or none. With a limit it also answers how many the owners have.
//
// Where templates are applied to a residence, it leaves out those that stand open there: the statement begins after the
// lock is had and sees what whoever had it before has added. No unique index could do it: a person may well have a
// second task of the same template, only not by applying it twice.
func insertTasks(ctx context.Context, q pg.Querier, actor identity.Actor, homes []access.Home, rows []map[string]any, known knownEquipment, r room.Room, applied *uuid.UUID) (out []insertedTask, used []room.Usage, err error) {
	raw, err := json.Marshal(rows)
	if err != nil {
		return nil, nil, fmt.Errorf("tasks: %w", err)
	}
	args := events.TaskCreated.Args(ctx, events.TaskRef{ActorID: actor.UserID},
		known.args(pgx.NamedArgs{"tasks": string(raw), "actor": actor.UserID, "mine": access.IDs(homes), "mine_owners": access.OwnerIDs(homes)}))
	if applied == nil && r.Unlimited() {
		out, err = pg.All[insertedTask](ctx, q, insertTasksSQL, args)
		return out, nil, err
	}
	statement, limitedStatement := insertTasksSQL, limitedInsertTasksSQL
	var batch pgx.Batch
	if applied != nil {
		statement, limitedStatement, args["residence"] = applySQL, limitedApplySQL, *applied
		batch.Queue(oneAtATimeSQL, args)
	}
	if !r.Unlimited() {
		room.Queue(&batch, r, limitedStatement, usedTasksSQL, args, &out, &used)
	} else {
		batch.Queue(statement, args).Query(pg.Rows(&out))
	}
	err = pg.Send(ctx, q, &batch)
	return out, used, err
}

// raced reports whether a statement lost a race and is to be run again: an id was taken, or a contractor went away, after
// it had looked.
func raced(err error) bool {
	for _, constraint := range []string{"tasks_pkey", "tasks_contractor", "tasks_template", "completions_pkey", "completions_contractor"} {
		if pg.Violates(err, constraint) {
			return true
		}
	}
	return false
}

type taskChange struct {
	id            uuid.UUID
	actor         identity.Actor
	version       *int // that the client wants to change
	homes         []access.Home
	assigneeHomes []uuid.UUID
	rotationHomes []uuid.UUID // which all whom the patch names see
	equipment     knownEquipment
	patch         map[string]any
	room          room.Room // of the owner of the residence that it is to move to
	now           time.Time
	// When the rule or the rotation changes: the version whose log was replayed, and what came out.
	seen   *int
	next   *day.Day
	over   bool
	anchor *day.Day   // the first due date, where the rule moves it
	turn   *uuid.UUID // whose it is in the new rotation
	start  int        // where the new rotation begins
}

type changedTask struct {
	Outcome             string // changed, refused, kept
	Field               string // the one refused
	PreviousResidenceID *uuid.UUID
	Task
	ruleRow
	OtherRule, OtherRotation *bool // the patch makes another
	WantedRotation           *string
	WantedMembers            []uuid.UUID
	WantedAssignee           *uuid.UUID  // without the rotation's turn
	DoneAt                   []time.Time // oldest first; nil when nothing is derived from it
	DoneBy                   []uuid.UUID // as DoneAt
	SkippedOn                []day.Day
}

// A patch that leaves rule and rotation alone, or sets a plain rule of a task that was never done, takes one round trip.
// Otherwise the statement answers what they would be and the log, and applies when it comes back with the version, the
// next date and the turn.
var (
	changeTaskSQL        = changeTaskStart + changeTaskEnd
	limitedChangeTaskSQL = changeTaskStart + noRoomForMovedTask + changeTaskEnd

	changeTaskStart = `
WITH wanted AS (
	SELECT t.id, t.version, t.residence_id AS was_in, t.contractor_id AS had_contractor, t.equipment_id AS had_equipment, t.assigned_to_id AS had_assignee,
		p.residence_id, p.title, p.description, p.category_id, p.priority_id, p.frequency_id, p.custom_interval_days, p.reschedule_from,
		p.due_date, p.estimated_cost, p.actual_cost, p.rrule, p.season_start, p.season_end, p.end_date, p.max_occurrences, t.paused_from, t.paused_until,
		p.residence_id <> t.residence_id AS moved, m.rotation, m.rotation_member_ids,
		(m.rotation, m.rotation_member_ids) IS DISTINCT FROM (t.rotation, t.rotation_member_ids) AS other_rotation,` + changedChecklist + ` AS checklist,
		CASE WHEN p.residence_id <> t.residence_id AND NOT jsonb_exists(@patch::jsonb, 'contractor_id') THEN NULL ELSE p.contractor_id END AS contractor_id,
		CASE WHEN p.residence_id <> t.residence_id AND NOT jsonb_exists(@patch::jsonb, 'equipment_id') THEN NULL ELSE p.equipment_id END AS equipment_id,
		a.assignee AS wanted_assignee,
		coalesce(a.assignee, CASE WHEN (m.rotation, m.rotation_member_ids) IS DISTINCT FROM (t.rotation, t.rotation_member_ids) THEN @turn::uuid END) AS assigned_to_id,
		(p.residence_id, p.frequency_id, p.custom_interval_days, p.reschedule_from, p.due_date, p.rrule, p.season_start, p.season_end, p.end_date, p.max_occurrences)
			IS NOT DISTINCT FROM (t.residence_id, t.frequency_id, t.custom_interval_days, t.reschedule_from, t.due_date, t.rrule, t.season_start, t.season_end,
				t.end_date, t.max_occurrences) AS same_rule,
		num_nonnulls(p.rrule, p.season_start, p.end_date, p.max_occurrences, t.paused_from) = 0 AND t.completion_count = 0
			AND NOT EXISTS (SELECT FROM task_skips k WHERE k.task_id = t.id) AS plain
	FROM tasks t CROSS JOIN LATERAL jsonb_populate_record(t, @patch::jsonb) p
		CROSS JOIN LATERAL (SELECT p.rotation = 'none' OR (p.residence_id <> t.residence_id AND NOT jsonb_exists(@patch::jsonb, 'rotation_member_ids')) AS ends) r
		CROSS JOIN LATERAL (SELECT CASE WHEN r.ends THEN 'none' ELSE p.rotation END AS rotation, CASE WHEN r.ends THEN '{}' ELSE p.rotation_member_ids END AS rotation_member_ids) m
		CROSS JOIN LATERAL (SELECT CASE WHEN p.residence_id <> t.residence_id AND NOT jsonb_exists(@patch::jsonb, 'assigned_to_id') THEN NULL ELSE p.assigned_to_id END AS assignee) a
	WHERE t.id = @id::uuid AND t.residence_id = ANY(@writable::uuid[]) AND (@version::int IS NULL OR t.version = @version::int)),
refused AS (
	SELECT v.field FROM wanted w CROSS JOIN LATERAL (VALUES ` + lookupChecks + `,
		('contractor_id', (w.moved OR w.contractor_id IS DISTINCT FROM w.had_contractor) AND w.contractor_id IS NOT NULL AND NOT EXISTS (
			SELECT FROM contractors k WHERE k.id = w.contractor_id AND ` + visibleContractor + `)),
		('equipment_id', (w.moved OR w.equipment_id IS DISTINCT FROM w.had_equipment) AND w.equipment_id IS NOT NULL AND NOT ` + namableEquipment + `),
		('assigned_to_id', (w.moved OR w.assigned_to_id IS DISTINCT FROM w.had_assignee) AND w.assigned_to_id IS NOT NULL
			AND NOT w.residence_id = ANY(@assignee_homes::uuid[]) AND NOT (w.other_rotation AND w.assigned_to_id = ANY(w.rotation_member_ids))),
		('rotation_member_ids', CASE WHEN w.rotation = 'none' THEN jsonb_array_length(coalesce(@patch::jsonb->'rotation_member_ids', '[]')) > 0
			ELSE cardinality(w.rotation_member_ids) < 2 OR ((w.moved OR w.other_rotation) AND NOT w.residence_id = ANY(@rotation_homes::uuid[])) END)`
	changeTaskEnd = `) AS v(field, wrong)
	WHERE v.wrong LIMIT 1),
changed AS (
	UPDATE tasks t SET residence_id = w.residence_id, title = w.title, description = w.description, category_id = w.category_id,
		priority_id = w.priority_id, frequency_id = w.frequency_id, custom_interval_days = w.custom_interval_days,
		reschedule_from = w.reschedule_from, assigned_to_id = w.assigned_to_id, contractor_id = w.contractor_id, equipment_id = w.equipment_id,
		estimated_cost = w.estimated_cost, actual_cost = w.actual_cost, rrule = w.rrule, season_start = w.season_start, season_end = w.season_end,
		end_date = w.end_date, max_occurrences = w.max_occurrences, checklist = w.checklist, rotation = w.rotation, rotation_member_ids = w.rotation_member_ids,
		rotation_start = CASE WHEN w.other_rotation THEN @rotation_start::int ELSE t.rotation_start END,
		due_date = CASE WHEN w.version = @seen::int AND NOT w.same_rule THEN coalesce(@anchor::date, w.due_date) ELSE w.due_date END,
		next_due_date = CASE WHEN w.same_rule THEN t.next_due_date WHEN w.version = @seen::int THEN @next::date ELSE w.due_date END,
		is_done = CASE WHEN w.same_rule THEN t.is_done WHEN w.version = @seen::int THEN @over::boolean ELSE false END,
		version = t.version + 1, updated_at = @now::timestamptz
	FROM wanted w
	WHERE t.id = w.id AND t.version = w.version AND NOT EXISTS (SELECT FROM refused)
		AND (w.version = @seen::int OR ((w.same_rule OR w.plain) AND (w.rotation = 'none' OR NOT w.other_rotation)))
	RETURNING t.*, CASE WHEN w.moved THEN w.was_in END AS previous_residence_id),
followed AS (
	UPDATE completions c SET residence_id = t.residence_id, equipment_id = NULL, version = c.version + (c.equipment_id IS NOT NULL)::int FROM changed t
	WHERE t.previous_residence_id IS NOT NULL AND c.task_id = t.id),
event AS (` + events.ColumnsWith(refMembers+` || CASE WHEN t.previous_residence_id IS NULL THEN '{}' ELSE `+countedIn+` || jsonb_build_object(
	'previous_residence_id', t.previous_residence_id, 'previous_owner_id', `+access.OwnerOf("t.previous_residence_id")+`) END`) + ` FROM changed t)
SELECT 'changed' AS outcome, '' AS field, t.previous_residence_id, ` + taskColumns + `,
	` + noRule + `, NULL::boolean AS other_rule, NULL::boolean AS other_rotation, NULL::text AS wanted_rotation, NULL::uuid[] AS wanted_members,
	NULL::uuid AS wanted_assignee, NULL::timestamptz[] AS done_at, NULL::uuid[] AS done_by, NULL::date[] AS skipped_on
FROM changed` + withAssignee + `
UNION ALL
SELECT CASE WHEN r.field IS NULL THEN 'kept' ELSE 'refused' END, coalesce(r.field, ''), NULL, ` + taskColumns + `, ` + ruleColumns + `,
	NOT w.same_rule, w.other_rotation, w.rotation, w.rotation_member_ids, w.wanted_assignee,
	CASE WHEN NOT w.same_rule THEN ARRAY(SELECT c.completed_at FROM completions c WHERE c.task_id = t.id ORDER BY c.completed_at, c.id) END,
	CASE WHEN w.other_rotation THEN ARRAY(SELECT c.completed_by_id FROM completions c WHERE c.task_id = t.id ORDER BY c.completed_at, c.id) END,
	CASE WHEN NOT w.same_rule THEN ARRAY(SELECT k.occurrence FROM task_skips k WHERE k.task_id = t.id) END
FROM tasks` + withAssignee + `LEFT JOIN wanted w ON true LEFT JOIN task_frequencies f ON f.id = w.frequency_id LEFT JOIN refused r ON true
WHERE t.id = @id::uuid AND t.residence_id = ANY(@mine::uuid[]) AND NOT EXISTS (SELECT FROM changed)`
)

// changeTask also answers how many tasks the owner has, when there is a limit.
func changeTask(ctx context.Context, q pg.Querier, c taskChange) (changedTask, bool, []room.Usage, error) {
	raw, err := json.Marshal(c.patch)
	if err != nil {
		return changedTask{}, false, nil, fmt.Errorf("patch: %w", err)
	}
	args := writeArgs(c.id, c.version, c.homes)
	maps.Copy(args, pgx.NamedArgs{
		"actor": c.actor.UserID, "assignee_homes": c.assigneeHomes, "patch": string(raw), "now": c.now, "seen": c.seen, "next": c.next,
		"over": c.over, "anchor": c.anchor, "rotation_homes": c.rotationHomes, "turn": c.turn, "rotation_start": c.start,
	})
	args = events.TaskChanged.Args(ctx, events.TaskRef{ActorID: c.actor.UserID}, c.equipment.args(args))
	if !c.room.Unlimited() {
		return room.One[changedTask](ctx, q, c.room, limitedChangeTaskSQL, usedTasksSQL, args)
	}
	out, found, err := pg.One[changedTask](ctx, q, changeTaskSQL, args)
	return out, found, nil, err
}

// targetSQL is the task that a write is about, as it stands; applicable says in SQL whether the write may be done.
func targetSQL(applicable string) string {
	return `
WITH target AS (
	SELECT t.*, t.residence_id = ANY(@writable::uuid[]) AND (@version::int IS NULL OR t.version = @version::int) AND ` + applicable + ` AS applicable
	FROM tasks t WHERE t.id = @id::uuid AND t.residence_id = ANY(@mine::uuid[])),`
}

// afterWrite answers a writtenTask.
const afterWrite = `
SELECT true AS applied, ` + taskColumns + ` FROM changed` + withAssignee + `
UNION ALL
SELECT false, ` + taskColumns + ` FROM target` + withAssignee + `WHERE NOT EXISTS (SELECT FROM changed)`

var moveTaskSQL = targetSQL(`
		(@need_cancelled::boolean IS NULL OR t.is_cancelled = @need_cancelled::boolean) AND
		(@need_archived::boolean IS NULL OR t.is_archived = @need_archived::boolean) AND
		(@need_done::boolean IS NULL OR `+done+` = @need_done::boolean)`) + `
changed AS (
	UPDATE tasks t SET in_progress = coalesce(@set_in_progress::boolean, t.in_progress),
		is_cancelled = coalesce(@set_cancelled::boolean, t.is_cancelled), is_archived = coalesce(@set_archived::boolean, t.is_archived),
		version = t.version + 1, updated_at = @now::timestamptz
	FROM target w WHERE w.applicable AND t.id = w.id AND t.version = w.version RETURNING t.*),
event AS (` + events.ColumnsWith(refMembers) + ` FROM changed t)` + afterWrite

func moveTask(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home, m move, now time.Time) (writtenTask, bool, error) {
	args := writeArgs(id, version, homes)
	maps.Copy(args, pgx.NamedArgs{
		"need_cancelled": m.needs.cancelled, "need_archived": m.needs.archived, "need_done": m.needs.done,
		"set_in_progress": m.sets.inProgress, "set_cancelled": m.sets.cancelled, "set_archived": m.sets.archived, "now": now,
	})
	return pg.One[writtenTask](ctx, q, moveTaskSQL, events.TaskChanged.Args(ctx, events.TaskRef{ActorID: actor.UserID}, args))
}

var deleteTaskSQL = targetSQL(`true`) + `
changed AS (DELETE FROM tasks t USING target w WHERE w.applicable AND t.id = w.id AND t.version = w.version RETURNING t.*),
event AS (` + events.ColumnsWith(goneRef+` || `+countedIn) + ` FROM changed t)` + afterWrite

func deleteTask(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home) (writtenTask, bool, error) {
	args := events.TaskDeleted.Args(ctx, events.TaskRef{ActorID: actor.UserID}, writeArgs(id, version, homes))
	return pg.One[writtenTask](ctx, q, deleteTaskSQL, args)
}

func writeArgs(id uuid.UUID, version *int, homes []access.Home) pgx.NamedArgs {
	return pgx.NamedArgs{"id": id, "version": version, "mine": access.IDs(homes), "mine_owners": access.OwnerIDs(homes), "writable": access.WritableIDs(homes)}
}
