package residence

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/pg"
)

const (
	sweepEvery = 10 * time.Minute
	// keepCodes is how long it stays known who used a code.
	keepCodes = 30 * 24 * time.Hour
)

// sweep removes share codes that are over and of no use any more, and tombstones that no cursor needs. Nothing depends on
// it: whoever reads looks at the time as well.
func sweep(ctx context.Context, d *boot.Deps) error {
	d.Every(ctx, sweepEvery, "old share codes and tombstones stay until the next sweep", func(ctx context.Context) error {
		err := pg.Sweep(ctx, d.DB, `
			DELETE FROM share_codes WHERE id IN (
				SELECT id FROM share_codes WHERE expires_at < @since::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
			pgx.NamedArgs{"since": d.Clock.Now().Add(-keepCodes)})
		if err != nil {
			return fmt.Errorf("sweep share codes: %w", err)
		}
		return delta.Sweep(ctx, d.DB, d.Clock.Now(), "residences", "members")
	})
	return nil
}
