package task

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/testkit"
)

// A board of 50 tasks in two residences, each with ten completions, among 20,000 tasks.
func BenchmarkBoard(b *testing.B) {
	cfg := testkit.Config(b, "task")
	s := testkit.Run(b, cfg, New(Config{cfg}))
	for _, statement := range []string{fill, `UPDATE tasks SET is_archived = is_archived OR title > 'Task 35', recent_ids = ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 10)), recent_at = ARRAY(SELECT now() FROM generate_series(1, 10)), description = repeat('word ', 20)`, `VACUUM ANALYZE tasks`} {
		if _, err := s.DB.Exec(b.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			b.Fatal(err)
		}
	}
	var homes []uuid.UUID
	if err := s.DB.QueryRow(b.Context(), `SELECT array_agg(DISTINCT residence_id) FROM tasks WHERE residence_id IN (md5('home7')::uuid, md5('home8')::uuid)`).Scan(&homes); err != nil {
		b.Fatal(err)
	}
	tasks, err := readBoard(b.Context(), s.DB, homes, BoardFilter{})
	if err != nil {
		b.Fatal(err)
	}
	board := emptyBoard(30)
	board.sortIn(tasks, day.Must("2026-03-10"))
	b.Logf("%d tasks", len(tasks))
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := readBoard(b.Context(), s.DB, homes, BoardFilter{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("server", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.DB.Exec(b.Context(), boardSQL, pgx.NamedArgs{"mine": homes}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(board); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			board.AppendJSON(nil)
		}
	})
}
