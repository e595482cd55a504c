package notification

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/pg"
)

// insertPreferences gives a person a row for every kind, all on, and the usual hours.
func insertPreferences(ctx context.Context, q pg.Querier, user uuid.UUID) error {
	_, err := pg.Exec(ctx, q, insertPreferencesSQL, pgx.NamedArgs{"user_id": user, "kinds": Kinds()})
	if err != nil {
		return fmt.Errorf("preferences of %s: %w", user, err)
	}
	return nil
}

// usualSnooze is the default of settings.snooze_minutes.
const usualSnooze = 60

const (
	insertPreferencesSQL = `
WITH person AS (SELECT @user_id::uuid AS id WHERE NOT EXISTS (SELECT FROM gone_people WHERE user_id = @user_id::uuid)),
own AS (INSERT INTO settings (user_id) SELECT id FROM person ON CONFLICT (user_id) DO NOTHING)
INSERT INTO preferences (user_id, kind) SELECT person.id, unnest(@kinds::text[]) FROM person
ON CONFLICT (user_id, kind) DO NOTHING`

	// preferencesSQL answers the tables' defaults for somebody who has no rows yet.
	preferencesSQL = `
SELECT coalesce(s.version, 1) AS version,
	(SELECT jsonb_object_agg(k.kind, jsonb_build_object('push', coalesce(p.push, true), 'email', coalesce(p.email, true)))
		FROM unnest(@kinds::text[]) AS k(kind) LEFT JOIN preferences p ON p.user_id = @user_id::uuid AND p.kind = k.kind) AS kinds,
	left(coalesce(s.reminder_time, '09:00')::text, 5) AS reminder_time, left(coalesce(s.digest_time, '08:00')::text, 5) AS digest_time,
	coalesce(s.due_soon_days, 1) AS due_soon_days,
	CASE WHEN s.quiet_from IS NOT NULL THEN jsonb_build_object('from', left(s.quiet_from::text, 5), 'until', left(s.quiet_until::text, 5)) END AS quiet_hours,
	CASE WHEN s.snoozed_until > @now::timestamptz THEN s.snoozed_until END AS snoozed_until,
	coalesce(s.snooze_minutes, @usual::int) AS snooze_minutes
FROM (SELECT) AS one LEFT JOIN settings s ON s.user_id = @user_id::uuid`

	// holdSettingsSQL makes the changes of one person's preferences follow each other.
	holdSettingsSQL = `SELECT FROM settings WHERE user_id = @user_id::uuid FOR UPDATE`

	// changePreferencesSQL writes unless the version is another, or reminders would move and it is not said that they may.
	changePreferencesSQL = `
WITH w AS (
	SELECT p.*, t.version AS was, @version::int IS NULL OR t.version = @version::int AS current,
		(p.reminder_time, p.digest_time, p.due_soon_days) IS DISTINCT FROM (t.reminder_time, t.digest_time, t.due_soon_days) AS moves
	FROM settings t CROSS JOIN LATERAL jsonb_populate_record(t, @row::jsonb) p WHERE t.user_id = @user_id::uuid),
written AS (
	UPDATE settings s SET reminder_time = w.reminder_time, digest_time = w.digest_time, due_soon_days = w.due_soon_days, quiet_from = w.quiet_from,
		quiet_until = w.quiet_until, snoozed_until = w.snoozed_until, snooze_minutes = w.snooze_minutes, version = w.was + 1
	FROM w WHERE s.user_id = w.user_id AND w.current AND (@moves::boolean OR NOT w.moves) RETURNING s.user_id),
chosen AS (
	UPDATE preferences p SET push = coalesce(c.push, p.push), email = coalesce(c.email, p.email)
	FROM jsonb_to_recordset(@choices::jsonb) AS c(kind text, push boolean, email boolean)
	WHERE p.user_id = @user_id::uuid AND p.kind = c.kind AND EXISTS (SELECT FROM written))
SELECT w.was AS version, w.current, w.moves, EXISTS (SELECT FROM written) AS done FROM w`
)

func readPreferences(ctx context.Context, q pg.Querier, user uuid.UUID, now time.Time) (Preferences, error) {
	p, _, err := pg.One[Preferences](ctx, q, preferencesSQL, pgx.NamedArgs{"user_id": user, "kinds": Kinds(), "now": now, "usual": usualSnooze})
	if err != nil {
		return Preferences{}, fmt.Errorf("preferences of %s: %w", user, err)
	}
	return p, nil
}

// preferenceWrite is what to write of a person's preferences.
type preferenceWrite struct {
	user    uuid.UUID
	version *int // that it is to be; nil: any
	row     map[string]any
	choices []choice
	moves   bool // it may move reminders
	now     time.Time
}

// preferenceWritten says what came of it.
type preferenceWritten struct {
	Version int  // before
	Current bool // it was the version wanted
	Moves   bool // reminders are to be moved
	Done    bool
}

// changePreferences makes the rows if there are none yet, and writes: one round trip, and one transaction.
func changePreferences(ctx context.Context, q pg.Querier, w preferenceWrite) (out preferenceWritten, after Preferences, err error) {
	row, err := json.Marshal(w.row)
	if err != nil {
		return out, after, fmt.Errorf("settings: %w", err)
	}
	choices, err := json.Marshal(w.choices)
	if err != nil {
		return out, after, fmt.Errorf("choices: %w", err)
	}
	args := pgx.NamedArgs{
		"user_id": w.user, "kinds": Kinds(), "version": w.version, "row": string(row), "choices": string(choices), "moves": w.moves,
		"now": w.now, "usual": usualSnooze,
	}
	var found bool
	b := &pgx.Batch{}
	b.Queue(insertPreferencesSQL, args)
	b.Queue(holdSettingsSQL, args)
	b.Queue(changePreferencesSQL, args).Query(pg.Row(&out, &found))
	b.Queue(preferencesSQL, args).Query(pg.Row(&after, &found))
	err = pg.Send(ctx, q, b)
	if pg.Violates(err, "settings_quiet") {
		return out, after, apperr.InvalidField("body.quiet_hours", "needs a from and an until that differ")
	}
	if err != nil {
		return out, after, fmt.Errorf("change preferences of %s: %w", w.user, err)
	}
	return out, after, nil
}
