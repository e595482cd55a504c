package task

import (
	"bytes"
	"context"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/task/report"
)

// The kinds of reports.
const (
	tasksReport   = "tasks"
	historyReport = "history"
)

const (
	// reportsAtOnce is how many reports a process makes at the same time: each is a second of work and some memory.
	reportsAtOnce = 2
	busyAgain     = 5 * time.Second
	// What one report is made of at the most; where there is more, it says so.
	reportTasks       = 5_000
	reportCompletions = 20_000
	reportNotes       = 2_000 // characters of each completion's
	longestReport     = 120   // months
)

// ReportOrder is which report somebody wants.
type ReportOrder struct {
	Kind        string
	ResidenceID uuid.UUID
	From, To    *day.Day // of tasks
	Paper       report.Paper
	Locale      string // empty: the person's
}

// ReportFile is a report that was made.
type ReportFile struct {
	PDF       []byte
	kind      string
	residence string
	madeOn    day.Day
}

// disposition names the file such that every file system takes it.
func (f ReportFile) disposition() string {
	words := strings.FieldsFunc(strings.ToLower(f.residence), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	name := strings.Join(append(words, f.kind, f.madeOn.String()), "-") + ".pdf"
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// period is the first and the last day that a report of tasks is about, in the residence's zone.
func (o ReportOrder) period(today day.Day) (from, to day.Day, err error) {
	if o.Kind != tasksReport {
		return from, to, nil
	}
	to = today
	if o.To != nil {
		to = *o.To
	}
	from = to.AddMonths(-12).AddDays(1)
	if o.From != nil {
		from = *o.From
	}
	switch {
	case from.After(to):
		return from, to, apperr.InvalidField("body.from", "is after the last day, %s", to)
	case !to.Before(from.AddMonths(longestReport)):
		return from, to, apperr.InvalidField("body.from", "is more than ten years before the last day, %s", to)
	}
	return from, to, nil
}

// zoneOf is the residence's time zone.
func zoneOf(home access.Home) *time.Location { return identity.Actor{Zone: home.Timezone}.Location() }

// MakeReport makes the report for somebody who sees the residence. Whoever finds too many being made waits for their turn
// as long as the request may take.
func (s *Service) MakeReport(ctx context.Context, actor identity.Actor, order ReportOrder) (ReportFile, error) {
	home, err := s.Access.Readable(ctx, actor, order.ResidenceID)
	if err != nil {
		return ReportFile{}, err
	}
	today := day.In(s.Clock.Now(), zoneOf(home))
	from, to, err := order.period(today)
	if err != nil {
		return ReportFile{}, err
	}
	endTurn, err := s.reportTurn(ctx)
	if err != nil {
		return ReportFile{}, err
	}
	defer endTurn()
	m := material{actor: actor, home: home, zone: zoneOf(home), today: today, from: from, to: to}
	if err := s.gather(ctx, order.Kind, &m); err != nil {
		return ReportFile{}, err
	}
	made, err := s.write(ctx, order, m)
	return ReportFile{PDF: made, kind: order.Kind, residence: m.place.Name, madeOn: today}, err
}

// reportTurn waits until few enough reports are being made.
func (s *Service) reportTurn(ctx context.Context) (end func(), err error) {
	select {
	case s.reports <- struct{}{}:
		return func() { <-s.reports }, nil
	case <-ctx.Done():
		return nil, apperr.ServiceUnavailable.Wrap(ctx.Err(), "Many reports are being made right now; try again soon.").After(busyAgain)
	}
}

// OrderReport notes that the report is to be mailed.
func (s *Service) OrderReport(ctx context.Context, actor identity.Actor, order ReportOrder) error {
	home, err := s.Access.Readable(ctx, actor, order.ResidenceID)
	if err != nil {
		return err
	}
	from, to, err := order.period(day.In(s.Clock.Now(), zoneOf(home)))
	if err != nil {
		return err
	}
	request := events.ReportRequest{
		Kind: order.Kind, ResidenceID: home.ID, UserID: actor.UserID, From: from.String(), To: to.String(), Paper: paperOr(order.Paper),
	}
	if err := insertReportRequest(ctx, s.DB, request); err != nil {
		return err
	}
	events.ReportRequested.Committed(ctx, s.Relay, request)
	return nil
}

func paperOr(p report.Paper) string {
	if p == report.Letter {
		return string(p)
	}
	return string(report.A4)
}

// material is what a report is made of.
type material struct {
	actor       identity.Actor
	home        access.Home
	zone        *time.Location
	today       day.Day
	from, to    day.Day // zero in a history
	place       internalapi.Place
	person      reportPerson
	tasks       []reportTask
	completions []reportCompletion
	upkeep      []reportUpkeep     // of equipment, in a history
	papers      internalapi.Papers // in a history
}

// gather asks for everything at once: the residence's name and address, what a history needs of its papers, and in one
// round trip what this service has.
func (s *Service) gather(ctx context.Context, kind string, m *material) error {
	return roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		m.place, err = s.Calls.Residence(s.Config.ResidenceURL).Place(ctx, m.home.ID)
		return err
	}, func(ctx context.Context) error {
		return readMaterial(ctx, s.DB, kind == tasksReport, m)
	}, func(ctx context.Context) (err error) {
		if kind == historyReport {
			m.papers, err = s.documents.Papers(ctx, internalapi.PapersQuery{ResidenceID: m.home.ID, On: m.today})
		}
		return err
	})
}

