package notification_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// household is a residence with the people in it, at a clock that a test moves.
type household struct {
	*testkit.Service
	t    *testing.T
	home events.Home
}

// live begins a household of Ann, who owns it, in Berlin, and Bob in New York, both with a verified address.
func live(t *testing.T, s *testkit.Service) *household {
	t.Helper()
	h := &household{Service: s, t: t, home: events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: ann, Name: "Birch Lane 3", MemberIDs: []uuid.UUID{ann, bob}, Version: 1}}
	h.person(ann, "Ann", "Europe/Berlin", 1)
	h.person(bob, "Bob", "America/New_York", 1)
	testkit.Deliver(t, s, events.ResidenceCreated, h.home)
	return h
}

func (h *household) person(id uuid.UUID, name, zone string, version int) {
	h.t.Helper()
	u := events.User{ID: id, Email: strings.ToLower(name) + "@example.org", FirstName: name, Username: strings.ToLower(name), Timezone: zone, Locale: "en", EmailVerified: new(true), Version: version}
	if version == 1 {
		testkit.Deliver(h.t, h.Service, events.UserRegistered, u)
		return
	}
	testkit.Deliver(h.t, h.Service, events.UserChanged, events.UserChange{User: u})
}

// task is one of the household's, due on a day.
func (h *household) task(title, due string) events.TaskRef {
	h.t.Helper()
	task := events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: h.home.ID, Title: title, NextDueDate: due, Open: true, ActorID: ann, Version: 1}
	testkit.Deliver(h.t, h.Service, events.TaskCreated, task)
	return task
}

func (h *household) change(task events.TaskRef, change func(*events.TaskRef)) events.TaskRef {
	h.t.Helper()
	task.Version++
	change(&task)
	testkit.Deliver(h.t, h.Service, events.TaskChanged, task)
	return task
}

// at moves the clock, and waits until nothing is due.
func (h *household) at(instant string) {
	h.t.Helper()
	to, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Clock.Set(to)
	h.calm()
}

func (h *household) calm() {
	h.t.Helper()
	testkit.Eventually(h.t, "everything due has fired", func() bool {
		n, _, err := pg.Scalar[int](h.t.Context(), h.DB, `SELECT count(*) FROM reminders WHERE fire_at <= @now`, pgx.NamedArgs{"now": h.Clock.Now()})
		return err == nil && n == 0
	})
}

// told is what a person's inbox says, the oldest first.
func (h *household) told(user uuid.UUID) []string {
	h.t.Helper()
	rows, err := pg.Column[string](h.t.Context(), h.DB, `
		SELECT kind || ': ' || body FROM notifications WHERE user_id = @user AND kind <> 'digest' ORDER BY created_at, id`, pgx.NamedArgs{"user": user})
	if err != nil {
		h.t.Fatal(err)
	}
	return rows
}

func (h *household) wants(user uuid.UUID, want ...string) {
	h.t.Helper()
	want = slices.Clone(want)
	got := h.told(user)
	slices.Sort(got) // what fires at once has no order
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.t.Errorf("at %s %s was told %q, wanted %q", h.Clock.Now().Format(time.RFC3339), user, got, want)
	}
}

