package billing

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
)

type bodyOutput[T any] struct{ Body T }

type personPath struct {
	ID uuid.UUID `path:"id"`
}

func (s *Service) getPlan(ctx context.Context, in *personPath) (*bodyOutput[internalapi.Plan], error) {
	plan, err := s.PlanOf(ctx, in.ID)
	return &bodyOutput[internalapi.Plan]{plan}, err
}
