package residence

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// ResidencePath is exported because huma reads no embedded type that is not; so is MemberPath.
type ResidencePath struct {
	ID uuid.UUID `path:"id" doc:"The residence"`
}

type residenceOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   Residence
}

func answer(home Residence, err error) (*residenceOutput, error) {
	if err != nil {
		return nil, err
	}
	return &residenceOutput{Status: http.StatusOK, ETag: home.ETag(), Body: home}, nil
}

type postResidenceInput struct {
	Body struct {
		ID *uuid.UUID `json:"id" nullable:"true" doc:"Made by the client (UUIDv7): sending it again makes no second one"`
		Fields
	}
}

func (s *Service) postResidence(ctx context.Context, in *postResidenceInput) (*residenceOutput, error) {
	home, made, err := s.AddResidence(ctx, identity.From(ctx), in.Body.ID, in.Body.Fields)
	out, err := answer(home, err)
	if err == nil && made {
		out.Status = http.StatusCreated
	}
	return out, err
}

func (s *Service) getResidence(ctx context.Context, in *ResidencePath) (*residenceOutput, error) {
	return answer(s.ReadResidence(ctx, identity.From(ctx), in.ID))
}

type putResidenceInput struct {
	ResidencePath
	httpx.IfMatch
	Body Fields
}

func (s *Service) putResidence(ctx context.Context, in *putResidenceInput) (*residenceOutput, error) {
	return answer(s.ReplaceResidence(ctx, identity.From(ctx), in.ID, in.Body, in.Version()))
}

type patchResidenceInput struct {
	ResidencePath
	httpx.IfMatch
	Body Patch
}

func (s *Service) patchResidence(ctx context.Context, in *patchResidenceInput) (*residenceOutput, error) {
	return answer(s.ChangeResidence(ctx, identity.From(ctx), in.ID, in.Body, in.Version()))
}

type deleteResidenceInput struct {
	ResidencePath
	httpx.IfMatch
}

func (s *Service) deleteResidence(ctx context.Context, in *deleteResidenceInput) (*struct{}, error) {
	return nil, s.DeleteResidence(ctx, identity.From(ctx), in.ID, in.Version())
}
