package document

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// namedRow is an upload that may not be named, or equipment with where it is, if the person sees it.
type namedRow struct {
	Kind        string
	ID          uuid.UUID
	ResidenceID *uuid.UUID
}

const attachableSQL = `
SELECT 'upload' AS kind, named.id, NULL::uuid AS residence_id FROM unnest(@uploads::uuid[]) AS named(id)
WHERE NOT EXISTS (SELECT FROM uploads u WHERE u.id = named.id AND ` + seenUpload + ` AND (NOT @images::boolean OR u.content_type LIKE 'image/%'))
UNION ALL
SELECT 'equipment', named.id, (SELECT e.residence_id FROM equipment e WHERE e.id = named.id AND e.residence_id = ANY(@mine::uuid[]))
FROM unnest(@equipment::uuid[]) AS named(id)`

func readNamed(ctx context.Context, q pg.Querier, user uuid.UUID, mine []uuid.UUID, query internalapi.AttachQuery) ([]namedRow, error) {
	return pg.All[namedRow](ctx, q, attachableSQL, pgx.NamedArgs{
		"actor": user, "mine": mine, "uploads": query.UploadIDs, "equipment": query.EquipmentIDs, "images": query.ImagesOnly,
	})
}
