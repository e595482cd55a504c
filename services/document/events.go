package document

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

func (s *Service) listen() {
	events.On(s.Consumer, events.ResidenceDeleted, residenceDeleted)
}

// residenceDeleted remembers that the residence is gone: what is being stored for it just now is then refused or collected.
func residenceDeleted(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO gone_residences (residence_id, gone_at) VALUES (@residence_id, @gone_at)
		ON CONFLICT (residence_id) DO NOTHING`,
		pgx.NamedArgs{"residence_id": e.Payload.ID, "gone_at": e.OccurredAt})
	if err != nil {
		return fmt.Errorf("residence %s is gone: %w", e.Payload.ID, err)
	}
	return nil
}
