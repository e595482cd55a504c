package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/identity"
)

type postSkipInput struct {
	TaskPath
	Body *NewSkip
}

type skipOutput struct {
	Status int `json:"-"`
	Body   Skip
}

func (s *Service) postSkip(ctx context.Context, in *postSkipInput) (*skipOutput, error) {
	skip, added, err := s.Skip(ctx, identity.From(ctx), in.ID, orZero(in.Body))
	if err != nil {
		return nil, err
	}
	return &skipOutput{Status: createdOr(added), Body: skip}, nil
}

type skipPath struct {
	TaskPath
	SkipID uuid.UUID `path:"skip_id" format:"uuid" doc:"The skip"`
}

func (s *Service) deleteSkip(ctx context.Context, in *skipPath) (*struct{}, error) {
	return nil, s.Unskip(ctx, identity.From(ctx), in.ID, in.SkipID)
}

type skipsOutput struct {
	Body struct {
		Items []Skip `json:"items" nullable:"false" doc:"Newest occurrence first, at most the 200 newest"`
	}
}

func (s *Service) getSkips(ctx context.Context, in *TaskPath) (*skipsOutput, error) {
	skips, err := s.SkipsOf(ctx, identity.From(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	out := &skipsOutput{}
	out.Body.Items = skips
	return out, nil
}
