package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// expireMessages gives up what is too late, except what is being sent just now.
func expireMessages(ctx context.Context, q pg.Querier, now time.Time) error {
	_, err := pg.Exec(ctx, q, `
		UPDATE messages SET state = 'expired', sealed = NULL, claimed_until = NULL
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
