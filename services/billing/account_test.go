package billing_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/billing"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func probe(t *testing.T) (*testkit.Service, *billing.Probe) {
	t.Helper()
	cfg := billing.Config{Service: testkit.Config(t, "billing")}
	service, p := billing.NewWithProbe(cfg)
	return testkit.Run(t, cfg.Service, service), p
}

func bought(user uuid.UUID, external string, until time.Duration) billing.Observation {
	return billing.Observation{UserID: user, ExternalID: external, ProductID: "monthly", Tier: "pro", State: billing.Active, StartedAt: start, ExpiresAt: in(until), At: start}
}

type change struct {
	Actor, Reason string
	Before, After billing.Entitlement
}

func changes(t *testing.T, s *testkit.Service, user uuid.UUID) []change {
	t.Helper()
	rows, err := pg.All[change](t.Context(), s.DB, `SELECT actor, reason, before, after FROM entitlement_changes WHERE user_id = @user ORDER BY at, id`, pgx.NamedArgs{"user": user})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func notices(t *testing.T, s *testkit.Service) []string {
	t.Helper()
	var kinds []string
	for _, raw := range s.Outbox(t, "billing.notice") {
		var n events.Notice
		if err := json.Unmarshal(raw, &n); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, n.Kind)
	}
	return kinds
}

