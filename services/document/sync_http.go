package document

import (
	"context"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

type syncOutput struct{ Body syncPage }

func (s *Service) postSync(ctx context.Context, in *struct{ Body internalapi.SyncQuery }) (*syncOutput, error) {
	page, err := s.Sync(ctx, identity.From(ctx), in.Body)
	return &syncOutput{Body: page}, err
}
