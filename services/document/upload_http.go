package document

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// UploadPath names an upload.
type UploadPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The upload"`
}

type uploadOutput struct {
	Status int    `json:"-"`
	ETag   string `header:"ETag"`
	Body   Upload
}

func answerUpload(status int, upload Upload, err error) (*uploadOutput, error) {
	if err != nil {
		return nil, err
	}
	return &uploadOutput{Status: status, ETag: upload.ETag(), Body: upload}, nil
}

// uploadForm documents what may stand beside the file.
var uploadForm = httpx.TakesFile(map[string]*huma.Schema{
	"id":     {Type: huma.TypeString, Format: "uuid", Description: "A UUIDv7 of your own: sending the same file twice keeps it once"},
	"sha256": {Type: huma.TypeString, Pattern: hexSum.String(), Description: "SHA-256 of the file as you send it: refused when something else arrives"},
})

type postUploadInput struct{ httpx.Form }

func (s *Service) postUpload(ctx context.Context, in *postUploadInput) (*uploadOutput, error) {
	upload, added, err := s.Receive(ctx, identity.From(ctx), in.Read)
	return answerUpload(createdOr(added), upload, err)
}

func (s *Service) getUpload(ctx context.Context, in *UploadPath) (*uploadOutput, error) {
	upload, err := s.UploadOf(ctx, identity.From(ctx), in.ID)
	return answerUpload(http.StatusOK, upload, err)
}

func (s *Service) deleteUpload(ctx context.Context, in *UploadPath) (*struct{}, error) {
	return nil, s.DeleteUpload(ctx, identity.From(ctx), in.ID)
}

type postDirectInput struct{ Body NewDirectUpload }

type directOutput struct {
	Status int `json:"-"`
	Body   DirectUpload
}

func (s *Service) postDirect(ctx context.Context, in *postDirectInput) (*directOutput, error) {
	direct, added, err := s.Invite(ctx, identity.From(ctx), in.Body)
	if err != nil {
		return nil, err
	}
	return &directOutput{Status: createdOr(added), Body: direct}, nil
}

func (s *Service) postConfirm(ctx context.Context, in *UploadPath) (*uploadOutput, error) {
	upload, err := s.Confirm(ctx, identity.From(ctx), in.ID)
	return answerUpload(http.StatusOK, upload, err)
}
