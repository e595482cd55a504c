package report

import (
	"context"
	"io"
	"math"
	"strings"

	"github.com/google/uuid"

	"hearth.internal/pkg/money"
)

// statusLooks are the statuses' headings and colours.
var statusLooks = [statuses]struct {
	title string
	color rgb
}{
	Overdue:    {"Overdue", rgb{220, 38, 38}},
	InProgress: {"In progress", rgb{37, 99, 235}},
	DueSoon:    {"Due soon", rgb{217, 119, 6}},
	Upcoming:   {"Upcoming", rgb{8, 145, 178}},
	Completed:  {"Completed", rgb{22, 163, 74}},
	Cancelled:  {"Cancelled", rgb{100, 116, 139}},
}

// WriteTasks writes the report of a home's tasks. It stops when the context ends.
func WriteTasks(ctx context.Context, w io.Writer, d Tasks) error {
	s, err := newSheet(ctx, d.Head, "Task report")
	if err != nil {
		return err
	}
	s.cover("Task report", d.Head, []fact{
		{"Period", s.period(d.From, d.To)}, {"Made on", s.day(d.MadeOn)}, {"Made for", or(d.MadeFor, "–")},
	})
	s.taskFigures(d)
	s.taskCharts(d)
	for status := range statuses {
		s.taskTable(status, d.Tasks)
	}
	s.completions(d)
	s.closing(s.leftOut("task", "tasks", len(d.Tasks), d.AllTasks),
		s.leftOut("completion", "completions", len(d.Completions), d.AllCompletions))
	return s.finish(w)
}

func or(text, otherwise string) string {
	if strings.TrimSpace(text) == "" {
		return otherwise
	}
	return text
}

// leftOut says what the report was not given; empty when that is nothing.
func (s *sheet) leftOut(one, many string, given, all int) string {
	if all <= given {
		return ""
	}
	return "This report is about " + s.counted(given, one, many) + " of " + s.number(all) + ": its figures and tables are about these alone."
}

func costOf(done []Completion) money.Amount {
	var sum money.Amount
	for _, c := range done {
		if c.Cost != nil {
			sum += *c.Cost
		}
	}
	return sum
}

func (s *sheet) taskFigures(d Tasks) {
	var n [statuses]int
	for _, t := range d.Tasks {
		n[t.Status]++
	}
	open := n[Overdue] + n[InProgress] + n[DueSoon] + n[Upcoming]
	s.figures([]figure{
		{s.number(open), "open tasks", night},
		{s.number(n[Overdue]), "overdue", statusLooks[Overdue].color},
		{s.number(n[DueSoon]), "due within 30 days", statusLooks[DueSoon].color},
		{s.number(len(d.Completions)), "done in the period", statusLooks[Completed].color},
		{s.money(costOf(d.Completions)), "cost in the period", ember},
	})
}

// barsAtMost is how many lying bars a list has.
const barsAtMost = 8

func (s *sheet) taskCharts(d Tasks) {
	if len(d.Completions) == 0 {
		s.paragraph("Nothing was completed in this period.", margin, s.inner(), body.in(muted))
		return
	}
	byCategory, byPerson, names := map[string]money.Amount{}, map[Person]money.Amount{}, func(p Person) string { return or(clean(p.Name), "Somebody") }
	for _, c := range d.Completions {
		byPerson[Person{ID: c.By.ID, Name: c.By.Name}]++
		if c.Cost != nil {
			byCategory[c.Category] += *c.Cost
		}
	}
	cost := costOf(d.Completions)
	if cost > 0 {
		s.upright(overTime(d.Completions, d.From, d.To))
	}
	categories := ranked(byCategory, func(name string) string { return or(name, "Without category") }, barsAtMost)
	for i, p := range categories {
		categories[i].note = s.percent(p.value, cost)
	}
	people := ranked(byPerson, names, barsAtMost)
	s.sideBySide(func(x, y, width float64) float64 {
		if len(categories) == 0 {
			return y
		}
		return s.lying("Cost by category", categories, x, y, width, ember, s.money)
	}, func(x, y, width float64) float64 {
		return s.lying("Completions by person", people, x, y, width, statusLooks[Completed].color, func(n money.Amount) string { return s.number(int(n)) })
	}, lyingHigh(max(len(categories), len(people))))
}

