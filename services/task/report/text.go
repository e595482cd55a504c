package report

import (
	"embed"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"
)

//go:embed fonts/*.ttf
var fontFiles embed.FS

// face is one of the fonts.
type face struct {
	name     string
	file     []byte
	font     *sfnt.Font
	unitsPer float64
	// outlined glyphs are drawn as shapes: fpdf's text knows no characters beyond U+FFFF, where most emoji are.
	outlined bool
}

// The fonts' places.
const (
	regular = iota
	bold
	cjk
	emoji
)

// faces are read once: they are the same for every report, and nobody writes to them.
var faces = sync.OnceValues(func() ([]face, error) {
	out := []face{{name: "NotoSans-Regular"}, {name: "NotoSans-Bold"}, {name: "WenQuanYiMicroHei"}, {name: "NotoEmoji-Regular", outlined: true}}
	for i := range out {
		f := &out[i]
		var err error
		if f.file, err = fontFiles.ReadFile("fonts/" + f.name + ".ttf"); err != nil {
			return nil, fmt.Errorf("font: %w", err)
		}
		if f.font, err = sfnt.Parse(f.file); err != nil {
			return nil, fmt.Errorf("font %s: %w", f.name, err)
		}
		f.unitsPer = float64(f.font.UnitsPerEm())
	}
	return out, nil
})

// style is how a text looks.
type style struct {
	size  float64
	bold  bool
	color rgb
}

func (s style) in(c rgb) style { s.color = c; return s }

// glyph is a character as it is shown.
type glyph struct {
	face    int
	shown   rune
	index   sfnt.GlyphIndex
	advance float64 // at size 1
}

type styledRune struct {
	r    rune
	bold bool
}

// typesetter measures and draws text in the fonts that have its characters.
type typesetter struct {
	pdf    *fpdf.Fpdf
	faces  []face
	added  map[int]bool // to the document
	glyphs map[styledRune]glyph
	buffer sfnt.Buffer
	// missing are characters that no font has.
	missing map[rune]bool
}

func newTypesetter(pdf *fpdf.Fpdf) (*typesetter, error) {
	all, err := faces()
	return &typesetter{pdf: pdf, faces: all, added: map[int]bool{}, glyphs: map[styledRune]glyph{}, missing: map[rune]bool{}}, err
}

// clean is the text as it is drawn: composed, and without what has no look of its own. Only line feeds control.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			return -1 // joiners among them: an emoji that is made of several shows them side by side
		case r >= 0x1f3fb && r <= 0x1f3ff:
			return -1 // tones of skin: the emoji are of one colour
		}
		return r
	}, norm.NFC.String(strings.ToValidUTF8(text, "\ufffd")))
}

// glyph finds the first font that has the character. What none has is shown as the replacement character.
func (t *typesetter) glyph(r rune, isBold bool) glyph {
	key := styledRune{r, isBold}
	if g, known := t.glyphs[key]; known {
		return g
	}
	first := regular
	if isBold {
		first = bold
	}
	for _, i := range []int{first, cjk, emoji} {
		if r > 0xffff && !t.faces[i].outlined {
			continue
		}
		if g, ok := t.inFace(i, r); ok {
			t.glyphs[key] = g
			return g
		}
	}
	t.missing[r] = true
	g, _ := t.inFace(first, '\ufffd')
	t.glyphs[key] = g
	return g
}

func (t *typesetter) inFace(i int, r rune) (glyph, bool) {
	f := t.faces[i]
	index, err := f.font.GlyphIndex(&t.buffer, r)
	if err != nil || index == 0 {
		return glyph{}, false
	}
	units := fixed.Int26_6(f.font.UnitsPerEm())
	advance, err := f.font.GlyphAdvance(&t.buffer, index, units, font.HintingNone)
	if err != nil {
		return glyph{}, false
	}
	return glyph{face: i, shown: r, index: index, advance: float64(advance) / f.unitsPer}, true
}

// measure is the text's width.
func (t *typesetter) measure(text string, s style) float64 {
	total := 0.0
	for _, r := range text {
		total += t.glyph(r, s.bold).advance
	}
	return total * s.size
}

// draw puts the text on the page with its baseline at y.
func (t *typesetter) draw(text string, x, y float64, s style) {
	t.pdf.SetTextColor(s.color.split())
	var run strings.Builder
	runFace, runX := -1, x
	flush := func() {
		if run.Len() > 0 {
			t.drawRun(run.String(), runFace, runX, y, s)
			run.Reset()
		}
	}
	for _, r := range text {
		g := t.glyph(r, s.bold)
		if t.faces[g.face].outlined {
			flush()
			t.drawOutline(g, x, y, s)
		} else {
			if g.face != runFace {
				flush()
			}
			if run.Len() == 0 {
				runFace, runX = g.face, x
			}
			run.WriteRune(g.shown)
		}
		x += g.advance * s.size
	}
	flush()
}

