package residence

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// MemberPath names a person in a residence.
type MemberPath struct {
	ResidencePath
	UserID uuid.UUID `path:"user_id" doc:"The person"`
}

func (s *Service) getUsers(ctx context.Context, in *struct {
	ResidencePath
	page.Query
},
) (*bodyOutput[page.List[Member]], error) {
	list, err := s.ListMembers(ctx, identity.From(ctx), in.ID, in.Query)
	return &bodyOutput[page.List[Member]]{list}, err
}

type patchUserInput struct {
	MemberPath
	Body struct {
		Role string `json:"role" required:"true" enum:"member,viewer" doc:"A member changes what is in the residence, a viewer only reads"`
	}
}

func (s *Service) patchUser(ctx context.Context, in *patchUserInput) (*bodyOutput[Member], error) {
	member, err := s.ChangeRole(ctx, identity.From(ctx), in.ID, in.UserID, in.Body.Role)
	return &bodyOutput[Member]{member}, err
}

func (s *Service) deleteUser(ctx context.Context, in *MemberPath) (*struct{}, error) {
	return nil, s.RemoveMember(ctx, identity.From(ctx), in.ID, in.UserID)
}

type postTransferInput struct {
	ResidencePath
	httpx.IfMatch
	Body struct {
		UserID uuid.UUID `json:"user_id" required:"true" doc:"The new owner, who belongs to the residence"`
	}
}

func (s *Service) postTransfer(ctx context.Context, in *postTransferInput) (*residenceOutput, error) {
	return answer(s.Transfer(ctx, identity.From(ctx), in.ID, in.Body.UserID, in.Version()))
}
