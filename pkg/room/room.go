// Package room keeps to what the plans of owners have room for (package plans): counted is everything in all the
// residences that an owner owns, whoever has added it, and counted and added under one lock an owner, in the one round
// trip of the write. Without a limit nothing is counted.
//
// A service says what it counts (Used, or an expression of its own about an owner r), puts one of the checks (None,
// NoneForMoved) among those of its write's statement, and runs that statement with One or Queue where the room is not
// Unlimited.
package room

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/roundtrip"
)

// Limited is the field at fault of what would be more than an owner's plan has room for.
const Limited = "limit"

// Room is what the plans of some owners have room for. Owners without a limit are not in it.
type Room struct {
	trigger        plans.Trigger
	owners         []uuid.UUID
	most           []int       // of each owner
	owned, ownedBy []uuid.UUID // the residences that count, each with its owner
}

// Usage is how many an owner has.
type Usage struct {
	OwnerID uuid.UUID
	Used    int
}

// Unlimited reports whether nothing needs to be counted.
func (r Room) Unlimited() bool { return len(r.owners) == 0 }

// Reached is the refusal of one more in the residence, or with none of a personal one.
func (r Room) Reached(residence *uuid.UUID, used []Usage) error {
	owner := uuid.Nil
	if residence == nil {
		owner = r.owners[0]
	} else if at := slices.Index(r.owned, *residence); at >= 0 {
		owner = r.ownedBy[at]
	}
	at, n := slices.Index(r.owners, owner), 0
	for _, u := range used {
		if u.OwnerID == owner {
			n = u.Used
		}
	}
	return plans.Reached(r.trigger, r.most[max(at, 0)], n)
}

// Directories know what a room is made of: everybody's plan, and who sees which residence.
type Directories struct {
	Plans  *plans.Directory
	Access *access.Directory
}

// Ask answers what the actor sees and, for a write that may be limited, their own plan, asked for at the same time: mostly
// that is all that In wants to know.
func (d Directories) Ask(ctx context.Context, actor identity.Actor, limited bool) (homes []access.Home, own plans.Plan, err error) {
	if !limited {
		homes, err = d.Access.Homes(ctx, actor)
		return homes, own, err
	}
	err = roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		homes, err = d.Access.Homes(ctx, actor)
		return err
	}, func(ctx context.Context) (err error) {
		own, err = d.Plans.Of(ctx, actor.UserID)
		return err
	})
	return homes, own, err
}

// In is what the owners of the residences have room for, by the limit on what the trigger adds. The actor sees the
// residences and has the plan; without a residence, what is added is personal and counts for the actor.
//
// Of an owner who is somebody else the plan and the residences are asked for at the same time, once Ask has told who they
// are: where limits bind, and neither is in the cache, that is one round trip more than for what is the actor's own.
func (d Directories) In(ctx context.Context, actor identity.Actor, homes []access.Home, own plans.Plan, t plans.Trigger, residences ...uuid.UUID) (Room, error) {
	if own.Unlimited {
		return Room{}, nil // nobody is limited
	}
	owners := []uuid.UUID{actor.UserID}
	if len(residences) > 0 {
		owners = owners[:0]
	}
	for _, home := range homes {
		if slices.Contains(residences, home.ID) && !slices.Contains(owners, home.OwnerID) {
			owners = append(owners, home.OwnerID)
		}
	}
	about := make([]known, len(owners))
	var calls []func(context.Context) error
	for i, owner := range owners {
		if owner == actor.UserID {
			about[i].plan, about[i].homes = own, homes
			continue
		}
		calls = append(calls, func(ctx context.Context) (err error) {
			about[i].plan, err = d.Plans.Of(ctx, owner)
			return err
		}, func(ctx context.Context) (err error) {
			about[i].homes, err = d.Access.HomesOf(ctx, owner)
			return err
		})
	}
	if err := roundtrip.Together(ctx, calls...); err != nil {
		return Room{}, err
	}
	out := Room{trigger: t}
	for i, owner := range owners {
		out.take(owner, about[i], homes, residences)
	}
	return out, nil
}

// known is what is known of an owner.
type known struct {
	plan  plans.Plan
	homes []access.Home
}

// take adds the owner and their residences, if there is a limit. The actor may see one of theirs that the cache does not know
// as such yet.
func (r *Room) take(owner uuid.UUID, k known, seen []access.Home, residences []uuid.UUID) {
	most := k.plan.Most(r.trigger)
	if most == nil {
		return
	}
	r.owners, r.most = append(r.owners, owner), append(r.most, *most)
	count := func(home access.Home) {
		if home.OwnerID == owner && !slices.Contains(r.owned, home.ID) {
			r.owned, r.ownedBy = append(r.owned, home.ID), append(r.ownedBy, owner)
		}
	}
	for _, home := range k.homes {
		count(home)
	}
	for _, home := range seen {
		if slices.Contains(residences, home.ID) {
			count(home)
		}
	}
}