func (s *sheet) taskTable(status Status, all []Task) {
	look, n := statusLooks[status], 0
	for _, t := range all {
		if t.Status == status {
			n++
		}
	}
	if n == 0 {
		return
	}
	s.section(look.title, s.counted(n, "task", "tasks"), look.color, firstRows)
	table := s.table(look.title, look.color, column{title: "TASK"}, column{title: "CATEGORY", share: 0.15}, column{title: "DUE", share: s.dayShare()},
		column{title: "ASSIGNEE", share: 0.14}, column{title: "LAST DONE", share: s.dayShare()}, column{title: "COST", share: 0.145, right: true})
	for _, t := range all {
		if t.Status != status {
			continue
		}
		due := plain(s.day(t.Due))
		if status == Overdue {
			due.style = bodyBold.in(look.color)
		}
		table.add(row{cells: []cell{loud(t.Title), faded(t.Category), due, plain(t.Assignee), faded(s.day(t.LastDone)), s.taskCost(t)}})
	}
}

func (s *sheet) taskCost(t Task) cell {
	switch {
	case t.Cost == nil:
		return faded("–")
	case t.Estimated:
		return faded("est. " + s.money(*t.Cost))
	}
	return plain(s.money(*t.Cost))
}

// completions tells of each completion of the period.
func (s *sheet) completions(d Tasks) {
	if len(d.Completions) == 0 {
		return
	}
	s.section("Completed in the period", s.period(d.From, d.To)+"  ·  "+s.counted(len(d.Completions), "completion", "completions"), ember, 70)
	for _, c := range d.Completions {
		s.completion(c)
	}
}

const dateWide = 74.0

func (s *sheet) completion(c Completion) {
	cost := "–"
	if c.Cost != nil {
		cost = s.money(*c.Cost)
	}
	left, room := margin+dateWide, s.inner()-dateWide
	title := s.wrap(c.Task, room-s.measure(cost, bodyBold)-14, bodyBold)
	details := s.wrap(s.details(c), room, small)
	high := float64(len(title))*bodyBold.lead() + float64(len(details))*small.lead() + 14
	if c.Notes != "" {
		high += body.lead()
	}
	s.need(high)
	s.y += 7
	s.draw(s.day(c.On), margin, s.y+body.baseline(), body.in(muted))
	s.right(cost, s.edge(), s.y+body.baseline(), bodyBold)
	s.y = s.lines(title, left, s.y, bodyBold)
	if c.Rating > 0 {
		s.stars(c.Rating, s.edge()-5*9, s.y+5.2)
	}
	s.y = s.lines(details, left, s.y, small)
	if c.Notes != "" {
		s.y += 2.5
		s.paragraph(c.Notes, left, room-52, body)
	}
	if shown, more := shownPhotos(c.Photos); len(shown) > 0 {
		s.need(photoHigh + 10)
		s.y += 5
		s.photos(shown, more, left, s.y)
		s.y += photoHigh
	}
	s.y += 7
	s.rule(margin, s.edge(), s.y, 0.4, hairline)
}

func (s *sheet) details(c Completion) string {
	parts := []string{}
	if c.By != (Person{uuid.Nil, ""}) {
		parts = append(parts, "Done by "+or(c.By.Name, "somebody"))
	}
	if c.Contractor != (Contractor{}) {
		parts = append(parts, "Contractor: "+c.Contractor.label())
	}
	if c.Category != "" {
		parts = append(parts, c.Category)
	}
	return strings.Join(parts, "  ·  ")
}

// stars draws five stars, as many of them full as were given, the first around x.
func (s *sheet) stars(given int, x, y float64) {
	for i := range 5 {
		c := hairline
		if i < given {
			c = gold
		}
		s.pdf.SetFillColor(c.split())
		for k := range 10 {
			radius := 3.6
			if k%2 == 1 {
				radius = 1.5
			}
			angle := -math.Pi/2 + float64(k)*math.Pi/5
			px, py := x+4.5+9*float64(i)+radius*math.Cos(angle), y+radius*math.Sin(angle)
			if k == 0 {
				s.pdf.MoveTo(px, py)
				continue
			}
			s.pdf.LineTo(px, py)
		}
		s.pdf.ClosePath()
		s.pdf.DrawPath("F")
	}
}
