package billing

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// FeatureText is what the apps show of a feature.
type FeatureText struct {
	Name        string `json:"name" required:"true" minLength:"1" maxLength:"100" pattern:"\\S" example:"Documents and warranties"`
	Description string `json:"description" maxLength:"500"`
	Icon        string `json:"icon" maxLength:"64" example:"doc"`
	Free        string `json:"free" maxLength:"100" doc:"What of it the free tier has, in words; empty: nothing" example:"5"`
	Pro         string `json:"pro" maxLength:"100" doc:"What of it the pro tier has, in words; empty: nothing" example:"Unlimited"`
}

// Feature is what the tiers are compared by.
type Feature struct {
	Key string `json:"key" example:"documents"`
	FeatureText
}

// FeatureFields are what staff say of a feature.
type FeatureFields struct {
	FeatureText
	DisplayOrder int  `json:"display_order" minimum:"-100000" maximum:"100000" doc:"The lowest first"`
	IsActive     bool `json:"is_active" required:"true"`
}

// KeptFeature is a feature as staff see it.
type KeptFeature struct {
	Key string `json:"key"`
	FeatureFields
	Version int `json:"version"`
}

func (f KeptFeature) version() int { return f.Version }

// Features answers those that are shown, in their order.
func (s *Service) Features(ctx context.Context) ([]Feature, error) {
	kept, err := offered(ctx, s, featureTable, s.allFeatures)
	out := make([]Feature, len(kept))
	for i, f := range kept {
		out[i] = Feature{f.Key, f.FeatureText}
	}
	return out, err
}

func (s *Service) allFeatures(ctx context.Context, active bool) ([]KeptFeature, error) {
	return pg.All[KeptFeature](ctx, s.DB, `
		SELECT key, name, description, icon, free, pro, display_order, is_active, version FROM features
		WHERE is_active OR NOT @active::bool ORDER BY display_order, key`, pgx.NamedArgs{"active": active})
}

// PutFeature adds a feature or replaces it.
func (s *Service) PutFeature(ctx context.Context, key string, in FeatureFields, e edit) (KeptFeature, bool, error) {
	out := KeptFeature{Key: key, FeatureFields: in}
	e.table, e.key, e.row = featureTable, key, out
	version, added, err := s.put(ctx, e)
	out.Version = version
	return out, added, err
}
