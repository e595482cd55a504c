package document

import (
	"context"

	"hearth.internal/pkg/internalapi"
)

type residencePapersInput struct{ Body internalapi.PapersQuery }

type residencePapersOutput struct{ Body internalapi.Papers }

func (s *Service) postResidencePapers(ctx context.Context, in *residencePapersInput) (*residencePapersOutput, error) {
	papers, err := s.PapersOf(ctx, in.Body)
	return &residencePapersOutput{Body: papers}, err
}
