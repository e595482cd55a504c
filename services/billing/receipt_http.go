package billing

import (
	"context"

	"hearth.internal/pkg/identity"
)

type purchaseInput struct{ Body Receipt }

type restoreInput struct{ Body Receipts }

func (s *Service) postPurchase(ctx context.Context, in *purchaseInput) (*bodyOutput[Subscription], error) {
	sub, err := s.Buy(ctx, identity.From(ctx), in.Body)
	return &bodyOutput[Subscription]{sub}, err
}

func (s *Service) postRestore(ctx context.Context, in *restoreInput) (*bodyOutput[Restored], error) {
	restored, err := s.RestoreAll(ctx, identity.From(ctx), in.Body)
	return &bodyOutput[Restored]{restored}, err
}
