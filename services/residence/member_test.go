package residence_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

func userPath(h house, user uuid.UUID) string { return at(h.home, "users/"+user.String()+"/") }

// lastChange is the newest residence.members_changed.
func (h house) lastChange(t *testing.T) events.Membership {
	t.Helper()
	payloads := h.Outbox(t, "residence.members_changed")
	var event events.Membership
	if err := json.Unmarshal(payloads[len(payloads)-1], &event); err != nil {
		t.Fatal(err)
	}
	return event
}

func sameIDs(got []uuid.UUID, want ...uuid.UUID) bool {
	got = slices.Clone(got)
	compare := func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(got, compare)
	slices.SortFunc(want, compare)
	return slices.Equal(got, want)
}

func TestUsersAreListedWithTheirNames(t *testing.T) {
	h := setUp(t)
	viewer := h.join(t, "viewer")
	_, err := h.DB.Exec(t.Context(), `
		INSERT INTO people (user_id, email, username, first_name, last_name, timezone, locale, version)
		VALUES (@id, 'anna@example.com', 'anna', 'Anna', 'Berg', 'UTC', 'en', 1)`, pgx.NamedArgs{"id": h.owner.Actor.UserID})
	if err != nil {
		t.Fatal(err)
	}
	a := viewer.Want(200, "GET", at(h.home, "users/"), nil)
	list := testkit.JSON[page.List[residence.Member]](t, a)
	if len(list.Items) != 2 {
		t.Fatalf("users %s", a.Body)
	}
	for _, m := range list.Items {
		switch m.ID {
		case h.owner.Actor.UserID:
			if m.Email != "anna@example.com" || m.Username != "anna" || m.FirstName != "Anna" || m.LastName != "Berg" || m.Role != "owner" {
				t.Errorf("owner %+v", m)
			}
		case viewer.Actor.UserID:
			if m.Email != "" || m.Role != "viewer" || !m.JoinedAt.Equal(testkit.Start) {
				t.Errorf("not known yet %+v", m)
			}
		default:
			t.Errorf("stranger %+v", m)
		}
	}
	first := testkit.JSON[page.List[residence.Member]](t, viewer.Want(200, "GET", at(h.home, "users/?limit=1"), nil))
	second := testkit.JSON[page.List[residence.Member]](t, viewer.Want(200, "GET", at(h.home, "users/?limit=1&cursor="+*first.NextCursor), nil))
	if second.NextCursor != nil || first.Items[0].ID == second.Items[0].ID {
		t.Errorf("pages %+v %+v", first, second)
	}
}

func TestRoleChangeIsSeenAtOnce(t *testing.T) {
	h := setUp(t)
	member := h.join(t, "member")
	member.Want(200, "GET", base, nil) // cached
	code := testkit.JSON[residence.ShareCode](t, member.Want(201, "POST", at(h.home, "generate-share-code/"), nil))
	a := h.owner.Want(200, "PATCH", userPath(h, member.Actor.UserID), `{"role":"viewer"}`)
	trips(t, 1, "role", a)
	if got := testkit.JSON[residence.Member](t, a); got.Role != "viewer" || got.ID != member.Actor.UserID {
		t.Errorf("changed %s", a.Body)
	}
	if got := h.read(t, member); got.Role != "viewer" {
		t.Errorf("role %s", got.Role)
	}
	member.Refused(403, "not_permitted", "POST", at(h.home, "generate-share-code/"), nil)
	event := h.lastChange(t)
	if event.Change != "role" || event.Role != "viewer" || event.UserID != member.Actor.UserID || event.OwnerID != h.owner.Actor.UserID ||
		event.ActorID != h.owner.Actor.UserID || !sameIDs(event.AffectedIDs, h.owner.Actor.UserID, member.Actor.UserID) {
		t.Errorf("event %+v", event)
	}
	// The code that the new viewer knew is dead.
	h.As(t, newID()).Refused(422, "invalid_share_code", "POST", base+"join-with-code/", `{"code":"`+code.Code+`"}`)
	n := len(h.Outbox(t, "residence.members_changed"))
	h.owner.Want(200, "PATCH", userPath(h, member.Actor.UserID), `{"role":"viewer"}`)
	if got := len(h.Outbox(t, "residence.members_changed")); got != n {
		t.Error("the same role again is an event")
	}
	h.owner.Refused(409, "impossible_move", "PATCH", userPath(h, h.owner.Actor.UserID), `{"role":"member"}`)
	h.owner.Refused(422, "validation_failed", "PATCH", userPath(h, member.Actor.UserID), `{"role":"owner"}`)
	h.owner.Refused(404, "not_found", "PATCH", userPath(h, newID()), `{"role":"member"}`)
}

