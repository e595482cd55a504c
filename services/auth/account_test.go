package auth_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/auth"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

func TestRegistering(t *testing.T) {
	s := run(t)
	a := inZone(s.AsNobody(t), "Europe/Berlin").Want(201, "POST", "/api/auth/register/", map[string]any{
		"email": " Ada@Example.com ", "username": "Ada", "password": goodPassword, "first_name": "Ada", "last_name": "Lindqvist",
		"device_name": "Ada's iPhone", "platform": "ios", "app_version": "2.4.0",
	})
	wantTrips(t, a, 1)
	in := testkit.JSON[auth.SignedIn](t, a)
	u := in.User
	if u.Email != "Ada@Example.com" || u.Username != "Ada" || u.FirstName != "Ada" || u.EmailVerified || u.Timezone != "Europe/Berlin" ||
		u.Locale != "en" || u.Phone != nil || u.Version != 1 || !u.CreatedAt.Equal(testkit.Start) {
		t.Errorf("user %+v", u)
	}
	if !strings.HasPrefix(in.Token, "hearth_") || len(in.Token) != 50 || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("token %s, headers %v", in.Token, a.Header)
	}
	live := testkit.JSON[internalapi.Session](t, s.lookUp(t, in.Token))
	if live.UserID != u.ID || live.Timezone != "Europe/Berlin" {
		t.Errorf("session %+v", live)
	}
	me := testkit.JSON[auth.User](t, s.As(t, u.ID).Want(200, "GET", "/api/auth/me/", nil))
	if got, want := asJSON(t, me), asJSON(t, u); got != want {
		t.Errorf("me %s, registered %s", got, want)
	}
	if all := s.Outbox(t, "user.registered"); len(all) != 1 || !strings.Contains(string(all[0]), `"email": "Ada@Example.com"`) ||
		!strings.Contains(string(all[0]), `"email_verified": false`) {
		t.Errorf("user.registered %s", all)
	}
	if n := len(s.codes(t, "verify_email")); n != 1 {
		t.Errorf("%d codes", n)
	}
	chosen := testkit.JSON[auth.SignedIn](t, s.AsNobody(t).Want(201, "POST", "/api/auth/register/", map[string]any{
		"email": "sam@example.com", "username": "sam", "password": goodPassword, "timezone": "Asia/Tokyo", "locale": "pt-BR",
	}))
	if chosen.User.Timezone != "Asia/Tokyo" || chosen.User.Locale != "pt-BR" {
		t.Errorf("user %+v", chosen.User)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	s := run(t)
	s.register(t, "taken")
	for _, c := range []struct {
		name   string
		change map[string]any
		status int
		code   string
		field  string
	}{
		{"e-mail in use, in another case", map[string]any{"email": "TAKEN@example.COM"}, 409, "email_taken", "body.email"},
		{"username in use, in another case", map[string]any{"username": "TaKen"}, 409, "username_taken", "body.username"},
		{"no e-mail", map[string]any{"email": nil}, 422, "validation_failed", "body.email"},
		{"not an e-mail", map[string]any{"email": "ada"}, 422, "validation_failed", "body.email"},
		{"e-mail with a name", map[string]any{"email": "Ada <ada@example.com>"}, 422, "validation_failed", "body.email"},
		{"two e-mails", map[string]any{"email": "a@example.com,b@example.com"}, 422, "validation_failed", "body.email"},
		{"e-mail at no domain", map[string]any{"email": "ada@localhost"}, 422, "validation_failed", "body.email"},
		{"e-mail at a machine's address", map[string]any{"email": "ada@[127.0.0.1]"}, 422, "validation_failed", "body.email"},
		{"e-mail with a line break", map[string]any{"email": "ada@example.com\r\nBcc: all@example.com"}, 422, "validation_failed", "body.email"},
		{"e-mail too long", map[string]any{"email": strings.Repeat("a", 250) + "@example.com"}, 422, "validation_failed", "body.email"},
		{"username like an e-mail", map[string]any{"username": "a@b.com"}, 422, "validation_failed", "body.username"},
		{"username too short", map[string]any{"username": "ab"}, 422, "validation_failed", "body.username"},
		{"username with a space", map[string]any{"username": "a b c"}, 422, "validation_failed", "body.username"},
		{"password too short", map[string]any{"password": "sh0rt!!"}, 422, "validation_failed", "body.password"},
		{"password too long", map[string]any{"password": strings.Repeat("ab", 65)}, 422, "validation_failed", "body.password"},
		{"password is the username", map[string]any{"username": "hearthkeeper", "password": "HearthKeeper"}, 422, "weak_password", "body.password"},
		{"password is the e-mail", map[string]any{"password": "new@example.com"}, 422, "weak_password", "body.password"},
		{"password is common", map[string]any{"password": "PassWord123"}, 422, "weak_password", "body.password"},
		{"password is one character", map[string]any{"password": "zzzzzzzzzz"}, 422, "weak_password", "body.password"},
		{"zone that is none", map[string]any{"timezone": "Mars/Olympus"}, 422, "validation_failed", "body.timezone"},
		{"zone that only Go knows", map[string]any{"timezone": "Local"}, 422, "validation_failed", "body.timezone"},
		{"locale that is none", map[string]any{"locale": "english"}, 422, "validation_failed", "body.locale"},
		{"unknown field", map[string]any{"is_active": true}, 422, "validation_failed", "body.is_active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := map[string]any{"email": "new@example.com", "username": "new", "password": goodPassword}
			for key, value := range c.change {
				body[key] = value
				if value == nil {
					delete(body, key)
				}
			}
			a := s.AsNobody(t).Refused(c.status, c.code, "POST", "/api/auth/register/", body)
			problem := testkit.JSON[struct {
				Errors []struct{ Location string }
			}](t, a)
			if len(problem.Errors) == 0 || problem.Errors[0].Location != c.field {
				t.Errorf("errors %+v, wanted %s", problem.Errors, c.field)
			}
			if password, _ := body["password"].(string); strings.Contains(string(a.Body), password) && c.field == "body.password" {
				t.Errorf("the answer repeats the password: %s", a.Body)
			}
		})
	}
	if n := len(s.Outbox(t, "user.registered")); n != 1 {
		t.Errorf("%d people registered", n)
	}
}

