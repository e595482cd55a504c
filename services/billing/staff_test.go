package billing_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/billing"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func because(other fields) fields {
	return fields{"staff_id": staff, "reason": "She found a bug"}.with(other)
}

// TestStaffGiveATierAndTakeItBack: the person has it at once, and it is written down who gave it and why.
func TestStaffGiveATierAndTakeItBack(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	ann := registered(t, s)
	person := admin + "people/" + ann.String()
	tier := func() string {
		t.Helper()
		return testkit.JSON[billing.Subscription](t, s.As(t, ann).Want(200, "GET", "/api/subscription/", nil)).Tier
	}
	grant := because(fields{"request_id": uuid.Must(uuid.NewV7()), "tier": "pro", "until": start.Add(10 * day)})
	given := testkit.JSON[billing.AccountView](t, part.Want(201, "POST", person+"/grant", grant))
	if given.Tier != "pro" || given.Source != billing.Grant || given.Reason != billing.IsGiven || len(given.Purchases) != 1 || !given.ExpiresAt.Equal(start.Add(10*day)) || tier() != "pro" {
		t.Errorf("given %+v", given)
	}
	if again := testkit.JSON[billing.AccountView](t, part.Want(200, "POST", person+"/grant", grant)); len(again.Purchases) != 1 {
		t.Errorf("given again %+v", again)
	}
	bob := registered(t, s)
	part.Refused(409, "id_taken", "POST", admin+"people/"+bob.String()+"/grant", grant)
	more := testkit.JSON[billing.AccountView](t, part.Want(201, "POST", person+"/grant", because(fields{"tier": "pro", "until": start.Add(5 * day)}))) // changes nothing that she has
	if len(more.Purchases) != 2 || !more.ExpiresAt.Equal(start.Add(10*day)) {
		t.Errorf("given more %+v", more)
	}
	for i, left := range []string{"pro", "free"} {
		end := person + "/grants/" + more.Purchases[i].ID.String() + "/end"
		part.Refused(404, "not_found", "POST", admin+"people/"+bob.String()+"/grants/"+more.Purchases[i].ID.String()+"/end", because(nil))
		for range 2 { // the second time it has ended
			if ended := testkit.JSON[billing.AccountView](t, part.Want(200, "POST", end, because(nil))); ended.Tier != left || tier() != left {
				t.Errorf("ended %d: %+v", i, ended)
			}
		}
	}
	part.Want(201, "POST", person+"/grant", because(fields{"tier": "pro", "until": nil}))
	s.Clock.Advance(1000 * day)
	part = s.AsPart(t, "admin")
	if tier() != "pro" {
		t.Error("for good, it said")
	}
	if got := fmt.Sprint(notices(t, s)); got != "[started ended started]" {
		t.Errorf("notices %s", got)
	}
	var log []billing.EntitlementChange
	for cursor := ""; ; {
		page := testkit.JSON[struct {
			Items      []billing.EntitlementChange
			NextCursor *string `json:"next_cursor"`
		}](t, part.Want(200, "GET", person+"/changes?limit=2&cursor="+cursor, nil))
		if log = append(log, page.Items...); page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if len(log) != 5 || log[4].Before.Tier != "free" || log[4].After.Tier != "pro" || log[0].After.ExpiresAt != nil {
		t.Fatalf("log %+v", log)
	}
	for i, action := range []string{"gave pro for good (", "ended a grant (", "ended a grant (", "gave pro until 2026-03-15T12:00:00Z (", "gave pro until 2026-03-20T12:00:00Z ("} {
		if l := log[i]; l.Actor != "staff" || *l.ActorID != staff || l.Reason != "She found a bug" || !strings.HasPrefix(l.Action, action) {
			t.Errorf("log %d: %+v", i, l)
		}
	}
}

// TestAGrantIsGivenOnce: however often it is asked for at the same moment.
func TestAGrantIsGivenOnce(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	people := []uuid.UUID{registered(t, s), registered(t, s)}
	grant := because(fields{"request_id": uuid.New(), "tier": "pro", "until": nil})
	var given, taken atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			switch a := part.Call("POST", admin+"people/"+people[i%2].String()+"/grant", grant); {
			case a.Status == 201:
				given.Add(1)
			case a.Code() == "id_taken":
				taken.Add(1)
			case a.Status != 200:
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	group.Wait()
	n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) * 10 + (SELECT count(*) FROM subscriptions WHERE tier = 'pro') FROM purchases`, nil)
	if err != nil || n != 11 || given.Load() != 1 || taken.Load() != 4 {
		t.Errorf("%d, given %d, taken %d, %v", n, given.Load(), taken.Load(), err)
	}
}

func TestStaffFreeAPersonFromLimits(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	ann := registered(t, s)
	exec(t, s, `UPDATE subscriptions SET stripe_customer_id = 'cus_1'`, nil)
	exec(t, s, `UPDATE settings SET limitations_enabled = true`, nil)
	person := admin + "people/" + ann.String()
	for _, free := range []bool{true, true, false} {
		view := testkit.JSON[billing.AccountView](t, part.Want(200, "PUT", person+"/free", because(fields{"is_free": free})))
		if view.IsFree != free || view.Tier != "free" {
			t.Errorf("%t: %+v", free, view)
		}
		plan := string(part.Want(200, "GET", "/internal/users/"+ann.String()+"/plan", nil).Body)
		if strings.Contains(plan, `"tasks":null`) != free {
			t.Errorf("%t: %s", free, plan)
		}
	}
	view := testkit.JSON[billing.AccountView](t, part.Want(200, "GET", person+"/subscription", nil))
	if view.UserID != ann || view.IsFree || view.StripeCustomerID == nil || *view.StripeCustomerID != "cus_1" || view.Purchases == nil {
		t.Errorf("%+v", view)
	}
	if log := changes(t, s, ann); len(log) != 2 || !log[0].After.IsFree || log[1].After.IsFree || log[1].Reason != "She found a bug" {
		t.Errorf("log %+v", log)
	}
}

// TestNobodyIsGivenAnything: who is not heard of, or gone.
func TestNobodyIsGivenAnything(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	gone := registered(t, s)
	testkit.Deliver(t, s, events.UserDeleted, events.Person{ID: gone})
	for _, id := range []uuid.UUID{gone, uuid.New()} {
		person := admin + "people/" + id.String()
		part.Refused(404, "not_found", "POST", person+"/grant", because(fields{"tier": "pro", "until": nil}))
		part.Refused(404, "not_found", "PUT", person+"/free", because(fields{"is_free": true}))
		part.Refused(404, "not_found", "POST", person+"/grants/"+id.String()+"/end", because(nil))
		part.Refused(404, "not_found", "GET", person+"/subscription", nil)
		if log := testkit.JSON[struct{ Items []any }](t, part.Want(200, "GET", person+"/changes", nil)); len(log.Items) != 0 {
			t.Errorf("log %+v", log)
		}
	}
	n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM subscriptions`, nil)
	if err != nil || n != 0 {
		t.Errorf("%d subscriptions, %v", n, err)
	}
}

