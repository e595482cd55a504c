// Package migrations holds the schema of every service's database and brings a database up to date. Migrations only go
// forward and are safe under load: no table is rewritten or locked for long.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver that goose runs on
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed */*.sql
var files embed.FS

// shared are the tables that every service's database has.
const shared = "shared"

// Services are the parts that own a database.
func Services() []string {
	return []string{"auth", "residence", "task", "document", "notification", "billing", "admin"}
}

// Up applies what the service's database at url still lacks, and answers how many migrations that were. Several at once
// wait for each other.
func Up(ctx context.Context, service, url string) (int, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return 0, fmt.Errorf("migrate %s: %w", service, err)
	}
	defer func() { _ = db.Close() }()
	applied := 0
	for _, set := range []string{shared, service} {
		n, err := up(ctx, db, set)
		if err != nil {
			return applied, fmt.Errorf("migrate %s: %w", service, err)
		}
		applied += n
	}
	return applied, nil
}

func up(ctx context.Context, db *sql.DB, set string) (int, error) {
	dir, err := fs.Sub(files, set)
	if err != nil {
		return 0, fmt.Errorf("migrations of %s: %w", set, err)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return 0, fmt.Errorf("migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, dir,
		goose.WithTableName("goose_"+set), goose.WithSessionLocker(locker))
	if err != nil {
		return 0, fmt.Errorf("migrations of %s: %w", set, err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return 0, fmt.Errorf("apply: %w", err)
	}
	return len(results), nil
}

// Files are the migrations themselves, a folder for each service.
func Files() fs.FS { return files }
