package document

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document/blob"
	"hearth.internal/document/filetype"
	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

const (
	// mediaTime bounds one download.
	mediaTime = 10 * time.Minute
	// linkTime is how long a signed address of the storage is good for: long enough to follow a redirect.
	linkTime = 2 * time.Minute
)

// Media is a file, or a small version of one, as it is handed out.
type Media struct {
	ETag        string
	ContentType string
	Disposition string
	size        int64 // below 0: not known
	key         string
}

// seen answers an upload that the actor sees.
func (s *Service) seen(ctx context.Context, actor identity.Actor, id uuid.UUID) (uploadRow, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return uploadRow{}, err
	}
	row, found, err := readUpload(ctx, s.DB, actor, homes, id)
	if err != nil {
		return uploadRow{}, err
	}
	if found && !row.Seen {
		row.Seen, err = s.knows(ctx, homes, row.Faces)
	}
	if err == nil && (!found || !row.Seen) {
		err = noSuchUpload()
	}
	return row.uploadRow, err
}

// knows reports whether one of the people, whose avatar it is, lives in one of the residences.
func (s *Service) knows(ctx context.Context, homes []access.Home, people []uuid.UUID) (bool, error) {
	mine := access.IDs(homes)
	for _, person := range people { // one, but for a picture that two have taken for theirs
		theirs, err := s.Access.HomesOf(ctx, person)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(access.IDs(theirs), func(id uuid.UUID) bool { return slices.Contains(mine, id) }) {
			return true, nil
		}
	}
	return false, nil
}

// MediaOf answers a file that the actor sees, in the size that is wanted.
func (s *Service) MediaOf(ctx context.Context, actor identity.Actor, id uuid.UUID, size string, download bool) (Media, error) {
	row, err := s.seen(ctx, actor, id)
	if err != nil {
		return Media{}, err
	}
	return row.media(size, download)
}

// media is the file in that size. While an image has no small versions yet, it is the image itself.
func (r uploadRow) media(size string, download bool) (Media, error) {
	if r.State != stored {
		return Media{}, noSuchUpload()
	}
	m := Media{ContentType: r.ContentType, size: r.Size, key: r.BlobKey, ETag: r.etag("")}
	name := r.Filename
	if small := map[string]*string{thumb: r.ThumbKey, preview: r.PreviewKey}[size]; small != nil {
		m = Media{ContentType: filetype.JPEG.MIME, size: -1, key: *small, ETag: r.etag("-" + size)}
		name = strings.TrimSuffix(name, extension(name)) + "-" + size + filetype.JPEG.Ext
	} else if size != "" && !strings.HasPrefix(r.ContentType, "image/") {
		return Media{}, apperr.NoSuchThing.New("There is no small version of this file, or not yet.")
	}
	how := "attachment"
	if !download && (strings.HasPrefix(m.ContentType, "image/") || m.ContentType == filetype.PDFFile.MIME) {
		how = "inline"
	}
	m.Disposition = mime.FormatMediaType(how, map[string]string{"filename": name})
	return m, nil
}

func extension(name string) string {
	if at := strings.LastIndexByte(name, '.'); at > 0 {
		return name[at:]
	}
	return ""
}

func (r uploadRow) etag(version string) string {
	return `"` + hex.EncodeToString(r.SHA256[:16]) + version + `"`
}

// link is a signed address of the storage, or empty when it has none.
func (s *Service) link(ctx context.Context, m Media) (string, error) {
	address, err := s.blobs.Link(ctx, m.key, blob.LinkOptions{ContentType: m.ContentType, Disposition: m.Disposition, For: linkTime})
	if errors.Is(err, blob.ErrUnsupported) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("link to a file: %w", err)
	}
	return address, nil
}

// flow is the file itself, or the part of it that is wanted.
func (s *Service) flow(ctx context.Context, m Media, wanted httpx.Range) (httpx.Flow, error) {
	from, length, ranged, err := int64(0), m.size, false, error(nil)
	if m.size >= 0 { // of a small version nobody wants a part
		if from, length, ranged, err = wanted.Of(m.size, m.ETag); err != nil {
			return httpx.Flow{}, err
		}
	}
	// The answer is sent when the operation has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mediaTime)
	body, err := s.blobs.Open(ctx, m.key, from, length)
	if err != nil {
		cancel()
		if errors.Is(err, blob.ErrNotFound) {
			err = fmt.Errorf("the storage has lost %s: %w", m.key, err)
		}
		return httpx.Flow{}, fmt.Errorf("open a file: %w", err)
	}
	out := httpx.Flow{Status: http.StatusOK, From: ending{body, cancel}, Size: length, Header: m.header()}
	if ranged {
		out.Status, out.Header["Content-Range"] = http.StatusPartialContent, httpx.ContentRange(from, length, m.size)
	}
	return out, nil
}

// header is for what a browser may be made to do with a file: nothing but show an image or a PDF.
func (m Media) header() map[string]string {
	h := map[string]string{
		"Content-Type": m.ContentType, "Content-Disposition": m.Disposition, "ETag": m.ETag, "Cache-Control": "private, no-cache",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
	}
	if m.ContentType == filetype.PDFFile.MIME {
		h["Content-Security-Policy"] = "default-src 'none'; object-src 'self'; plugin-types application/pdf" // a sandbox shows no PDF
	}
	if m.size >= 0 {
		h["Accept-Ranges"] = "bytes"
	}
	return h
}

// ending is a body whose end ends its context.
type ending struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close is called by the server when the client has everything, or has gone.
func (e ending) Close() error {
	defer e.cancel()
	return e.ReadCloser.Close() // a closer hands on what it gets
}
