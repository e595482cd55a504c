package notification

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// turnAtTaskSQL is oneOfResidenceSQL for the residence where a task is said to be, and for the one where it was.
const turnAtTaskSQL = `
SELECT pg_advisory_xact_lock(hashtextextended(r.id::text, 8)) FROM (
	SELECT @residence_id::uuid AS id UNION SELECT t.residence_id FROM tasks t WHERE t.task_id = @task_id::uuid ORDER BY id) r`

// saveTaskSQL keeps what is told of a task unless something newer is known, and answers how it was before. A residence that
// is gone has no tasks: one that was moved there is gone with it.
const saveTaskSQL = `
WITH before AS (SELECT residence_id, assigned_to, due_date, open FROM tasks WHERE task_id = @task_id::uuid),
home AS (SELECT EXISTS (SELECT FROM residences r WHERE r.residence_id = @residence_id::uuid AND r.gone_at IS NOT NULL) AS gone),
saved AS (
	INSERT INTO tasks AS t (task_id, residence_id, title, due_date, assigned_to, open, version, deleted_at)
	SELECT @task_id::uuid, @residence_id::uuid, @title, nullif(@due_date, '')::date, @assigned_to::uuid, @open::boolean AND NOT home.gone,
		@version::int, CASE WHEN @deleted::boolean OR home.gone THEN @now::timestamptz END
	FROM home WHERE NOT home.gone OR EXISTS (SELECT FROM before)
	ON CONFLICT (task_id) DO UPDATE SET residence_id = excluded.residence_id, title = excluded.title, due_date = excluded.due_date,
		assigned_to = excluded.assigned_to, open = excluded.open, version = excluded.version, deleted_at = excluded.deleted_at
	WHERE excluded.version > t.version RETURNING t.task_id)
SELECT EXISTS (SELECT FROM before) AS known, b.residence_id AS was_in, b.assigned_to AS was_assigned_to, b.due_date AS was_due, coalesce(b.open, false) AS was_open
FROM saved LEFT JOIN before b ON true`

// taskBefore is a task as it was before something was told of it.
type taskBefore struct {
	Known         bool
	WasIn         *uuid.UUID
	WasAssignedTo *uuid.UUID
	WasDue        *day.Day
	WasOpen       bool
}

// saveTask keeps what is told of a task, and reads what is to be planned of it then. news is false when something newer is known
// already.
func (s *Service) saveTask(ctx context.Context, tx pgx.Tx, t events.TaskRef, deleted bool) (before taskBefore, rows []planned, news bool, err error) {
	var assigned *uuid.UUID
	if t.AssignedToID != uuid.Nil {
		assigned = &t.AssignedToID
	}
	args := pgx.NamedArgs{
		"task_id": t.ID, "residence_id": t.ResidenceID, "title": t.Title, "due_date": t.NextDueDate, "assigned_to": assigned,
		"open": t.Open && !deleted, "version": t.Version, "deleted": deleted, "now": s.Clock.Now(),
	}
	var b pgx.Batch
	b.Queue(turnAtTaskSQL, args)
	b.Queue(`SELECT task_id FROM tasks WHERE task_id = @task_id::uuid FOR UPDATE`, args) // what was before is what the last event has left
	b.Queue(saveTaskSQL, args).Query(pg.Row(&before, &news))
	queuePlanned(&b, ofSubject(t.ID), &rows)
	if err := pg.Send(ctx, tx, &b); err != nil {
		return before, nil, false, fmt.Errorf("task %s: %w", t.ID, err)
	}
	return before, rows, news, nil
}
