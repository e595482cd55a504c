package billing

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

func readEntitlementChanges(ctx context.Context, q pg.Querier, user uuid.UUID, after *place, limit int) ([]EntitlementChange, error) {
	return pg.All[EntitlementChange](ctx, q, `
		SELECT c.id, c.at, c.actor, c.actor_id, c.action, c.reason, c.webhook_id, c.before, c.after FROM entitlement_changes c
		WHERE c.user_id = @user::uuid
			AND (c.at, c.id) < (coalesce(@after_at::timestamptz, 'infinity'), coalesce(@after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
		ORDER BY c.at DESC, c.id DESC LIMIT @limit::int`,
		afterArgs(after, limit, pgx.NamedArgs{"user": user}))
}

func readStaffChanges(ctx context.Context, q pg.Querier, what string, after *place, limit int) ([]StaffChange, error) {
	return pg.All[StaffChange](ctx, q, `
		SELECT c.id, c.at, c.staff_id, c.what, c.key, c.action, c.before, c.after FROM staff_changes c
		WHERE (@what::text = '' OR c.what = @what::text)
			AND (c.at, c.id) < (coalesce(@after_at::timestamptz, 'infinity'), coalesce(@after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
		ORDER BY c.at DESC, c.id DESC LIMIT @limit::int`,
		afterArgs(after, limit, pgx.NamedArgs{"what": what}))
}
