package document

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/document/blob"
	"hearth.internal/pkg/testkit"
)

// furnish makes 500 residences with 20 pieces of equipment each, a document to each, and a photo that each claims.
const furnish = `
INSERT INTO uploads (id, owner_id, state, filename, content_type, size, blob_key, work, work_at, unclaimed_at, created_at)
SELECT md5('upload' || r || '/' || n)::uuid, md5('person' || r)::uuid, 'stored', 'f', 'image/png', 1, r || '/' || n, 'none', now(), now(), now()
FROM generate_series(1, 500) r, generate_series(1, 20) n;
INSERT INTO equipment (id, residence_id, created_by_id, name, category, upload_ids, created_at, updated_at)
SELECT md5(r || '/' || n)::uuid, md5('home' || r)::uuid, md5('person' || r)::uuid, 'Thing ' || n, 'other', ARRAY[md5('upload' || r || '/' || n)::uuid], now(), now()
FROM generate_series(1, 500) r, generate_series(1, 20) n;
INSERT INTO documents (id, residence_id, created_by_id, title, document_type, equipment_id, created_at, updated_at)
SELECT gen_random_uuid(), residence_id, created_by_id, 'Manual', 'manual', id, now(), now() FROM equipment;
ANALYZE`

func TestStatementsAboutEquipmentScanNoTable(t *testing.T) {
	cfg := testkit.Config(t, "document")
	conn, err := testkit.Run(t, cfg, New(Config{Service: cfg, Config: blob.Config{StorageDir: t.TempDir()}})).DB.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	db := conn.Conn()
	if _, err := db.Exec(t.Context(), furnish, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	var homes []uuid.UUID
	var equipment, person uuid.UUID
	err = db.QueryRow(t.Context(), `SELECT array_agg(DISTINCT residence_id), (array_agg(id))[1], (array_agg(created_by_id))[1]
		FROM equipment WHERE residence_id IN (md5('home7')::uuid, md5('home8')::uuid)`).Scan(&homes, &equipment, &person)
	if err != nil {
		t.Fatal(err)
	}
	args := pgx.NamedArgs{
		"mine": homes, "writable": homes, "id": equipment, "actor": person, "version": nil, "now": "2026-03-10T12:00:00Z", "today": "2026-03-10", "limit": 51,
		"category": nil, "in_use": true, "replace_before": "2027-03-10", "text": "%1%", "after_name": nil, "after_id": nil,
		"row":      `{"id":"` + uuid.NewString() + `","name":"x","residence_id":"` + homes[0].String() + `","upload_ids":["` + uuid.NewString() + `"]}`,
		"event_id": uuid.New(), "event_name": "x", "event_payload": "{}", "event_trace": "", "document_name": "x", "document_payload": "{}", "document_trace": "",
		"uploads": []uuid.UUID{uuid.New()}, "equipment": []uuid.UUID{equipment}, "images": true,
		"owners": []uuid.UUID{person}, "most": []int{10}, "owned": homes, "owned_by": []uuid.UUID{person, person},
	}
	for name, statement := range map[string]string{
		"list": equipmentListSQL, "one": equipmentSQL, "insert": insertEquipmentSQL, "limited insert": limitedInsertEquipmentSQL, "used": usedEquipmentSQL,
		"change": changeEquipmentSQL, "delete": deleteEquipmentSQL, "documents": documentsOfEquipmentSQL, "attachable": attachableSQL,
	} {
		t.Run(name, func(t *testing.T) {
			plans := equipmentPlans(t, db, statement, args)
			for _, table := range []string{"equipment", "documents", "uploads", "claims"} {
				if strings.Contains(plans, "Seq Scan on "+table+" ") {
					t.Errorf("scans %s:\n%s", table, plans)
				}
			}
		})
	}
}

// equipmentPlans are the plan for these arguments and the one for any.
func equipmentPlans(t *testing.T, db *pgx.Conn, statement string, args pgx.NamedArgs) string {
	t.Helper()
	sql, values, err := args.RewriteQuery(t.Context(), db, statement, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Prepare(t.Context(), "looked_at", sql); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Deallocate(t.Context(), "looked_at") }()
	anyValues := strings.TrimSuffix(strings.Repeat("NULL, ", len(values)), ", ")
	return planOf(t, db, "EXPLAIN "+sql, values...) + planOf(t, db, "EXPLAIN EXECUTE looked_at ("+anyValues+")")
}

func planOf(t *testing.T, db *pgx.Conn, statement string, values ...any) string {
	t.Helper()
	rows, err := db.Query(t.Context(), statement, append([]any{pgx.QueryExecModeExec}, values...)...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n") + "\n"
}
