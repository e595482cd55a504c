package document

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/testkit"
)

// fill makes 500 residences with 40 documents each, every other one with a file, and ten pieces of equipment each.
const fill = `
INSERT INTO equipment (id, residence_id, created_by_id, name, category, created_at, updated_at)
SELECT md5(r || 'e' || n)::uuid, md5('home' || r)::uuid, md5('person' || r)::uuid, 'Equipment ' || n, 'other', now(), now() FROM generate_series(1, 10) n, generate_series(1, 500) r;
INSERT INTO uploads (id, owner_id, state, filename, content_type, size, blob_key, words, work, work_at, created_at)
SELECT md5(r || 'u' || n)::uuid, md5('person' || r)::uuid, 'stored', 'x', 'image/png', 1, r || '/' || n, to_tsvector('simple', 'some words of page ' || n), 'done', now(), now()
FROM generate_series(1, 20) n, generate_series(1, 500) r;
INSERT INTO documents (id, residence_id, created_by_id, title, description, document_type, upload_id, end_date, task_id, contractor_id, equipment_id, created_at, updated_at)
SELECT md5(r || '/' || n)::uuid, md5('home' || r)::uuid, md5('person' || r)::uuid, 'Warranty ' || n, 'of residence ' || r, CASE WHEN n % 4 = 0 THEN 'warranty' ELSE 'general' END,
	CASE WHEN n % 2 = 0 THEN md5(r || 'u' || n / 2)::uuid END, CASE WHEN n % 4 = 0 THEN date '2026-01-01' + n END,
	CASE WHEN n % 5 = 0 THEN md5(r || 't' || n)::uuid END, CASE WHEN n % 5 = 1 THEN md5(r || 'c' || n)::uuid END, md5(r || 'e' || 1 + n % 10)::uuid, now() - make_interval(hours => n), now()
FROM generate_series(1, 40) n, generate_series(1, 500) r;
INSERT INTO gone_things (id, gone_at) SELECT gen_random_uuid(), now() FROM generate_series(1, 5000);
INSERT INTO subjects (id, version) SELECT gen_random_uuid(), 1 FROM generate_series(1, 5000);
INSERT INTO residence_owners (residence_id, owner_id, as_of) SELECT md5('home' || r)::uuid, md5('person' || r)::uuid, '' FROM generate_series(1, 5000) r;
INSERT INTO tombstones (scope, kind, id, sync_xid)
SELECT md5('home' || r)::uuid, 'document', gen_random_uuid(), (n * 10)::text::xid8 FROM generate_series(1, 500) r, generate_series(1, 40) n;
ANALYZE`

func TestHotStatementsScanNoTable(t *testing.T) {
	cfg := Config{Service: testkit.Config(t, "document"), SpoolDir: t.TempDir()}
	cfg.StorageDir = t.TempDir()
	conn, err := testkit.Run(t, cfg.Service, New(cfg)).DB.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	db := conn.Conn()
	if _, err := db.Exec(t.Context(), fill, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	var homes []uuid.UUID
	var document, person, task, contractor, equipment, upload uuid.UUID
	err = db.QueryRow(t.Context(), `
		SELECT array_agg(DISTINCT residence_id), (array_agg(id))[1], (array_agg(created_by_id))[1], max(task_id::text)::uuid, max(contractor_id::text)::uuid,
			max(equipment_id::text)::uuid, max(upload_id::text)::uuid
		FROM documents WHERE residence_id IN (md5('home7')::uuid, md5('home8')::uuid)`).Scan(&homes, &document, &person, &task, &contractor, &equipment, &upload)
	if err != nil {
		t.Fatal(err)
	}
	row, err := json.Marshal(map[string]any{"id": uuid.New(), "residence_id": homes[0], "title": "x", "upload_id": upload, "image_ids": []uuid.UUID{upload}, "equipment_id": equipment})
	if err != nil {
		t.Fatal(err)
	}
	args := pgx.NamedArgs{
		"mine": homes, "mine_owners": []uuid.UUID{person, person}, "writable": homes, "residences": homes, "id": document, "actor": person, "version": nil, "row": string(row),
		"event_id": uuid.New(), "event_name": "x", "event_payload": "{}", "event_trace": "", "now": "2026-03-10T12:00:00Z", "since": "2026-03-10T12:00:00Z",
		"task_home": homes[0], "contractor_home": homes[0], "personal": false, "more": []uuid.UUID{upload}, "less": nil, "touched": true, "sparing": false,
		"type": nil, "active": nil, "today": "2026-03-10", "until": nil, "contractor": nil, "task": nil, "equipment": nil, "limit": 51,
		"before_at": nil, "before_id": nil, "text": "warr 7", "after_rank": nil, "after_id": nil, "running": false, "ended": false, "after_end": nil,
		"user": person, "owners": []uuid.UUID{person}, "most": []int{5}, "owned": homes, "owned_by": []uuid.UUID{person, person}, "residence": homes[0],
		"scopes": homes, "from": []string{"0", "700"}, "after": []uuid.UUID{uuid.Nil, uuid.Nil}, "rows": 201, "papers": 1000,
	}
	for name, statement := range map[string]string{
		"insert": insertDocumentSQL, "limited insert": limitedInsertDocumentSQL, "change": changeDocumentSQL, "limited change": limitedChangeDocumentSQL,
		"delete": deleteDocumentSQL, "document": documentSQL, "documents": documentsSQL, "find": findDocumentsSQL, "warranties": warrantiesSQL,
		"documents of a task": documentsSQL, "documents of equipment": documentsSQL, "expiring": documentsSQL,
		"equipment on paper": paperEquipmentSQL, "warranties on paper": paperWarrantiesSQL, "documents on paper": paperDocumentsSQL,
		"usage": usageSQL, "documents of an owner": usedDocumentsSQL, "let go of a task": letGoSQL, "let go of a contractor": letGoSQL,
		"let go of a task that moved": letGoOfMovedSQL, "let go of what is gone": letGoOfGoneSQL,
		"sync documents": syncDocumentsSQL, "sync equipment": syncEquipmentSQL, "sync tombstones": delta.TombstonesSQL,
	} {
		t.Run(name, func(t *testing.T) {
			with := maps.Clone(args)
			switch name {
			case "let go of a task", "let go of a task that moved":
				with["id"], with["version"] = task, 1
			case "let go of a contractor":
				with["id"] = contractor
			case "documents of a task":
				with["task"] = task
			case "documents of equipment":
				with["equipment"] = equipment
			case "expiring":
				with["until"] = "2026-04-10"
			}
			for _, table := range testkit.Scanned(t, db, statement, with) {
				switch table {
				case "documents", "equipment", "uploads", "claims", "tombstones", "subjects", "residence_owners":
					t.Errorf("scans %s", table)
				}
			}
		})
	}
}
