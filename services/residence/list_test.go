package residence_test

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

func TestMyResidencesCountWhatIsDue(t *testing.T) {
	h := setUp(t)
	member := h.join(t, "viewer")
	own := add(t, member, `{"name":"Own","is_primary":true}`)
	h.tasks.counts[h.home.ID] = internalapi.TaskCounts{Open: 5, Overdue: 2, DueSoon: 1}
	member.Actor.Zone = "Pacific/Kiritimati" // fourteen hours ahead: it is tomorrow there
	a := member.Want(200, "GET", base+"my-residences/", nil)
	list := testkit.JSON[page.List[residence.MyResidence]](t, a)
	if len(list.Items) != 2 || list.NextCursor != nil {
		t.Fatalf("list %s", a.Body)
	}
	shared, mine := list.Items[0], list.Items[1]
	if shared.ID == own.ID {
		shared, mine = mine, shared
	}
	if shared.Role != "viewer" || shared.MemberCount != 2 || shared.OwnerID != h.home.OwnerID || shared.TaskCounts != h.tasks.counts[h.home.ID] {
		t.Errorf("shared %+v", shared)
	}
	if mine.Role != "owner" || mine.MemberCount != 1 || !mine.IsPrimary || mine.TaskCounts != (internalapi.TaskCounts{}) {
		t.Errorf("own %+v", mine)
	}
	if asked := h.tasks.asked[0]; asked.Today.String() != "2026-03-11" || len(asked.ResidenceIDs) != 2 {
		t.Errorf("asked %+v", asked)
	}
	sum := testkit.JSON[residence.Summary](t, member.Want(200, "GET", base+"summary/", nil))
	if sum != (residence.Summary{Residences: 2, Members: 2, TaskCounts: internalapi.TaskCounts{Open: 5, Overdue: 2, DueSoon: 1}}) {
		t.Errorf("summary %+v", sum)
	}
	nobody := h.As(t, newID())
	if sum := testkit.JSON[residence.Summary](t, nobody.Want(200, "GET", base+"summary/", nil)); sum != (residence.Summary{}) {
		t.Errorf("summary of nothing %+v", sum)
	}
}

func TestListsCostTwoRoundTripsColdOneWarmNoneUnchanged(t *testing.T) {
	h := setUp(t)
	for _, path := range []string{"", "my-residences/", "summary/"} {
		t.Run(path, func(t *testing.T) {
			owner := h.owner.For(t)
			owner.Want(200, "PATCH", at(h.home, ""), `{"city":"Madison"}`) // whoever belongs there begins cold
			h.settle(t)
			trips(t, 2, "cold", owner.Want(200, "GET", base+path, nil))
			a := owner.Want(200, "GET", base+path, nil)
			trips(t, 1, "warm", a)
			tag := a.Header.Get("ETag")
			trips(t, 0, "unchanged", owner.Want(304, "GET", base+path, nil, "If-None-Match", tag))
			h.As(t, newID()).Want(200, "GET", base+path, nil, "If-None-Match", tag)
			owner.Want(200, "PATCH", at(h.home, ""), `{"city":null}`)
			changed := owner.Want(200, "GET", base+path, nil, "If-None-Match", tag).Header.Get("ETag")
			h.join(t, "viewer")
			joined := owner.Want(200, "GET", base+path, nil, "If-None-Match", changed).Header.Get("ETag")
			owner.Want(200, "PATCH", at(h.home, ""), fmt.Sprintf(`{"is_primary":%t}`, !h.read(t, owner).IsPrimary))
			owner.Want(200, "GET", base+path, nil, "If-None-Match", joined)
		})
	}
	tag := h.owner.Want(200, "GET", base+"my-residences/", nil).Header.Get("ETag")
	h.Clock.Advance(24 * time.Hour) // another day has other counts
	h.owner.Want(200, "GET", base+"my-residences/", nil, "If-None-Match", tag)
}

func TestTaskServiceAwayIsUnavailable(t *testing.T) {
	cfg := configured(t)
	alone := testkit.Run(t, cfg.Service, residence.New(cfg))
	c := alone.As(t, newID())
	add(t, c, `{"name":"a"}`)
	c.Refused(503, "service_unavailable", "GET", base+"my-residences/", nil)
	c.Want(200, "GET", base, nil)
}

func TestListIsPagedWhileResidencesAreAdded(t *testing.T) {
	h := setUp(t)
	for i := range 4 {
		h.Clock.Advance(time.Duration(i%2) * time.Second) // some at the same instant
		add(t, h.owner, fmt.Sprintf(`{"name":"Home %d"}`, i))
	}
	for _, path := range []string{"", "my-residences/"} {
		seen := map[uuid.UUID]bool{}
		cursor := ""
		for range 10 {
			list := testkit.JSON[page.List[residence.MyResidence]](t, h.owner.Want(200, "GET", base+path+"?limit=2&cursor="+url.QueryEscape(cursor), nil))
			for _, home := range list.Items {
				if seen[home.ID] {
					t.Errorf("%s comes twice", home.Name)
				}
				seen[home.ID] = true
			}
			if list.NextCursor == nil {
				break
			}
			cursor = *list.NextCursor
			add(t, h.owner, `{"name":"Later"}`)
		}
		if len(seen) < 5 {
			t.Errorf("%s: %d seen", path, len(seen))
		}
		h.owner.Refused(422, "invalid_cursor", "GET", base+path+"?cursor=abc", nil)
		h.owner.Refused(422, "validation_failed", "GET", base+path+"?limit=201", nil)
	}
}

