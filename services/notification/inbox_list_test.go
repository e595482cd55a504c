package notification_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
)

const inbox = "/api/notifications/"

// exec runs a statement on the service's database.
func exec(t *testing.T, s *testkit.Service, sql string, args pgx.NamedArgs) {
	t.Helper()
	if _, err := pg.Exec(t.Context(), s.DB, sql, args); err != nil {
		t.Fatal(err)
	}
}

// notify puts a notification into somebody's inbox, with a mail and a push that wait.
func notify(t *testing.T, s *testkit.Service, user uuid.UUID, title string) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	exec(t, s, `
		WITH n AS (
			INSERT INTO notifications (id, user_id, kind, residence_id, subject_id, title, body, data, created_at)
			VALUES (@id, @user_id, 'task_completed', @home, @task, @title, 'It is done.', '{"task":"Mow","count":3,"list":["x"]}', @now))
		INSERT INTO messages (id, user_id, channel, purpose, kind, notification_id, trace, created_at, expires_at, next_at)
		SELECT gen_random_uuid(), @user_id, c, 'task_completed', 'task_completed', @id, '', @now, @now::timestamptz + interval '1 year', @now::timestamptz + interval '1 year'
		FROM unnest(ARRAY['email', 'push']) AS c`,
		pgx.NamedArgs{"id": id, "user_id": user, "home": uuid.NewSHA1(user, []byte("home")), "task": uuid.New(), "title": title, "now": s.Clock.Now()})
	s.Cache.Drop(t.Context(), cache.UnreadKey(user), cache.RevisionKey(user))
	return id
}

// waiting says what became of the messages of a notification, by channel.
func waiting(t *testing.T, s *testkit.Service, id uuid.UUID) string {
	t.Helper()
	var out []string
	for _, m := range all[struct {
		Channel, State, Reason string
		Settled                bool
	}](t, s, `
		SELECT channel, state, coalesce(reason, '') AS reason, settled_at IS NOT NULL AS settled FROM messages WHERE notification_id = @id ORDER BY channel`,
		pgx.NamedArgs{"id": id}) {
		if m.Settled != (m.State == "suppressed") {
			t.Errorf("%+v", m)
		}
		out = append(out, strings.TrimSuffix(m.Channel+" "+m.State+" "+m.Reason, " "))
	}
	return strings.Join(out, ", ")
}

func wantTrips(t *testing.T, a testkit.Answer, want int) {
	t.Helper()
	if n := roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB); n != want {
		t.Errorf("%d round trips, wanted %d", n, want)
	}
}

func listed(t *testing.T, a testkit.Answer) ([]notification.Notification, string) {
	t.Helper()
	list := testkit.JSON[page.List[notification.Notification]](t, a)
	if list.NextCursor == nil {
		return list.Items, ""
	}
	return list.Items, *list.NextCursor
}

func titles(items []notification.Notification) string {
	var out []string
	for _, n := range items {
		out = append(out, n.Title)
	}
	return strings.Join(out, " ")
}

func unread(t *testing.T, c *testkit.Client) int {
	t.Helper()
	return testkit.JSON[struct {
		UnreadCount int `json:"unread_count"`
	}](t, c.Want(200, "GET", inbox+"unread-count/", nil)).UnreadCount
}

func path(id uuid.UUID, verb string) string { return inbox + id.String() + "/" + verb }

