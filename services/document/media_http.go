package document

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// MediaPath names a file.
type MediaPath struct {
	ID   uuid.UUID `path:"upload_id" format:"uuid" doc:"The upload"`
	Size string    `query:"size" enum:"thumb,preview" doc:"A small version, as JPEG: thumb has 320 pixels at most each way, preview 1280. Left out: the file itself"`
}

type getMediaInput struct {
	MediaPath
	httpx.IfNoneMatch
	httpx.Range
	Download bool `query:"download" doc:"To be saved, not shown"`
}

// answersMedia documents what beside the whole file can come back.
func answersMedia(op *huma.Operation) {
	op.Responses["206"] = &huma.Response{Description: "The part that was asked for", Content: op.Responses["200"].Content}
	op.Responses["302"] = &huma.Response{Description: "It is at the storage: follow Location, without your token"}
	op.Responses["304"] = &huma.Response{Description: "You have it already: If-None-Match names its ETag"}
	op.Errors = append(op.Errors, http.StatusRequestedRangeNotSatisfiable)
}

type mediaOutput struct{ Body func(huma.Context) }

func (s *Service) getMedia(ctx context.Context, in *getMediaInput) (*mediaOutput, error) {
	media, err := s.MediaOf(ctx, identity.From(ctx), in.ID, in.Size, in.Download)
	if err != nil {
		return nil, err
	}
	if in.Has(media.ETag) {
		return nil, httpx.NotModified(media.ETag)
	}
	address, err := s.link(ctx, media)
	if err != nil {
		return nil, err
	}
	if address != "" {
		elsewhere := httpx.Flow{Status: http.StatusFound, Header: map[string]string{"Location": address, "Cache-Control": "no-store"}}
		return &mediaOutput{Body: elsewhere.Send}, nil
	}
	return s.send(ctx, media, in.Range)
}

func (s *Service) send(ctx context.Context, media Media, part httpx.Range) (*mediaOutput, error) {
	flow, err := s.flow(ctx, media, part)
	if err != nil {
		return nil, err
	}
	return &mediaOutput{Body: flow.Send}, nil
}

// getInternalMedia hands a file to another service, which has seen to it that whoever gets it may.
func (s *Service) getInternalMedia(ctx context.Context, in *MediaPath) (*mediaOutput, error) {
	row, found, err := readUpload(ctx, s.DB, identity.Actor{}, nil, in.ID)
	if err == nil && !found {
		err = noSuchUpload()
	}
	if err != nil {
		return nil, err
	}
	media, err := row.media(in.Size, false)
	if err != nil {
		return nil, err
	}
	return s.send(ctx, media, httpx.Range{})
}
