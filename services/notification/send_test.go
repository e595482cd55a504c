package notification_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification"
	"hearth.internal/notification/mail/mailtest"
	"hearth.internal/notification/push/pushtest"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// providers are the mail server and the push services that a test looks into.
type providers struct {
	*pushtest.Servers
	mail *mailtest.Server
}

// provided is a configuration with providers.
func provided(t *testing.T) (notification.Config, providers) {
	t.Helper()
	p := providers{pushtest.Start(t), mailtest.Start(t)}
	cfg := configuration(t)
	environ := slices.Concat(p.Environ(), p.mail.Environ(), []string{
		"HEARTH_PUBLIC_URL=https://api.example.org", "HEARTH_CACHE_REDIS_URL=redis://127.0.0.1/0",
		"HEARTH_PASSPORT_KEYS=" + base64.StdEncoding.EncodeToString(testkit.Key), "HEARTH_SEAL_PRIVATE_KEY=" + cfg.SealPrivateKey.Reveal(),
	})
	loaded, err := config.Load[notification.Config](environ)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MailConfig, cfg.PushConfig = loaded.MailConfig, loaded.PushConfig
	return cfg, p
}

// provide runs the service with providers, all by the same clock.
func provide(t *testing.T) (*household, providers) {
	t.Helper()
	cfg, to := provided(t)
	s := run(t, cfg)
	to.APNs.UseClock(s.Clock)
	return live(t, s), to
}

// device registers a device of a person and answers its token.
func (h *household) device(user uuid.UUID, platform string) string {
	h.t.Helper()
	token := pushtest.NewToken()
	h.As(h.t, user).Want(201, "POST", "/api/notifications/devices/", map[string]any{"platform": platform, "token": token, "name": "Phone", "app_version": "1.0"})
	return token
}

// became counts the messages on a channel by what became of them: "sent", "suppressed: read", ...
func (h *household) became(channel string) map[string]int {
	h.t.Helper()
	rows, err := pg.All[struct {
		Became string
		N      int
	}](h.t.Context(), h.DB, `
		SELECT state || CASE WHEN reason IS NULL OR state = 'sent' THEN '' ELSE ': ' || reason END AS became, count(*) AS n
		FROM messages WHERE channel = @channel GROUP BY 1`, pgx.NamedArgs{"channel": channel})
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]int{}
	for _, r := range rows {
		out[r.Became] = r.N
	}
	return out
}

// pushed waits until so many pushes have become that.
func (h *household) pushed(became string, n int) {
	h.t.Helper()
	testkit.Eventually(h.t, fmt.Sprintf("%d pushes: %s", n, became), func() bool { return h.became("push")[became] == n })
}

// done makes Bob complete a task.
func (h *household) done(title string) {
	h.t.Helper()
	testkit.Deliver(h.t, h.Service, events.TaskCompleted, events.Completion{ID: uuid.Must(uuid.NewV7()), CompletedBy: bob,
		Task: events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: h.home.ID, Title: title, Version: 1}})
}

func TestANotificationReachesEveryDeviceAndTheMailbox(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	iphone, pixel := h.device(ann, "ios"), h.device(ann, "android")
	others := h.device(bob, "ios")
	h.done("Mow the lawn")
	h.pushed("sent", 2)
	for platform, pushes := range map[string][]pushtest.Push{"ios": to.APNs.Pushes(iphone), "android": to.FCM.Pushes(pixel)} {
		if len(pushes) != 1 {
			t.Fatalf("%s: %d pushes", platform, len(pushes))
		}
		if p := pushes[0]; p.Title != "Task completed" || p.Body != "Bob completed “Mow the lawn”." || p.Badge != 1 || p.Data["kind"] != "task_completed" || p.Thread != h.home.ID.String() && platform == "ios" {
			t.Errorf("%s: %+v", platform, p)
		}
	}
	if n := len(to.APNs.Pushes(others)); n != 0 {
		t.Errorf("%d pushes to who has done it", n)
	}
	if n := len(to.mail.Mails()); n != 2 { // the welcomes
		t.Errorf("%d mails before they had time to gather", n)
	}
	s.Clock.Advance(2 * time.Minute)
	got := to.mail.Wait(t, "ann@example.org", "Mow the lawn")
	if !strings.Contains(got.Text, "Bob") || !strings.Contains(got.Header.Get("List-Unsubscribe"), "https://api.example.org/api/notifications/unsubscribe/") {
		t.Errorf("mail %q, %v", got.Text, got.Header)
	}
}

