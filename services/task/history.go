package task

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/page"
)

// HistoryEntry is one line of a log: a completion, with what it is of.
type HistoryEntry struct {
	Completion
	ResidenceID uuid.UUID  `json:"residence_id" format:"uuid"`
	TaskTitle   string     `json:"task_title"`
	CategoryID  *uuid.UUID `json:"category_id" nullable:"true" format:"uuid" doc:"The task's"`
	Currency    string     `json:"currency" db:"-" doc:"Of actual_cost: the residence's"`
}

// History is a page of a log, newest first.
type History = page.List[HistoryEntry]

// cut makes a page of the entries, each with the currency of its residence.
func cut(entries []HistoryEntry, homes []access.Home, limit int) (History, error) {
	for i := range entries {
		home, _ := access.Among(homes, entries[i].ResidenceID)
		entries[i].Currency = home.Currency
	}
	return page.Cut(entries, limit, func(e HistoryEntry) completionPlace { return e.place() })
}

// TaskHistory is a task's log and what it comes to.
type TaskHistory struct {
	History
	Skips  []Skip     `json:"skips" nullable:"false" doc:"The occurrences that were let go by, newest first; at most the 200 newest"`
	Totals TaskTotals `json:"totals"`
}

// TaskTotals are of the whole log, whatever the page.
type TaskTotals struct {
	Completions   int         `json:"completions"`
	Cost          money.Total `json:"cost"`
	AverageRating *float64    `json:"average_rating" doc:"One decimal; null when nobody has rated" example:"4.5"`
	FirstAt       *time.Time  `json:"first_at" nullable:"true"`
	LastAt        *time.Time  `json:"last_at" nullable:"true"`
}

// HistoryOfTask answers a page of the task's log, newest first.
func (s *Service) HistoryOfTask(ctx context.Context, v ListView, task uuid.UUID, q page.Query) (TaskHistory, error) {
	after, err := page.After[completionPlace](q)
	if err != nil {
		return TaskHistory{}, err
	}
	log, found, err := readTaskHistory(ctx, s.DB, task, access.IDs(v.homes), after, q.Limit+1)
	if err == nil && !found {
		err = noSuchTask()
	}
	if err != nil {
		return TaskHistory{}, err
	}
	list, err := cut(log.entries, v.homes, q.Limit)
	return TaskHistory{list, log.skips, log.totals}, err
}

// ContractorHistory is what a contractor has done and what it comes to.
type ContractorHistory struct {
	History
	Totals ContractorTotals `json:"totals"`
}

// ContractorTotals are of everything that the contractor has done in residences that the asker sees, whatever the page.
type ContractorTotals struct {
	CompletionCount int        `json:"completion_count"`
	RatingCount     int        `json:"rating_count"`
	AverageRating   *float64   `json:"average_rating" doc:"One decimal; null when nobody has rated" example:"4.5"`
	FirstAt         *time.Time `json:"first_at" nullable:"true"`
	LastAt          *time.Time `json:"last_at" nullable:"true"`
	TotalPaid       Paid       `json:"total_paid" nullable:"false" doc:"By currency"`
	ByYear          []YearWork `json:"by_year" nullable:"false" doc:"Years with work in them, newest first, each in the residences' time zones"`
}

// YearWork is what a contractor has done in one year.
type YearWork struct {
	Year            int  `json:"year" example:"2026"`
	CompletionCount int  `json:"completion_count"`
	TotalPaid       Paid `json:"total_paid" nullable:"false"`
}

// HistoryOfContractor answers a page of what the contractor has done, newest first.
func (s *Service) HistoryOfContractor(ctx context.Context, v ListView, id uuid.UUID, q page.Query) (ContractorHistory, error) {
	after, err := page.After[completionPlace](q)
	if err != nil {
		return ContractorHistory{}, err
	}
	entries, work, found, err := readContractorHistory(ctx, s.DB, v, id, after, q.Limit+1)
	if err == nil && !found {
		err = noSuchContractor()
	}
	if err != nil {
		return ContractorHistory{}, err
	}
	list, err := cut(entries, v.homes, q.Limit)
	return ContractorHistory{list, totalsOf(work)}, err
}

