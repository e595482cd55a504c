package task

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// goneMembers are those who left a residence since then: one, or all.
type goneMembers struct {
	residence, user *uuid.UUID
	since           time.Time
	actor           uuid.UUID
	now             time.Time
}

// held is a task that somebody who is gone has, or takes turns in.
type held struct {
	ID                uuid.UUID
	Version           int
	IsDone            bool
	AssignedToID      *uuid.UUID
	Rotation          string
	RotationMemberIDs []uuid.UUID
	RotationStart     int
	DoneBy            []uuid.UUID // oldest first
	GoneID            uuid.UUID
}

// Of what is done only the turns are of interest, should it be undone: what they have done stays theirs.
const heldSQL = `
SELECT DISTINCT ON (t.id) t.id, t.version, t.is_done, t.assigned_to_id, t.rotation, t.rotation_member_ids, t.rotation_start, g.user_id AS gone_id,
	ARRAY(SELECT c.completed_by_id FROM completions c WHERE c.task_id = t.id ORDER BY c.completed_at, c.id) AS done_by
FROM gone_members g JOIN tasks t ON t.residence_id = g.residence_id
	AND (g.user_id = ANY(t.rotation_member_ids) OR (t.assigned_to_id = g.user_id AND NOT t.is_done))
WHERE g.gone_at > @since::timestamptz AND (@residence::uuid IS NULL OR (g.residence_id = @residence::uuid AND g.user_id = @user::uuid))
ORDER BY t.id`

const handBackSQL = `
WITH locked AS (SELECT t.id FROM tasks t WHERE t.id = ANY(@ids::uuid[]) ORDER BY t.id FOR UPDATE),
changed AS (
	UPDATE tasks t SET assigned_to_id = nullif(r.assignee, @nobody::uuid), rotation = r.rotation, rotation_start = r.start,
		rotation_member_ids = CASE WHEN r.rotation = 'none' THEN '{}' ELSE array_remove(t.rotation_member_ids, r.gone) END, version = t.version + 1, updated_at = @now::timestamptz
	FROM unnest(@ids::uuid[], @seens::int[], @assignees::uuid[], @rotations::text[], @starts::int[], @gone::uuid[])
		AS r(id, seen, assignee, rotation, start, gone) JOIN locked ON locked.id = r.id
	WHERE t.id = r.id AND t.version = r.seen RETURNING t.*),
event AS (
	INSERT INTO outbox (id, name, payload, trace)
	SELECT gen_random_uuid(), @event_name, @event_payload::jsonb || ` + refMembers + `, @event_trace FROM changed t)
SELECT count(*) FROM changed`

// handBack takes from those who are gone what they still had to do: it goes to the next in its rotation, if it has one,
// and they are out of that.
func handBack(ctx context.Context, q pg.Querier, g goneMembers) error {
	for range tries {
		tasks, err := pg.All[held](ctx, q, heldSQL, pgx.NamedArgs{"since": g.since, "residence": g.residence, "user": g.user})
		if err != nil || len(tasks) == 0 {
			return err
		}
		if err := handOver(ctx, q, g, tasks); err != nil {
			return err
		}
	}
	return nil // of what keeps changing, the next look takes care
}

func handOver(ctx context.Context, q pg.Querier, g goneMembers, tasks []held) error {
	n := len(tasks)
	ids, seen, assignees := make([]uuid.UUID, n), make([]int, n), make([]uuid.UUID, n)
	rotations, starts, gone := make([]string, n), make([]int, n), make([]uuid.UUID, n)
	for i, t := range tasks {
		turns, assignee := t.withoutGone()
		ids[i], seen[i], assignees[i], gone[i] = t.ID, t.Version, orZero(assignee), t.GoneID
		rotations[i], starts[i] = turns.rotation, turns.start
	}
	_, _, err := pg.Scalar[int](ctx, q, handBackSQL, events.TaskChanged.Args(ctx, events.TaskRef{ActorID: g.actor}, pgx.NamedArgs{
		"ids": ids, "seens": seen, "assignees": assignees, "rotations": rotations, "starts": starts, "gone": gone, "now": g.now, "nobody": uuid.Nil,
	}))
	return err
}

// withoutGone is the rotation that is left, and who has the task now.
func (t held) withoutGone() (taking, *uuid.UUID) {
	log := doers(t.DoneBy)
	turns := taking{t.ID, t.Rotation, t.RotationMemberIDs, t.RotationStart}.without(t.GoneID, log)
	if t.IsDone || t.AssignedToID == nil || *t.AssignedToID != t.GoneID {
		return turns, t.AssignedToID
	}
	if len(turns.members) == 1 {
		return turns, &turns.members[0]
	}
	return turns, turns.turn(log)
}
