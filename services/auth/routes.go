package auth

import (
	"net/http"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

func (s *Service) routes() {
	created, accepted := httpx.Status(http.StatusCreated), httpx.Status(http.StatusAccepted)

	httpx.Post(s.HTTP, "/api/auth/register/", identity.Anyone, s.postRegister, "Make an account and sign in", created)
	httpx.Get(s.HTTP, "/api/auth/me/", identity.User, s.getMe, "Who I am")
	httpx.Put(s.HTTP, "/api/auth/profile/", identity.User, s.putProfile, "Replace my profile")
	httpx.Patch(s.HTTP, "/api/auth/profile/", identity.User, s.patchProfile, "Change parts of my profile")

	httpx.Post(s.HTTP, "/api/auth/login/", identity.Anyone, s.postLogin, "Sign in with a password")
	httpx.Post(s.HTTP, "/api/auth/logout/", identity.User, s.postLogout, "Sign out here")
	httpx.Post(s.HTTP, "/api/auth/logout-all/", identity.User, s.postLogoutAll, "Sign out everywhere")
	httpx.Get(s.HTTP, "/api/auth/sessions/", identity.User, s.getSessions, "Where I am signed in")
	httpx.Delete(s.HTTP, "/api/auth/sessions/{id}/", identity.User, s.deleteSession, "Sign out one device")

	httpx.Post(s.HTTP, "/api/auth/verify-email/", identity.User, s.postVerifyEmail, "Confirm my e-mail address with the code")
	httpx.Post(s.HTTP, "/api/auth/resend-verification/", identity.User, s.postResendVerification, "Send the verification code again", accepted)

	httpx.Post(s.HTTP, "/api/auth/forgot-password/", identity.Anyone, s.postForgotPassword, "Ask for a reset code", accepted,
		httpx.Describe("The answer is the same whether or not there is an account with the address."))
	httpx.Post(s.HTTP, "/api/auth/verify-reset-code/", identity.Anyone, s.postVerifyResetCode, "Exchange the reset code for a reset token")
	httpx.Post(s.HTTP, "/api/auth/reset-password/", identity.Anyone, s.postResetPassword, "Set a new password with the reset token")
	httpx.Post(s.HTTP, "/api/auth/change-password/", identity.User, s.postChangePassword, "Change my password",
		httpx.Describe("Every other session ends; this one stays."))

	httpx.Get(s.HTTP, "/internal/sessions/{hash}", identity.Internal, s.getLiveSession, "Whose a token is")
	httpx.Put(s.HTTP, "/internal/users/{id}/timezone", identity.Internal, s.putTimezone, "A person is in another time zone")
}
