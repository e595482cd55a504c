package document

import (
	"context"

	"hearth.internal/pkg/internalapi"
)

type attachableInput struct{ Body internalapi.AttachQuery }

type attachableOutput struct{ Body internalapi.AttachAnswer }

func (s *Service) postAttachable(ctx context.Context, in *attachableInput) (*attachableOutput, error) {
	answer, err := s.Attachable(ctx, in.Body)
	return &attachableOutput{Body: answer}, err
}
