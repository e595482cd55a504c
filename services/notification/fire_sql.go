package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// dueSQL takes what is due, the oldest first, and what it is about. Several scanners never take the same.
const dueSQL = `
WITH mine AS MATERIALIZED (
	SELECT r.user_id, r.subject, r.subject_id, r.residence_id, r.on_date, r.step, r.fire_at FROM reminders r
	WHERE r.fire_at <= @now::timestamptz ORDER BY r.fire_at LIMIT @batch FOR UPDATE SKIP LOCKED)
SELECT r.user_id, r.subject, r.subject_id, r.residence_id, r.on_date, r.step, r.fire_at,
	coalesce(t.title, w.title, '') AS title, w.item_name, h.name AS residence
FROM mine r
LEFT JOIN LATERAL (SELECT t.title FROM tasks t WHERE r.subject = 'task' AND t.task_id = r.subject_id LIMIT 1) t ON true
LEFT JOIN LATERAL (SELECT w.title, w.item_name FROM warranties w WHERE r.subject = 'warranty' AND w.document_id = r.subject_id LIMIT 1) w ON true
LEFT JOIN LATERAL (SELECT h.name FROM residences h WHERE h.residence_id = r.residence_id LIMIT 1) h ON true`

func readDue(ctx context.Context, tx pgx.Tx, now time.Time, batch int) ([]due, error) {
	rows, err := pg.All[due](ctx, tx, dueSQL, pgx.NamedArgs{"now": now, "batch": batch})
	if err != nil {
		return nil, fmt.Errorf("due reminders: %w", err)
	}
	return rows, nil
}

// moveOnSQL writes what comes next. What has no next time is kept with its date, so that it does not begin anew; but what was
// put off once is done.
const moveOnSQL = `
WITH n AS (SELECT * FROM ` + reminderRows + ` AS n(user_id, subject, subject_id, residence_id, on_date, step, fire_at)),
gone AS (DELETE FROM reminders r USING n WHERE r.user_id = n.user_id AND r.subject = n.subject AND r.subject_id = n.subject_id AND n.subject = 'snooze')
UPDATE reminders r SET on_date = n.on_date, step = n.step, fire_at = n.fire_at FROM n
WHERE r.user_id = n.user_id AND r.subject = n.subject AND r.subject_id = n.subject_id AND n.subject <> 'snooze'`

func moveOn(ctx context.Context, tx pgx.Tx, next []reminder) error {
	if _, err := pg.Exec(ctx, tx, moveOnSQL, reminderArgs(next)); err != nil {
		return fmt.Errorf("move %d reminders on: %w", len(next), err)
	}
	return nil
}

// postpone puts a reminder off that could not be fired, unless it is another by now.
func postpone(ctx context.Context, q pg.Querier, d due, now time.Time) error {
	_, err := pg.Exec(ctx, q, `
		UPDATE reminders SET fire_at = @later::timestamptz
		WHERE user_id = @user_id::uuid AND subject = @subject AND subject_id = @subject_id::uuid AND fire_at = @fire_at::timestamptz`,
		pgx.NamedArgs{"user_id": d.UserID, "subject": d.Subject, "subject_id": d.SubjectID, "fire_at": d.FireAt, "later": now.Add(postponed)})
	if err != nil {
		return fmt.Errorf("postpone a reminder: %w", err)
	}
	return nil
}

// daysSQL is what those people have to do, and which warranties end: a day more than is told of, for whoever is ahead of UTC.
var daysSQL = `
SELECT m.user_id, 'task' AS subject, t.title, h.name AS residence, t.due_date AS on_date
FROM members m JOIN tasks t ON t.residence_id = m.residence_id JOIN residences h ON h.residence_id = m.residence_id
WHERE m.user_id = ANY(@users::uuid[]) AND ` + reminded + ` AND t.open AND t.deleted_at IS NULL AND t.due_date <= @today::date + 8 AND ` + doing + `
UNION ALL
SELECT m.user_id, 'warranty', coalesce(w.item_name, w.title), h.name, w.end_date
FROM members m JOIN warranties w ON w.residence_id = m.residence_id JOIN residences h ON h.residence_id = m.residence_id
WHERE m.user_id = ANY(@users::uuid[]) AND ` + reminded + ` AND w.is_active AND NOT w.deleted AND w.end_date BETWEEN @today::date - 1 AND @today::date + 31
ORDER BY on_date, title`

func readDays(ctx context.Context, tx pgx.Tx, users []uuid.UUID, now time.Time) (map[uuid.UUID][]dayItem, error) {
	if len(users) == 0 {
		return nil, nil
	}
	rows, err := pg.All[dayItem](ctx, tx, daysSQL, pgx.NamedArgs{"users": users, "today": now.UTC().Format(time.DateOnly)})
	if err != nil {
		return nil, fmt.Errorf("days: %w", err)
	}
	days := map[uuid.UUID][]dayItem{}
	for _, r := range rows {
		days[r.UserID] = append(days[r.UserID], r)
	}
	return days, nil
}

// returning is a notification that was put off.
type returning struct {
	ID          uuid.UUID
	UserID      uuid.UUID
	Kind        string
	ResidenceID *uuid.UUID
	SubjectID   *uuid.UUID
	Title, Body string
	Data        map[string]string
}

// readSnoozed reads and holds notifications, but for those that are not true any more: what is deleted meanwhile stays so.
func readSnoozed(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) (map[uuid.UUID]returning, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := pg.All[returning](ctx, tx, `
		SELECT n.id, n.user_id, n.kind, n.residence_id, n.subject_id, n.title, n.body, n.data FROM notifications n
		WHERE n.id = ANY(@ids::uuid[]) AND NOT `+stale+` ORDER BY n.id FOR UPDATE OF n`, pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("snoozed notifications: %w", err)
	}
	out := map[uuid.UUID]returning{}
	for _, r := range rows {
		out[r.ID] = r
	}
	return out, nil
}

// stale is true of a notification n that says of a task's date what is no longer so.
const stale = `(n.kind IN ('task_due_soon', 'task_overdue') AND NOT EXISTS (
	SELECT FROM tasks t WHERE t.task_id = n.subject_id AND t.open AND t.deleted_at IS NULL AND t.due_date::text = n.data->>'due_date'))`
