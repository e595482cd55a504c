package document

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// DocumentPath names a document.
type DocumentPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The document"`
}

type documentOutput struct {
	Status int    `json:"-"`
	ETag   string `header:"ETag"`
	Body   Document
}

func answerDocument(status int, document Document, err error) (*documentOutput, error) {
	if err != nil {
		return nil, err
	}
	return &documentOutput{Status: status, ETag: document.ETag(), Body: document}, nil
}

// DocumentQuery is what a list of documents can leave out.
type DocumentQuery struct {
	page.Query
	httpx.IfNoneMatch
	ResidenceID    uuid.UUID            `query:"residence_id" format:"uuid" doc:"Only of this residence"`
	Type           string               `query:"document_type" enum:"general,warranty,receipt,contract,insurance,manual,permit,inspection,photo,other" doc:"Only of this type"`
	IsActive       httpx.Optional[bool] `query:"is_active" doc:"Only those that are active, or are not"`
	ExpiringWithin httpx.Optional[int]  `query:"expiring_within_days" minimum:"0" maximum:"3650" doc:"Only what ends today or within so many days, by your day"`
	Text           string               `query:"q" maxLength:"200" doc:"Words: each must begin one of the document's or of its file's, whatever its case and accents. The best match comes first"`
	ContractorID   uuid.UUID            `query:"contractor_id" format:"uuid" doc:"Only those that name this contractor"`
	TaskID         uuid.UUID            `query:"task_id" format:"uuid" doc:"Only those that name this task"`
	EquipmentID    uuid.UUID            `query:"equipment_id" format:"uuid" doc:"Only those that name this equipment"`
}

func (q DocumentQuery) filter() DocumentFilter {
	return DocumentFilter{
		Type: q.Type, Active: q.IsActive.Pointer(), ExpiringWithin: q.ExpiringWithin.Pointer(), Text: q.Text,
		ContractorID: q.ContractorID, TaskID: q.TaskID, EquipmentID: q.EquipmentID,
	}
}

type documentsOutput struct {
	ETag string `header:"ETag"`
	Body page.List[Document]
}

func (s *Service) getDocuments(ctx context.Context, in *DocumentQuery) (*documentsOutput, error) {
	view, err := s.ViewList(ctx, identity.From(ctx), in.ResidenceID, "documents", in.ResidenceID.String(), in.Type, fmt.Sprint(in.IsActive),
		fmt.Sprint(in.ExpiringWithin), in.ContractorID.String(), in.TaskID.String(), in.EquipmentID.String(), fmt.Sprint(in.Limit), in.Cursor, in.Text)
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	read := s.Documents
	if in.Text != "" {
		read = s.FindDocuments
	}
	list, err := read(ctx, view, in.filter(), in.Query)
	return &documentsOutput{ETag: view.ETag, Body: list}, err
}

type postDocumentInput struct{ Body NewDocument }

func (s *Service) postDocument(ctx context.Context, in *postDocumentInput) (*documentOutput, error) {
	document, added, err := s.AddDocument(ctx, identity.From(ctx), in.Body)
	return answerDocument(createdOr(added), document, err)
}

func (s *Service) getDocument(ctx context.Context, in *DocumentPath) (*documentOutput, error) {
	document, err := s.DocumentOf(ctx, identity.From(ctx), in.ID)
	return answerDocument(http.StatusOK, document, err)
}

type putDocumentInput struct {
	DocumentPath
	httpx.IfMatch
	Body DocumentFields
}

func (s *Service) putDocument(ctx context.Context, in *putDocumentInput) (*documentOutput, error) {
	document, err := s.ChangeDocument(ctx, identity.From(ctx), in.ID, in.Version(), in.Body.whole())
	return answerDocument(http.StatusOK, document, err)
}

type patchDocumentInput struct {
	DocumentPath
	httpx.IfMatch
	Body DocumentPatch
}

func (s *Service) patchDocument(ctx context.Context, in *patchDocumentInput) (*documentOutput, error) {
	document, err := s.ChangeDocument(ctx, identity.From(ctx), in.ID, in.Version(), in.Body)
	return answerDocument(http.StatusOK, document, err)
}

type touchDocumentInput struct {
	DocumentPath
	httpx.IfMatch
}

func (s *Service) deleteDocument(ctx context.Context, in *touchDocumentInput) (*struct{}, error) {
	return nil, s.DeleteDocument(ctx, identity.From(ctx), in.ID, in.Version())
}

func (s *Service) postActivate(active bool) httpx.Handler[touchDocumentInput, documentOutput] {
	return func(ctx context.Context, in *touchDocumentInput) (*documentOutput, error) {
		document, err := s.Activate(ctx, identity.From(ctx), in.ID, in.Version(), active)
		return answerDocument(http.StatusOK, document, err)
	}
}

// NewImages are images to be appended to a document's.
type NewImages struct {
	UploadIDs []uuid.UUID `json:"upload_ids,omitempty" maxItems:"20" nullable:"true" doc:"Uploads that you see and that are images"`
	UploadID  *uuid.UUID  `json:"upload_id,omitempty" nullable:"true" format:"uuid" doc:"One alone"`
}

type postImagesInput struct {
	DocumentPath
	httpx.IfMatch
	Body NewImages
}

func (s *Service) postImages(ctx context.Context, in *postImagesInput) (*documentOutput, error) {
	images := in.Body.UploadIDs
	if in.Body.UploadID != nil {
		images = append(images, *in.Body.UploadID)
	}
	document, err := s.AddImages(ctx, identity.From(ctx), in.ID, in.Version(), images)
	return answerDocument(http.StatusOK, document, err)
}

type deleteImageInput struct {
	DocumentPath
	httpx.IfMatch
	ImageID uuid.UUID `path:"image_id" format:"uuid" doc:"The image: an upload's id"`
}

func (s *Service) deleteImage(ctx context.Context, in *deleteImageInput) (*struct{}, error) {
	return nil, s.RemoveImage(ctx, identity.From(ctx), in.ID, in.Version(), in.ImageID)
}
