package auth

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
)

// SignedIn is what register and login answer.
type SignedIn struct {
	Token string `json:"token" doc:"Send it as Authorization: Token <key>. It is shown this once." example:"hearth_mZ0fV..."`
	User  User   `json:"user"`
}

type signedInOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         SignedIn
}

// noStore keeps tokens out of everybody's caches.
const noStore = "no-store"

// DeviceHeaders say where the app runs, for apps that would rather not say it in the body.
type DeviceHeaders struct {
	Name       string `header:"X-Device-Name" doc:"Name of the device, cut to 100 characters"`
	Platform   string `header:"X-Platform" doc:"Cut to 20 characters"`
	AppVersion string `header:"X-App-Version" doc:"Cut to 32 characters"`
}

type postLoginInput struct {
	DeviceHeaders
	Body struct {
		Username string `json:"username" maxLength:"254" doc:"Username or e-mail address, in any case" example:"ada"`
		Email    string `json:"email" maxLength:"254" doc:"The same: either field will do" example:"ada@example.com"`
		Password string `json:"password" required:"true" minLength:"1" maxLength:"128" example:"correct horse battery"`
		Device
	}
}

func (s *Service) postLogin(ctx context.Context, in *postLoginInput) (*signedInOutput, error) {
	login := in.Body.Username
	if login == "" {
		login = in.Body.Email
	}
	if login == "" {
		return nil, apperr.InvalidField("body.username", "say who you are: username or email")
	}
	signedIn, err := s.SignIn(ctx, identity.From(ctx), login, in.Body.Password, in.Body.Device.or(in.DeviceHeaders))
	if err != nil {
		return nil, err
	}
	return &signedInOutput{CacheControl: noStore, Body: signedIn}, nil
}

func (s *Service) postLogout(ctx context.Context, _ *struct{}) (*struct{}, error) {
	actor := identity.From(ctx)
	_, err := s.SignOut(ctx, actor, actor.SessionID)
	return nil, err
}

func (s *Service) postLogoutAll(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.SignOutEverywhere(ctx, identity.From(ctx))
}

type sessionsInput struct{ page.Query }

type sessionsOutput struct{ Body page.List[DeviceSession] }

func (s *Service) getSessions(ctx context.Context, in *sessionsInput) (*sessionsOutput, error) {
	list, err := s.Sessions(ctx, identity.From(ctx), in.Query)
	if err != nil {
		return nil, err
	}
	return &sessionsOutput{Body: list}, nil
}

type sessionInput struct {
	ID uuid.UUID `path:"id"`
}

func (s *Service) deleteSession(ctx context.Context, in *sessionInput) (*struct{}, error) {
	found, err := s.SignOut(ctx, identity.From(ctx), in.ID)
	if err == nil && !found {
		err = apperr.NoSuchThing.New("There is no such session.")
	}
	return nil, err
}

type liveSessionInput struct {
	Hash string `path:"hash" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the whole token, in hex"`
}

type liveSessionOutput struct{ Body internalapi.Session }

func (s *Service) getLiveSession(ctx context.Context, in *liveSessionInput) (*liveSessionOutput, error) {
	session, err := s.LiveSession(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	return &liveSessionOutput{Body: session}, nil
}
