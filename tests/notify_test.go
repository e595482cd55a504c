package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/dev/system"
	"hearth.internal/notification/mail/mailtest"
	"hearth.internal/notification/push/pushtest"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/testkit"
)

// through lets notification send by these servers.
func through(mails *mailtest.Server, pushes *pushtest.Servers) func(*system.Options) {
	return func(o *system.Options) {
		if mails != nil {
			o.Messages = append(o.Messages, mails.Environ()...)
		}
		if pushes != nil {
			o.Messages = append(o.Messages, pushes.Environ()...)
		}
		o.Messages = append(o.Messages, "HEARTH_PUBLIC_URL=https://api.example.org")
	}
}

var digits = regexp.MustCompile(`\b\d{6}\b`)

func TestANewPersonGetsTheirCodeByMailAndIsWelcomed(t *testing.T) {
	mails := mailtest.Start(t)
	w := start(t, through(mails, nil))
	kim := w.join(t, "Kim")
	code := digits.FindString(mails.Wait(t, kim.Email, "").Text)
	if code == "" {
		t.Fatalf("no code in %q", mails.To(kim.Email)[0].Text)
	}
	kim.want(200, "POST", "/api/auth/verify-email/", map[string]any{"code": code})
	testkit.Eventually(t, "they are welcomed", func() bool { return len(mails.To(kim.Email)) == 2 })
	kim.want(204, "POST", "/api/auth/change-password/", map[string]any{"current_password": kim.Password, "new_password": "another horse 8 battery"})
	testkit.Eventually(t, "they hear of their new password", func() bool { return len(mails.To(kim.Email)) == 3 })
	for _, m := range mails.To(kim.Email) {
		if m.Header.Get("List-Unsubscribe") != "" || m.HTML == "" || !m.Encrypted {
			t.Errorf("%s: encrypted %t, %v", m.Subject, m.Encrypted, m.Header)
		}
	}
}

func TestAnInvitationByMailLetsSomebodyJoin(t *testing.T) {
	mails := mailtest.Start(t)
	w := start(t, through(mails, nil))
	ada, sam := w.join(t, "Ada"), w.join(t, "Sam")
	house := ada.home("Maple Street")
	ada.want(201, "POST", "/api/residences/"+house+"/generate-share-code/", map[string]any{"email": "sam.private@example.org"})
	text := mails.Wait(t, "sam.private@example.org", "").Text
	code := regexp.MustCompile(`\b[A-Z0-9]{4}[ -]?[A-Z0-9]{4}\b`).FindString(text)
	if code == "" {
		t.Fatalf("no code in %q", text)
	}
	sam.want(200, "POST", "/api/residences/join-with-code/", map[string]any{"code": code})
	testkit.Eventually(t, "Ada hears of it", func() bool {
		return strings.Contains(string(ada.want(200, "GET", "/api/notifications/", nil).Body), "Sam joined Maple Street.")
	})
}

func TestBothMembersAreRemindedInTheirOwnHourAcrossAChangeOfTheClocks(t *testing.T) {
	pushes := pushtest.Start(t)
	now := clock.At(time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC))
	pushes.APNs.UseClock(now)
	w := start(t, through(nil, pushes), func(o *system.Options) { o.Clock = now })
	ada, sam := w.join(t, "Ada"), w.join(t, "Sam")
	ada.want(200, "PATCH", "/api/auth/profile/", map[string]any{"timezone": "Europe/Berlin"}) // forward in the night to the 29th
	sam.want(200, "PATCH", "/api/auth/profile/", map[string]any{"timezone": "America/New_York"})
	house := ada.home("Maple Street")
	ada.invite(sam, house)
	adas, sams := pushtest.NewToken(), pushtest.NewToken()
	ada.device(adas)
	sam.device(sams)
	for _, p := range []*person{ada, sam} {
		p.want(200, "PATCH", "/api/notifications/preferences/", map[string]any{"kinds": map[string]any{"digest": map[string]any{"push": false}, "residence_shared": map[string]any{"push": false}}})
	}
	ada.want(201, "POST", "/api/tasks/", map[string]any{"residence_id": house, "title": "Mow the lawn", "due_date": "2026-03-30"})
	db := w.open(t, "notification")
	count := func(sql string) int {
		var n int
		if err := db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	testkit.Eventually(t, "both are to be reminded, in their own zones", func() bool {
		return count(`SELECT count(*) FROM reminders r JOIN people p USING (user_id) WHERE subject = 'task' AND fire_at =
			(timestamp '2026-03-29 09:00' AT TIME ZONE p.timezone) AND p.timezone <> 'UTC'`) == 2
	})
	said := func(token string) (out []string) {
		for _, p := range pushes.APNs.Pushes(token) {
			if p.Data["kind"] == "task_due_soon" {
				out = append(out, p.Title+": "+p.Body)
			}
		}
		return out
	}
	tomorrow := []string{"Due soon: “Mow the lawn” is due tomorrow."}
	for _, step := range []struct {
		at       string
		ada, sam []string
	}{
		{"2026-03-29T06:59:59Z", nil, nil},
		{"2026-03-29T07:00:00Z", tomorrow, nil}, // 09:00 in Berlin's summer time
		{"2026-03-29T12:59:59Z", tomorrow, nil},
		{"2026-03-29T13:00:00Z", tomorrow, tomorrow}, // 09:00 in New York
		{"2026-03-29T23:00:00Z", tomorrow, tomorrow},
	} {
		at, err := time.Parse(time.RFC3339, step.at)
		if err != nil {
			t.Fatal(err)
		}
		now.Set(at)
		testkit.Eventually(t, "what is due by "+step.at+" is sent", func() bool {
			return count(`SELECT count(*) FROM reminders WHERE fire_at <= '`+step.at+`'`) == 0 &&
				count(`SELECT count(*) FROM messages WHERE (state = 'pending' AND next_at <= '`+step.at+`' OR state = 'sending') AND channel = 'push'`) == 0
		})
		if a, s := said(adas), said(sams); !slices.Equal(a, step.ada) || !slices.Equal(s, step.sam) {
			t.Errorf("at %s Ada was told %q and Sam %q, wanted %q and %q", step.at, a, s, step.ada, step.sam)
		}
	}
}

