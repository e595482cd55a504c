package billing

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/roundtrip"
)

// Status is what a person has by their subscription, what they use of it, and what each tier allows.
type Status struct {
	Holding
	IsFree             bool              `json:"is_free" doc:"Never limited, whatever the tier"`
	LimitationsEnabled bool              `json:"limitations_enabled" doc:"False: limits bind nobody"`
	Usage              Usage             `json:"usage" doc:"All that is in the residences that they own, whoever added it, and their personal contractors"`
	Limits             map[string]Limits `json:"limits" doc:"Of each tier; null: as many as they like"`
	OverLimit          []OverLimit       `json:"over_limit" nullable:"false" doc:"What there is more of than may be added: it stays readable and changeable"`
	// Until is when it becomes another by itself.
	Until *time.Time `json:"until" doc:"When this changes by itself, if nothing is renewed: the end, of what is renewed a day later, while the shop is asked; of a failed payment that of the grace. Null: it does not"`
}

// Usage is what a person uses: all that is in the residences that they own, and their personal contractors.
type Usage struct {
	Properties  int `json:"properties"`
	Tasks       int `json:"tasks"`
	Contractors int `json:"contractors"`
	Documents   int `json:"documents"`
	Equipment   int `json:"equipment"`
}

// OverLimit is a limit that is passed.
type OverLimit struct {
	TriggerKey plans.Trigger `json:"trigger_key" enum:"add_property,add_task,add_contractor,add_document,add_equipment" doc:"Names the text and the button to show: GET /api/subscription/upgrade-trigger/{key}/"`
	Limit      int           `json:"limit"`
	Used       int           `json:"used"`
}

// StatusOf answers the actor's status: from the cache, or else worked out in one phase of parallel questions.
func (s *Service) StatusOf(ctx context.Context, actor identity.Actor) (Status, error) {
	status, err := s.cachedStatus(ctx, actor.UserID)
	if err == nil && status.Until != nil && !s.Clock.Now().Before(*status.Until) { // Redis has another clock
		s.Cache.Drop(ctx, cache.StatusKey(actor.UserID))
		status, err = s.cachedStatus(ctx, actor.UserID)
	}
	return status, err
}

// cachedStatus is kept for as long as it cannot change by itself.
func (s *Service) cachedStatus(ctx context.Context, user uuid.UUID) (Status, error) {
	return cache.LoadFor(ctx, s.Cache, cache.StatusKey(user), func(ctx context.Context) (Status, time.Duration, error) {
		status, err := s.workOutStatus(ctx, user)
		good := cache.StatusTTL
		if status.Until != nil {
			good = min(good, status.Until.Sub(s.Clock.Now()))
		}
		return status, good, err
	})
}

// workOutStatus asks everybody at once.
func (s *Service) workOutStatus(ctx context.Context, user uuid.UUID) (Status, error) {
	var st standing
	var homes []internalapi.Home
	var tasks internalapi.TaskUsage
	var documents internalapi.DocumentUsage
	err := roundtrip.Together(ctx,
		func(ctx context.Context) (err error) { st, err = loadStanding(ctx, s.DB, user); return err },
		func(ctx context.Context) (err error) { homes, err = s.residence.Homes(ctx, user); return err },
		func(ctx context.Context) (err error) {
			tasks, err = s.tasks.Usage(ctx, internalapi.UsageQuery{UserID: user})
			return err
		},
		func(ctx context.Context) (err error) {
			documents, err = s.documents.Usage(ctx, internalapi.UsageQuery{UserID: user})
			return err
		},
	)
	if err != nil {
		return Status{}, err
	}
	usage, err := s.usage(ctx, user, owned(homes, user), tasks, documents)
	if err != nil {
		return Status{}, err
	}
	return st.status(usage, s.Clock.Now()), nil
}

// owned are the residences that count for the person.
func owned(homes []internalapi.Home, user uuid.UUID) []uuid.UUID {
	var ids []uuid.UUID
	for _, home := range homes {
		if home.Role == access.Owner && home.OwnerID == user {
			ids = append(ids, home.ID)
		}
	}
	return ids
}

// usage adds up what the person's residences hold. Residence knows which those are; task and document answered for those
// that they have heard of, and are asked again where they have not heard of one yet.
func (s *Service) usage(ctx context.Context, user uuid.UUID, owned []uuid.UUID, tasks internalapi.TaskUsage, documents internalapi.DocumentUsage) (Usage, error) {
	err := roundtrip.Together(ctx,
		func(ctx context.Context) (err error) {
			if unheard(owned, tasks.Homes) {
				tasks, err = s.tasks.Usage(ctx, internalapi.UsageQuery{UserID: user, ResidenceIDs: owned})
			}
			return err
		},
		func(ctx context.Context) (err error) {
			if unheard(owned, documents.Homes) {
				documents, err = s.documents.Usage(ctx, internalapi.UsageQuery{UserID: user, ResidenceIDs: owned})
			}
			return err
		})
	if err != nil {
		return Usage{}, err
	}
	out := Usage{Properties: len(owned), Contractors: tasks.PersonalContractors}
	for _, id := range owned {
		out.Tasks += tasks.Homes[id].Tasks
		out.Contractors += tasks.Homes[id].Contractors
		out.Documents += documents.Homes[id].Documents
		out.Equipment += documents.Homes[id].Equipment
	}
	return out, nil
}

func unheard[T any](owned []uuid.UUID, homes map[uuid.UUID]T) bool {
	return slices.ContainsFunc(owned, func(id uuid.UUID) bool { _, heard := homes[id]; return !heard })
}

// status puts it together.
func (st standing) status(usage Usage, now time.Time) Status {
	has := st.Entitlement(now)
	out := Status{
		Holding: has.holding(), IsFree: st.IsFree,
		LimitationsEnabled: st.Settings.LimitationsEnabled, Usage: usage, Limits: map[string]Limits{}, OverLimit: []OverLimit{}, Until: has.FlipsAt,
	}
	for _, t := range st.Tiers {
		out.Limits[t.Tier] = t.Limits
	}
	if st.limited() {
		out.OverLimit = st.limits(has.Tier).uses(usage)
	}
	return out
}
