package auth

import (
	"context"

	"hearth.internal/pkg/identity"
)

// sixDigits is a code as its owner types it.
type sixDigits struct {
	Code string `json:"code" required:"true" pattern:"^[0-9]{6}$" doc:"Six digits" example:"042917"`
}

type postVerifyEmailInput struct{ Body sixDigits }

func (s *Service) postVerifyEmail(ctx context.Context, in *postVerifyEmailInput) (*userOutput, error) {
	return answerUser(s.VerifyEmail(ctx, identity.From(ctx), in.Body.Code))
}

// Sent says that a code is on its way, or would be.
type Sent struct {
	Message string `json:"message" example:"A code is on its way."`
}

type sentOutput struct{ Body Sent }

func (s *Service) postResendVerification(ctx context.Context, _ *struct{}) (*sentOutput, error) {
	if err := s.ResendVerification(ctx, identity.From(ctx)); err != nil {
		return nil, err
	}
	return &sentOutput{Body: Sent{"A code is on its way."}}, nil
}

type postForgotPasswordInput struct {
	Body struct {
		Email string `json:"email" required:"true" minLength:"1" maxLength:"254" example:"ada@example.com"`
	}
}

func (s *Service) postForgotPassword(ctx context.Context, in *postForgotPasswordInput) (*sentOutput, error) {
	if err := s.ForgotPassword(ctx, in.Body.Email); err != nil {
		return nil, err
	}
	return &sentOutput{Body: Sent{"If there is an account with this address, a code is on its way."}}, nil
}

type postVerifyResetCodeInput struct {
	Body struct {
		Email string `json:"email" required:"true" minLength:"1" maxLength:"254" example:"ada@example.com"`
		Code  string `json:"code" required:"true" pattern:"^[0-9]{6}$" doc:"Six digits" example:"042917"`
	}
}

// ResetToken sets one new password.
type ResetToken struct {
	ResetToken string `json:"reset_token" doc:"Good for 15 minutes and one reset-password" example:"hearth_reset_mZ0fV..."`
}

type resetTokenOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         ResetToken
}

func (s *Service) postVerifyResetCode(ctx context.Context, in *postVerifyResetCodeInput) (*resetTokenOutput, error) {
	token, err := s.VerifyResetCode(ctx, identity.From(ctx), in.Body.Email, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return &resetTokenOutput{CacheControl: noStore, Body: ResetToken{token}}, nil
}