func TestWhatIsNotWantedIsNotSentAndSaysWhy(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	h.device(ann, "ios")
	h.As(t, ann).Want(200, "PATCH", "/api/notifications/preferences/", `{"kinds":{"task_completed":{"push":false,"email":false}}}`)
	h.done("Mow")
	if got := h.became("push"); got["suppressed: preference"] != 1 {
		t.Errorf("push %v", got)
	}
	if got := h.became("email"); got["suppressed: preference"] != 1 {
		t.Errorf("mail %v", got)
	}
	h.wants(ann, "task_completed: Bob completed “Mow”.") // the inbox has it all the same
	if to.APNs.Count() != 0 {
		t.Error("pushed what is not wanted")
	}
	h.person(cyd, "Cyd", "Asia/Tokyo", 1)
	if _, err := s.DB.Exec(t.Context(), `UPDATE people SET email_verified = false WHERE user_id = $1`, cyd); err != nil {
		t.Fatal(err)
	}
	testkit.Deliver(t, s, events.MembersChanged, events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: cyd, Change: "joined", Role: "viewer", ActorID: cyd})
	h.done("Sweep")
	if got := h.became("email"); got["suppressed: address_unverified"] != 1 {
		t.Errorf("mail %v", got)
	}
	if got := h.became("push"); got["suppressed: no_device"] < 1 {
		t.Errorf("push %v", got)
	}
}

func TestQuietHoursHoldPushesAndThenFoldThem(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	token := h.device(ann, "ios")
	h.As(t, ann).Want(200, "PATCH", "/api/notifications/preferences/", `{"quiet_hours":{"from":"12:00","until":"15:00"}}`) // it is 13:00 in Berlin
	for i := range 6 {
		h.done(fmt.Sprint("Task ", i))
		s.Clock.Advance(time.Second)
	}
	h.at("2026-03-10T13:59:59Z")
	if n := to.APNs.Count(); n != 0 {
		t.Errorf("%d pushes in quiet hours", n)
	}
	h.at("2026-03-10T14:00:00Z")
	h.pushed("sent", 3)
	h.pushed("suppressed: folded", 3)
	var bodies []string
	for _, p := range to.APNs.Pushes(token) {
		bodies = append(bodies, p.Title+" | "+p.Body)
	}
	slices.Sort(bodies)
	want := []string{"4 more notifications | Bob completed “Task 3”. · and more", "Task completed | Bob completed “Task 4”.", "Task completed | Bob completed “Task 5”."}
	if !slices.Equal(bodies, want) {
		t.Errorf("pushes %q, wanted %q", bodies, want)
	}
	got := to.mail.Wait(t, "ann@example.org", "")
	for i := range 6 {
		if !strings.Contains(got.Text, fmt.Sprintf("Task %d", i)) {
			t.Errorf("Task %d is not in the mail that tells of all: %q", i, got.Text)
		}
	}
}

func TestWhatBecameUntrueWhileItWaitedIsNotSent(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	h.device(ann, "ios")
	h.As(t, ann).Want(200, "PATCH", "/api/notifications/preferences/", `{"kinds":{"digest":{"push":false}},"quiet_hours":{"from":"08:00","until":"20:00"}}`)
	done, deleted, later := h.task("Done", "2026-03-12"), h.task("Deleted", "2026-03-12"), h.task("Put off", "2026-03-12")
	h.task("True", "2026-03-12")
	h.at("2026-03-11T08:00:00Z")
	if n := len(h.told(ann)); n != 4 {
		t.Fatalf("%d reminders", n)
	}
	done.Version, done.NextDueDate = 2, "2026-04-12"
	testkit.Deliver(t, s, events.TaskCompleted, events.Completion{ID: uuid.Must(uuid.NewV7()), Task: done, CompletedBy: ann, Version: 2})
	deleted.Version = 2
	testkit.Deliver(t, s, events.TaskDeleted, deleted)
	h.change(later, func(t *events.TaskRef) { t.NextDueDate = "2026-03-20" })
	h.at("2026-03-11T19:00:00Z")
	h.pushed("sent", 1)
	if p := to.APNs.All(); len(p) != 1 || p[0].Body != "“True” is due tomorrow." || p[0].Category != "TASK" || p[0].Badge != 2 { // the day's overview is in the inbox too
		t.Errorf("pushes %+v", p)
	}
	if got := h.became("push"); got["suppressed: read"] != 2 || got["suppressed: deleted"] != 1 {
		t.Errorf("push %v", got)
	}
}

