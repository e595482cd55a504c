package residence_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

type syncedMember struct {
	ResidenceID uuid.UUID `json:"residence_id"`
	residence.Member
}

type changes = internalapi.SyncPage[struct {
	Residences []map[string]any
	Members    []syncedMember
}, struct {
	Members []struct {
		ResidenceID uuid.UUID `json:"residence_id"`
		UserID      uuid.UUID `json:"user_id"`
	}
}]

func (h house) askSync(t *testing.T, c *testkit.Client, state internalapi.SyncState) changes {
	t.Helper()
	testkit.AwaitHorizon(t, h.DB)
	return testkit.JSON[changes](t, c.For(t).Want(200, "POST", "/internal/sync", internalapi.SyncQuery{State: state, Limit: 10}))
}

func TestSyncFollowsResidencesAndTheirMembers(t *testing.T) {
	h := setUp(t)
	member := h.join(t, "member")
	h.settle(t)
	member.Want(200, "GET", base, nil) // who sees what is known
	trips(t, 1, "sync", member.Want(200, "POST", "/internal/sync", internalapi.SyncQuery{Limit: 10}))
	page := h.askSync(t, member, internalapi.SyncState{})
	if len(page.Rows.Residences) != 1 || page.Rows.Residences[0]["role"] != "member" || len(page.Rows.Members) != 2 || page.More {
		t.Fatalf("first load %+v", page)
	}
	if _, sent := page.Rows.Residences[0]["member_count"]; sent {
		t.Error("a count is sent that does not follow what it counts")
	}
	state := page.State
	if page = h.askSync(t, member, state); len(page.Rows.Residences)+len(page.Rows.Members) != 0 {
		t.Errorf("nothing has changed: %+v", page.Rows)
	}

	member.Want(200, "PATCH", at(h.home, ""), `{"is_primary":true}`)
	page = h.askSync(t, member, state)
	if len(page.Rows.Residences) != 1 || page.Rows.Residences[0]["is_primary"] != true {
		t.Errorf("a primary home %+v", page.Rows)
	}
	state = page.State
	second := add(t, member, `{"name":"Hut","is_primary":true}`)
	page = h.askSync(t, member, state) // the one that is primary, and the one that is no longer
	if len(page.Rows.Residences) != 2 || page.Rows.Residences[0]["is_primary"] == page.Rows.Residences[1]["is_primary"] {
		t.Errorf("another primary home %+v", page.Rows)
	}
	state = page.State
	h.settle(t)

	h.owner.Want(200, "POST", at(h.home, "transfer/"), `{"user_id":"`+member.Actor.UserID.String()+`"}`)
	member.Want(200, "GET", base, nil)
	page = h.askSync(t, member, state)
	if len(page.Rows.Residences) != 1 || page.Rows.Residences[0]["role"] != "owner" || len(page.Rows.Members) != 2 {
		t.Errorf("a transfer %+v", page.Rows)
	}
	state = page.State
	h.settle(t)

	h.owner.Want(204, "DELETE", userPath(h, h.owner.Actor.UserID), nil)
	member.Want(200, "GET", base, nil)
	page = h.askSync(t, member, state)
	if len(page.Removed.Members) != 1 || page.Removed.Members[0].ResidenceID != h.home.ID || page.Removed.Members[0].UserID != h.owner.Actor.UserID {
		t.Errorf("somebody left %+v", page)
	}
	h.settle(t)
	h.owner.Want(200, "GET", base, nil)
	if page := h.askSync(t, h.owner, state); !slices.Contains(page.Lost, h.home.ID) || len(page.Rows.Residences)+len(page.Rows.Members)+len(page.Removed.Members) != 0 {
		t.Errorf("who left gets %+v", page)
	}
	if second.ID == h.home.ID {
		t.Fatal("one home only")
	}
}

func TestSyncSendsMembersAgainUnderTheirNewNames(t *testing.T) {
	h := setUp(t)
	h.owner.Want(200, "GET", base, nil)
	state := h.askSync(t, h.owner, internalapi.SyncState{}).State
	for _, sql := range []string{
		`INSERT INTO people (user_id, email, username, first_name, last_name, timezone, locale, version)
		VALUES (@id, 'anna@example.com', 'anna', 'Anna', 'Berg', 'UTC', 'en', 1)`,
		`UPDATE people SET first_name = 'Anne', version = 2 WHERE user_id = @id`,
	} {
		if _, err := h.DB.Exec(t.Context(), sql, pgx.NamedArgs{"id": h.owner.Actor.UserID}); err != nil {
			t.Fatal(err)
		}
		page := h.askSync(t, h.owner, state)
		if len(page.Rows.Members) != 1 || page.Rows.Members[0].LastName != "Berg" {
			t.Errorf("%+v", page.Rows)
		}
		state = page.State
	}
	if _, err := h.DB.Exec(t.Context(), `UPDATE people SET timezone = 'Europe/Berlin', version = 3`); err != nil {
		t.Fatal(err)
	}
	if page := h.askSync(t, h.owner, state); len(page.Rows.Members) != 0 {
		t.Errorf("what nobody sees is sent: %+v", page.Rows)
	}
}

func TestSyncOfADeletedResidenceLeavesNoTombstones(t *testing.T) {
	h := setUp(t)
	h.join(t, "member")
	h.owner.Want(204, "DELETE", at(h.home, ""), nil)
	var buried int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM tombstones`).Scan(&buried); err != nil || buried != 0 {
		t.Errorf("%d tombstones (%v)", buried, err)
	}
}