func TestTheInboxIsListedNewestFirst(t *testing.T) {
	for _, prepare := range []bool{true, false} {
		t.Run(fmt.Sprintf("prepared %t", prepare), func(t *testing.T) {
			cfg := configuration(t)
			cfg.DatabasePrepare = prepare
			s := run(t, cfg)
			me := s.As(t, ann)
			a := me.Want(200, "GET", inbox, nil)
			wantTrips(t, a, 1)
			if string(a.Body) != `{"items":[],"next_cursor":null}`+"\n" {
				t.Errorf("empty inbox %s", a.Body)
			}
			for i := range 5 {
				notify(t, s, ann, fmt.Sprint(i))
				notify(t, s, bob, "not hers")
				if i > 1 { // 0, 1 and 2 are of one moment: ids decide
					s.Clock.Advance(time.Second)
				}
			}
			items, _ := listed(t, me.Want(200, "GET", inbox, nil))
			if titles(items) != "4 3 2 1 0" {
				t.Errorf("inbox %s", titles(items))
			}
			n := items[4]
			if n.Kind != "task_completed" || n.Body != "It is done." || n.IsRead || n.ReadAt != nil || *n.ResidenceID != uuid.NewSHA1(ann, []byte("home")) ||
				n.SubjectID == nil || !n.CreatedAt.Equal(testkit.Start) || len(n.Data) != 1 || n.Data["task"] != "Mow" {
				t.Errorf("%+v", n)
			}
			first, cursor := listed(t, me.Want(200, "GET", inbox+"?limit=3", nil))
			notify(t, s, ann, "later")
			rest, end := listed(t, me.Want(200, "GET", inbox+"?limit=3&cursor="+cursor, nil))
			if titles(first) != "4 3 2" || titles(rest) != "1 0" || end != "" {
				t.Errorf("pages %s, %s", titles(first), titles(rest))
			}
			me.Want(200, "POST", path(items[0].ID, "read/"), nil)
			for query, want := range map[string]string{
				"?unread=true": "later 3 2 1 0", "?unread=false": "later 4 3 2 1 0", "?kind=digest": "", "?kind=task_completed&unread=true&limit=1": "later",
				"?residence_id=" + uuid.NewSHA1(ann, []byte("home")).String(): "later 4 3 2 1 0", "?residence_id=" + uuid.NewString(): "",
			} {
				if items, _ := listed(t, me.Want(200, "GET", inbox+query, nil)); titles(items) != want {
					t.Errorf("%s: %s", query, titles(items))
				}
			}
			me.Refused(422, "validation_failed", "GET", inbox+"?kind=nothing", nil)
			me.Refused(422, "validation_failed", "GET", inbox+"?unread=maybe", nil)
			me.Refused(422, "validation_failed", "GET", inbox+"?residence_id="+uuid.Nil.String(), nil)
			me.Refused(422, "invalid_cursor", "GET", inbox+"?cursor=x", nil)
			s.AsNobody(t).Refused(401, "authentication_required", "GET", inbox, nil)
		})
	}
}

func TestWhoHasTheInboxIsToldSoWithoutSQL(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	id := notify(t, s, ann, "Mow")
	etag := func(query string) string { return me.Want(200, "GET", inbox+query, nil).Header.Get("ETag") }
	first := etag("")
	if first == "" || first == etag("?unread=true") || first == etag("?limit=1") || first == s.As(t, bob).Want(200, "GET", inbox, nil).Header.Get("ETag") {
		t.Error("the tag does not depend on what is asked, and by whom")
	}
	wantTrips(t, me.Want(304, "GET", inbox, nil, "If-None-Match", first), 0)
	me.Want(200, "POST", path(id, "read/"), nil)
	testkit.Eventually(t, "the relay has dropped its keys", func() bool {
		return len(all[struct{ ID uuid.UUID }](t, s, `SELECT id FROM outbox WHERE dropped_at IS NULL`, nil)) == 0
	})
	me.Want(200, "GET", inbox, nil, "If-None-Match", first)
	second := etag("")
	me.Want(200, "POST", path(id, "read/"), nil) // changes nothing
	me.Want(304, "GET", inbox, nil, "If-None-Match", second)
	me.Refused(422, "validation_failed", "GET", inbox+"?limit=0", nil, "If-None-Match", second)
}

