package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

const (
	// notificationColumns are a Notification, of notifications n. Of data the apps get the texts: lists in it are for mails.
	notificationColumns = `n.id, n.kind, n.title, n.body, n.residence_id, n.subject_id,
	(SELECT coalesce(jsonb_object_agg(d.key, d.value), '{}') FROM jsonb_each(n.data) d WHERE jsonb_typeof(d.value) = 'string') AS data,
	n.read_at IS NOT NULL AS is_read, n.read_at, n.created_at`

	// notificationsSQL asks for what is before a place: it is always given, so that the index leads there.
	notificationsSQL = `
SELECT ` + notificationColumns + ` FROM notifications n
WHERE n.user_id = @user_id::uuid AND (n.created_at, n.id) < (@before_at::timestamptz, @before_id::uuid)
	AND (NOT @unread::boolean OR n.read_at IS NULL) AND (@kind::text = '' OR n.kind = @kind::text)
	AND (@residence_id::uuid IS NULL OR n.residence_id = @residence_id::uuid)
ORDER BY n.created_at DESC, n.id DESC LIMIT @limit::int`

	unreadSQL = `SELECT count(*) FROM notifications WHERE user_id = @user_id::uuid AND read_at IS NULL`

	// mineSQL is the person's notification, held until the statement is done: the others of the statement go by it as it is
	// after whoever changed it just now.
	mineSQL = `
WITH mine AS (SELECT * FROM notifications WHERE id = @id::uuid AND user_id = @user_id::uuid FOR UPDATE),`

	// changedSQL tells of the change, if there is any, and answers the notification as it is now.
	changedSQL = `
event AS (` + events.Columns + ` WHERE EXISTS (SELECT FROM changed))
SELECT true AS changed, ` + notificationColumns + ` FROM changed n
UNION ALL
SELECT false, ` + notificationColumns + ` FROM mine n WHERE NOT EXISTS (SELECT FROM changed)`

	nowReadSQL = `
changed AS (UPDATE notifications n SET read_at = @now::timestamptz FROM mine WHERE n.id = mine.id AND mine.read_at IS NULL RETURNING n.*),`

	readSQL = mineSQL + nowReadSQL + `
stopped AS (
	UPDATE messages m SET state = 'suppressed', reason = 'read', settled_at = @now::timestamptz
	WHERE m.id IN (
		SELECT w.id FROM messages w WHERE w.notification_id IN (SELECT id FROM mine) AND w.channel = 'push' AND w.state = 'pending' ORDER BY w.id FOR UPDATE)),` + changedSQL

	markUnreadSQL = mineSQL + `
changed AS (UPDATE notifications n SET read_at = NULL FROM mine WHERE n.id = mine.id AND mine.read_at IS NOT NULL RETURNING n.*),` + changedSQL

	// markAllReadSQL takes the rows in order, so that two devices of a person do not wait for each other.
	markAllReadSQL = `
WITH mine AS (
	SELECT id FROM notifications WHERE user_id = @user_id::uuid AND read_at IS NULL AND created_at <= @until::timestamptz
	ORDER BY id FOR UPDATE),
changed AS (
	UPDATE notifications n SET read_at = @now::timestamptz
	WHERE n.user_id = @user_id::uuid AND n.read_at IS NULL AND n.id IN (SELECT id FROM mine) RETURNING n.id),
stopped AS (
	UPDATE messages m SET state = 'suppressed', reason = 'read', settled_at = @now::timestamptz
	WHERE m.id IN (
		SELECT w.id FROM messages w WHERE w.user_id = @user_id::uuid AND w.channel = 'push' AND w.state = 'pending'
			AND w.notification_id IN (SELECT id FROM changed) ORDER BY w.id FOR UPDATE)),
event AS (` + events.Columns + ` WHERE EXISTS (SELECT FROM changed))
SELECT count(*) FROM changed`

	// oneOfNotificationSQL lets one at a time put a notification off, or delete it: a second one sees the reminder that the first
	// has left, and holds it before the notification.
	oneOfNotificationSQL = `SELECT pg_advisory_xact_lock(hashtextextended(@id::uuid::text, 11))`

	// holdSnoozeSQL waits for a notification that comes back just now. What fires holds the reminder, and then the notification:
	// so does whoever changes both.
	holdSnoozeSQL = `SELECT FROM reminders WHERE user_id = @user_id::uuid AND subject = 'snooze' AND subject_id = @id::uuid FOR UPDATE`

	// holdReadSQL and holdSQL wait for whoever is snoozing just now: the statement after them sees it.
	holdReadSQL = `SELECT FROM notifications WHERE user_id = @user_id::uuid AND read_at IS NOT NULL ORDER BY id FOR UPDATE`
	holdSQL     = `SELECT FROM notifications WHERE id = @id::uuid AND user_id = @user_id::uuid FOR UPDATE`

	// goneSQL is what follows a deletion, of the rows in gone.
	goneSQL = `
stopped AS (
	UPDATE messages m SET state = 'suppressed', reason = 'deleted', settled_at = @now::timestamptz
	WHERE m.id IN (
		SELECT w.id FROM messages w WHERE w.user_id = @user_id::uuid AND w.state = 'pending' AND w.notification_id IN (SELECT id FROM gone) ORDER BY w.id FOR UPDATE)),
forgotten AS (
	DELETE FROM reminders r WHERE r.user_id = @user_id::uuid AND r.subject = 'snooze' AND r.subject_id IN (SELECT id FROM gone)),
event AS (` + events.Columns + ` WHERE EXISTS (SELECT FROM gone))
SELECT count(*) FROM gone`

	clearReadSQL = `
WITH gone AS (
	DELETE FROM notifications n WHERE n.user_id = @user_id::uuid AND n.read_at IS NOT NULL AND NOT EXISTS (
		SELECT FROM reminders r WHERE r.user_id = @user_id::uuid AND r.subject = 'snooze' AND r.subject_id = n.id AND r.fire_at IS NOT NULL)
	RETURNING n.id),` + goneSQL

	deleteNotificationSQL = `
WITH gone AS (DELETE FROM notifications n WHERE n.id = @id::uuid AND n.user_id = @user_id::uuid RETURNING n.id),` + goneSQL

	snoozeSQL = mineSQL + `
back AS (
	SELECT coalesce(@until::timestamptz, @now::timestamptz + make_interval(mins => coalesce(@minutes::int,
		(SELECT s.snooze_minutes FROM settings s WHERE s.user_id = @user_id::uuid), @usual::int))) AS at),` + nowReadSQL + `
stopped AS (
	UPDATE messages m SET state = 'suppressed', reason = 'snoozed', settled_at = @now::timestamptz
	WHERE m.id IN (
		SELECT w.id FROM messages w WHERE w.notification_id IN (SELECT id FROM mine) AND w.state = 'pending' ORDER BY w.id FOR UPDATE)),
kept AS (
	INSERT INTO reminders (user_id, subject, subject_id, residence_id, fire_at)
	SELECT mine.user_id, 'snooze', mine.id, mine.residence_id, back.at FROM mine, back
	ON CONFLICT (user_id, subject, subject_id) DO UPDATE SET residence_id = excluded.residence_id, on_date = NULL, step = 0, fire_at = excluded.fire_at),
event AS (` + events.Columns + ` WHERE EXISTS (SELECT FROM changed))
SELECT EXISTS (SELECT FROM changed) AS changed, back.at AS snoozed_until FROM mine, back`
)

