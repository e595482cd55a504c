package auth_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hearth.internal/auth"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

const newPassword = "another horse battery"

// resetToken exchanges the last reset code that was sent to the person.
func (s service) resetToken(t *testing.T, p person) string {
	t.Helper()
	a := s.AsNobody(t).Want(200, "POST", "/api/auth/verify-reset-code/", map[string]any{"email": p.email, "code": s.code(t, "reset_password")})
	return testkit.JSON[auth.ResetToken](t, a).ResetToken
}

func (s service) reset(t *testing.T, token, password string) testkit.Answer {
	t.Helper()
	return s.AsNobody(t).Call("POST", "/api/auth/reset-password/", map[string]any{"reset_token": token, "new_password": password})
}

func wantCode(t *testing.T, a testkit.Answer, status int, code string) {
	t.Helper()
	if a.Status != status || a.Code() != code {
		t.Fatalf("%d %s, wanted %d %s", a.Status, a.Body, status, code)
	}
}

func TestResettingAForgottenPassword(t *testing.T) {
	s := run(t)
	ada, sam := s.register(t, "ada"), s.register(t, "sam")
	second := s.login(t, ada)
	for range 11 { // that is why they ask
		s.AsNobody(t).Call("POST", "/api/auth/login/", map[string]any{"email": ada.email, "password": "wrong"})
	}
	s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": " ADA@example.com"})
	token := s.resetToken(t, ada)
	s.AsNobody(t).Refused(422, "invalid_code", "POST", "/api/auth/verify-reset-code/", map[string]any{"email": ada.email, "code": s.code(t, "reset_password")})

	wantCode(t, s.reset(t, token, "password123"), 422, "weak_password")
	wantCode(t, s.reset(t, token, "short"), 422, "validation_failed")
	wantCode(t, s.reset(t, "hearth_reset_unknown", newPassword), 422, "invalid_code")
	wantCode(t, s.reset(t, ada.token, newPassword), 422, "invalid_code")
	s.wantLive(t, true, ada.token, second.token)

	a := s.reset(t, token, newPassword)
	wantCode(t, a, 204, "")
	wantTrips(t, a, 2)
	s.wantLive(t, false, ada.token, second.token)
	s.wantLive(t, true, sam.token)
	if ended := s.ended(t); len(ended) != 1 || !sameHashes(ended[0].TokenHashes, ada.token, second.token) || ended[0].UserID != ada.id ||
		!sameSessions(ended[0].SessionIDs, ada, second) {
		t.Errorf("told %+v", ended)
	}
	s.wantNewPasswords(t, events.NewPassword{UserID: ada.id, How: "reset"}) // once, whatever was refused
	wantCode(t, s.reset(t, token, "yet another battery"), 422, "invalid_code")
	s.AsNobody(t).Refused(401, "invalid_credentials", "POST", "/api/auth/login/", map[string]any{"email": ada.email, "password": goodPassword})
	ada.password = newPassword
	s.wantLive(t, true, s.login(t, ada).token)
}

func TestForgettingAnswersTheSameForUnknownAddresses(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	var bodies []string
	for _, email := range []string{ada.email, "nobody@example.com", "no address", ada.email, "nobody@example.com"} {
		a := s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": email})
		bodies = append(bodies, string(a.Body))
		wantTrips(t, a, 2)
	}
	for _, body := range bodies {
		if body != bodies[0] {
			t.Errorf("%s differs from %s", body, bodies[0])
		}
	}
	if n := len(s.codes(t, "reset_password")); n != 1 { // asked twice within a minute
		t.Errorf("%d codes", n)
	}
	known := s.AsNobody(t).Refused(422, "invalid_code", "POST", "/api/auth/verify-reset-code/",
		map[string]any{"email": ada.email, "code": wrong(s.code(t, "reset_password"))}, "X-Request-Id", "the-same")
	unknown := s.AsNobody(t).Refused(422, "invalid_code", "POST", "/api/auth/verify-reset-code/", map[string]any{"email": "nobody@example.com", "code": "123456"}, "X-Request-Id", "the-same")
	if string(known.Body) != string(unknown.Body) {
		t.Errorf("%s differs from %s", known.Body, unknown.Body)
	}
	s.AsNobody(t).Refused(422, "validation_failed", "POST", "/api/auth/verify-reset-code/", map[string]any{"email": ada.email, "code": "12345"})
}

