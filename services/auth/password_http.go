package auth

import (
	"context"

	"hearth.internal/pkg/identity"
)

type postChangePasswordInput struct {
	Body struct {
		CurrentPassword string `json:"current_password" required:"true" minLength:"1" maxLength:"128"`
		NewPassword     string `json:"new_password" required:"true" minLength:"8" maxLength:"128" example:"correct horse battery"`
	}
}

func (s *Service) postChangePassword(ctx context.Context, in *postChangePasswordInput) (*struct{}, error) {
	return nil, s.ChangePassword(ctx, identity.From(ctx), in.Body.CurrentPassword, in.Body.NewPassword)
}

type postResetPasswordInput struct {
	Body struct {
		ResetToken  string `json:"reset_token" required:"true" minLength:"1" maxLength:"128" doc:"Of verify-reset-code"`
		NewPassword string `json:"new_password" required:"true" minLength:"8" maxLength:"128" example:"correct horse battery"`
	}
}

func (s *Service) postResetPassword(ctx context.Context, in *postResetPasswordInput) (*struct{}, error) {
	return nil, s.ResetPassword(ctx, identity.From(ctx), in.Body.ResetToken, in.Body.NewPassword)
}
