package document

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// usageSQL counts what a limit counts, of each residence by itself: its owner r has no other.
var usageSQL = `
SELECT coalesce(jsonb_object_agg(r.id, jsonb_build_object('documents', ` + usedDocuments + `, 'equipment', ` + usedEquipment + `)), '{}') AS homes
FROM (
	SELECT h.id, ARRAY[h.id] AS homes FROM (
		SELECT o.residence_id AS id FROM residence_owners o WHERE o.owner_id = @user::uuid
		UNION SELECT unnest(@residences::uuid[])) h) r`

// Usage answers how much there is in the residences that a person owns, as far as it was told here, and in those named.
func (s *Service) Usage(ctx context.Context, user uuid.UUID, residences []uuid.UUID) (internalapi.DocumentUsage, error) {
	usage, _, err := pg.One[internalapi.DocumentUsage](ctx, s.DB, usageSQL, pgx.NamedArgs{"user": user, "residences": residences})
	return usage, err
}
