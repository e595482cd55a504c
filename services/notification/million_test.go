package notification

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/testkit"
)

// million are a million reminders that are still to come, of 20,000 persons, and 200,000 messages that are done with; beside 500
// reminders and 10,000 pushes that are due.
const million = `
INSERT INTO reminders (user_id, subject, subject_id, residence_id, on_date, step, fire_at)
SELECT md5('person' || n % 20000)::uuid, 'task', md5('task' || n)::uuid, md5('home' || n % 10000)::uuid, date '2030-01-01' + n % 300, 0,
	timestamptz '2030-01-01 09:00Z' + (n % 7200000) * interval '1 second' FROM generate_series(1, 1000000) n;
INSERT INTO reminders (user_id, subject, subject_id, residence_id, on_date, step, fire_at)
SELECT md5('person' || n)::uuid, 'task', md5('due' || n)::uuid, md5('home' || n)::uuid, date '2026-03-10', 1, timestamptz '2026-03-10 09:00Z' FROM generate_series(1, 500) n;
INSERT INTO messages (id, user_id, purpose, kind, state, lane, channel, trace, created_at, next_at, expires_at)
SELECT md5('message' || n)::uuid, md5('person' || n % 20000)::uuid, 'task_completed', 'task_completed', 'suppressed', 'apns', 'push', '', now(), now(), now() FROM generate_series(1, 200000) n;
INSERT INTO messages (id, user_id, purpose, kind, state, lane, channel, trace, created_at, next_at, expires_at)
SELECT md5('due' || n)::uuid, md5('person' || n)::uuid, 'task_completed', 'task_completed', 'pending', 'apns', 'push', '', now(), now(), now() + interval '1 day' FROM generate_series(1, 10000) n;
ANALYZE;`

func TestAMillionThatWaitCostNothingToThoseThatAreDue(t *testing.T) {
	db, err := pgx.Connect(t.Context(), testkit.Database(t, "notification"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	if _, err := db.Exec(t.Context(), million); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	for name, c := range map[string]struct {
		statement string
		args      pgx.NamedArgs
		index     string
	}{
		"reminders": {dueSQL, pgx.NamedArgs{"now": now, "batch": fireBatch}, "reminders_due"},
		"messages":  {claimSQL, pgx.NamedArgs{"lane": laneAPNs, "batch": sendBatch, "now": now, "gathered": now, "lease": now.Add(time.Minute)}, "messages_waiting"},
	} {
		rows, err := db.Query(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) `+c.statement, c.args)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		t.Logf("%s:\n%s", name, plan)
		if !strings.Contains(plan, c.index) || strings.Contains(plan, "Seq Scan on reminders") || strings.Contains(plan, "Seq Scan on messages") {
			t.Errorf("%s are not found by %s", name, c.index)
		}
	}
}
