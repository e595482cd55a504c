package internalapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/roundtrip"
)

// maxMedia is how much of a file Media hands on.
const maxMedia = 8 << 20

// Media opens a file, or a small version of one: GET /internal/media/{upload_id}. It flows as it is read, up to 8 MiB;
// whoever gets it closes it, and reads it while the context lives.
func (d Document) Media(ctx context.Context, upload uuid.UUID, size string) (io.ReadCloser, error) {
	return open(ctx, d.remote, "/internal/media/"+upload.String()+"?size="+url.QueryEscape(size))
}

// open answers a body that is still coming. Its beginning comes in the time of any call, by the transport's bounds, or not
// at all; it is not asked for twice.
func open(ctx context.Context, r remote, path string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	trips := roundtrip.From(ctx)
	mark := trips.Begin()
	var body io.ReadCloser
	_, err := r.breaker.Execute(func() ([]byte, error) {
		resp, err := r.send(ctx, http.MethodGet, path, false, nil)
		if err != nil {
			return nil, err
		}
		trips.Add(mark, resp.Header.Get("Server-Timing"))
		if resp.StatusCode >= http.StatusBadRequest {
			defer func() { _ = resp.Body.Close() }()
			problem, _ := io.ReadAll(io.LimitReader(resp.Body, maxMedia)) // a part of it is no problem document, and then the status tells
			return nil, apperr.Parse(resp.StatusCode, problem)
		}
		body = resp.Body
		return nil, nil
	})
	if err != nil {
		cancel()
		if refused := notMade(err); refused != nil {
			return nil, refused
		}
		return nil, fmt.Errorf("open %s at %s: %w", path, r.name, err)
	}
	return opened{io.LimitReader(body, maxMedia), body, cancel}, nil
}

// opened is a body whose end ends its context.
type opened struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

// Close lets go of the rest.
func (o opened) Close() error {
	defer o.cancel()
	return o.body.Close() // a closer hands on what it gets
}
