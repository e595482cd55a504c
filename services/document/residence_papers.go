package document

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// mostPapers is how many of each kind a history can tell of.
const mostPapers = 1_000

// PapersOf answers what the residence has on paper on the day, in one round trip. Whether somebody may see it is for the
// caller to know.
func (s *Service) PapersOf(ctx context.Context, q internalapi.PapersQuery) (internalapi.Papers, error) {
	return readPapers(ctx, s.DB, q)
}

type paperEquipment struct {
	internalapi.PaperEquipment
	OfAll int
}

type paperWarranty struct {
	internalapi.PaperWarranty
	OfAll int
}

type paper struct {
	internalapi.Paper
	OfAll int
}

// The warranties that end last come first: a reader wants to
// know what still holds.
const (
	paperEquipmentSQL = `
SELECT e.id, e.name, coalesce(e.manufacturer, '') AS manufacturer, coalesce(e.model_number, '') AS model_number,
	coalesce(e.serial_number, '') AS serial_number, coalesce(e.location, '') AS location, e.purchase_date, e.purchase_price, e.install_date,
	` + replaceBy + ` AS replace_by, count(*) OVER () AS of_all
FROM equipment e WHERE e.residence_id = @residence::uuid AND ` + inUse + `
ORDER BY lower(e.name), e.id LIMIT @papers::int`

	paperWarrantiesSQL = `
SELECT coalesce(d.item_name, d.title) AS item, coalesce(d.model_number, '') AS model_number, coalesce(d.serial_number, '') AS serial_number,
	coalesce(d.provider, '') AS provider, coalesce(d.provider_contact, '') AS contact, coalesce(d.claim_phone, '') AS claim_phone,
	coalesce(d.claim_email, '') AS claim_email, coalesce(d.claim_website, '') AS claim_website,
	d.purchase_date, d.start_date, d.end_date, d.price, d.is_active, count(*) OVER () AS of_all
FROM documents d WHERE d.residence_id = @residence::uuid AND d.document_type = 'warranty'
ORDER BY d.is_active DESC, d.end_date DESC NULLS FIRST, lower(coalesce(d.item_name, d.title)), d.id LIMIT @papers::int`

	paperDocumentsSQL = `
SELECT d.title, d.document_type, coalesce(d.provider, '') AS provider, d.created_at AS added_at, d.start_date, d.end_date, d.is_active,
	count(*) OVER () AS of_all
FROM documents d WHERE d.residence_id = @residence::uuid AND d.document_type <> 'warranty'
ORDER BY d.document_type, lower(d.title), d.id LIMIT @papers::int`
)

func readPapers(ctx context.Context, q pg.Querier, query internalapi.PapersQuery) (internalapi.Papers, error) {
	args := pgx.NamedArgs{"residence": query.ResidenceID, "today": query.On, "papers": mostPapers}
	var equipment []paperEquipment
	var warranties []paperWarranty
	var documents []paper
	var batch pgx.Batch
	batch.Queue(paperEquipmentSQL, args).Query(pg.Rows(&equipment))
	batch.Queue(paperWarrantiesSQL, args).Query(pg.Rows(&warranties))
	batch.Queue(paperDocumentsSQL, args).Query(pg.Rows(&documents))
	if err := pg.Send(ctx, q, &batch); err != nil {
		return internalapi.Papers{}, fmt.Errorf("papers of %s: %w", query.ResidenceID, err)
	}
	out := internalapi.Papers{Equipment: []internalapi.PaperEquipment{}, Warranties: []internalapi.PaperWarranty{}, Documents: []internalapi.Paper{}}
	for _, e := range equipment {
		out.Equipment, out.AllEquipment = append(out.Equipment, e.PaperEquipment), e.OfAll
	}
	for _, w := range warranties {
		out.Warranties, out.AllWarranties = append(out.Warranties, w.PaperWarranty), w.OfAll
	}
	for _, d := range documents {
		out.Documents, out.AllDocuments = append(out.Documents, d.Paper), d.OfAll
	}
	return out, nil
}
