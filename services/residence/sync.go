package residence

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

// syncedResidence is a Residence without the count that members decide: the client has the members.
type syncedResidence struct {
	Residence
	MemberCount *int `json:"member_count,omitempty" db:"-"`
	delta.Placed
}

// syncedMember is a Member and where.
type syncedMember struct {
	ResidenceID uuid.UUID `json:"residence_id"`
	Member
	delta.Placed
}

type syncRows struct {
	Residences []syncedResidence `json:"residences"`
	Members    []syncedMember    `json:"members"`
}

type memberKey struct {
	ResidenceID uuid.UUID `json:"residence_id"`
	UserID      uuid.UUID `json:"user_id"`
}

type syncRemoved struct {
	Members []memberKey `json:"members"`
}

type syncPage = internalapi.SyncPage[syncRows, syncRemoved]

// Sync answers a page of what changed in the actor's residences and among their members.
func (s *Service) Sync(ctx context.Context, actor identity.Actor, q internalapi.SyncQuery) (syncPage, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return syncPage{}, err
	}
	walk, err := delta.Begin(q, actor.UserID, access.IDs(homes), s.Clock.Now())
	if err != nil {
		return syncPage{}, err
	}
	rows, buried, err := readChanges(ctx, s.DB, actor, walk)
	if err != nil {
		return syncPage{}, err
	}
	page := syncPage{Rows: rows, Removed: syncRemoved{Members: make([]memberKey, len(buried))}}
	for i, b := range buried {
		page.Removed.Members[i] = memberKey{b.Scope, b.ID}
	}
	page.State, page.Lost, page.More = walk.End()
	return page, nil
}
