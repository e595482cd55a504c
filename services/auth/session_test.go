package auth_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"hearth.internal/auth"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestSigningIn(t *testing.T) {
	for _, prepared := range []bool{true, false} {
		t.Run(fmt.Sprintf("prepared %t", prepared), func(t *testing.T) {
			base := testkit.Config(t, "auth")
			base.DatabasePrepare = prepared
			s := runWith(t, base)
			ada := s.register(t, "ada")
			for _, body := range []string{
				`{"username":"ada"`, `{"username":"ADA"`, `{"email":"ada"`, `{"username":"ada@example.com"`, `{"email":"Ada@Example.COM"`, `{"email":" ada@example.com "`,
			} {
				a := s.AsNobody(t).Want(200, "POST", "/api/auth/login/", body+`,"password":"`+goodPassword+`"}`)
				wantTrips(t, a, 2)
				in := testkit.JSON[auth.SignedIn](t, a)
				if in.User.ID != ada.id || in.User.Email != ada.email || in.Token == ada.token {
					t.Errorf("%s: %+v", body, in)
				}
				s.wantLive(t, true, in.Token, ada.token)
			}
			s.AsNobody(t).Refused(422, "validation_failed", "POST", "/api/auth/login/", `{"password":"`+goodPassword+`"}`)
			s.AsNobody(t).Refused(422, "validation_failed", "POST", "/api/auth/login/", `{"username":"ada"}`)
			wantTrips(t, ada.Want(204, "POST", "/api/auth/logout/", nil), 1)
			s.wantLive(t, false, ada.token)
		})
	}
}

func TestUnknownPeopleAndWrongPasswordsAnswerTheSame(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	var answers []testkit.Answer
	for _, login := range []string{ada.username, ada.email, "nobody", "nobody@example.com"} {
		answers = append(answers, s.AsNobody(t).Want(401, "POST", "/api/auth/login/", map[string]any{"username": login, "password": "wrong horse battery"},
			"X-Request-Id", "the-same"))
	}
	for _, a := range answers {
		if string(a.Body) != string(answers[0].Body) || a.Code() != "invalid_credentials" {
			t.Errorf("%s differs from %s", a.Body, answers[0].Body)
		}
	}
	// From elsewhere, so that only the account decides.
	for _, login := range []string{ada.username, "nobody"} {
		for range 10 {
			from(s.AsNobody(t), "198.51.100.1").Refused(401, "invalid_credentials", "POST", "/api/auth/login/", map[string]any{"username": login, "password": "wrong horse battery"})
		}
		a := from(s.AsNobody(t), "198.51.100.1").Refused(429, "rate_limited", "POST", "/api/auth/login/", map[string]any{"username": login, "password": "wrong horse battery"})
		if a.Header.Get("Retry-After") != "900" {
			t.Errorf("Retry-After %s", a.Header.Get("Retry-After"))
		}
	}
}

func TestADisabledAccountIsToldOnlyToItsOwner(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	s.exec(t, `UPDATE users SET is_active = false`, nil)
	s.AsNobody(t).Refused(401, "invalid_credentials", "POST", "/api/auth/login/", map[string]any{"username": "ada", "password": "wrong horse battery"})
	s.AsNobody(t).Refused(403, "account_disabled", "POST", "/api/auth/login/", map[string]any{"username": "ada", "password": goodPassword})
	s.wantLive(t, false, ada.token)
	ada.Refused(401, "invalid_token", "GET", "/api/auth/me/", nil)
	ada.Refused(401, "invalid_token", "POST", "/api/auth/change-password/", map[string]any{"current_password": goodPassword, "new_password": "another horse battery"})
}

func (s service) exec(t *testing.T, sql string, args pgx.NamedArgs) {
	t.Helper()
	if _, err := pg.Exec(t.Context(), s.DB, sql, args); err != nil {
		t.Fatal(err)
	}
}

