package residence

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/pg"
)

const (
	sweepEvery = 10 * time.Minute
	sweepBatch = 1000
	// keepCodes is how long it stays known who used a code.
	keepCodes = 30 * 24 * time.Hour
)

// sweep removes what is over and of no use any more, until ctx ends. Nothing depends on it: whoever reads looks at the
// time as well.
func sweep(ctx context.Context, d *boot.Deps) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := sweepOnce(ctx, d); err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "old share codes stay until the next sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// sweepOnce goes in batches, so that no lock is held for long.
func sweepOnce(ctx context.Context, d *boot.Deps) error {
	for {
		n, err := pg.Exec(ctx, d.DB, `
			DELETE FROM share_codes WHERE id IN (
				SELECT id FROM share_codes WHERE expires_at < @since::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
			pgx.NamedArgs{"since": d.Clock.Now().Add(-keepCodes), "batch": sweepBatch})
		if err != nil {
			return fmt.Errorf("sweep share codes: %w", err)
		}
		if n < sweepBatch {
			return nil
		}
	}
}
