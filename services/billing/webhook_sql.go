package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
)

const insertWebhookSQL = `
	INSERT INTO webhook_events (id, source, external_id, type, subject, occurred_at, received_at, body, next_at, trace)
	VALUES (@id::uuid, @source::text, @external::text, @type::text, nullif(@subject::text, ''), @at::timestamptz, @now::timestamptz, @body::bytea, @now::timestamptz, @trace::text)
	ON CONFLICT (source, external_id) DO NOTHING`

// insertWebhook keeps what was told; the second time it does nothing.
func insertWebhook(ctx context.Context, q pg.Querier, source Source, t told, now time.Time) error {
	_, err := pg.Exec(ctx, q, insertWebhookSQL, pgx.NamedArgs{
		"id": uuid.Must(uuid.NewV7()), "source": source, "external": t.ID, "type": t.Type, "subject": t.Subject, "at": t.At, "now": now,
		"body": []byte(t.Body), "trace": telemetry.TraceParent(ctx),
	})
	if err != nil {
		return fmt.Errorf("keep webhook of %s: %w", source, err)
	}
	return nil
}

const claimWebhooksSQL = `
		WITH mine AS (
			SELECT id FROM webhook_events
			WHERE state = 'pending' AND source = @source::text AND next_at <= @now::timestamptz AND (claimed_until IS NULL OR claimed_until < @now::timestamptz)
			ORDER BY next_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		UPDATE webhook_events w SET claimed_until = @until::timestamptz FROM mine WHERE w.id = mine.id
		RETURNING w.id, w.source, w.external_id, w.type, w.subject, w.occurred_at, w.received_at, w.body, w.state, w.tries, w.trace`

func claimWebhooks(ctx context.Context, q pg.Querier, source Source, now time.Time) ([]webhook, error) {
	rows, err := pg.All[webhook](ctx, q, claimWebhooksSQL, pgx.NamedArgs{"source": source, "now": now, "until": now.Add(workLease), "batch": workBatch})
	if err != nil {
		return nil, fmt.Errorf("claim webhooks: %w", err)
	}
	return rows, nil
}

// settleWebhook writes down what came of a webhook, and the notices with it: both or neither, and once.
func settleWebhook(ctx context.Context, q pg.Querier, w webhook, state, outcome string, notices []events.Notice, now time.Time, wait time.Duration) error {
	args := pgx.NamedArgs{"id": w.ID, "state": state, "outcome": outcome, "now": now, "next_at": now.Add(wait)}
	told := ""
	for i, n := range notices {
		name := fmt.Sprintf("notice%d", i)
		args = events.BillingNotice.ArgsAs(ctx, name, n, args)
		args[name+"_id"] = uuid.NewSHA1(w.ID, []byte(name)) // the same each time: a webhook that is worked off again tells nobody again
		told += `, told` + name + ` AS (` + events.ColumnsAs(name, "") + ` FROM settled ON CONFLICT (id) DO NOTHING)`
	}
	_, err := pg.Exec(ctx, q, `
		WITH settled AS (
			UPDATE webhook_events SET state = @state::text, outcome = left(@outcome::text, 500), tries = tries + 1, claimed_until = NULL, next_at = @next_at::timestamptz,
				done_at = CASE WHEN @state::text = 'pending' THEN NULL ELSE @now::timestamptz END
			WHERE id = @id::uuid AND state = 'pending' RETURNING id)`+told+`
		SELECT FROM settled`, args)
	if err != nil {
		return fmt.Errorf("settle webhook %s: %w", w.ID, err)
	}
	return nil
}

// reviveWebhooks works off again what was told of purchases before anybody had claimed them.
const reviveWebhooksSQL = `
	UPDATE webhook_events SET state = 'pending', next_at = @now::timestamptz, done_at = NULL
	WHERE source = @source::text AND subject = ANY(@externals::text[]) AND state = 'unclaimed'`

func reviveWebhooks(ctx context.Context, q pg.Querier, source Source, externals []string, now time.Time) error {
	if _, err := pg.Exec(ctx, q, reviveWebhooksSQL, pgx.NamedArgs{"source": source, "externals": externals, "now": now}); err != nil {
		return fmt.Errorf("webhooks of purchases: %w", err)
	}
	return nil
}

// nameSubject notes which purchase a webhook is about that did not name one itself.
func nameSubject(ctx context.Context, q pg.Querier, w webhook, external string) error {
	_, err := pg.Exec(ctx, q, `UPDATE webhook_events SET subject = @external::text WHERE id = @id::uuid AND subject IS NULL`,
		pgx.NamedArgs{"id": w.ID, "external": external})
	if err != nil {
		return fmt.Errorf("subject of webhook %s: %w", w.ID, err)
	}
	return nil
}

const productsSQL = `SELECT source, product_id, tier, period, is_active, version FROM products ORDER BY source, product_id`

// termsOf reads what the shops' words are understood by.
func termsOf(ctx context.Context, q pg.Querier) (terms, error) {
	var out terms
	var found bool
	b := &pgx.Batch{}
	b.Queue(settingsSQL).Query(pg.Row(&out.Settings, &found))
	b.Queue(productsSQL).Query(pg.Rows(&out.Products))
	if err := pg.Send(ctx, q, b); err != nil {
		return terms{}, fmt.Errorf("products: %w", err)
	}
	return out, nil
}

func (s *Service) terms(ctx context.Context) (terms, error) { return termsOf(ctx, s.DB) }
