package gateway

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/gofiber/fiber/v2"
	swagger "github.com/swaggo/files/v2"

	"hearth.internal/pkg/apperr"
)

//go:embed docs
var docs embed.FS

// pagePolicy lets the page use what this server serves, and nothing else in the world. Swagger UI's styles hold small
// pictures as data.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page is the API document for people.
type page struct{ assets map[string]*asset }

type asset struct {
	tagged
	contentType string
}

var assetTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".png": "image/png", ".svg": "image/svg+xml",
}

func newPage() (*page, error) {
	p := &page{assets: map[string]*asset{}}
	ours, err := fs.Sub(docs, "docs")
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	for name, from := range map[string]fs.FS{
		"index.html": ours, "hearth.js": ours, "hearth.css": ours, "hearth.svg": ours,
		"swagger-ui.css": swagger.FS, "swagger-ui-bundle.js": swagger.FS,
	} {
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, fmt.Errorf("docs: %w", err)
		}
		p.assets[name] = &asset{tagged: tagged{body: raw, etag: etagOf(raw)}, contentType: assetTypes[path.Ext(name)]}
	}
	return p, nil
}

// servePage answers GET /api/docs/ and what that page is made of.
func (g *Gateway) servePage(x *exchange) error {
	name := path.Base(string(x.c.Request().URI().PathOriginal()))
	if name == "docs" {
		name = "index.html"
	}
	a := g.page.assets[name]
	if a == nil {
		return apperr.RouteNotFound.New("There is nothing at this address.")
	}
	x.c.Set(fiber.HeaderContentSecurityPolicy, pagePolicy)
	x.c.Set(fiber.HeaderXFrameOptions, "DENY")
	x.c.Set(fiber.HeaderCacheControl, "public, no-cache")
	x.c.Set("Cross-Origin-Opener-Policy", "same-origin")
	x.c.Status(http.StatusOK)
	return answerTagged(x, &a.tagged, a.contentType)
}
