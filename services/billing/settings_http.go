package billing

import (
	"context"

	"hearth.internal/pkg/httpx"
)

// TierPath names a tier.
type TierPath struct {
	Tier string `path:"tier" enum:"free,pro"`
}

func (s *Service) adminPlan(ctx context.Context, in *TierPath) (*versionedOutput[Tier], error) {
	tier, err := s.TierOf(ctx, in.Tier)
	return answerVersioned(tier, false, err)
}

type putPlanInput struct {
	TierPath
	httpx.IfMatch
	Body struct {
		By
		PlanFields
	}
}

func (s *Service) putPlan(ctx context.Context, in *putPlanInput) (*versionedOutput[Tier], error) {
	tier, err := s.PutPlan(ctx, in.Tier, in.Body.PlanFields, edit{by: in.Body.By, version: in.Version()})
	return answerVersioned(tier, false, err)
}

func (s *Service) adminSettings(ctx context.Context, _ *struct{}) (*versionedOutput[Settings], error) {
	settings, err := s.settings(ctx)
	return answerVersioned(settings, false, err)
}

type patchSettingsInput struct {
	httpx.IfMatch
	Body struct {
		By
		SettingsPatch
	}
}

func (s *Service) patchSettings(ctx context.Context, in *patchSettingsInput) (*versionedOutput[Settings], error) {
	settings, err := s.ChangeSettings(ctx, in.Body.SettingsPatch, edit{by: in.Body.By, version: in.Version()})
	return answerVersioned(settings, false, err)
}
