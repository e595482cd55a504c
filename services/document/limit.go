package document

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/room"
)

// roomIn is what the owner of the residence has room for.
func (s *Service) roomIn(ctx context.Context, actor identity.Actor, homes []access.Home, t plans.Trigger, residence uuid.UUID) (room.Room, error) {
	return room.Directories{Plans: s.Plans, Access: s.Access}.In(ctx, actor, homes, t, residence)
}
