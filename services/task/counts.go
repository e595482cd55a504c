package task

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// soon is how many days ahead the counts call due soon.
const soon = 30

type countRow struct {
	ResidenceID uuid.UUID
	internalapi.TaskCounts
}

// Overdue and due soon are what stands in the board's columns of that name.
const countsSQL = `
SELECT t.residence_id, count(*) AS open,
	count(*) FILTER (WHERE NOT t.in_progress AND t.next_due_date < @today::date) AS overdue,
	count(*) FILTER (WHERE NOT t.in_progress AND t.next_due_date BETWEEN @today::date AND @until::date) AS due_soon
FROM tasks t
WHERE t.residence_id = ANY(@residences::uuid[]) AND NOT t.is_archived AND NOT t.is_cancelled AND NOT ` + done + `
GROUP BY t.residence_id`

// Counts answers the tasks of residences in numbers, as they stand on the day.
func (s *Service) Counts(ctx context.Context, residences []uuid.UUID, today day.Day) (map[uuid.UUID]internalapi.TaskCounts, error) {
	rows, err := pg.All[countRow](ctx, s.DB, countsSQL, pgx.NamedArgs{"residences": residences, "today": today, "until": today.AddDays(soon)})
	if err != nil {
		return nil, err
	}
	counts := make(map[uuid.UUID]internalapi.TaskCounts, len(rows))
	for _, row := range rows {
		counts[row.ResidenceID] = row.TaskCounts
	}
	return counts, nil
}
