package document

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/roundtrip"
)

// EquipmentHistory is a piece of equipment with all that is known of it: a page of what was done to it, newest first,
// and, whatever the page, its papers, what is to be done, and what it comes to.
type EquipmentHistory struct {
	Equipment Equipment `json:"equipment" doc:"With the days on which it was bought, installed and removed"`
	page.List[EquipmentEntry]
	Documents []Document             `json:"documents" nullable:"false" doc:"That name it, newest first; at most the 200 newest"`
	OpenTasks []internalapi.WorkToDo `json:"open_tasks" nullable:"false" doc:"That name it, the most urgent first; at most 200"`
	Totals    EquipmentTotals        `json:"totals"`
}

// EquipmentEntry is one line of the log: a completion that names the equipment, with what it is of.
type EquipmentEntry struct {
	internalapi.WorkDone
	EquipmentID uuid.UUID `json:"equipment_id" format:"uuid"`
	Currency    string    `json:"currency" doc:"Of actual_cost: the residence's"`
}

// EquipmentTotals are of the whole log, whatever the page.
type EquipmentTotals struct {
	Completions     int           `json:"completions"`
	MaintenanceCost money.Total   `json:"maintenance_cost"`
	PurchasePrice   *money.Amount `json:"purchase_price" nullable:"true"`
	TotalCost       money.Total   `json:"total_cost" doc:"Purchase and maintenance"`
	CostPerYear     *money.Total  `json:"cost_per_year" nullable:"true" doc:"total_cost by the years from its installation, or else its purchase, until its removal, or today; at least one. Null when neither day is known"`
	Currency        string        `json:"currency" example:"EUR"`
	FirstAt         *time.Time    `json:"first_at" nullable:"true" doc:"Its first completion"`
	LastAt          *time.Time    `json:"last_at" nullable:"true"`
}

// HistoryOfEquipment answers a page of what was done to the equipment, newest first. What task knows and what this
// service knows is read at the same time: which residences the actor sees bounds both.
func (s *Service) HistoryOfEquipment(ctx context.Context, v EquipmentView, id uuid.UUID, q page.Query) (EquipmentHistory, error) {
	before, err := page.After[internalapi.WorkPlace](q)
	if err != nil {
		return EquipmentHistory{}, err
	}
	var (
		out   EquipmentHistory
		work  internalapi.EquipmentWork
		found bool
	)
	mine := access.IDs(v.homes)
	err = roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		out.Equipment, out.Documents, found, err = readEquipmentPapers(ctx, s.DB, id, mine)
		return err
	}, func(ctx context.Context) (err error) {
		work, err = s.tasks.EquipmentWork(ctx, internalapi.EquipmentWorkQuery{
			EquipmentID: id, ResidenceIDs: mine, Limit: q.Limit + 1, Before: before,
		})
		return err
	})
	if err != nil {
		return EquipmentHistory{}, err
	}
	if !found {
		return EquipmentHistory{}, noSuchEquipment()
	}
	home, _ := access.Among(v.homes, out.Equipment.ResidenceID)
	out.Equipment = out.Equipment.aged()
	for i, d := range out.Documents {
		out.Documents[i] = d.on(v.today)
	}
	out.OpenTasks, out.Totals = work.OpenTasks, out.Equipment.totals(work.Totals, home.Currency, v.today)
	entries := make([]EquipmentEntry, len(work.Completions))
	for i, done := range work.Completions {
		entries[i] = EquipmentEntry{done, id, home.Currency}
	}
	out.List, err = page.Cut(entries, q.Limit, func(e EquipmentEntry) internalapi.WorkPlace {
		return internalapi.WorkPlace{At: e.CompletedAt, ID: e.ID}
	})
	return out, err
}

// daysAYear is a year with its share of the leap day.
const daysAYear = 365.25

// totals are what the equipment has cost by today.
func (e Equipment) totals(work internalapi.WorkTotals, currency string, today day.Day) EquipmentTotals {
	t := EquipmentTotals{
		Completions: work.Completions, MaintenanceCost: work.Cost, PurchasePrice: e.PurchasePrice, TotalCost: work.Cost,
		Currency: currency, FirstAt: work.FirstAt, LastAt: work.LastAt,
	}
	if e.PurchasePrice != nil {
		t.TotalCost += money.Total(*e.PurchasePrice)
	}
	if since := e.since(); since != nil {
		until := today
		if e.RemovedDate != nil && e.RemovedDate.Before(today) {
			until = *e.RemovedDate
		}
		years := max(float64(since.DaysUntil(until))/daysAYear, 1)
		t.CostPerYear = new(money.Total(math.Round(float64(t.TotalCost) / years)))
	}
	return t
}
