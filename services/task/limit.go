package task

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/roundtrip"
)

// limited is the field at fault of what would be more than an owner's plan has room for.
const limited = "limit"

// room is what the plans of some owners have room for. Owners without a limit are not in it.
type room struct {
	trigger        plans.Trigger
	owners         []uuid.UUID
	most           []int       // of each owner
	owned, ownedBy []uuid.UUID // the residences that count, each with its owner
}

// unlimited reports whether nothing needs to be counted.
func (r room) unlimited() bool { return len(r.owners) == 0 }

// reached is the refusal of one more in the residence, or with none of a personal one.
func (r room) reached(residence *uuid.UUID, used []usage) error {
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

// taskLimit and contractorLimit are the plan's limits, as roomIn wants them.
func taskLimit(p plans.Plan) *int       { return p.Tasks }
func contractorLimit(p plans.Plan) *int { return p.Contractors }

// roomIn is what the owners of the residences have room for, by the limit that of names. Counted is everything in all
// the residences that such an owner owns, whoever has added it. The actor sees the residences; without one, what is added
// is personal and counts for the actor.
func (s *Service) roomIn(ctx context.Context, actor identity.Actor, homes []access.Home, t plans.Trigger, of func(plans.Plan) *int, residences ...uuid.UUID) (room, error) {
	owners := []uuid.UUID{actor.UserID}
	if len(residences) > 0 {
		owners = owners[:0]
	}
	for _, id := range residences {
		if home, _ := homeOf(homes, id); !slices.Contains(owners, home.OwnerID) {
			owners = append(owners, home.OwnerID)
		}
	}
	shares := make([]room, len(owners))
	calls := make([]func(context.Context) error, len(owners))
	for i, owner := range owners {
		calls[i] = func(ctx context.Context) (err error) {
			shares[i], err = s.roomOf(ctx, actor, homes, owner, of, residences)
			return err
		}
	}
	if err := roundtrip.Together(ctx, calls...); err != nil {
		return room{}, err
	}
	out := room{trigger: t}
	for _, share := range shares {
		out.owners, out.most = append(out.owners, share.owners...), append(out.most, share.most...)
		out.owned, out.ownedBy = append(out.owned, share.owned...), append(out.ownedBy, share.ownedBy...)
	}
	return out, nil
}

// roomOf is one owner's share of a room.
func (s *Service) roomOf(ctx context.Context, actor identity.Actor, homes []access.Home, owner uuid.UUID, of func(plans.Plan) *int, residences []uuid.UUID) (room, error) {
	plan, err := s.Plans.Of(ctx, owner)
	if err != nil || of(plan) == nil {
		return room{}, err
	}
	theirs := homes
	if owner != actor.UserID {
		if theirs, err = s.Access.HomesOf(ctx, owner); err != nil {
			return room{}, err
		}
	}
	out := room{owners: []uuid.UUID{owner}, most: []int{*of(plan)}}
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
