package notification_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification/mail/mailtest"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// left counts what is kept of a person.
func (h *household) left(user uuid.UUID) (n int) {
	h.t.Helper()
	for _, table := range []string{"people", "members", "reminders", "notifications", "messages", "preferences", "settings", "devices"} {
		rows, _, err := pg.Scalar[int](h.t.Context(), h.DB, `SELECT count(*) FROM `+table+` WHERE user_id = @user`, pgx.NamedArgs{"user": user})
		if err != nil {
			h.t.Fatal(err)
		}
		n += rows
	}
	return n
}

// mailed waits until so many mails have become something.
func (h *household) mailed(became string, n int) {
	h.t.Helper()
	testkit.Eventually(h.t, "mails are "+became, func() bool { return h.became("email")[became] == n })
}

func TestNothingIsMadeAnewOfSomebodyWhoIsGone(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	h := live(t, s)
	h.device(bob, "ios")
	task := h.task("Mow", "2026-03-12")
	if _, err := s.DB.Exec(t.Context(), `UPDATE people SET email = '' WHERE user_id = $1`, bob); err != nil { // so that there is no last mail
		t.Fatal(err)
	}
	before := testkit.Delivery{At: s.Clock.Now()}
	s.Clock.Advance(time.Second)
	testkit.Deliver(t, s, events.UserDeleted, events.Person{ID: bob})
	if n := h.left(bob); n != 0 {
		t.Fatalf("%d rows of Bob are left", n)
	}
	late := events.User{ID: bob, Email: "bob@example.org", FirstName: "Bob", Timezone: "UTC", Locale: "en", EmailVerified: new(true), Version: 9}
	testkit.DeliverAs(t, s, events.UserRegistered, late, before)
	testkit.Deliver(t, s, events.UserChanged, events.UserChange{User: late})
	testkit.Deliver(t, s, events.MembersChanged, events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: bob, Change: "joined", Role: "member", ActorID: bob})
	testkit.Deliver(t, s, events.MembersChanged, events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: bob, Change: "removed", ActorID: ann})
	h.change(task, func(t *events.TaskRef) { t.AssignedToID = bob })
	testkit.Deliver(t, s, events.PasswordChanged, events.NewPassword{UserID: bob, How: "reset"})
	late2 := code(t, cfg, "123456")
	late2.UserID = bob
	testkit.Deliver(t, s, events.CodeIssued, late2)
	h.at("2026-03-11T14:00:00Z")
	if n := h.left(bob); n != 0 {
		t.Errorf("%d rows of Bob are there again", n)
	}
	h.wants(ann, "residence_shared: Somebody joined Birch Lane 3.", "task_due_soon: “Mow” is due tomorrow.")
}

func TestNothingIsToldOfAResidenceThatIsGone(t *testing.T) {
	s := run(t, configuration(t))
	h := live(t, s)
	moved := h.task("Mow", "2026-03-12")
	other := events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: ann, Name: "Cabin", MemberIDs: []uuid.UUID{ann}, Version: 1}
	testkit.Deliver(t, s, events.ResidenceCreated, other)
	testkit.Deliver(t, s, events.ResidenceDeleted, other)
	for _, change := range []string{"joined", "removed", "transferred"} {
		testkit.Deliver(t, s, events.MembersChanged, events.Membership{ResidenceID: other.ID, OwnerID: ann, UserID: bob, Change: change, Role: map[string]string{"joined": "member", "transferred": "owner"}[change], ActorID: ann})
	}
	h.change(moved, func(t *events.TaskRef) { t.PreviousResidenceID, t.ResidenceID = t.ResidenceID, other.ID }) // it went with the cabin
	h.at("2026-03-12T14:00:00Z")
	h.wants(ann)
	h.wants(bob)
}

func TestAMailThatWaitedGoesToWhereItsReaderIsNow(t *testing.T) {
	h, to := provide(t)
	s := h.Service
	h.done("Mow")
	moved := events.User{ID: ann, Email: "ann@elsewhere.example", FirstName: "Ann", Username: "ann", Timezone: "Europe/Berlin", Locale: "en", EmailVerified: new(true), Version: 2}
	testkit.Deliver(t, s, events.UserChanged, events.UserChange{User: moved})
	s.Clock.Advance(2 * time.Minute)
	to.mail.Wait(t, "ann@elsewhere.example", "Mow")
	h.done("Sweep")
	moved.Email, moved.EmailVerified, moved.Version = "typo@elsewhere.example", new(false), 3
	testkit.Deliver(t, s, events.UserChanged, events.UserChange{User: moved})
	s.Clock.Advance(2 * time.Minute)
	h.mailed("suppressed: address_unverified", 1)
	for _, m := range to.mail.Mails() {
		if strings.Contains(m.Text, "Sweep") {
			t.Errorf("mailed to %v", m.Header.Get("To"))
		}
	}
}

func TestWhatWaitsForADeadAddressIsNotTried(t *testing.T) {
	h, to := provide(t)
	to.mail.Wait(t, "ann@example.org", "") // the welcome
	to.mail.Fail(mailtest.Fault{At: mailtest.Recipient, To: "ann@example.org", Code: 550, Enhanced: "5.1.1"})
	h.done("Mow")
	testkit.Deliver(t, h.Service, events.PasswordChanged, events.NewPassword{UserID: ann, How: "changed"})
	testkit.Eventually(t, "it is remembered", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), h.DB, `SELECT count(*) FROM people WHERE bounced = email`, nil)
		return err == nil && n == 1
	})
	h.Clock.Advance(2 * time.Minute)
	h.mailed("suppressed: address_dead", 1)
}
