package document

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document/filetype"
	"hearth.internal/document/reader"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

// Upload is a file that somebody has sent.
type Upload struct {
	ID          uuid.UUID   `json:"id" format:"uuid"`
	State       string      `json:"state" enum:"awaited,stored" doc:"awaited: its bytes are still to come, straight to the storage"`
	Filename    string      `json:"filename" example:"boiler.jpg" doc:"As it was sent, made safe for every file system"`
	ContentType string      `json:"content_type" example:"image/jpeg" doc:"By its content"`
	Size        int64       `json:"size" doc:"Bytes, as it is kept"`
	SHA256      *string     `json:"sha256" doc:"Of the file as it is kept, in hexadecimal: images are kept without what tells place and camera"`
	Width       *int        `json:"width"`
	Height      *int        `json:"height"`
	PageCount   *int        `json:"page_count" doc:"Of a PDF, once it was looked into"`
	Thumbnails  []Thumbnail `json:"thumbnails" nullable:"false" doc:"Made soon after the upload"`
	CreatedAt   time.Time   `json:"created_at"`
}

// Thumbnail is a small version of an image, or of a PDF's first page. It is a JPEG.
type Thumbnail struct {
	Size   string `json:"size" enum:"thumb,preview" doc:"thumb: at most 320 pixels each way; preview: at most 1280"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	URL    string `json:"url" example:"/api/media/01900000-0000-7000-8000-000000000001/?size=thumb"`
}

// The states of an upload.
const (
	awaited = "awaited"
	stored  = "stored"
)

// mostUnclaimed is how many uploads somebody may have that nothing uses: they are collected after a day.
const mostUnclaimed = 500

// spooled is a file that has come in and may be kept, beside the storage.
type spooled struct {
	path string
	name string // as it was sent
	info filetype.Info
	sum  []byte // SHA-256 of what is to be kept
	sent []byte // and of what was sent
}

// remove forgets the file; the storage has it, or nobody wants it.
func (f *spooled) remove() { _ = os.Remove(f.path) } // what cannot be removed is swept with the others at a start

// spool takes a file in as it comes, without what must not be kept, and bounded in size.
func (s *Service) spool(name string, from io.Reader, most int64) (*spooled, error) {
	file, err := os.CreateTemp(s.spoolDir, spoolPattern)
	if err != nil {
		return nil, spoolError(err)
	}
	f := &spooled{path: file.Name(), name: name}
	err = f.take(file, from, most)
	if closeErr := file.Close(); err == nil && closeErr != nil {
		err = spoolError(closeErr)
	}
	if err != nil {
		f.remove()
		return nil, err
	}
	return f, nil
}

func (f *spooled) take(file *os.File, from io.Reader, most int64) (err error) {
	sent := sha256.New()
	source := &bounded{from: io.TeeReader(from, sent), most: most}
	f.info, err = filetype.Clean(file, source)
	if err == nil {
		_, err = io.Copy(io.Discard, source) // what stands behind the image's end is no part of it, but was sent
	}
	switch {
	case source.failed != nil:
		return source.failed // whatever a cut-off file looks like
	case err != nil:
		return fileError(err)
	}
	f.sent = sent.Sum(nil)
	f.sum, err = sumOf(io.NewSectionReader(file, 0, f.info.Size))
	return err
}

func sumOf(from io.Reader) ([]byte, error) { return copySum(io.Discard, from) }

// bounded reads a file as long as it is no larger than it may be, and remembers what went wrong with the reading.
type bounded struct {
	from   io.Reader
	most   int64
	got    int64
	failed error
}

// Read fails with file_too_large.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.got += int64(n)
	switch {
	case b.got > b.most:
		b.failed = apperr.FileTooLarge.New("A file may be %d MiB at most.", b.most>>20)
	case apperr.ServiceUnavailable.Has(err): // it comes out of the storage
		b.failed = err
	case err != nil && !errors.Is(err, io.EOF):
		b.failed = apperr.MalformedRequest.Wrap(err, "The file did not arrive whole.")
	}
	if b.failed != nil {
		return 0, b.failed
	}
	return n, err // a reader hands on io.EOF
}

// fileError is what is wrong with a file, as the client hears it.
func fileError(err error) error {
	switch {
	case errors.Is(err, filetype.ErrNotAllowed):
		return apperr.FileNotAllowed.New("Photos (JPEG, PNG, WebP, HEIC), PDF, plain text and Office files can be sent, and nothing else.").At("body.file", "is of a type that is not taken")
	case errors.Is(err, filetype.ErrTooManyPixels):
		return apperr.ImageTooLarge.New("An image may have 50 million pixels at most.").At("body.file", "has too many pixels")
	case errors.Is(err, filetype.ErrEmpty):
		return apperr.FileDamaged.New("The file is empty.").At("body.file", "is empty")
	case errors.Is(err, filetype.ErrDamaged), errors.Is(err, reader.ErrDamaged):
		return apperr.FileDamaged.New("The file is damaged: it ends too early, or is not what it says.").At("body.file", "is damaged")
	case errors.Is(err, reader.ErrTooHard):
		return apperr.FileDamaged.Wrap(err, "The file cannot be read in reasonable time.").At("body.file", "cannot be read")
	}
	if written(err) {
		return spoolError(err)
	}
	return err
}

// spoolError is of a spool that is full or away: neither the file's fault nor the client's, and it passes.
func spoolError(err error) error {
	return apperr.ServiceUnavailable.Wrap(fmt.Errorf("spool: %w", err), "Files cannot be taken in now; try again.").After(time.Second)
}

// written reports whether it was writing a file that failed.
func written(err error) bool {
	failed, ok := errors.AsType[*fs.PathError](err)
	return ok && failed.Op == "write"
}

// rework turns an image that is not upright, and makes a JPEG of a HEIC.
func (s *Service) rework(ctx context.Context, f *spooled) error {
	if !f.info.Rework() {
		return nil
	}
	out := f.path + ".upright"
	made, err := s.reader.Upright(ctx, f.path, out, f.info.Type, f.info.Orientation)
	if err != nil {
		_ = os.Remove(out) // it may not have come so far
		return fileError(err)
	}
	if err := os.Rename(out, f.path); err != nil {
		return spoolError(err)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return spoolError(err)
	}
	defer func() { _ = file.Close() }() // only read
	stat, err := file.Stat()
	if err != nil {
		return spoolError(err)
	}
	f.info = filetype.Info{Type: made.Type, Size: stat.Size(), Width: made.Width, Height: made.Height, Orientation: 1}
	f.sum, err = sumOf(file)
	return err
}

// put writes the file to the storage under the key.
func (s *Service) put(ctx context.Context, key string, f *spooled) error {
	file, err := os.Open(f.path)
	if err != nil {
		return spoolError(err)
	}
	defer func() { _ = file.Close() }() // only read
	if err := s.blobs.Put(ctx, key, file, f.info.Size, f.info.Type.MIME); err != nil {
		return fmt.Errorf("store a file: %w", err)
	}
	return nil
}

// readForm reads a form, hands over its one file as it comes, and answers the fields beside it.
type readForm = func(take func(name string, from io.Reader) error) (map[string]string, error)

// announcement is what a client says of a file beside sending it.
type announcement struct {
	id  *uuid.UUID // of its own making
	sum string     // SHA-256 of the file as it is sent, in hexadecimal; empty: not told
}

var hexSum = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func announced(fields map[string]string) (announcement, error) {
	var out announcement
	for name, value := range fields {
		switch name {
		case "id":
			id, err := uuid.Parse(value)
			if err != nil || id == uuid.Nil {
				return out, apperr.InvalidField("body.id", "is not a UUID")
			}
			out.id = &id
		case "sha256":
			if !hexSum.MatchString(value) {
				return out, apperr.InvalidField("body.sha256", "must be 64 hexadecimal digits")
			}
			out.sum = value
		default:
			return out, apperr.InvalidField("body."+name, "unexpected property")
		}
	}
	return out, nil
}

// Receive takes a file in and keeps it, and reports whether it is new.
func (s *Service) Receive(ctx context.Context, actor identity.Actor, read readForm) (Upload, bool, error) {
	done, err := s.incoming.enter(ctx, actor.UserID)
	if err != nil {
		return Upload{}, false, err
	}
	defer done()
	var file *spooled
	fields, err := read(func(name string, from io.Reader) (err error) {
		file, err = s.spool(name, from, fileLimit)
		return err
	})
	if file != nil {
		defer file.remove()
	}
	if err != nil {
		return Upload{}, false, err
	}
	said, err := announced(fields)
	if err != nil {
		return Upload{}, false, err
	}
	if err := file.refuseOther(said.sum); err != nil {
		return Upload{}, false, err
	}
	return s.keep(ctx, actor, said.id, file)
}

// refuseOther refuses a file that is not the one that was announced.
func (f *spooled) refuseOther(sum string) error {
	if sum != "" && !strings.EqualFold(sum, hex.EncodeToString(f.sent)) {
		return apperr.DigestMismatch.New("The file arrived with another SHA-256 than was announced.").At("body.sha256", "is not that of the file")
	}
	return nil
}

// keep stores the file and then its row: a crash between the two leaves a blob that the collector knows of.
func (s *Service) keep(ctx context.Context, actor identity.Actor, id *uuid.UUID, f *spooled) (Upload, bool, error) {
	key, err := s.store(ctx, f)
	if err != nil {
		return Upload{}, false, err
	}
	row := uploadRow{ID: uuid.Must(uuid.NewV7()), State: stored, BlobKey: key, CreatedAt: s.Clock.Now(), OwnerID: actor.UserID}
	if id != nil {
		row.ID = *id
	}
	f.describe(&row)
	return s.insert(ctx, row)
}

// store makes the file what is to be kept and writes it to the storage, under a key of its own.
func (s *Service) store(ctx context.Context, f *spooled) (key string, err error) {
	if err := s.rework(ctx, f); err != nil {
		return "", err
	}
	if key, err = s.keys.take(ctx); err != nil {
		return "", err
	}
	return key, s.put(ctx, key, f)
}

// describe makes the row say what the file is.
func (f *spooled) describe(row *uploadRow) {
	row.Filename, row.ContentType = filetype.SafeName(f.name, f.info.Type), f.info.Type.MIME
	row.Size, row.SHA256 = f.info.Size, f.sum
	if f.info.Width > 0 {
		row.Width, row.Height = &f.info.Width, &f.info.Height
	}
}

func (s *Service) insert(ctx context.Context, row uploadRow) (Upload, bool, error) {
	upload, added, _, err := s.announce(ctx, row)
	if added {
		s.work.nudge()
	}
	return upload, added, err
}

// announce adds the row, or answers the one that is there.
func (s *Service) announce(ctx context.Context, row uploadRow) (Upload, bool, uploadRow, error) {
	out, found, err := insertUpload(ctx, s.DB, row)
	switch {
	case err != nil:
	case !found: // its key is no longer reserved, or another with that id is being added this very moment
		err = apperr.ServiceUnavailable.New("The file could not be kept; send it again.").After(time.Second)
	case out.Outcome == "taken":
		err = apperr.IDTaken.New("There is something else with that id.")
	case out.Outcome == "full":
		err = apperr.TooManyUploads.New("You have %d uploads that nothing uses; use or delete some, or wait a day.", mostUnclaimed).After(time.Hour)
	}
	if err != nil {
		return Upload{}, false, uploadRow{}, err
	}
	return out.upload(), out.Outcome == "added", out.uploadRow, nil
}

// UploadOf answers an upload that the actor sees.
func (s *Service) UploadOf(ctx context.Context, actor identity.Actor, id uuid.UUID) (Upload, error) {
	row, err := s.seen(ctx, actor, id)
	return row.upload(), err
}

// DeleteUpload removes one of the actor's uploads that nothing uses.
func (s *Service) DeleteUpload(ctx context.Context, actor identity.Actor, id uuid.UUID) error {
	outcome, found, err := deleteUpload(ctx, s.DB, actor.UserID, id)
	switch {
	case err != nil:
		return err
	case !found:
		return noSuchUpload()
	case outcome == "used":
		return apperr.ImpossibleMove.New("Something uses the file: take it out there.")
	}
	s.collector.nudge()
	return nil
}

func noSuchUpload() error { return apperr.NoSuchThing.New("There is no such file.") }

// uploadRow is an upload as the table has it.
type uploadRow struct {
	ID            uuid.UUID
	OwnerID       uuid.UUID
	State         string
	Filename      string
	ContentType   string
	Size          int64
	SHA256        []byte `db:"sha256"`
	Width         *int
	Height        *int
	PageCount     *int
	BlobKey       string
	ThumbKey      *string
	ThumbWidth    *int
	ThumbHeight   *int
	PreviewKey    *string
	PreviewWidth  *int
	PreviewHeight *int
	CreatedAt     time.Time
}

// The small versions.
const (
	thumb   = "thumb"
	preview = "preview"
)

func (r uploadRow) upload() Upload {
	u := Upload{
		ID: r.ID, State: r.State, Filename: r.Filename, ContentType: r.ContentType, Size: r.Size, Width: r.Width, Height: r.Height,
		PageCount: r.PageCount, Thumbnails: []Thumbnail{}, CreatedAt: r.CreatedAt,
	}
	if r.SHA256 != nil {
		u.SHA256 = new(hex.EncodeToString(r.SHA256))
	}
	add := func(size string, key *string, width, height *int) {
		if key != nil {
			u.Thumbnails = append(u.Thumbnails, Thumbnail{Size: size, Width: *width, Height: *height, URL: "/api/media/" + r.ID.String() + "/?size=" + size})
		}
	}
	add(thumb, r.ThumbKey, r.ThumbWidth, r.ThumbHeight)
	add(preview, r.PreviewKey, r.PreviewWidth, r.PreviewHeight)
	return u
}

// ETag changes when the thumbnails are there, and when the bytes have come.
func (u Upload) ETag() string {
	return fmt.Sprintf(`"%s-%d-%t"`, u.State, len(u.Thumbnails), u.PageCount != nil)
}
