package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// BoardQuery is what every board can leave out.
type BoardQuery struct {
	httpx.IfNoneMatch
	DaysThreshold int       `query:"days_threshold" minimum:"0" maximum:"365" default:"30" doc:"Due within so many days is due soon"`
	AssignedTo    string    `query:"assigned_to" maxLength:"36" doc:"me, or a person's id" example:"me"`
	Text          string    `query:"q" maxLength:"200" doc:"In title or description, whatever its case"`
	CategoryID    uuid.UUID `query:"category_id" format:"uuid" doc:"Only of this category"`
	PriorityID    uuid.UUID `query:"priority_id" format:"uuid" doc:"Only of this priority"`
	EquipmentID   uuid.UUID `query:"equipment_id" format:"uuid" doc:"Only about this equipment"`
}

func (q BoardQuery) filter(actor identity.Actor) (BoardFilter, error) {
	f := BoardFilter{CategoryID: q.CategoryID, PriorityID: q.PriorityID, EquipmentID: q.EquipmentID, Text: q.Text}
	var err error
	switch q.AssignedTo {
	case "":
	case "me":
		f.AssignedTo = actor.UserID
	default:
		if f.AssignedTo, err = uuid.Parse(q.AssignedTo); err != nil || f.AssignedTo == uuid.Nil {
			return f, apperr.InvalidField("query.assigned_to", "must be me or a person's id")
		}
	}
	return f, nil
}

type boardInput struct {
	BoardQuery
	ResidenceID uuid.UUID `query:"residence_id" format:"uuid" doc:"Only of this residence"`
}

type residenceBoardInput struct {
	BoardQuery
	ResidenceID uuid.UUID `path:"residence_id" format:"uuid" doc:"The residence"`
}

type boardOutput struct {
	ETag string `header:"ETag"`
	Body Board
}

func (s *Service) getBoard(ctx context.Context, in *boardInput) (*boardOutput, error) {
	return s.board(ctx, in.ResidenceID, in.BoardQuery)
}

func (s *Service) getResidenceBoard(ctx context.Context, in *residenceBoardInput) (*boardOutput, error) {
	if in.ResidenceID == uuid.Nil {
		return nil, apperr.NoSuchThing.New("There is no such residence.")
	}
	return s.board(ctx, in.ResidenceID, in.BoardQuery)
}

func (s *Service) board(ctx context.Context, residence uuid.UUID, q BoardQuery) (*boardOutput, error) {
	actor := identity.From(ctx)
	filter, err := q.filter(actor)
	if err != nil {
		return nil, err
	}
	view, err := s.ViewBoard(ctx, actor, residence, q.DaysThreshold, filter)
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && q.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	board, err := s.MakeBoard(ctx, view)
	return &boardOutput{ETag: view.ETag, Body: board}, err
}