func TestTypesAreReadOnceFromTheDatabase(t *testing.T) {
	h := setUp(t)
	a := h.owner.Want(200, "GET", base+"types/", nil)
	trips(t, 1, "cold", a)
	types := testkit.JSON[[]internalapi.Lookup](t, a)
	if len(types) != 9 || types[0].Name != "House" || types[8].Name != "Other" || types[0].Icon == "" || types[0].Color == "" {
		t.Errorf("types %s", a.Body)
	}
	trips(t, 0, "warm", h.owner.Want(200, "GET", base+"types/", nil))
	h.owner.Want(304, "GET", base+"types/", nil, "If-None-Match", a.Header.Get("ETag"))
	lookups := testkit.JSON[internalapi.ResidenceLookups](t, h.AsPart(t, "gateway").Want(200, "GET", "/internal/lookups", nil))
	if len(lookups.ResidenceTypes) != 9 {
		t.Errorf("lookups %+v", lookups)
	}
}

func TestOtherServicesAskWhoSeesWhat(t *testing.T) {
	h := setUp(t)
	member := h.join(t, "viewer")
	part := h.AsPart(t, "task")
	a := part.Want(200, "GET", "/internal/users/"+member.Actor.UserID.String()+"/homes", nil)
	trips(t, 1, "homes", a)
	homes := testkit.JSON[[]internalapi.Home](t, a)
	if len(homes) != 1 || homes[0] != (internalapi.Home{ID: h.home.ID, OwnerID: h.home.OwnerID, Role: "viewer", Timezone: "UTC", Currency: "USD"}) {
		t.Errorf("homes %s", a.Body)
	}
	if a := part.Want(200, "GET", "/internal/users/"+uuid.NewString()+"/homes", nil); strings.TrimSpace(string(a.Body)) != "[]" {
		t.Errorf("homes of a stranger %s", a.Body)
	}
	ids := testkit.JSON[[]uuid.UUID](t, part.Want(200, "GET", "/internal/residences/"+h.home.ID.String()+"/members", nil))
	if len(ids) != 2 {
		t.Errorf("members %v", ids)
	}
	if a := part.Want(200, "GET", "/internal/residences/"+uuid.NewString()+"/members", nil); strings.TrimSpace(string(a.Body)) != "[]" {
		t.Errorf("members of nothing %s", a.Body)
	}
	at := "/internal/residences/" + h.home.ID.String()
	a = part.Want(200, "GET", at, nil)
	trips(t, 1, "name and address", a)
	place := testkit.JSON[internalapi.Place](t, a)
	if place.ID != h.home.ID || place.Name != h.home.Name || !reflect.DeepEqual(place.City, h.home.City) || !reflect.DeepEqual(place.Country, h.home.Country) {
		t.Errorf("name and address %s", a.Body)
	}
	part.Refused(404, "not_found", "GET", "/internal/residences/"+uuid.NewString(), nil)
	// The client that the others use reads the same.
	got, err := h.Calls.Residence(h.URL).Homes(t.Context(), member.Actor.UserID)
	if err != nil || len(got) != 1 || got[0] != homes[0] {
		t.Errorf("by the client: %v %v", got, err)
	}
}

// What is cached when everything has been answered is what is true, whatever ran at once.
func TestCachedAccessIsNeverStaleAfterARace(t *testing.T) {
	h := setUp(t)
	zones := []string{"Europe/Oslo", "Europe/Rome"}
	for round := range 10 {
		code, joiner := h.code(t, nil), h.As(t, newID())
		zone := zones[round%2]
		statuses := atOnce(3, func(i int) int {
			switch i {
			case 0:
				return joiner.Call("POST", joinPath, use(code.Code)).Status
			case 1:
				return h.owner.Call("PATCH", at(h.home, ""), `{"timezone":"`+zone+`"}`).Status
			}
			return joiner.Call("GET", base, nil).Status // fills the cache
		})
		homes, err := h.Access.HomesOf(t.Context(), joiner.Actor.UserID)
		if err != nil || len(homes) != 1 || homes[0].Timezone != zone || count(statuses, 200) != 3 {
			t.Errorf("round %d: %v %+v %v", round, statuses, homes, err)
		}
	}
}

func TestDocumentTellsTheAppsWhatTheyNeed(t *testing.T) {
	h := setUp(t)
	a := h.AsPart(t, "gateway").Want(200, "GET", "/internal/openapi.json", nil)
	doc := testkit.JSON[struct {
		Paths      map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}](t, a)
	operations := 0
	for path, methods := range doc.Paths {
		if !strings.HasPrefix(path, base) {
			t.Errorf("%s is in the document", path)
		}
		operations += len(methods)
	}
	if operations != 18 {
		t.Errorf("%d operations", operations)
	}
	shown := doc.Components.Schemas["Residence"].Properties
	for _, field := range []string{"id", "role", "owner_id", "member_count", "is_primary", "purchase_price", "version"} {
		if shown[field] == nil {
			t.Errorf("a residence has no %s: %v", field, shown)
		}
	}
	for _, field := range []string{"residence_type_id", "city", "purchase_date", "purchase_price"} {
		if types, _ := shown[field].(map[string]any)["type"].([]any); !slices.Contains(types, any("null")) {
			t.Errorf("%s may not be null: %v", field, shown[field])
		}
	}
	if shown["JoinedAt"] != nil || len(shown) != 26 {
		t.Errorf("a residence has %d fields", len(shown))
	}
}
