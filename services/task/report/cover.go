package report

import "strings"

// fact is a word and what it stands for.
type fact struct{ name, value string }

// figure is a number that counts.
type figure struct {
	value string
	name  string
	color rgb
}

// cover draws the head of the first page: what this is, of which home, and when and for whom it was made.
func (s *sheet) cover(kind string, h Head, facts []fact) {
	name := style{size: 27, bold: true, color: white}
	address := style{size: 10.5, color: mist}
	names := s.wrap(h.Residence, s.inner(), name)
	var addresses []string
	for _, line := range h.Address {
		addresses = append(addresses, s.wrap(line, s.inner(), address)...)
	}
	deep := 104 + float64(len(names))*name.lead() + float64(len(addresses))*address.lead() + 26
	s.fill(0, 0, s.wide, deep, night)
	s.fill(0, deep, s.wide, 3, ember)
	s.house(margin, 34)
	s.draw("Hearth", margin+26, 50, style{size: 13, bold: true, color: white})
	s.draw(strings.ToUpper(kind), margin, 96, style{size: 9, bold: true, color: ember})
	y := s.lines(names, margin, 104, name)
	s.lines(addresses, margin, y+4, address)
	s.y = deep + 26
	s.pdf.Bookmark(kind, 0, 0)

	each := s.inner() / float64(len(facts))
	deepest := s.y
	for i, f := range facts {
		x := margin + each*float64(i)
		s.draw(strings.ToUpper(f.name), x, s.y, caption)
		deepest = max(deepest, s.lines(s.wrap(f.value, each-12, style{size: 10.5, color: ink}), x, s.y+5, style{size: 10.5, color: ink}))
	}
	s.y = deepest + 16
}

// house is the sign of Hearth, 18 points wide.
func (s *sheet) house(x, y float64) {
	s.pdf.SetFillColor(ember.split())
	for i, p := range [][2]float64{{9, 0}, {18, 8}, {15.6, 8}, {15.6, 18}, {2.4, 18}, {2.4, 8}, {0, 8}} {
		if i == 0 {
			s.pdf.MoveTo(x+p[0], y+p[1])
			continue
		}
		s.pdf.LineTo(x+p[0], y+p[1])
	}
	s.pdf.ClosePath()
	s.pdf.DrawPath("F")
	s.fill(x+7, y+11, 4, 7, night)
}

// figures draws cards beside each other.
func (s *sheet) figures(all []figure) {
	const gap, high = 9.0, 60.0
	s.need(high)
	each := (s.inner() - gap*float64(len(all)-1)) / float64(len(all))
	x := margin
	for _, f := range all {
		s.rounded(x, s.y, each, high, 4, ground)
		s.fill(x, s.y+10, 2.5, high-20, f.color)
		value := style{size: 19, bold: true, color: ink}
		for value.size > 7 && s.measure(f.value, value) > each-22 {
			value.size--
		}
		s.draw(f.value, x+12, s.y+31, value)
		s.draw(s.oneLine(f.name, each-18, small), x+12, s.y+46, small)
		x += each + gap
	}
	s.y += high + 22
}

// sideBySide draws two lists of bars beside each other; either may be empty.
func (s *sheet) sideBySide(left, right func(x, y, width float64) float64, high float64) {
	const gap = 30.0
	s.need(high)
	each := (s.inner() - gap) / 2
	s.y = max(left(margin, s.y, each), right(margin+each+gap, s.y, each)) + 8
}
