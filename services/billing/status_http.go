package billing

import (
	"context"

	"hearth.internal/pkg/identity"
)

func (s *Service) getStatus(ctx context.Context, _ *struct{}) (*bodyOutput[Status], error) {
	status, err := s.StatusOf(ctx, identity.From(ctx))
	return &bodyOutput[Status]{status}, err
}

func (s *Service) getSubscription(ctx context.Context, _ *struct{}) (*bodyOutput[Subscription], error) {
	sub, err := s.SubscriptionOf(ctx, identity.From(ctx).UserID)
	return &bodyOutput[Subscription]{sub}, err
}