// TestASubscriptionEndsByItself: its reader sees it at the instant; everybody else hears of it, once.
func TestASubscriptionEndsByItself(t *testing.T) {
	s, p := probe(t)
	ann := uuid.New()
	if _, err := p.Take(t.Context(), billing.Google, bought(ann, "token", 30*day)); err != nil {
		t.Fatal(err)
	}
	app := s.As(t, ann)
	sub := testkit.JSON[billing.Subscription](t, app.Want(200, "GET", "/api/subscription/", nil))
	if sub.Tier != "pro" || !sub.Active || sub.Source != billing.Google || len(sub.Purchases) != 1 || !sub.Purchases[0].Counts || sub.Purchases[0].ManageURL == nil {
		t.Errorf("bought: %+v", sub)
	}
	s.Clock.Advance(30 * day)
	app = s.As(t, ann)
	if sub := testkit.JSON[billing.Subscription](t, app.Want(200, "GET", "/api/subscription/", nil)); sub.Tier != "free" || sub.Reason != billing.HasExpired || sub.State != billing.Expired {
		t.Errorf("at its end: %+v", sub)
	}
	for range 2 {
		if err := p.Flip(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	log := changes(t, s, ann)
	if len(log) != 2 || log[0].Actor != "google" || log[0].After.Tier != "pro" || log[1].Actor != "time" || log[1].Before.Tier != "pro" || log[1].After.Tier != "free" {
		t.Errorf("log %+v", log)
	}
	if told := s.Outbox(t, "subscription.changed"); len(told) != 2 {
		t.Errorf("told %s", told)
	}
	if got := fmt.Sprint(notices(t, s)); got != "[started ended]" {
		t.Errorf("notices %s", got)
	}
}

// TestManyChangesAtOnceAreAllThere: none overwrites another.
func TestManyChangesAtOnceAreAllThere(t *testing.T) {
	s, p := probe(t)
	ann := uuid.New()
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Version: 1})
	const many = 8
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() {
			for range 2 { // each twice
				if _, err := p.Take(t.Context(), billing.Stripe, bought(ann, fmt.Sprintf("sub_%d", i), time.Duration(i+1)*day)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	account, err := p.Account(t.Context(), ann)
	if err != nil || len(account.Purchases) != many || account.Had.FlipsAt == nil || !account.Had.FlipsAt.Equal(*in(day)) {
		t.Errorf("%+v, %v", account, err)
	}
	if told := s.Outbox(t, "subscription.changed"); len(told) != many {
		t.Errorf("told %d times", len(told))
	}
	if got := fmt.Sprint(notices(t, s)); got != "[started]" {
		t.Errorf("notices %s", got)
	}
}

// TestAPurchaseHasOneOwner: whoever comes second finds it taken, also at the same moment.
func TestAPurchaseHasOneOwner(t *testing.T) {
	s, p := probe(t)
	people := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
	var group sync.WaitGroup
	for _, person := range people {
		group.Go(func() {
			if _, err := p.Take(t.Context(), billing.Apple, bought(person, "1000", day)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM subscriptions WHERE tier = 'pro'`, nil)
	if err != nil || n != 1 {
		t.Errorf("%d have it, %v", n, err)
	}
	if _, err := p.Take(t.Context(), billing.Apple, bought(uuid.Nil, "2000", day)); err == nil || err.Error() != "nobody has claimed the purchase" {
		t.Errorf("of nobody: %v", err)
	}
}

// TestADeletedPersonLeavesNothing: what can be cancelled is to be, and what shops tell later makes nothing anew.
func TestADeletedPersonLeavesNothing(t *testing.T) {
	s, p := probe(t)
	ann, bob := uuid.New(), uuid.New()
	for source, external := range map[billing.Source]string{billing.Stripe: "sub_1", billing.Google: "token", billing.Apple: "1000"} {
		o := bought(ann, external, day)
		if source == billing.Stripe {
			o.Customer = "cus_1"
		}
		if _, err := p.Take(t.Context(), source, o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Take(t.Context(), billing.Stripe, bought(bob, "sub_2", day)); err != nil {
		t.Fatal(err)
	}
	testkit.Deliver(t, s, events.UserDeleted, events.Person{ID: ann})
	if _, err := p.Take(t.Context(), billing.Apple, bought(ann, "1000", day)); err != nil {
		t.Fatal(err)
	}
	testkit.Deliver(t, s, events.UserRegistered, events.User{ID: ann, Version: 1}) // late
	type row struct{ What string }
	left, err := pg.All[row](t.Context(), s.DB, `
		SELECT 'subscription' AS what FROM subscriptions WHERE user_id = @ann UNION ALL SELECT 'purchase' FROM purchases WHERE user_id = @ann
		UNION ALL SELECT 'change' FROM entitlement_changes WHERE user_id = @ann`, pgx.NamedArgs{"ann": ann})
	if err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	todo, err := pg.Column[string](t.Context(), s.DB, `SELECT source || ' ' || kind || ' ' || external_id FROM errands ORDER BY 1`, nil)
	if err != nil || fmt.Sprint(todo) != "[google cancel token stripe cancel sub_1 stripe forget cus_1]" {
		t.Errorf("to be done %v, %v", todo, err)
	}
	if account, err := p.Account(t.Context(), bob); err != nil || len(account.Purchases) != 1 {
		t.Errorf("the other person: %+v, %v", account, err)
	}
}

func TestAPlanSaysWhatMayBeHad(t *testing.T) {
	s, p := probe(t)
	ann := uuid.New()
	part := s.AsPart(t, "task")
	path := "/internal/users/" + ann.String() + "/plan"
	want := func(what, wanted string) {
		t.Helper()
		if got := string(part.Want(200, "GET", path, nil).Body); got != wanted+"\n" && got != wanted {
			t.Errorf("%s: %s", what, got)
		}
	}
	exec := func(sql string) {
		t.Helper()
		if _, err := pg.Exec(t.Context(), s.DB, sql, nil); err != nil {
			t.Fatal(err)
		}
	}
	want("limits off", `{"tier":"free","properties":null,"tasks":null,"contractors":null,"documents":null,"equipment":null,"unlimited":true}`)
	exec(`UPDATE settings SET limitations_enabled = true`)
	want("never heard of", `{"tier":"free","properties":1,"tasks":10,"contractors":5,"documents":5,"equipment":10,"unlimited":false}`)
	if _, err := p.Take(t.Context(), billing.Apple, bought(ann, "1000", day)); err != nil {
		t.Fatal(err)
	}
	want("pro", `{"tier":"pro","properties":null,"tasks":null,"contractors":null,"documents":null,"equipment":null,"unlimited":false,"until":"2026-03-11T12:00:00Z"}`)
	s.Clock.Advance(day)
	part = s.AsPart(t, "task")
	want("over", `{"tier":"free","properties":1,"tasks":10,"contractors":5,"documents":5,"equipment":10,"unlimited":false}`)
	exec(`UPDATE subscriptions SET is_free = true`)
	want("a free account", `{"tier":"free","properties":null,"tasks":null,"contractors":null,"documents":null,"equipment":null,"unlimited":false}`)
}

// TestAnAccountHasItsOwnPurchasesAlone, also where the shop's word for whose a purchase is, is overtaken by who claims it.
func TestAnAccountHasItsOwnPurchasesAlone(t *testing.T) {
	s, p := probe(t)
	ann, bob := uuid.New(), uuid.New()
	if _, err := p.Take(t.Context(), billing.Apple, bought(bob, "1000", day)); err != nil {
		t.Fatal(err)
	}
	exec := func(q pg.Querier, statement string) {
		t.Helper()
		if _, err := pg.Exec(t.Context(), q, statement, pgx.NamedArgs{}); err != nil {
			t.Fatal(err)
		}
	}
	// The first of the statements that read an account waits, once it has begun.
	exec(s.DB, `ALTER TABLE gone_people RENAME TO gone_people_before`)
	exec(s.DB, `CREATE VIEW gone_people AS SELECT * FROM gone_people_before WHERE (SELECT pg_advisory_xact_lock_shared(42)) IS NOT NULL`)
	exec(s.DB, `UPDATE purchases SET external_id = 'elsewhere'`)
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exec(tx, `SELECT pg_advisory_xact_lock(42)`)
	done := make(chan error, 1)
	go func() {
		renewed := bought(ann, "1000", 2*day)
		renewed.At = start.Add(time.Hour)
		_, err := p.Take(t.Context(), billing.Apple, renewed)
		done <- err
	}()
	waits(t, s, 1)
	exec(s.DB, `UPDATE purchases SET external_id = '1000'`) // bob has it, after all
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := changes(t, s, ann); len(got) != 0 {
		t.Errorf("of ann is written %+v", got)
	}
	if account, err := p.Account(t.Context(), bob); err != nil || len(account.Purchases) != 1 || !account.Purchases[0].ExpiresAt.Equal(*in(2 * day)) {
		t.Errorf("bob has %+v, %v", account, err)
	}
}
