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

// In is what the owners of the residences have room for, by the limit on what the trigger adds. The actor sees the
// residences; without one, what is added is personal and counts for the actor.
func (d Directories) In(ctx context.Context, actor identity.Actor, homes []access.Home, t plans.Trigger, residences ...uuid.UUID) (Room, error) {
	owners := []uuid.UUID{actor.UserID}
	if len(residences) > 0 {
		owners = owners[:0]
	}
	for _, home := range homes {
		if slices.Contains(residences, home.ID) && !slices.Contains(owners, home.OwnerID) {
			owners = append(owners, home.OwnerID)
		}
	}
	shares := make([]Room, len(owners))
	calls := make([]func(context.Context) error, len(owners))
	for i, owner := range owners {
		calls[i] = func(ctx context.Context) (err error) {
			shares[i], err = d.of(ctx, actor, homes, owner, t, residences)
			return err
		}
	}
	if err := roundtrip.Together(ctx, calls...); err != nil {
		return Room{}, err
	}
	out := Room{trigger: t}
	for _, share := range shares {
		out.owners, out.most = append(out.owners, share.owners...), append(out.most, share.most...)
		out.owned, out.ownedBy = append(out.owned, share.owned...), append(out.ownedBy, share.ownedBy...)
	}
	return out, nil
}

// of is one owner's share of a room.
func (d Directories) of(ctx context.Context, actor identity.Actor, homes []access.Home, owner uuid.UUID, t plans.Trigger, residences []uuid.UUID) (Room, error) {
	plan, err := d.Plans.Of(ctx, owner)
	if err != nil || plan.Most(t) == nil {
		return Room{}, err
	}
	theirs := homes
	if owner != actor.UserID {
		if theirs, err = d.Access.HomesOf(ctx, owner); err != nil {
			return Room{}, err
		}
	}
	out := Room{owners: []uuid.UUID{owner}, most: []int{*plan.Most(t)}}
	take := func(home access.Home) {
		if home.OwnerID == owner && !slices.Contains(out.owned, home.ID) {
			out.owned, out.ownedBy = append(out.owned, home.ID), append(out.ownedBy, owner)
		}
	}
	for _, home := range theirs {
		take(home)
	}
	for _, home := range homes { // one of theirs that the cache does not know as such yet
		if slices.Contains(residences, home.ID) {
			take(home)
		}
	}
	return out, nil
}
