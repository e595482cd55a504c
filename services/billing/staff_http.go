package billing

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/page"
)

// PersonPath names a person.
type PersonPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The person"`
}

func (s *Service) adminSubscription(ctx context.Context, in *PersonPath) (*bodyOutput[AccountView], error) {
	view, err := s.AccountOf(ctx, in.ID)
	return &bodyOutput[AccountView]{view}, err
}

type postGrantInput struct {
	PersonPath
	Body struct {
		Because
		GrantFields
	}
}

type grantedOutput struct {
	Status int `json:"-"`
	Body   AccountView
}

func (s *Service) postGrant(ctx context.Context, in *postGrantInput) (*grantedOutput, error) {
	view, given, err := s.GiveTier(ctx, in.ID, in.Body.GrantFields, in.Body.Because)
	out := &grantedOutput{Status: http.StatusOK, Body: view}
	if given {
		out.Status = http.StatusCreated
	}
	return out, err
}

type endGrantInput struct {
	PersonPath
	PurchaseID uuid.UUID `path:"purchase_id" format:"uuid" doc:"The grant"`
	Body       Because
}

func (s *Service) postEndGrant(ctx context.Context, in *endGrantInput) (*bodyOutput[AccountView], error) {
	view, err := s.EndGrant(ctx, in.ID, in.PurchaseID, in.Body)
	return &bodyOutput[AccountView]{view}, err
}

type putFreeInput struct {
	PersonPath
	Body struct {
		Because
		IsFree bool `json:"is_free" required:"true"`
	}
}

func (s *Service) putFree(ctx context.Context, in *putFreeInput) (*bodyOutput[AccountView], error) {
	view, err := s.SetFree(ctx, in.ID, in.Body.IsFree, in.Body.Because)
	return &bodyOutput[AccountView]{view}, err
}

type webhooksInput struct {
	page.Query
	State  string `query:"state" enum:"pending,done,ignored,unclaimed,failed" doc:"Only those"`
	Source string `query:"source" enum:"stripe,apple,google" doc:"Only of that shop"`
}

func (s *Service) adminWebhooks(ctx context.Context, in *webhooksInput) (*bodyOutput[page.List[WebhookView]], error) {
	list, err := s.Webhooks(ctx, in.State, in.Source, in.Query)
	return &bodyOutput[page.List[WebhookView]]{list}, err
}

// RowPath names a webhook or an errand.
type RowPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *Service) adminWebhook(ctx context.Context, in *RowPath) (*bodyOutput[WholeWebhook], error) {
	hook, err := s.WebhookOf(ctx, in.ID)
	return &bodyOutput[WholeWebhook]{hook}, err
}

type againInput struct {
	RowPath
	Body By
}

func (s *Service) postReplay(ctx context.Context, in *againInput) (*bodyOutput[WebhookView], error) {
	hook, err := s.Replay(ctx, in.ID, in.Body)
	return &bodyOutput[WebhookView]{hook}, err
}

type errandsInput struct {
	page.Query
	State string `query:"state" enum:"pending,failed" doc:"Only those"`
}

func (s *Service) adminErrands(ctx context.Context, in *errandsInput) (*bodyOutput[page.List[ErrandView]], error) {
	list, err := s.Errands(ctx, in.State, in.Query)
	return &bodyOutput[page.List[ErrandView]]{list}, err
}

func (s *Service) postRetry(ctx context.Context, in *againInput) (*bodyOutput[ErrandView], error) {
	errand, err := s.Retry(ctx, in.ID, in.Body)
	return &bodyOutput[ErrandView]{errand}, err
}
