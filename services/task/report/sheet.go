package report

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

type rgb struct{ r, g, b int }

func (c rgb) split() (int, int, int) { return c.r, c.g, c.b }

// The colours. Those of the statuses are the board's.
var (
	white    = rgb{255, 255, 255}
	night    = rgb{27, 42, 52}    // the cover's ground
	mist     = rgb{190, 203, 210} // text on it
	ember    = rgb{226, 112, 58}  // the accent
	ink      = rgb{31, 41, 51}
	muted    = rgb{107, 119, 132}
	hairline = rgb{223, 228, 232}
	ground   = rgb{246, 247, 248} // of cards
	faint    = rgb{250, 251, 251} // of every other row
	gold     = rgb{217, 145, 20}
)

// Space, in points.
const (
	margin     = 44.0
	headRoom   = 46.0 // above the first line of a page
	footRoom   = 54.0 // below the last
	footLine   = 30.0
	lead       = 1.38 // line to line, in sizes
	sectionGap = 26.0
)

var (
	body      = style{size: 8.6, color: ink}
	bodyBold  = style{size: 8.6, bold: true, color: ink}
	small     = style{size: 7.6, color: muted}
	caption   = style{size: 7, bold: true, color: muted}
	sectionHd = style{size: 14, bold: true, color: ink}
	partHd    = style{size: 10, bold: true, color: ink}
)

func (s style) lead() float64 { return s.size * lead }

// baseline is how far below the top of a line its text stands.
func (s style) baseline() float64 { return s.size * 1.06 }

// sheet is the document while it is drawn: y is where the next thing goes.
type sheet struct {
	*typesetter
	locale
	ctx        context.Context // it lives as long as the call that it is of
	wide, high float64
	y          float64
	foot       string
	photosLeft int
	photosOut  int // left out
}

// newSheet begins a document with an empty page.
func newSheet(ctx context.Context, h Head, title string) (*sheet, error) {
	size := "A4"
	if h.Paper == Letter {
		size = "Letter"
	}
	pdf := fpdf.New("P", "pt", size, "")
	pdf.SetMargins(0, 0, 0)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCompression(true)
	pdf.SetTitle(clean(title+": "+h.Residence), true)
	pdf.SetCreator("Hearth", true)
	pdf.SetLang("en")
	year, month, dom := h.MadeOn.Date()
	made := time.Date(year, month, dom, 0, 0, 0, 0, time.UTC)
	pdf.SetCreationDate(made)
	pdf.SetModificationDate(made)
	t, err := newTypesetter(pdf)
	if err != nil {
		return nil, err
	}
	s := &sheet{typesetter: t, locale: newLocale(h.Locale, h.Currency), ctx: ctx, photosLeft: maxPhotos}
	s.wide, s.high = pdf.GetPageSize()
	s.foot = h.Residence + "  ·  " + title
	s.newPage()
	return s, nil
}

// inner is the width between the margins.
func (s *sheet) inner() float64 { return s.wide - 2*margin }

// edge is the right end of what is between the margins.
func (s *sheet) edge() float64 { return s.wide - margin }

func (s *sheet) newPage() {
	if s.ctx.Err() != nil {
		s.pdf.SetError(s.ctx.Err()) // nothing more is drawn
	}
	s.pdf.AddPage()
	s.y = headRoom
}

// room is what is left of the page.
func (s *sheet) room() float64 { return s.high - footRoom - s.y }

// need goes on to the next page if so much does not fit on this one, and reports whether it did.
func (s *sheet) need(height float64) bool {
	if height <= s.room() || s.y <= headRoom {
		return false
	}
	s.newPage()
	return true
}

func (s *sheet) fill(x, y, w, h float64, c rgb) {
	s.pdf.SetFillColor(c.split())
	s.pdf.Rect(x, y, w, h, "F")
}

func (s *sheet) rounded(x, y, w, h, radius float64, c rgb) {
	s.pdf.SetFillColor(c.split())
	s.pdf.RoundedRect(x, y, w, h, radius, "1234", "F")
}

func (s *sheet) rule(x1, x2, y, thickness float64, c rgb) {
	s.pdf.SetDrawColor(c.split())
	s.pdf.SetLineWidth(thickness)
	s.pdf.Line(x1, y, x2, y)
}

// right draws a text that ends at x.
func (s *sheet) right(text string, x, y float64, st style) {
	s.draw(text, x-s.measure(text, st), y, st)
}

func (s *sheet) centre(text string, x, y float64, st style) {
	s.draw(text, x-s.measure(text, st)/2, y, st)
}

// lines draws lines one below the other from the top y, and answers where the next would go.
func (s *sheet) lines(lines []string, x, y float64, st style) float64 {
	for _, line := range lines {
		s.draw(line, x, y+st.baseline(), st)
		y += st.lead()
	}
	return y
}

// paragraph flows from page to page.
func (s *sheet) paragraph(text string, x, width float64, st style) {
	for _, line := range s.wrap(text, width, st) {
		s.need(st.lead())
		s.y = s.lines([]string{line}, x, s.y, st)
	}
}

// section begins a part of the report, with at least so much of it on the same page.
func (s *sheet) section(title, note string, c rgb, atLeast float64) {
	if s.y > headRoom {
		s.y += sectionGap
	}
	s.need(32 + atLeast)
	s.fill(margin, s.y+1.5, 4, 14, c)
	s.draw(title, margin+13, s.y+13.5, sectionHd)
	if note != "" {
		s.draw(note, margin+13+s.measure(title, sectionHd)+9, s.y+13.5, small.in(muted))
	}
	s.pdf.Bookmark(title, 0, s.y)
	s.y += 30
}

// part is a heading inside of a section.
func (s *sheet) part(title string, atLeast float64) {
	s.need(20 + atLeast)
	s.draw(title, margin, s.y+10, partHd)
	s.y += 20
}

// finish puts the footers on all pages, now that their number is known, and writes the document.
func (s *sheet) finish(w io.Writer) error {
	pages := s.pdf.PageCount()
	for page := 1; page <= pages; page++ {
		s.pdf.SetPage(page)
		// fpdf believes that the font and the colour of the page before are set on this one.
		s.pdf.SetFont(s.faces[regular].name, "", 1)
		s.pdf.SetFillColor(white.split())
		y := s.high - footLine
		s.rule(margin, s.edge(), y-14, 0.5, hairline)
		s.draw(s.oneLine(s.foot, s.inner()-110, small), margin, y, small)
		s.right("page "+strconv.Itoa(page)+" of "+strconv.Itoa(pages), s.edge(), y, small)
	}
	if err := s.ctx.Err(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := s.pdf.Output(w); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// closing says what the report does not show.
func (s *sheet) closing(notes ...string) {
	if s.photosOut > 0 {
		notes = append(notes, "A report shows up to "+s.number(maxPhotos)+" photos: "+s.counted(s.photosOut, "more photo is", "more photos are")+" in Hearth.")
	}
	if len(s.missing) > 0 {
		notes = append(notes, "Characters of scripts that this report's fonts do not have are shown as \ufffd.")
	}
	notes = slices.DeleteFunc(notes, func(note string) bool { return note == "" })
	if len(notes) == 0 {
		return
	}
	s.y += sectionGap
	s.need(40)
	s.rule(margin, s.edge(), s.y, 0.5, hairline)
	s.y += 8
	for _, note := range notes {
		s.paragraph(note, margin, s.inner(), small)
	}
}
