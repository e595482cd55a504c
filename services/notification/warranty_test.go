package notification_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

const warrantySQL = `
	SELECT coalesce(string_agg(format('%s, %s ends %s, active %s, at %s%s', title, item_name, end_date, is_active, version,
		CASE WHEN deleted THEN ', deleted' END), '; '), '') FROM warranties WHERE residence_id = @id`

func warranties(t *testing.T, s *testkit.Service, home uuid.UUID) string {
	t.Helper()
	text, _, err := pg.Scalar[string](t.Context(), s.DB, warrantySQL, pgx.NamedArgs{"id": home})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// life is what becomes of a document: each step is an event, the oldest first.
type life struct {
	steps []events.DocumentRef
	want  string
}

func lives(home, other uuid.UUID) map[string]life {
	first := events.DocumentRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: home, Type: "warranty", Title: "Furnace", ItemName: "X-9", EndDate: "2027-01-31", IsActive: true, Change: "created", Version: 1}
	then := func(version int, change func(*events.DocumentRef)) events.DocumentRef {
		d := first
		d.Change, d.Version = "changed", version
		change(&d)
		return d
	}
	return map[string]life{
		"edited": {[]events.DocumentRef{
			first, then(2, func(d *events.DocumentRef) { d.EndDate = "" }),
			then(3, func(d *events.DocumentRef) { d.Title, d.EndDate, d.IsActive = "Boiler", "2030-02-28", false }),
		}, "Boiler, X-9 ends 2030-02-28, active f, at 3"},
		"no warranty any more": {[]events.DocumentRef{
			first, then(2, func(d *events.DocumentRef) { d.Type = "receipt" }),
		}, ",  ends , active f, at 2"},
		"a warranty at last": {[]events.DocumentRef{
			then(1, func(d *events.DocumentRef) { d.Type, d.Change = "receipt", "created" }),
			then(2, func(d *events.DocumentRef) { d.ItemName = "" }),
		}, "Furnace,  ends 2027-01-31, active t, at 2"},
		"deleted": {[]events.DocumentRef{
			first, then(2, func(*events.DocumentRef) {}), then(3, func(d *events.DocumentRef) { d.Change = "deleted" }),
		}, ",  ends , active f, at 3, deleted"},
		"moved here": {[]events.DocumentRef{
			then(1, func(d *events.DocumentRef) { d.ResidenceID = other }),
			then(2, func(d *events.DocumentRef) { d.PreviousResidenceID = other }),
		}, "Furnace, X-9 ends 2027-01-31, active t, at 2"},
		"moved away": {[]events.DocumentRef{
			first, then(2, func(d *events.DocumentRef) { d.ResidenceID, d.PreviousResidenceID = other, home }),
		}, ""},
	}
}

func TestWarrantiesAreTheSameInWhateverOrderTheirEventsCome(t *testing.T) {
	s := run(t, configuration(t))
	for name := range lives(uuid.Nil, uuid.Nil) {
		t.Run(name, func(t *testing.T) {
			for _, order := range permutations(len(lives(uuid.Nil, uuid.Nil)[name].steps)) {
				home := uuid.Must(uuid.NewV7())
				tale := lives(home, uuid.Must(uuid.NewV7()))[name]
				for _, at := range order {
					testkit.Deliver(t, s, events.DocumentChanged, tale.steps[at])
				}
				if got := warranties(t, s, home); got != tale.want {
					t.Errorf("order %v: %q, want %q", order, got, tale.want)
				}
			}
		})
	}
	receipt := events.DocumentRef{ID: uuid.Must(uuid.NewV7()), ResidenceID: uuid.Must(uuid.NewV7()), Type: "receipt", EndDate: "2027-01-31", IsActive: true, Change: "created", Version: 1}
	testkit.Deliver(t, s, events.DocumentChanged, receipt)
	if got := warranties(t, s, receipt.ResidenceID); got != "" {
		t.Errorf("a receipt is kept: %s", got)
	}
}

func TestNothingIsLeftOfTheWarrantiesOfADeletedResidence(t *testing.T) {
	s := run(t, configuration(t))
	const homes = 30
	var sent []func()
	var ids []uuid.UUID
	for i := range homes {
		home := uuid.Must(uuid.NewV7())
		ids = append(ids, home)
		steps := []func(){
			step(t, s, 0, events.ResidenceCreated, events.Home{ID: home, OwnerID: ann, MemberIDs: []uuid.UUID{ann}, Version: 1}),
			step(t, s, 1, events.ResidenceDeleted, events.Home{ID: home, OwnerID: ann, MemberIDs: []uuid.UUID{ann}, Version: 2}),
		}
		for n := range 4 {
			steps = append(steps, step(t, s, 2, events.DocumentChanged, events.DocumentRef{
				ID: uuid.Must(uuid.NewV7()), ResidenceID: home, Type: "warranty", Title: fmt.Sprint(n), EndDate: "2027-01-31", IsActive: true, Change: "created", Version: 1,
			}))
		}
		for k := range steps { // each residence in another order
			sent = append(sent, steps[(k*5+i)%len(steps)])
		}
	}
	for _, send := range sent {
		send()
	}
	testkit.Eventually(t, "all is received", func() bool { return received(t, s) == len(sent) })
	for _, home := range ids {
		if got := warranties(t, s, home); got != "" {
			t.Errorf("left is %s", got)
		}
	}
}

func TestWhatEndsOnADayIsFoundByItsIndex(t *testing.T) {
	s := run(t, configuration(t))
	conn, err := s.DB.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `
		INSERT INTO warranties (document_id, residence_id, title, end_date, is_active, version)
		SELECT gen_random_uuid(), gen_random_uuid(), 'w', date '2026-01-01' + n % 3000, true, 1 FROM generate_series(1, 30000) n;
		ANALYZE warranties`, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	plan, err := pg.Column[string](t.Context(), s.DB, `EXPLAIN SELECT document_id FROM warranties
		WHERE end_date IN (date '2026-03-11', date '2026-03-17') AND is_active AND NOT deleted`, nil)
	if err != nil || !slices.ContainsFunc(plan, func(line string) bool { return strings.Contains(line, "warranties_ending") }) {
		t.Errorf("%v, %v", plan, err)
	}
}
