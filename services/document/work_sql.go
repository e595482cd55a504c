package document

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// Who finishes after the lease's end may find the work done: then what it has stored stays loose.
const finishWorkSQL = `
UPDATE uploads SET work = 'done', page_count = @pages::int, words = words_of(@text::text),
	thumb_key = @thumb::text, thumb_width = @thumb_width::int, thumb_height = @thumb_height::int,
	preview_key = @preview::text, preview_width = @preview_width::int, preview_height = @preview_height::int
WHERE id = @id::uuid AND work = 'todo'`

func finishWork(ctx context.Context, q pg.Querier, id uuid.UUID, found insight) error {
	args := pgx.NamedArgs{
		"id": id, "pages": nil, "text": found.text, "thumb": nil, "thumb_width": nil, "thumb_height": nil,
		"preview": nil, "preview_width": nil, "preview_height": nil,
	}
	if found.pages > 0 {
		args["pages"] = found.pages
	}
	if found.thumb != "" {
		args["thumb"], args["thumb_width"], args["thumb_height"] = found.thumb, found.small.Thumb.Width, found.small.Thumb.Height
		args["preview"], args["preview_width"], args["preview_height"] = found.preview, found.small.Preview.Width, found.small.Preview.Height
	}
	_, err := pg.Exec(ctx, q, finishWorkSQL, args)
	return err
}

func failWork(ctx context.Context, q pg.Querier, id uuid.UUID) error {
	_, err := pg.Exec(ctx, q, `UPDATE uploads SET work = 'failed' WHERE id = @id::uuid AND work = 'todo'`, pgx.NamedArgs{"id": id})
	return err
}

func postponeWork(ctx context.Context, q pg.Querier, id uuid.UUID, until time.Time) error {
	_, err := pg.Exec(ctx, q, `UPDATE uploads SET work_at = @until::timestamptz WHERE id = @id::uuid AND work = 'todo'`, pgx.NamedArgs{"id": id, "until": until})
	return err
}
