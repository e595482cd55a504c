package testkit

import (
	"io/fs"
	"testing"

	"github.com/jackc/pgx/v5"

	"hearth.internal/migrations"
)

// Reapply runs a migration once more, now that there are rows for it: one that holds a single statement.
func Reapply(t testing.TB, s *Service, file string) {
	t.Helper()
	raw, err := fs.ReadFile(migrations.Files(), file)
	if err == nil {
		_, err = s.DB.Exec(t.Context(), string(raw), pgx.QueryExecModeSimpleProtocol)
	}
	if err != nil {
		t.Fatalf("migration %s: %v", file, err)
	}
}
