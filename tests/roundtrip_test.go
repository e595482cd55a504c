package e2e

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"hearth.internal/dev/system"
	"hearth.internal/document/filetype/samples"
	"hearth.internal/pkg/testkit"
)

// link is the round trip time between the services and their database.
const link = 110 * time.Millisecond

// farAway puts the database behind the link.
func farAway(t *testing.T) func(*system.Options) {
	t.Helper()
	u, err := url.Parse(testkit.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "postgres", "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"name":"link","type":"latency","stream":"downstream","toxicity":1,"attributes":{"latency":%d}}`, link.Milliseconds()))); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(proxy.Listen)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *system.Options) { o.DatabaseVia = net.JoinHostPort(host, port) }
}

// attempts at meeting a budget: another program on the machine can make one late, but cannot make it early.
const attempts = 4

// within asserts that an answer costs so many round trips in series, by its own count and by the clock: one more that
// nobody counted would take it over the time.
func within(t *testing.T, what string, budget int, ask func() answer) {
	t.Helper()
	asserted(t, what, budget, time.Duration(budget+1)*link, ask)
}

// counted asserts by the count alone, of what takes the processor longer than the link.
func counted(t *testing.T, what string, budget int, ask func() answer) {
	t.Helper()
	asserted(t, what, budget, time.Minute, ask)
}

func asserted(t *testing.T, what string, budget int, most time.Duration, ask func() answer) {
	t.Helper()
	var a answer
	for range attempts {
		if a = ask(); a.trips() <= budget && a.Took < most {
			t.Logf("%-60s %d round trips, %4d ms", what, a.trips(), a.Took.Milliseconds())
			return
		}
	}
	t.Errorf("%s: %d round trips in series in %v, the budget is %d in %v (%s)", what, a.trips(), a.Took, budget, most, a.Header.Get("Server-Timing"))
}

// TestRoundTripBudget is the table of the architecture page, through a link of 110 ms.
func TestRoundTripBudget(t *testing.T) {
	w := start(t, farAway(t))
	ada := w.join(t, "Ada")

	login := map[string]any{"email": ada.Email, "password": ada.Password}
	within(t, "token check and me, cold", 2, func() answer {
		fresh := *ada
		fresh.Token = ada.want(200, "POST", "/api/auth/login/", login).text("token")
		return fresh.want(200, "GET", "/api/auth/me/", nil)
	})
	// ask is one request, cold after the caches were emptied, else warm: the residences and the token are known.
	ask := func(cold bool, status int, method, path string, body func() any) func() answer {
		return func() answer {
			if cold {
				w.forget(t)
			} else {
				ada.want(200, "GET", "/api/tasks/", nil)
			}
			return ada.want(status, method, path, body())
		}
	}
	nothing := func() any { return nil }
	always := func(body map[string]any) func() any { return func() any { return body } }
	within(t, "me, token known", 1, ask(false, 200, "GET", "/api/auth/me/", nothing))

	house := ada.home("Maple Street")
	within(t, "static_data, cold", 1, ask(true, 200, "GET", "/api/static_data/", nothing))
	within(t, "static_data, warm", 0, ask(false, 200, "GET", "/api/static_data/", nothing))
	monthly := ada.lookup("task_frequencies", "monthly")
	for _, path := range []string{"/api/tasks/templates/", "/api/tasks/templates/grouped/", "/api/tasks/templates/search/?q=filter"} {
		within(t, "GET "+path+", cold", 1, ask(true, 200, "GET", path, nothing))
		within(t, "GET "+path+", warm", 0, ask(false, 200, "GET", path, nothing))
	}

	t.Run("lists", func(t *testing.T) {
		for _, path := range []string{
			"/api/tasks/", "/api/tasks/by-residence/" + house + "/", "/api/residences/my-residences/", "/api/residences/",
			"/api/residences/summary/", "/api/contractors/", "/api/contractors/by-residence/" + house + "/", "/api/task-completions/",
			"/api/residences/" + house + "/history/", "/api/residences/" + house + "/costs/", "/api/equipment/",
			"/api/equipment/" + ada.equipment(house, "Furnace") + "/history/",
			"/api/documents/", "/api/documents/?q=furnace&expiring_within_days=30", "/api/documents/warranties/",
		} {
			within(t, "GET "+path+", cold", 2, ask(true, 200, "GET", path, nothing))
			within(t, "GET "+path+", warm", 1, ask(false, 200, "GET", path, nothing))
			if etag := w.settled(ada, path).Header.Get("ETag"); etag != "" {
				within(t, "GET "+path+", 304", 0, func() answer { return ada.call("GET", path, nil, "If-None-Match", etag) })
			}
		}
	})

	t.Run("sync", func(t *testing.T) {
		// Every part asks who sees what, and reads its page, at the same time as the others.
		within(t, "GET /api/sync/, first page, cold", 2, ask(true, 200, "GET", "/api/sync/", nothing))
		cursor := ada.want(200, "GET", "/api/sync/", nil).text("next_cursor")
		within(t, "GET /api/sync/, warm", 1, ask(false, 200, "GET", syncPath(cursor, 200), nothing))
	})

	t.Run("changes", func(t *testing.T) {
		task := ada.task(house, "Sweep", nil)
		contractor := ada.want(201, "POST", "/api/contractors/", map[string]any{"name": "Rosa", "residence_id": house}).text("id")
		paper := ada.paper(house, nil)
		for _, c := range []struct {
			method, path string
			body         func() any
			status       int
		}{
			{"POST", "/api/documents/", always(map[string]any{"residence_id": house, "title": "Receipt", "price": "12.50"}), 201},
			{"PATCH", "/api/documents/" + paper + "/", always(map[string]any{"provider": "Becker"}), 200},
			{"GET", "/api/documents/" + paper + "/", nothing, 200},
			{"POST", "/api/documents/" + paper + "/deactivate/", nothing, 200},
			{"POST", "/api/tasks/", always(map[string]any{"residence_id": house, "title": "Mop"}), 201},
			{"PATCH", "/api/tasks/" + task + "/", always(map[string]any{"title": "Sweep well"}), 200},
			{"GET", "/api/tasks/" + task + "/", nothing, 200},
			{"POST", "/api/tasks/bulk/", always(map[string]any{"tasks": []any{map[string]any{"residence_id": house, "title": "One"}, map[string]any{"residence_id": house, "title": "Two"}}}), 201},
			{"POST", "/api/contractors/", always(map[string]any{"name": "Tom", "residence_id": house}), 201},
			{"PATCH", "/api/contractors/" + contractor + "/", always(map[string]any{"company": "Becker"}), 200},
			{"POST", "/api/contractors/" + contractor + "/toggle-favorite/", nothing, 200},
			{"POST", "/api/residences/", always(map[string]any{"name": "Cabin"}), 201},
			{"PATCH", "/api/residences/" + house + "/", always(map[string]any{"description": "Blue"}), 200},
			{"GET", "/api/residences/" + house + "/", nothing, 200},
			{"GET", "/api/residences/" + house + "/users/", nothing, 200},
			{"POST", "/api/residences/" + house + "/generate-share-code/", always(map[string]any{}), 201},
		} {
			within(t, c.method+" "+c.path+", cold", 2, ask(true, c.status, c.method, c.path, c.body))
			within(t, c.method+" "+c.path+", warm", 1, ask(false, c.status, c.method, c.path, c.body))
		}
		// Where its task is, is asked while the residences are.
		named := always(map[string]any{"residence_id": house, "title": "Receipt", "task_id": task, "contractor_id": contractor})
		within(t, "a document with a task, cold", 2, ask(true, 201, "POST", "/api/documents/", named))
		within(t, "a document with a task, warm", 2, ask(false, 201, "POST", "/api/documents/", named))
		for warmth, cold := range map[string]bool{"cold": true, "warm": false} {
			within(t, "DELETE a document, "+warmth, map[bool]int{true: 2, false: 1}[cold], func() answer {
				return ask(cold, 204, "DELETE", "/api/documents/"+ada.paper(house, nil)+"/", nothing)()
			})
		}
		suggested := always(map[string]any{"residence_id": house})
		ada.want(201, "POST", "/api/tasks/templates/apply/", suggested())
		within(t, "applying templates, cold", 2, ask(true, 200, "POST", "/api/tasks/templates/apply/", suggested))
		within(t, "applying templates, warm", 1, ask(false, 200, "POST", "/api/tasks/templates/apply/", suggested))
		for _, kind := range []string{"tasks", "history"} {
			path := "/api/residences/" + house + "/generate-" + kind + "-report/"
			counted(t, "POST "+path+", cold", 2, ask(true, 200, "POST", path, always(map[string]any{})))
			counted(t, "POST "+path+", warm", 1, ask(false, 200, "POST", path, always(map[string]any{})))
		}
		within(t, "a move of a task, cold", 2, func() answer {
			id := ada.task(house, "Rake", nil)
			return ask(true, 200, "POST", "/api/tasks/"+id+"/mark-in-progress/", nothing)()
		})
		within(t, "a move of a task, warm", 1, func() answer {
			id := ada.task(house, "Rake", nil)
			return ask(false, 200, "POST", "/api/tasks/"+id+"/mark-in-progress/", nothing)()
		})
		within(t, "DELETE a task, warm", 1, func() answer {
			id := ada.task(house, "Rake", nil)
			return ask(false, 204, "DELETE", "/api/tasks/"+id+"/", nothing)()
		})
		within(t, "a contractor's history, cold", 2, ask(true, 200, "GET", "/api/contractors/"+contractor+"/history/", nothing))
		within(t, "a contractor's history, warm", 1, ask(false, 200, "GET", "/api/contractors/"+contractor+"/history/", nothing))
		within(t, "DELETE a contractor, warm", 1, func() answer {
			id := ada.want(201, "POST", "/api/contractors/", map[string]any{"name": "Tom", "residence_id": house}).text("id")
			return ask(false, 204, "DELETE", "/api/contractors/"+id+"/", nothing)()
		})
	})

	t.Run("notifications", func(t *testing.T) {
		const inbox = "/api/notifications/"
		at := inbox + ada.told(w, house) + "/"
		within(t, "GET "+inbox+", cold", 2, ask(true, 200, "GET", inbox, nothing))
		within(t, "GET "+inbox+", warm", 1, ask(false, 200, "GET", inbox, nothing))
		etag := w.settled(ada, inbox).Header.Get("ETag")
		within(t, "GET "+inbox+", 304", 0, func() answer { return ada.want(304, "GET", inbox, nil, "If-None-Match", etag) })
		within(t, "unread-count, cold", 2, ask(true, 200, "GET", inbox+"unread-count/", nothing)) // one of them is the token's
		within(t, "unread-count, warm", 0, ask(false, 200, "GET", inbox+"unread-count/", nothing))
		phone := always(map[string]any{"platform": "ios", "token": strings.Repeat("0a", 32)})
		ada.want(201, "POST", inbox+"devices/", phone())
		for _, c := range []struct {
			method, path string
			body         func() any
		}{
			{"POST", at + "read/", nothing}, {"POST", at + "unread/", nothing}, {"POST", at + "snooze/", nothing},
			{"POST", inbox + "mark-all-read/", nothing}, {"POST", inbox + "clear/", nothing},
			{"GET", inbox + "preferences/", nothing}, {"PATCH", inbox + "preferences/", always(map[string]any{"snooze_minutes": 90})},
			{"GET", inbox + "devices/", nothing}, {"POST", inbox + "devices/", phone},
		} {
			within(t, c.method+" "+c.path+", cold", 2, ask(true, 200, c.method, c.path, c.body))
			within(t, c.method+" "+c.path+", warm", 1, ask(false, 200, c.method, c.path, c.body))
		}
		within(t, "DELETE a device, warm", 1, func() answer {
			id := ada.device(strings.Repeat("0b", 32))
			return ada.want(204, "DELETE", inbox+"devices/"+id+"/", nil)
		})
	})

	t.Run("equipment", func(t *testing.T) {
		furnace, boiler := ada.equipment(house, "Furnace"), ada.equipment(house, "Boiler")
		task := ada.task(house, "Filter", map[string]any{"equipment_id": furnace, "rrule": "FREQ=DAILY", "due_date": "2026-01-01"})
		for _, c := range []struct {
			method, path string
			body         func() any
			status       int
			warm         int
		}{
			{"POST", "/api/equipment/", always(map[string]any{"residence_id": house, "name": "Roof"}), 201, 1},
			{"GET", "/api/equipment/" + furnace + "/", nothing, 200, 1},
			{"PATCH", "/api/equipment/" + furnace + "/", always(map[string]any{"location": "Basement"}), 200, 1},
			{"GET", "/api/tasks/?equipment_id=" + furnace, nothing, 200, 1},
			// Where equipment is that somebody names is one more, and none beside the reading of a task's log.
			{"POST", "/api/tasks/", always(map[string]any{"residence_id": house, "title": "Mop", "equipment_id": furnace}), 201, 2},
			{"PATCH", "/api/tasks/" + task + "/", always(map[string]any{"equipment_id": boiler}), 200, 2},
			{"POST", "/api/task-completions/", always(map[string]any{"task_id": task, "equipment_id": furnace}), 201, 2},
		} {
			within(t, c.method+" "+c.path+", equipment, cold", c.warm+1, ask(true, c.status, c.method, c.path, c.body))
			within(t, c.method+" "+c.path+", equipment, warm", c.warm, ask(false, c.status, c.method, c.path, c.body))
		}
		within(t, "DELETE equipment, warm", 1, func() answer {
			id := ada.equipment(house, "Lawn mower")
			return ask(false, 204, "DELETE", "/api/equipment/"+id+"/", nothing)()
		})
	})

	t.Run("files", func(t *testing.T) {
		send := func(cold bool) func() answer {
			return func() answer {
				if cold {
					w.forget(t)
				} else {
					ada.want(200, "GET", "/api/tasks/", nil)
				}
				a, err := ada.send("notes.txt", []byte("The boiler's serial number is 4711."), uuid.Must(uuid.NewV7()).String())
				if err != nil || a.Status != 201 {
					t.Fatalf("%v %d %s", err, a.Status, a.Body)
				}
				return a
			}
		}
		file := "/api/media/" + send(false)().text("id") + "/"
		within(t, "POST /api/uploads/, cold", 2, send(true))
		within(t, "POST /api/uploads/, warm", 1, send(false))
		within(t, "GET "+file+", cold", 2, ask(true, 200, "GET", file, nothing))
		within(t, "GET "+file+", warm", 1, ask(false, 200, "GET", file, nothing))
	})

	t.Run("photos", func(t *testing.T) {
		photo := ada.upload("roof.jpg", samples.JPEG(samples.Photo(640, 480)))
		task := ada.task(house, "Tiles", map[string]any{"frequency_id": monthly, "due_date": "2026-01-31"})
		// Whose the photos are is asked beside the reading of the task's log.
		done := always(map[string]any{"task_id": task, "upload_ids": []string{photo}})
		within(t, "a completion with a photo, cold", 3, ask(true, 201, "POST", "/api/task-completions/", done))
		within(t, "a completion with a photo, warm", 2, ask(false, 201, "POST", "/api/task-completions/", done))
		id := ada.want(201, "POST", "/api/task-completions/", done()).text("id")
		within(t, "PUT a completion with a photo, warm", 2, ask(false, 200, "PUT", "/api/task-completions/"+id+"/", always(map[string]any{"upload_ids": []string{photo}})))
		// Of a contractor nothing is read before it is written: to ask is one more, and document too wants to know who sees what.
		with := always(map[string]any{"name": "Rosa", "residence_id": house, "upload_ids": []string{photo}})
		within(t, "a contractor with a file, cold", 3, ask(true, 201, "POST", "/api/contractors/", with))
		within(t, "a contractor with a file, warm", 2, ask(false, 201, "POST", "/api/contractors/", with))
		report := "/api/residences/" + house + "/generate-history-report/"
		counted(t, "a report with three photos, warm", 2, ask(false, 200, "POST", report, always(map[string]any{})))
	})

	t.Run("a change of the person", func(t *testing.T) {
		// It ends what is known of the token, at once and once more by the relay: afterwards the next request is a cold one.
		known := func() {
			testkit.Eventually(t, "the token is known again", func() bool { return ada.want(200, "GET", "/api/auth/me/", nil).trips() == 1 })
		}
		within(t, "PATCH /api/auth/profile/, warm", 1, func() answer {
			known()
			return ada.want(200, "PATCH", "/api/auth/profile/", map[string]any{"bio": "Hello"})
		})
		within(t, "PATCH /api/auth/profile/, token not known", 2, func() answer {
			return ada.want(200, "PATCH", "/api/auth/profile/", map[string]any{"bio": "Hello again"})
		})
		known()
		face := ada.upload("ada.jpg", samples.JPEG(samples.Photo(64, 64)))
		within(t, "a new avatar, warm", 2, func() answer { // one of them tells whose the picture is
			ada.want(200, "GET", "/api/tasks/", nil)
			return ada.want(200, "PATCH", "/api/auth/profile/", map[string]any{"avatar_upload_id": face})
		})
		known()
	})

	t.Run("recurrence", func(t *testing.T) {
		task, item, _ := ada.chore(house)
		at := "/api/tasks/" + task + "/"
		for _, path := range []string{at + "occurrences/", at + "skips/", at + "history/"} {
			within(t, "GET "+path+", cold", 2, ask(true, 200, "GET", path, nothing))
			within(t, "GET "+path+", warm", 1, ask(false, 200, "GET", path, nothing))
		}
		rule := always(map[string]any{"rrule": "FREQ=MONTHLY;BYDAY=1SA"})
		within(t, "preview of a rule, cold", 1, ask(true, 200, "POST", "/api/tasks/preview/", rule))
		within(t, "preview of a rule, warm", 0, ask(false, 200, "POST", "/api/tasks/preview/", rule))
		within(t, "an item of a checklist, cold", 2, ask(true, 200, "POST", at+"checklist/"+item+"/check/", nothing))
		within(t, "an item of a checklist, warm", 1, ask(false, 200, "POST", at+"checklist/"+item+"/uncheck/", nothing))
		// The rule and the log are read, and written over when the replay is done.
		for _, c := range []struct {
			path   string
			status int
		}{
			{at + "skip/", 201}, {at + "pause/", 200}, {at + "resume/", 200},
			{"/api/tasks/by-residence/" + house + "/pause/", 200}, {"/api/tasks/by-residence/" + house + "/resume/", 200},
		} {
			if c.path != at+"resume/" { // it is paused once
				within(t, "POST "+c.path+", cold", 3, ask(true, c.status, "POST", c.path, nothing))
			}
			if c.path != at+"pause/" {
				within(t, "POST "+c.path+", warm", 2, ask(false, c.status, "POST", c.path, nothing))
			}
		}
	})

	t.Run("calendar", func(t *testing.T) {
		within(t, "a new key, warm", 1, ask(false, 201, "POST", "/api/calendar/", nothing))
		feed := ada.want(201, "POST", "/api/calendar/", nil).text("path")
		app := &person{t: t, base: w.URL}
		within(t, "the calendar, cold", 3, func() answer { w.forget(t); return app.want(200, "GET", feed, nil) })
		within(t, "the calendar, warm", 2, func() answer { return app.want(200, "GET", feed, nil) })
		within(t, "GET /api/calendar/, warm", 1, ask(false, 200, "GET", "/api/calendar/", nothing))
	})

	t.Run("completing a recurring task", func(t *testing.T) {
		task := ada.task(house, "Filter", map[string]any{"frequency_id": monthly, "due_date": "2026-01-31"})
		tap := "/api/tasks/" + task + "/quick-complete/"
		empty := func() any { return map[string]any{} }
		within(t, "quick-complete, cold", 3, ask(true, 201, "POST", tap, empty))
		within(t, "quick-complete, warm", 2, ask(false, 201, "POST", tap, empty))
		done := ada.want(201, "POST", "/api/task-completions/", map[string]any{"task_id": task, "id": uuid.Must(uuid.NewV7()).String()}).text("id")
		within(t, "the same tap again", 2, ask(false, 200, "POST", tap, func() any { return map[string]any{"id": done} }))
	})

	t.Run("with limits", func(t *testing.T) {
		many := 10000
		w.limit(t, w.books(t), map[string]any{"properties": many, "tasks": many, "contractors": many, "documents": many, "equipment": many})
		for _, c := range []struct{ path, name string }{
			{"/api/tasks/", "title"}, {"/api/contractors/", "name"}, {"/api/documents/", "title"}, {"/api/equipment/", "name"},
		} {
			body := always(map[string]any{"residence_id": house, c.name: "One more"})
			within(t, "POST "+c.path+" with limits, cold", 2, ask(true, 201, "POST", c.path, body))
			within(t, "POST "+c.path+" with limits, warm", 1, ask(false, 201, "POST", c.path, body))
		}
		residence := always(map[string]any{"name": "Hut"})
		within(t, "POST /api/residences/ with limits, cold", 2, ask(true, 201, "POST", "/api/residences/", residence))
		within(t, "POST /api/residences/ with limits, warm", 1, ask(false, 201, "POST", "/api/residences/", residence))
		two := always(map[string]any{"tasks": []any{map[string]any{"residence_id": house, "title": "One"}, map[string]any{"residence_id": house, "title": "Two"}}})
		within(t, "POST /api/tasks/bulk/ with limits, cold", 2, ask(true, 201, "POST", "/api/tasks/bulk/", two))
		within(t, "POST /api/tasks/bulk/ with limits, warm", 1, ask(false, 201, "POST", "/api/tasks/bulk/", two))

		// In somebody else's residence, the owner's plan and residences are asked for once it is known who that is.
		bob := w.join(t, "Bob")
		ada.invite(bob, house)
		mop := map[string]any{"residence_id": house, "title": "Mop"}
		bob.want(201, "POST", "/api/tasks/", mop)
		within(t, "a member's POST /api/tasks/ with limits, cold", 3, func() answer { w.forget(t); return bob.want(201, "POST", "/api/tasks/", mop) })
		within(t, "a member's POST /api/tasks/ with limits, warm", 1, func() answer { return bob.want(201, "POST", "/api/tasks/", mop) })
		given := func(cold bool) func() answer {
			return func() answer {
				home := ada.home("Given away")
				ada.invite(bob, home)
				if cold {
					w.forget(t)
				} else {
					bob.want(201, "POST", "/api/residences/", map[string]any{"name": "Hut"})
				}
				return ada.want(200, "POST", "/api/residences/"+home+"/transfer/", map[string]any{"user_id": bob.ID})
			}
		}
		within(t, "a transfer with limits, cold", 2, given(true))
		within(t, "a transfer with limits, warm", 1, given(false))
	})
}

// TestFirstRequestAfterADeploy is as cheap as any cold one: connections are open before a part says that it is ready.
func TestFirstRequestAfterADeploy(t *testing.T) {
	w := start(t, farAway(t))
	ada := w.join(t, "Ada")
	ada.home("Maple Street")
	within(t, "the board, first request after a deploy", 3, func() answer { // token, residences, board
		for _, part := range []string{"auth", "residence", "task", system.GatewayName} {
			if err := w.StopPart(part); err != nil {
				t.Fatal(err)
			}
			if err := w.StartPart(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		w.forget(t)
		return ada.want(200, "GET", "/api/tasks/", nil)
	})
}
