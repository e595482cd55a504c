package document

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

const documentsOfEquipmentSQL = `
SELECT ` + documentColumns + ` FROM documents d WHERE d.equipment_id = @id::uuid AND d.residence_id = ANY(@mine::uuid[])
ORDER BY d.created_at DESC, d.id DESC LIMIT 200`

// readEquipmentPapers also reports whether there is such equipment; all in one round trip.
func readEquipmentPapers(ctx context.Context, q pg.Querier, id uuid.UUID, mine []uuid.UUID) (e Equipment, documents []Document, found bool, err error) {
	args := pgx.NamedArgs{"id": id, "mine": mine}
	var batch pgx.Batch
	batch.Queue(equipmentSQL, args).Query(pg.Row(&e, &found))
	batch.Queue(documentsOfEquipmentSQL, args).Query(pg.Rows(&documents))
	err = pg.Send(ctx, q, &batch)
	return e, documents, found, err
}
