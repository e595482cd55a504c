package task

import (
	"context"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
)

type datesOutput struct {
	Body struct {
		Dates []day.Day `json:"dates" nullable:"false" doc:"The next due dates, if the task is done on each of them; fewer than asked for when it ends"`
	}
}

func answerDates(dates []day.Day, err error) (*datesOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &datesOutput{}
	out.Body.Dates = dates
	return out, nil
}

type postPreviewInput struct{ Body RuleFields }

func (s *Service) postPreview(ctx context.Context, in *postPreviewInput) (*datesOutput, error) {
	return answerDates(s.PreviewRule(ctx, identity.From(ctx), in.Body))
}

type occurrencesInput struct {
	TaskPath
	Limit int `query:"limit" minimum:"1" maximum:"100" default:"10" doc:"How many dates"`
}

func (s *Service) getOccurrences(ctx context.Context, in *occurrencesInput) (*datesOutput, error) {
	return answerDates(s.OccurrencesOf(ctx, identity.From(ctx), in.ID, in.Limit))
}
