package reader

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klippa-app/go-pdfium"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// maxTextPages is how many pages of a PDF are read at most.
const maxTextPages = 200

// pdfMemory is what PDFium may use, in pages of 64 KiB: 768 MiB.
const pdfMemory = 768 << 4

// pdfs reads PDFs with PDFium, compiled to WebAssembly: it cannot reach anything but the memory that it is given.
type pdfs struct{ pool pdfium.Pool }

func newPDFs(dir string) (*pdfs, error) {
	config, err := runtimeConfig(dir, pdfMemory)
	if err != nil {
		return nil, err
	}
	pool, err := webassembly.Init(webassembly.Config{
		MinIdle: 0, MaxIdle: 1, MaxTotal: 1,
		FSConfig:      wazero.NewFSConfig(), // no files: by itself it would see all of ours
		RuntimeConfig: config.WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling),
		Stdout:        io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, fmt.Errorf("PDFium: %w", err)
	}
	return &pdfs{pool}, nil
}

func (d *decoders) pdf(q question) (answer, error) {
	body, err := os.ReadFile(q.In)
	if err != nil {
		return answer{}, fmt.Errorf("read the file: %w", err)
	}
	instance, err := d.pdfs.pool.GetInstance(time.Minute)
	if err != nil {
		return answer{}, fmt.Errorf("PDFium: %w", err)
	}
	defer func() { _ = instance.Close() }() // all of its memory goes with it
	opened, err := instance.OpenDocument(&requests.OpenDocument{File: &body})
	switch {
	case errors.Is(err, pdfiumerrors.ErrPassword), errors.Is(err, pdfiumerrors.ErrSecurity):
		return answer{}, nil // nobody but its owner reads it
	case err != nil:
		return answer{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	pages, err := (&paper{instance, opened.Document}).read(q.Out, q.Preview)
	return answer{Pages: pages}, err
}

// paper is one PDF.
type paper struct {
	pdfium.Pdfium
	document references.FPDF_DOCUMENT
}

func (p *paper) page(i int) requests.Page {
	return requests.Page{ByIndex: &requests.PageByIndex{Document: p.document, Index: i}}
}

func (p *paper) read(thumb, preview string) (Pages, error) {
	count, err := p.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: p.document})
	if err != nil {
		return Pages{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	out := Pages{Count: count.PageCount}
	if out.Count == 0 {
		return out, nil
	}
	if out.Pictures, err = p.picture(thumb, preview); err != nil {
		return out, err
	}
	out.Text = p.text(out.Count)
	return out, nil
}

// picture draws the first page.
func (p *paper) picture(thumb, preview string) (Pictures, error) {
	drawn, err := p.RenderPageInPixels(&requests.RenderPageInPixels{Page: p.page(0), Width: PreviewSize, Height: PreviewSize})
	if err != nil {
		return Pictures{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer drawn.Cleanup()
	m, ok := drawn.Result.RenderedImage.(*image.RGBA)
	if !ok || m.Rect.Empty() {
		return Pictures{}, fmt.Errorf("%w: its first page is empty", ErrDamaged)
	}
	return small(source{Image: m}, thumb, preview)
}

// text is the text of the first pages; a page whose text cannot be read has none.
func (p *paper) text(count int) string {
	var out strings.Builder
	for i := range min(count, maxTextPages) {
		if page, err := p.GetPageText(&requests.GetPageText{Page: p.page(i)}); err == nil {
			out.WriteString(page.Text)
			out.WriteByte('\n')
		}
		if out.Len() > TextSize {
			break
		}
	}
	return readable(out.String())
}