// workRow is a contractor's work of one year in one currency.
type workRow struct {
	Year        int
	Currency    string
	Completions int
	Rated       int
	Stars       int
	Paid        *money.Total
	FirstAt     time.Time
	LastAt      time.Time
}

// totalsOf adds up the rows, which come by year, newest first, and then by currency.
func totalsOf(rows []workRow) ContractorTotals {
	t := ContractorTotals{TotalPaid: Paid{}, ByYear: []YearWork{}}
	stars := 0
	for _, row := range rows {
		t.CompletionCount += row.Completions
		t.RatingCount += row.Rated
		stars += row.Stars
		if t.FirstAt == nil || row.FirstAt.Before(*t.FirstAt) {
			t.FirstAt = &row.FirstAt
		}
		if t.LastAt == nil || row.LastAt.After(*t.LastAt) {
			t.LastAt = &row.LastAt
		}
		if n := len(t.ByYear); n == 0 || t.ByYear[n-1].Year != row.Year {
			t.ByYear = append(t.ByYear, YearWork{Year: row.Year, TotalPaid: Paid{}})
		}
		year := &t.ByYear[len(t.ByYear)-1]
		year.CompletionCount += row.Completions
		if row.Paid != nil {
			year.TotalPaid = year.TotalPaid.plus(row.Currency, *row.Paid)
			t.TotalPaid = t.TotalPaid.plus(row.Currency, *row.Paid)
		}
	}
	t.AverageRating = average(stars, t.RatingCount)
	return t
}

// plus adds the amount to that of its currency; the currencies stay in the order of their codes.
func (p Paid) plus(currency string, amount money.Total) Paid {
	at, found := slices.BinarySearchFunc(p, currency, func(in PaidIn, code string) int {
		return strings.Compare(in.Currency, code)
	})
	if !found {
		p = slices.Insert(p, at, PaidIn{Currency: currency})
	}
	p[at].Amount += amount
	return p
}

// average is the mean of ratings to one decimal, halves upwards; nil of none. Whole numbers alone, so that it is what
// PostgreSQL's round() says.
func average(stars, rated int) *float64 {
	if rated == 0 {
		return nil
	}
	tenths := (20*stars + rated) / (2 * rated)
	return new(float64(tenths) / 10)
}

// span is some days of a residence, the last one included.
type span struct {
	home     access.Home
	from, to day.Day
}

const (
	usualMonths = 12  // without a first day: so many calendar months, the last one's included
	mostMonths  = 120 // ten years
)

// spanOf is the days from..to in a residence that the actor sees. Without a last day it is today there, without a first
// one the span begins with the month eleven months before the last one's.
func (s *Service) spanOf(ctx context.Context, actor identity.Actor, residence uuid.UUID, from, to day.Day) (span, error) {
	home, err := s.Access.Readable(ctx, actor, residence)
	if err != nil {
		return span{}, err
	}
	sp := span{home, from, to}
	if to.IsZero() {
		sp.to = day.In(s.Clock.Now(), sp.zone())
	}
	if from.IsZero() {
		sp.from = firstOfMonth(sp.to).AddMonths(1 - usualMonths)
	}
	switch {
	case sp.from.After(sp.to):
		return span{}, apperr.InvalidField("query.from", "must not be after to (%s)", sp.to)
	case sp.to.After(sp.from.AddMonths(mostMonths)):
		return span{}, apperr.InvalidField("query.from", "must not be more than ten years before to (%s)", sp.to)
	}
	return sp, nil
}

func (sp span) zone() *time.Location { return identity.Actor{Zone: sp.home.Timezone}.Location() }

// start and end are the instants from which and before which the days are.
func (sp span) start() time.Time { return sp.from.Start(sp.zone()) }
func (sp span) end() time.Time   { return sp.to.AddDays(1).Start(sp.zone()) }

func firstOfMonth(d day.Day) day.Day {
	y, m, _ := d.Date()
	return day.Of(y, m, 1)
}

// SpanView is a log or a sum over some days of a residence that is not read yet: its ETag is known before any SQL.
type SpanView struct {
	ETag string // empty: not known
	span span
}

