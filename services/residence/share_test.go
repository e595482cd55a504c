package residence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

const joinPath = base + "join-with-code/"

func (h house) code(t *testing.T, body any) residence.ShareCode {
	t.Helper()
	return testkit.JSON[residence.ShareCode](t, h.owner.Want(201, "POST", at(h.home, "generate-share-code/"), body))
}

func use(code string) string { return fmt.Sprintf(`{"code":%q}`, code) }

func TestShareCodeIsMadeShownReplacedAndWithdrawn(t *testing.T) {
	h := setUp(t)
	h.owner.Refused(404, "not_found", "GET", at(h.home, "share-code/"), nil)
	a := h.owner.Want(201, "POST", at(h.home, "generate-share-code/"), nil)
	trips(t, 1, "generate", a)
	first := testkit.JSON[residence.ShareCode](t, a)
	if len(first.Code) != 8 || strings.ContainsAny(first.Code, "01IOL") || first.Code != strings.ToUpper(first.Code) ||
		first.Role != "member" || !first.ExpiresAt.Equal(testkit.Start.Add(24*time.Hour)) {
		t.Errorf("code %s", a.Body)
	}
	a = h.owner.Want(200, "GET", at(h.home, "share-code/"), nil)
	trips(t, 1, "show", a)
	if got := testkit.JSON[residence.ShareCode](t, a); got != first {
		t.Errorf("shown %+v, made %+v", got, first)
	}
	second := h.code(t, `{"expires_in_hours":168,"role":"viewer"}`)
	if second.Code == first.Code || second.Role != "viewer" || !second.ExpiresAt.Equal(testkit.Start.Add(168*time.Hour)) {
		t.Errorf("second %+v", second)
	}
	h.As(t, newID()).Refused(422, "invalid_share_code", "POST", joinPath, use(first.Code))
	a = h.owner.Want(204, "DELETE", at(h.home, "share-code/"), nil)
	trips(t, 1, "withdraw", a)
	h.As(t, newID()).Refused(422, "invalid_share_code", "POST", joinPath, use(second.Code))
	h.owner.Refused(404, "not_found", "GET", at(h.home, "share-code/"), nil)
	for _, body := range []string{`{"expires_in_hours":0}`, `{"expires_in_hours":169}`, `{"role":"owner"}`, `{"expires_in_hours":1.5}`} {
		h.owner.Refused(422, "validation_failed", "POST", at(h.home, "generate-share-code/"), body)
	}
	var kept []byte
	if err := h.DB.QueryRow(t.Context(), `SELECT string_agg(to_jsonb(share_codes)::text, '')::bytea FROM share_codes`).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{first.Code, second.Code} {
		if bytes.Contains(kept, []byte(code)) || bytes.Contains(kept, fmt.Appendf(nil, "%x", code)) {
			t.Error("the database holds a code in plain")
		}
	}
}

func TestCodesMadeAtOnceLeaveOneActive(t *testing.T) {
	h := setUp(t)
	codes := atOnce(8, func(int) string {
		a := h.owner.Call("POST", at(h.home, "generate-share-code/"), nil)
		var code residence.ShareCode
		if a.Status == 201 {
			_ = json.Unmarshal(a.Body, &code) // an empty code is counted below
		}
		return code.Code
	})
	good := 0
	for _, code := range codes {
		if h.As(t, newID()).Call("POST", joinPath, use(code)).Status == 200 {
			good++
		}
	}
	if good != 1 || count(codes, "") != 0 {
		t.Errorf("%d of %v are good", good, codes)
	}
}

