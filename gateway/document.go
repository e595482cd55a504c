package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/errgroup"

	"hearth.internal/pkg/boot"
)

const (
	documentEvery = 30 * time.Second // a service may have been replaced by a newer one
	documentTime  = 2 * time.Second
	documentRetry = time.Second // while a service is missing, those who ask for the document make us look this often
)

// document is the API document, merged from the services' parts.
type document struct {
	current atomic.Pointer[tagged]
	missing atomic.Bool // a service has not told its part yet

	mu    sync.Mutex
	tried time.Time
	parts map[string]part // by service, the last that it told; the gateway's own among them
}

// serveDocument answers GET /api/openapi.json.
func (g *Gateway) serveDocument(x *exchange) error {
	if g.document.current.Load() == nil || g.document.missing.Load() {
		g.refreshDocument(x.ctx, documentRetry)
	}
	x.c.Set(fiber.HeaderCacheControl, "public, no-cache")
	return answerTagged(x, g.document.current.Load(), fiber.MIMEApplicationJSON)
}

// keepDocument refreshes the document until ctx ends.
func (g *Gateway) keepDocument(ctx context.Context) {
	for ctx.Err() == nil {
		g.refreshDocument(ctx, 0)
		select {
		case <-ctx.Done():
		case <-time.After(documentEvery):
		}
	}
}

// refreshDocument asks every service for its part and keeps the last that is known of one that does not answer. It does
// nothing when the last look is less than pause ago.
func (g *Gateway) refreshDocument(ctx context.Context, pause time.Duration) {
	d := &g.document
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current.Load() != nil && time.Since(d.tried) < pause {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), documentTime)
	defer cancel()
	var mu sync.Mutex
	var group errgroup.Group
	told := map[string]part{}
	for name, up := range g.upstreams {
		group.Go(func() error {
			p, err := askPart(ctx, up)
			if err != nil {
				g.log.DebugContext(ctx, "no API document", "of", name, "error", err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			told[name] = p
			return nil
		})
	}
	_ = group.Wait() // no question fails
	maps.Copy(d.parts, told)
	d.tried = time.Now()
	raw, err := json.Marshal(merge(g.table, d.parts, boot.Version))
	if err != nil {
		g.log.ErrorContext(ctx, "API document", "error", err)
		return
	}
	d.missing.Store(len(d.parts) <= len(g.upstreams))
	if last := d.current.Load(); last == nil || last.etag != etagOf(raw) {
		d.current.Store(&tagged{body: raw, etag: etagOf(raw)})
		if lost := undocumented(g.table, d.parts); len(lost) > 0 && !d.missing.Load() {
			g.log.WarnContext(ctx, "routes of the table that no service describes", "routes", lost)
		}
	}
}

func askPart(ctx context.Context, up *upstream) (part, error) {
	raw, err := up.part.Document(ctx)
	if err != nil {
		return part{}, err // names the service
	}
	var p part
	if err := json.Unmarshal(raw, &p); err != nil {
		return part{}, fmt.Errorf("API document of %s: %w", up.name, err)
	}
	return p, nil
}

// etagOf is the entity tag of these bytes.
func etagOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}