func TestRegistrationsOfOneAddressMakeOneAccount(t *testing.T) {
	s := run(t)
	var all sync.WaitGroup
	answers := make([]testkit.Answer, 8)
	for i := range answers {
		all.Go(func() {
			answers[i] = s.AsNobody(t).Call("POST", "/api/auth/register/", map[string]any{
				"email": []string{"ada@example.com", "ADA@example.com"}[i%2], "username": fmt.Sprintf("ada%d", i), "password": goodPassword,
			})
		})
	}
	all.Wait()
	made := 0
	for _, a := range answers {
		if a.Status == 201 {
			made++
		} else if a.Code() != "email_taken" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if made != 1 || len(s.Outbox(t, "user.registered")) != 1 || len(s.codes(t, "verify_email")) != 1 {
		t.Errorf("%d accounts", made)
	}
}

func TestProfile(t *testing.T) {
	documents := testkit.NewDocuments(t)
	cfg := testkit.Config(t, "auth")
	cfg.DocumentURL = documents.URL
	s := runWith(t, cfg)
	ada := s.register(t, "ada")
	second := s.login(t, ada)
	avatar := documents.Upload(ada.id)
	a := ada.Want(200, "PUT", "/api/auth/profile/", map[string]any{
		"first_name": "Ada", "last_name": "L", "phone": "+1 503", "bio": "Hi", "avatar_upload_id": avatar, "timezone": "Asia/Tokyo", "locale": "de",
	})
	u := testkit.JSON[auth.User](t, a)
	if u.FirstName != "Ada" || *u.Phone != "+1 503" || *u.AvatarUploadID != avatar || u.Timezone != "Asia/Tokyo" || u.Version != 2 || a.Header.Get("ETag") != `"2"` {
		t.Errorf("replaced %+v", u)
	}
	wantTrips(t, a, 2) // one of them document's
	events := s.changes(t)
	if e := events[0]; e.Version != 2 || e.AvatarID != avatar || e.Timezone != "Asia/Tokyo" || e.Email != ada.email ||
		!sameHashes(e.TokenHashes, ada.token, second.token) || e.EmailVerified == nil || *e.EmailVerified {
		t.Errorf("event %+v", e)
	}
	u = testkit.JSON[auth.User](t, ada.Want(200, "PATCH", "/api/auth/profile/", `{"phone":null,"last_name":"Lindqvist"}`, "If-Match", `"2"`))
	if u.Phone != nil || u.LastName != "Lindqvist" || *u.Bio != "Hi" || u.FirstName != "Ada" || *u.AvatarUploadID != avatar || u.Version != 3 {
		t.Errorf("patched %+v", u)
	}
	ada.Refused(412, "version_conflict", "PATCH", "/api/auth/profile/", `{"bio":"x"}`, "If-Match", `"2"`)
	ada.Refused(412, "version_conflict", "PUT", "/api/auth/profile/", `{"first_name":"x","last_name":"y"}`, "If-Match", `"2"`)
	ada.Refused(422, "validation_failed", "PATCH", "/api/auth/profile/", `{"first_name":null}`)
	ada.Refused(422, "validation_failed", "PATCH", "/api/auth/profile/", `{"timezone":"Nowhere/None"}`)
	ada.Refused(422, "validation_failed", "PATCH", "/api/auth/profile/", `{"locale":"*"}`)
	ada.Refused(422, "validation_failed", "PATCH", "/api/auth/profile/", `{"avatar_upload_id":"x"}`)
	ada.Refused(422, "validation_failed", "PATCH", "/api/auth/profile/", `{"email":"other@example.com"}`)
	ada.Refused(422, "validation_failed", "PATCH", "/api/auth/profile/", map[string]any{"bio": strings.Repeat("x", 1001)})
	u = testkit.JSON[auth.User](t, ada.Want(200, "PUT", "/api/auth/profile/", `{"first_name":"A","last_name":"B"}`))
	if u.Bio != nil || u.AvatarUploadID != nil || u.Timezone != "Asia/Tokyo" || u.Version != 4 {
		t.Errorf("replaced %+v", u)
	}
	if n := len(s.changes(t)); n != 3 {
		t.Errorf("%d changes told, wanted 3", n)
	}
	if e := s.changes(t)[2]; e.AvatarID != uuid.Nil {
		t.Errorf("event %+v", e)
	}
	me := ada.Want(200, "GET", "/api/auth/me/", nil)
	wantTrips(t, me, 1)
	ada.Want(304, "GET", "/api/auth/me/", nil, "If-None-Match", me.Header.Get("ETag"))
	s.As(t, uuid.New()).Refused(401, "invalid_token", "GET", "/api/auth/me/", nil)
	s.As(t, uuid.New()).Refused(401, "invalid_token", "PATCH", "/api/auth/profile/", `{}`)
	s.AsNobody(t).Refused(401, "authentication_required", "GET", "/api/auth/me/", nil)
}

func TestAnAvatarIsAPictureThatThePersonMayName(t *testing.T) {
	documents := testkit.NewDocuments(t)
	cfg := testkit.Config(t, "auth")
	cfg.DocumentURL = documents.URL
	s := runWith(t, cfg)
	ada, sam := s.register(t, "ada"), s.register(t, "sam")
	picture, other, paper := documents.Upload(ada.id), documents.Upload(ada.id), documents.UploadPaper(ada.id)
	profile := "/api/auth/profile/"
	named := func(id any) map[string]any {
		return map[string]any{"first_name": "A", "last_name": "B", "avatar_upload_id": id}
	}
	refused := func(who person, method string, id any) {
		t.Helper()
		a := who.Refused(422, "validation_failed", method, profile, named(id))
		if !strings.Contains(string(a.Body), `"location":"body.avatar_upload_id"`) {
			t.Errorf("refused is %s", a.Body)
		}
	}
	for _, method := range []string{"PUT", "PATCH"} {
		refused(ada, method, paper)
		refused(ada, method, uuid.Must(uuid.NewV7()))
		refused(ada, method, uuid.Nil)
		refused(sam, method, picture)
	}
	if n := len(s.changes(t)); n != 0 {
		t.Fatalf("refused, and yet %d events", n)
	}
	wantTrips(t, ada.Want(200, "PATCH", profile, named(picture)), 2)
	documents.Break(true)
	wantTrips(t, ada.Want(200, "PATCH", profile, map[string]any{"bio": "x"}), 1)
	ada.Want(200, "PUT", profile, named(picture)) // it is theirs already
	ada.Refused(503, "service_unavailable", "PATCH", profile, named(other))
	ada.Refused(412, "version_conflict", "PATCH", profile, named(other), "If-Match", `"1"`)
	u := testkit.JSON[auth.User](t, ada.Want(200, "PATCH", profile, named(nil)))
	if u.AvatarUploadID != nil || u.Version != 5 {
		t.Errorf("person %+v", u)
	}
	all := s.changes(t)
	if len(all) != 4 || all[0].AvatarID != picture || all[2].AvatarID != picture || all[3].AvatarID != uuid.Nil {
		t.Errorf("events %+v", all)
	}
	s.As(t, uuid.New()).Refused(401, "invalid_token", "PATCH", profile, named(picture))
}

func (s service) changes(t *testing.T) []events.UserChange {
	t.Helper()
	var all []events.UserChange
	for _, raw := range s.Outbox(t, "user.changed") {
		var c events.UserChange
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// Who was there before it was told whether an address is verified is told of once more, as they are.
func TestWhoIsThereIsToldOfWithTheirAddress(t *testing.T) {
	s := run(t)
	ada, sam, disabled := s.register(t, "ada"), s.register(t, "sam"), s.register(t, "eve")
	ada.Want(200, "POST", "/api/auth/verify-email/", map[string]any{"code": s.codes(t, "verify_email")[0]})
	s.exec(t, `UPDATE users SET is_active = false WHERE id = @id`, pgx.NamedArgs{"id": disabled.id})
	s.exec(t, `
		INSERT INTO users (id, email, username, password_hash, created_at, updated_at)
		SELECT gen_random_uuid(), n || '@example.org', 'person' || n, '', now(), now() FROM generate_series(1, 1100) n`, nil)
	before := s.changes(t)
	testkit.Reapply(t, s.Service, "auth/00002_tell_verified.sql")
	told := map[uuid.UUID]events.UserChange{}
	for _, c := range s.changes(t)[len(before):] {
		told[c.ID] = c
	}
	if len(told) != 1102 || len(s.changes(t)) != len(before)+1102 {
		t.Errorf("%d people were told of", len(told))
	}
	want := before[0]
	want.TokenHashes = []string{}
	if got := told[ada.id]; asJSON(t, got) != asJSON(t, want) {
		t.Errorf("ada %+v, wanted %+v", got, want)
	}
	if got := told[sam.id]; got.EmailVerified == nil || *got.EmailVerified || got.Version != 1 || got.Email != sam.email || got.FirstName != "First" {
		t.Errorf("sam %+v", got)
	}
}

func sameHashes(got []string, tokens ...string) bool {
	want := make([]string, len(tokens))
	for i, token := range tokens {
		want[i] = hexHash(token)
	}
	slices.Sort(want)
	return slices.Equal(slices.Sorted(slices.Values(got)), want)
}

func TestChangesOfOneVersionAreOne(t *testing.T) {
	s := run(t)
	ada := s.register(t, "ada")
	var all sync.WaitGroup
	statuses := make([]int, 6)
	for i := range statuses {
		all.Go(func() {
			statuses[i] = ada.Call("PATCH", "/api/auth/profile/", map[string]any{"bio": fmt.Sprint(i)}, "If-Match", `"1"`).Status
		})
	}
	all.Wait()
	slices.Sort(statuses)
	if !slices.Equal(statuses, []int{200, 412, 412, 412, 412, 412}) {
		t.Errorf("statuses %v", statuses)
	}
}

func TestTimezoneFollowsThePerson(t *testing.T) {
	s := run(t)
	ada, sam := s.register(t, "ada"), s.register(t, "sam")
	gateway := s.AsPart(t, "gateway")
	path := "/internal/users/" + ada.id.String() + "/timezone"
	a := ada.Want(204, "PUT", path, internalapi.Zone{Timezone: "America/New_York"})
	wantTrips(t, a, 1)
	if got := testkit.JSON[internalapi.Session](t, s.lookUp(t, ada.token)); got.Timezone != "America/New_York" {
		t.Errorf("session %+v", got)
	}
	gateway.Want(204, "PUT", path, internalapi.Zone{Timezone: "America/New_York"})
	if all := s.changes(t); len(all) != 1 || all[0].Timezone != "America/New_York" || all[0].Version != 2 || !sameHashes(all[0].TokenHashes, ada.token) ||
		all[0].EmailVerified == nil || *all[0].EmailVerified {
		t.Errorf("changes %+v", all)
	}
	gateway.Refused(422, "validation_failed", "PUT", path, internalapi.Zone{Timezone: "nowhere"})
	sam.Refused(404, "not_found", "PUT", path, internalapi.Zone{Timezone: "Asia/Tokyo"})
}
