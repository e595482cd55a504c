package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/room"
)

// roomIn is what the owners of the residences have room for; without a residence it is the actor's.
func (s *Service) roomIn(ctx context.Context, actor identity.Actor, homes []access.Home, t plans.Trigger, residences ...uuid.UUID) (room.Room, error) {
	return room.Directories{Plans: s.Plans, Access: s.Access}.In(ctx, actor, homes, t, residences...)
}
