package report

import (
	"time"

	"hearth.internal/pkg/day"
)

// column of a table.
type column struct {
	title string
	share float64 // of the table's width; one column of each table has none and takes what the others leave
	right bool
}

// cell is what stands in a row under a column.
type cell struct {
	text  string
	style style
	under string // small, below it
}

func plain(text string) cell { return cell{text: text, style: body} }
func faded(text string) cell { return cell{text: text, style: body.in(muted)} }
func loud(text string) cell  { return cell{text: text, style: bodyBold} }

// over is the cell with a small text below it.
func (c cell) over(under string) cell {
	c.under = under
	return c
}

// row of a table, with photos below it.
type row struct {
	cells  []cell
	photos []Photo
	more   int // photos that are not shown
}

const (
	cellPad   = 6.0 // between columns, on both sides
	rowPad    = 5.5 // above and below the text
	headHigh  = 19.0
	firstRows = 60.0 // a heading without that much of its table stays with it on the next page
)

// table is drawn row by row; its header comes again on every page.
type table struct {
	*sheet
	name    string
	columns []column
	color   rgb
	drawn   int
}

func (s *sheet) table(name string, c rgb, columns ...column) *table {
	t := &table{sheet: s, name: name, columns: columns, color: c}
	rest := 1.0
	for _, column := range columns {
		rest -= column.share
	}
	for i := range columns {
		if columns[i].share == 0 {
			columns[i].share = rest
		}
	}
	t.head()
	return t
}

// again begins the table anew on the next page.
func (t *table) again() {
	t.draw(t.name+", continued", margin+cellPad, t.y+4, small)
	t.y += 12
	t.head()
	t.drawn = 0
}

// dayShare is as much of a table's width as the widest day needs.
func (s *sheet) dayShare() float64 {
	return (s.measure(s.day(day.Of(2026, time.May, 28)), bodyBold) + 2*cellPad + 2) / s.inner()
}

func (t *table) head() {
	x := margin
	for _, c := range t.columns {
		w := c.share * t.inner()
		if c.right {
			t.right(c.title, x+w-cellPad, t.y+10.5, caption)
		} else {
			t.draw(c.title, x+cellPad, t.y+10.5, caption)
		}
		x += w
	}
	t.rule(margin, t.edge(), t.y+headHigh-3, 1, t.color)
	t.y += headHigh
}

// add draws a row, on the next page if it does not fit on this one.
func (t *table) add(r row) {
	wrapped := make([][]styled, len(t.columns))
	high := 0.0
	for i, c := range t.columns {
		var tall float64
		wrapped[i], tall = t.broken(r.cells[i], c.share*t.inner()-2*cellPad)
		high = max(high, tall)
	}
	high += 2 * rowPad
	strip := 0.0
	if len(r.photos) > 0 {
		strip = photoHigh + rowPad
	}
	if t.need(high + strip) {
		t.again()
	}
	if t.drawn%2 == 1 {
		t.fill(margin, t.y, t.inner(), high+strip, faint)
	}
	t.drawn++
	x := margin
	for i, c := range t.columns {
		w := c.share * t.inner()
		y := t.y + rowPad
		for _, line := range wrapped[i] {
			if c.right {
				t.right(line.text, x+w-cellPad, y+line.style.baseline(), line.style)
			} else {
				t.draw(line.text, x+cellPad, y+line.style.baseline(), line.style)
			}
			y += line.style.lead()
		}
		x += w
	}
	if strip > 0 {
		t.photos(r.photos, r.more, margin+t.columns[0].share*t.inner()+cellPad, t.y+high-1)
	}
	t.y += high + strip
	t.rule(margin, t.edge(), t.y, 0.4, hairline)
}

// styled is a line and how it looks.
type styled struct {
	text  string
	style style
}

// broken is the cell in lines of that width, and how high they are.
func (t *table) broken(c cell, width float64) (lines []styled, high float64) {
	for _, part := range []styled{{c.text, c.style}, {c.under, small}} {
		if part.text == "" {
			continue
		}
		for _, line := range t.wrap(part.text, width, part.style) {
			lines = append(lines, styled{line, part.style})
			high += part.style.lead()
		}
	}
	return lines, high
}

// total is a last row, set off.
func (t *table) total(label, value string) {
	if t.need(24) {
		t.again()
	}
	t.fill(margin, t.y, t.inner(), 21, ground)
	t.draw(label, margin+cellPad, t.y+14, bodyBold)
	t.right(value, t.edge()-cellPad, t.y+14, bodyBold)
	t.y += 21
}