// drawRun draws text of one font. The font for Chinese, Japanese and Korean has one weight: its outline is drawn along
// for bold.
func (t *typesetter) drawRun(text string, i int, x, y float64, s style) {
	f := t.faces[i]
	if !t.added[i] {
		t.pdf.AddUTF8FontFromBytes(f.name, "", f.file)
		t.added[i] = true
	}
	t.pdf.SetFont(f.name, "", s.size)
	if i == cjk && s.bold {
		t.pdf.SetDrawColor(s.color.split())
		t.pdf.SetLineWidth(s.size * 0.02)
		t.pdf.SetTextRenderingMode(2)
		defer t.pdf.SetTextRenderingMode(0)
	}
	t.pdf.Text(x, y, text)
}

func (t *typesetter) drawOutline(g glyph, x, y float64, s style) {
	f := t.faces[g.face]
	segments, err := f.font.LoadGlyph(&t.buffer, g.index, fixed.Int26_6(f.font.UnitsPerEm()), nil)
	if err != nil || len(segments) == 0 {
		return
	}
	at := func(p fixed.Point26_6) (float64, float64) {
		return x + float64(p.X)/f.unitsPer*s.size, y + float64(p.Y)/f.unitsPer*s.size
	}
	t.pdf.SetFillColor(s.color.split())
	for i, segment := range segments {
		ax, ay := at(segment.Args[0])
		bx, by := at(segment.Args[1])
		switch segment.Op {
		case sfnt.SegmentOpMoveTo:
			if i > 0 {
				t.pdf.ClosePath()
			}
			t.pdf.MoveTo(ax, ay)
		case sfnt.SegmentOpLineTo:
			t.pdf.LineTo(ax, ay)
		case sfnt.SegmentOpQuadTo:
			t.pdf.CurveTo(ax, ay, bx, by)
		case sfnt.SegmentOpCubeTo:
			cx, cy := at(segment.Args[2])
			t.pdf.CurveBezierCubicTo(ax, ay, bx, by, cx, cy)
		}
	}
	t.pdf.ClosePath()
	t.pdf.DrawPath("F")
}

// wrap breaks the text into lines of at most that width: at line feeds, after spaces and hyphens, between Chinese and
// Japanese characters, and where nothing else helps inside of a word.
func (t *typesetter) wrap(text string, width float64, s style) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(clean(text), "\n") {
		lines = append(lines, t.wrapParagraph([]rune(strings.TrimSpace(paragraph)), width, s)...)
	}
	return lines
}

func (t *typesetter) wrapParagraph(text []rune, width float64, s style) []string {
	var lines []string
	start, lastBreak, used := 0, 0, 0.0
	for i := 0; i < len(text); i++ {
		if i > start && mayBreak(text[i-1], text[i]) {
			lastBreak = i
		}
		used += t.glyph(text[i], s.bold).advance * s.size
		if used <= width || i == start || text[i] == ' ' {
			continue
		}
		end := lastBreak
		if end <= start {
			end = insideWord(text, start, i)
		}
		lines = append(lines, strings.TrimRight(string(text[start:end]), " "))
		for end < len(text) && text[end] == ' ' {
			end++
		}
		start, lastBreak, used = end, end, 0
		i = end - 1
	}
	return append(lines, strings.TrimRight(string(text[start:]), " "))
}

// insideWord is where to break a word that is too long: never before a mark that belongs to the letter before it.
func insideWord(text []rune, start, at int) int {
	for i := at; i > start+1; i-- {
		if !unicode.Is(unicode.Mn, text[i]) {
			return i
		}
	}
	return at
}

const (
	neverFirst = "、。，．・：；？！）」』】〕〉》ーぁぃぅぇぉっゃゅょァィゥェォッャュョ)],.;:!?%"
	neverLast  = "（「『【〔〈《(["
)

func mayBreak(before, after rune) bool {
	switch {
	case before == ' ':
		return after != ' '
	case strings.ContainsRune(neverFirst, after), strings.ContainsRune(neverLast, before):
		return false
	case strings.ContainsRune("-–—/", before):
		return unicode.IsLetter(after)
	}
	return ideographic(before) || ideographic(after)
}

func ideographic(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo) || r >= 0x3001 && r <= 0x303f || r >= 0xff01 && r <= 0xff60
}

// oneLine is as much of the text as fits, with an ellipsis where something is left out.
func (t *typesetter) oneLine(text string, width float64, s style) string {
	text = strings.ReplaceAll(clean(text), "\n", " ")
	if t.measure(text, s) <= width {
		return text
	}
	runes := []rune(text)
	room := width - t.measure("…", s)
	for i, r := range runes {
		room -= t.glyph(r, s.bold).advance * s.size
		if room < 0 {
			return strings.TrimRight(string(runes[:i]), " ") + "…"
		}
	}
	return text
}
