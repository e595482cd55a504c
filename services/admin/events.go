package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

func (s *Service) listen() {
	events.On(s.Consumer, events.UserRegistered, countSignup)
}

// countSignup counts the person on the UTC day of the registration, whenever the event arrives. The inbox makes it once.
func countSignup(ctx context.Context, tx pgx.Tx, e events.Received[events.User]) error {
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO signups AS s (day, people) VALUES (@day, 1)
		ON CONFLICT (day) DO UPDATE SET people = s.people + 1`,
		pgx.NamedArgs{"day": day.In(e.OccurredAt, time.UTC)})
	if err != nil {
		return fmt.Errorf("count sign-up: %w", err)
	}
	return nil
}
