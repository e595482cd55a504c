package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/pg"
)

const sweepEvery = 10 * time.Minute

// sweep removes what has expired. Nothing depends on it: whoever reads looks at the time as well.
func sweep(ctx context.Context, d *boot.Deps) error {
	d.Every(ctx, sweepEvery, "expired rows stay until the next sweep", func(ctx context.Context) error {
		// Each passes by what somebody else is working on.
		for _, statement := range []string{
			`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
			`DELETE FROM codes WHERE id IN (SELECT id FROM codes WHERE expires_at < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
			`DELETE FROM reset_tokens WHERE token_hash IN (SELECT token_hash FROM reset_tokens WHERE expires_at < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
			`DELETE FROM attempts WHERE key IN (SELECT key FROM attempts WHERE until < @now::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		} {
			if err := pg.Sweep(ctx, d.DB, statement, pgx.NamedArgs{"now": d.Clock.Now()}); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
		}
		return nil
	})
	return nil
}
