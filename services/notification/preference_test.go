package notification_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	"hearth.internal/notification"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
)

const preferences = "/api/notifications/preferences/"

func preferencesOf(t *testing.T, a testkit.Answer) notification.Preferences {
	t.Helper()
	return testkit.JSON[notification.Preferences](t, a)
}

// usual is what everybody begins with.
const usual = `{"version":1,"kinds":{"task_due_soon":{"push":true,"email":true},"task_overdue":{"push":true,"email":true},"task_completed":{"push":true,"email":true},` +
	`"task_assigned":{"push":true,"email":true},"residence_shared":{"push":true,"email":true},"warranty_expiring":{"push":true,"email":true},"digest":{"push":true,"email":true}},` +
	`"reminder_time":"09:00","digest_time":"08:00","due_soon_days":1,"quiet_hours":null,"snoozed_until":null,"snooze_minutes":60}` + "\n"

// wholeBody is a body of PUT, other than the usual in every field.
func wholeBody() map[string]any {
	kinds := map[string]any{}
	for i, kind := range notification.Kinds() {
		kinds[kind] = map[string]any{"push": i%2 == 0, "email": i%2 == 1}
	}
	return map[string]any{
		"kinds": kinds, "reminder_time": "18:30", "digest_time": "23:59", "due_soon_days": 30, "quiet_hours": map[string]any{"from": "22:00", "until": "07:00"},
		"snoozed_until": "2026-03-12T08:00:00Z", "snooze_minutes": 10080,
	}
}

func TestPreferences(t *testing.T) {
	for _, prepare := range []bool{true, false} {
		t.Run(fmt.Sprintf("prepared %t", prepare), func(t *testing.T) {
			cfg := configuration(t)
			cfg.DatabasePrepare = prepare
			s := run(t, cfg)
			me := s.As(t, ann)
			a := me.Want(200, "GET", preferences, nil) // no event has told of her yet
			wantTrips(t, a, 1)
			if string(a.Body) != usual || a.Header.Get("ETag") != `"1"` {
				t.Errorf("%s %s", a.Header.Get("ETag"), a.Body)
			}
			testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Username: "ann", Version: 1})
			if again := me.Want(200, "GET", preferences, nil); string(again.Body) != usual {
				t.Errorf("%s", again.Body)
			}
			put := me.Want(200, "PUT", preferences, wholeBody(), "If-Match", `"1"`)
			var got map[string]any
			if err := json.Unmarshal(put.Body, &got); err != nil {
				t.Fatal(err)
			}
			want := wholeBody()
			want["version"], want["due_soon_days"], want["snooze_minutes"] = 2.0, 30.0, 10080.0
			if !reflect.DeepEqual(got, want) || put.Header.Get("ETag") != `"2-silent"` {
				t.Errorf("%s %s", put.Header.Get("ETag"), put.Body)
			}
			if now := me.Want(200, "GET", preferences, nil); string(now.Body) != string(put.Body) {
				t.Errorf("%s", now.Body)
			}
			if other := s.As(t, bob).Want(200, "GET", preferences, nil); string(other.Body) != usual {
				t.Errorf("another's: %s", other.Body)
			}
			same := me.Want(200, "PUT", preferences, wholeBody()) // moves no reminder
			wantTrips(t, same, 1)
			s.Clock.Advance(48 * time.Hour)
			after := me.Want(200, "GET", preferences, nil, "If-None-Match", same.Header.Get("ETag")) // it is another by itself
			if p := preferencesOf(t, after); p.SnoozedUntil != nil || p.Version != 3 {
				t.Errorf("silent until %v, which is past", p.SnoozedUntil)
			}
			me.Want(304, "GET", preferences, nil, "If-None-Match", after.Header.Get("ETag"))
			me.Want(200, "PATCH", preferences, `{}`, "If-Match", same.Header.Get("ETag")) // the version is the one
		})
	}
}

