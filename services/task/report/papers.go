package report

import (
	"strings"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// underShare is the room that a day's column needs for a few words below the day.
const underShare = 0.025

// equipment is what is in use in the home.
func (s *sheet) equipment(all []Equipment, on day.Day) {
	color := statusLooks[InProgress].color
	s.section("Equipment", "", color, firstRows)
	if len(all) == 0 {
		s.paragraph("No equipment recorded.", margin, s.inner(), body.in(muted))
		return
	}
	table := s.table("Equipment", color, column{title: "ITEM"}, column{title: "MAKER", share: 0.14}, column{title: "MODEL AND SERIAL", share: 0.21},
		column{title: "INSTALLED", share: s.dayShare() + underShare}, column{title: "REPLACE BY", share: s.dayShare()}, column{title: "MAINTENANCE", share: 0.17, right: true})
	sum := money.Amount(0)
	for _, e := range all {
		replace := faded(s.dayOr(e.ReplaceBy, "–"))
		if !e.ReplaceBy.IsZero() && !e.ReplaceBy.After(on) {
			replace = replace.over("is due")
		}
		cost := faded("–")
		if e.Cost != nil {
			cost, sum = plain(s.money(*e.Cost)), sum+*e.Cost
		}
		if e.Works > 0 {
			cost = cost.over(s.counted(e.Works, "work", "works"))
		}
		table.add(row{cells: []cell{loud(e.Name).over(e.Location), plain(e.Maker), faded(e.number()), s.installed(e, on), replace, cost}})
	}
	table.total("Maintenance of equipment, as far as it is recorded", s.money(sum))
}

// number is the model's and the serial number.
func (e Equipment) number() string { return numbers(e.Model, e.Serial) }

func numbers(model, serial string) string {
	if serial != "" {
		serial = "No. " + serial
	}
	return joined("\n", model, serial)
}

// joined leaves out what is empty.
func joined(between string, parts ...string) string {
	var there []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			there = append(there, part)
		}
	}
	return strings.Join(there, between)
}

// installed is since when it is there, and how old that makes it.
func (s *sheet) installed(e Equipment, on day.Day) cell {
	since, how := e.Installed, ""
	if since.IsZero() {
		since, how = e.Bought, "bought"
	}
	if since.IsZero() {
		return faded("–")
	}
	return faded(s.day(since)).over(joined(", ", how, s.age(since, on)))
}

// age is in whole years.
func (s *sheet) age(since, on day.Day) string {
	from, fromMonth, fromDay := since.Date()
	to, toMonth, toDay := on.Date()
	years := to - from
	if toMonth < fromMonth || toMonth == fromMonth && toDay < fromDay {
		years--
	}
	switch {
	case since.After(on):
		return ""
	case years == 0:
		return "under a year"
	}
	return s.counted(years, "year", "years")
}

// dayOr is the day, or the text when there is none.
func (l locale) dayOr(d day.Day, otherwise string) string {
	if d.IsZero() {
		return otherwise
	}
	return l.day(d)
}

// status says whether a promise holds on the day.
func (w Warranty) status(on day.Day) string {
	switch {
	case !w.End.IsZero() && w.End.Before(on):
		return "Expired"
	case w.Inactive:
		return "Put away"
	case w.Start.After(on):
		return "To come"
	}
	return "Active"
}

// inForce is how many of them are active on the day.
func inForce(all []Warranty, on day.Day) int {
	n := 0
	for _, w := range all {
		if w.status(on) == "Active" {
			n++
		}
	}
	return n
}

// papers are the warranties, and what else the home has on paper.
func (s *sheet) papers(warranties []Warranty, others []Document, on day.Day) {
	s.section("Warranties and papers", "", statusLooks[Completed].color, firstRows)
	if len(warranties) == 0 {
		s.paragraph("No warranties recorded.", margin, s.inner(), body.in(muted))
	} else {
		s.warranties(warranties, on)
	}
	if len(others) > 0 {
		s.y += sectionGap / 2
		s.need(firstRows)
		s.documents(others, on)
	}
}

// claimShare is the column of how to claim, and claimLines what each way to do so has of it at the most.
const (
	claimShare = 0.25
	claimLines = 3
)

func (s *sheet) warranties(all []Warranty, on day.Day) {
	table := s.table("Warranties", statusLooks[Completed].color, column{title: "ITEM"}, column{title: "PROVIDER", share: 0.18},
		column{title: "CLAIMS", share: claimShare}, column{title: "ENDS", share: s.dayShare() + underShare}, column{title: "STATUS", share: 0.11})
	for _, w := range all {
		what := numbers(w.Model, w.Serial)
		bought := ""
		if !w.Bought.IsZero() {
			bought = "bought " + s.day(w.Bought)
		}
		if w.Price != nil {
			bought = joined(" ", bought, "for "+s.money(*w.Price))
		}
		var claims []string
		for _, way := range w.Claims {
			claims = append(claims, s.fewLines(way, claimShare*s.inner()-2*cellPad, body, claimLines))
		}
		ends := plain(s.dayOr(w.End, "for life"))
		if !w.Start.IsZero() {
			ends = ends.over("from " + s.day(w.Start))
		}
		status := loud(w.status(on))
		if status.text != "Active" {
			status = faded(status.text)
		}
		table.add(row{cells: []cell{loud(w.Item).over(joined("\n", what, bought)), plain(w.Provider), plain(joined("\n", claims...)), ends, status}})
	}
}

func (s *sheet) documents(all []Document, on day.Day) {
	table := s.table("Papers", statusLooks[Completed].color, column{title: "PAPER"}, column{title: "TYPE", share: 0.16}, column{title: "PROVIDER", share: 0.22},
		column{title: "ADDED", share: s.dayShare()}, column{title: "ENDS", share: s.dayShare() + underShare})
	for _, p := range all {
		ends := faded(s.dayOr(p.End, "–"))
		switch {
		case !p.End.IsZero() && p.End.Before(on):
			ends = ends.over("is past")
		case p.Inactive:
			ends = ends.over("put away")
		case !p.Start.IsZero():
			ends = ends.over("from " + s.day(p.Start))
		}
		table.add(row{cells: []cell{loud(p.Title), plain(p.Type), plain(p.Provider), faded(s.day(p.Added)), ends}})
	}
}

// fewLines is the text in so many lines at the most.
func (t *typesetter) fewLines(text string, width float64, st style, most int) string {
	lines := t.wrap(text, width, st)
	if len(lines) > most {
		lines = append(lines[:most-1], t.oneLine(strings.Join(lines[most-1:], " "), width, st))
	}
	return strings.Join(lines, "\n")
}
