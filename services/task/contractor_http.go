package task

import (
	"context"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/patch"
)

// ContractorPath names a contractor.
type ContractorPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The contractor"`
}

type contractorOutput struct {
	Status int    `json:"-"`
	ETag   string `header:"ETag"`
	Body   Contractor
}

func answerContractor(status int, contractor Contractor, err error) (*contractorOutput, error) {
	if err != nil {
		return nil, err
	}
	return &contractorOutput{Status: status, ETag: contractor.ETag(), Body: contractor}, nil
}

// ContractorQuery is what a list of contractors can leave out.
type ContractorQuery struct {
	page.Query
	httpx.IfNoneMatch
	SpecialtyID uuid.UUID `query:"specialty_id" format:"uuid" doc:"Only with this specialty"`
	IsFavorite  bool      `query:"is_favorite" doc:"Only your favourites"`
	Text        string    `query:"q" maxLength:"200" doc:"In name or company, whatever its case"`
}

type contractorsInput struct {
	ContractorQuery
	ResidenceID uuid.UUID `query:"residence_id" format:"uuid" doc:"Only of this residence"`
}

type residenceContractorsInput struct {
	ContractorQuery
	ResidenceID uuid.UUID `path:"residence_id" format:"uuid" doc:"The residence"`
}

type contractorsOutput struct {
	ETag string `header:"ETag"`
	Body page.List[Contractor]
}

func (s *Service) getContractors(ctx context.Context, in *contractorsInput) (*contractorsOutput, error) {
	return s.contractors(ctx, in.ResidenceID, in.ContractorQuery)
}

func (s *Service) getResidenceContractors(ctx context.Context, in *residenceContractorsInput) (*contractorsOutput, error) {
	if in.ResidenceID == uuid.Nil {
		return nil, access.NoSuchResidence()
	}
	return s.contractors(ctx, in.ResidenceID, in.ContractorQuery)
}

func (s *Service) contractors(ctx context.Context, residence uuid.UUID, q ContractorQuery) (*contractorsOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), residence, "contractors", residence.String(), q.SpecialtyID.String(),
		strconv.FormatBool(q.IsFavorite), strconv.Itoa(q.Limit), q.Cursor, q.Text)
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && q.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	filter := ContractorFilter{ResidenceID: residence, SpecialtyID: q.SpecialtyID, Favorites: q.IsFavorite, Text: q.Text}
	list, err := s.Contractors(ctx, view, filter, q.Query)
	return &contractorsOutput{ETag: view.ETag, Body: list}, err
}

type postContractorInput struct{ Body NewContractor }

func (s *Service) postContractor(ctx context.Context, in *postContractorInput) (*contractorOutput, error) {
	contractor, added, err := s.AddContractor(ctx, identity.From(ctx), in.Body)
	return answerContractor(createdOr(added), contractor, err)
}

func (s *Service) getContractor(ctx context.Context, in *ContractorPath) (*contractorOutput, error) {
	contractor, err := s.ContractorOf(ctx, identity.From(ctx), in.ID)
	return answerContractor(http.StatusOK, contractor, err)
}

// ContractorWhole is a contractor as it is to be. An app of before there were files does not know them and leaves them out:
// that is no wish to lose them.
type ContractorWhole struct {
	ContractorFields
	UploadIDs patch.Nullable[[]uuid.UUID] `json:"upload_ids,omitzero" maxItems:"20" doc:"Kept, if left out"`
}

func (w ContractorWhole) patch() ContractorPatch {
	p := w.whole()
	p.UploadIDs = w.UploadIDs
	return p
}

type putContractorInput struct {
	ContractorPath
	httpx.IfMatch
	Body ContractorWhole
}

func (s *Service) putContractor(ctx context.Context, in *putContractorInput) (*contractorOutput, error) {
	contractor, err := s.ChangeContractor(ctx, identity.From(ctx), in.ID, in.Version(), in.Body.patch())
	return answerContractor(http.StatusOK, contractor, err)
}

type patchContractorInput struct {
	ContractorPath
	httpx.IfMatch
	Body ContractorPatch
}

func (s *Service) patchContractor(ctx context.Context, in *patchContractorInput) (*contractorOutput, error) {
	contractor, err := s.ChangeContractor(ctx, identity.From(ctx), in.ID, in.Version(), in.Body)
	return answerContractor(http.StatusOK, contractor, err)
}

type deleteContractorInput struct {
	ContractorPath
	httpx.IfMatch
}

func (s *Service) deleteContractor(ctx context.Context, in *deleteContractorInput) (*struct{}, error) {
	return nil, s.DeleteContractor(ctx, identity.From(ctx), in.ID, in.Version())
}

func (s *Service) postToggleFavorite(ctx context.Context, in *ContractorPath) (*contractorOutput, error) {
	contractor, err := s.ToggleFavorite(ctx, identity.From(ctx), in.ID)
	return answerContractor(http.StatusOK, contractor, err)
}

type contractorTasksInput struct {
	ContractorPath
	page.Query
	httpx.IfNoneMatch
}

type taskListOutput struct {
	ETag string `header:"ETag"`
	Body page.List[Task]
}

func (s *Service) getContractorTasks(ctx context.Context, in *contractorTasksInput) (*taskListOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), uuid.Nil, "contractor tasks", in.ID.String(), pageOf(in.Query))
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	list, err := s.TasksOfContractor(ctx, view, in.ID, in.Query)
	return &taskListOutput{ETag: view.ETag, Body: list}, err
}
