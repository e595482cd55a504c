package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// couponSQL is the discount of a promotion, while it runs.
const couponSQL = `SELECT coupon FROM promotions
	WHERE key = @promotion::text AND is_active AND (starts_at IS NULL OR starts_at <= @now::timestamptz) AND (ends_at IS NULL OR ends_at > @now::timestamptz)`

// loadCounter reads a person with all that is for sale, and the discount that they name, in one round trip.
func loadCounter(ctx context.Context, q pg.Querier, user uuid.UUID, in NewCheckout, now time.Time) (counter, error) {
	var out counter
	var promotion struct{ Coupon *string }
	var found bool
	err := sendAccount(ctx, q, whose{User: user, Certain: true}, &out.Account, func(b *pgx.Batch) {
		b.Queue(productsSQL).Query(pg.Rows(&out.terms.Products))
		b.Queue(couponSQL, pgx.NamedArgs{"promotion": in.Promotion, "now": now}).Query(pg.Row(&promotion, &found))
	})
	if err != nil {
		return counter{}, fmt.Errorf("subscription of %s: %w", user, err)
	}
	out.terms.Settings, out.Coupon = out.Account.Settings, promotion.Coupon
	return out, nil
}