func TestAPatchReachesDownToOneChannel(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	step := func(body string, change func(*notification.Preferences)) {
		t.Helper()
		want := preferencesOf(t, me.Want(200, "GET", preferences, nil))
		change(&want)
		want.Version++
		a := me.Want(200, "PATCH", preferences, body)
		if got := preferencesOf(t, a); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s", body, a.Body)
		}
	}
	step(`{"kinds":{"digest":{"email":false}}}`, func(p *notification.Preferences) { p.Kinds.Digest.Email = false })
	step(`{"kinds":{"digest":{"push":false},"task_overdue":{"push":false,"email":false}}}`, func(p *notification.Preferences) {
		p.Kinds.Digest.Push, p.Kinds.TaskOverdue = false, notification.Choice{}
	})
	step(`{"kinds":{"digest":{}}}`, func(*notification.Preferences) {})
	step(`{}`, func(*notification.Preferences) {})
	step(`{"due_soon_days":3,"reminder_time":"00:00"}`, func(p *notification.Preferences) { p.DueSoonDays, p.ReminderTime = 3, "00:00" })
	step(`{"quiet_hours":{"from":"22:00","until":"07:00"}}`, func(p *notification.Preferences) {
		p.QuietHours = &notification.QuietHours{From: "22:00", Until: "07:00"}
	})
	step(`{"quiet_hours":{"from":"23:15"}}`, func(p *notification.Preferences) { p.QuietHours.From = "23:15" })
	step(`{"quiet_hours":{}}`, func(*notification.Preferences) {})
	me.Refused(422, "validation_failed", "PATCH", preferences, `{"quiet_hours":{"until":"23:15"}}`)
	step(`{"quiet_hours":null}`, func(p *notification.Preferences) { p.QuietHours = nil })
	me.Refused(422, "validation_failed", "PATCH", preferences, `{"quiet_hours":{"from":"23:15"}}`)
	in := s.Clock.Now().Add(time.Hour)
	step(`{"snoozed_until":"`+in.Format(time.RFC3339)+`"}`, func(p *notification.Preferences) { p.SnoozedUntil = &in })
	step(`{"snooze_minutes":5}`, func(p *notification.Preferences) { p.SnoozeMinutes = 5 })
	step(`{"snoozed_until":"2020-01-01T00:00:00Z"}`, func(p *notification.Preferences) { p.SnoozedUntil = nil })
	wantTrips(t, me.Want(200, "PATCH", preferences, `{"snooze_minutes":10}`), 1)
}

