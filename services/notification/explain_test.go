package notification

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/testkit"
)

// crowd makes 1,000 people with 40 notifications each, a fifth unread, what is sent of them, devices and preferences.
const crowd = `
INSERT INTO people (user_id, email, username, first_name, last_name, timezone, locale, version)
SELECT md5('p' || p)::uuid, 'x', 'x', 'x', 'x', 'UTC', 'en', 1 FROM generate_series(1, 1000) p;
INSERT INTO settings (user_id) SELECT user_id FROM people;
INSERT INTO preferences (user_id, kind) SELECT user_id, k FROM people, unnest(ARRAY['task_due_soon', 'task_overdue', 'task_completed', 'task_assigned',
	'residence_shared', 'warranty_expiring', 'digest']) k;
INSERT INTO notifications (id, user_id, kind, residence_id, subject_id, title, body, read_at, created_at)
SELECT md5(p || 'n' || n)::uuid, md5('p' || p)::uuid, 'task_completed', md5('h' || p)::uuid, gen_random_uuid(), 'x', 'x', CASE WHEN n % 5 > 0 THEN now() END, now() - make_interval(hours => n)
FROM generate_series(1, 40) n, generate_series(1, 1000) p;
INSERT INTO messages (id, user_id, channel, purpose, kind, notification_id, trace, state, created_at, expires_at)
SELECT gen_random_uuid(), user_id, c, 'x', kind, id, '', CASE WHEN read_at IS NULL THEN 'pending' ELSE 'suppressed' END, created_at, now() FROM notifications, unnest(ARRAY['email', 'push']) c;
INSERT INTO reminders (user_id, subject, subject_id, fire_at) SELECT user_id, 'snooze', id, now() FROM notifications WHERE read_at IS NOT NULL;
INSERT INTO devices (id, user_id, platform, environment, token, token_hash, created_at, seen_at, dead_at)
SELECT md5(p || 'd' || n)::uuid, md5('p' || p)::uuid, 'ios', 'production', 'x', sha256((p || '/' || n)::bytea), now(), now(), CASE WHEN n % 2 = 0 THEN now() END
FROM generate_series(1, 10) n, generate_series(1, 1000) p;
ANALYZE`

func TestStatementsOfTheAPIScanNoTable(t *testing.T) {
	_, key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Service: testkit.Config(t, "notification"), SealPrivateKey: key}
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
	var user, id, device uuid.UUID
	if err := db.QueryRow(t.Context(), `SELECT md5('p7')::uuid, md5('7n5')::uuid, md5('7d1')::uuid`).Scan(&user, &id, &device); err != nil {
		t.Fatal(err)
	}
	choices, err := json.Marshal([]choice{{Kind: Digest, Push: new(false)}})
	if err != nil {
		t.Fatal(err)
	}
	const at = "2030-03-10T12:00:00Z"
	args := events.NotificationsChanged.Args(t.Context(), inboxOf(user), pgx.NamedArgs{
		"user_id": user, "id": id, "now": at, "until": at, "minutes": nil, "usual": usualSnooze, "before_at": at, "before_id": id, "unread": true, "kind": TaskCompleted,
		"residence_id": nil, "limit": 51, "kinds": Kinds(), "version": nil, "row": `{"snooze_minutes":5}`, "choices": string(choices), "moves": true, "email": false,
		"session_id": id, "platform": "ios", "environment": "production", "token": "x", "hash": tokenHash("ios", "x"), "name": nil, "app_version": nil, "most": maxDevices,
	})
	for name, statement := range map[string]string{
		"inbox": notificationsSQL, "unread": unreadSQL, "read": readSQL, "mark unread": markUnreadSQL, "mark all read": markAllReadSQL, "hold read": holdReadSQL,
		"hold": holdSQL, "clear": clearReadSQL, "delete": deleteNotificationSQL, "snooze": snoozeSQL,
		"preferences": preferencesSQL, "make preferences": insertPreferencesSQL, "hold settings": holdSettingsSQL, "change preferences": changePreferencesSQL,
		"register device": upsertDeviceSQL, "retire devices": retireDevicesSQL, "devices": devicesSQL, "remove device": deleteDeviceSQL,
		"mailed": mailedSQL, "unsubscribe": setMailedSQL,
	} {
		t.Run(name, func(t *testing.T) {
			for _, table := range testkit.Scanned(t, db, statement, args) {
				switch table {
				case "people", "settings", "preferences", "notifications", "messages", "reminders", "devices":
					t.Errorf("scans %s", table)
				}
			}
		})
	}
}

// TestLinksStayGood: a link in a mail of years ago means what it meant then.
func TestLinksStayGood(t *testing.T) {
	var key seal.PrivateKey
	if err := key.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(make([]byte, len(key))))); err != nil {
		t.Fatal(err)
	}
	s := &Service{publicURL: "https://hearth.example/", unsubscribeKey: unsubscribeKey(key)}
	user := uuid.MustParse("01960000-0000-7000-8000-00000000000a")
	if got := s.unsubscribeURL(user, Digest); got != "https://hearth.example/api/notifications/unsubscribe/AZYAAAAAcACAAAAAAAAACkAjScd8IwXxovlDDHG3zQpW/" {
		t.Error(got)
	}
	for i, kind := range []string{TaskDueSoon, TaskOverdue, TaskCompleted, TaskAssigned, ResidenceShared, WarrantyExpiring, Digest} {
		if bitsOf([]string{kind}) != 1<<i || !slices.Equal(kindsOf(1<<i), []string{kind}) {
			t.Errorf("%s is not bit %d", kind, i)
		}
	}
	if both := []string{TaskDueSoon, TaskAssigned}; !slices.Equal(kindsOf(bitsOf(both)), both) {
		t.Error("a link of two kinds is not of both")
	}
	if len(Kinds()) != 7 {
		t.Error("a kind has no bit in links")
	}
}
