package auth

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

type postRegisterInput struct {
	DeviceHeaders
	Body Registration
}

func (s *Service) postRegister(ctx context.Context, in *postRegisterInput) (*signedInOutput, error) {
	signedIn, err := s.Register(ctx, identity.From(ctx), in.Body, in.Body.Device.or(in.DeviceHeaders))
	if err != nil {
		return nil, err
	}
	return &signedInOutput{CacheControl: noStore, Body: signedIn}, nil
}

type userOutput struct {
	ETag string `header:"ETag"`
	Body User
}

func answerUser(u User, err error) (*userOutput, error) {
	if err != nil {
		return nil, err
	}
	return &userOutput{ETag: httpx.ETag(u.Version), Body: u}, nil
}

func (s *Service) getMe(ctx context.Context, _ *struct{}) (*userOutput, error) {
	return answerUser(s.Me(ctx, identity.From(ctx)))
}

type putProfileInput struct {
	httpx.IfMatch
	Body Profile
}

func (s *Service) putProfile(ctx context.Context, in *putProfileInput) (*userOutput, error) {
	return answerUser(s.ReplaceProfile(ctx, identity.From(ctx), in.Body, in.Version()))
}

type patchProfileInput struct {
	httpx.IfMatch
	Body ProfilePatch
}

func (s *Service) patchProfile(ctx context.Context, in *patchProfileInput) (*userOutput, error) {
	return answerUser(s.PatchProfile(ctx, identity.From(ctx), in.Body, in.Version()))
}

type putTimezoneInput struct {
	ID   uuid.UUID `path:"id"`
	Body internalapi.Zone
}

func (s *Service) putTimezone(ctx context.Context, in *putTimezoneInput) (*struct{}, error) {
	if actor := identity.From(ctx); actor.Kind != identity.Service && actor.UserID != in.ID {
		return nil, apperr.NoSuchThing.New("There is no such person.")
	}
	return nil, s.SetTimezone(ctx, in.ID, in.Body.Timezone)
}
