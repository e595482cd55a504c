package auth

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
)

// sweep removes what has expired until ctx ends. Nothing depends on it: whoever reads looks at the time as well.
func sweep(ctx context.Context, d *boot.Deps) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		if err := sweepOnce(ctx, d); err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "expired rows stay until the next sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// sweepOnce goes in batches, so that no lock is held for long, and passes by what somebody else is working on.
func sweepOnce(ctx context.Context, d *boot.Deps) error {
	for _, statement := range []string{
		`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		`DELETE FROM codes WHERE id IN (SELECT id FROM codes WHERE expires_at < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		`DELETE FROM reset_tokens WHERE token_hash IN (SELECT token_hash FROM reset_tokens WHERE expires_at < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		`DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE until < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
	} {
		for {
			n, err := pg.Exec(ctx, d.DB, statement, pgx.NamedArgs{"now": d.Clock.Now(), "batch": sweepBatch})
			if err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
			if n < sweepBatch {
				break
			}
		}
	}
	return nil
}
