package document

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/pg"
)

// ReadDocuments is the list's statement and its rows alone, for the bare floor that benchmarks measure Hearth beside.
func ReadDocuments(ctx context.Context, q pg.Querier, homes []uuid.UUID, limit int) ([]Document, error) {
	return readDocuments(ctx, q, ListView{homes: homes}, DocumentFilter{}, nil, limit)
}
