package document

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// WarrantyQuery is what a list of warranties can leave out.
type WarrantyQuery struct {
	page.Query
	httpx.IfNoneMatch
	ResidenceID    uuid.UUID           `query:"residence_id" format:"uuid" doc:"Only of this residence"`
	EquipmentID    uuid.UUID           `query:"equipment_id" format:"uuid" doc:"Only of this equipment"`
	Status         string              `query:"status" enum:"active,expired,all" default:"all" doc:"active: is_active and not ended by your day; expired: ended"`
	ExpiringWithin httpx.Optional[int] `query:"expiring_within_days" minimum:"0" maximum:"3650" doc:"Only what ends today or within so many days, by your day"`
}

func (s *Service) getWarranties(ctx context.Context, in *WarrantyQuery) (*documentsOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), in.ResidenceID, "warranties", in.ResidenceID.String(), in.EquipmentID.String(), in.Status,
		fmt.Sprint(in.ExpiringWithin), fmt.Sprint(in.Limit), in.Cursor)
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	filter := WarrantyFilter{EquipmentID: in.EquipmentID, Status: in.Status, ExpiringWithin: in.ExpiringWithin.Pointer()}
	list, err := s.Warranties(ctx, view, filter, in.Query)
	return &documentsOutput{ETag: view.ETag, Body: list}, err
}
