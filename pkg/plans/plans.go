// Package plans is how much an owner may have: properties, tasks, contractors and documents over all the residences that
// they own. Everybody else's creating there counts for the owner too.
package plans

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
)

// The tiers.
const (
	Free = "free"
	Pro  = "pro"
)

// Plan is what one owner may have; nil is as much as they like.
type Plan struct {
	Tier        string
	Properties  *int
	Tasks       *int
	Contractors *int
	Documents   *int
	Equipment   *int
}

// defaults are the tiers' limits.
var defaults = map[string]Plan{
	Free: {Tier: Free, Properties: new(1), Tasks: new(10), Contractors: new(5), Documents: new(5), Equipment: new(10)},
	Pro:  {Tier: Pro},
}

// Limitations says whom the limits bind. The zero value binds nobody.
type Limitations string

// Off binds nobody: everybody is as on the pro tier. Everybody puts all on the free tier.
const (
	Off       Limitations = "off"
	Everybody Limitations = "free"
)

// UnmarshalText reads off or free.
func (l *Limitations) UnmarshalText(text []byte) error {
	switch read := Limitations(text); read {
	case Off, Everybody:
		*l = read
		return nil
	}
	return fmt.Errorf("%q is neither %s nor %s", text, Off, Everybody)
}

// Directory knows everybody's plan.
type Directory struct {
	of func(ctx context.Context, owner uuid.UUID) (Plan, error)
}

// New makes a directory that asks of.
func New(of func(ctx context.Context, owner uuid.UUID) (Plan, error)) *Directory {
	return &Directory{of}
}

// Configured is the directory in which the configuration alone decides.
func Configured(l Limitations) *Directory {
	tier := Pro
	if l == Everybody {
		tier = Free
	}
	return New(func(context.Context, uuid.UUID) (Plan, error) { return defaults[tier], nil })
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
