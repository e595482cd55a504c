package billing

import (
	"context"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

type newCheckoutInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"100" doc:"The same one again answers the same checkout; the body's id does as well"`
	Body NewCheckout
}

func (s *Service) postCheckout(ctx context.Context, in *newCheckoutInput) (*bodyOutput[Checkout], error) {
	key := in.Key
	if in.Body.ID != nil {
		if key != "" && key != in.Body.ID.String() {
			return nil, apperr.InvalidField("body.id", "is not the header's Idempotency-Key")
		}
		key = in.Body.ID.String()
	}
	checkout, err := s.CheckOut(ctx, identity.From(ctx).UserID, in.Body, key)
	return &bodyOutput[Checkout]{checkout}, err
}

type portalInput struct {
	Body *struct {
		ReturnURL string `json:"return_url,omitempty" maxLength:"2000" format:"uri" doc:"Where the portal leads back to, on our own site; none: as configured"`
	}
}

type portal struct {
	URL string `json:"url" doc:"To be opened in a browser"`
}

func (s *Service) postPortal(ctx context.Context, in *portalInput) (*bodyOutput[portal], error) {
	back := ""
	if in.Body != nil {
		back = in.Body.ReturnURL
	}
	address, err := s.Portal(ctx, identity.From(ctx).UserID, back)
	return &bodyOutput[portal]{portal{address}}, err
}

func (s *Service) postCancel(ctx context.Context, _ *struct{}) (*bodyOutput[Subscription], error) {
	subscription, err := s.CancelAtEnd(ctx, identity.From(ctx).UserID)
	return &bodyOutput[Subscription]{subscription}, err
}

func (s *Service) postResume(ctx context.Context, _ *struct{}) (*bodyOutput[Subscription], error) {
	subscription, err := s.Resume(ctx, identity.From(ctx).UserID)
	return &bodyOutput[Subscription]{subscription}, err
}

type changeInput struct {
	Body struct {
		ProductID string `json:"product_id" required:"true" minLength:"1" maxLength:"200" doc:"One of GET products/?platform=web"`
	}
}

func (s *Service) postChange(ctx context.Context, in *changeInput) (*bodyOutput[Subscription], error) {
	subscription, err := s.ChangeProduct(ctx, identity.From(ctx).UserID, in.Body.ProductID)
	return &bodyOutput[Subscription]{subscription}, err
}