func TestMailsOfAFewMinutesAreOne(t *testing.T) {
	h, to := provide(t)
	for i := range 4 { // over a minute and a half: the first waits for the last
		h.done(fmt.Sprint("Task ", i))
		h.Clock.Advance(30 * time.Second)
	}
	got := to.mail.Wait(t, "ann@example.org", "")
	testkit.Eventually(t, "they are mailed", func() bool {
		all := to.mail.To("ann@example.org")
		got = all[len(all)-1]
		return len(all) == 2 // the welcome before
	})
	for i := range 4 {
		if !strings.Contains(got.Text, fmt.Sprintf("Task %d", i)) {
			t.Errorf("Task %d is not in %q", i, got.Text)
		}
	}
	h.Clock.Advance(10 * time.Minute)
	if n := len(to.mail.To("ann@example.org")); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestADeadTokenIsSilencedAndAnAliveOneIsNot(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	dead, alive, again, gone := h.device(ann, "ios"), h.device(ann, "ios"), h.device(ann, "ios"), h.device(ann, "android")
	to.APNs.Fail(dead, pushtest.Failure{Status: 400, Reason: "BadDeviceToken"})
	to.APNs.Fail(again, pushtest.Failure{Status: 410, Reason: "Unregistered", Since: s.Clock.Now().Add(-time.Hour), Times: 1}) // it has registered since
	to.FCM.Fail(gone, pushtest.Failure{Status: 404, Reason: "UNREGISTERED"})
	h.done("Mow")
	testkit.Eventually(t, "all are settled", func() bool {
		got := h.became("push")
		return got["pending"] == 0 && got["sending"] == 0
	})
	h.done("Sweep")
	testkit.Eventually(t, "the alive ones are pushed to", func() bool { return len(to.APNs.Pushes(alive)) == 2 && len(to.APNs.Pushes(again)) == 1 })
	list := testkit.JSON[struct{ Items []struct{ Token string } }](t, h.As(t, ann).Want(200, "GET", "/api/notifications/devices/", nil))
	if len(list.Items) != 2 {
		t.Errorf("devices %+v", list)
	}
}

func TestABadAddressStopsNobody(t *testing.T) {
	cfg, to := provided(t)
	to.mail.Fail(mailtest.Fault{At: mailtest.Recipient, To: "ann@example.org", Code: 550, Enhanced: "5.1.1"})
	s := run(t, cfg)
	h := live(t, s) // both are welcomed
	to.mail.Wait(t, "bob@example.org", "")
	testkit.Eventually(t, "Ann's has failed", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM messages WHERE state = 'failed' AND user_id = @user`, pgx.NamedArgs{"user": ann})
		return err == nil && n == 1
	})
	testkit.Eventually(t, "it is remembered", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM people WHERE bounced = email`, nil)
		return err == nil && n == 1
	})
	h.done("Mow")
	if got := h.became("email"); got["suppressed: address_dead"] != 1 {
		t.Errorf("mail %v", got)
	}
}

