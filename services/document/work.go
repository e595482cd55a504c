package document

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"hearth.internal/document/blob"
	"hearth.internal/document/filetype"
	"hearth.internal/document/reader"
	"hearth.internal/pkg/apperr"
)

const (
	workEvery = 5 * time.Second  // without a nudge
	workLease = 3 * time.Minute  // then another may try
	workTries = 5                // then it is given up
	workPause = 20 * time.Second // after the first failure, doubled with each
)

// loop does the work when the alarm rings and else again and again, until ctx ends.
func (s *Service) loop(ctx context.Context, interval time.Duration, wake alarm, failure string, work func(context.Context) error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, failure, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-wake:
		}
	}
}

// workAll makes what uploads are to have beside their bytes, until nothing is left to do.
func (s *Service) workAll(ctx context.Context) error {
	for ctx.Err() == nil {
		row, found, err := leaseWork(ctx, s.DB, s.Clock.Now())
		if err != nil || !found {
			return err
		}
		if row.WorkTries > workTries { // whoever tried before has not lived to tell
			err = failWork(ctx, s.DB, row.ID)
		} else {
			err = s.workOn(ctx, row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// workOn looks into one upload and notes what came of it. A lease that ends without that is another try.
func (s *Service) workOn(ctx context.Context, row leasedUpload) error {
	found, err := s.look(ctx, row.uploadRow)
	switch {
	case err == nil:
		err = finishWork(ctx, s.DB, row.ID, found)
		s.Relay.Nudge()
		return err
	case ctx.Err() != nil:
		return nil //nolint:nilerr // the service stops: the lease runs out
	case apperr.ServiceUnavailable.Has(err): // that is not the file's fault, however often
		s.Log.WarnContext(ctx, "an upload waits for room to be looked into, or for the storage", "upload", row.ID, "error", err)
		return waitForStorage(ctx, s.DB, row.ID, s.Clock.Now().Add(workPause))
	case errors.Is(err, reader.ErrDamaged), errors.Is(err, blob.ErrNotFound), errors.Is(err, errAltered), row.WorkTries >= workTries:
		s.Log.WarnContext(ctx, "an upload stays without thumbnails and text", "upload", row.ID, "error", err)
		return failWork(ctx, s.DB, row.ID)
	}
	s.Log.WarnContext(ctx, "an upload is looked into again later", "upload", row.ID, "error", err)
	return postponeWork(ctx, s.DB, row.ID, s.Clock.Now().Add(workPause<<row.WorkTries))
}

// insight is what was found in an upload.
type insight struct {
	pages          int
	text           string
	small          reader.Pictures
	thumb, preview string // keys; empty: none
}

// errAltered: the storage has other bytes than were stored.
var errAltered = errors.New("the bytes are not those that were stored")

func (s *Service) look(ctx context.Context, row uploadRow) (insight, error) {
	file, err := s.copyOut(ctx, row)
	if err != nil {
		return insight{}, err
	}
	small := [2]string{file + ".thumb", file + ".preview"}
	defer func() {
		for _, path := range append(small[:], file) {
			_ = os.Remove(path) // not all of them were made
		}
	}()
	var found insight
	kind := filetype.ByMIME(row.ContentType)
	switch kind.Kind {
	case filetype.Image:
		found.small, err = s.reader.Thumbnails(ctx, file, kind, small[0], small[1])
	case filetype.PDF:
		var pages reader.Pages
		pages, err = s.reader.PDF(ctx, file, small[0], small[1])
		found.pages, found.text, found.small = pages.Count, pages.Text, pages.Pictures
	default:
		found.text, err = s.reader.Text(ctx, file, kind)
	}
	if err != nil || found.small.Thumb.Width == 0 {
		return found, err
	}
	if found.thumb, err = s.putSmall(ctx, small[0]); err == nil {
		found.preview, err = s.putSmall(ctx, small[1])
	}
	return found, err
}

// copyOut copies an upload out of the storage, and makes sure that it is what was stored.
func (s *Service) copyOut(ctx context.Context, row uploadRow) (path string, err error) {
	from, err := s.blobs.Open(ctx, row.BlobKey, 0, -1)
	if err != nil {
		return "", fmt.Errorf("open an upload: %w", err)
	}
	defer func() { _ = from.Close() }() // only read
	file, err := os.CreateTemp(s.spoolDir, spoolPattern)
	if err != nil {
		return "", spoolError(err)
	}
	sum, err := copySum(file, from)
	if closeErr := file.Close(); err == nil && closeErr != nil {
		err = spoolError(closeErr)
	}
	if written(err) {
		err = spoolError(err)
	}
	if err == nil && string(sum) != string(row.SHA256) {
		err = errAltered
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the error to tell is the first
		return "", fmt.Errorf("copy an upload: %w", err)
	}
	return file.Name(), nil
}

// putSmall stores a small version.
func (s *Service) putSmall(ctx context.Context, path string) (key string, err error) {
	file, err := os.Open(path) //nolint:gosec // our own spool
	if err != nil {
		return "", fmt.Errorf("small version: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	stat, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("small version: %w", err)
	}
	if key, err = s.keys.take(ctx); err != nil {
		return "", err
	}
	if err := s.blobs.Put(ctx, key, file, stat.Size(), filetype.JPEG.MIME); err != nil {
		return "", fmt.Errorf("store a small version: %w", err)
	}
	return key, nil
}

// copySum copies and answers the SHA-256 of what it copied.
func copySum(to io.Writer, from io.Reader) ([]byte, error) {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(to, h), from); err != nil {
		return nil, fmt.Errorf("copy: %w", err)
	}
	return h.Sum(nil), nil
}
