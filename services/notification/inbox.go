package notification

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// taskCompleted tells every other member of the residence. An id is a UUIDv7 of the event's instant, made of the event and
// the person, since only the statement knows how many there are.
func (s *Service) taskCompleted(ctx context.Context, tx pgx.Tx, e events.Received[events.Completion]) error {
	done := e.Payload
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO notifications (id, user_id, kind, residence_id, subject_id, title, body, created_at)
		SELECT (left(@event_id::uuid::text, 20) || right(encode(sha256(uuid_send(@event_id::uuid) || uuid_send(m.user_id)), 'hex'), 15))::uuid,
			m.user_id, @kind, m.residence_id, @task_id::uuid, @title,
			coalesce(nullif(p.first_name, ''), p.username, 'Somebody') || ' completed “' || @task || '”.', @now::timestamptz
		FROM members m LEFT JOIN people p ON p.user_id = @completed_by
		WHERE m.residence_id = @residence_id AND m.role IS NOT NULL AND m.user_id <> @completed_by
		FOR KEY SHARE OF m`,
		pgx.NamedArgs{
			"event_id": e.ID, "kind": TaskCompleted, "residence_id": done.Task.ResidenceID, "task_id": done.Task.ID,
			"title": "Task completed", "task": done.Task.Title, "completed_by": done.CompletedBy, "now": s.Clock.Now(),
		})
	if err != nil {
		return fmt.Errorf("tell of completion %s: %w", done.ID, err)
	}
	return nil
}
