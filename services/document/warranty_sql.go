package document

import (
	"context"

	"hearth.internal/pkg/pg"
)

const warrantiesSQL = `
SELECT ` + documentColumns + filteredDocuments + `
	AND (NOT @running::boolean OR (d.is_active AND (d.end_date IS NULL OR d.end_date >= @today::date)))
	AND (NOT @ended::boolean OR d.end_date < @today::date)
	AND (@after_id::uuid IS NULL OR (coalesce(d.end_date, 'infinity'), d.id) > (coalesce(@after_end::date, 'infinity'), @after_id::uuid))
ORDER BY coalesce(d.end_date, 'infinity'), d.id LIMIT @limit::int`

func readWarranties(ctx context.Context, q pg.Querier, v ListView, f WarrantyFilter, after *warrantyPlace, limit int) ([]Document, error) {
	filter := DocumentFilter{Type: "warranty", ExpiringWithin: f.ExpiringWithin, EquipmentID: f.EquipmentID}
	args := filter.args(v, limit)
	args["running"], args["ended"] = f.Status == activeWarranties, f.Status == expiredWarranties
	args["after_end"], args["after_id"] = nil, nil
	if after != nil {
		args["after_end"], args["after_id"] = after.End, after.ID
	}
	return pg.All[Document](ctx, q, warrantiesSQL, args)
}
