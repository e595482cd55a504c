package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Send runs a batch: one round trip and one transaction, all of it or nothing. Each statement sees what others had
// committed when it began, so a statement that waits for a lock protects the ones after it from what is out of date;
// a single statement that waits goes on with the snapshot from before.
func Send(ctx context.Context, q Querier, b *pgx.Batch) error {
	return translate(q.SendBatch(ctx, b).Close())
}

// SendInSnapshot runs reads in one round trip, all of which see the same: what was committed when the first began. queue
// adds them to the batch.
func SendInSnapshot(ctx context.Context, q Querier, queue func(*pgx.Batch)) error {
	b := &pgx.Batch{}
	b.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	queue(b)
	b.Queue(`COMMIT`)
	return Send(ctx, q, b)
}

// Row makes a statement queued in a batch fill row, and found, if it answers one:
//
//	b.Queue(sql, args).Query(pg.Row(&row, &found))
func Row[T any](row *T, found *bool) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		got, err := pgx.CollectOneRow(rows, pgx.RowToStructByName[T])
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		*row, *found = got, err == nil
		return err // translated by Send
	}
}

// Rows makes a statement queued in a batch fill rows.
func Rows[T any](rows *[]T) func(pgx.Rows) error {
	return func(answer pgx.Rows) (err error) {
		*rows, err = pgx.CollectRows(answer, pgx.RowToStructByName[T])
		return err
	}
}

// Found makes a statement queued in a batch report whether it answers a row.
func Found(found *bool) func(pgx.Rows) error {
	return func(answer pgx.Rows) error {
		*found = answer.Next()
		answer.Close()
		return answer.Err()
	}
}
