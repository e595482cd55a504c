package document

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/page"
)

// The states of warranties that a list can be of.
const (
	activeWarranties  = "active"  // in use, and not ended
	expiredWarranties = "expired" // ended
)

// WarrantyFilter is what a list of warranties leaves out; zero values leave out nothing.
type WarrantyFilter struct {
	EquipmentID    uuid.UUID
	Status         string
	ExpiringWithin *int
}

// warrantyPlace is where a warranty stands in the list; without an end it stands behind all that have one.
type warrantyPlace struct {
	End *day.Day  `json:"e"`
	ID  uuid.UUID `json:"i"`
}

// Warranties lists the documents of that type that the actor sees, what ends soonest first.
func (s *Service) Warranties(ctx context.Context, v ListView, f WarrantyFilter, q page.Query) (page.List[Document], error) {
	after, err := page.After[warrantyPlace](q)
	if err != nil {
		return page.List[Document]{}, err
	}
	rows, err := readWarranties(ctx, s.DB, v, f, after, q.Limit+1)
	if err != nil {
		return page.List[Document]{}, err
	}
	for i := range rows {
		rows[i] = rows[i].on(v.today)
	}
	return page.Cut(rows, q.Limit, func(d Document) warrantyPlace { return warrantyPlace{d.EndDate, d.ID} })
}
