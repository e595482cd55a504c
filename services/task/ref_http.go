package task

import (
	"context"

	"hearth.internal/pkg/internalapi"
)

type refsInput struct{ Body internalapi.RefsQuery }

type refsOutput struct{ Body internalapi.RefsAnswer }

func (s *Service) postRefs(ctx context.Context, in *refsInput) (*refsOutput, error) {
	refs, err := s.Refs(ctx, in.Body)
	return &refsOutput{Body: refs}, err
}