func TestWhatStaffAskForAPersonIsChecked(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	ann := registered(t, s)
	grant := because(fields{"tier": "pro", "until": nil})
	for _, c := range []struct {
		name string
		body fields
		at   string
	}{
		{"no reason", grant.with(fields{"reason": absent}), "body.reason"},
		{"a blank reason", grant.with(fields{"reason": " "}), "body.reason"},
		{"a long reason", grant.with(fields{"reason": strings.Repeat("x", 501)}), "body.reason"},
		{"nobody", grant.with(fields{"staff_id": absent}), "body.staff_id"},
		{"the zero staff", grant.with(fields{"staff_id": uuid.Nil}), "body.staff_id"},
		{"the free tier", grant.with(fields{"tier": "free"}), "body.tier"},
		{"not said until when", grant.with(fields{"until": absent}), "body.until"},
		{"until now", grant.with(fields{"until": start}), "body.until"},
		{"until too late", grant.with(fields{"until": "9999-01-01T00:00:00Z"}), "body.until"},
		{"the zero request", grant.with(fields{"request_id": uuid.Nil}), "body.request_id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := part.For(t).Refused(422, "validation_failed", "POST", admin+"people/"+ann.String()+"/grant", c.body)
			if !strings.Contains(string(a.Body), `"location":"`+c.at+`"`) {
				t.Errorf("not at %s: %s", c.at, a.Body)
			}
		})
	}
	part.Refused(422, "validation_failed", "PUT", admin+"people/"+ann.String()+"/free", because(nil))
	part.Refused(422, "validation_failed", "GET", admin+"people/ann/subscription", nil)
	nobody := admin + "people/" + uuid.Nil.String()
	part.Refused(404, "not_found", "POST", nobody+"/grant", grant)
	part.Refused(404, "not_found", "POST", nobody+"/grants/"+ann.String()+"/end", because(nil))
	part.Refused(404, "not_found", "PUT", nobody+"/free", because(fields{"is_free": true}))
}

