package report

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// WriteHistory writes a home's history. It stops when the context ends.
func WriteHistory(ctx context.Context, w io.Writer, d History) error {
	s, err := newSheet(ctx, d.Head, "Home history")
	if err != nil {
		return err
	}
	work := byContractor(d.Completions)
	s.cover("Home history", d.Head, []fact{
		{"Records", s.span(d.Completions)}, {"Made on", s.day(d.MadeOn)}, {"Made for", or(d.MadeFor, "–")},
	})
	s.historyFigures(d, len(work))
	s.years(d.Completions)
	s.contractors(work)
	s.equipment(d.Equipment, d.MadeOn)
	s.papers(d.Warranties, d.Documents, d.MadeOn)
	s.closing(s.leftOut("completion", "completions", len(d.Completions), d.AllCompletions),
		s.leftOut("piece of equipment", "pieces of equipment", len(d.Equipment), d.AllEquipment),
		s.leftOut("warranty", "warranties", len(d.Warranties), d.AllWarranties),
		s.leftOut("document", "documents", len(d.Documents), d.AllDocuments))
	return s.finish(w)
}

// span is from the oldest to the newest.
func (s *sheet) span(done []Completion) string {
	if len(done) == 0 {
		return "None yet"
	}
	return s.period(done[len(done)-1].On, done[0].On)
}

func (s *sheet) historyFigures(d History, contractors int) {
	photos := 0
	for _, c := range d.Completions {
		photos += len(c.Photos)
	}
	s.figures([]figure{
		{s.number(len(d.Completions)), "works recorded", night},
		{s.money(costOf(d.Completions)), "spent in all", ember},
		{s.number(contractors), "contractors", statusLooks[Upcoming].color},
		{s.number(photos), "photos", statusLooks[InProgress].color},
		{s.number(inForce(d.Warranties, d.MadeOn)), "warranties in force", statusLooks[Completed].color},
	})
	if len(d.Completions) > 0 && costOf(d.Completions) > 0 {
		first, _, _ := d.Completions[len(d.Completions)-1].On.Date()
		last, _, _ := d.Completions[0].On.Date()
		s.upright("Cost by year", byYear(d.Completions, first, last))
	}
}

// years is every completion, by year, the newest first.
func (s *sheet) years(done []Completion) {
	if len(done) == 0 {
		s.section("Works", "", ember, 20)
		s.paragraph("No works recorded.", margin, s.inner(), body.in(muted))
		return
	}
	for len(done) > 0 {
		year, _, _ := done[0].On.Date()
		n := slices.IndexFunc(done, func(c Completion) bool { y, _, _ := c.On.Date(); return y != year })
		if n < 0 {
			n = len(done)
		}
		s.year(strconv.Itoa(year), done[:n])
		done = done[n:]
	}
}

func (s *sheet) year(name string, done []Completion) {
	s.section(name, s.counted(len(done), "work", "works")+"  ·  "+s.money(costOf(done)), ember, firstRows)
	table := s.table(name, ember, column{title: "DATE", share: s.dayShare()}, column{title: "WORK"}, column{title: "CONTRACTOR", share: 0.28},
		column{title: "COST", share: 0.16, right: true})
	for _, c := range done {
		cost := faded("–")
		if c.Cost != nil {
			cost = plain(s.money(*c.Cost))
		}
		r := row{cells: []cell{faded(s.day(c.On)), loud(c.Task), plain(c.Contractor.label()), cost}}
		r.photos, r.more = shownPhotos(c.Photos)
		table.add(r)
	}
	table.total("Total "+name, s.money(costOf(done)))
}

// contractorWork is what one contractor has done.
type contractorWork struct {
	Contractor
	works       int
	first, last day.Day
	paid        money.Amount
}

// byContractor sums up, whoever was paid most first.
func byContractor(done []Completion) []contractorWork {
	places, out := map[Contractor]int{}, []contractorWork{}
	for _, c := range done {
		if c.Contractor == (Contractor{}) {
			continue
		}
		i, known := places[c.Contractor]
		if !known {
			i = len(out)
			places[c.Contractor] = i
			out = append(out, contractorWork{Contractor: c.Contractor, last: c.On})
		}
		out[i].works++
		out[i].first = c.On // the newest come first
		if c.Cost != nil {
			out[i].paid += *c.Cost
		}
	}
	slices.SortStableFunc(out, func(a, b contractorWork) int { return cmp.Or(cmp.Compare(b.paid, a.paid), cmp.Compare(a.Name, b.Name)) })
	return out
}

func (s *sheet) contractors(all []contractorWork) {
	color := statusLooks[Upcoming].color
	s.section("Contractors", "", color, firstRows)
	if len(all) == 0 {
		s.paragraph("No works by contractors recorded.", margin, s.inner(), body.in(muted))
		return
	}
	table := s.table("Contractors", color, column{title: "NAME"}, column{title: "COMPANY", share: 0.25}, column{title: "WORKS", share: 0.09, right: true},
		column{title: "FIRST AND LAST", share: 2*s.dayShare() - 0.02}, column{title: "PAID", share: 0.18, right: true})
	sum := money.Amount(0)
	for _, c := range all {
		sum += c.paid
		span := s.day(c.last)
		if !c.first.Equal(c.last) {
			span = s.day(c.first) + " – " + span
		}
		table.add(row{cells: []cell{loud(c.Name), plain(c.Company), plain(s.number(c.works)), faded(span), plain(s.money(c.paid))}})
	}
	table.total("Paid to contractors", s.money(sum))
}