func TestJoiningWithACode(t *testing.T) {
	h := setUp(t)
	code := h.code(t, `{"role":"viewer"}`)
	joiner := h.As(t, newID())
	joiner.Want(200, "GET", base, nil) // nothing, and that is cached
	h.owner.Want(200, "GET", base, nil)
	typed := " " + strings.ToLower(code.Code[:4]) + "-" + code.Code[4:] + " "
	a := joiner.Want(200, "POST", joinPath, use(typed))
	trips(t, 1, "join", a)
	got := testkit.JSON[residence.Residence](t, a)
	if got.ID != h.home.ID || got.Role != "viewer" || got.MemberCount != 2 || got.OwnerID != h.home.OwnerID || a.Header.Get("ETag") != got.ETag() {
		t.Errorf("joined %s", a.Body)
	}
	joiner.Want(200, "GET", at(h.home, "users/"), nil) // by the access cache
	event := h.lastChange(t)
	if event.Change != "joined" || event.ResidenceID != h.home.ID || event.UserID != joiner.Actor.UserID || event.Role != "viewer" ||
		event.OwnerID != h.home.OwnerID || !sameIDs(event.AffectedIDs, h.home.OwnerID, joiner.Actor.UserID) {
		t.Errorf("event %+v", event)
	}
	h.As(t, newID()).Refused(422, "invalid_share_code", "POST", joinPath, use(code.Code)) // used
	h.owner.Refused(404, "not_found", "GET", at(h.home, "share-code/"), nil)
}

func TestCodeOfOnesOwnResidenceStaysGood(t *testing.T) {
	h := setUp(t)
	code := h.code(t, nil)
	h.owner.Refused(409, "already_member", "POST", joinPath, use(code.Code))
	h.As(t, newID()).Want(200, "POST", joinPath, use(code.Code))
}

func TestCodesExpire(t *testing.T) {
	h := setUp(t)
	code := h.code(t, `{"expires_in_hours":1}`)
	h.Clock.Advance(time.Hour)
	h.owner.Refused(404, "not_found", "GET", at(h.home, "share-code/"), nil)
	h.owner.Refused(404, "not_found", "DELETE", at(h.home, "share-code/"), nil)
	h.As(t, newID()).Refused(422, "invalid_share_code", "POST", joinPath, use(code.Code))
}