func TestUnreadAreCounted(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	first, second := notify(t, s, ann, "1"), notify(t, s, ann, "2")
	notify(t, s, bob, "not hers")
	wantTrips(t, me.Want(200, "GET", inbox+"unread-count/", nil), 1)
	wantTrips(t, me.Want(200, "GET", inbox+"unread-count/", nil), 0)
	if n := unread(t, me); n != 2 {
		t.Errorf("%d unread", n)
	}
	for _, step := range []struct {
		method, path string
		want         int
	}{
		{"POST", path(first, "read/"), 1}, {"POST", path(first, "read/"), 1}, {"POST", path(first, "unread/"), 2}, {"DELETE", path(second, ""), 1},
		{"POST", path(first, "snooze/"), 0}, {"POST", path(first, "unread/"), 1}, {"POST", inbox + "mark-all-read/", 0}, {"POST", inbox + "clear/", 0},
	} {
		a := me.Call(step.method, step.path, nil)
		if a.Status >= 300 {
			t.Fatalf("%s %s: %d %s", step.method, step.path, a.Status, a.Body)
		}
		wantTrips(t, a, 1)
		if n := unread(t, me); n != step.want {
			t.Errorf("%d unread after %s %s, wanted %d", n, step.method, step.path, step.want)
		}
	}
}

func TestReadingIsOnce(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	id := notify(t, s, ann, "Mow")
	read := testkit.JSON[notification.Notification](t, me.Want(200, "POST", path(id, "read/"), nil))
	if !read.IsRead || !read.ReadAt.Equal(testkit.Start) || read.ID != id || read.Data["task"] != "Mow" {
		t.Errorf("%+v", read)
	}
	if got := waiting(t, s, id); got != "email pending, push suppressed read" {
		t.Errorf("messages: %s", got)
	}
	s.Clock.Advance(time.Hour)
	if again := testkit.JSON[notification.Notification](t, me.Want(200, "POST", path(id, "read/"), nil)); !again.ReadAt.Equal(testkit.Start) {
		t.Errorf("read again at %v", again.ReadAt)
	}
	if n := testkit.JSON[notification.Notification](t, me.Want(200, "POST", path(id, "unread/"), nil)); n.IsRead || n.ReadAt != nil {
		t.Errorf("%+v", n)
	}
	me.Want(200, "POST", path(id, "unread/"), nil)
	if told := s.Outbox(t, "notification.changed"); len(told) != 2 || string(told[0]) != fmt.Sprintf(`{"user_ids": [%q]}`, ann) {
		t.Errorf("told %s", told)
	}
}

func TestAnothersNotificationIsNone(t *testing.T) {
	s := run(t, configuration(t))
	id := notify(t, s, ann, "Mow")
	other := s.As(t, bob)
	for _, c := range []struct{ method, path string }{
		{"POST", path(id, "read/")}, {"POST", path(id, "unread/")}, {"POST", path(id, "snooze/")}, {"DELETE", path(id, "")},
		{"POST", path(uuid.New(), "read/")}, {"DELETE", path(uuid.New(), "")},
	} {
		other.Refused(404, "not_found", c.method, c.path, nil)
	}
	for _, p := range []string{"mark-all-read/", "clear/"} {
		other.Want(200, "POST", inbox+p, nil)
	}
	if n := notes(t, s); len(n) != 1 || n[0].ReadAt != nil || waiting(t, s, id) != "email pending, push pending" {
		t.Errorf("%+v, %s", n, waiting(t, s, id))
	}
	if told := s.Outbox(t, "notification.changed"); len(told) != 0 {
		t.Errorf("told %s", told)
	}
	other.Refused(422, "validation_failed", "POST", inbox+"x/read/", nil)
}

