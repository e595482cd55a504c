package task

import (
	"context"

	"hearth.internal/pkg/internalapi"
)

type equipmentWorkInput struct {
	Body internalapi.EquipmentWorkQuery
}

type equipmentWorkOutput struct{ Body internalapi.EquipmentWork }

func (s *Service) postEquipmentWork(ctx context.Context, in *equipmentWorkInput) (*equipmentWorkOutput, error) {
	work, err := s.EquipmentWork(ctx, in.Body)
	return &equipmentWorkOutput{Body: work}, err
}
