package report_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/ledongthuc/pdf"
)

// written is one text on a page as another library reads it.
type written struct {
	text string
	font string
	size float64
	x, y float64 // of its beginning, from the lower left corner
	end  float64 // where it ends
}

type readPage struct {
	width, height float64
	texts         []written
	images        int
}

// lines are the page's texts as they come.
func (p readPage) lines() []string {
	out := make([]string, len(p.texts))
	for i, w := range p.texts {
		out[i] = w.text
	}
	return out
}

func (p readPage) has(text string) bool { return slices.Contains(p.lines(), text) }

// readFont is what the document says of an embedded font.
type readFont struct {
	name   string
	bytes  int64 // of the embedded file, unpacked
	glyphs []byte
	widths map[int]float64
	other  float64
}

// shows reports whether the embedded font has a glyph of its own for the character.
func (f readFont) shows(unit uint16) bool {
	return int(unit)*2+1 < len(f.glyphs) && (f.glyphs[int(unit)*2] != 0 || f.glyphs[int(unit)*2+1] != 0)
}

type readReport struct {
	pages []readPage
	fonts map[string]readFont
	size  int
}

func (r readReport) all() string {
	var b strings.Builder
	for _, p := range r.pages {
		b.WriteString(strings.Join(p.lines(), "\n") + "\n")
	}
	return b.String()
}

// opened reads a report back.
func opened(t *testing.T, raw []byte) readReport {
	t.Helper()
	doc, err := pdf.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	r := readReport{fonts: map[string]readFont{}, size: len(raw)}
	for i := range doc.NumPage() {
		page := doc.Page(i + 1)
		for _, name := range page.Fonts() {
			if _, known := r.fonts[name]; !known {
				r.fonts[name] = readFontOf(t, page.Font(name).V)
			}
		}
		r.pages = append(r.pages, r.page(t, page))
	}
	return r
}

func readFontOf(t *testing.T, v pdf.Value) readFont {
	t.Helper()
	cid := v.Key("DescendantFonts").Index(0)
	file := cid.Key("FontDescriptor").Key("FontFile2")
	f := readFont{name: v.Key("BaseFont").Name(), bytes: file.Key("Length1").Int64(), widths: map[int]float64{}, other: cid.Key("DW").Float64()}
	glyphs, err := io.ReadAll(cid.Key("CIDToGIDMap").Reader())
	if err != nil {
		t.Fatal(err)
	}
	f.glyphs = glyphs
	for w, i := cid.Key("W"), 0; i < w.Len(); {
		first := int(w.Index(i).Int64())
		if list := w.Index(i + 1); list.Kind() == pdf.Array {
			for k := range list.Len() {
				f.widths[first+k] = list.Index(k).Float64()
			}
			i += 2
			continue
		}
		for c := first; c <= int(w.Index(i+1).Int64()); c++ {
			f.widths[c] = w.Index(i + 2).Float64()
		}
		i += 3
	}
	return f
}

func (r readReport) page(t *testing.T, page pdf.Page) readPage {
	t.Helper()
	box := page.V.Key("MediaBox")
	if box.IsNull() {
		box = page.V.Key("Parent").Key("MediaBox")
	}
	p := readPage{width: box.Index(2).Float64(), height: box.Index(3).Float64()}
	var at written
	pdf.Interpret(page.V.Key("Contents"), func(stack *pdf.Stack, op string) {
		args := make([]pdf.Value, stack.Len())
		for i := len(args) - 1; i >= 0; i-- {
			args[i] = stack.Pop()
		}
		switch op {
		case "Tf":
			at.font, at.size = args[0].Name(), args[1].Float64()
		case "Td":
			at.x, at.y = args[0].Float64(), args[1].Float64()
		case "Tj":
			units := unitsOf(args[0].RawString())
			w := at
			w.text, w.end = string(utf16.Decode(units)), at.x
			for _, u := range units {
				wide, known := r.fonts[at.font].widths[int(u)]
				if !known {
					wide = r.fonts[at.font].other
				}
				w.end += wide / 1000 * at.size
			}
			p.texts = append(p.texts, w)
		case "Do":
			p.images++
		}
	})
	return p
}

// unitsOf are a text's characters as they stand in the page: two bytes each.
func unitsOf(raw string) []uint16 {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	return units
}

// sound fails the test where a report is not what every report must be: numbered, with subsets of embedded fonts that
// have each of its characters, and with nothing beyond the edge of a page.
func sound(t *testing.T, r readReport) {
	t.Helper()
	for name, f := range r.fonts {
		if f.bytes == 0 || f.bytes > 200_000 {
			t.Errorf("font %s (%s): %d bytes are embedded", name, f.name, f.bytes)
		}
	}
	for i, p := range r.pages {
		if number := fmt.Sprintf("page %d of %d", i+1, len(r.pages)); !p.has(number) {
			t.Errorf("page %d does not say %q", i+1, number)
		}
		for _, w := range p.texts {
			if w.x < 40 || w.end > p.width-40 || w.y < 24 || w.y > p.height-24 {
				t.Errorf("page %d of %.0f by %.0f: %q runs from %.1f to %.1f at %.1f", i+1, p.width, p.height, w.text, w.x, w.end, w.y)
			}
			for _, u := range utf16.Encode([]rune(w.text)) {
				if !r.fonts[w.font].shows(u) {
					t.Errorf("page %d: %q has no glyph for %q in %s", i+1, w.text, rune(u), r.fonts[w.font].name)
				}
			}
		}
	}
}
