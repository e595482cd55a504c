package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

const (
	collectEvery = time.Minute
	// unclaimedFor is how long an upload waits for something to use it, from its arrival and from when the last thing let
	// it go.
	unclaimedFor = 24 * time.Hour
	// A blob is deleted by one collector at a time; one that dies is followed by another.
	collectLease = 2 * time.Minute
	collectBatch = 200
)

const (
	// What somebody is just claiming is left out: waiting for it, while others wait for us, would be a deadlock.
	stampUnclaimedSQL = `
UPDATE uploads SET unclaimed_at = @now::timestamptz
WHERE id IN (SELECT id FROM uploads WHERE unclaimed_at = 'infinity' FOR UPDATE SKIP LOCKED)`

	forgetUnclaimedSQL = `
DELETE FROM uploads WHERE id = ANY(ARRAY(
	SELECT u.id FROM uploads u
	WHERE u.unclaimed_at < @since::timestamptz AND NOT EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id)
	LIMIT @batch FOR UPDATE SKIP LOCKED))`

	leaseLooseSQL = `
UPDATE loose_blobs SET due_at = @until::timestamptz
WHERE key = ANY(ARRAY(SELECT key FROM loose_blobs WHERE due_at <= @now::timestamptz ORDER BY due_at LIMIT @batch::int FOR UPDATE SKIP LOCKED))
RETURNING key`

	forgetLooseSQL = `DELETE FROM loose_blobs WHERE key = ANY(@keys::text[])`
)

// collect forgets uploads that nothing has used for a day, and deletes blobs that nothing holds: each after the commit
// that let it go, and its row after the blob, so that no blob is forgotten.
func (s *Service) collect(ctx context.Context) error {
	now := s.Clock.Now()
	if _, err := pg.Exec(ctx, s.DB, stampUnclaimedSQL, pgx.NamedArgs{"now": now}); err != nil {
		return fmt.Errorf("stamp uploads that nothing uses: %w", err)
	}
	if err := pg.Sweep(ctx, s.DB, forgetUnclaimedSQL, pgx.NamedArgs{"since": now.Add(-unclaimedFor)}); err != nil {
		return fmt.Errorf("forget uploads that nothing uses: %w", err)
	}
	for ctx.Err() == nil {
		n, err := s.collectBlobs(ctx, now)
		if err != nil || n < collectBatch {
			return err
		}
	}
	return nil
}

// collectBlobs deletes a batch of blobs. One that cannot be deleted now is tried again later, and holds up no other.
func (s *Service) collectBlobs(ctx context.Context, now time.Time) (int, error) {
	keys, err := pg.Column[string](ctx, s.DB, leaseLooseSQL, pgx.NamedArgs{"now": now, "until": now.Add(collectLease), "batch": collectBatch})
	if err != nil {
		return 0, fmt.Errorf("loose blobs: %w", err)
	}
	var failed error
	deleted := make([]string, 0, len(keys))
	for _, key := range keys {
		if err := s.blobs.Delete(ctx, key); err != nil {
			failed = errors.Join(failed, fmt.Errorf("delete a blob: %w", err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		deleted = append(deleted, key)
	}
	if len(deleted) > 0 {
		if _, err := pg.Exec(ctx, s.DB, forgetLooseSQL, pgx.NamedArgs{"keys": deleted}); err != nil {
			return 0, errors.Join(failed, fmt.Errorf("forget deleted blobs: %w", err))
		}
	}
	return len(keys), failed
}