func (s *Service) write(ctx context.Context, order ReportOrder, m material) ([]byte, error) {
	head := report.Head{
		Residence: m.place.Name, Address: addressLines(m.place), MadeFor: m.person.Name, MadeOn: m.today, Locale: m.person.Locale,
		Currency: m.home.Currency, Paper: order.Paper,
	}
	if order.Locale != "" {
		head.Locale = order.Locale
	}
	photos := album{open: s.photo}
	done := m.done(ctx, &photos)
	var out bytes.Buffer
	err := photos.whileDrawn(ctx, func(ctx context.Context) error {
		if order.Kind == historyReport {
			return report.WriteHistory(ctx, &out, m.history(head, done))
		}
		return report.WriteTasks(ctx, &out, m.chores(head, done))
	})
	return out.Bytes(), err
}

// chores is the material as the report of tasks wants it.
func (m material) chores(head report.Head, done []report.Completion) report.Tasks {
	d := report.Tasks{Head: head, From: m.from, To: m.to, Tasks: tasksOf(m), Completions: done, AllCompletions: m.allCompletions()}
	if len(m.tasks) > 0 {
		d.AllTasks = m.tasks[0].OfAll
	}
	return d
}

func (m material) allCompletions() int {
	if len(m.completions) == 0 {
		return 0
	}
	return m.completions[0].OfAll
}

// statusOf are the report's words for the board's columns.
var statusOf = [columns]report.Status{
	overdue: report.Overdue, inProgress: report.InProgress, dueSoon: report.DueSoon, upcoming: report.Upcoming,
	completed: report.Completed, cancelled: report.Cancelled,
}

// status is the column of the board of that day.
func (t reportTask) status(today day.Day) report.Status {
	stands := Task{IsCancelled: t.IsCancelled, IsDone: t.IsDone, InProgress: t.InProgress, NextDueDate: t.NextDueDate}
	return statusOf[stands.column(today, soon)]
}

func tasksOf(m material) []report.Task {
	out := make([]report.Task, len(m.tasks))
	for i, t := range m.tasks {
		out[i] = report.Task{
			Title: t.Title, Category: t.Category, Status: t.status(m.today), Assignee: t.Assignee,
			Cost: t.ActualCost,
		}
		if t.NextDueDate != nil {
			out[i].Due = *t.NextDueDate
		}
		if t.LastCompletedAt != nil {
			out[i].LastDone = day.In(*t.LastCompletedAt, m.zone)
		}
		if t.ActualCost == nil && t.EstimatedCost != nil {
			out[i].Cost, out[i].Estimated = t.EstimatedCost, true
		}
	}
	return out
}

// done is what was done, with its photos in the album.
func (m material) done(ctx context.Context, photos *album) []report.Completion {
	out := make([]report.Completion, len(m.completions))
	for i, c := range m.completions {
		out[i] = report.Completion{
			On: day.In(c.CompletedAt, m.zone), Task: c.Task, Category: c.Category, Notes: c.Notes, Cost: c.ActualCost,
			By: report.Person{ID: c.CompletedByID, Name: c.CompletedByName}, Photos: photos.add(ctx, c.UploadIDs),
		}
		if c.NotesCut {
			out[i].Notes += " … (shortened)"
		}
		if c.Rating != nil {
			out[i].Rating = *c.Rating
		}
		out[i].Contractor = report.Contractor{Name: c.ContractorName, Company: c.ContractorCompany}
		if c.ContractorID != nil { // of one that was deleted there is the name alone
			out[i].Contractor.ID = *c.ContractorID
		}
	}
	return out
}

// cityFirst are the countries that write the postal code after the city.
var cityFirst = []string{"US", "CA", "AU", "GB", "IE", "NZ", "IN", "TW"}

// addressLines is the address as it stands on a letter.
func addressLines(p internalapi.Place) []string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return strings.TrimSpace(*s)
	}
	joined := func(between string, parts ...string) string {
		return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), between)
	}
	city, state, code, country := text(p.City), text(p.StateProvince), text(p.PostalCode), text(p.Country)
	line := joined(", ", joined(" ", code, city), state)
	if slices.Contains(cityFirst, country) {
		line = joined(", ", city, joined(" ", state, code))
	}
	if region, err := language.ParseRegion(country); err == nil {
		country = display.English.Regions().Name(region)
	}
	return slices.DeleteFunc([]string{joined(", ", text(p.StreetAddress), text(p.ApartmentUnit)), line, country},
		func(line string) bool { return line == "" })
}
