package notification_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
)

type note struct {
	ID          uuid.UUID
	UserID      uuid.UUID
	Kind        string
	ResidenceID uuid.UUID
	SubjectID   uuid.UUID
	Title, Body string
	ReadAt      *time.Time
	CreatedAt   time.Time
}

// notes are what is told of completed tasks.
func notes(t *testing.T, s *testkit.Service) []note {
	t.Helper()
	return all[note](t, s, `SELECT id, user_id, kind, residence_id, subject_id, title, body, read_at, created_at FROM notifications
		WHERE kind = 'task_completed' ORDER BY user_id, id`, nil)
}

// shared is a residence of Ann's that Bob and Cyd see, and Dan no longer.
func shared(t *testing.T, s *testkit.Service) events.Home {
	t.Helper()
	home := events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: ann, MemberIDs: []uuid.UUID{ann, bob, cyd}, Version: 1}
	dan := uuid.Must(uuid.NewV7())
	testkit.Deliver(t, s, events.ResidenceCreated, home)
	s.Clock.Advance(time.Second)
	testkit.Deliver(t, s, events.MembersChanged, events.Membership{ResidenceID: home.ID, OwnerID: ann, UserID: dan, Change: "joined", Role: "member"})
	s.Clock.Advance(time.Second)
	testkit.Deliver(t, s, events.MembersChanged, events.Membership{ResidenceID: home.ID, OwnerID: ann, UserID: dan, Change: "left"})
	return home
}

func TestACompletedTaskIsToldToTheOthers(t *testing.T) {
	s := run(t, configuration(t))
	home := shared(t, s)
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: bob, Username: "bob", FirstName: "Bob", Version: 1})
	done := events.Completion{
		ID: uuid.Must(uuid.NewV7()), CompletedBy: bob,
		Task: events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: home.ID, Title: "Clean the gutters"},
	}
	trace, traceID := testkit.NewTrace()
	once := testkit.Delivery{ID: uuid.Must(uuid.NewV7()), Trace: trace}
	testkit.DeliverAs(t, s, events.TaskCompleted, done, once)
	testkit.DeliverAs(t, s, events.TaskCompleted, done, once) // the same event again

	got := notes(t, s)
	ids := map[uuid.UUID]bool{}
	for i := range got {
		ids[got[i].ID] = true
		if v, variant := got[i].ID.Version(), got[i].ID.Variant(); v != 7 || variant != uuid.RFC4122 || got[i].ID.Time() != once.ID.Time() {
			t.Errorf("%s is no UUIDv7 of the event's time", got[i].ID)
		}
		got[i].ID = uuid.Nil
	}
	want := []note{}
	for _, user := range []uuid.UUID{ann, cyd} {
		want = append(want, note{
			UserID: user, Kind: "task_completed", ResidenceID: home.ID, SubjectID: done.Task.ID,
			Title: "Task completed", Body: "Bob completed “Clean the gutters”.", CreatedAt: s.Clock.Now(),
		})
	}
	if !slices.EqualFunc(got, want, func(a, b note) bool {
		same := a.CreatedAt.Equal(b.CreatedAt)
		a.CreatedAt = b.CreatedAt
		return same && a == b
	}) || len(ids) != 2 {
		t.Errorf("inbox %+v, wanted %+v", got, want)
	}
	if spans := s.Spans(traceID); !slices.Contains(spans, "consume task.completed") {
		t.Errorf("the event's trace does not go on: %v", spans)
	}
}

func TestSomebodyUnknownIsStillSomebody(t *testing.T) {
	s := run(t, configuration(t))
	home := shared(t, s)
	done := events.Completion{ID: uuid.Must(uuid.NewV7()), CompletedBy: ann, Task: events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: home.ID, Title: "Mow"}}
	testkit.Deliver(t, s, events.TaskCompleted, done)
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Username: "ann77", Version: 1})
	testkit.Deliver(t, s, events.TaskCompleted, done)
	got := notes(t, s)
	if len(got) != 4 || got[0].Body != "Somebody completed “Mow”." || got[1].Body != "ann77 completed “Mow”." {
		t.Errorf("inbox %+v", got)
	}
}

func TestNothingIsToldOfADeletedResidence(t *testing.T) {
	s := run(t, configuration(t))
	home, other := shared(t, s), shared(t, s)
	complete := func(home uuid.UUID) {
		testkit.Deliver(t, s, events.TaskCompleted, events.Completion{
			ID: uuid.Must(uuid.NewV7()), CompletedBy: ann, Task: events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: home, Title: "Mow"},
		})
	}
	complete(home.ID)
	complete(other.ID)
	testkit.Deliver(t, s, events.ResidenceDeleted, home)
	complete(home.ID)
	got := notes(t, s)
	if len(got) != 2 || got[0].ResidenceID != other.ID || got[1].ResidenceID != other.ID {
		t.Errorf("inbox %+v", got)
	}
}

func TestACompletionWhileTheResidenceIsDeletedLeavesNothing(t *testing.T) {
	s := run(t, configuration(t))
	before := received(t, s)
	const homes = 30
	var all []events.Home
	for range homes {
		home := events.Home{ID: uuid.Must(uuid.NewV7()), OwnerID: ann, MemberIDs: []uuid.UUID{ann, bob}, Version: 1}
		all = append(all, home)
		testkit.Enqueue(t, s, events.ResidenceCreated, home, testkit.Delivery{})
	}
	testkit.Eventually(t, "all exist", func() bool { return received(t, s) == before+homes })
	for _, home := range all {
		testkit.Enqueue(t, s, events.TaskCompleted, events.Completion{
			ID: uuid.Must(uuid.NewV7()), CompletedBy: ann, Task: events.TaskRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: home.ID, Title: "Mow"},
		}, testkit.Delivery{})
		testkit.Enqueue(t, s, events.ResidenceDeleted, home, testkit.Delivery{})
	}
	testkit.Eventually(t, "all is received", func() bool { return received(t, s) == before+3*homes })
	if left := notes(t, s); len(left) != 0 {
		t.Errorf("%d notifications of residences that are gone", len(left))
	}
}
