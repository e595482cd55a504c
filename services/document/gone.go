package document

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/owners"
	"hearth.internal/pkg/pg"
)

// A request that was under way while a residence was being erased may have added something to it afterwards. Who sees
// what is cached for five minutes at the most, so looking again for a day is more than enough.
const (
	goneEvery = time.Minute
	goneFor   = 24 * time.Hour
)

const (
	residenceGoneSQL = `INSERT INTO gone_residences (residence_id, gone_at) VALUES (@id::uuid, @now::timestamptz) ON CONFLICT (residence_id) DO NOTHING`
	lateGoneSQL      = `SELECT residence_id FROM gone_residences WHERE gone_at > @since::timestamptz`

	claimedInSQL      = `SELECT DISTINCT upload_id FROM claims WHERE residence_id = ANY(@ids::uuid[])`
	eraseDocumentsSQL = `DELETE FROM documents WHERE residence_id = ANY(@ids::uuid[])`
	eraseEquipmentSQL = `DELETE FROM equipment WHERE residence_id = ANY(@ids::uuid[])`
	eraseClaimsSQL    = `DELETE FROM claims WHERE residence_id = ANY(@ids::uuid[])`
	eraseUploadsSQL   = `DELETE FROM uploads u WHERE u.id = ANY(@uploads::uuid[]) AND u.unclaimed_at IS NOT NULL AND NOT EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id)`
)

// eraseResidence removes all that the residence held. Its blobs are for the collector.
func (s *Service) eraseResidence(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	if err := owners.Forget(ctx, tx, e); err != nil {
		return err
	}
	_, err := pg.Exec(ctx, tx, residenceGoneSQL, pgx.NamedArgs{"id": e.Payload.ID, "now": e.OccurredAt})
	if err == nil {
		err = erase(ctx, tx, []uuid.UUID{e.Payload.ID})
	}
	if err != nil {
		return fmt.Errorf("erase residence %s: %w", e.Payload.ID, err)
	}
	return nil
}

// erase removes what the residences held. An upload that something elsewhere keeps too stays.
func erase(ctx context.Context, tx pg.Querier, residences []uuid.UUID) error {
	args := pgx.NamedArgs{"ids": residences}
	uploads, err := pg.Column[uuid.UUID](ctx, tx, claimedInSQL, args)
	if err != nil {
		return err
	}
	args["uploads"] = uploads
	for _, statement := range []string{eraseDocumentsSQL, eraseEquipmentSQL, eraseClaimsSQL, eraseUploadsSQL} {
		if _, err := pg.Exec(ctx, tx, statement, args); err != nil {
			return err
		}
	}
	return nil
}

// eraseLate removes what was added to a residence while it was being erased.
func (s *Service) eraseLate(ctx context.Context) error {
	late, err := pg.Column[uuid.UUID](ctx, s.DB, lateGoneSQL, pgx.NamedArgs{"since": s.Clock.Now().Add(-goneFor)})
	if err == nil && len(late) > 0 {
		err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error { return erase(ctx, tx, late) })
	}
	if err != nil {
		return fmt.Errorf("erase what came late: %w", err)
	}
	return nil
}

const (
	claimedBySQL        = `SELECT upload_id FROM claims WHERE user_id = @id::uuid UNION SELECT id FROM uploads WHERE owner_id = @id::uuid AND unclaimed_at IS NOT NULL`
	erasePersonClaimSQL = `DELETE FROM claims WHERE user_id = @id::uuid`
)

// erasePerson removes the files that are somebody's alone: those that nothing uses, their picture, and what their personal
// contractors keep. What a residence keeps belongs to it.
func (s *Service) erasePerson(ctx context.Context, tx pgx.Tx, e events.Received[events.Person]) error {
	args := pgx.NamedArgs{"id": e.Payload.ID}
	uploads, err := pg.Column[uuid.UUID](ctx, tx, claimedBySQL, args)
	args["uploads"] = uploads
	for _, statement := range []string{erasePersonClaimSQL, eraseUploadsSQL} {
		if err == nil {
			_, err = pg.Exec(ctx, tx, statement, args)
		}
	}
	if err != nil {
		return fmt.Errorf("erase person %s: %w", e.Payload.ID, err)
	}
	return nil
}

// collectAfter wakes the collector once something was erased.
func collectAfter[P any](s *Service) func(context.Context, P) error {
	return func(context.Context, P) error {
		s.collector.nudge()
		return nil
	}
}
