package testkit

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Scanned are the tables that the statement's plan reads from one end to the other, in the plan for these arguments and
// in the one for any, which is what a prepared statement gets in the end.
func Scanned(t testing.TB, db *pgx.Conn, statement string, args pgx.NamedArgs) []string {
	t.Helper()
	sql, values, err := args.RewriteQuery(t.Context(), db, statement, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Prepare(t.Context(), "looked_at", sql); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Deallocate(t.Context(), "looked_at"); err != nil {
			t.Error(err)
		}
	}()
	anyValues := strings.TrimSuffix(strings.Repeat("NULL, ", len(values)), ", ")
	plans := explain(t, db, "EXPLAIN "+sql, values...) + explain(t, db, "EXPLAIN EXECUTE looked_at ("+anyValues+")")
	var tables []string
	for line := range strings.Lines(plans) {
		if _, rest, found := strings.Cut(line, "Seq Scan on "); found {
			table, _, _ := strings.Cut(rest, " ")
			tables = append(tables, table)
		}
	}
	t.Log(plans)
	return tables
}

func explain(t testing.TB, db *pgx.Conn, statement string, values ...any) string {
	t.Helper()
	rows, err := db.Query(t.Context(), statement, append([]any{pgx.QueryExecModeExec}, values...)...)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}
