package events_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// change commits that a person's account is another, and answers it.
func (p pair) change(t *testing.T, version int) uuid.UUID {
	t.Helper()
	user := uuid.Must(uuid.NewV7())
	args := events.UserChanged.Args(t.Context(), events.UserChange{User: events.User{
		ID: user, Email: "ada@example.org", FirstName: "Ada", Version: version,
	}}, pgx.NamedArgs{})
	if _, err := pg.Exec(t.Context(), p.producer.DB, events.Columns, args); err != nil {
		t.Fatal(err)
	}
	p.producer.Relay.Nudge()
	return user
}

// told are the updates of the stream, and how often it began.
func told(t *testing.T, rdb *redis.Client) (updates []events.Update, begins int) {
	t.Helper()
	entries, err := rdb.XRange(context.Background(), cache.LiveKey, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		text, isUpdate := entry.Values[cache.LiveUpdate].(string)
		if !isUpdate {
			begins++
			continue
		}
		if strings.Contains(text, "Ada") || strings.Contains(text, "@") {
			t.Errorf("it tells more than that something changed: %s", text)
		}
		var u events.Update
		if err := json.Unmarshal([]byte(text), &u); err != nil {
			t.Fatal(err)
		}
		updates = append(updates, u)
	}
	return updates, begins
}

func subjects(updates []events.Update) []uuid.UUID {
	ids := make([]uuid.UUID, len(updates))
	for i, u := range updates {
		ids[i] = u.Subject
	}
	slices.SortFunc(ids, compare)
	return ids
}

// TestTheAppsAreToldOnce: also when the queue has lost everything and it is all published again.
func TestTheAppsAreToldOnce(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	rdb := client(t, p.producerConfig.CacheURL)
	var want []uuid.UUID
	for i := range 300 {
		want = append(want, p.change(t, i+1))
	}
	testkit.Eventually(t, "all is told", func() bool { u, _ := told(t, rdb); return len(u) >= len(want) })
	if err := p.producer.Queue.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	want = append(want, p.change(t, 301))
	user := p.register(t) // of which nobody is told
	p.settled(t, []uuid.UUID{user})
	updates, begins := told(t, rdb)
	if got := subjects(updates); !slices.Equal(got, slices.SortedFunc(slices.Values(want), compare)) || begins != 1 {
		t.Errorf("%d updates of %d, %d beginnings", len(got), len(want), begins)
	}
	if u := updates[0]; u.Type != "user.changed" || u.Version == 0 || !slices.Equal(u.UserIDs, []uuid.UUID{u.Subject}) || u.ResidenceIDs != nil {
		t.Errorf("%+v", u)
	}
	for i := 1; i < 300; i++ {
		if updates[i].Version < updates[i-1].Version {
			t.Fatalf("version %d comes after %d", updates[i].Version, updates[i-1].Version)
		}
	}
}

