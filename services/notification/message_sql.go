package notification

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
)

func insertMessage(ctx context.Context, q pg.Querier, id uuid.UUID, c events.Code, expires, now time.Time) error {
	_, err := pg.Exec(ctx, q, `
		INSERT INTO messages (id, user_id, purpose, email, first_name, locale, sealed, trace, created_at, expires_at)
		VALUES (@id, @user_id, @purpose, @email, @first_name, @locale, @sealed, @trace, @now, @expires_at)`,
		pgx.NamedArgs{
			"id": id, "user_id": c.UserID, "purpose": c.Purpose, "email": c.Email, "first_name": c.FirstName, "locale": c.Locale,
			"sealed": c.Sealed, "trace": telemetry.TraceParent(ctx), "now": now, "expires_at": expires,
		})
	if err != nil {
		return fmt.Errorf("message %s: %w", id, err)
	}
	return nil
}

// insertReport answers whether the person is known: only they tell where to send it.
func insertReport(ctx context.Context, q pg.Querier, id uuid.UUID, r events.ReportRequest, expires, now time.Time) (bool, error) {
	return insertToPerson(ctx, q, id, r, expires, now, pgx.NamedArgs{"user_id": r.UserID, "purpose": r.Kind + "_report", "locale": r.Locale, "column": "report"})
}

// insertNotice answers whether the person is known: only they tell where to send it.
func insertNotice(ctx context.Context, q pg.Querier, id uuid.UUID, n events.Notice, expires, now time.Time) (bool, error) {
	return insertToPerson(ctx, q, id, n, expires, now, pgx.NamedArgs{"user_id": n.UserID, "purpose": "billing_" + n.Kind, "locale": "", "column": "notice"})
}

// insertToPerson keeps what is made into a mail only when it is sent, in the column of its kind. An empty locale is the
// person's. What is kept already stays as it is: a webhook that is worked off again tells anew what the inbox may have
// forgotten by then.
func insertToPerson(ctx context.Context, q pg.Querier, id uuid.UUID, content any, expires, now time.Time, args pgx.NamedArgs) (bool, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return false, fmt.Errorf("message %s: %w", id, err)
	}
	args["id"], args["content"], args["trace"], args["now"], args["expires_at"] = id, string(raw), telemetry.TraceParent(ctx), now, expires
	known, _, err := pg.Scalar[bool](ctx, q, `
		WITH person AS (SELECT * FROM people WHERE user_id = @user_id::uuid),
		kept AS (
			INSERT INTO messages (id, user_id, purpose, email, first_name, locale, report, notice, trace, created_at, expires_at)
			SELECT @id::uuid, p.user_id, @purpose, p.email, p.first_name, coalesce(nullif(@locale::text, ''), p.locale),
				CASE WHEN @column::text = 'report' THEN @content::jsonb END, CASE WHEN @column::text = 'notice' THEN @content::jsonb END,
				@trace, @now::timestamptz, @expires_at::timestamptz
			FROM person p ON CONFLICT (id) DO NOTHING)
		SELECT EXISTS (SELECT FROM person)`, args)
	if err != nil {
		return false, fmt.Errorf("message %s: %w", id, err)
	}
	return known, nil
}

// expireMessages gives up what is too late, except what is being sent just now.
func expireMessages(ctx context.Context, q pg.Querier, now time.Time) error {
	_, err := pg.Exec(ctx, q, `
		UPDATE messages SET state = 'expired', sealed = NULL, report = NULL, notice = NULL, claimed_until = NULL
		WHERE state = 'pending' AND expires_at <= @now AND (claimed_until IS NULL OR claimed_until <= @now)`,
		pgx.NamedArgs{"now": now})
	if err != nil {
		return fmt.Errorf("expire messages: %w", err)
	}
	return nil
}

// forgetMessages removes what is done and older than since.
func forgetMessages(ctx context.Context, q pg.Querier, since time.Time) error {
	err := pg.Sweep(ctx, q, `
		DELETE FROM messages WHERE id IN (
			SELECT id FROM messages WHERE state <> 'pending' AND created_at < @since LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		pgx.NamedArgs{"since": since})
	if err != nil {
		return fmt.Errorf("forget messages: %w", err)
	}
	return nil
}

// claimMessages takes the oldest codes that wait, for as long as the lease. Several workers never take the same.
func claimMessages(ctx context.Context, q pg.Querier, now time.Time) ([]Message, error) {
	rows, err := pg.All[Message](ctx, q, `
		WITH mine AS (
			SELECT id FROM messages
			WHERE state = 'pending' AND sealed IS NOT NULL AND expires_at > @now AND (claimed_until IS NULL OR claimed_until <= @now)
			ORDER BY created_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		UPDATE messages m SET claimed_until = @until FROM mine WHERE m.id = mine.id
		RETURNING m.id, m.purpose, m.email, m.sealed, m.trace, m.expires_at`,
		pgx.NamedArgs{"now": now, "until": now.Add(messageLease), "batch": messageBatch})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	return rows, nil
}

func settleMessages(ctx context.Context, q pg.Querier, sent []uuid.UUID, now time.Time) error {
	_, err := pg.Exec(ctx, q, `
		UPDATE messages SET state = 'sent', sent_at = @now, sealed = NULL, claimed_until = NULL
		WHERE id = ANY(@ids::uuid[]) AND state = 'pending'`,
		pgx.NamedArgs{"ids": sent, "now": now})
	if err != nil {
		return fmt.Errorf("settle messages: %w", err)
	}
	return nil
}