func TestGuessingAPasswordIsThrottled(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	guess := func(ip, password string) testkit.Answer {
		return from(s.AsNobody(t), ip).Call("POST", "/api/auth/login/", map[string]any{"username": "ada", "password": password})
	}
	// However many at once: ten are checked and no more.
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for i := range 30 {
		all.Go(func() {
			a := guess("192.0.2.7", fmt.Sprintf("guess number %d", i))
			mu.Lock()
			defer mu.Unlock()
			codes[a.Code()]++
		})
	}
	all.Wait()
	if codes["invalid_credentials"] != 10 || codes["rate_limited"] != 20 {
		t.Fatalf("answers %v", codes)
	}
	if a := guess("192.0.2.7", goodPassword); a.Code() != "rate_limited" {
		t.Errorf("the right one after too many: %d %s", a.Status, a.Body)
	}
	if a := guess("192.0.2.8", goodPassword); a.Status != 200 { // its owner is elsewhere
		t.Errorf("from elsewhere: %d %s", a.Status, a.Body)
	}
	// One network of IPv6 is one place; many places together have fifty.
	for i := range 10 {
		if a := guess(fmt.Sprintf("2001:db8::%d", i+1), "wrong"); a.Code() != "invalid_credentials" {
			t.Fatalf("%d: %d %s", i, a.Status, a.Body)
		}
	}
	if a := guess("2001:db8::ffff", "wrong"); a.Code() != "rate_limited" {
		t.Errorf("the same network: %d %s", a.Status, a.Body)
	}
	for i := range 40 {
		if a := guess(fmt.Sprintf("203.0.113.%d", i), "wrong"); a.Code() != "invalid_credentials" {
			t.Fatalf("%d: %d %s", i, a.Status, a.Body)
		}
	}
	if a := guess("203.0.113.200", "wrong"); a.Code() != "rate_limited" {
		t.Errorf("the 51st: %d %s", a.Status, a.Body)
	}
	// The present password cannot be guessed with a stolen token either.
	from(ada.Client, "203.0.113.201").Refused(429, "rate_limited", "POST", "/api/auth/change-password/", map[string]any{"current_password": "wrong", "new_password": "another horse battery"})
	s.Clock.Advance(15 * time.Minute)
	if a := guess("192.0.2.7", goodPassword); a.Status != 200 {
		t.Errorf("after the window: %d %s", a.Status, a.Body)
	}
}

func TestOneAddressCannotTryEverybody(t *testing.T) {
	s := run(t)
	s.register(t, "ada")
	sam := s.register(t, "sam")
	client := from(s.AsNobody(t), "192.0.2.66")
	s.exec(t, `INSERT INTO attempts (key, tries, until) VALUES ('login:1:192.0.2.66', 98, @until)`, pgx.NamedArgs{"until": testkit.Start.Add(time.Minute)})
	for range 5 { // what is right is given back
		client.Want(200, "POST", "/api/auth/login/", map[string]any{"username": sam.username, "password": goodPassword})
	}
	for range 2 {
		client.Refused(401, "invalid_credentials", "POST", "/api/auth/login/", map[string]any{"username": "ada", "password": "wrong"})
	}
	client.Refused(429, "rate_limited", "POST", "/api/auth/login/", map[string]any{"username": sam.username, "password": goodPassword})
	if n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM attempts WHERE key LIKE 'login:3:%' AND tries > 2`, nil); err != nil || n != 0 {
		t.Errorf("accounts pay for an address that is refused (%d, %v)", n, err)
	}
}

func TestAnOlderHashIsMadeAnewAtSignIn(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	s.exec(t, `UPDATE users SET password_hash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'`, nil)
	var all sync.WaitGroup
	for range 4 { // none of them trips over another
		all.Go(func() {
			s.AsNobody(t).Want(200, "POST", "/api/auth/login/", map[string]any{"username": ada.username, "password": "password"})
		})
	}
	all.Wait()
	hash, _, err := pg.Scalar[string](t.Context(), s.DB, `SELECT password_hash FROM users`, nil)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s, %v", hash, err)
	}
	s.AsNobody(t).Want(200, "POST", "/api/auth/login/", map[string]any{"username": ada.username, "password": "password"})
}

