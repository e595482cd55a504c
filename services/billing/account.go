package billing

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/plans"
)

// Account is a person with all that they have bought: what is changed, is changed in it and written as one.
type Account struct {
	UserID    uuid.UUID
	IsFree    bool
	TriedAt   *time.Time // a trial is had once
	Customer  *string    // Stripe's
	Purchases []Purchase
	Gone      bool // the person is deleted: nothing is made of them anew
	Settings  Settings
	Had       Entitlement // as it was last written down

	version int
	// orders are what is to be done in the shops because of the change: they are written with it.
	orders []errand
	// boughtBy is whose the purchases are that were looked for, by their external ids.
	boughtBy map[string]uuid.UUID
	// goneBuyers are those of the buyers looked for who are deleted.
	goneBuyers []uuid.UUID
}

// Settings hold for everybody.
type Settings struct {
	LimitationsEnabled bool `json:"limitations_enabled"`
	GraceDays          int  `json:"grace_days"`
	TrialDays          int  `json:"trial_days"`
	Version            int  `json:"version"`
}

// Grace is how long what is past due goes on counting.
func (s Settings) Grace() time.Duration { return time.Duration(s.GraceDays) * 24 * time.Hour }

// Cause is who changes an account, and why.
type Cause struct {
	Actor     string // person, staff, stripe, apple, google, time, system
	ActorID   uuid.UUID
	Action    string // what staff did; a shop's reason says it
	Reason    string
	WebhookID uuid.UUID
}

// whose says which account is meant: the person's, or, where the shop tells, whoever's the purchase is.
type whose struct {
	User     uuid.UUID // in doubt for a shop, certain for a person
	Source   Source
	External string      // the purchase; empty: none in particular
	Others   []string    // further purchases, of which only Account.boughtBy is wanted
	Buyers   []uuid.UUID // whom they were made for
	Customer string      // Stripe's
	Certain  bool        // the account is User's, whoever's the purchase is
}

// errUnclaimed: a shop tells of a purchase of which nobody knows whose it is.
var errUnclaimed = errors.New("nobody has claimed the purchase")

// maxRevisions is how often a change is tried anew because another came in between.
const maxRevisions = 20

// revise reads an account, lets change change it, and writes it down with what follows: the entitlement, who changed it
// and why, the event. When somebody else wrote meanwhile it begins anew, so that nothing is lost; change must be
// harmless to repeat. An account that was not changed is not written.
func (s *Service) revise(ctx context.Context, who whose, cause Cause, change func(*Account) error) (Account, error) {
	for range maxRevisions {
		account, err := loadAccount(ctx, s.DB, who)
		if err != nil {
			return Account{}, err
		}
		switch {
		case account.UserID == uuid.Nil:
			return Account{}, errUnclaimed
		case account.Gone:
			return account, nil
		}
		before := account
		before.Purchases = slices.Clone(account.Purchases)
		if err := change(&account); err != nil {
			return account, err
		}
		now := s.Clock.Now()
		if reflect.DeepEqual(before, account) && !account.flipped(now) {
			return account, nil
		}
		written, err := s.write(ctx, &account, before, cause, now)
		if err != nil || written {
			return account, err
		}
	}
	return Account{}, apperr.Busy.New("Others changed the subscription at the same moment; try again.")
}

// flipped: what the person has is another by now, although nobody changed it.
func (a *Account) flipped(now time.Time) bool {
	return a.Had.FlipsAt != nil && !now.Before(*a.Had.FlipsAt)
}

// Entitlement is what the person has at an instant.
func (a *Account) Entitlement(now time.Time) Entitlement { return best(a.Purchases, a.IsFree, now) }

// Purchase finds one.
func (a *Account) Purchase(source Source, external string) *Purchase {
	for i, p := range a.Purchases {
		if p.Source == source && p.ExternalID == external {
			return &a.Purchases[i]
		}
	}
	return nil
}

// observe takes what a shop says of one of the person's purchases. A refund of one that is not known says too little.
func (a *Account) observe(source Source, o Observation, now time.Time) taken {
	p := a.Purchase(source, o.ExternalID)
	if p == nil {
		if o.RefundOnly {
			return doubted
		}
		a.Purchases = append(a.Purchases, Purchase{
			ID: uuid.Must(uuid.NewV7()), UserID: a.UserID, Source: source, ExternalID: o.ExternalID, CreatedAt: exact(now), Version: 0,
		})
		p = &a.Purchases[len(a.Purchases)-1]
	}
	took := p.observe(o)
	if took == applied && o.Acknowledge {
		a.orders = append(a.orders, errand{ID: uuid.Must(uuid.NewV7()), Source: source, Kind: acknowledge, ExternalID: o.ExternalID, ProductID: o.ProductID})
	}
	if (o.IsTrial || o.Tried) && a.TriedAt == nil { // also when it is told late
		a.TriedAt = new(exact(o.StartedAt))
	}
	if old := a.Purchase(source, o.Replaces); o.Replaces != "" && old != nil && old.SupersededBy == nil {
		old.SupersededBy, old.CheckAt = new(o.ExternalID), nil
		took = applied
	}
	return took
}

// write writes the account down; false: somebody else did meanwhile.
func (s *Service) write(ctx context.Context, a *Account, before Account, cause Cause, now time.Time) (bool, error) {
	has := a.Entitlement(now)
	had := before.Had
	changed := []Purchase{}
	for i, p := range a.Purchases {
		if i >= len(before.Purchases) || !reflect.DeepEqual(p, before.Purchases[i]) {
			a.Purchases[i].UpdatedAt = exact(now)
			a.Purchases[i].Version++
			changed = append(changed, a.Purchases[i])
		}
	}
	event := events.Subscription{UserID: a.UserID, Tier: has.Tier, Source: string(has.Source), State: string(has.State), IsFree: a.IsFree, Version: a.version + 1}
	written, err := saveAccount(ctx, s.DB, saved{
		account: a, has: has, had: had, purchases: changed, orders: a.orders, cause: cause, event: event, notice: turn(a.UserID, had, has), now: now,
	})
	if err != nil {
		return false, fmt.Errorf("write the subscription of %s: %w", a.UserID, err)
	}
	if written {
		a.version++
		a.Had = has
		for _, e := range a.orders {
			s.work.ring(e.Source)
		}
		events.SubscriptionChanged.Committed(ctx, s.Relay, event)
	}
	return written, nil
}

// turn is what a person is to be told because their tier has turned; nil: nothing.
func turn(user uuid.UUID, had, has Entitlement) *events.Notice {
	n := events.Notice{UserID: user, Source: string(has.Source), Tier: has.Tier}
	switch {
	case has.Tier == plans.Pro && had.Tier != plans.Pro:
		n.Kind = "started"
		if has.ExpiresAt != nil {
			n.Until = has.ExpiresAt.Format(time.RFC3339)
		}
	case has.Tier != plans.Pro && had.Tier == plans.Pro:
		n.Kind = "ended"
		if has.Reason == IsRefunded {
			n.Kind = "refunded"
		}
	default:
		return nil
	}
	return &n
}
