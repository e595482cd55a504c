package task

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/testkit"
)

// A contractor that is deleted changes a completion without its task. Whoever read the completion before must not write
// over that, and must leave the task as it is.
func TestWhatWasReadBeforeItChangedIsNotWritten(t *testing.T) {
	cfg := testkit.Config(t, "task")
	db := testkit.Run(t, cfg, New(Config{cfg})).DB
	task, entry, person := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	_, err := db.Exec(t.Context(), `
		WITH task AS (INSERT INTO tasks (id, residence_id, title, created_by_id, created_at, updated_at, completion_count) VALUES ($1::uuid, $1::uuid, 'x', $3::uuid, now(), now(), 1))
		INSERT INTO completions (id, task_id, residence_id, completed_at, completed_by_id, version, created_at, updated_at) VALUES ($2::uuid, $1::uuid, $1::uuid, now(), $3::uuid, 2, now(), now())`,
		task, entry, person)
	if err != nil {
		t.Fatal(err)
	}
	c := completing{doing: doing{entry, testkit.Start, person}, actor: identity.Actor{UserID: person}, now: testkit.Start, version: 1}
	c.derived = derived{recentIDs: []uuid.UUID{}, recentAt: []time.Time{}}
	c.task = Task{ID: task, Version: 2} // as it would be after the write
	if _, applied, err := replace(t.Context(), db, c); err != nil || applied {
		t.Errorf("replaced: %v, %v", applied, err)
	}
	if applied, err := undo(t.Context(), db, c); err != nil || applied {
		t.Errorf("undone: %v, %v", applied, err)
	}
	var version int
	if err := db.QueryRow(t.Context(), `SELECT version FROM tasks`).Scan(&version); err != nil || version != 1 {
		t.Errorf("the task is at version %d (%v)", version, err)
	}
	c.version = 2
	if _, applied, err := replace(t.Context(), db, c); err != nil || !applied {
		t.Errorf("not replaced: %v, %v", applied, err)
	}
}
