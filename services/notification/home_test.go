package notification_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// story is what happens to one residence, in the order in which it happens: each step enqueues its event.
type story func(t *testing.T, s *testkit.Service, home uuid.UUID) (steps []func(), want string)

var (
	ann = uuid.MustParse("01960000-0000-7000-8000-00000000000a")
	bob = uuid.MustParse("01960000-0000-7000-8000-00000000000b")
	cyd = uuid.MustParse("01960000-0000-7000-8000-00000000000c")
)

// step enqueues a step's event; n is its place in the story. Two events of one instant are told apart by their ids.
func step[P any](t *testing.T, s *testkit.Service, n int, e events.Event[P], payload P) func() {
	d := testkit.Delivery{ID: uuid.Must(uuid.NewV7()), At: testkit.Start.Add(time.Duration(n/2) * time.Microsecond)}
	return func() { testkit.Enqueue(t, s, e, payload, d) }
}

func handedOver(t *testing.T, s *testkit.Service, home uuid.UUID) (steps []func(), want string) {
	change := func(n int, owner, user uuid.UUID, what, role string) func() {
		return step(t, s, n, events.MembersChanged, events.Membership{ResidenceID: home, OwnerID: owner, UserID: user, Change: what, Role: role})
	}
	return []func(){
		step(t, s, 0, events.ResidenceCreated, events.Home{ID: home, OwnerID: ann, MemberIDs: []uuid.UUID{ann}, Version: 1}),
		change(1, ann, bob, "joined", "viewer"),
		change(2, bob, bob, "transferred", "owner"),
		change(3, bob, cyd, "removed", ""),
		change(4, bob, cyd, "joined", "viewer"),
	}, "a member, b owner, c viewer"
}

func leftBehind(t *testing.T, s *testkit.Service, home uuid.UUID) (steps []func(), want string) {
	change := func(n int, owner, user uuid.UUID, what, role string) func() {
		return step(t, s, n, events.MembersChanged, events.Membership{ResidenceID: home, OwnerID: owner, UserID: user, Change: what, Role: role})
	}
	return []func(){
		step(t, s, 0, events.ResidenceCreated, events.Home{ID: home, OwnerID: ann, MemberIDs: []uuid.UUID{ann}, Version: 1}),
		change(1, ann, bob, "joined", "member"),
		change(2, bob, bob, "transferred", "owner"),
		change(3, bob, ann, "left", ""),
	}, "b owner"
}

func tornDown(t *testing.T, s *testkit.Service, home uuid.UUID) (steps []func(), want string) {
	return []func(){
		step(t, s, 0, events.ResidenceCreated, events.Home{ID: home, OwnerID: ann, MemberIDs: []uuid.UUID{ann}, Version: 1}),
		step(t, s, 1, events.MembersChanged, events.Membership{ResidenceID: home, OwnerID: ann, UserID: bob, Change: "joined", Role: "member"}),
		step(t, s, 2, events.MembersChanged, events.Membership{ResidenceID: home, OwnerID: ann, UserID: bob, Change: "role", Role: "viewer"}),
		step(t, s, 3, events.ResidenceDeleted, events.Home{ID: home, OwnerID: ann, MemberIDs: []uuid.UUID{ann, bob}, Version: 2}),
	}, "gone"
}

const tellSQL = `
	SELECT CASE WHEN r.gone_at IS NOT NULL THEN 'gone' ELSE '' END
		|| coalesce((SELECT string_agg(right(m.user_id::text, 1) || ' ' || m.role, ', ' ORDER BY m.user_id)
			FROM members m WHERE m.residence_id = r.residence_id AND m.role IS NOT NULL), '') AS told
	FROM residences r WHERE r.residence_id = @id`

func told(t *testing.T, s *testkit.Service, home uuid.UUID) string {
	t.Helper()
	text, _, err := pg.Scalar[string](t.Context(), s.DB, tellSQL, pgx.NamedArgs{"id": home})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func received(t *testing.T, s *testkit.Service) int {
	t.Helper()
	n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM inbox`, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMembersAreTheSameInWhateverOrderTheirEventsCome(t *testing.T) {
	for name, tale := range map[string]story{"handed over": handedOver, "left behind": leftBehind, "torn down": tornDown} {
		t.Run(name, func(t *testing.T) {
			s := run(t, configuration(t))
			first, want := tale(t, s, uuid.Must(uuid.NewV7()))
			var homes []uuid.UUID
			var stories [][]func()
			orders := permutations(len(first))
			for range orders {
				homes = append(homes, uuid.Must(uuid.NewV7()))
				steps, _ := tale(t, s, homes[len(homes)-1])
				stories = append(stories, steps)
			}
			for round := range first { // a residence for each order; one event of each at a time
				for i, order := range orders {
					stories[i][order[round]]()
				}
				testkit.Eventually(t, fmt.Sprintf("round %d is over", round), func() bool { return received(t, s) == (round+1)*len(orders) })
			}
			for i, home := range homes {
				if got := told(t, s, home); got != want {
					t.Errorf("order %v: %q, wanted %q", orders[i], got, want)
				}
			}
		})
	}
}

func TestMembersAreTheSameWhenAllComesAtOnce(t *testing.T) {
	s := run(t, configuration(t))
	const homes = 40
	sent := 0
	wants := map[uuid.UUID]string{}
	for i := range homes {
		home := uuid.Must(uuid.NewV7())
		steps, want := []story{handedOver, leftBehind, tornDown}[i%3](t, s, home)
		slices.Reverse(steps)
		for _, step := range steps {
			step()
		}
		sent += len(steps)
		wants[home] = want
	}
	testkit.Eventually(t, "all is received", func() bool { return received(t, s) == sent })
	for home, want := range wants {
		if got := told(t, s, home); got != want {
			t.Errorf("%q, wanted %q", got, want)
		}
	}
}

// permutations of 0 .. n-1.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var out [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			out = append(out, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return out
}
