package residence

import (
	"context"
	"mime"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

// usualCode is what is made for a request without a body.
func usualCode() NewCode { return NewCode{ExpiresInHours: 24, Role: "member"} }

type shareCodeInput struct {
	ResidencePath
	Body *Invitation // all of it has defaults
}

func (s *Service) postShareCode(ctx context.Context, in *shareCodeInput) (*bodyOutput[ShareCode], error) {
	wanted := Invitation{NewCode: usualCode()}
	if in.Body != nil {
		wanted = *in.Body
	}
	code, err := s.MakeCode(ctx, identity.From(ctx), in.ID, wanted)
	return &bodyOutput[ShareCode]{code}, err
}

func (s *Service) getShareCode(ctx context.Context, in *ResidencePath) (*bodyOutput[ShareCode], error) {
	code, err := s.ShowCode(ctx, identity.From(ctx), in.ID)
	return &bodyOutput[ShareCode]{code}, err
}

func (s *Service) deleteShareCode(ctx context.Context, in *ResidencePath) (*struct{}, error) {
	return nil, s.WithdrawCode(ctx, identity.From(ctx), in.ID)
}

type sharePackageOutput struct {
	Disposition string `header:"Content-Disposition"`
	Body        SharePackage
}

type sharePackageInput struct {
	ResidencePath
	Body *NewCode
}

func (s *Service) postSharePackage(ctx context.Context, in *sharePackageInput) (*sharePackageOutput, error) {
	wanted := usualCode()
	if in.Body != nil {
		wanted = *in.Body
	}
	p, err := s.MakePackage(ctx, identity.From(ctx), in.ID, wanted)
	return &sharePackageOutput{mime.FormatMediaType("attachment", map[string]string{"filename": p.fileName()}), p}, err
}

type postJoinInput struct {
	Body struct {
		Code    string `json:"code" maxLength:"32" doc:"Upper and lower case, spaces and hyphens do not matter" example:"K7PX-4MQ2"`
		Package string `json:"package" maxLength:"4096" doc:"Instead of the code: the text of a package, as it was made"`
	}
}

func (s *Service) postJoin(ctx context.Context, in *postJoinInput) (*residenceOutput, error) {
	actor := identity.From(ctx)
	switch {
	case (in.Body.Code == "") == (in.Body.Package == ""):
		return nil, apperr.InvalidField("body.code", "send either a code or a package")
	case in.Body.Package != "":
		return answer(s.JoinByPackage(ctx, actor, in.Body.Package))
	}
	return answer(s.Join(ctx, actor, in.Body.Code))
}
