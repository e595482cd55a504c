package billing

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/testkit"
)

// crowd makes 20,000 people, half of whom have bought something, with what was told of it.
const crowd = `
INSERT INTO subscriptions (user_id, stripe_customer_id, flips_at, created_at, updated_at)
SELECT md5('person' || n)::uuid, 'cus_' || n, CASE WHEN n % 100 = 0 THEN now() ELSE now() + interval '30 days' END, now(), now() FROM generate_series(1, 20000) n;
INSERT INTO purchases (id, user_id, source, external_id, product_id, tier, state, started_at, observed_at, check_at, created_at, updated_at)
SELECT md5('bought' || n)::uuid, md5('person' || n)::uuid, 'stripe', 'sub_' || n, 'monthly', 'pro', 'active', now(), now(),
	CASE WHEN n % 100 = 0 THEN now() ELSE now() + interval '30 days' END, now(), now() FROM generate_series(1, 10000) n;
INSERT INTO entitlement_changes (id, user_id, at, actor, reason, before, after)
SELECT md5('change' || n)::uuid, md5('person' || n % 10000)::uuid, now(), 'stripe', 'x', '{}', '{}' FROM generate_series(1, 20000) n;
INSERT INTO webhook_events (id, source, external_id, type, subject, occurred_at, received_at, body, state, next_at)
SELECT md5('told' || n)::uuid, 'stripe', 'evt_' || n, 'x', 'sub_' || n, now(), now(), '{}', CASE WHEN n % 100 = 0 THEN 'pending' WHEN n % 100 = 1 THEN 'unclaimed' ELSE 'done' END, now()
FROM generate_series(1, 20000) n;
ANALYZE`

func TestStatementsScanNoTable(t *testing.T) {
	cfg := Config{Service: testkit.Config(t, "billing")}
	conn, err := testkit.Run(t, cfg.Service, New(cfg)).DB.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	db := conn.Conn()
	if _, err := db.Exec(t.Context(), crowd, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	id := uuid.New()
	args := pgx.NamedArgs{
		"user": id, "source": "stripe", "external": "sub_17", "customer": "cus_17", "certain": false, "now": "2026-03-10T12:00:00Z", "until": "2026-03-10T12:00:00Z",
		"again": "2026-03-10T12:00:00Z", "batch": 20, "id": id, "type": "x", "subject": "sub_17", "at": "2026-03-10T12:00:00Z", "body": []byte("{}"), "trace": "",
		"kind": "cancel", "product": "monthly", "others": []string{"sub_17"}, "buyers": []uuid.UUID{id},
	}
	for name, statement := range map[string]string{
		"person": personSQL, "purchases": purchasesSQL, "keep webhook": insertWebhookSQL, "claim webhooks": claimWebhooksSQL, "revive webhooks": reviveWebhooksSQL,
		"ended": endedSQL, "to check": claimChecksSQL, "errand": insertErrandSQL,
	} {
		t.Run(name, func(t *testing.T) {
			for _, table := range testkit.Scanned(t, db, statement, args) {
				switch table {
				case "subscriptions", "purchases", "entitlement_changes", "webhook_events", "errands":
					t.Errorf("scans %s", table)
				}
			}
		})
	}
}
