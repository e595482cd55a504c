package document

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

type countRow struct {
	ResidenceID uuid.UUID
	Documents   int
}

const documentCountsSQL = `
SELECT d.residence_id, count(*) AS documents FROM documents d WHERE d.residence_id = ANY(@residences::uuid[]) GROUP BY d.residence_id`

// DocumentCounts answers how many documents residences hold; one without any is missing.
func (s *Service) DocumentCounts(ctx context.Context, residences []uuid.UUID) (map[uuid.UUID]int, error) {
	rows, err := pg.All[countRow](ctx, s.DB, documentCountsSQL, pgx.NamedArgs{"residences": residences})
	if err != nil {
		return nil, err
	}
	counts := make(map[uuid.UUID]int, len(rows))
	for _, row := range rows {
		counts[row.ResidenceID] = row.Documents
	}
	return counts, nil
}