func TestATaskRemindsEachMemberInTheirOwnHourAcrossAChangeOfTheClocks(t *testing.T) {
	s := run(t, configuration(t))
	s.Clock.Set(time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC))
	h := live(t, s)
	h.task("Mow the lawn", "2026-03-30") // Berlin's clocks go forward on the 29th, New York's went on the 8th

	h.at("2026-03-29T06:59:59Z") // 08:59 in Berlin's new time
	h.wants(ann)
	h.at("2026-03-29T07:00:00Z")
	h.wants(ann, "task_due_soon: “Mow the lawn” is due tomorrow.")
	h.wants(bob)
	h.at("2026-03-29T12:59:59Z")
	h.wants(bob)
	h.at("2026-03-29T13:00:00Z") // 09:00 in New York
	h.wants(bob, "task_due_soon: “Mow the lawn” is due tomorrow.")
	h.at("2026-03-30T13:00:00Z")
	day := []string{"task_due_soon: “Mow the lawn” is due tomorrow.", "task_due_soon: “Mow the lawn” is due today."}
	h.wants(ann, day...)
	h.wants(bob, day...)
	for _, next := range []struct{ at, says string }{
		{"2026-03-31T13:00:00Z", "task_overdue: “Mow the lawn” was due yesterday."},
		{"2026-04-01T13:00:00Z", ""},
		{"2026-04-02T13:00:00Z", "task_overdue: “Mow the lawn” has been overdue for 3 days."},
		{"2026-04-06T13:00:00Z", "task_overdue: “Mow the lawn” has been overdue for 7 days."},
	} {
		h.at(next.at)
		if next.says != "" {
			day = append(day, next.says)
		}
		h.wants(ann, day...)
		h.wants(bob, day...)
	}
}

func TestWhoMovesIsRemindedOnce(t *testing.T) {
	s := run(t, configuration(t))
	s.Clock.Set(time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC))
	h := live(t, s)
	h.task("Mow the lawn", "2026-03-30")
	h.at("2026-03-29T07:00:00Z")
	h.person(ann, "Ann", "America/New_York", 2) // flies west: 09:00 comes a second time on that day
	h.person(bob, "Bob", "Europe/Berlin", 2)    // flies east, where 09:00 is just past
	h.calm()
	h.wants(bob, "task_due_soon: “Mow the lawn” is due tomorrow.")
	h.at("2026-03-29T20:00:00Z")
	h.wants(ann, "task_due_soon: “Mow the lawn” is due tomorrow.")
	h.wants(bob, "task_due_soon: “Mow the lawn” is due tomorrow.")
	h.at("2026-03-30T07:00:00Z") // 09:00 in Berlin, 03:00 in New York
	h.wants(ann, "task_due_soon: “Mow the lawn” is due tomorrow.")
	h.wants(bob, "task_due_soon: “Mow the lawn” is due tomorrow.", "task_due_soon: “Mow the lawn” is due today.")
}

