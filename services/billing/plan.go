package billing

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/plans"
)

// Limits are what a tier allows; nil: as many as they like.
type Limits struct {
	Properties  *int `json:"properties" minimum:"0"`
	Tasks       *int `json:"tasks" minimum:"0"`
	Contractors *int `json:"contractors" minimum:"0"`
	Documents   *int `json:"documents" minimum:"0"`
	Equipment   *int `json:"equipment" minimum:"0"`
}

// Tier is a tier with its limits.
type Tier struct {
	Tier string `json:"tier" enum:"free,pro"`
	Limits
	Version int `json:"version"`
}

const plansSQL = `SELECT tier, properties, tasks, contractors, documents, equipment, version FROM plans ORDER BY tier`

// standing is a person with what the tiers allow.
type standing struct {
	Account
	Tiers []Tier
}

// loadStanding reads it in one round trip.
func loadStanding(ctx context.Context, q pg.Querier, user uuid.UUID) (standing, error) {
	var out standing
	err := sendAccount(ctx, q, whose{User: user, Certain: true}, &out.Account, func(b *pgx.Batch) { b.Queue(plansSQL).Query(pg.Rows(&out.Tiers)) })
	if err != nil {
		return standing{}, fmt.Errorf("subscription of %s: %w", user, err)
	}
	return out, nil
}

// limited reports whether limits bind the person at all.
func (st standing) limited() bool { return st.Settings.LimitationsEnabled && !st.IsFree }

// limits are those of a tier.
func (st standing) limits(tier string) Limits {
	for _, t := range st.Tiers {
		if t.Tier == tier {
			return t.Limits
		}
	}
	return Limits{}
}

// PlanOf is what a person may have now.
func (s *Service) PlanOf(ctx context.Context, user uuid.UUID) (internalapi.Plan, error) {
	st, err := loadStanding(ctx, s.DB, user)
	if err != nil {
		return internalapi.Plan{}, err
	}
	has := st.Entitlement(s.Clock.Now())
	out := internalapi.Plan{Tier: has.Tier, Unlimited: !st.Settings.LimitationsEnabled, Until: has.FlipsAt}
	if st.limited() {
		l := st.limits(has.Tier)
		out.Properties, out.Tasks, out.Contractors, out.Documents, out.Equipment = l.Properties, l.Tasks, l.Contractors, l.Documents, l.Equipment
	}
	return out, nil
}

// uses says which limits are passed, and by how much, with what the apps show about it.
func (l Limits) uses(u Usage) []OverLimit {
	over := []OverLimit{}
	for _, c := range []struct {
		trigger plans.Trigger
		most    *int
		used    int
	}{
		{plans.AddProperty, l.Properties, u.Properties}, {plans.AddTask, l.Tasks, u.Tasks}, {plans.AddContractor, l.Contractors, u.Contractors},
		{plans.AddDocument, l.Documents, u.Documents}, {plans.AddEquipment, l.Equipment, u.Equipment},
	} {
		if c.most != nil && c.used > *c.most {
			over = append(over, OverLimit{TriggerKey: c.trigger, Limit: *c.most, Used: c.used})
		}
	}
	return over
}
