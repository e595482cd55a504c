package billing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

func (s *Service) listen() {
	events.On(s.Consumer, events.UserRegistered, userRegistered)
}

// userRegistered gives a new person the free plan.
func userRegistered(ctx context.Context, tx pgx.Tx, e events.Received[events.User]) error {
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO subscriptions (user_id, created_at, updated_at) VALUES (@user_id, @now, @now)
		ON CONFLICT (user_id) DO NOTHING`,
		pgx.NamedArgs{"user_id": e.Payload.ID, "now": e.OccurredAt})
	if err != nil {
		return fmt.Errorf("subscription of %s: %w", e.Payload.ID, err)
	}
	return nil
}
