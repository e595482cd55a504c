package task

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// Dates are when something is due next.
type Dates struct {
	Dates []day.Day `json:"dates" nullable:"false" doc:"The next due dates, if the task is done on each of them; fewer than asked for when it ends"`
}

type datesOutput struct{ Body Dates }

type postPreviewInput struct{ Body RuleFields }

func (s *Service) postPreview(ctx context.Context, in *postPreviewInput) (*datesOutput, error) {
	dates, err := s.PreviewRule(ctx, identity.From(ctx), in.Body)
	return &datesOutput{Dates{dates}}, err
}

type occurrencesInput struct {
	TaskPath
	httpx.IfNoneMatch
	Limit int `query:"limit" minimum:"1" maximum:"100" default:"10" doc:"How many dates"`
}

type occurrencesOutput struct {
	ETag string `header:"ETag"`
	Body Dates
}

func (s *Service) getOccurrences(ctx context.Context, in *occurrencesInput) (*occurrencesOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), uuid.Nil, "occurrences", in.ID.String(), strconv.Itoa(in.Limit))
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	dates, err := s.OccurrencesOf(ctx, view, in.ID, in.Limit)
	return &occurrencesOutput{view.ETag, Dates{dates}}, err
}