// open connects to a service's database, behind its back.
func (w *world) open(t *testing.T, service string) *pgx.Conn {
	t.Helper()
	url, err := w.Database(service)
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	return db
}

// A crowd of so many people with so many devices each hears of one thing at once.
const (
	crowd       = 500
	devicesEach = 20
	deaths      = 6
)

func TestKilledWhileItSendsItLosesNothingAndHardlyDoubles(t *testing.T) {
	pushes := pushtest.Start(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, through(nil, pushes), func(o *system.Options) { o.Processes, o.Program = true, program })
	ada := w.join(t, "Ada")
	house := ada.home("Maple Street")
	task := ada.want(201, "POST", "/api/tasks/", map[string]any{"residence_id": house, "title": "Mow the lawn"}).text("id")
	db := w.open(t, "notification")
	testkit.Eventually(t, "the residence is known", func() bool {
		var n int
		return db.QueryRow(t.Context(), `SELECT count(*) FROM members WHERE residence_id = $1`, house).Scan(&n) == nil && n == 1
	})
	tokens := make([]string, crowd*devicesEach)
	var people [crowd]uuid.UUID
	owners := make([]uuid.UUID, len(tokens))
	for i := range people {
		people[i] = uuid.Must(uuid.NewV7())
	}
	for i := range tokens {
		tokens[i], owners[i] = pushtest.NewToken(), people[i%crowd]
	}
	if _, err := db.Exec(t.Context(), `INSERT INTO members (residence_id, user_id, role, as_of) SELECT $1, unnest($2::uuid[]), 'viewer', ''`, house, people[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `
		INSERT INTO devices (id, user_id, platform, environment, token, token_hash, created_at, seen_at)
		SELECT gen_random_uuid(), u, 'ios', 'production', k, sha256(k::bytea), now(), now() FROM unnest($1::uuid[], $2::text[]) AS d(u, k)`, owners, tokens); err != nil {
		t.Fatal(err)
	}

	ada.want(201, "POST", "/api/tasks/"+task+"/quick-complete/", map[string]any{})
	for i := range deaths {
		await(t, fmt.Sprintf("it has sent %d", (i+1)*1200), time.Minute, func() bool { return pushes.APNs.Count() >= (i+1)*1200 })
		w.KillPart("notification")
	}
	await(t, "all is sent", 4*time.Minute, func() bool {
		var open, sent int
		err := db.QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE state IN ('pending', 'sending')), count(*) FILTER (WHERE state = 'sent') FROM messages WHERE channel = 'push'`).Scan(&open, &sent)
		return err == nil && open == 0 && sent == len(tokens)
	})
	got := map[string]int{}
	for _, p := range pushes.APNs.All() {
		got[p.Token]++
	}
	times := map[int]int{}
	for _, token := range tokens {
		times[got[token]]++
	}
	t.Logf("of %d devices, killed %d times: %d got it once, %d twice", len(tokens), deaths, times[1], times[2])
	// What is on its way at a kill, or answered and not written down yet, may be sent again: as many as are sent at a time,
	// and as many again whose answers are being written.
	if times[1]+times[2] != len(tokens) || times[2] > deaths*64 {
		t.Errorf("how often devices got it: %v", slices.Collect(maps.Keys(times)))
	}
}

// await is testkit.Eventually with a limit of its own.
func await(t *testing.T, what string, limit time.Duration, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", limit, what)
		}
	}
}
