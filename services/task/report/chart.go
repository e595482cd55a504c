package report

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// point is one bar.
type point struct {
	label string
	under string // a second line, of upright bars
	value money.Amount
	note  string // beside the value, of lying bars
}

const (
	chartHigh = 128.0
	barHigh   = 9.0
	barStep   = 21.0
)

// upright draws bars that stand beside each other over a scale.
func (s *sheet) upright(title string, points []point) {
	s.need(chartHigh + 62)
	s.part(title, 0)
	top, bottom := s.y+6, s.y+6+chartHigh
	most := money.Amount(0)
	for _, p := range points {
		most = max(most, p.value)
	}
	step := scaleStep(most)
	steps := max(1, int((most+step-1)/step))
	labels := 0.0
	for i := 0; i <= steps; i++ {
		labels = max(labels, s.measure(s.whole(step*money.Amount(i)), small))
	}
	left := margin + labels + 8
	for i := 0; i <= steps; i++ {
		y := bottom - chartHigh*float64(i)/float64(steps)
		s.rule(left, s.edge(), y, 0.5, hairline)
		s.right(s.whole(step*money.Amount(i)), left-8, y+2.6, small)
	}
	each := (s.edge() - left) / float64(len(points))
	bar := min(each*0.62, 26)
	full := step * money.Amount(steps)
	for i, p := range points {
		middle := left + each*(float64(i)+0.5)
		if p.value > 0 {
			h := max(1.2, (bottom-top)*float64(p.value)/float64(full))
			s.fill(middle-bar/2, bottom-h, bar, h, ember)
		}
		s.centre(p.label, middle, bottom+11, small)
		s.centre(p.under, middle, bottom+20.5, small.in(ink))
	}
	s.rule(left, s.edge(), bottom, 0.8, muted)
	s.y = bottom + 34
}

// scaleStep is a round step of which about four reach the most: 1, 2 or 5 with noughts.
func scaleStep(most money.Amount) money.Amount {
	rough := max(float64(most)/4, 100)
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= rough {
			return money.Amount(m * power)
		}
	}
	return money.Amount(10 * power)
}

// lying draws bars one below the other in a place of that width, and answers where it ends.
func (s *sheet) lying(title string, points []point, x, y, width float64, c rgb, show func(money.Amount) string) float64 {
	s.draw(title, x, y+10, partHd)
	y += 24
	most := money.Amount(1)
	for _, p := range points {
		most = max(most, p.value)
	}
	for _, p := range points {
		value := show(p.value)
		end := x + width
		s.right(value, end, y+body.baseline()-2, bodyBold)
		taken := s.measure(value, bodyBold)
		if p.note != "" {
			s.right(p.note, end-taken-6, y+body.baseline()-2, small)
			taken += 6 + s.measure(p.note, small)
		}
		s.draw(s.oneLine(p.label, width-taken-10, body), x, y+body.baseline()-2, body)
		s.rounded(x, y+11, width, 3.2, 1.6, hairline)
		if w := width * float64(p.value) / float64(most); w > 0 {
			s.rounded(x, y+11, max(w, 3.2), 3.2, 1.6, c)
		}
		y += barStep
	}
	return y
}

// lyingHigh is the height of as many lying bars.
func lyingHigh(n int) float64 { return 24 + barStep*float64(n) }

// ranked are sums by name, the largest first; what is beyond the most is summed up.
func ranked[K comparable](sums map[K]money.Amount, name func(K) string, most int) []point {
	points := make([]point, 0, len(sums))
	for key, sum := range sums {
		if sum > 0 {
			points = append(points, point{label: name(key), value: sum})
		}
	}
	slices.SortFunc(points, func(a, b point) int { return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.label, b.label)) })
	if len(points) <= most {
		return points
	}
	other := point{label: strconv.Itoa(len(points)-most+1) + " others"}
	for _, p := range points[most-1:] {
		other.value += p.value
	}
	return append(points[:most-1], other)
}

// maxMonths are as many bars as can stand beside each other; a longer period is shown by years.
const maxMonths = 24

// overTime are the costs by month of the period, or by year.
func overTime(done []Completion, from, to day.Day) (title string, points []point) {
	fromYear, fromMonth, _ := from.Date()
	toYear, toMonth, _ := to.Date()
	months := (toYear-fromYear)*12 + int(toMonth-fromMonth) + 1
	if months > maxMonths {
		return "Cost by year", byYear(done, fromYear, toYear)
	}
	points = make([]point, months)
	for i := range points {
		year, month, _ := day.Of(fromYear, fromMonth, 1).AddMonths(i).Date()
		points[i].label = month.String()[:3]
		if i == 0 || month == 1 {
			points[i].under = strconv.Itoa(year)
		}
	}
	for _, c := range done {
		year, month, _ := c.On.Date()
		if i := (year-fromYear)*12 + int(month-fromMonth); c.Cost != nil && i >= 0 && i < months {
			points[i].value += *c.Cost
		}
	}
	return "Cost by month", points
}

// maxYears is how many years a chart shows, the last ones.
const maxYears = 30

func byYear(done []Completion, from, to int) []point {
	from = max(from, to-maxYears+1)
	points := make([]point, to-from+1)
	for i := range points {
		points[i].label = strconv.Itoa(from + i)
	}
	for _, c := range done {
		year, _, _ := c.On.Date()
		if i := year - from; c.Cost != nil && i >= 0 && i < len(points) {
			points[i].value += *c.Cost
		}
	}
	return points
}
