package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
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

type skipsInput struct {
	TaskPath
	httpx.IfNoneMatch
}

type skipsOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Items []Skip `json:"items" nullable:"false" doc:"Newest occurrence first, at most the 200 newest"`
	}
}

func (s *Service) getSkips(ctx context.Context, in *skipsInput) (*skipsOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), uuid.Nil, "skips", in.ID.String())
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	skips, err := s.SkipsOf(ctx, view, in.ID)
	if err != nil {
		return nil, err
	}
	out := &skipsOutput{ETag: view.ETag}
	out.Body.Items = skips
	return out, nil
}