// TestNewTermsHoldAtOnce: for everybody whose plan or status is kept.
func TestNewTermsHoldAtOnce(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	ann := uuid.New()
	features, products := cache.OffersKey("features"), cache.OffersKey("products")
	keys := []string{cache.PlanKey(ann), cache.StatusKey(ann), features, products}
	testkit.Stale(t, s, keys, keys[:2], func() {
		got := part.Want(200, "PATCH", admin+"settings", fields{"staff_id": staff, "limitations_enabled": true, "grace_days": 3})
		if string(got.Body) != `{"limitations_enabled":true,"grace_days":3,"trial_days":14,"version":2}`+"\n" || got.Header.Get("ETag") != `"2"` {
			t.Errorf("settings %s", got.Body)
		}
	})
	testkit.Stale(t, s, keys, keys[:2], func() {
		part.Want(200, "PUT", admin+"plans/free", plans(7).with(fields{"documents": nil}), "If-Match", `"1"`)
	})
	testkit.Stale(t, s, keys, []string{features}, func() { part.Want(200, "PUT", admin+"features/tasks", feature) })
	plan := string(part.Want(200, "GET", "/internal/users/"+ann.String()+"/plan", nil).Body)
	if !strings.Contains(plan, `"tasks":7,"contractors":7,"documents":null,"equipment":7`) {
		t.Errorf("plan %s", plan)
	}
	if got := part.Want(200, "GET", admin+"plans/free", nil); got.Header.Get("ETag") != `"2"` || !strings.Contains(string(got.Body), `"tasks":7`) {
		t.Errorf("plan %s", got.Body)
	}
	if got := part.Want(200, "GET", admin+"settings", nil); got.Header.Get("ETag") != `"2"` {
		t.Errorf("settings %s", got.Body)
	}
	part.Refused(412, "version_conflict", "PATCH", admin+"settings", fields{"staff_id": staff, "trial_days": 3}, "If-Match", `"1"`)
	part.Refused(412, "version_conflict", "PUT", admin+"plans/free", plans(1), "If-Match", `"1"`)
	if told := s.Outbox(t, "billing.terms_changed"); len(told) != 2 {
		t.Errorf("told %s", told)
	}
	log := staffChanges(t, s)
	if len(log) != 3 || log[0].What != "settings" || log[0].Before["grace_days"] != 7. || log[0].After["grace_days"] != 3. || log[1].Key != "free" || log[1].Before["tasks"] != 10. {
		t.Errorf("log %+v", log)
	}
}

func hooks(t *testing.T, s *testkit.Service) []uuid.UUID {
	t.Helper()
	ids := make([]uuid.UUID, 5)
	for i, state := range []string{"done", "ignored", "unclaimed", "failed", "failed"} {
		ids[i] = uuid.Must(uuid.NewV7())
		source := "apple"
		if i == 4 {
			source = "google"
		}
		exec(t, s, `
			INSERT INTO webhook_events (id, source, external_id, type, occurred_at, received_at, body, state, outcome, tries, next_at, done_at)
			VALUES (@id::uuid, @source, @external, 'renewed', @at, @at, convert_to('{"n":1}', 'UTF8'), @state, 'why', 25, @at, @at)`,
			pgx.NamedArgs{"id": ids[i], "external": ids[i].String(), "source": source, "state": state, "at": start})
	}
	return ids
}