func TestLeavingAndRemoving(t *testing.T) {
	h := setUp(t)
	leaver, removed := h.join(t, "viewer"), h.join(t, "member")
	code := testkit.JSON[residence.ShareCode](t, removed.Want(201, "POST", at(h.home, "generate-share-code/"), nil))
	leaver.Want(200, "PATCH", at(h.home, ""), `{"is_primary":true}`)
	leaver.Want(200, "GET", base, nil)
	a := leaver.Want(204, "DELETE", userPath(h, leaver.Actor.UserID), nil)
	trips(t, 1, "leave", a)
	leaver.Refused(404, "not_found", "GET", at(h.home, "users/"), nil)
	leaver.Refused(404, "not_found", "DELETE", userPath(h, leaver.Actor.UserID), nil)
	if event := h.lastChange(t); event.Change != "left" || event.Role != "" || event.UserID != leaver.Actor.UserID ||
		!sameIDs(event.AffectedIDs, h.owner.Actor.UserID, leaver.Actor.UserID, removed.Actor.UserID) {
		t.Errorf("event %+v", event)
	}
	removed.Refused(403, "not_permitted", "DELETE", userPath(h, h.owner.Actor.UserID), nil)
	h.owner.Refused(409, "owner_cannot_leave", "DELETE", userPath(h, h.owner.Actor.UserID), nil)
	h.owner.Refused(404, "not_found", "DELETE", userPath(h, newID()), nil)
	removed.Want(200, "GET", base, nil)
	h.owner.Want(204, "DELETE", userPath(h, removed.Actor.UserID), nil)
	if event := h.lastChange(t); event.Change != "removed" || event.ActorID != h.owner.Actor.UserID {
		t.Errorf("event %+v", event)
	}
	removed.Refused(404, "not_found", "GET", at(h.home, "users/"), nil)
	// Nobody who was put out lets themselves in again.
	removed.Refused(422, "invalid_share_code", "POST", base+"join-with-code/", `{"code":"`+code.Code+`"}`)
}