func TestPreferencesThatAreNone(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	for _, body := range []string{
		`{"kinds":{"weather":{"push":true}}}`, `{"kinds":{"digest":{"sms":true}}}`, `{"kinds":{"digest":true}}`, `{"kinds":{"digest":null}}`, `{"kinds":null}`,
		`{"kinds":{"digest":{"push":null}}}`, `{"kinds":{"digest":{"push":"yes"}}}`, `{"kinds":[]}`, `{"reminder_time":"24:00"}`, `{"reminder_time":"9:00"}`,
		`{"reminder_time":"09:60"}`, `{"reminder_time":"09:00:00"}`, `{"reminder_time":null}`, `{"reminder_time":""}`, `{"digest_time":"noon"}`, `{"digest_time":"08:00\n"}`,
		`{"due_soon_days":0}`, `{"due_soon_days":31}`, `{"due_soon_days":1.5}`, `{"due_soon_days":null}`, `{"snooze_minutes":4}`, `{"snooze_minutes":10081}`,
		`{"quiet_hours":{"from":"07:00","until":"07:00"}}`, `{"quiet_hours":{"from":"25:00","until":"07:00"}}`, `{"quiet_hours":{"from":null,"until":"07:00"}}`,
		`{"quiet_hours":{"from":"22:00","until":"07:00","zone":"UTC"}}`, `{"quiet_hours":"22:00-07:00"}`, `{"snoozed_until":"2027-04-01T00:00:00Z"}`,
		`{"snoozed_until":"tomorrow"}`, `{"snoozed_until":7}`, `{"version":1}`, `{"language":"de"}`, `[]`, `null`,
	} {
		if a := me.Call("PATCH", preferences, body); a.Status != 422 || a.Code() != "validation_failed" {
			t.Errorf("PATCH %s: %d %s", body, a.Status, a.Body)
		}
	}
	for _, missing := range []string{"kinds", "reminder_time", "digest_time", "due_soon_days", "snooze_minutes"} {
		body := wholeBody()
		delete(body, missing)
		me.Refused(422, "validation_failed", "PUT", preferences, body)
	}
	for name, change := range map[string]func(map[string]any){
		"a kind is missing": func(b map[string]any) { delete(b["kinds"].(map[string]any), "digest") },
		"a kind is unknown": func(b map[string]any) {
			b["kinds"].(map[string]any)["weather"] = map[string]any{"push": true, "email": true}
		},
		"a channel is missing": func(b map[string]any) { b["kinds"].(map[string]any)["digest"] = map[string]any{"push": true} },
		"a channel is null": func(b map[string]any) {
			b["kinds"].(map[string]any)["digest"] = map[string]any{"push": true, "email": nil}
		},
		"quiet from null":        func(b map[string]any) { b["quiet_hours"] = map[string]any{"from": nil, "until": "07:00"} },
		"quiet until null":       func(b map[string]any) { b["quiet_hours"] = map[string]any{"from": "22:00", "until": nil} },
		"half of the quiet ones": func(b map[string]any) { b["quiet_hours"] = map[string]any{"from": "22:00"} },
		"quiet all day":          func(b map[string]any) { b["quiet_hours"] = map[string]any{"from": "22:00", "until": "22:00"} },
		"a null time":            func(b map[string]any) { b["reminder_time"] = nil },
	} {
		body := wholeBody()
		change(body)
		if a := me.Call("PUT", preferences, body); a.Status != 422 || a.Code() != "validation_failed" {
			t.Errorf("PUT, %s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := me.Want(200, "GET", preferences, nil); string(a.Body) != usual {
		t.Errorf("changed: %s", a.Body)
	}
	for body, location := range map[string]string{
		`{"kinds":{"digest":{"push":null}}}`: "body.kinds.digest.push", `{"quiet_hours":{"from":"9"}}`: "body.quiet_hours.from", `{"kinds":{"weather":{}}}`: "body.kinds.weather",
	} {
		a := testkit.JSON[apperr.Problem](t, me.Want(422, "PATCH", preferences, body))
		if len(a.Errors) != 1 || a.Errors[0].Location != location {
			t.Errorf("%s is said to be wrong at %+v", body, a.Errors)
		}
	}
	s.AsNobody(t).Refused(401, "authentication_required", "PATCH", preferences, `{}`)
}

func TestStalePreferencesAreNotWritten(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	me.Want(200, "PATCH", preferences, `{"snooze_minutes":10}`, "If-Match", `"1"`)
	for _, body := range []string{`{"snooze_minutes":20}`, `{"reminder_time":"10:00"}`} {
		me.Refused(412, "version_conflict", "PATCH", preferences, body, "If-Match", `"1"`)
	}
	me.Refused(412, "version_conflict", "PUT", preferences, wholeBody(), "If-Match", `"x"`)
	if p := preferencesOf(t, me.Want(200, "GET", preferences, nil)); p.Version != 2 || p.SnoozeMinutes != 10 || p.ReminderTime != "09:00" {
		t.Errorf("%+v", p)
	}
	// Of many who have read the same, one writes; those who have not read lose nothing of each other.
	var everybody sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 20 {
		everybody.Go(func() {
			a := me.Call("PATCH", preferences, fmt.Sprintf(`{"reminder_time":"1%d:00"}`, i%10), "If-Match", `"2"`)
			mu.Lock()
			defer mu.Unlock()
			statuses[a.Status]++
		})
	}
	everybody.Wait()
	if !maps.Equal(statuses, map[int]int{200: 1, 412: 19}) {
		t.Errorf("%v", statuses)
	}
	kinds := notification.Kinds()
	for _, kind := range kinds {
		for _, channel := range []string{"push", "email"} {
			everybody.Go(func() {
				me.Want(200, "PATCH", preferences, map[string]any{"kinds": map[string]any{kind: map[string]any{channel: false}}})
			})
		}
	}
	everybody.Wait()
	if p := preferencesOf(t, me.Want(200, "GET", preferences, nil)); p.Kinds != (notification.Choices{}) || p.Version != 3+2*len(kinds) {
		t.Errorf("%+v", p)
	}
}

func TestPreferencesOfWhomNoEventHasToldYetAreKept(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	var both sync.WaitGroup
	both.Go(func() { me.Want(200, "PUT", preferences, wholeBody()) })
	both.Go(func() { me.Want(200, "PATCH", preferences, `{}`) })
	both.Go(func() {
		testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Username: "ann", Version: 1})
	})
	both.Wait()
	p := preferencesOf(t, me.Want(200, "GET", preferences, nil))
	if p.ReminderTime != "18:30" || p.Version != 3 || p.Kinds.Digest != (notification.Choice{Push: true}) {
		t.Errorf("%+v", p)
	}
}
