package residence

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/plans"
)

// Member is a person who belongs to a residence. Somebody who signed up a moment ago may still have no names here.
type Member struct {
	ID             uuid.UUID  `json:"id" doc:"The person"`
	Username       string     `json:"username" example:"anna"`
	Email          string     `json:"email" example:"anna@example.com"`
	FirstName      string     `json:"first_name" example:"Anna"`
	LastName       string     `json:"last_name" example:"Berg"`
	AvatarUploadID *uuid.UUID `json:"avatar_upload_id" nullable:"true"`
	Role           string     `json:"role" enum:"owner,member,viewer"`
	JoinedAt       time.Time  `json:"joined_at"`
}

// ListMembers answers a page of who belongs to a residence of the actor's, in the order in which they joined.
func (s *Service) ListMembers(ctx context.Context, actor identity.Actor, residence uuid.UUID, q page.Query) (page.List[Member], error) {
	if _, err := s.Access.Readable(ctx, actor, residence); err != nil {
		return page.List[Member]{}, err
	}
	after, err := page.After[joined](q)
	if err != nil {
		return page.List[Member]{}, err
	}
	rows, err := listMembers(ctx, s.DB, residence, after, q.Limit)
	if err != nil {
		return page.List[Member]{}, err
	}
	return page.Cut(rows, q.Limit, func(m Member) joined { return joined{m.JoinedAt, m.ID} })
}

// ChangeRole makes a person member or viewer; only the owner does. The owner's own role goes with the residence: see
// Transfer. A code that is out ends when its members' rights shrink, so that nobody lets themselves in again.
func (s *Service) ChangeRole(ctx context.Context, actor identity.Actor, residence, user uuid.UUID, role string) (Member, error) {
	member, v, err := changeRole(ctx, s.DB, actor, residence, user, role, s.Clock.Now())
	switch {
	case err != nil:
		return Member{}, err
	case v.Role == "":
		return Member{}, access.NoSuchResidence()
	case v.Role != access.Owner:
		return Member{}, apperr.NotPermitted.New("Only the owner can change roles.")
	case v.Theirs == "":
		return Member{}, noSuchMember()
	case v.Theirs == access.Owner:
		return Member{}, apperr.ImpossibleMove.New("The owner's role goes with the residence: transfer it.")
	}
	s.membersChanged(ctx, residence, v.verdict)
	return member, nil
}

// RemoveMember ends a membership: the owner ends anybody else's, a member their own.
func (s *Service) RemoveMember(ctx context.Context, actor identity.Actor, residence, user uuid.UUID) error {
	v, err := removeMember(ctx, s.DB, actor, residence, user, s.Clock.Now())
	switch {
	case err != nil:
		return err
	case v.Role == "":
		return access.NoSuchResidence()
	case v.Theirs == "":
		return noSuchMember()
	case v.Role == access.Owner && actor.UserID == user:
		return apperr.OwnerCannotLeave.New("Transfer the residence to another member first, or delete it.")
	case !v.Done:
		return apperr.NotPermitted.New("Only the owner can remove others.")
	}
	s.membersChanged(ctx, residence, v.verdict)
	return nil
}

// Transfer gives the residence to another of its members; the owner becomes a member. It fails with limit_reached when the new
// owner's plan has no room for another one.
func (s *Service) Transfer(ctx context.Context, actor identity.Actor, residence, user uuid.UUID, version *int) (Residence, error) {
	if user == actor.UserID {
		return Residence{}, apperr.InvalidField("body.user_id", "must be somebody else")
	}
	plan, err := s.Plans.Of(ctx, user)
	if err != nil {
		return Residence{}, err
	}
	home, v, err := transfer(ctx, s.DB, actor, residence, user, version, plan.Most(plans.AddProperty), s.Clock.Now())
	switch {
	case err != nil:
		return Residence{}, err
	case v.Role == access.Owner && v.Theirs == "":
		return Residence{}, apperr.InvalidField("body.user_id", "does not belong to this residence")
	case v.Full != nil:
		return Residence{}, plans.Reached(plans.AddProperty, *plan.Most(plans.AddProperty), *v.Full)
	}
	if err := v.ownersOnly("Only the owner can give this residence away."); err != nil {
		return Residence{}, err
	}
	s.membersChanged(ctx, residence, v.verdict)
	return home, nil
}

// memberVerdict is a verdict that also names the role of the person it is about; empty when they do not belong.
type memberVerdict struct {
	verdict
	Theirs string
}

// transferVerdict is a memberVerdict that also says, if only that stands in the way, how many residences the new owner has:
// as many as their plan has room for, or more.
type transferVerdict struct {
	memberVerdict
	Full *int
}

// membersChanged drops what everybody before the change had cached; a change takes nobody in whom the verdict lacks.
func (s *Service) membersChanged(ctx context.Context, residence uuid.UUID, v verdict) {
	events.MembersChanged.Committed(ctx, s.Relay, events.Membership{ResidenceID: residence, AffectedIDs: v.MemberIDs})
}

func noSuchMember() error { return apperr.NoSuchThing.New("There is no such member.") }
