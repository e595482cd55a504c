package document

import (
	"context"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// EquipmentPath names a piece of equipment; exported, as are all that inputs embed, because huma fills no others.
type EquipmentPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The equipment"`
}

type equipmentOutput struct {
	Status int    `json:"-"`
	ETag   string `header:"ETag"`
	Body   Equipment
}

func answerEquipment(status int, equipment Equipment, err error) (*equipmentOutput, error) {
	if err != nil {
		return nil, err
	}
	return &equipmentOutput{Status: status, ETag: equipment.ETag(), Body: equipment}, nil
}

type equipmentListInput struct {
	page.Query
	httpx.IfNoneMatch
	ResidenceID        uuid.UUID `query:"residence_id" format:"uuid" doc:"Only of this residence"`
	Category           string    `query:"category" enum:"appliance,heating,cooling,water,plumbing,electrical,lighting,roof,structure,safety,outdoor,vehicle,electronics,furniture,tool,other" doc:"Only of this category"`
	InUse              string    `query:"in_use" enum:"true,false" doc:"Only what is in use on your day, or only what is not"`
	ReplaceWithinYears int       `query:"replace_within_years" minimum:"1" maximum:"200" doc:"Only what is in use and has to be replaced within so many years, or should have been"`
	Text               string    `query:"q" maxLength:"200" doc:"In name, manufacturer, model, serial number or location, whatever case, accents and punctuation"`
}

func (in equipmentListInput) filter(v EquipmentView) EquipmentFilter {
	f := EquipmentFilter{Category: in.Category, Text: in.Text}
	if in.InUse != "" {
		f.InUse = new(in.InUse == "true")
	}
	if in.ReplaceWithinYears > 0 {
		f.ReplaceBefore = new(v.today.AddMonths(12 * in.ReplaceWithinYears))
	}
	return f
}

type equipmentListOutput struct {
	ETag string `header:"ETag"`
	Body page.List[Equipment]
}

func (s *Service) getEquipmentList(ctx context.Context, in *equipmentListInput) (*equipmentListOutput, error) {
	view, err := s.ViewEquipment(ctx, identity.From(ctx), in.ResidenceID, "equipment", in.ResidenceID.String(), in.Category, in.InUse,
		strconv.Itoa(in.ReplaceWithinYears), strconv.Itoa(in.Limit), in.Cursor, in.Text)
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	list, err := s.EquipmentList(ctx, view, in.filter(view), in.Query)
	return &equipmentListOutput{ETag: view.ETag, Body: list}, err
}

type postEquipmentInput struct{ Body NewEquipment }

func (s *Service) postEquipment(ctx context.Context, in *postEquipmentInput) (*equipmentOutput, error) {
	equipment, added, err := s.AddEquipment(ctx, identity.From(ctx), in.Body)
	return answerEquipment(createdOr(added), equipment, err)
}

func (s *Service) getEquipment(ctx context.Context, in *EquipmentPath) (*equipmentOutput, error) {
	equipment, err := s.EquipmentOf(ctx, identity.From(ctx), in.ID)
	return answerEquipment(http.StatusOK, equipment, err)
}

type putEquipmentInput struct {
	EquipmentPath
	httpx.IfMatch
	Body EquipmentWhole
}

func (s *Service) putEquipment(ctx context.Context, in *putEquipmentInput) (*equipmentOutput, error) {
	equipment, err := s.ChangeEquipment(ctx, identity.From(ctx), in.ID, in.Version(), in.Body.patch())
	return answerEquipment(http.StatusOK, equipment, err)
}

type patchEquipmentInput struct {
	EquipmentPath
	httpx.IfMatch
	Body EquipmentPatch
}

func (s *Service) patchEquipment(ctx context.Context, in *patchEquipmentInput) (*equipmentOutput, error) {
	equipment, err := s.ChangeEquipment(ctx, identity.From(ctx), in.ID, in.Version(), in.Body)
	return answerEquipment(http.StatusOK, equipment, err)
}

type deleteEquipmentInput struct {
	EquipmentPath
	httpx.IfMatch
}

func (s *Service) deleteEquipment(ctx context.Context, in *deleteEquipmentInput) (*struct{}, error) {
	return nil, s.DeleteEquipment(ctx, identity.From(ctx), in.ID, in.Version())
}
