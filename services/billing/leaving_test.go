package billing_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// erasing deletes a person's account, and holds it up halfway: what the shops told of them cannot be deleted yet. It answers
// what lets it go on.
func (s *stripeShop) erasing(user uuid.UUID) (proceed func()) {
	s.t.Helper()
	tx, err := s.DB.Begin(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := pg.Exec(s.t.Context(), tx, `SELECT FROM webhook_events FOR UPDATE`, nil); err != nil {
		s.t.Fatal(err)
	}
	testkit.Enqueue(s.t, s.Service, events.UserDeleted, events.Person{ID: user}, testkit.Delivery{})
	waits(s.t, s.Service, 1)
	return func() {
		s.t.Helper()
		if err := tx.Rollback(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// waits until so many statements wait for others.
func waits(t *testing.T, s *testkit.Service, n int) {
	t.Helper()
	testkit.Eventually(t, "somebody waits", func() bool {
		waiting, _, err := pg.Scalar[int](t.Context(), s.DB,
			`SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`, nil)
		return err == nil && waiting >= n
	})
}

// left is what there is of a person.
func (s *stripeShop) left(user uuid.UUID) int {
	s.t.Helper()
	n, _, err := pg.Scalar[int](s.t.Context(), s.DB, `
		SELECT ((SELECT count(*) FROM subscriptions WHERE user_id = @user) + (SELECT count(*) FROM purchases WHERE user_id = @user)
			+ (SELECT count(*) FROM entitlement_changes WHERE user_id = @user))::int`, pgx.NamedArgs{"user": user})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestWhatIsBoughtWhileTheAccountIsDeletedIsCancelled: nobody would be there any more to cancel it.
func TestWhatIsBoughtWhileTheAccountIsDeletedIsCancelled(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	proceed := s.erasing(ann)
	second := sub.with("id", "sub_second")
	s.stripe.put(second)
	s.send(stripeEvent("evt_second", "customer.subscription.created", s.Clock.Now(), second))
	testkit.Eventually(t, "it is known, or waits", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `
			SELECT ((SELECT count(*) FROM purchases WHERE external_id = 'sub_second')
				+ (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))::int`, nil)
		return err == nil && n > 0
	})
	proceed()
	testkit.Eventually(t, "it is cancelled", func() bool {
		times, _ := s.stripe.called("DELETE /v1/subscriptions/sub_second")
		return times == 1
	})
	testkit.Eventually(t, "nothing is left", func() bool { return s.left(ann) == 0 })
}

// TestWhatIsWrittenWhenADeletionComesIsFoundByIt: nothing of it is left, and nothing goes on costing money.
func TestWhatIsWrittenWhenADeletionComesIsFoundByIt(t *testing.T) {
	s := newStripeShop(t)
	ann, sub := s.subscribed()
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Exec(t.Context(), tx, `SELECT FROM subscriptions FOR UPDATE`, nil); err != nil {
		t.Fatal(err)
	}
	second := sub.with("id", "sub_second")
	s.stripe.put(second)
	s.send(stripeEvent("evt_second", "customer.subscription.created", s.Clock.Now(), second))
	waits(t, s.Service, 1)
	testkit.Enqueue(t, s.Service, events.UserDeleted, events.Person{ID: ann}, testkit.Delivery{})
	waits(t, s.Service, 2)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "both are cancelled", func() bool {
		first, _ := s.stripe.called("DELETE /v1/subscriptions/" + sub["id"].(string))
		second, _ := s.stripe.called("DELETE /v1/subscriptions/sub_second")
		return first == 1 && second == 1
	})
	testkit.Eventually(t, "nothing is left", func() bool { return s.left(ann) == 0 })
}
