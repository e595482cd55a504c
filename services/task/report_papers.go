package task

import (
	"strings"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/task/report"
)

// history is the material as the report wants it.
func (m material) history(head report.Head, done []report.Completion) report.History {
	return report.History{
		Head: head, Completions: done, AllCompletions: m.allCompletions(),
		Equipment: m.equipment(), Warranties: m.warranties(), Documents: m.documents(),
		AllEquipment: m.papers.AllEquipment, AllWarranties: m.papers.AllWarranties, AllDocuments: m.papers.AllDocuments,
	}
}

func (m material) equipment() []report.Equipment {
	upkeep := map[uuid.UUID]reportUpkeep{}
	for _, u := range m.upkeep {
		upkeep[u.EquipmentID] = u
	}
	out := make([]report.Equipment, len(m.papers.Equipment))
	for i, e := range m.papers.Equipment {
		out[i] = report.Equipment{
			Name: e.Name, Location: e.Location, Maker: e.Manufacturer, Model: e.ModelNumber, Serial: e.SerialNumber,
			Installed: orZero(e.InstallDate), Bought: orZero(e.PurchaseDate), ReplaceBy: orZero(e.ReplaceBy),
			Works: upkeep[e.ID].Works, Cost: upkeep[e.ID].Cost,
		}
	}
	return out
}

func (m material) warranties() []report.Warranty {
	out := make([]report.Warranty, len(m.papers.Warranties))
	for i, w := range m.papers.Warranties {
		out[i] = report.Warranty{
			Item: w.Item, Provider: w.Provider, Claims: []string{w.Contact, w.ClaimPhone, w.ClaimEmail, w.ClaimWebsite},
			Model: w.ModelNumber, Serial: w.SerialNumber, Start: orZero(w.StartDate), End: orZero(w.EndDate), Bought: orZero(w.PurchaseDate),
			Price: w.Price, Inactive: !w.IsActive,
		}
	}
	return out
}

func (m material) documents() []report.Document {
	out := make([]report.Document, len(m.papers.Documents))
	for i, d := range m.papers.Documents {
		out[i] = report.Document{
			Title: d.Title, Type: strings.ToUpper(d.DocumentType[:min(1, len(d.DocumentType))]) + d.DocumentType[min(1, len(d.DocumentType)):], Provider: d.Provider,
			Added: day.In(d.AddedAt, m.zone), Start: orZero(d.StartDate), End: orZero(d.EndDate), Inactive: !d.IsActive,
		}
	}
	return out
}
