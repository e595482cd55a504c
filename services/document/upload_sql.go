package document

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// seenUpload is true of an upload u that the actor may look at and name in something: one of theirs that nothing claims
// yet, or one that something claims which they see. Of who has left a residence nothing there is theirs any more.
const seenUpload = `(u.state = 'stored' AND (
	(u.unclaimed_at IS NOT NULL AND u.owner_id = @actor::uuid)
	OR EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id AND (c.residence_id = ANY(@mine::uuid[]) OR c.user_id = @actor::uuid))))`

// uploadColumns are an uploadRow, of uploads u.
const uploadColumns = `u.id, u.owner_id, u.state, u.filename, u.content_type, u.size, u.sha256, u.width, u.height, u.page_count, u.blob_key,
	u.thumb_key, u.thumb_width, u.thumb_height, u.preview_key, u.preview_width, u.preview_height, u.created_at`

// insertedUpload is the upload after it was added, or the one that is there.
type insertedUpload struct {
	Outcome string // added, there, taken, full
	uploadRow
}

// An upload takes a key that is reserved and that the collector has not come for; the trigger ends the reservation with
// the row that holds the key. What was stored for nothing is for the collector.
const insertUploadSQL = `
WITH there AS (SELECT u.* FROM uploads u WHERE u.id = @id::uuid),
full_up AS (
	SELECT FROM (SELECT FROM uploads n WHERE n.owner_id = @owner::uuid AND n.unclaimed_at IS NOT NULL LIMIT @most::int) n HAVING count(*) >= @most::int),
added AS (
	INSERT INTO uploads (id, owner_id, state, filename, content_type, size, sha256, width, height, blob_key, work, work_at, unclaimed_at, created_at)
	SELECT @id::uuid, @owner::uuid, @state::text, @filename::text, @content_type::text, @size::bigint, @sha256::bytea, @width::int, @height::int,
		b.key, @work::text, @now::timestamptz, @now::timestamptz, @now::timestamptz
	FROM (SELECT key FROM loose_blobs WHERE key = @key::text FOR UPDATE) b
	WHERE NOT EXISTS (SELECT FROM there) AND NOT EXISTS (SELECT FROM full_up)
	ON CONFLICT (id) DO NOTHING RETURNING *),
spare AS (UPDATE loose_blobs SET due_at = '-infinity' WHERE key = @key::text AND NOT EXISTS (SELECT FROM added))
SELECT 'added' AS outcome, ` + uploadColumns + ` FROM added u
UNION ALL
SELECT CASE WHEN u.owner_id = @owner::uuid THEN 'there' ELSE 'taken' END, ` + uploadColumns + ` FROM there u
UNION ALL
SELECT 'full', @id::uuid, @owner::uuid, '', '', '', 0, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, @now::timestamptz
FROM full_up WHERE NOT EXISTS (SELECT FROM there)`

func insertUpload(ctx context.Context, q pg.Querier, row uploadRow) (insertedUpload, bool, error) {
	work := "todo"
	if row.State == awaited {
		work = "none"
	}
	return pg.One[insertedUpload](ctx, q, insertUploadSQL, pgx.NamedArgs{
		"id": row.ID, "owner": row.OwnerID, "state": row.State, "filename": row.Filename, "content_type": row.ContentType, "size": row.Size,
		"sha256": row.SHA256, "width": row.Width, "height": row.Height, "key": row.BlobKey, "work": work, "now": row.CreatedAt, "most": mostUnclaimed,
	})
}

const ownUploadSQL = `
SELECT ` + uploadColumns + `, (u.unclaimed_at IS NOT NULL AND u.owner_id = @actor::uuid)
	OR EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id AND (c.residence_id = ANY(@mine::uuid[]) OR c.user_id = @actor::uuid)) AS seen,
	ARRAY(SELECT c.user_id FROM claims c WHERE c.upload_id = u.id AND c.kind = 'avatar' AND c.user_id IS NOT NULL) AS faces
FROM uploads u WHERE u.id = @id::uuid`

// sightedUpload is an upload, whether the actor sees it, and else whose avatar it is.
type sightedUpload struct {
	uploadRow
	Seen  bool
	Faces []uuid.UUID
}

func readUpload(ctx context.Context, q pg.Querier, actor identity.Actor, homes []access.Home, id uuid.UUID) (sightedUpload, bool, error) {
	return pg.One[sightedUpload](ctx, q, ownUploadSQL, pgx.NamedArgs{"id": id, "actor": actor.UserID, "mine": access.IDs(homes)})
}

// Whoever names an upload this very moment makes its unclaimed_at null, and that is looked at again once they are done;
// their claim itself is too new to be seen here.
const deleteUploadSQL = `
WITH target AS (SELECT u.* FROM uploads u WHERE u.id = @id::uuid AND u.owner_id = @actor::uuid FOR UPDATE),
gone AS (DELETE FROM uploads u USING target t
	WHERE u.id = t.id AND u.unclaimed_at IS NOT NULL AND NOT EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id) RETURNING u.id)
SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN 'gone' ELSE 'used' END FROM target`

func deleteUpload(ctx context.Context, q pg.Querier, actor, id uuid.UUID) (outcome string, found bool, err error) {
	return pg.Scalar[string](ctx, q, deleteUploadSQL, pgx.NamedArgs{"id": id, "actor": actor})
}

// invitedAgain notes that the bytes may come later than was thought, before anybody is told so, and answers whether they are
// awaited still.
func invitedAgain(ctx context.Context, q pg.Querier, id uuid.UUID, now time.Time) (bool, error) {
	n, err := pg.Exec(ctx, q, `UPDATE uploads SET invited_at = @now::timestamptz WHERE id = @id::uuid AND state = 'awaited'`, pgx.NamedArgs{"id": id, "now": now})
	return n == 1, err
}

// Of two confirmations at once the second finds what the first has made of it; what it stored itself is for the collector.
const confirmUploadSQL = `
WITH confirmed AS (
	UPDATE uploads u SET state = 'stored', filename = @filename::text, content_type = @content_type::text, size = @size::bigint,
		sha256 = @sha256::bytea, width = @width::int, height = @height::int, blob_key = b.key, work = 'todo', work_at = @now::timestamptz
	FROM (SELECT key FROM loose_blobs WHERE key = @key::text FOR UPDATE) b
	WHERE u.id = @id::uuid AND u.state = 'awaited' RETURNING u.*),
spare AS (UPDATE loose_blobs SET due_at = '-infinity' WHERE key = @key::text AND NOT EXISTS (SELECT FROM confirmed))
SELECT ` + uploadColumns + ` FROM confirmed u
UNION ALL
SELECT ` + uploadColumns + ` FROM uploads u WHERE u.id = @id::uuid AND u.state = 'stored' AND NOT EXISTS (SELECT FROM confirmed)`

func confirmUpload(ctx context.Context, q pg.Querier, row uploadRow) (uploadRow, bool, error) {
	return pg.One[uploadRow](ctx, q, confirmUploadSQL, pgx.NamedArgs{
		"id": row.ID, "filename": row.Filename, "content_type": row.ContentType, "size": row.Size, "sha256": row.SHA256,
		"width": row.Width, "height": row.Height, "key": row.BlobKey, "now": row.CreatedAt,
	})
}
