package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// couponSQL is the promotion that somebody names.
const couponSQL = `
	SELECT id, key, title, message, button_text, link, coupon, tiers, platforms, starts_at, ends_at, share, priority, is_active, version FROM promotions
	WHERE key = @promotion::text AND is_active`

// loadCounter reads a person with all that is for sale, and the discount that they name, in one round trip.
func loadCounter(ctx context.Context, q pg.Querier, user uuid.UUID, in NewCheckout, now time.Time) (counter, error) {
	var out counter
	var promotion KeptPromotion
	var found bool
	err := sendAccount(ctx, q, whose{User: user, Certain: true}, &out.Account, func(b *pgx.Batch) {
		b.Queue(productsSQL).Query(pg.Rows(&out.terms.Products))
		b.Queue(couponSQL, pgx.NamedArgs{"promotion": in.Promotion}).Query(pg.Row(&promotion, &found))
	})
	if err != nil {
		return counter{}, fmt.Errorf("subscription of %s: %w", user, err)
	}
	out.terms.Settings = out.Account.Settings
	promotion.Platforms = nil // wherever it was shown
	if promotion.isFor(user, out.Entitlement(now).Tier, "", now) {
		out.Coupon = promotion.Coupon
	}
	return out, nil
}
