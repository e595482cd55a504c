package room

import (
	"context"
	"maps"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// Owners are in SQL the owners r with a limit: owner_id, most, and homes, their residences.
const Owners = `(
			SELECT l.owner_id, l.most, ARRAY(
				SELECT o.residence_id FROM unnest(@owned::uuid[], @owned_by::uuid[]) AS o(residence_id, owner_id) WHERE o.owner_id = l.owner_id) AS homes
			FROM unnest(@owners::uuid[], @most::int[]) AS l(owner_id, most)) r`

// lockSQL lets one at a time count and add for an owner; the owners are locked in one order, so that nobody waits in a
// circle.
const lockSQL = `SELECT pg_advisory_xact_lock(hashtextextended(o.id::text, 1)) FROM (SELECT l.id FROM unnest(@owners::uuid[]) AS l(id) ORDER BY l.id) o`

// Used is how many rows of the table an owner r has.
func Used(table string) string {
	return `(SELECT count(*) FROM ` + table + ` u WHERE u.residence_id = ANY(r.homes))`
}

// CountSQL answers the Usage of each owner, where used is what an owner r has.
func CountSQL(used string) string { return `SELECT r.owner_id, ` + used + ` AS used FROM ` + Owners }

// None is the check, for the list of the others, that finds no room for one more.
func None(used string) string {
	return `,
		('` + Limited + `', EXISTS (SELECT FROM ` + Owners + ` WHERE r.most <= ` + used + `))`
}

// NoneForMoved is the check that finds no room for a row w that moved from the residence was_in to another owner's. What
// moves between residences of the same owner is nothing more.
func NoneForMoved(used string) string {
	return `,
		('` + Limited + `', w.moved AND EXISTS (
			SELECT FROM ` + Owners + ` WHERE NOT w.was_in = ANY(r.homes) AND r.most <= ` + used + `))`
}

// Queue queues the locks, the statement, which so counts all that was committed before it, and the count; when the
// statement was refused, that is what it was refused for. A batch is one round trip and one transaction.
func Queue[T any](batch *pgx.Batch, r Room, statement, count string, args pgx.NamedArgs, rows *[]T, used *[]Usage) {
	maps.Copy(args, pgx.NamedArgs{"owners": r.owners, "most": r.most, "owned": r.owned, "owned_by": r.ownedBy})
	batch.Queue(lockSQL, args)
	batch.Queue(statement, args).Query(pg.Rows(rows))
	batch.Queue(count, args).Query(pg.Rows(used))
}

// One runs a statement that answers a row or none in its room.
func One[T any](ctx context.Context, q pg.Querier, r Room, statement, count string, args pgx.NamedArgs) (row T, found bool, used []Usage, err error) {
	var rows []T
	var batch pgx.Batch
	Queue(&batch, r, statement, count, args, &rows, &used)
	if err = pg.Send(ctx, q, &batch); err == nil && len(rows) > 0 {
		return rows[0], true, used, nil
	}
	return row, false, used, err
}
