package document

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// leasedUpload is an upload to be looked into, by nobody else until the lease ends.
type leasedUpload struct {
	WorkTries int // this one included
	uploadRow
}

const leaseWorkSQL = `
UPDATE uploads u SET work_tries = u.work_tries + 1, work_at = @until::timestamptz
WHERE u.id = (SELECT w.id FROM uploads w WHERE w.work = 'todo' AND w.work_at <= @now::timestamptz ORDER BY w.work_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING u.work_tries, ` + uploadColumns

func leaseWork(ctx context.Context, q pg.Querier, now time.Time) (leasedUpload, bool, error) {
	return pg.One[leasedUpload](ctx, q, leaseWorkSQL, pgx.NamedArgs{"now": now, "until": now.Add(workLease)})
}

// Whoever changes a document takes its row first and the uploads that it names then; so does the trigger that makes the
// text found in documents.
const holdDocumentsSQL = `SELECT FROM documents d WHERE d.upload_id = @id::uuid ORDER BY d.id FOR UPDATE`

// Who finishes after the lease's end may find the work done: then what it has stored stays loose.
const finishWorkSQL = `
UPDATE uploads SET work = 'done', page_count = @pages::int, words = words_of(@text::text),
	thumb_key = @thumb::text, thumb_width = @thumb_width::int, thumb_height = @thumb_height::int,
	preview_key = @preview::text, preview_width = @preview_width::int, preview_height = @preview_height::int
WHERE id = @id::uuid AND work = 'todo'`

// Lists that look for words have others from now on, and their ETag is to tell.
const tellFoundSQL = `
INSERT INTO outbox (id, name, payload, trace)
SELECT gen_random_uuid(), @event_name, @event_payload::jsonb || ` + documentRef + `, @event_trace
FROM documents d JOIN uploads u ON u.id = d.upload_id WHERE d.upload_id = @id::uuid AND u.words <> ''::tsvector`

func finishWork(ctx context.Context, q pg.Querier, id uuid.UUID, found insight) error {
	args := events.DocumentChanged.Args(ctx, events.DocumentRef{Change: "changed"}, pgx.NamedArgs{
		"id": id, "pages": nil, "text": found.text, "thumb": nil, "thumb_width": nil, "thumb_height": nil,
		"preview": nil, "preview_width": nil, "preview_height": nil,
	})
	if found.pages > 0 {
		args["pages"] = found.pages
	}
	if found.thumb != "" {
		args["thumb"], args["thumb_width"], args["thumb_height"] = found.thumb, found.small.Thumb.Width, found.small.Thumb.Height
		args["preview"], args["preview_width"], args["preview_height"] = found.preview, found.small.Preview.Width, found.small.Preview.Height
	}
	var batch pgx.Batch
	for _, statement := range []string{holdDocumentsSQL, finishWorkSQL, tellFoundSQL} {
		batch.Queue(statement, args)
	}
	return pg.Send(ctx, q, &batch)
}

func failWork(ctx context.Context, q pg.Querier, id uuid.UUID) error {
	_, err := pg.Exec(ctx, q, `UPDATE uploads SET work = 'failed' WHERE id = @id::uuid AND work = 'todo'`, pgx.NamedArgs{"id": id})
	return err
}

// waitForStorage gives the try back: a storage that does not answer says nothing about the file.
func waitForStorage(ctx context.Context, q pg.Querier, id uuid.UUID, until time.Time) error {
	_, err := pg.Exec(ctx, q, `UPDATE uploads SET work_at = @until::timestamptz, work_tries = greatest(work_tries - 1, 0) WHERE id = @id::uuid AND work = 'todo'`,
		pgx.NamedArgs{"id": id, "until": until})
	return err
}

func postponeWork(ctx context.Context, q pg.Querier, id uuid.UUID, until time.Time) error {
	_, err := pg.Exec(ctx, q, `UPDATE uploads SET work_at = @until::timestamptz WHERE id = @id::uuid AND work = 'todo'`, pgx.NamedArgs{"id": id, "until": until})
	return err
}
