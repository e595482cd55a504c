package auth_test

import (
	"bytes"
	"testing"
	"time"

	"hearth.internal/auth"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/testkit"
)

func TestVerifyingAnAddress(t *testing.T) {
	s := run(t)
	ada, sam := s.register(t, "ada"), s.register(t, "sam")
	codes := s.codes(t, "verify_email")
	try := func(p person, code string) testkit.Answer {
		return p.Call("POST", "/api/auth/verify-email/", map[string]any{"code": code})
	}
	wantCode(t, try(ada, wrong(codes[0])), 422, "invalid_code")
	wantCode(t, try(ada, "12345"), 422, "validation_failed")
	wantCode(t, s.AsNobody(t).Call("POST", "/api/auth/verify-email/", map[string]any{"code": codes[0]}), 401, "authentication_required")
	if codes[0] != codes[1] {
		wantCode(t, try(sam, codes[0]), 422, "invalid_code") // somebody else's
	}
	a := try(ada, codes[0])
	wantCode(t, a, 200, "")
	wantTrips(t, a, 1)
	if u := testkit.JSON[auth.User](t, a); !u.EmailVerified || u.Version != 2 {
		t.Errorf("verified %+v", u)
	}
	if all := s.changes(t); len(all) != 1 || all[0].ID != ada.id || !sameHashes(all[0].TokenHashes, ada.token) ||
		all[0].EmailVerified == nil || !*all[0].EmailVerified {
		t.Errorf("told %+v", all)
	}
	wantCode(t, try(ada, codes[0]), 409, "already_verified")
	ada.Refused(409, "already_verified", "POST", "/api/auth/resend-verification/", nil)
}

func TestAVerificationCodeLivesADay(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	code := s.code(t, "verify_email")
	s.Clock.Advance(24 * time.Hour)
	ada.Refused(422, "invalid_code", "POST", "/api/auth/verify-email/", map[string]any{"code": code})
	ada.Want(202, "POST", "/api/auth/resend-verification/", nil)
	s.Clock.Advance(24*time.Hour - time.Second)
	ada.Want(200, "POST", "/api/auth/verify-email/", map[string]any{"code": s.code(t, "verify_email")})
}

func TestSendingTheVerificationCodeAgain(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	a := ada.Refused(429, "rate_limited", "POST", "/api/auth/resend-verification/", nil)
	if a.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %s", a.Header.Get("Retry-After"))
	}
	old := s.code(t, "verify_email")
	s.Clock.Advance(time.Minute)
	statuses := make([]int, 5)
	race(5, func(i int) { statuses[i] = ada.Call("POST", "/api/auth/resend-verification/", nil).Status })
	sent := 0
	for _, status := range statuses {
		if status == 202 {
			sent++
		} else if status != 429 {
			t.Errorf("status %d", status)
		}
	}
	if sent != 1 || len(s.codes(t, "verify_email")) != 2 {
		t.Errorf("%d sent at once", sent)
	}
	if newest := s.code(t, "verify_email"); newest != old {
		ada.Refused(422, "invalid_code", "POST", "/api/auth/verify-email/", map[string]any{"code": old})
		ada.Want(200, "POST", "/api/auth/verify-email/", map[string]any{"code": newest})
	}
	s.AsNobody(t).Refused(401, "authentication_required", "POST", "/api/auth/resend-verification/", nil)
}

func TestACodeIsTriedFiveTimesHoweverManyTryAtOnce(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	code := s.code(t, "verify_email")
	race(20, func(int) {
		wantRefused(t, ada.Call("POST", "/api/auth/verify-email/", map[string]any{"code": wrong(code)}))
	})
	s.wantTries(t, "verify_email", 5)
	ada.Refused(422, "invalid_code", "POST", "/api/auth/verify-email/", map[string]any{"code": code})
}

func wantRefused(t *testing.T, a testkit.Answer) {
	t.Helper()
	if a.Code() != "invalid_code" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestARightCodeVerifiesOnce(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	code := s.code(t, "verify_email")
	statuses := make([]int, 8)
	race(8, func(i int) {
		statuses[i] = ada.Call("POST", "/api/auth/verify-email/", map[string]any{"code": code}).Status
	})
	verified := 0
	for _, status := range statuses {
		if status == 200 {
			verified++
		}
	}
	if verified != 1 || len(s.changes(t)) != 1 {
		t.Errorf("verified %d times: %v", verified, statuses)
	}
}

// A key is replaced by putting another before it: codes that are on their way stay good.
func TestCodesOutliveAChangeOfKeys(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	cfg := s.cfg
	cfg.CodeKeys = config.Keys{bytes.Repeat([]byte("n"), 32), s.cfg.CodeKeys[0]}
	renewed := service{testkit.Run(t, cfg.Service, auth.New(cfg)), s.key, cfg}
	renewed.As(t, ada.id).Want(200, "POST", "/api/auth/verify-email/", map[string]any{"code": s.code(t, "verify_email")})
	for _, bad := range []config.Keys{nil, {[]byte("short")}} {
		cfg.CodeKeys = bad
		if _, err := boot.Open(t.Context(), auth.New(cfg), boot.Options{Config: cfg.Service, LogOut: &kept{}}); err == nil {
			t.Errorf("started with the keys %q", bad)
		}
	}
}
