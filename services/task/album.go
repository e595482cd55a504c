package task

import (
	"context"
	"io"

	"github.com/google/uuid"

	"hearth.internal/pkg/roundtrip"
	"hearth.internal/task/report"
)

// photosAhead is how many photos are opened ahead of the one that is drawn: each is a journey to document, and one after
// the other they would take longer than a request may.
const photosAhead = 8

// photoSize is the small version that is asked for: it has as many pixels as the report shows of a photo. From the larger
// one a report of 600 photos would be made down for half a minute.
const photoSize = "thumb"

// album is the photos of a report, in the order in which it shows them.
type album struct {
	open   func(ctx context.Context, upload uuid.UUID) (io.ReadCloser, error)
	photos []albumPhoto
}

type albumPhoto struct {
	upload uuid.UUID
	opened chan openedPhoto
}

type openedPhoto struct {
	body io.ReadCloser
	err  error
}

// add puts a completion's photos into the album; those that the report does not show are not opened.
func (a *album) add(ctx context.Context, uploads []uuid.UUID) []report.Photo {
	out := make([]report.Photo, len(uploads))
	for i, upload := range uploads[:min(len(uploads), report.PhotosEach)] {
		opened := make(chan openedPhoto)
		a.photos = append(a.photos, albumPhoto{upload, opened})
		out[i] = func() (io.ReadCloser, error) {
			select {
			case photo := <-opened:
				return photo.body, photo.err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return out
}

// whileDrawn opens the photos while the report is drawn.
func (a *album) whileDrawn(ctx context.Context, draw func(context.Context) error) error {
	drawing, drawn := context.WithCancel(ctx)
	calls := []func(context.Context) error{func(ctx context.Context) error {
		defer drawn()
		return draw(ctx)
	}}
	for lane := range min(photosAhead, len(a.photos)) {
		calls = append(calls, func(ctx context.Context) error {
			a.fetch(ctx, lane, drawing.Done())
			return nil
		})
	}
	return roundtrip.Together(ctx, calls...)
}

// fetch opens every photo of a lane, each once the one before it was taken.
func (a *album) fetch(ctx context.Context, lane int, drawn <-chan struct{}) {
	for at := lane; at < len(a.photos); at += photosAhead {
		body, err := a.open(ctx, a.photos[at].upload)
		select {
		case a.photos[at].opened <- openedPhoto{body, err}:
		case <-drawn: // without it
			if err == nil {
				_ = body.Close() // nobody has read it
			}
			return
		}
	}
}

// photo opens a photo of a completion.
func (s *Service) photo(ctx context.Context, upload uuid.UUID) (io.ReadCloser, error) {
	return s.documents.Media(ctx, upload, photoSize)
}
