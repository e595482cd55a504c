package residence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

// invitations are those on their way, each with its code.
func (h house) invitations(t *testing.T) (all []events.Invitation, codes []string) {
	t.Helper()
	for _, raw := range h.Outbox(t, "residence.invited") {
		var i events.Invitation
		if err := json.Unmarshal(raw, &i); err != nil {
			t.Fatal(err)
		}
		plain, err := seal.Open(notificationKey, i.Sealed)
		var box events.CodeBox
		if err == nil {
			err = json.Unmarshal(plain, &box)
		}
		if err != nil {
			t.Fatalf("sealed %q: %v", plain, err)
		}
		i.Sealed = nil
		all, codes = append(all, i), append(codes, box.Code)
	}
	return all, codes
}

func inviting(email string) string { return fmt.Sprintf(`{"email":%q}`, email) }

func TestInvitingByMail(t *testing.T) {
	h := setUp(t)
	member := h.join(t, "member")
	_, err := h.DB.Exec(t.Context(), `
		INSERT INTO people (user_id, email, username, first_name, last_name, timezone, locale, version)
		VALUES (@id, 'anna@example.com', 'anna', 'Anna', 'Berg', 'UTC', 'de-CH', 1)`, pgx.NamedArgs{"id": h.owner.Actor.UserID})
	if err != nil {
		t.Fatal(err)
	}
	first := h.code(t, nil)
	if all, _ := h.invitations(t); len(all) != 0 {
		t.Errorf("nobody was to be invited: %+v", all)
	}
	a := h.owner.Want(201, "POST", at(h.home, "generate-share-code/"), `{"email":" sam@example.com ","role":"viewer","expires_in_hours":48}`)
	trips(t, 1, "invite", a)
	made := testkit.JSON[residence.ShareCode](t, a)
	if made.Role != "viewer" || !made.ExpiresAt.Equal(testkit.Start.Add(48*time.Hour)) || strings.Contains(string(a.Body), "sam") {
		t.Errorf("answered %s", a.Body)
	}
	// Of the second inviter nothing is known yet; an address that is null is none.
	member.Want(201, "POST", at(h.home, "generate-share-code/"), `{"email":"eve@example.com"}`)
	last := testkit.JSON[residence.ShareCode](t, member.Want(201, "POST", at(h.home, "generate-share-code/"), `{"email":null}`))
	all, codes := h.invitations(t)
	want := []events.Invitation{{
		ResidenceID: h.home.ID, ResidenceName: "Lake house", InviterID: h.owner.Actor.UserID, InviterName: "Anna Berg", Email: "sam@example.com",
		Locale: "de-CH", Role: "viewer", ExpiresAt: testkit.Start.Add(48 * time.Hour).Format(time.RFC3339),
	}, {
		ResidenceID: h.home.ID, ResidenceName: "Lake house", InviterID: member.Actor.UserID, Email: "eve@example.com",
		Locale: "en", Role: "member", ExpiresAt: testkit.Start.Add(24 * time.Hour).Format(time.RFC3339),
	}}
	if len(all) != 2 || fmt.Sprintf("%+v", all) != fmt.Sprintf("%+v", want) || codes[0] != made.Code {
		t.Errorf("told %+v, wanted %+v", all, want)
	}
	var kept []byte
	if err := h.DB.QueryRow(t.Context(), `SELECT string_agg(to_jsonb(outbox)::text, '')::bytea FROM outbox`).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	for _, code := range append(codes, first.Code, last.Code) {
		if bytes.Contains(kept, []byte(code)) {
			t.Error("the outbox holds a code in plain")
		}
	}
	h.As(t, newID()).Want(200, "POST", joinPath, use(last.Code))
}

func TestInvitationsThatAreRefused(t *testing.T) {
	h := setUp(t)
	viewer := h.join(t, "viewer")
	path := at(h.home, "generate-share-code/")
	code := h.code(t, nil)
	for _, email := range []string{"", " ", "sam", "sam@localhost", "Sam <sam@example.com>", "sam@example.com, eve@example.com", "sam@example.com\nBcc: eve@example.com",
		strings.Repeat("a", 65) + "@example.com", strings.Repeat("a", 250) + "@example.com"} {
		h.owner.Refused(422, "validation_failed", "POST", path, map[string]string{"email": email})
	}
	h.owner.Refused(422, "validation_failed", "POST", path, `{"email":7}`)
	h.owner.Refused(422, "validation_failed", "POST", path, `{"e-mail":"sam@example.com"}`)
	h.owner.Refused(422, "validation_failed", "POST", at(h.home, "generate-share-package/"), inviting("sam@example.com"))
	viewer.Refused(403, "not_permitted", "POST", path, inviting("sam@example.com"))
	h.As(t, newID()).Refused(404, "not_found", "POST", path, inviting("sam@example.com"))
	h.AsNobody(t).Refused(401, "authentication_required", "POST", path, inviting("sam@example.com"))
	if all, _ := h.invitations(t); len(all) != 0 {
		t.Errorf("told %+v", all)
	}
	var counted int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM invitations_sent`).Scan(&counted); err != nil || counted != 0 {
		t.Errorf("%d people are counted who invited nobody (%v)", counted, err)
	}
	h.As(t, newID()).Want(200, "POST", joinPath, use(code.Code)) // what was refused ended no code
}

func TestTwentyInvitationsADayAreMailedHoweverManyComeAtOnce(t *testing.T) {
	h := setUp(t)
	second := add(t, h.owner, `{"name":"Hut"}`)
	statuses := atOnce(26, func(i int) int {
		home := h.home
		if i%2 == 1 {
			home = second
		}
		return h.owner.Call("POST", at(home, "generate-share-code/"), inviting(fmt.Sprintf("guest%d@example.com", i))).Status
	})
	if all, _ := h.invitations(t); count(statuses, 201) != 20 || count(statuses, 429) != 6 || len(all) != 20 {
		t.Fatalf("statuses %v, %d invitations", statuses, len(all))
	}
	h.Clock.Advance(23 * time.Hour)
	shown := testkit.JSON[residence.ShareCode](t, h.owner.Want(200, "GET", at(h.home, "share-code/"), nil))
	a := h.owner.Refused(429, "rate_limited", "POST", at(h.home, "generate-share-code/"), inviting("sam@example.com"))
	if a.Header.Get("Retry-After") != "3600" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	trips(t, 1, "refused", a)
	if again := testkit.JSON[residence.ShareCode](t, h.owner.Want(200, "GET", at(h.home, "share-code/"), nil)); again != shown {
		t.Error("what was refused made another code")
	}
	h.code(t, nil) // a code that is not mailed is no invitation
	member := h.join(t, "member")
	member.Want(201, "POST", at(h.home, "generate-share-code/"), inviting("sam@example.com")) // others are not kept
	h.Clock.Advance(time.Hour)
	h.owner.Want(201, "POST", at(h.home, "generate-share-code/"), inviting("sam@example.com"))
}
