package billing

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

const (
	// webhookColumns are a WebhookView, of webhook_events w.
	webhookColumns = `w.id, w.source, w.external_id, w.type, w.subject, w.state, w.outcome, w.tries, w.occurred_at, w.received_at, w.next_at, w.done_at`

	// errandColumns are an ErrandView, of errands e.
	errandColumns = `e.id, e.user_id, e.source, e.kind, e.external_id, e.product_id, e.state, e.outcome, e.tries, e.next_at, e.created_at`
)

// afterArgs says from where on a list is read.
func afterArgs(after *place, limit int, args pgx.NamedArgs) pgx.NamedArgs {
	args["limit"], args["after_at"], args["after_id"] = limit, nil, nil
	if after != nil {
		args["after_at"], args["after_id"] = after.At, after.ID
	}
	return args
}

func readWebhooks(ctx context.Context, q pg.Querier, state, source string, after *place, limit int) ([]WebhookView, error) {
	return pg.All[WebhookView](ctx, q, `
		SELECT `+webhookColumns+` FROM webhook_events w
		WHERE (@state::text = '' OR w.state = @state::text) AND (@source::text = '' OR w.source = @source::text)
			AND (w.received_at, w.id) < (coalesce(@after_at::timestamptz, 'infinity'), coalesce(@after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
		ORDER BY w.received_at DESC, w.id DESC LIMIT @limit::int`,
		afterArgs(after, limit, pgx.NamedArgs{"state": state, "source": source}))
}

func readWebhook(ctx context.Context, q pg.Querier, id uuid.UUID) (WholeWebhook, bool, error) {
	return pg.One[WholeWebhook](ctx, q, `SELECT `+webhookColumns+`, w.body FROM webhook_events w WHERE w.id = @id::uuid`, pgx.NamedArgs{"id": id})
}

// againAudit writes down who had something done again: done is a CTE with the states before and after.
const againAudit = `
	INSERT INTO staff_changes (id, at, staff_id, what, key, action, before, after)
	SELECT @change_id::uuid, @now::timestamptz, @staff::uuid, @what::text, done.id::text, @action::text,
		jsonb_build_object('state', was.state, 'tries', was.tries), jsonb_build_object('state', done.state)
	FROM done JOIN was ON was.id = done.id`

func againArgs(id uuid.UUID, by By, what, action string, now time.Time) pgx.NamedArgs {
	return pgx.NamedArgs{"id": id, "change_id": uuid.Must(uuid.NewV7()), "staff": by.StaffID, "what": what, "action": action, "now": now}
}

// replayWebhook leaves a claim as it is: whoever works on it just now does what was asked for.
func replayWebhook(ctx context.Context, q pg.Querier, id uuid.UUID, by By, now time.Time) (WebhookView, bool, error) {
	return pg.One[WebhookView](ctx, q, `
		WITH was AS (SELECT id, state, tries FROM webhook_events WHERE id = @id::uuid),
		done AS (
			UPDATE webhook_events w SET state = 'pending', outcome = '', tries = 0, next_at = @now::timestamptz, done_at = NULL
			WHERE w.id = @id::uuid RETURNING w.*),
		audit AS (`+againAudit+`)
		SELECT `+webhookColumns+` FROM done w`, againArgs(id, by, "webhook_events", "replayed", now))
}

func readErrands(ctx context.Context, q pg.Querier, state string, after *place, limit int) ([]ErrandView, error) {
	return pg.All[ErrandView](ctx, q, `
		SELECT `+errandColumns+` FROM errands e
		WHERE (@state::text = '' OR e.state = @state::text)
			AND (e.created_at, e.id) < (coalesce(@after_at::timestamptz, 'infinity'), coalesce(@after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
		ORDER BY e.created_at DESC, e.id DESC LIMIT @limit::int`,
		afterArgs(after, limit, pgx.NamedArgs{"state": state}))
}

func retryErrand(ctx context.Context, q pg.Querier, id uuid.UUID, by By, now time.Time) (ErrandView, bool, error) {
	return pg.One[ErrandView](ctx, q, `
		WITH was AS (SELECT id, state, tries FROM errands WHERE id = @id::uuid),
		done AS (
			UPDATE errands e SET state = 'pending', tries = 0, next_at = @now::timestamptz WHERE e.id = @id::uuid RETURNING e.*),
		audit AS (`+againAudit+`)
		SELECT `+errandColumns+` FROM done e`, againArgs(id, by, "errands", "retried", now))
}
