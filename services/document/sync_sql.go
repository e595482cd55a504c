package document

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/pg"
)

// Of each scope the oldest changes come from the index, and the oldest of those are the page.
const (
	syncDocumentsSQL = `
SELECT ` + documentColumns + `, d.sync_xid, d.residence_id AS sync_scope, d.id AS sync_id FROM (
	SELECT changed.* FROM ` + delta.Scopes + ` CROSS JOIN LATERAL (
		SELECT d.* FROM documents d WHERE d.residence_id = scope.id AND (d.sync_xid, d.id) > (scope.xid, scope.after)
		ORDER BY d.sync_xid, d.id LIMIT @rows::int) changed
	ORDER BY changed.sync_xid, changed.residence_id, changed.id LIMIT @rows::int) d
ORDER BY d.sync_xid, d.residence_id, d.id`

	syncEquipmentSQL = `
SELECT ` + equipmentColumns + `, e.sync_xid, e.residence_id AS sync_scope, e.id AS sync_id FROM (
	SELECT changed.* FROM ` + delta.Scopes + ` CROSS JOIN LATERAL (
		SELECT e.* FROM equipment e WHERE e.residence_id = scope.id AND (e.sync_xid, e.id) > (scope.xid, scope.after)
		ORDER BY e.sync_xid, e.id LIMIT @rows::int) changed
	ORDER BY changed.sync_xid, changed.residence_id, changed.id LIMIT @rows::int) e
ORDER BY e.sync_xid, e.residence_id, e.id`
)

func readChanges(ctx context.Context, q pg.Querier, walk *delta.Walk) (syncRows, []delta.Tombstone, error) {
	documents := delta.Rows[syncedDocument]{Kind: "documents", SQL: syncDocumentsSQL}
	equipment := delta.Rows[syncedEquipment]{Kind: "equipment", SQL: syncEquipmentSQL}
	buried, err := walk.Read(ctx, q, pgx.NamedArgs{}, &documents, &equipment)
	return syncRows{documents.Found, equipment.Found}, buried, err // says "changes"
}