func TestResetCodesExpireAndAreReplaced(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	forgot := func() {
		s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": ada.email})
	}
	try := func(code string) testkit.Answer {
		return s.AsNobody(t).Call("POST", "/api/auth/verify-reset-code/", map[string]any{"email": ada.email, "code": code})
	}
	forgot()
	s.Clock.Advance(15 * time.Minute)
	wantCode(t, try(s.code(t, "reset_password")), 422, "invalid_code")
	forgot()
	old := s.code(t, "reset_password")
	s.Clock.Advance(time.Minute)
	for range 3 { // a newer one may by chance be the same
		forgot()
		if s.code(t, "reset_password") != old {
			break
		}
		s.Clock.Advance(time.Minute)
	}
	wantCode(t, try(old), 422, "invalid_code")
	token := s.resetToken(t, ada)
	s.Clock.Advance(15 * time.Minute)
	wantCode(t, s.reset(t, token, newPassword), 422, "invalid_code")
	for range 20 {
		s.Clock.Advance(time.Minute)
		forgot()
	}
	if n := len(s.codes(t, "reset_password")); n != 10 {
		t.Errorf("%d codes in a day, wanted 10", n)
	}
}

func TestARightResetCodeIsExchangedOnce(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": ada.email})
	code := s.code(t, "reset_password")
	var mu sync.Mutex
	var tokens []string
	race(10, func(int) {
		a := s.AsNobody(t).Call("POST", "/api/auth/verify-reset-code/", map[string]any{"email": ada.email, "code": code})
		if a.Status == 200 {
			mu.Lock()
			defer mu.Unlock()
			tokens = append(tokens, testkit.JSON[auth.ResetToken](t, a).ResetToken)
		} else if a.Code() != "invalid_code" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	if len(tokens) != 1 {
		t.Fatalf("%d tokens for one code", len(tokens))
	}
	resets := 0
	race(6, func(i int) {
		a := s.reset(t, tokens[0], fmt.Sprintf("another horse %d", i))
		mu.Lock()
		defer mu.Unlock()
		if a.Status == 204 {
			resets++
		}
	})
	if resets != 1 {
		t.Errorf("%d resets with one token", resets)
	}
}

// race runs f that many times at once.
func race(n int, f func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func TestGuessingResetCodesStops(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": ada.email})
	code := s.code(t, "reset_password")
	race(12, func(int) {
		s.AsNobody(t).Call("POST", "/api/auth/verify-reset-code/", map[string]any{"email": ada.email, "code": wrong(code)})
	})
	s.wantTries(t, "reset_password", 5)
	s.AsNobody(t).Refused(422, "invalid_code", "POST", "/api/auth/verify-reset-code/", map[string]any{"email": ada.email, "code": code})
	for range 7 {
		s.AsNobody(t).Refused(422, "invalid_code", "POST", "/api/auth/verify-reset-code/", map[string]any{"email": ada.email, "code": code})
	}
	for _, email := range []string{ada.email, "nobody@example.com"} {
		refused := false
		for range 21 {
			refused = refused || s.AsNobody(t).Call("POST", "/api/auth/verify-reset-code/", map[string]any{"email": email, "code": code}).Code() == "rate_limited"
		}
		if !refused {
			t.Errorf("%s: nobody stops the guessing", email)
		}
	}
}

func (s service) wantTries(t *testing.T, purpose string, want int) {
	t.Helper()
	n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT max(tries) FROM codes WHERE purpose = @purpose`, map[string]any{"purpose": purpose})
	if err != nil || n != want {
		t.Errorf("%d tries, wanted %d (%v)", n, want, err)
	}
}

func TestChangingAPassword(t *testing.T) {
	s := run(t)
	ada, sam := s.register(t, "ada"), s.register(t, "sam")
	second := s.login(t, ada)
	change := func(present, next string) map[string]any {
		return map[string]any{"current_password": present, "new_password": next}
	}
	ada.Refused(422, "wrong_password", "POST", "/api/auth/change-password/", change("wrong", newPassword))
	ada.Refused(422, "weak_password", "POST", "/api/auth/change-password/", change(goodPassword, "qwerty123"))
	ada.Refused(422, "weak_password", "POST", "/api/auth/change-password/", change(goodPassword, ada.email))
	ada.Refused(422, "validation_failed", "POST", "/api/auth/change-password/", change(goodPassword, "short"))
	s.wantLive(t, true, ada.token, second.token)
	s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": ada.email})
	token := s.resetToken(t, ada)

	a := ada.Want(204, "POST", "/api/auth/change-password/", change(goodPassword, newPassword))
	wantTrips(t, a, 2)
	s.wantLive(t, true, ada.token, sam.token)
	s.wantLive(t, false, second.token)
	if ended := s.ended(t); len(ended) != 1 || !sameHashes(ended[0].TokenHashes, second.token) || !sameSessions(ended[0].SessionIDs, second) {
		t.Errorf("told %+v", ended)
	}
	wantCode(t, s.reset(t, token, "yet another battery"), 422, "invalid_code") // whoever asked before knows nothing now
	ada.Want(204, "POST", "/api/auth/change-password/", change(newPassword, "yet another battery"))
	if n := len(s.ended(t)); n != 1 { // no other session was left
		t.Errorf("%d times told of sessions", n)
	}
	ada.Want(204, "POST", "/api/auth/change-password/", change("yet another battery", newPassword))
	changed := events.NewPassword{UserID: ada.id, How: "changed"}
	s.wantNewPasswords(t, changed, changed, changed)
	ada.Refused(422, "wrong_password", "POST", "/api/auth/change-password/", change(goodPassword, newPassword))
	s.AsNobody(t).Refused(401, "invalid_credentials", "POST", "/api/auth/login/", map[string]any{"email": ada.email, "password": goodPassword})
	ada.password = newPassword
	s.login(t, ada)
	s.As(t, sam.id).Refused(422, "wrong_password", "POST", "/api/auth/change-password/", change(newPassword, goodPassword))
}

// wantNewPasswords are those told of, each as wanted.
func (s service) wantNewPasswords(t *testing.T, want ...events.NewPassword) {
	t.Helper()
	var got []events.NewPassword
	for _, raw := range s.Outbox(t, "auth.password_changed") {
		var e events.NewPassword
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if !slices.Equal(got, want) {
		t.Errorf("told of passwords %+v, wanted %+v", got, want)
	}
}

// Whoever signs in with the old password while it is changed is out again when the change is done.
func TestSigningInDuringAResetLeavesNoSession(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	for round := range 3 {
		s.Clock.Advance(2 * time.Minute)
		s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": ada.email})
		reset := s.resetToken(t, ada)
		next := fmt.Sprintf("another horse %d", round)
		var mu sync.Mutex
		var tokens []string
		race(5, func(i int) {
			if i == 2 {
				wantCode(t, s.reset(t, reset, next), 204, "")
				return
			}
			a := from(s.AsNobody(t), fmt.Sprintf("198.51.100.%d", i)).Call("POST", "/api/auth/login/", map[string]any{"email": ada.email, "password": ada.password})
			if a.Status == 200 {
				mu.Lock()
				defer mu.Unlock()
				tokens = append(tokens, testkit.JSON[auth.SignedIn](t, a).Token)
			}
		})
		s.wantLive(t, false, tokens...)
		ada.password = next
	}
}
