package residence

import (
	"context"
	"mime"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

type newCodeInput struct {
	ResidencePath
	Body *NewCode // all of it has defaults
}

func (in *newCodeInput) wanted() NewCode {
	if in.Body == nil {
		return NewCode{ExpiresInHours: 24, Role: "member"}
	}
	return *in.Body
}

func (s *Service) postShareCode(ctx context.Context, in *newCodeInput) (*bodyOutput[ShareCode], error) {
	code, err := s.MakeCode(ctx, identity.From(ctx), in.ID, in.wanted())
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

func (s *Service) postSharePackage(ctx context.Context, in *newCodeInput) (*sharePackageOutput, error) {
	p, err := s.MakePackage(ctx, identity.From(ctx), in.ID, in.wanted())
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
