package task_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
	"hearth.internal/task"
)

// calendar reads a feed with another library than wrote it, and checks what the RFC demands of every event.
func calendar(t *testing.T, a testkit.Answer) []*ical.Component {
	t.Helper()
	for line := range strings.SplitSeq(string(a.Body), "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d octets: %s", len(line), line)
		}
	}
	cal, err := ical.NewDecoder(bytes.NewReader(a.Body)).Decode()
	if err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
	if err := ical.NewEncoder(&bytes.Buffer{}).Encode(cal); err != nil { // it refuses what has not all that it must have
		if len(cal.Children) > 0 {
			t.Errorf("%v: %s", err, a.Body)
		}
	}
	seen := map[string]bool{}
	for _, e := range cal.Children {
		uid := e.Props.Get(ical.PropUID).Value
		if e.Name != ical.CompEvent || seen[uid] {
			t.Errorf("%s %s twice, or no event", e.Name, uid)
		}
		seen[uid] = true
	}
	return cal.Children
}

// starts are the days of the events with that summary.
func starts(t *testing.T, events []*ical.Component, summary string) string {
	t.Helper()
	var days []string
	for _, e := range events {
		if text, err := e.Props.Text(ical.PropSummary); err == nil && text == summary {
			days = append(days, e.Props.Get(ical.PropDateTimeStart).Value)
		}
	}
	return strings.Join(days, " ")
}

func TestTheCalendarOfTasks(t *testing.T) {
	h := open(t)
	h.owner.Refused(404, "not_found", "GET", "/api/calendar/", nil)
	h.Clock.Advance(1234 * time.Nanosecond) // finer than what is stored
	feed := testkit.JSON[task.CalendarFeed](t, h.owner.Want(201, "POST", "/api/calendar/", nil))
	if shown := testkit.JSON[task.CalendarFeed](t, h.owner.Want(200, "GET", "/api/calendar/", nil)); shown.Key != nil || shown.CreatedAt != feed.CreatedAt {
		t.Errorf("shown %+v", shown)
	}
	nobody := h.AsNobody(t)
	if got := calendar(t, nobody.Want(200, "GET", *feed.Path, nil)); len(got) != 0 {
		t.Errorf("%d events of no tasks", len(got))
	}

	title := "Süße Öfen; kehren, 掃除 und den langen Titel, der über fünfundsiebzig Oktette geht"
	h.add(t, h.owner, doc{"title": title, "description": "One;\ntwo, \\three", "frequency_id": monthly, "due_date": "2026-01-31", "category_id": plumbing, "checklist": []doc{{"title": "Ash"}}})
	h.add(t, h.owner, doc{"title": "Daily", "frequency_id": daily, "due_date": "2026-03-10"})
	h.add(t, h.owner, doc{"title": "Once", "due_date": "2026-03-20", "assigned_to_id": h.member.Actor.UserID})
	h.add(t, h.owner, doc{"title": "Far", "due_date": "2027-04-20"})
	h.add(t, h.owner, doc{"title": "Sometime"})
	for _, how := range []string{"cancel", "archive", "quick-complete"} {
		gone := h.add(t, h.owner, doc{"title": how, "due_date": "2026-03-20"})
		h.owner.Call("POST", path("tasks", gone.ID, how), nil)
	}
	h.add(t, h.stranger, doc{"residence_id": h.elsewhere, "title": "Theirs", "due_date": "2026-03-20"})
	a := nobody.Want(200, "GET", *feed.Path, nil)
	events := calendar(t, a)
	for summary, want := range map[string]string{
		title:  "20260131 20260228 20260331 20260430 20260531 20260630 20260731 20260831 20260930 20261031 20261130 20261231 20270131 20270228",
		"Once": "20260320", "Far": "", "Sometime": "", "cancel": "", "archive": "", "quick-complete": "", "Theirs": "",
	} {
		if got := starts(t, events, summary); got != want {
			t.Errorf("%s on %s, want %s", summary, got, want)
		}
	}
	if got := strings.Fields(starts(t, events, "Daily")); len(got) != 62 {
		t.Errorf("daily on %d days", len(got))
	}
	first := events[0]
	description, err := first.Props.Text(ical.PropDescription)
	if err != nil || description != "One;\ntwo, \\three\n- Ash" || first.Props.Get(ical.PropCategories).Value != "Plumbing" || first.Props.Get(ical.PropDateTimeEnd).Value != "20260201" {
		t.Errorf("%q (%v) in %v until %v", description, err, first.Props.Get(ical.PropCategories), first.Props.Get(ical.PropDateTimeEnd))
	}
	if got := a.Header.Get("Content-Type"); got != "text/calendar; charset=utf-8" || sqlTrips(a) != 2 {
		t.Errorf("%s in %d round trips", got, sqlTrips(a))
	}
	h.settle(t)
	etag := nobody.Want(200, "GET", *feed.Path, nil).Header.Get("ETag")
	if a := nobody.Want(304, "GET", *feed.Path, nil, "If-None-Match", etag); sqlTrips(a) != 1 {
		t.Errorf("unchanged in %d round trips", sqlTrips(a))
	}
}

func TestACalendarsKeyIsOneAndCanBeTakenBack(t *testing.T) {
	h := open(t)
	h.add(t, h.owner, doc{"title": "Mine", "due_date": "2026-03-20"})
	h.add(t, h.owner, doc{"title": "Another's", "due_date": "2026-03-20", "assigned_to_id": h.member.Actor.UserID})
	first := testkit.JSON[task.CalendarFeed](t, h.owner.Want(201, "POST", "/api/calendar/", nil))
	second := testkit.JSON[task.CalendarFeed](t, h.owner.Want(201, "POST", "/api/calendar/", doc{"mine_only": true}))
	nobody := h.AsNobody(t)
	nobody.Refused(404, "not_found", "GET", *first.Path, nil)
	nobody.Refused(404, "not_found", "GET", "/api/calendar/x/tasks.ics", nil)
	got := calendar(t, nobody.Want(200, "GET", *second.Path, nil))
	if starts(t, got, "Mine") == "" || starts(t, got, "Another's") != "" {
		t.Errorf("%d events", len(got))
	}
	nobody.Refused(401, "authentication_required", "GET", "/api/tasks/", nil, "Authorization", "Token "+*second.Key)
	h.homes.Take(h.owner.Actor.UserID) // who has left sees nothing any more
	h.forget(t, h.owner)
	if got := calendar(t, nobody.Want(200, "GET", *second.Path, nil)); len(got) != 0 {
		t.Errorf("%d events for who sees no residence", len(got))
	}
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "Europe/Berlin"})
	h.owner.Want(204, "DELETE", "/api/calendar/", nil)
	h.owner.Refused(404, "not_found", "DELETE", "/api/calendar/", nil)
	nobody.Refused(404, "not_found", "GET", *second.Path, nil)
	var kept int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM calendar_feeds WHERE key_hash = $1`, []byte(*second.Key)).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("the key itself is stored (%v)", err)
	}
}
