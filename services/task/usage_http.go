package task

import (
	"context"

	"hearth.internal/pkg/internalapi"
)

type usageInput struct{ Body internalapi.UsageQuery }

type usageOutput struct{ Body internalapi.TaskUsage }

func (s *Service) postUsage(ctx context.Context, in *usageInput) (*usageOutput, error) {
	usage, err := s.Usage(ctx, in.Body.UserID, in.Body.ResidenceIDs)
	return &usageOutput{usage}, err
}
