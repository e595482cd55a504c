package notification

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

const (
	// oneOfResidenceSQL lets one event at a time tell of what a residence holds: a document that comes while the residence is
	// being forgotten would stay.
	oneOfResidenceSQL = `SELECT pg_advisory_xact_lock(hashtextextended(@residence_id::uuid::text, 8))`

	warrantySQL = `
INSERT INTO warranties AS w (document_id, residence_id, title, item_name, end_date, is_active, version, deleted)
SELECT @document_id::uuid, @residence_id::uuid, @title, nullif(@item_name, ''), nullif(@end_date, '')::date, @is_active::boolean, @version::int, @deleted::boolean
WHERE NOT EXISTS (SELECT FROM residences r WHERE r.residence_id = @residence_id::uuid AND r.gone_at IS NOT NULL)
ON CONFLICT (document_id) DO UPDATE SET residence_id = excluded.residence_id, title = excluded.title, item_name = excluded.item_name,
	end_date = excluded.end_date, is_active = excluded.is_active, version = excluded.version, deleted = excluded.deleted
WHERE excluded.version > w.version`
)

// documentChanged keeps what is known of warranties. Of other documents it keeps no more than that they are none: the
// event of a document's first version says nothing that a later one could need.
func (s *Service) documentChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.DocumentRef]) error {
	d := e.Payload
	deleted := d.Change == "deleted"
	if deleted || d.Type != "warranty" {
		if d.Version == 1 {
			return nil
		}
		d.Title, d.ItemName, d.EndDate, d.IsActive = "", "", "", false
	}
	if err := oneOfResidence(ctx, tx, d.ResidenceID); err != nil {
		return err
	}
	_, err := pg.Exec(ctx, tx, warrantySQL, pgx.NamedArgs{
		"document_id": d.ID, "residence_id": d.ResidenceID, "title": d.Title, "item_name": d.ItemName, "end_date": d.EndDate,
		"is_active": d.IsActive, "version": d.Version, "deleted": deleted,
	})
	if err != nil {
		return fmt.Errorf("warranty %s: %w", d.ID, err)
	}
	if err := s.plan(ctx, tx, ofSubject(d.ID)); err != nil {
		return err
	}
	if deleted || d.Type != "warranty" || !d.IsActive {
		return s.forgetSubject(ctx, tx, e.ID, d.ID)
	}
	return nil
}

func oneOfResidence(ctx context.Context, tx pgx.Tx, residence uuid.UUID) error {
	if _, err := pg.Exec(ctx, tx, oneOfResidenceSQL, pgx.NamedArgs{"residence_id": residence}); err != nil {
		return fmt.Errorf("turn at residence %s: %w", residence, err)
	}
	return nil
}
