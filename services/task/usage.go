package task

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/room"
)

// usageSQL counts what a limit counts, of each residence by itself: its owner r has no other.
var usageSQL = `
SELECT coalesce(jsonb_object_agg(r.id, jsonb_build_object('tasks', ` + usedTasks + `, 'contractors', ` + room.Used("contractors") + `)), '{}') AS homes,
	(SELECT ` + personalContractors + ` FROM (SELECT @user::uuid AS owner_id) r) AS personal_contractors
FROM (
	SELECT h.id, ARRAY[h.id] AS homes FROM (
		SELECT o.residence_id AS id FROM residence_owners o WHERE o.owner_id = @user::uuid
		UNION SELECT unnest(@residences::uuid[])) h) r`

// Usage answers how much there is in the residences that a person owns, as far as it was told here, and in those named.
func (s *Service) Usage(ctx context.Context, user uuid.UUID, residences []uuid.UUID) (internalapi.TaskUsage, error) {
	usage, _, err := pg.One[internalapi.TaskUsage](ctx, s.DB, usageSQL, pgx.NamedArgs{"user": user, "residences": residences})
	return usage, err
}
