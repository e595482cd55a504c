package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
)

type lookupsOutput struct {
	ETag string `header:"ETag"`
	Body []internalapi.Lookup
}

func (s *Service) getCategories(ctx context.Context, _ *struct{}) (*lookupsOutput, error) {
	l, etag, err := s.Lookups(ctx)
	return &lookupsOutput{ETag: etag, Body: l.Categories}, err
}

func (s *Service) getPriorities(ctx context.Context, _ *struct{}) (*lookupsOutput, error) {
	l, etag, err := s.Lookups(ctx)
	return &lookupsOutput{ETag: etag, Body: l.Priorities}, err
}

func (s *Service) getSpecialties(ctx context.Context, _ *struct{}) (*lookupsOutput, error) {
	l, etag, err := s.Lookups(ctx)
	return &lookupsOutput{ETag: etag, Body: l.Specialties}, err
}

type frequenciesOutput struct {
	ETag string `header:"ETag"`
	Body []internalapi.Frequency
}

func (s *Service) getFrequencies(ctx context.Context, _ *struct{}) (*frequenciesOutput, error) {
	l, etag, err := s.Lookups(ctx)
	return &frequenciesOutput{ETag: etag, Body: l.Frequencies}, err
}

type allLookupsOutput struct {
	ETag string `header:"ETag"`
	Body internalapi.TaskLookups
}

func (s *Service) getLookups(ctx context.Context, _ *struct{}) (*allLookupsOutput, error) {
	l, etag, err := s.Lookups(ctx)
	return &allLookupsOutput{ETag: etag, Body: l}, err
}

type countsInput struct{ Body internalapi.TaskCountsQuery }

type countsOutput struct {
	Body map[uuid.UUID]internalapi.TaskCounts
}

func (s *Service) postCounts(ctx context.Context, in *countsInput) (*countsOutput, error) {
	counts, err := s.Counts(ctx, in.Body.ResidenceIDs, in.Body.Today)
	return &countsOutput{Body: counts}, err
}