// TestAStreamThatIsGoneBeginsAnew: whoever reads it can see that they have missed something.
func TestAStreamThatIsGoneBeginsAnew(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	rdb := client(t, p.producerConfig.CacheURL)
	for range 2 {
		user := p.change(t, 1)
		testkit.Eventually(t, "it is told", func() bool {
			updates, begins := told(t, rdb)
			return begins == 1 && slices.Equal(subjects(updates), []uuid.UUID{user})
		})
		if err := rdb.Del(t.Context(), cache.LiveKey).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAQueueThatIsAwayKeepsNoUpdateBack: the apps are told without it.
func TestAQueueThatIsAwayKeepsNoUpdateBack(t *testing.T) {
	queue := privateRedis(t)
	p := newPair(t, queue.URL(), nil)
	rdb := client(t, p.producerConfig.CacheURL)
	queue.Kill()
	user := p.change(t, 1)
	testkit.Eventually(t, "it is told", func() bool { u, _ := told(t, rdb); return slices.Equal(subjects(u), []uuid.UUID{user}) })
	if err := queue.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.settled(t, nil)
	if updates, _ := told(t, rdb); len(updates) != 1 {
		t.Errorf("told %d times", len(updates))
	}
}

// TestUpdatesWaitForACacheThatIsAway, and hold up nothing else.
func TestUpdatesWaitForACacheThatIsAway(t *testing.T) {
	away := privateRedis(t)
	from, to := testkit.Config(t, events.Auth), testkit.Config(t, events.Billing)
	from.CacheURL, to.QueueURL = away.URL(), from.QueueURL
	p := runPair(t, from, to, nil)
	away.Kill()
	changed := p.change(t, 1)
	user := p.register(t)
	within(t, time.Minute, "the event has had its effect", func() bool { return slices.Equal(p.effects(t), []uuid.UUID{user}) })
	if err := away.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.settled(t, []uuid.UUID{user})
	if updates, begins := told(t, client(t, away.URL())); !slices.Equal(subjects(updates), []uuid.UUID{changed}) || begins != 1 {
		t.Errorf("%+v, %d beginnings", updates, begins)
	}
}

// TestTheStreamIsBounded: it is in a cache's memory.
func TestTheStreamIsBounded(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	rdb := client(t, p.producerConfig.CacheURL)
	updates := slices.Repeat([]string{`{"type":"task.changed"}`}, 1000)
	for range 25 {
		if _, err := p.producer.Cache.Announce(t.Context(), updates...); err != nil {
			t.Fatal(err)
		}
	}
	if n := rdb.XLen(t.Context(), cache.LiveKey).Val(); n < 20_000 || n > 21_000 {
		t.Errorf("%d entries", n)
	}
}

// TestWhoIsToldOfWhat holds what is told of each event against who may know.
func TestWhoIsToldOfWhat(t *testing.T) {
	house, cabin, thing, ada, sam := uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()
	both, adas, sams := []uuid.UUID{house, cabin}, []uuid.UUID{ada}, []uuid.UUID{sam}
	task := events.TaskRef{ID: thing, ResidenceID: house, Title: "Sweep", AssignedToID: sam, ActorID: ada, Version: 3}
	moved := task
	moved.PreviousResidenceID = cabin
	home := events.Home{ID: house, OwnerID: ada, Name: "Maple Street", MemberIDs: []uuid.UUID{ada, sam}, ActorID: ada, Version: 2}
	member := func(change string) events.Membership {
		return events.Membership{ResidenceID: house, OwnerID: ada, UserID: sam, Change: change, ActorID: ada, AffectedIDs: []uuid.UUID{ada, sam}}
	}
	inHouse := func(u events.Update) events.Update { u.ResidenceIDs = []uuid.UUID{house}; return u }
	ofTask := events.Update{Subject: thing, Version: 3, ActorID: ada}
	ofHome := inHouse(events.Update{Subject: house, Version: 2, ActorID: ada})
	membersHome := ofHome
	membersHome.UserIDs, membersHome.Regrouped = home.MemberIDs, home.MemberIDs
	for i, c := range []struct{ got, want events.Update }{
		{events.TaskCreated.Live(task), inHouse(ofTask)},
		{events.TaskDeleted.Live(task), inHouse(ofTask)},
		{events.TaskChanged.Live(moved), events.Update{ResidenceIDs: both, Subject: thing, Version: 3, ActorID: ada}},
		{events.TaskCompleted.Live(events.Completion{ID: uuid.New(), Task: task, Version: 4}), inHouse(events.Update{Subject: thing, Version: 4, ActorID: ada})},
		{events.ResidenceChanged.Live(home), ofHome},
		{events.ResidenceCreated.Live(home), membersHome},
		{events.ResidenceDeleted.Live(home), membersHome},
		{events.MembersChanged.Live(member("removed")),
			inHouse(events.Update{Subject: house, UserIDs: sams, Regrouped: sams, Change: "removed", ActorID: ada})},
		{events.MembersChanged.Live(member("role")), inHouse(events.Update{Subject: house, UserIDs: sams, Change: "role", ActorID: ada})},
		{events.ContractorChanged.Live(events.Contractor{ID: thing, CreatedBy: sam, ResidenceIDs: both, ResidenceID: &house, ActorID: ada, Change: "changed", Version: 5}),
			events.Update{ResidenceIDs: both, Subject: thing, Version: 5, Change: "changed", ActorID: ada}},
		{events.ContractorChanged.Live(events.Contractor{ID: thing, CreatedBy: sam, ActorID: sam, Change: "created", Version: 1}),
			events.Update{UserIDs: sams, Subject: thing, Version: 1, Change: "created", ActorID: sam}},
		{events.ContractorChanged.Live(events.Contractor{ID: thing, CreatedBy: sam, ResidenceIDs: both, ResidenceID: &house, ActorID: ada, Change: "favorite"}),
			events.Update{UserIDs: adas, Subject: thing, Change: "favorite", ActorID: ada}},
		{events.DocumentChanged.Live(events.DocumentRef{ID: thing, ResidenceID: house, PreviousResidenceID: cabin, Title: "Deed", ActorID: ada, Change: "changed", Version: 6}),
			events.Update{ResidenceIDs: both, Subject: thing, Version: 6, Change: "changed", ActorID: ada}},
		{events.EquipmentChanged.Live(events.EquipmentRef{ID: thing, ResidenceID: house, Name: "Furnace", ActorID: ada, Change: "deleted", Version: 6}),
			inHouse(events.Update{Subject: thing, Version: 6, Change: "deleted", ActorID: ada})},
		{events.SubscriptionChanged.Live(events.Subscription{UserID: ada, Tier: "pro", Version: 8}), events.Update{UserIDs: adas, Version: 8}},
		{events.NotificationsChanged.Live(events.Inboxes{UserIDs: sams}), events.Update{UserIDs: sams}},
		{events.UserChanged.Live(events.UserChange{User: events.User{ID: ada, Email: "ada@example.org", Version: 9}}), events.Update{UserIDs: adas, Subject: ada, Version: 9}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%d: %s\nwanted %s", i, fmt.Sprintf("%+v", c.got), fmt.Sprintf("%+v", c.want))
		}
	}
	if types := events.LiveTypes(); len(types) != 15 || !slices.Contains(types, "task.changed") || slices.Contains(types, "auth.code_issued") {
		t.Errorf("%d types: %v", len(types), types)
	}
}
