package notification_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/notification"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

type preference struct {
	UserID      uuid.UUID
	Kind        string
	Push, Email bool
}

func TestANewPersonHearsOfEverything(t *testing.T) {
	s := run(t, configuration(t))
	ann := events.User{ID: uuid.Must(uuid.NewV7()), Email: "ann@example.com", FirstName: "Ann", Version: 1}
	trace, traceID := testkit.NewTrace()
	once := testkit.Delivery{ID: uuid.Must(uuid.NewV7()), Trace: trace}
	testkit.DeliverAs(t, s, events.UserRegistered, ann, once)

	var want []preference
	for _, kind := range slices.Sorted(slices.Values(notification.Kinds())) {
		want = append(want, preference{ann.ID, kind, true, true})
	}
	const readAll = `SELECT user_id, kind, push, email FROM preferences ORDER BY user_id, kind COLLATE "C"`
	if got := all[preference](t, s, readAll, nil); !slices.Equal(got, want) {
		t.Fatalf("preferences %v, wanted %v", got, want)
	}
	if spans := s.Spans(traceID); !slices.Contains(spans, "consume user.registered") {
		t.Errorf("the event's trace does not go on: %v", spans)
	}
	if _, err := pg.Exec(t.Context(), s.DB, `UPDATE preferences SET push = false WHERE kind = 'digest'`, nil); err != nil {
		t.Fatal(err)
	}
	testkit.DeliverAs(t, s, events.UserRegistered, ann, once) // the same event again
	testkit.Deliver(t, s, events.UserRegistered, ann)         // another one of the same person
	want[0].Push = false                                      // digest
	if got := all[preference](t, s, readAll, nil); !slices.Equal(got, want) {
		t.Errorf("preferences after the event came again %v, wanted %v", got, want)
	}
}

func TestAPersonIsAsTheLatestVersionInAnyOrder(t *testing.T) {
	s := run(t, configuration(t))
	id := uuid.Must(uuid.NewV7())
	testkit.Deliver(t, s, events.UserChanged, events.UserChange{User: events.User{ID: id, Email: "new@example.com", Version: 3}})
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: id, Email: "first@example.com", Version: 1})
	testkit.Deliver(t, s, events.UserChanged, events.UserChange{User: events.User{ID: id, Email: "old@example.com", Version: 2}})
	type person struct {
		Email   string
		Version int
	}
	if got := all[person](t, s, `SELECT email, version FROM people`, nil); !slices.Equal(got, []person{{"new@example.com", 3}}) {
		t.Errorf("people %v", got)
	}
	if n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM preferences`, nil); err != nil || n != len(notification.Kinds()) {
		t.Errorf("%d preferences, %v", n, err)
	}
}
