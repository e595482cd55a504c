package document

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

type equipmentHistoryInput struct {
	EquipmentPath
	page.Query
	httpx.IfNoneMatch
}

type equipmentHistoryOutput struct {
	ETag string `header:"ETag"`
	Body EquipmentHistory
}

func (s *Service) getEquipmentHistory(ctx context.Context, in *equipmentHistoryInput) (*equipmentHistoryOutput, error) {
	view, err := s.ViewEquipment(ctx, identity.From(ctx), uuid.Nil, "equipment history", in.ID.String(), strconv.Itoa(in.Limit), in.Cursor)
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	history, err := s.HistoryOfEquipment(ctx, view, in.ID, in.Query)
	return &equipmentHistoryOutput{ETag: view.ETag, Body: history}, err
}
