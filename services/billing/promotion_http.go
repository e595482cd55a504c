package billing

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

// PlatformQuery says where the app runs.
type PlatformQuery struct {
	Platform string `query:"platform" enum:"ios,android,web" doc:"Where the app runs"`
}

func (s *Service) getPromotions(ctx context.Context, in *PlatformQuery) (*taggedOutput[[]Promotion], error) {
	return tagged(s.PromotionsFor(ctx, identity.From(ctx).UserID, in.Platform))
}

func (s *Service) adminPromotions(ctx context.Context, _ *struct{}) (*bodyOutput[[]KeptPromotion], error) {
	return list(ctx, s.allPromotions)
}

// PromotionPath names a promotion.
type PromotionPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The promotion; a new one's is made by who adds it"`
}

func (s *Service) adminPromotion(ctx context.Context, in *PromotionPath) (*versionedOutput[KeptPromotion], error) {
	all, err := s.allPromotions(ctx, false)
	p, err := oneOf(all, err, func(p KeptPromotion) bool { return p.ID == in.ID })
	return answerVersioned(p, false, err)
}

type putPromotionInput struct {
	PromotionPath
	Put
	Body struct {
		By
		PromotionFields
	}
}

func (s *Service) putPromotion(ctx context.Context, in *putPromotionInput) (*versionedOutput[KeptPromotion], error) {
	if in.ID == uuid.Nil {
		return nil, apperr.InvalidField("path.id", "must not be the zero UUID")
	}
	return answerVersioned(s.PutPromotion(ctx, in.ID, in.Body.PromotionFields, in.edit(in.Body.By)))
}

type removePromotionInput struct {
	PromotionPath
	Remove
}

func (s *Service) deletePromotion(ctx context.Context, in *removePromotionInput) (*struct{}, error) {
	e := in.edit()
	e.table, e.key, e.row = promotionTable, in.ID.String(), map[string]uuid.UUID{"id": in.ID}
	return nil, s.remove(ctx, e)
}
