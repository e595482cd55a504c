package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/pg"
)

// ReadBoard is the board's statement and its rows alone, for the bare floor that benchmarks measure Hearth beside.
func ReadBoard(ctx context.Context, q pg.Querier, homes []uuid.UUID) ([]BoardTask, error) {
	return readBoard(ctx, q, homes, BoardFilter{})
}