func TestAProviderThatIsAwayForAnHourLosesNothingAndDoublesNothing(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	var tokens []string
	for range 5 {
		tokens = append(tokens, h.device(ann, "ios"))
	}
	pixel := h.device(ann, "android")
	to.APNs.Down()
	h.done("Mow")
	testkit.Eventually(t, "Google is not held up", func() bool { return len(to.FCM.Pushes(pixel)) == 1 })
	for range 60 {
		s.Clock.Advance(time.Minute)
		testkit.Eventually(t, "what is tried is settled", func() bool { return h.became("push")["sending"] == 0 })
	}
	if n := to.APNs.Count(); n != 0 {
		t.Fatalf("%d pushes while it was away", n)
	}
	tries, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT sum(tries) FROM messages WHERE lane = 'apns'`, nil)
	if err != nil || tries > 60 {
		t.Errorf("%d tries in an hour, %v", tries, err)
	}
	to.APNs.Up()
	testkit.Eventually(t, "all have come", func() bool {
		s.Clock.Advance(time.Minute)
		return to.APNs.Count() == len(tokens)
	})
	for _, token := range tokens {
		if n := len(to.APNs.Pushes(token)); n != 1 {
			t.Errorf("%d pushes to one device", n)
		}
	}
	h.pushed("sent", 6)
}

func TestTooManyRequestsAreWaitedOut(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	token := h.device(ann, "ios")
	to.APNs.Fail("", pushtest.Failure{Status: 503, Reason: "ServiceUnavailable", RetryAfter: "600", Times: 1})
	h.done("Mow")
	testkit.Eventually(t, "it was tried", func() bool { return to.APNs.Asked() == 1 && h.became("push")["sending"] == 0 })
	s.Clock.Advance(9 * time.Minute)
	h.done("Sweep")
	if n := len(to.APNs.Pushes(token)); n != 0 {
		t.Errorf("%d pushes before the ten minutes were over", n)
	}
	s.Clock.Advance(time.Minute + time.Second)
	testkit.Eventually(t, "both are pushed", func() bool { return len(to.APNs.Pushes(token)) == 2 })
}

func TestWhatWasTakenByAProcessThatDiedIsSentAfterItsLease(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	token := h.device(ann, "ios")
	to.APNs.Down()
	h.done("Mow")
	testkit.Eventually(t, "it was tried", func() bool { return h.became("push")["sending"] == 0 })
	lease := s.Clock.Now().Add(10 * time.Minute)
	if _, err := s.DB.Exec(t.Context(), `UPDATE messages SET state = 'sending', next_at = $1 WHERE lane = 'apns'`, lease); err != nil {
		t.Fatal(err)
	}
	to.APNs.Up()
	s.Clock.Advance(10*time.Minute - time.Second)
	if n := len(to.APNs.Pushes(token)); n != 0 {
		t.Errorf("%d pushes while another has it", n)
	}
	s.Clock.Advance(time.Second)
	testkit.Eventually(t, "it is sent", func() bool { return len(to.APNs.Pushes(token)) == 1 })
}

func TestTheDayComesAsAMailWithSections(t *testing.T) {
	h, to := provide(t)
	h.task("Mow", "2026-03-09")
	h.task("Sweep", "2026-03-11")
	h.at("2026-03-11T07:00:00Z")
	got := to.mail.Wait(t, "ann@example.org", "1 overdue")
	for _, want := range []string{"Mow", "Sweep", "Overdue", "Today", "Birch Lane 3"} {
		if !strings.Contains(got.Text, want) {
			t.Errorf("no %q in %q", want, got.Text)
		}
	}
	h.at("2026-03-11T08:00:00Z") // the reminder; the digest has told of it
	if got := h.became("email"); got["suppressed: in_digest"] != 2 {
		t.Errorf("mail %v", got)
	}
}

func TestWhatIsPutOffComesBack(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	token := h.device(ann, "ios")
	h.task("Mow", "2026-03-11")
	h.at("2026-03-11T08:00:00Z")
	testkit.Eventually(t, "it is pushed", func() bool { return len(to.APNs.Pushes(token)) == 2 }) // with the digest of 08:00
	id, _, err := pg.Scalar[uuid.UUID](t.Context(), s.DB, `SELECT id FROM notifications WHERE kind = 'task_due_soon' AND user_id = @user`, pgx.NamedArgs{"user": ann})
	if err != nil {
		t.Fatal(err)
	}
	h.As(t, ann).Want(200, "POST", "/api/notifications/"+id.String()+"/snooze/", `{"minutes":30}`)
	h.at("2026-03-11T08:29:59Z")
	if n := len(to.APNs.Pushes(token)); n != 2 {
		t.Errorf("%d pushes before its time", n)
	}
	h.at("2026-03-11T08:30:00Z")
	testkit.Eventually(t, "it comes back", func() bool { return len(to.APNs.Pushes(token)) == 3 })
	h.wants(ann, "task_due_soon: “Mow” is due today.")
	h.at("2026-03-11T12:00:00Z")
	if n := len(to.APNs.Pushes(token)); n != 3 {
		t.Errorf("%d pushes: it came back more than once", n)
	}
}

func TestWhatComesBackSaysWhatIsSoThen(t *testing.T) {
	h, to := provide(t)
	token := h.device(ann, "ios")
	h.task("Mow", "2026-03-12")
	h.at("2026-03-11T08:00:00Z")
	testkit.Eventually(t, "it is pushed", func() bool { return len(to.APNs.Pushes(token)) > 0 })
	id, _, err := pg.Scalar[uuid.UUID](t.Context(), h.DB, `SELECT id FROM notifications WHERE kind = 'task_due_soon' AND user_id = @user`, pgx.NamedArgs{"user": ann})
	if err != nil {
		t.Fatal(err)
	}
	says := func() string {
		t.Helper()
		return all[struct{ Said string }](t, h.Service, `SELECT kind || ': ' || body AS said FROM notifications WHERE id = @id`, pgx.NamedArgs{"id": id})[0].Said
	}
	if got := says(); got != "task_due_soon: “Mow” is due tomorrow." {
		t.Fatal(got)
	}
	for _, c := range []struct{ until, says string }{
		{"2026-03-12T20:00:00Z", "task_due_soon: “Mow” is due today."}, {"2026-03-13T20:00:00Z", "task_overdue: “Mow” was due yesterday."},
	} {
		h.As(t, ann).Want(200, "POST", "/api/notifications/"+id.String()+"/snooze/", `{"until":"`+c.until+`"}`)
		h.at(c.until)
		testkit.Eventually(t, "it is back at "+c.until, func() bool {
			return len(all[struct{ ID uuid.UUID }](t, h.Service, `SELECT id FROM notifications WHERE id = @id AND read_at IS NULL`, pgx.NamedArgs{"id": id})) == 1
		})
		if got := says(); got != c.says {
			t.Errorf("at %s it says %q", c.until, got)
		}
	}
}