func TestTransferMakesTheOtherTheOwner(t *testing.T) {
	h := setUp(t)
	heir, third := h.join(t, "viewer"), h.join(t, "member")
	for _, c := range []*testkit.Client{h.owner, heir, third} {
		c.Want(200, "GET", base, nil)
	}
	body := fmt.Sprintf(`{"user_id":%q}`, heir.Actor.UserID)
	h.owner.Refused(422, "validation_failed", "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, newID()))
	h.owner.Refused(422, "validation_failed", "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, h.owner.Actor.UserID))
	h.owner.Refused(422, "validation_failed", "POST", at(h.home, "transfer/"), `{}`)
	a := h.owner.Want(200, "POST", at(h.home, "transfer/"), body, "If-Match", `"1"`)
	trips(t, 1, "transfer", a)
	if got := testkit.JSON[residence.Residence](t, a); got.Role != "member" || got.OwnerID != heir.Actor.UserID || got.Version != 2 || got.MemberCount != 3 {
		t.Errorf("transferred %s", a.Body)
	}
	if got := h.read(t, heir); got.Role != "owner" {
		t.Errorf("heir's role %s", got.Role)
	}
	list := testkit.JSON[page.List[residence.MyResidence]](t, third.Want(200, "GET", base+"my-residences/", nil))
	if list.Items[0].OwnerID != heir.Actor.UserID {
		t.Error("the third still sees the old owner")
	}
	event := h.lastChange(t)
	if event.Change != "transferred" || event.OwnerID != heir.Actor.UserID || event.UserID != heir.Actor.UserID || event.Role != "owner" ||
		!sameIDs(event.AffectedIDs, h.owner.Actor.UserID, heir.Actor.UserID, third.Actor.UserID) {
		t.Errorf("event %+v", event)
	}
	h.owner.Refused(403, "not_permitted", "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, third.Actor.UserID))
	h.owner.Want(204, "DELETE", userPath(h, h.owner.Actor.UserID), nil)
}

// Whatever happens at once, there is one owner.
func TestOneOwnerWhateverRacesWithATransfer(t *testing.T) {
	h := setUp(t)
	for round := range 10 {
		a, b := h.join(t, "member"), h.join(t, "member")
		clients := map[uuid.UUID]*testkit.Client{h.owner.Actor.UserID: h.owner, a.Actor.UserID: a, b.Actor.UserID: b}
		atOnce(6, func(i int) int {
			switch i {
			case 0:
				return h.owner.Call("POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, a.Actor.UserID)).Status
			case 1:
				return h.owner.Call("POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, b.Actor.UserID)).Status
			case 2:
				return a.Call("DELETE", userPath(h, a.Actor.UserID), nil).Status
			case 3:
				return h.owner.Call("DELETE", userPath(h, h.owner.Actor.UserID), nil).Status
			case 4:
				return h.owner.Call("DELETE", userPath(h, b.Actor.UserID), nil).Status
			}
			return h.owner.Call("PATCH", userPath(h, b.Actor.UserID), `{"role":"viewer"}`).Status
		})
		var owners []uuid.UUID
		rows, err := h.DB.Query(t.Context(), `SELECT user_id FROM members WHERE residence_id = @id AND role = 'owner'`, pgx.NamedArgs{"id": h.home.ID})
		if err == nil {
			owners, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		}
		if err != nil || len(owners) != 1 {
			t.Fatalf("round %d: owners %v (%v)", round, owners, err)
		}
		h.owner = clients[owners[0]]
	}
}

func TestPeopleAreKeptWhateverTheOrderOfTheirEvents(t *testing.T) {
	h := setUp(t)
	user := events.User{ID: h.owner.Actor.UserID, Email: "a@example.com", Username: "a", FirstName: "Anna", Timezone: "UTC", Locale: "en", Version: 1}
	newer := user
	newer.FirstName, newer.Version = "Anja", 2
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: newer})
	testkit.Deliver(t, h.Service, events.UserRegistered, user)
	list := testkit.JSON[page.List[residence.Member]](t, h.owner.Want(200, "GET", at(h.home, "users/"), nil))
	if got := list.Items[0]; got.FirstName != "Anja" || got.Email != "a@example.com" {
		t.Errorf("owner %+v", got)
	}
}

// Every way in which who belongs to a residence changes is told, with who has changed it.
func TestEveryChangeOfTheMembersIsTold(t *testing.T) {
	h := setUp(t)
	owner, guest, heir := h.owner.Actor.UserID, h.As(t, newID()), h.As(t, newID())
	step := func(change string, actor, user, ownerNow uuid.UUID, role string, affected ...uuid.UUID) {
		t.Helper()
		e := h.lastChange(t)
		affects := sameIDs(e.AffectedIDs, affected...)
		e.AffectedIDs = nil
		want := events.Membership{ResidenceID: h.home.ID, OwnerID: ownerNow, UserID: user, Change: change, Role: role, ActorID: actor}
		if !affects || fmt.Sprint(e) != fmt.Sprint(want) {
			t.Errorf("told %+v, wanted %+v", e, want)
		}
	}
	g, e := guest.Actor.UserID, heir.Actor.UserID
	guest.Want(200, "POST", joinPath, use(h.code(t, `{"role":"viewer"}`).Code))
	step("joined", g, g, owner, "viewer", owner, g)
	h.owner.Want(200, "PATCH", userPath(h, g), `{"role":"member"}`)
	step("role", owner, g, owner, "member", owner, g)
	heir.Want(200, "POST", joinPath, use(h.code(t, nil).Code))
	step("joined", e, e, owner, "member", owner, g, e)
	h.owner.Want(204, "DELETE", userPath(h, g), nil)
	step("removed", owner, g, owner, "", owner, g, e)
	h.owner.Want(200, "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, e))
	step("transferred", owner, e, e, "owner", owner, e)
	h.owner.Want(204, "DELETE", userPath(h, owner), nil)
	step("left", owner, owner, e, "", owner, e)
	if n := len(h.Outbox(t, "residence.members_changed")); n != 6 {
		t.Errorf("told %d times", n)
	}
}
