package billing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// How often what changes by itself is looked after.
const (
	flipEvery  = 10 * time.Second
	checkEvery = time.Minute
	sweepEvery = time.Hour
	flipBatch  = 100
	checkBatch = 20
	checkPause = 30 * time.Minute // a shop that did not answer is asked again then
	checkAgain = 12 * time.Hour   // and one that did not know better
)

var (
	endedSQL       = `SELECT user_id FROM subscriptions WHERE flips_at <= @now::timestamptz ORDER BY flips_at LIMIT @batch::int`
	claimChecksSQL = `
		WITH mine AS (SELECT id FROM purchases WHERE check_at <= @now::timestamptz ORDER BY check_at LIMIT ` + strconv.Itoa(checkBatch) + ` FOR UPDATE SKIP LOCKED)
		UPDATE purchases p SET check_at = @again::timestamptz FROM mine WHERE p.id = mine.id
		RETURNING p.id, p.user_id, p.source, p.external_id`
)

// flipAll writes down what has ended by itself: readers know already, since they look at the clock; this tells everybody
// else, and leaves it in the log.
func (s *Service) flipAll(ctx context.Context) error {
	for {
		users, err := pg.Column[uuid.UUID](ctx, s.DB, endedSQL, pgx.NamedArgs{"now": s.Clock.Now(), "batch": flipBatch})
		if err != nil {
			return fmt.Errorf("what has ended: %w", err)
		}
		var failed []error
		for _, user := range users { // each is a change of its own
			_, err := s.revise(ctx, whose{User: user, Certain: true}, Cause{Actor: "time", Reason: "ended"}, func(*Account) error { return nil })
			failed = append(failed, err)
		}
		if err := errors.Join(failed...); err != nil || len(users) < flipBatch {
			return err
		}
	}
}

type toCheck struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	Source     Source
	ExternalID string
}

// checkAll asks the shops about what should have been renewed, and nobody has told: see Purchase.CheckAt.
func (s *Service) checkAll(ctx context.Context) error {
	terms, err := s.terms(ctx)
	if err != nil {
		return err
	}
	for {
		now := s.Clock.Now()
		rows, err := pg.All[toCheck](ctx, s.DB, claimChecksSQL, pgx.NamedArgs{"now": now, "again": now.Add(checkPause)})
		if err != nil {
			return fmt.Errorf("what should have been renewed: %w", err)
		}
		var failed []error
		for _, row := range rows {
			failed = append(failed, contained(func() error { return s.check(ctx, row, terms) }))
		}
		if err := errors.Join(failed...); err != nil || len(rows) < checkBatch {
			return err
		}
	}
}

// check asks a shop how a purchase is. When that says nothing new, it is asked again later.
func (s *Service) check(ctx context.Context, row toCheck, terms terms) error {
	shop, err := s.shop(row.Source)
	if err != nil {
		return nil //nolint:nilerr // not configured any more: there is nobody to ask
	}
	o, err := shop.ask(ctx, row.ExternalID, terms)
	told := err == nil
	if !told && !errors.Is(err, errNoSuchPurchase) && !errors.Is(err, errCannotAsk) {
		return fmt.Errorf("ask %s about %s: %w", row.Source, row.ID, err)
	}
	if errors.Is(err, errNoSuchPurchase) {
		s.Log.WarnContext(ctx, "the shop does not know a purchase any more", "source", row.Source, "purchase", row.ID)
	}
	cause := Cause{Actor: string(row.Source), Reason: "reconciled"}
	_, err = s.revise(ctx, whose{User: row.UserID, Certain: true}, cause, func(a *Account) error {
		p := a.Purchase(row.Source, row.ExternalID)
		if p == nil {
			return nil // its person is deleted
		}
		now := s.Clock.Now()
		if told {
			a.observe(row.Source, o, now)
			p = a.Purchase(row.Source, row.ExternalID)
		}
		if p.CheckAt != nil && !p.CheckAt.After(now.Add(checkPause)) {
			p.CheckAt = new(exact(now.Add(checkAgain)))
		}
		return nil
	})
	return err
}

// sweep forgets webhooks of which nobody asks any more. What failed stays.
func (s *Service) sweep(ctx context.Context) error {
	return pg.Sweep(ctx, s.DB, `DELETE FROM webhook_events WHERE id IN (
		SELECT id FROM webhook_events WHERE received_at < @before::timestamptz AND state IN ('done', 'ignored', 'unclaimed') LIMIT @batch)`,
		pgx.NamedArgs{"before": s.Clock.Now().Add(-keepWebhooks)})
}