func TestAllAreReadThatWereSeen(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	marked := func(body any) int {
		t.Helper()
		a := me.Want(200, "POST", inbox+"mark-all-read/", body)
		wantTrips(t, a, 1)
		return testkit.JSON[struct {
			N int `json:"marked_count"`
		}](t, a).N
	}
	seen := notify(t, s, ann, "seen")
	items, _ := listed(t, me.Want(200, "GET", inbox, nil))
	s.Clock.Advance(time.Millisecond)
	after := notify(t, s, ann, "meanwhile")
	if n := marked(map[string]any{"until": items[0].CreatedAt}); n != 1 || unread(t, me) != 1 {
		t.Errorf("%d marked, %d unread", n, unread(t, me))
	}
	if got := waiting(t, s, seen) + "; " + waiting(t, s, after); got != "email pending, push suppressed read; email pending, push pending" {
		t.Errorf("messages: %s", got)
	}
	if n := marked(nil); n != 1 || unread(t, me) != 0 || len(s.Outbox(t, "notification.changed")) != 2 {
		t.Errorf("%d marked", n)
	}
	if n := marked(map[string]any{}); n != 0 || len(s.Outbox(t, "notification.changed")) != 2 {
		t.Errorf("%d marked of none", n)
	}
	// An app that keeps milliseconds has seen what is a fraction of one younger than it says.
	s.Clock.Advance(time.Millisecond + 750*time.Microsecond)
	notify(t, s, ann, "fraction")
	if n := marked(map[string]any{"until": s.Clock.Now().Truncate(time.Millisecond)}); n != 1 {
		t.Errorf("%d marked of the fraction", n)
	}
	for _, body := range []string{`{"until":"yesterday"}`, `{"until":null,"x":1}`, `{"until":7}`} {
		me.Refused(422, "validation_failed", "POST", inbox+"mark-all-read/", body)
	}
	me.Refused(400, "malformed_request", "POST", inbox+"mark-all-read/", "{")
}

func TestWhatArrivesWhileAllAreReadIsReadOrCounted(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	var both sync.WaitGroup
	both.Go(func() {
		for i := range 30 {
			notify(t, s, ann, fmt.Sprint(i))
		}
	})
	for range 3 {
		both.Go(func() {
			for range 10 {
				me.Want(200, "POST", inbox+"mark-all-read/", nil)
			}
		})
	}
	both.Wait()
	left, _ := listed(t, me.Want(200, "GET", inbox+"?unread=true", nil))
	if n := unread(t, me); n != len(left) {
		t.Errorf("counted %d unread, there are %d", n, len(left))
	}
	for _, n := range notes(t, s) {
		want := "email pending, push suppressed read"
		if n.ReadAt == nil {
			want = "email pending, push pending"
		}
		if got := waiting(t, s, n.ID); got != want {
			t.Errorf("read %v: %s", n.ReadAt, got)
		}
	}
}

type reminder struct {
	SubjectID, ResidenceID uuid.UUID
	FireAt                 time.Time
}

func snoozes(t *testing.T, s *testkit.Service) []reminder {
	t.Helper()
	return all[reminder](t, s, `SELECT subject_id, residence_id, fire_at FROM reminders WHERE subject = 'snooze' AND user_id = @ann ORDER BY fire_at`, pgx.NamedArgs{"ann": ann})
}