// ViewSpan says what the days of the residence depend on, beside what is named.
func (s *Service) ViewSpan(ctx context.Context, actor identity.Actor, residence uuid.UUID, from, to day.Day, depends ...string) (SpanView, error) {
	sp, err := s.spanOf(ctx, actor, residence, from, to)
	if err != nil {
		return SpanView{}, err
	}
	return SpanView{ETag: s.Access.ETag(ctx, []access.Home{sp.home}, append(depends, sp.from.String(), sp.to.String())...), span: sp}, nil
}

// HistoryFilter is what a residence's log leaves out; zero values leave out nothing.
type HistoryFilter struct {
	CategoryID   uuid.UUID
	ContractorID uuid.UUID
}

// HistoryOfResidence answers a page of what was done in the residence on these days, newest first.
func (s *Service) HistoryOfResidence(ctx context.Context, v SpanView, filter HistoryFilter, q page.Query) (History, error) {
	after, err := page.After[completionPlace](q)
	if err != nil {
		return History{}, err
	}
	entries, err := readResidenceHistory(ctx, s.DB, v.span, filter, after, q.Limit+1)
	if err != nil {
		return History{}, err
	}
	return cut(entries, []access.Home{v.span.home}, q.Limit)
}

// Costs are what a residence has cost in some days.
type Costs struct {
	From         day.Day          `json:"from"`
	To           day.Day          `json:"to" doc:"Included"`
	Currency     string           `json:"currency" example:"EUR"`
	Total        money.Total      `json:"total"`
	Count        int              `json:"count" doc:"Completions that cost something"`
	ByMonth      []MonthCost      `json:"by_month" nullable:"false" doc:"Every month of the days, oldest first; of the first and the last one only the days asked for"`
	ByCategory   []CategoryCost   `json:"by_category" nullable:"false" doc:"Dearest first"`
	ByContractor []ContractorCost `json:"by_contractor" nullable:"false" doc:"Dearest first"`
}

// Cost is a sum, and of how many completions.
type Cost struct {
	Count  int         `json:"count"`
	Amount money.Total `json:"amount"`
}

// MonthCost is that of a calendar month in the residence's time zone.
type MonthCost struct {
	Month string `json:"month" pattern:"^\\d{4}-\\d{2}$" example:"2026-03"`
	Cost
}

// CategoryCost is that of a category of tasks; of none, null.
type CategoryCost struct {
	CategoryID *uuid.UUID `json:"category_id" nullable:"true" format:"uuid"`
	Cost
}

// ContractorCost is that of a contractor: a deleted one has a name alone, nobody has neither.
type ContractorCost struct {
	ContractorID   *uuid.UUID `json:"contractor_id" nullable:"true" format:"uuid"`
	ContractorName *string    `json:"contractor_name"`
	Cost
}

// CostsOf adds up what the residence has cost on these days.
func (s *Service) CostsOf(ctx context.Context, v SpanView) (Costs, error) {
	rows, err := readCosts(ctx, s.DB, v.span)
	if err != nil {
		return Costs{}, err
	}
	out := Costs{
		From: v.span.from, To: v.span.to, Currency: v.span.home.Currency,
		ByMonth: []MonthCost{}, ByCategory: []CategoryCost{}, ByContractor: []ContractorCost{},
	}
	months := map[string]Cost{}
	for _, row := range rows {
		switch row.By {
		case byMonth:
			months[monthOf(*row.Month)] = row.Cost
		case byCategory:
			out.ByCategory = append(out.ByCategory, CategoryCost{row.CategoryID, row.Cost})
		case byContractor:
			out.ByContractor = append(out.ByContractor, ContractorCost{row.ContractorID, row.ContractorName, row.Cost})
		case byNothing:
			out.Total, out.Count = row.Amount, row.Count
		}
	}
	for first := firstOfMonth(v.span.from); !first.After(v.span.to); first = first.AddMonths(1) {
		out.ByMonth = append(out.ByMonth, MonthCost{monthOf(first), months[monthOf(first)]})
	}
	return out, nil
}

func monthOf(d day.Day) string { return d.String()[:len("2006-01")] }

// pageOf are a page's parts of an ETag.
func pageOf(q page.Query) string { return strconv.Itoa(q.Limit) + " " + q.Cursor }
