package billing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// listen says what the service does about each event that it hears of.
func (s *Service) listen() {
	events.On(s.Consumer, events.UserRegistered, userRegistered)         // user.registered
	events.On(s.Consumer, events.UserDeleted, s.erasePerson, s.wakeWork) // user.deleted
}

// userRegistered gives a new person the free plan.
func userRegistered(ctx context.Context, tx pgx.Tx, e events.Received[events.User]) error {
	args := pgx.NamedArgs{"user": e.Payload.ID, "now": e.OccurredAt}
	b := &pgx.Batch{}
	b.Queue(lockPersonSQL, args)
	b.Queue(`
		INSERT INTO subscriptions (user_id, created_at, updated_at)
		SELECT @user::uuid, @now::timestamptz, @now::timestamptz WHERE NOT EXISTS (SELECT FROM gone_people WHERE user_id = @user::uuid)
		ON CONFLICT (user_id) DO NOTHING`, args)
	if err := pg.Send(ctx, tx, b); err != nil {
		return fmt.Errorf("subscription of %s: %w", e.Payload.ID, err)
	}
	return nil
}

// erasePerson forgets a person. What can be cancelled in a shop is, and the customer there forgotten; what Apple sells
// only its buyer can cancel: Subscription says so before.
func (s *Service) erasePerson(ctx context.Context, tx pgx.Tx, e events.Received[events.Person]) error {
	args := pgx.NamedArgs{"user": e.Payload.ID, "now": s.Clock.Now()}
	b := &pgx.Batch{}
	for _, statement := range []string{
		lockPersonSQL,
		`INSERT INTO gone_people (user_id, at) VALUES (@user::uuid, @now::timestamptz) ON CONFLICT DO NOTHING`,
		`INSERT INTO errands (id, user_id, source, kind, external_id, product_id, next_at, created_at)
			SELECT gen_random_uuid(), user_id, source, 'cancel', external_id, product_id, @now::timestamptz, @now::timestamptz FROM purchases
			WHERE user_id = @user::uuid AND source IN ('stripe', 'google') AND state NOT IN ('expired', 'revoked') AND superseded_by IS NULL
			ON CONFLICT ON CONSTRAINT errands_once DO NOTHING`,
		`INSERT INTO errands (id, user_id, source, kind, external_id, next_at, created_at)
			SELECT gen_random_uuid(), user_id, 'stripe', 'forget', stripe_customer_id, @now::timestamptz, @now::timestamptz FROM subscriptions
			WHERE user_id = @user::uuid AND stripe_customer_id IS NOT NULL
			ON CONFLICT ON CONSTRAINT errands_once DO NOTHING`,
		`DELETE FROM webhook_events w USING purchases p WHERE p.user_id = @user::uuid AND w.source = p.source AND w.subject = p.external_id`,
		`DELETE FROM entitlement_changes WHERE user_id = @user::uuid`,
		`DELETE FROM purchases WHERE user_id = @user::uuid`,
		`DELETE FROM subscriptions WHERE user_id = @user::uuid`,
	} {
		b.Queue(statement, args)
	}
	if err := pg.Send(ctx, tx, b); err != nil {
		return fmt.Errorf("forget %s: %w", e.Payload.ID, err)
	}
	return nil
}

func (s *Service) wakeWork(ctx context.Context, p events.Person) error {
	s.work.ringAll()
	return s.Cache.DropForSure(ctx, events.SubscriptionChanged.Keys(events.Subscription{UserID: p.ID})...)
}
