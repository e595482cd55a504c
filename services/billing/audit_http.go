package billing

import (
	"context"

	"hearth.internal/pkg/page"
)

type changesInput struct {
	PersonPath
	page.Query
}

func (s *Service) adminChanges(ctx context.Context, in *changesInput) (*bodyOutput[page.List[EntitlementChange]], error) {
	list, err := s.ChangesOf(ctx, in.ID, in.Query)
	return &bodyOutput[page.List[EntitlementChange]]{list}, err
}

type staffChangesInput struct {
	page.Query
	What string `query:"what" enum:"plans,settings,features,upgrade_triggers,promotions,products,webhook_events,errands" doc:"Only of that table"`
}

func (s *Service) adminStaffChanges(ctx context.Context, in *staffChangesInput) (*bodyOutput[page.List[StaffChange]], error) {
	list, err := s.StaffChanges(ctx, in.What, in.Query)
	return &bodyOutput[page.List[StaffChange]]{list}, err
}