func TestSnoozing(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	id := notify(t, s, ann, "Mow")
	until := func(body any) time.Time {
		t.Helper()
		a := me.Want(200, "POST", path(id, "snooze/"), body)
		wantTrips(t, a, 1)
		return testkit.JSON[struct {
			At time.Time `json:"snoozed_until"`
		}](t, a).At
	}
	now := s.Clock.Now()
	want := func(what string, got time.Time, after time.Duration) {
		t.Helper()
		kept := snoozes(t, s)
		if !got.Equal(now.Add(after)) || len(kept) != 1 || !kept[0].FireAt.Equal(got) || kept[0].SubjectID != id || kept[0].ResidenceID != uuid.NewSHA1(ann, []byte("home")) {
			t.Errorf("%s: until %v, kept %+v", what, got, kept)
		}
	}
	want("as nobody has set", until(nil), time.Hour)
	if got := waiting(t, s, id); got != "email suppressed snoozed, push suppressed snoozed" || unread(t, me) != 0 {
		t.Errorf("messages: %s, %d unread", got, unread(t, me))
	}
	me.Want(200, "PATCH", inbox+"preferences/", map[string]any{"snooze_minutes": 90})
	want("as is set", until(map[string]any{}), 90*time.Minute)
	want("minutes", until(map[string]any{"minutes": 5}), 5*time.Minute)
	want("an instant", until(map[string]any{"until": now.Add(30 * 24 * time.Hour)}), 30*24*time.Hour)
	if n := len(s.Outbox(t, "notification.changed")); n != 1 {
		t.Errorf("told %d times", n)
	}
	for _, body := range []any{
		map[string]any{"minutes": 4}, map[string]any{"minutes": 10081}, map[string]any{"minutes": 5.5}, map[string]any{"minutes": "5"},
		map[string]any{"until": now}, map[string]any{"until": now.Add(-time.Hour)}, map[string]any{"until": now.Add(30*24*time.Hour + time.Second)},
		map[string]any{"until": now.Add(time.Hour), "minutes": 10}, map[string]any{"hours": 1}, `{"until":"tomorrow"}`,
	} {
		me.Refused(422, "validation_failed", "POST", path(id, "snooze/"), body)
	}
	want("refused", kept(t, s), 30*24*time.Hour)
	me.Want(204, "DELETE", path(id, ""), nil)
	if left := snoozes(t, s); len(left) != 0 {
		t.Errorf("the snooze of what is deleted stays: %+v", left)
	}
}

func kept(t *testing.T, s *testkit.Service) time.Time { t.Helper(); return snoozes(t, s)[0].FireAt }

func TestDeletingAndClearing(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	gone, read, put, left := notify(t, s, ann, "gone"), notify(t, s, ann, "read"), notify(t, s, ann, "put off"), notify(t, s, ann, "left")
	me.Want(204, "DELETE", path(gone, ""), nil)
	me.Refused(404, "not_found", "DELETE", path(gone, ""), nil)
	me.Want(200, "POST", path(read, "read/"), nil)
	me.Want(200, "POST", path(put, "snooze/"), nil)
	cleared := func() int {
		t.Helper()
		a := me.Want(200, "POST", inbox+"clear/", nil)
		wantTrips(t, a, 1)
		return testkit.JSON[struct {
			N int `json:"deleted_count"`
		}](t, a).N
	}
	if a, b := cleared(), cleared(); a != 1 || b != 0 {
		t.Errorf("cleared %d, then %d", a, b)
	}
	items, _ := listed(t, me.Want(200, "GET", inbox, nil))
	if titles(items) != "left put off" {
		t.Errorf("left: %s", titles(items))
	}
	if got := waiting(t, s, gone) + "; " + waiting(t, s, read) + "; " + waiting(t, s, left); got !=
		"email suppressed deleted, push suppressed deleted; email suppressed deleted, push suppressed read; email pending, push pending" {
		t.Errorf("messages: %s", got)
	}
	if n := len(s.Outbox(t, "notification.changed")); n != 4 {
		t.Errorf("told %d times", n)
	}
}

func TestASnoozeThatComesWhileItIsDeletedLeavesNothing(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	var everything sync.WaitGroup
	for range 20 {
		id := notify(t, s, ann, "Mow")
		for _, c := range []struct{ method, path string }{{"POST", path(id, "snooze/")}, {"POST", path(id, "snooze/")}, {"DELETE", path(id, "")}} {
			everything.Go(func() {
				if a := me.Call(c.method, c.path, nil); !slices.Contains([]int{200, 204, 404}, a.Status) {
					t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Body)
				}
			})
		}
	}
	everything.Wait()
	if left := snoozes(t, s); len(left) != 0 {
		t.Errorf("%d snoozes of what is deleted", len(left))
	}
}
