package task

import (
	"context"
	"maps"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

const (
	// rooms are the owners r with a limit, and their residences.
	rooms = `(
			SELECT l.owner_id, l.most, ARRAY(
				SELECT o.residence_id FROM unnest(@owned::uuid[], @owned_by::uuid[]) AS o(residence_id, owner_id) WHERE o.owner_id = l.owner_id) AS homes
			FROM unnest(@owners::uuid[], @most::int[]) AS l(owner_id, most)) r`

	// usedTasks and usedContractors are what an owner r has.
	usedTasks       = `(SELECT count(*) FROM tasks u WHERE u.residence_id = ANY(r.homes))`
	usedContractors = `((SELECT count(*) FROM contractors u WHERE u.residence_id = ANY(r.homes))
			+ (SELECT count(*) FROM contractors u WHERE u.residence_id IS NULL AND u.created_by_id = r.owner_id))`

	// lockRoomSQL lets one at a time count and add for an owner; the owners are locked in one order, so that nobody waits
	// in a circle.
	lockRoomSQL        = `SELECT pg_advisory_xact_lock(hashtextextended(o.id::text, 1)) FROM (SELECT l.id FROM unnest(@owners::uuid[]) AS l(id) ORDER BY l.id) o`
	usedTasksSQL       = `SELECT r.owner_id, ` + usedTasks + ` AS used FROM ` + rooms
	usedContractorsSQL = `SELECT r.owner_id, ` + usedContractors + ` AS used FROM ` + rooms
)

// The checks that find what a row w would be too much, for the list of the others. What is there already, by its id, is
// nothing more; nor is what moves between residences of the same owner.
const (
	noRoomForTasks = `,
		('` + limited + `', NOT EXISTS (SELECT FROM tasks x WHERE x.id = w.id) AND EXISTS (
			SELECT FROM ` + rooms + ` WHERE w.residence_id = ANY(r.homes) AND r.most < ` + usedTasks + ` + (
				SELECT count(*) FROM new n WHERE n.residence_id = ANY(r.homes) AND NOT EXISTS (SELECT FROM tasks x WHERE x.id = n.id))))`
	noRoomForMovedTask = `,
		('` + limited + `', w.moved AND EXISTS (
			SELECT FROM ` + rooms + ` WHERE NOT w.was_in = ANY(r.homes) AND r.most <= ` + usedTasks + `))`
	noRoomForContractor = `,
		('` + limited + `', EXISTS (SELECT FROM ` + rooms + ` WHERE r.most <= ` + usedContractors + `))`
	noRoomForMovedContractor = `,
		('` + limited + `', w.moved AND EXISTS (
			SELECT FROM ` + rooms + ` WHERE r.most <= ` + usedContractors + `
				AND (w.was_in = ANY(r.homes) OR (w.was_in IS NULL AND w.created_by_id = r.owner_id)) IS NOT TRUE))`
)

// usage is how many an owner has.
type usage struct {
	OwnerID uuid.UUID
	Used    int
}

// inRoom queues the locks, the statement, which so counts all that was committed before it, and the count; when the
// statement was refused, that is what it was refused for. A batch is one round trip and one transaction.
func inRoom[T any](batch *pgx.Batch, r room, statement, count string, args pgx.NamedArgs, rows *[]T, used *[]usage) {
	maps.Copy(args, pgx.NamedArgs{"owners": r.owners, "most": r.most, "owned": r.owned, "owned_by": r.ownedBy})
	batch.Queue(lockRoomSQL, args)
	batch.Queue(statement, args).Query(pg.Rows(rows))
	batch.Queue(count, args).Query(pg.Rows(used))
}

// oneInRoom runs a statement that answers a row or none in its room.
func oneInRoom[T any](ctx context.Context, q pg.Querier, r room, statement, count string, args pgx.NamedArgs) (row T, found bool, used []usage, err error) {
	var rows []T
	var batch pgx.Batch
	inRoom(&batch, r, statement, count, args, &rows, &used)
	if err = pg.Send(ctx, q, &batch); err == nil && len(rows) > 0 {
		return rows[0], true, used, nil
	}
	return row, false, used, err
}