func readNotifications(ctx context.Context, q pg.Querier, user uuid.UUID, f InboxFilter, before *inboxPlace, limit int) ([]Notification, error) {
	args := pgx.NamedArgs{
		"user_id": user, "unread": f.Unread, "kind": f.Kind, "residence_id": orNone(f.ResidenceID), "limit": limit,
		"before_at": "infinity", "before_id": uuid.Max,
	}
	if before != nil {
		args["before_at"], args["before_id"] = before.At, before.ID
	}
	return pg.All[Notification](ctx, q, notificationsSQL, args)
}

// orNone is an id for SQL, where the zero one is none.
func orNone(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func countUnread(ctx context.Context, q pg.Querier, user uuid.UUID) (int, error) {
	n, _, err := pg.Scalar[int](ctx, q, unreadSQL, pgx.NamedArgs{"user_id": user})
	if err != nil {
		return 0, fmt.Errorf("unread notifications: %w", err)
	}
	return n, nil
}

// markedNotification is a notification after a write, and whether that has changed it.
type markedNotification struct {
	Changed bool
	Notification
}

func markNotification(ctx context.Context, q pg.Querier, statement string, user, id uuid.UUID, now time.Time) (markedNotification, bool, error) {
	return pg.One[markedNotification](ctx, q, statement, inboxArgs(ctx, user, pgx.NamedArgs{"id": id, "now": now}))
}

func inboxArgs(ctx context.Context, user uuid.UUID, args pgx.NamedArgs) pgx.NamedArgs {
	args["user_id"] = user
	return events.NotificationsChanged.Args(ctx, inboxOf(user), args)
}

func markAllRead(ctx context.Context, q pg.Querier, user uuid.UUID, until *time.Time, now time.Time) (int, error) {
	args := pgx.NamedArgs{"until": "infinity", "now": now}
	if until != nil {
		args["until"] = *until
	}
	n, _, err := pg.Scalar[int](ctx, q, markAllReadSQL, inboxArgs(ctx, user, args))
	if err != nil {
		return 0, fmt.Errorf("mark all as read: %w", err)
	}
	return n, nil
}

func clearRead(ctx context.Context, q pg.Querier, user uuid.UUID, now time.Time) (int, error) {
	return removeNotifications(ctx, q, inboxArgs(ctx, user, pgx.NamedArgs{"now": now}), clearReadSQL, holdReadSQL)
}

func deleteNotification(ctx context.Context, q pg.Querier, user, id uuid.UUID, now time.Time) (bool, error) {
	n, err := removeNotifications(ctx, q, inboxArgs(ctx, user, pgx.NamedArgs{"id": id, "now": now}), deleteNotificationSQL, oneOfNotificationSQL, holdSnoozeSQL, holdSQL)
	return n > 0, err
}

// removeNotifications answers how many the statement has removed, after those that hold what it is about.
func removeNotifications(ctx context.Context, q pg.Querier, args pgx.NamedArgs, remove string, holds ...string) (int, error) {
	var removed []struct{ Count int }
	b := &pgx.Batch{}
	for _, hold := range holds {
		b.Queue(hold, args)
	}
	b.Queue(remove, args).Query(pg.Rows(&removed))
	if err := pg.Send(ctx, q, b); err != nil {
		return 0, fmt.Errorf("remove notifications: %w", err)
	}
	return removed[0].Count, nil
}

// snoozed is when a notification comes back, and whether it was unread before.
type snoozed struct {
	Changed      bool
	SnoozedUntil time.Time
}

func snoozeNotification(ctx context.Context, q pg.Querier, user, id uuid.UUID, how Snooze, now time.Time) (snoozed, bool, error) {
	args := inboxArgs(ctx, user, pgx.NamedArgs{"id": id, "minutes": how.Minutes, "until": how.Until, "usual": usualSnooze, "now": now})
	var out snoozed
	var found bool
	b := &pgx.Batch{}
	b.Queue(oneOfNotificationSQL, args)
	b.Queue(holdSnoozeSQL, args)
	b.Queue(snoozeSQL, args).Query(pg.Row(&out, &found))
	if err := pg.Send(ctx, q, b); err != nil {
		return out, false, fmt.Errorf("snooze a notification: %w", err)
	}
	return out, found, nil
}
