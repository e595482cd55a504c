package billing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// reviveClaimed is reviveWebhooks of all that are claimed by now: of one that was being looked at while its purchase was
// claimed, and of a process that ended between the two.
func (s *Service) reviveClaimed(ctx context.Context) error {
	revived, err := pg.Exec(ctx, s.DB, `
		UPDATE webhook_events w SET state = 'pending', next_at = @now::timestamptz, done_at = NULL
		FROM purchases p WHERE w.state = 'unclaimed' AND p.source = w.source AND p.external_id = w.subject`,
		pgx.NamedArgs{"now": s.Clock.Now()})
	if err != nil {
		return fmt.Errorf("webhooks of claimed purchases: %w", err)
	}
	if revived > 0 {
		s.work.ringAll()
	}
	return nil
}
