package document

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/testkit"
)

// stuff makes 10,000 uploads of 500 people that a document claims, and as many keys of which few are due.
const stuff = `
INSERT INTO loose_blobs (key, due_at) SELECT 'k' || n, CASE WHEN n % 1000 = 0 THEN '-infinity' ELSE now() + interval '1 day' END FROM generate_series(1, 10000) n;
INSERT INTO uploads (id, owner_id, state, filename, content_type, size, blob_key, work, work_at, unclaimed_at, created_at)
SELECT md5(r || 'u' || n)::uuid, md5('person' || r)::uuid, 'stored', 'x', 'image/png', 1, r || '/' || n, 'done', now(), now(), now()
FROM generate_series(1, 20) n, generate_series(1, 500) r;
INSERT INTO claims (upload_id, kind, subject_id, residence_id, task_id)
SELECT md5(r || 'u' || n)::uuid, 'completion', md5(r || 'c' || n)::uuid, md5('home' || r)::uuid, md5(r || 't' || n)::uuid
FROM generate_series(1, 20) n, generate_series(1, 500) r;
ANALYZE`

func TestStatementsAboutFilesScanNoTable(t *testing.T) {
	cfg := Config{Service: testkit.Config(t, "document"), SpoolDir: t.TempDir()}
	cfg.StorageDir = t.TempDir()
	conn, err := testkit.Run(t, cfg.Service, New(cfg)).DB.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	db := conn.Conn()
	if _, err := db.Exec(t.Context(), stuff, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	var upload, owner, home, task, subject uuid.UUID
	err = db.QueryRow(t.Context(), `SELECT u.id, u.owner_id, c.residence_id, c.task_id, c.subject_id FROM uploads u JOIN claims c ON c.upload_id = u.id LIMIT 1`).
		Scan(&upload, &owner, &home, &task, &subject)
	if err != nil {
		t.Fatal(err)
	}
	args := pgx.NamedArgs{
		"id": upload, "owner": owner, "actor": owner, "mine": []uuid.UUID{home}, "ids": []uuid.UUID{home}, "uploads": []uuid.UUID{upload},
		"state": "stored", "filename": "x", "content_type": "text/plain", "size": 1, "sha256": []byte{1}, "width": nil, "height": nil, "key": "k1", "keys": []string{"k1"},
		"work": "todo", "now": "2026-03-10T12:00:00Z", "until": "2026-03-10T12:00:00Z", "since": "2026-03-10T12:00:00Z", "most": 500, "batch": 200,
		"kind": "completion", "subject": subject, "version": 1, "residence": home, "user": nil, "task": task, "task_at": 1,
	}
	for name, statement := range map[string]string{
		"insert": insertUploadSQL, "confirm": confirmUploadSQL, "read": ownUploadSQL, "delete": deleteUploadSQL, "lease work": leaseWorkSQL,
		"claim": claimSQL, "let go": unclaimSQL, "of a residence": claimedInSQL, "erase claims": eraseClaimsSQL, "erase uploads": eraseUploadsSQL,
		"stamp": stampUnclaimedSQL, "due blobs": leaseLooseSQL, "deleted blobs": forgetLooseSQL,
	} {
		t.Run(name, func(t *testing.T) {
			for _, table := range testkit.Scanned(t, db, statement, args) {
				switch table {
				case "uploads", "claims", "loose_blobs":
					t.Errorf("scans %s", table)
				}
			}
		})
	}
}
