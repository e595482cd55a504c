package auth

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

// resetTokenPrefix tells reset tokens from access tokens.
const resetTokenPrefix = "hearth_reset_" //nolint:gosec // no token, only how one begins

// ChangePassword sets a new password of the actor's who knows the present one, and ends their other sessions. It fails
// with wrong_password, weak_password, and rate_limited after too many failures.
func (s *Service) ChangePassword(ctx context.Context, actor identity.Actor, present, next string) error {
	a, right, _, err := s.tryPassword(ctx, actor, "", &actor.UserID, present)
	switch {
	case err != nil:
		return err
	case !a.Found || !a.IsActive:
		return invalidToken()
	case !right:
		return wrongPassword()
	}
	if err := refuseWeak("new_password", next, a.Email, a.Username); err != nil {
		return err
	}
	hash, err := s.passwords.hash(ctx, next)
	if err != nil {
		return err
	}
	ended, changed, err := changePassword(ctx, s.DB, a, hash, actor.SessionID, s.Clock.Now())
	if err != nil {
		return err
	}
	if !changed { // somebody was faster: what was checked is no longer the present password
		return wrongPassword()
	}
	s.ended(ctx, actor.UserID, ended)
	return nil
}

// ResetPassword sets a new password with a reset token, ends every session of its person, and forgets their failed
// sign-ins. A weak password does not use the token up.
func (s *Service) ResetPassword(ctx context.Context, actor identity.Actor, token, next string) error {
	now := s.Clock.Now()
	tokenHash := hashToken(token)
	owner, found, err := findResetToken(ctx, s.DB, tokenHash, now)
	if err != nil {
		return err
	}
	if !found {
		return wrongCode()
	}
	if err := refuseWeak("new_password", next, owner.Email, owner.Username); err != nil {
		return err
	}
	hash, err := s.passwords.hash(ctx, next)
	if err != nil {
		return err
	}
	ended, reset, err := setPassword(ctx, s.DB, owner.ID, hash, tokenHash, attemptsAt(owner.ID, address(actor.ClientIP)), now)
	if err != nil {
		return err
	}
	if !reset {
		return wrongCode()
	}
	s.ended(ctx, owner.ID, ended)
	return nil
}

// tokenOwner is whose password a reset token sets.
type tokenOwner struct {
	ID       uuid.UUID
	Email    string
	Username string
}

func wrongPassword() error {
	return apperr.WrongPassword.New("The current password is not right.").At("body.current_password", "is not right")
}