func TestRemindersFollowWhatBecomesOfATask(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*household, events.TaskRef)
		ann    []string
		bob    []string
	}{
		"done": {func(h *household, task events.TaskRef) {
			task.Version, task.Open = 2, false
			testkit.Deliver(h.t, h.Service, events.TaskCompleted, events.Completion{ID: uuid.Must(uuid.NewV7()), Task: task, CompletedBy: bob, Version: 2})
		}, []string{"task_completed: Bob completed “Mow”."}, nil},
		"done, and comes again": {func(h *household, task events.TaskRef) {
			task.Version, task.NextDueDate = 2, "2026-03-17"
			testkit.Deliver(h.t, h.Service, events.TaskCompleted, events.Completion{ID: uuid.Must(uuid.NewV7()), Task: task, CompletedBy: ann, Version: 2})
			h.at("2026-03-16T14:00:00Z")
		}, []string{"task_due_soon: “Mow” is due tomorrow."}, []string{"task_completed: Ann completed “Mow”.", "task_due_soon: “Mow” is due tomorrow."}},
		"deleted": {func(h *household, task events.TaskRef) {
			task.Version = 2
			testkit.Deliver(h.t, h.Service, events.TaskDeleted, task)
		}, nil, nil},
		"put off": {func(h *household, task events.TaskRef) {
			h.change(task, func(t *events.TaskRef) { t.NextDueDate = "2026-03-15" })
			h.at("2026-03-14T14:00:00Z")
		}, []string{"task_due_soon: “Mow” is due tomorrow."}, []string{"task_due_soon: “Mow” is due tomorrow."}},
		"without a date": {func(h *household, task events.TaskRef) {
			h.change(task, func(t *events.TaskRef) { t.NextDueDate = "" })
		}, nil, nil},
		"assigned": {func(h *household, task events.TaskRef) {
			h.change(task, func(t *events.TaskRef) { t.AssignedToID = bob })
			h.at("2026-03-12T14:00:00Z")
		}, nil, []string{"task_assigned: Ann assigned “Mow” to you. It is due on March 13, 2026.", "task_due_soon: “Mow” is due tomorrow."}},
		"assigned to oneself": {func(h *household, task events.TaskRef) {
			h.change(task, func(t *events.TaskRef) { t.AssignedToID = ann })
			h.at("2026-03-12T14:00:00Z")
		}, []string{"task_due_soon: “Mow” is due tomorrow."}, nil},
		"somebody leaves": {func(h *household, task events.TaskRef) {
			testkit.Deliver(h.t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: bob, Change: "left", ActorID: bob})
			h.at("2026-03-12T14:00:00Z")
		}, []string{"residence_shared: Bob left Birch Lane 3.", "task_due_soon: “Mow” is due tomorrow."}, nil},
		"who has it leaves": {func(h *household, task events.TaskRef) {
			h.change(task, func(t *events.TaskRef) { t.AssignedToID, t.ActorID = bob, bob })
			testkit.Deliver(h.t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: bob, Change: "removed", ActorID: ann})
			h.at("2026-03-12T14:00:00Z")
		}, []string{"task_due_soon: “Mow” is due tomorrow."}, []string{"residence_shared: You no longer belong to Birch Lane 3."}},
		"somebody may only look": {func(h *household, task events.TaskRef) {
			testkit.Deliver(h.t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: bob, Change: "role", Role: "viewer", ActorID: ann})
			h.at("2026-03-12T14:00:00Z")
		}, []string{"task_due_soon: “Mow” is due tomorrow."}, []string{"residence_shared: You can now look at Birch Lane 3, but not change it."}},
		"somebody joins": {func(h *household, task events.TaskRef) {
			h.person(cyd, "Cyd", "Asia/Tokyo", 1)
			testkit.Deliver(h.t, h.Service, events.MembersChanged, events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: cyd, Change: "joined", Role: "member", ActorID: cyd})
			h.at("2026-03-12T00:00:00Z")
			h.wants(cyd, "task_due_soon: “Mow” is due tomorrow.")
		}, []string{"residence_shared: Cyd joined Birch Lane 3."}, []string{"residence_shared: Cyd joined Birch Lane 3."}},
		"the residence goes": {func(h *household, task events.TaskRef) {
			testkit.Deliver(h.t, h.Service, events.ResidenceDeleted, h.home)
			h.at("2026-03-12T14:00:00Z")
		}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := run(t, configuration(t))
			h := live(t, s)
			task := h.task("Mow", "2026-03-13")
			s.Clock.Advance(time.Second)
			c.change(h, task)
			h.wants(ann, c.ann...)
			h.wants(bob, c.bob...)
		})
	}
}

