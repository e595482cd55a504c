// Package plans is how much an owner may have: properties, tasks, contractors and documents over all the residences that
// they own. Everybody else's creating there counts for the owner too. The billing service decides.
package plans

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/internalapi"
)

// The tiers.
const (
	Free = "free"
	Pro  = "pro"
)

// Plan is what one owner may have; nil is as much as they like.
type Plan internalapi.Plan

// over reports whether it may be another by now.
func (p Plan) over(now time.Time) bool { return p.Until != nil && !now.Before(*p.Until) }

// Directory knows everybody's plan.
type Directory struct {
	of func(ctx context.Context, owner uuid.UUID) (Plan, error)
}

// remembered is how many plans a process remembers for when nobody can be asked, at about 200 bytes each.
const remembered = 10_000

// New makes a directory that loads what the cache does not have. A plan is kept for as long as it cannot change by itself.
// While billing does not answer, what it said last goes on counting: nobody is kept from their tasks by it.
func New(c *cache.Cache, now clock.Clock, load func(ctx context.Context, owner uuid.UUID) (internalapi.Plan, error)) *Directory {
	cached := func(ctx context.Context, owner uuid.UUID) (Plan, error) {
		return cache.LoadFor(ctx, c, cache.PlanKey(owner), func(ctx context.Context) (Plan, time.Duration, error) {
			loaded, err := load(ctx, owner)
			good := cache.PlanTTL
			if loaded.Until != nil {
				good = min(good, loaded.Until.Sub(now.Now()))
			}
			return Plan(loaded), good, err
		})
	}
	last := newMemory()
	return &Directory{func(ctx context.Context, owner uuid.UUID) (Plan, error) {
		plan, err := cached(ctx, owner)
		if err == nil && plan.over(now.Now()) { // Redis has another clock
			c.Drop(ctx, cache.PlanKey(owner))
			plan, err = cached(ctx, owner)
		}
		if apperr.ServiceUnavailable.Has(err) {
			if known, found := last.Get(owner); found && !known.over(now.Now()) {
				return known, nil
			}
		}
		if err == nil {
			last.Add(owner, plan)
		}
		return plan, err
	}}
}

func newMemory() *lru.Cache[uuid.UUID, Plan] {
	memory, err := lru.New[uuid.UUID, Plan](remembered)
	if err != nil {
		panic(err) // only of a size below one
	}
	return memory
}

// Fixed is the directory in which everybody has the same plan.
func Fixed(plan Plan) *Directory {
	return &Directory{func(context.Context, uuid.UUID) (Plan, error) { return plan, nil }}
}

// Of answers an owner's plan.
func (d *Directory) Of(ctx context.Context, owner uuid.UUID) (Plan, error) {
	plan, err := d.of(ctx, owner)
	if err != nil {
		return Plan{}, fmt.Errorf("plan of a person: %w", err)
	}
	return plan, nil
}

// Trigger names what was wanted beyond the limit; the apps know by it which offer to show.
type Trigger string

// The triggers.
const (
	AddProperty   Trigger = "add_property"
	AddTask       Trigger = "add_task"
	AddContractor Trigger = "add_contractor"
	AddDocument   Trigger = "add_document"
	AddEquipment  Trigger = "add_equipment"
)

// things are what each trigger adds.
var things = map[Trigger]string{AddProperty: "properties", AddTask: "tasks", AddContractor: "contractors", AddDocument: "documents", AddEquipment: "pieces of equipment"}

// Most is how many of what the trigger adds the plan has room for; nil is as many as they like.
func (p Plan) Most(t Trigger) *int {
	if p.Unlimited {
		return nil
	}
	switch t {
	case AddProperty:
		return p.Properties
	case AddTask:
		return p.Tasks
	case AddContractor:
		return p.Contractors
	case AddDocument:
		return p.Documents
	case AddEquipment:
		return p.Equipment
	}
	return new(0) // nobody has room for what no plan knows
}

// Reached is the refusal of what would be more than the limit, when so many are used.
func Reached(t Trigger, limit, used int) error {
	return apperr.LimitReached.New("That is more than the owner's plan has room for (%s: %d of %d used).", things[t], used, limit).
		With("trigger_key", t).With("limit", limit).With("used", used)
}
