package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document/blob"
	"hearth.internal/document/filetype"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

const (
	// directLimit is for files that go straight to the storage: the gateway carries none of them.
	directLimit = 200 << 20
	// invitedFor is how long such a file may take to arrive. The collector waits for two hours (migration 00002).
	invitedFor = time.Hour
)

// NewDirectUpload announces a file that is to go straight to the storage.
type NewDirectUpload struct {
	ID          *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: announcing the same file twice keeps it once"`
	Filename    string     `json:"filename" required:"true" minLength:"1" maxLength:"500"`
	ContentType string     `json:"content_type" required:"true" minLength:"3" maxLength:"120" pattern:"^[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+$" example:"application/pdf" doc:"To be sent with the file; what the file is, its content decides"`
	Size        int64      `json:"size" required:"true" minimum:"1" maximum:"209715200" doc:"Bytes, exactly"`
}

// DirectUpload is an upload whose bytes are to come, and the request that brings them.
type DirectUpload struct {
	Upload
	Method    string            `json:"method" enum:"PUT"`
	SendTo    string            `json:"send_to" format:"uri" doc:"The address of the storage: send the file there, then confirm it here"`
	Headers   map[string]string `json:"headers" nullable:"false" doc:"Of that request, all of them as they are"`
	ExpiresAt time.Time         `json:"expires_at"`
}

// Invite announces a file, and reports whether that is new. Announced again, it has another address for the same file.
func (s *Service) Invite(ctx context.Context, actor identity.Actor, in NewDirectUpload) (DirectUpload, bool, error) {
	if in.ID != nil && *in.ID == uuid.Nil {
		return DirectUpload{}, false, apperr.InvalidField("body.id", "must not be the zero UUID")
	}
	key, err := s.keys.take(ctx)
	if err != nil {
		return DirectUpload{}, false, err
	}
	row := uploadRow{
		ID: uuid.Must(uuid.NewV7()), OwnerID: actor.UserID, State: awaited, Filename: filetype.SafeName(in.Filename, filetype.Type{}),
		ContentType: in.ContentType, Size: in.Size, BlobKey: key, CreatedAt: s.Clock.Now(),
	}
	if in.ID != nil {
		row.ID = *in.ID
	}
	// Asked before the row is there: a storage that cannot do it leaves nothing behind.
	invitation, err := s.blobs.Invite(ctx, key, in.Size, in.ContentType, invitedFor)
	if errors.Is(err, blob.ErrUnsupported) {
		return DirectUpload{}, false, apperr.NoDirectUpload.New("The storage here takes no files itself: send it to /api/uploads/.")
	}
	if err != nil {
		return DirectUpload{}, false, fmt.Errorf("invite a file: %w", err)
	}
	upload, added, row, err := s.announce(ctx, row)
	if err != nil {
		return DirectUpload{}, false, err
	}
	if !added {
		still, err := invitedAgain(ctx, s.DB, row.ID, s.Clock.Now())
		if err != nil {
			return DirectUpload{}, false, err
		}
		if !still {
			return DirectUpload{}, false, apperr.ImpossibleMove.New("The file has arrived already.")
		}
		if invitation, err = s.blobs.Invite(ctx, row.BlobKey, row.Size, row.ContentType, invitedFor); err != nil {
			return DirectUpload{}, false, fmt.Errorf("invite a file: %w", err)
		}
	}
	out := DirectUpload{Upload: upload, Method: invitation.Method, SendTo: invitation.URL, Headers: map[string]string{}, ExpiresAt: invitation.ExpiresAt}
	for name := range invitation.Header {
		out.Headers[name] = invitation.Header.Get(name)
	}
	return out, added, nil
}

// Confirm looks at a file that has gone straight to the storage, and keeps what may be kept of it.
func (s *Service) Confirm(ctx context.Context, actor identity.Actor, id uuid.UUID) (Upload, error) {
	row, err := s.invited(ctx, actor, id)
	if err != nil || row.State == stored { // confirmed before, and the answer was lost
		return row.upload(), err
	}
	done, err := s.incoming.enter(ctx, actor.UserID)
	if err != nil {
		return Upload{}, err
	}
	defer done()
	file, err := s.fetch(ctx, row)
	if err != nil {
		return Upload{}, err
	}
	defer file.remove()
	next := row
	if next.BlobKey, err = s.store(ctx, file); err != nil {
		return Upload{}, err
	}
	file.describe(&next)
	out, found, err := confirmUpload(ctx, s.DB, next)
	if err != nil {
		return Upload{}, err
	}
	s.work.nudge()
	s.collector.nudge()
	if !found { // confirmed by another this very moment, or collected
		out, err = s.invited(ctx, actor, id)
	}
	return out.upload(), err
}

// invited is an upload that the actor has announced, or has confirmed and still sees.
func (s *Service) invited(ctx context.Context, actor identity.Actor, id uuid.UUID) (uploadRow, error) {
	row, found, err := readUpload(ctx, s.DB, actor, nil, id)
	switch {
	case err != nil:
	case !found || row.OwnerID != actor.UserID:
		err = noSuchUpload()
	case row.State == stored && !row.Seen:
		return s.seen(ctx, actor, id)
	}
	return row.uploadRow, err
}

// fetch takes the file out of the storage.
func (s *Service) fetch(ctx context.Context, row uploadRow) (*spooled, error) {
	from, err := s.blobs.Open(ctx, row.BlobKey, 0, -1)
	if errors.Is(err, blob.ErrNotFound) {
		return nil, apperr.FileNotThere.New("The storage does not have the file yet: send it, then confirm it.")
	}
	if err != nil {
		return nil, fmt.Errorf("fetch a file: %w", err)
	}
	defer func() { _ = from.Close() }() // only read
	return s.spool(row.Filename, from, directLimit)
}
