package residence

import (
	"context"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

func (s *Service) postSync(ctx context.Context, in *struct{ Body internalapi.SyncQuery }) (*bodyOutput[syncPage], error) {
	page, err := s.Sync(ctx, identity.From(ctx), in.Body)
	return &bodyOutput[syncPage]{page}, err
}