func TestOldCodesAreSwept(t *testing.T) {
	var cfg residence.Config
	h := setUp(t, func(c *residence.Config) { cfg = *c })
	h.code(t, nil) // replaced by the next
	h.code(t, `{"expires_in_hours":168}`)
	left := func() (n int) {
		if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM share_codes`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	later := func(days int) func(*boot.Options) {
		return func(o *boot.Options) { o.Clock = clock.At(testkit.Start.Add(time.Duration(days) * 24 * time.Hour)) }
	}
	// Other replicas start later on.
	testkit.Run(t, cfg.Service, residence.New(cfg), later(32))
	testkit.Eventually(t, "the code of a day is gone", func() bool { return left() == 1 })
	testkit.Run(t, cfg.Service, residence.New(cfg), later(38))
	testkit.Eventually(t, "that of a week as well", func() bool { return left() == 0 })
}

func TestOnePersonUsesACode(t *testing.T) {
	h := setUp(t)
	for range 5 {
		code := h.code(t, nil)
		people := make([]*testkit.Client, 6)
		for i := range people {
			people[i] = h.As(t, newID())
		}
		statuses := atOnce(len(people), func(i int) int { return people[i].Call("POST", joinPath, use(code.Code)).Status })
		if count(statuses, 200) != 1 || count(statuses, 422) != 5 {
			t.Errorf("statuses %v", statuses)
		}
	}
	if got := h.read(t, h.owner).MemberCount; got != 6 {
		t.Errorf("%d members", got)
	}
}

func TestOnePersonJoinsOnceHoweverOftenTheyTap(t *testing.T) {
	h := setUp(t)
	code, joiner := h.code(t, nil), h.As(t, newID())
	statuses := atOnce(6, func(int) int { return joiner.Call("POST", joinPath, use(code.Code)).Status })
	if count(statuses, 200) != 1 || h.read(t, h.owner).MemberCount != 2 {
		t.Errorf("statuses %v", statuses)
	}
}

func TestTenWrongCodesAnHourAreAnswered(t *testing.T) {
	h := setUp(t)
	good := h.code(t, nil)
	guesser := h.As(t, newID())
	statuses := atOnce(14, func(int) int { return guesser.Call("POST", joinPath, use("22222222")).Status })
	if count(statuses, 422) != 10 || count(statuses, 429) != 4 {
		t.Fatalf("statuses %v", statuses)
	}
	a := guesser.Refused(429, "rate_limited", "POST", joinPath, use(good.Code)) // even a good one waits
	if a.Header.Get("Retry-After") != "3600" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	trips(t, 1, "refused", a)
	h.As(t, newID()).Refused(422, "invalid_share_code", "POST", joinPath, use("22222222")) // others are not kept
	h.Clock.Advance(time.Hour)
	guesser.Want(200, "POST", joinPath, use(good.Code))
}

func TestGoodCodesDoNotCountAsTries(t *testing.T) {
	h := setUp(t)
	joiner := h.As(t, newID())
	for range 12 {
		joiner.Want(200, "POST", joinPath, use(h.code(t, nil).Code))
		joiner.Want(204, "DELETE", userPath(h, joiner.Actor.UserID), nil)
	}
	for range 10 {
		joiner.Refused(422, "invalid_share_code", "POST", joinPath, use("wrong"))
	}
	joiner.Refused(429, "rate_limited", "POST", joinPath, use("wrong"))
}

func TestSharePackage(t *testing.T) {
	h := setUp(t)
	h.owner.Want(200, "PATCH", at(h.home, ""), `{"name":"Ännas <Lake> House & Co"}`)
	if _, err := h.DB.Exec(t.Context(), `
		INSERT INTO people (user_id, email, username, first_name, last_name, timezone, locale, version)
		SELECT user_id, 'a@example.com', 'anna', '', '', 'UTC', 'en', 1 FROM members`); err != nil {
		t.Fatal(err)
	}
	a := h.owner.Want(201, "POST", at(h.home, "generate-share-package/"), `{"expires_in_hours":2}`)
	trips(t, 1, "package", a)
	if got := a.Header.Get("Content-Disposition"); got != `attachment; filename=nnas-lake-house-co.hearth` {
		t.Errorf("Content-Disposition %q", got)
	}
	p := testkit.JSON[residence.SharePackage](t, a)
	if p.Version != 1 || p.ResidenceName != "Ännas <Lake> House & Co" || p.InviterName != "anna" || p.Role != "member" ||
		!p.ExpiresAt.Equal(testkit.Start.Add(2*time.Hour)) || p.Signature == "" {
		t.Errorf("package %s", a.Body)
	}
	text := string(a.Body)
	joiner := h.As(t, newID())
	for name, forged := range map[string]string{
		"another role":   strings.Replace(text, `"member"`, `"viewer"`, 1),
		"another name":   strings.Replace(text, `House`, `Mouse`, 1),
		"no signature":   strings.Replace(text, p.Signature, "", 1),
		"another format": strings.Replace(text, `"version":1`, `"version":2`, 1),
		"no package":     "hello",
	} {
		t.Run(name, func(t *testing.T) {
			if forged == text {
				t.Fatal("nothing is forged")
			}
			joiner.For(t).Refused(422, "invalid_share_code", "POST", joinPath, map[string]string{"package": forged})
		})
	}
	got := testkit.JSON[residence.Residence](t, joiner.Want(200, "POST", joinPath, map[string]string{"package": text}))
	if got.ID != h.home.ID || got.Role != "member" {
		t.Errorf("joined %+v", got)
	}
	joiner.Refused(422, "invalid_share_code", "POST", joinPath, map[string]string{"package": text})
	joiner.Refused(422, "validation_failed", "POST", joinPath, `{}`)
	joiner.Refused(422, "validation_failed", "POST", joinPath, map[string]string{"package": text, "code": p.Code})
}