func TestWhatIsDoneNagsNoMore(t *testing.T) {
	s := run(t, configuration(t))
	h := live(t, s)
	task := h.task("Mow", "2026-03-12")
	h.at("2026-03-12T14:00:00Z")
	unread := func() int {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM notifications WHERE read_at IS NULL AND kind = 'task_due_soon'`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := unread(); n != 2 {
		t.Fatalf("%d reminders, wanted one for each: nothing ran on the day before", n)
	}
	task.Version, task.NextDueDate = 2, "2026-04-12"
	testkit.Deliver(t, s, events.TaskCompleted, events.Completion{ID: uuid.Must(uuid.NewV7()), Task: task, CompletedBy: ann, Version: 2})
	if n := unread(); n != 0 {
		t.Errorf("%d unread reminders of what is done", n)
	}
}

func TestADateThatComesAndGoesRemindsOnce(t *testing.T) {
	s := run(t, configuration(t))
	h := live(t, s)
	task := h.task("Mow", "2026-03-12")
	h.at("2026-03-11T14:00:00Z")
	for range 3 {
		task = h.change(task, func(t *events.TaskRef) { t.NextDueDate = "2026-04-01" })
		task = h.change(task, func(t *events.TaskRef) { t.NextDueDate = "2026-03-12" })
	}
	h.at("2026-03-12T14:00:00Z")
	h.wants(ann, "task_due_soon: “Mow” is due tomorrow.", "task_due_soon: “Mow” is due today.")
}

func TestEventsOfATaskInAnyOrderPlanTheSame(t *testing.T) {
	s := run(t, configuration(t))
	h := live(t, s)
	id := uuid.Must(uuid.NewV7())
	for _, v := range []int{3, 1, 4, 2} {
		testkit.Deliver(t, s, events.TaskChanged, events.TaskRef{ID: id, ResidenceID: h.home.ID, Title: fmt.Sprint("Mow ", v), NextDueDate: fmt.Sprintf("2026-03-1%d", v+1), Open: true, ActorID: ann, Version: v})
	}
	h.at("2026-03-14T14:00:00Z")
	h.wants(ann, "task_due_soon: “Mow 4” is due tomorrow.")
}

func TestWhatHappensInAResidenceNotHeardOfYetIsToldAllTheSame(t *testing.T) {
	s := run(t, configuration(t))
	h := &household{Service: s, t: t, home: events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: ann, Name: "Birch Lane 3", MemberIDs: []uuid.UUID{ann}, Version: 1}}
	h.person(ann, "Ann", "Europe/Berlin", 1)
	h.person(bob, "Bob", "America/New_York", 1)
	joined := events.Membership{ResidenceID: h.home.ID, OwnerID: ann, UserID: bob, Change: "joined", Role: "member", ActorID: bob, AffectedIDs: []uuid.UUID{ann, bob}}
	testkit.Deliver(t, s, events.MembersChanged, joined) // before Ann is known to belong there
	h.wants(ann, "residence_shared: Bob joined a shared home.")
	h.wants(bob)
	other := events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: ann, Name: "Lake cabin", MemberIDs: []uuid.UUID{ann, bob}, Version: 1}
	testkit.Enqueue(t, s, events.TaskCompleted, events.Completion{ID: uuid.Must(uuid.NewV7()), CompletedBy: bob,
		Task: events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: other.ID, Title: "Mow", Version: 1}}, testkit.Delivery{})
	testkit.Deliver(t, s, events.ResidenceCreated, other)
	testkit.Eventually(t, "the completion is told", func() bool { return len(h.told(ann)) == 2 })
}

func TestWhatIsToldBeforeItsPersonsIsPlannedByTheirHours(t *testing.T) {
	s := run(t, configuration(t))
	h := &household{Service: s, t: t, home: events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: ann, Name: "Birch Lane 3", MemberIDs: []uuid.UUID{ann, bob}, Version: 1}}
	h.task("Mow", "2026-03-13")
	testkit.Deliver(t, s, events.ResidenceCreated, h.home)
	h.person(ann, "Ann", "Europe/Berlin", 1)
	h.person(bob, "Bob", "America/New_York", 1)
	h.at("2026-03-12T08:00:00Z")
	h.wants(ann, "task_due_soon: “Mow” is due tomorrow.")
	h.wants(bob)
	h.at("2026-03-12T13:00:00Z")
	h.wants(bob, "task_due_soon: “Mow” is due tomorrow.")
}

func TestAWarrantyRemindsFourTimes(t *testing.T) {
	s := run(t, configuration(t))
	h := live(t, s)
	testkit.Deliver(t, s, events.DocumentChanged, events.DocumentRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: h.home.ID, Type: "warranty", Title: "Furnace papers",
		ItemName: "the furnace", EndDate: "2026-10-26", IsActive: true, ActorID: ann, Change: "created", Version: 1})
	var want []string
	for _, c := range []struct{ at, says string }{
		{"2026-07-28T13:00:00Z", "90 days"}, {"2026-09-26T13:00:00Z", "30 days"}, {"2026-10-19T13:00:00Z", "7 days"},
		{"2026-10-25T07:59:00Z", ""}, {"2026-10-25T14:00:00Z", "tomorrow"}, // Berlin's clocks went back that night: 09:00 is 08:00 UTC
		{"2026-10-26T14:00:00Z", ""},
	} {
		h.at(c.at)
		switch c.says {
		case "":
		case "tomorrow":
			want = append(want, "warranty_expiring: The warranty of the furnace ends tomorrow.")
		default:
			want = append(want, "warranty_expiring: The warranty of the furnace ends in "+c.says+".")
		}
		h.wants(ann, want...)
	}
}

func TestAfterALongSilenceWhatStillMattersIsTold(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	h := live(t, s)
	h.task("Mow", "2026-03-12")      // would have been told of on the 11th and the 12th
	h.task("Sweep", "2026-03-15")    // is due today
	h.task("Ladder", "2026-02-10")   // the 30 days were on the 12th
	h.task("Far away", "2026-04-15") // is not near
	h.at("2026-03-15T14:00:00Z")     // nothing ran from the 10th to the 15th
	h.wants(ann, "task_overdue: “Mow” has been overdue for 3 days.", "task_due_soon: “Sweep” is due today.", "task_overdue: “Ladder” has been overdue for 33 days.")
}

func TestTwoScannersFireEverythingOnce(t *testing.T) {
	cfg := configuration(t)
	s := run(t, cfg)
	h := live(t, s)
	const tasks = 60
	for i := range tasks {
		testkit.Enqueue(t, s, events.TaskCreated, events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: h.home.ID, Title: fmt.Sprint("Task ", i), NextDueDate: "2026-03-11", Open: true, ActorID: ann, Version: 1}, testkit.Delivery{})
	}
	testkit.Eventually(t, "all are planned", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM reminders WHERE subject = 'task'`, nil)
		return err == nil && n == 2*tasks
	})
	second, third := run(t, cfg), run(t, cfg)
	for _, other := range []*testkit.Service{second, third, s} {
		other.Clock.Set(time.Date(2026, 3, 11, 14, 0, 0, 0, time.UTC))
	}
	h.calm()
	for _, user := range []uuid.UUID{ann, bob} {
		if got := h.told(user); len(got) != tasks {
			t.Errorf("%d reminders for %d tasks", len(got), tasks)
		}
	}
}