// TestWebhooksAreReadAndWorkedOffAgain: whatever came of them.
func TestWebhooksAreReadAndWorkedOffAgain(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	ids := hooks(t, s)
	list := func(query string) (got []uuid.UUID, next *string) {
		t.Helper()
		a := part.Want(200, "GET", admin+"webhooks?"+query, nil)
		if strings.Contains(string(a.Body), `"body"`) {
			t.Errorf("with its body: %s", a.Body)
		}
		page := testkit.JSON[struct {
			Items      []billing.WebhookView
			NextCursor *string `json:"next_cursor"`
		}](t, a)
		for _, w := range page.Items {
			got = append(got, w.ID)
		}
		return got, page.NextCursor
	}
	first, next := list("limit=3")
	if fmt.Sprint(first) != fmt.Sprint([]uuid.UUID{ids[4], ids[3], ids[2]}) || next == nil {
		t.Fatalf("first %v", first)
	}
	if second, next := list("limit=3&cursor=" + *next); fmt.Sprint(second) != fmt.Sprint([]uuid.UUID{ids[1], ids[0]}) || next != nil {
		t.Errorf("second %v", second)
	}
	if failed, _ := list("state=failed&source=apple"); fmt.Sprint(failed) != fmt.Sprint([]uuid.UUID{ids[3]}) {
		t.Errorf("failed %v", failed)
	}
	part.Refused(422, "validation_failed", "GET", admin+"webhooks?state=lost", nil)
	part.Refused(422, "invalid_cursor", "GET", admin+"webhooks?cursor=x", nil)
	part.Refused(404, "not_found", "GET", admin+"webhooks/"+staff.String(), nil)
	one := testkit.JSON[map[string]any](t, part.Want(200, "GET", admin+"webhooks/"+ids[0].String(), nil))
	if one["body"] != `{"n":1}` || one["state"] != "done" || one["outcome"] != "why" {
		t.Errorf("one %+v", one)
	}
	for _, id := range ids {
		again := testkit.JSON[billing.WebhookView](t, part.Want(200, "POST", admin+"webhooks/"+id.String()+"/replay", fields{"staff_id": staff}))
		if again.State != "pending" || again.Tries != 0 || again.DoneAt != nil {
			t.Errorf("again %+v", again)
		}
	}
	part.Refused(422, "validation_failed", "POST", admin+"webhooks/"+ids[0].String()+"/replay", fields{"staff_id": uuid.Nil})
	// No shop is open here: so each is tried, and waits for the next try.
	testkit.Eventually(t, "they are tried", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM webhook_events WHERE state = 'pending' AND tries = 1 AND outcome LIKE 'not_sold_here%'`, nil)
		return err == nil && n == 5
	})
	if log := staffChanges(t, s); len(log) != 5 || log[3].Action != "replayed" || log[3].Key != ids[3].String() || log[3].Before["state"] != "failed" || log[3].Before["tries"] != 25. {
		t.Errorf("log %+v", log)
	}
}

func TestErrandsAreReadAndTriedAgain(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	ids := []uuid.UUID{uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())}
	for i, id := range ids {
		exec(t, s, `
			INSERT INTO errands (id, user_id, source, kind, external_id, state, outcome, tries, next_at, created_at)
			VALUES (@id::uuid, @id::uuid, 'stripe', 'cancel', @external, @state, 'no answer', 25, @next, @at)`,
			pgx.NamedArgs{"id": id, "external": id.String(), "state": []string{"failed", "pending"}[i], "next": start.Add(day), "at": start})
	}
	list := func(query string) int {
		t.Helper()
		return len(testkit.JSON[struct{ Items []billing.ErrandView }](t, part.Want(200, "GET", admin+"errands"+query, nil)).Items)
	}
	if all, failed := list(""), list("?state=failed"); all != 2 || failed != 1 {
		t.Errorf("%d, of which %d failed", all, failed)
	}
	for _, id := range ids {
		again := testkit.JSON[billing.ErrandView](t, part.Want(200, "POST", admin+"errands/"+id.String()+"/retry", fields{"staff_id": staff}))
		if again.State != "pending" || again.Tries != 0 || !again.NextAt.Equal(start) {
			t.Errorf("again %+v", again)
		}
	}
	testkit.Eventually(t, "they are tried", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM errands WHERE state = 'pending' AND tries = 1 AND outcome LIKE 'not_sold_here%'`, nil)
		return err == nil && n == 2
	})
	part.Refused(404, "not_found", "POST", admin+"errands/"+staff.String()+"/retry", fields{"staff_id": staff})
	if log := staffChanges(t, s); len(log) != 2 || log[0].What != "errands" || log[0].Action != "retried" || log[0].Before["tries"] != 25. {
		t.Errorf("log %+v", log)
	}
}