func TestSigningOut(t *testing.T) {
	s := run(t)
	ada, sam := s.register(t, "ada"), s.register(t, "sam")
	second, third := s.login(t, ada), s.login(t, ada)
	second.Want(204, "POST", "/api/auth/logout/", nil)
	s.wantLive(t, false, second.token)
	s.wantLive(t, true, ada.token, third.token, sam.token)
	second.Want(204, "POST", "/api/auth/logout/", nil) // twice is no harm
	ada.Want(204, "POST", "/api/auth/logout-all/", nil)
	s.wantLive(t, false, ada.token, third.token)
	s.wantLive(t, true, sam.token)
	if ended := s.ended(t); len(ended) != 2 || !sameHashes(ended[0].TokenHashes, second.token) || ended[0].UserID != ada.id ||
		!sameHashes(ended[1].TokenHashes, ada.token, third.token) || !sameSessions(ended[0].SessionIDs, second) ||
		!sameSessions(ended[1].SessionIDs, ada, third) {
		t.Errorf("told %+v", ended)
	}
}

func sameSessions(got []uuid.UUID, people ...person) bool {
	compare := func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
	want := make([]uuid.UUID, len(people))
	for i, p := range people {
		want[i] = p.session
	}
	slices.SortFunc(want, compare)
	return slices.Equal(slices.SortedFunc(slices.Values(got), compare), want)
}

