package document

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// toldLetGo are the events of the documents d in let_go, and how many they are.
const toldLetGo = `,
told AS (
	INSERT INTO outbox (id, name, payload, trace)
	SELECT gen_random_uuid(), @event_name, @event_payload::jsonb || ` + documentRef + `, @event_trace FROM let_go d)
SELECT count(*) FROM let_go`

const letGoSQL = `
WITH gone AS (INSERT INTO gone_things (id, gone_at) VALUES (@id::uuid, @now::timestamptz) ON CONFLICT (id) DO NOTHING),
unheard AS (DELETE FROM subjects WHERE id = @id::uuid),
let_go AS (
	UPDATE documents d SET task_id = nullif(d.task_id, @id::uuid), contractor_id = nullif(d.contractor_id, @id::uuid),
		version = d.version + 1, updated_at = @now::timestamptz
	WHERE d.task_id = @id::uuid OR d.contractor_id = @id::uuid RETURNING d.*)` + toldLetGo

// letGo notes that something of another service's is gone, and makes documents let go of it.
func letGo(ctx context.Context, q pg.Querier, id, actor uuid.UUID, now time.Time) error {
	_, err := countLetGo(ctx, q, letGoSQL, actor, pgx.NamedArgs{"id": id, "now": now})
	return err
}

// Of two moves the later one says where the task is, in whatever order their events come.
const letGoOfMovedSQL = `
WITH heard AS (
	INSERT INTO subjects (id, version, residence_id) VALUES (@id::uuid, @version::int, @residence::uuid)
	ON CONFLICT (id) DO UPDATE SET version = excluded.version, residence_id = excluded.residence_id
	WHERE subjects.version <= excluded.version RETURNING id),
let_go AS (
	UPDATE documents d SET task_id = NULL, version = d.version + 1, updated_at = @now::timestamptz
	FROM heard WHERE d.task_id = heard.id AND d.residence_id <> @residence::uuid RETURNING d.*)` + toldLetGo

func letGoOfMoved(ctx context.Context, q pg.Querier, t events.TaskRef, now time.Time) error {
	_, err := countLetGo(ctx, q, letGoOfMovedSQL, t.ActorID, pgx.NamedArgs{"id": t.ID, "version": t.Version, "residence": t.ResidenceID, "now": now})
	return err
}

// What is gone is read once, so that the documents come from the indexes.
const letGoOfGoneSQL = `
WITH let_go AS (
	UPDATE documents d SET version = d.version + 1, updated_at = @now::timestamptz,
		task_id = CASE WHEN NOT EXISTS (SELECT FROM gone_things g WHERE g.id = d.task_id) THEN d.task_id END,
		contractor_id = CASE WHEN NOT EXISTS (SELECT FROM gone_things g WHERE g.id = d.contractor_id) THEN d.contractor_id END
	WHERE d.task_id = ANY (ARRAY(SELECT g.id FROM gone_things g WHERE g.gone_at > @since::timestamptz))
		OR d.contractor_id = ANY (ARRAY(SELECT g.id FROM gone_things g WHERE g.gone_at > @since::timestamptz))
	RETURNING d.*)` + toldLetGo

// letGoOfGone makes documents let go of what went away since then, and answers how many did.
func letGoOfGone(ctx context.Context, q pg.Querier, since, now time.Time) (int, error) {
	return countLetGo(ctx, q, letGoOfGoneSQL, uuid.Nil, pgx.NamedArgs{"since": since, "now": now})
}

func countLetGo(ctx context.Context, q pg.Querier, statement string, actor uuid.UUID, args pgx.NamedArgs) (int, error) {
	n, _, err := pg.Scalar[int](ctx, q, statement, events.DocumentChanged.Args(ctx, events.DocumentRef{ActorID: actor, Change: "changed"}, args))
	return n, err
}

const forgetGoneSQL = `
DELETE FROM gone_things WHERE id IN (SELECT id FROM gone_things WHERE gone_at <= @since::timestamptz LIMIT @batch FOR UPDATE SKIP LOCKED)`