func TestTheDayIsToldOfOnceADay(t *testing.T) {
	s := run(t, configuration(t))
	h := live(t, s)
	h.task("Mow", "2026-03-09")
	h.task("Sweep", "2026-03-11")
	h.task("Paint", "2026-03-14")
	h.task("Far away", "2026-05-01")
	digests := func(user uuid.UUID) []string {
		rows, err := pg.Column[string](t.Context(), s.DB, `SELECT body FROM notifications WHERE kind = 'digest' AND user_id = @user ORDER BY created_at`, pgx.NamedArgs{"user": user})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	h.at("2026-03-11T06:59:00Z")
	if got := digests(ann); len(got) != 0 {
		t.Errorf("before 08:00: %q", got)
	}
	h.at("2026-03-11T07:00:00Z")
	h.at("2026-03-11T11:59:00Z")
	if got := digests(ann); !slices.Equal(got, []string{"1 overdue, 1 due today, 1 in the next seven days"}) {
		t.Errorf("Ann's day: %q", got)
	}
	if got := digests(bob); len(got) != 0 {
		t.Errorf("Bob's day, before 08:00 in New York: %q", got)
	}
	h.person(ann, "Ann", "America/New_York", 2)
	h.at("2026-03-11T12:00:00Z")
	if a, b := digests(ann), digests(bob); len(a) != 1 || len(b) != 1 {
		t.Errorf("Ann, who has flown there: %q, Bob: %q", a, b)
	}
}
