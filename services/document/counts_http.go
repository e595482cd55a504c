package document

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
)

type documentCountsInput struct {
	Body internalapi.DocumentCountsQuery
}

type documentCountsOutput struct{ Body map[uuid.UUID]int }

func (s *Service) postDocumentCounts(ctx context.Context, in *documentCountsInput) (*documentCountsOutput, error) {
	counts, err := s.DocumentCounts(ctx, in.Body.ResidenceIDs)
	return &documentCountsOutput{Body: counts}, err
}
