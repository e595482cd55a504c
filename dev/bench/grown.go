package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// A database that has grown: so many tasks in so many residences, among which the measured ones lie scattered as they
// would after years, and not side by side as they were added.
const (
	grownResidences = 10_000
	measuredHomes   = 50
)

// grown measures the boards of fifty households while the database is nearly empty, and again among Options.Grown tasks
// of others.
func grown(ctx context.Context, o Options, gateway, database string) error {
	all := target{name: "Hearth", url: gateway + "/api/tasks/", wants: fullBoard * 300}
	var homes []string
	for range measuredHomes {
		one, home, err := household(ctx, gateway, fullBoard)
		if err != nil {
			return err
		}
		all.turns, homes = append(all.turns, one.header), append(homes, home)
	}
	before, err := measured(ctx, all, o.Each)
	if err != nil {
		return err
	}
	if err := grow(ctx, database, homes, o.Grown); err != nil {
		return err
	}
	after, err := measured(ctx, all, o.Each)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(o.Out, "\nboards of %d households in turn, 50 tasks each\n", measuredHomes)
	for _, r := range []struct {
		what string
		result
	}{{"  nearly empty database", before}, {fmt.Sprintf("  among %d tasks", o.Grown), after}} {
		_, _ = fmt.Fprintf(o.Out, "%-28s %8.0f req/s  p50 %6.2f ms  p99 %6.2f ms\n", r.what, r.rate(), millis(r.percentile(.5)), millis(r.percentile(.99)))
	}
	_, _ = fmt.Fprintf(o.Out, "  times as long: p50 %.2f, mean %.2f\n", millis(after.percentile(.5))/millis(before.percentile(.5)), before.rate()/after.rate())
	return nil
}

func measured(ctx context.Context, t target, each time.Duration) (result, error) {
	if _, err := load(ctx, t, warmUp); err != nil {
		return result{}, err
	}
	return load(ctx, t, each)
}

const (
	// One step adds two tasks to each of the other residences, half of them done a few times.
	growSQL = `
INSERT INTO tasks (id, residence_id, title, description, frequency_id, due_date, next_due_date, completion_count, created_by_id, created_at, updated_at, recent_ids, recent_at)
SELECT gen_random_uuid(), md5('home' || n % $1)::uuid, 'Task ' || n || ' of ' || $2::int, 'Something that a house wants done now and then.', '01900000-0000-7000-8000-000000003005',
	date '2026-01-01' + n % 365, date '2026-06-01' + n % 365, 3, md5('person' || n % $1)::uuid, now(), now(),
	ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 3)), ARRAY[now(), now(), now()]
FROM generate_series(1, $3::int) n`
	// The measured residences' tasks move in between, one of each a step.
	scatterSQL = `
UPDATE tasks t SET description = t.description FROM (
	SELECT id, row_number() OVER (PARTITION BY residence_id ORDER BY id) AS n FROM tasks WHERE residence_id = ANY($1::uuid[])) x
WHERE t.id = x.id AND x.n = $2`
)

func grow(ctx context.Context, database string, homes []string, tasks int) error {
	db, err := pgx.Connect(ctx, database)
	if err != nil {
		return fmt.Errorf("grow: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	ids := make([]uuid.UUID, len(homes))
	for i, home := range homes {
		if ids[i], err = uuid.Parse(home); err != nil {
			return fmt.Errorf("grow: %w", err)
		}
	}
	for step := range fullBoard {
		if _, err := db.Exec(ctx, growSQL, grownResidences, step, tasks/fullBoard); err != nil {
			return fmt.Errorf("grow: %w", err)
		}
		if _, err := db.Exec(ctx, scatterSQL, ids, step+1); err != nil {
			return fmt.Errorf("grow: %w", err)
		}
	}
	for _, statement := range []string{"VACUUM ANALYZE tasks", "CHECKPOINT"} {
		if _, err := db.Exec(ctx, statement); err != nil && statement != "CHECKPOINT" { // that one is for superusers
			return fmt.Errorf("grow: %w", err)
		}
	}
	return nil
}
