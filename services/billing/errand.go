package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// errand is something to be done in a shop. Its row is there before the shop is asked, and goes when it has been done.
type errand struct {
	ID         uuid.UUID  `json:"id"` // also the key by which a shop knows a repetition
	UserID     uuid.UUID  `json:"-"`
	Source     Source     `json:"source"`
	Kind       errandKind `json:"kind"`
	ExternalID string     `json:"external_id"`
	ProductID  string     `json:"product_id"`
	Tries      int        `json:"-"`
}

type errandKind string

const (
	cancelNow   errandKind = "cancel"      // the subscription, at once
	acknowledge errandKind = "acknowledge" // a purchase; Google gives back the money of one that is not within three days
	forget      errandKind = "forget"      // the customer
)

// workErrand does one errand. The error is one of writing down what came of it.
func (s *Service) workErrand(ctx context.Context, e errand) error {
	working, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	shop, err := s.shop(e.Source)
	if err == nil {
		err = contained(func() error { return shop.run(working, e) })
	}
	if errors.Is(err, errNoSuchPurchase) {
		err = nil // nothing is left to be done
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "errand not done", "source", e.Source, "kind", e.Kind, "errand", e.ID, "tries", e.Tries+1, "error", err)
	}
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	return settleErrand(settling, s.DB, e, err, s.Clock.Now())
}

func claimErrands(ctx context.Context, q pg.Querier, source Source, now time.Time) ([]errand, error) {
	rows, err := pg.All[errand](ctx, q, `
		WITH mine AS (
			SELECT id FROM errands
			WHERE state = 'pending' AND source = @source::text AND next_at <= @now::timestamptz AND (claimed_until IS NULL OR claimed_until < @now::timestamptz)
			ORDER BY next_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		UPDATE errands e SET claimed_until = @until::timestamptz FROM mine WHERE e.id = mine.id
		RETURNING e.id, e.user_id, e.source, e.kind, e.external_id, e.product_id, e.tries`,
		pgx.NamedArgs{"source": source, "now": now, "until": now.Add(workLease), "batch": workBatch})
	if err != nil {
		return nil, fmt.Errorf("claim errands: %w", err)
	}
	return rows, nil
}

func settleErrand(ctx context.Context, q pg.Querier, e errand, failure error, now time.Time) error {
	args := pgx.NamedArgs{"id": e.ID}
	sql := `DELETE FROM errands WHERE id = @id::uuid`
	if failure != nil {
		sql = `UPDATE errands SET state = @state::text, outcome = left(@outcome::text, 500), tries = tries + 1, claimed_until = NULL, next_at = @next_at::timestamptz
			WHERE id = @id::uuid`
		args["state"], args["outcome"], args["next_at"] = "pending", failure.Error(), now.Add(pause(e.Tries, failure))
		if e.Tries+1 >= maxTries {
			args["state"] = "failed"
		}
	}
	if _, err := pg.Exec(ctx, q, sql, args); err != nil {
		return fmt.Errorf("settle errand %s: %w", e.ID, err)
	}
	return nil
}

// errandAgain: one that is asked for again is tried again, if it had failed.
const errandAgain = `ON CONFLICT ON CONSTRAINT errands_once DO UPDATE SET state = 'pending', tries = 0, next_at = excluded.next_at
		WHERE errands.state = 'failed'`

// insertErrandSQL has it done once, however often it is asked for.
const insertErrandSQL = `
	INSERT INTO errands (id, user_id, source, kind, external_id, product_id, next_at, created_at)
	VALUES (@id::uuid, @user::uuid, @source::text, @kind::text, @external::text, @product::text, @now::timestamptz, @now::timestamptz)
	` + errandAgain

// order has an errand done, after what is going on.
func (s *Service) order(ctx context.Context, e errand) error {
	_, err := pg.Exec(ctx, s.DB, insertErrandSQL, pgx.NamedArgs{
		"id": uuid.Must(uuid.NewV7()), "user": e.UserID, "source": e.Source, "kind": e.Kind, "external": e.ExternalID, "product": e.ProductID,
		"now": s.Clock.Now(),
	})
	if err != nil {
		return fmt.Errorf("order an errand: %w", err)
	}
	s.work.ring(e.Source)
	return nil
}