func (s service) ended(t *testing.T) []events.Sessions {
	t.Helper()
	var all []events.Sessions
	for _, raw := range s.Outbox(t, "auth.sessions_ended") {
		var e events.Sessions
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// What the gateways have cached of a session is gone, and they have heard of it, before the one who ends it hears back.
func TestEndedAndChangedSessionsLeaveTheCaches(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	options, err := redis.ParseURL(s.cfg.CacheURL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	heard := rdb.Subscribe(t.Context(), cache.RevokedChannel(rdb))
	defer func() { _ = heard.Close() }()
	if _, err := heard.Receive(t.Context()); err != nil { // subscribed
		t.Fatal(err)
	}
	hash, err := hex.DecodeString(hexHash(ada.token))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ method, path, body string }{
		{"PATCH", "/api/auth/profile/", `{"timezone":"Asia/Tokyo"}`},
		{"PUT", "/internal/users/" + ada.id.String() + "/timezone", `{"timezone":"Asia/Seoul"}`},
		{"POST", "/api/auth/logout/", ``},
	} {
		if err := rdb.Set(t.Context(), cache.TokenKey(hash), "{}", cache.TokenTTL).Err(); err != nil {
			t.Fatal(err)
		}
		ada.Call(step.method, step.path, step.body)
		if n, err := rdb.Exists(t.Context(), cache.TokenKey(hash)).Result(); err != nil || n != 0 {
			t.Errorf("%s: still cached (%d, %v)", step.path, n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if message, err := heard.ReceiveMessage(ctx); err != nil || message.Payload != hexHash(ada.token) {
			t.Errorf("%s: heard %v, %v", step.path, message, err)
		}
		cancel()
	}
}

func TestSessions(t *testing.T) {
	s := run(t)
	ada, sam := s.register(t, "ada"), s.register(t, "sam")
	s.Clock.Advance(time.Minute)
	phone := s.signedIn(t, s.AsNobody(t).Want(200, "POST", "/api/auth/login/", map[string]any{
		"username": "ada", "password": goodPassword, "device_name": "Ada's \u202eiPhone", "platform": "ios", "app_version": "2.4.0",
	}, "X-Device-Name", "not this"), ada.email, ada.username)
	s.Clock.Advance(time.Minute)
	tablet := s.signedIn(t, s.AsNobody(t).Want(200, "POST", "/api/auth/login/", map[string]any{"username": "ada", "password": goodPassword},
		"X-Device-Name", "Tablet \xff"+strings.Repeat("x", 200), "X-Platform", "android", "X-App-Version", "2.5.0"), ada.email, ada.username)

	a := phone.Want(200, "GET", "/api/auth/sessions/", nil)
	wantTrips(t, a, 1)
	list := testkit.JSON[page.List[auth.DeviceSession]](t, a)
	if len(list.Items) != 3 || list.NextCursor != nil {
		t.Fatalf("sessions %s", a.Body)
	}
	if got := list.Items[0]; got.ID != tablet.session || got.DeviceName != "Tablet "+strings.Repeat("x", 93) || got.Platform != "android" || got.AppVersion != "2.5.0" || got.Current {
		t.Errorf("tablet %+v", got)
	}
	if got := list.Items[1]; got.ID != phone.session || got.DeviceName != "Ada's iPhone" || got.Platform != "ios" || !got.Current || !got.CreatedAt.Equal(testkit.Start.Add(time.Minute)) {
		t.Errorf("phone %+v", got)
	}
	first := testkit.JSON[page.List[auth.DeviceSession]](t, phone.Want(200, "GET", "/api/auth/sessions/?limit=2", nil))
	rest := testkit.JSON[page.List[auth.DeviceSession]](t, phone.Want(200, "GET", "/api/auth/sessions/?limit=2&cursor="+*first.NextCursor, nil))
	if len(first.Items) != 2 || len(rest.Items) != 1 || rest.Items[0].ID != ada.session || rest.NextCursor != nil {
		t.Errorf("pages %+v, %+v", first, rest)
	}
	phone.Refused(422, "invalid_cursor", "GET", "/api/auth/sessions/?cursor=x", nil)

	sam.Refused(404, "not_found", "DELETE", "/api/auth/sessions/"+tablet.session.String()+"/", nil)
	phone.Refused(404, "not_found", "DELETE", "/api/auth/sessions/"+uuid.NewString()+"/", nil)
	s.wantLive(t, true, tablet.token)
	wantTrips(t, phone.Want(204, "DELETE", "/api/auth/sessions/"+tablet.session.String()+"/", nil), 1)
	s.wantLive(t, false, tablet.token)
	s.wantLive(t, true, phone.token, ada.token)
	phone.Refused(404, "not_found", "DELETE", "/api/auth/sessions/"+tablet.session.String()+"/", nil)
}

func TestASessionLives90DaysAfterItsLastUse(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	wantTrips(t, s.lookUp(t, ada.token), 1)
	used := func() time.Time {
		at, _, err := pg.Scalar[time.Time](t.Context(), s.DB, `SELECT last_used_at FROM sessions`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	s.Clock.Advance(9 * time.Minute)
	s.wantLive(t, true, ada.token)
	if !used().Equal(testkit.Start) {
		t.Error("written although it was used minutes ago")
	}
	s.Clock.Advance(89 * 24 * time.Hour)
	s.wantLive(t, true, ada.token)
	if !used().Equal(s.Clock.Now()) {
		t.Errorf("last used %v", used())
	}
	s.Clock.Advance(90*24*time.Hour - time.Second)
	s.wantLive(t, true, ada.token)
	s.Clock.Advance(90 * 24 * time.Hour)
	s.wantLive(t, false, ada.token)
	s.wantLive(t, false, "hearth_unknown")
	if list := testkit.JSON[page.List[auth.DeviceSession]](t, ada.Want(200, "GET", "/api/auth/sessions/", nil)); len(list.Items) != 0 {
		t.Errorf("sessions %+v", list)
	}
	s.AsPart(t, "gateway").Refused(422, "validation_failed", "GET", "/internal/sessions/xyz", nil)
}

func TestWhatHasExpiredIsSwept(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": ada.email})
	s.resetToken(t, ada)
	s.AsNobody(t).Call("POST", "/api/auth/login/", map[string]any{"email": ada.email, "password": "wrong"})
	count := func() (n int) {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `
			SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM codes) + (SELECT count(*) FROM reset_tokens) + (SELECT count(*) FROM attempts)`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n < 8 {
		t.Fatalf("%d rows", n)
	}
	// Another replica starts a hundred days on.
	testkit.Run(t, s.cfg.Service, auth.New(s.cfg), func(o *boot.Options) { o.Clock = clock.At(testkit.Start.Add(100 * 24 * time.Hour)) })
	testkit.Eventually(t, "all that has expired is gone", func() bool { return count() == 0 })
}
