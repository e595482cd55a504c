package residence

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
)

type listInput struct {
	page.Query
	httpx.IfNoneMatch
}

type bodyOutput[T any] struct{ Body T }

type taggedOutput[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

func (s *Service) getResidences(ctx context.Context, in *listInput) (*taggedOutput[page.List[Residence]], error) {
	list, tag, err := s.ListResidences(ctx, identity.From(ctx), in.Query, in.IfNoneMatch)
	return &taggedOutput[page.List[Residence]]{tag, list}, err
}

func (s *Service) getMyResidences(ctx context.Context, in *listInput) (*taggedOutput[page.List[MyResidence]], error) {
	list, tag, err := s.MyResidences(ctx, identity.From(ctx), in.Query, in.IfNoneMatch)
	return &taggedOutput[page.List[MyResidence]]{tag, list}, err
}

func (s *Service) getSummary(ctx context.Context, in *struct{ httpx.IfNoneMatch }) (*taggedOutput[Summary], error) {
	sum, tag, err := s.Summarize(ctx, identity.From(ctx), in.IfNoneMatch)
	return &taggedOutput[Summary]{tag, sum}, err
}

func (s *Service) getTypes(ctx context.Context, _ *struct{}) (*taggedOutput[[]internalapi.Lookup], error) {
	lookups, tag, err := s.Lookups(ctx)
	return &taggedOutput[[]internalapi.Lookup]{tag, lookups.ResidenceTypes}, err
}

func (s *Service) getLookups(ctx context.Context, _ *struct{}) (*taggedOutput[internalapi.ResidenceLookups], error) {
	lookups, tag, err := s.Lookups(ctx)
	return &taggedOutput[internalapi.ResidenceLookups]{tag, lookups}, err
}

func (s *Service) getHomes(ctx context.Context, in *struct {
	ID uuid.UUID `path:"id"`
},
) (*bodyOutput[[]access.Home], error) {
	homes, err := selectHomes(ctx, s.DB, in.ID)
	return &bodyOutput[[]access.Home]{homes}, err
}

func (s *Service) getMembers(ctx context.Context, in *ResidencePath) (*bodyOutput[[]uuid.UUID], error) {
	ids, err := selectMemberIDs(ctx, s.DB, in.ID)
	return &bodyOutput[[]uuid.UUID]{ids}, err
}

func (s *Service) getPlace(ctx context.Context, in *ResidencePath) (*bodyOutput[internalapi.Place], error) {
	place, found, err := selectPlace(ctx, s.DB, in.ID)
	if err == nil && !found {
		err = access.NoSuchResidence()
	}
	return &bodyOutput[internalapi.Place]{place}, err
}
