package task

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/roundtrip"
)

// maxApplied is how many templates are applied at once, as in bulk.
const maxApplied = 200

// maxAhead is how far off the start may be: what is further away is a typing error.
const maxAhead = 3650

// ApplyTemplates says which templates are to become tasks, where and from when on.
type ApplyTemplates struct {
	ResidenceID        uuid.UUID   `json:"residence_id" required:"true" format:"uuid" doc:"One that you may change things in"`
	TemplateIDs        []uuid.UUID `json:"template_ids" minItems:"1" maxItems:"200" nullable:"true" doc:"Null: the essential ones that suit the residence"`
	ResidenceTypeID    *uuid.UUID  `json:"residence_type_id" nullable:"true" format:"uuid" doc:"Without template_ids: only what suits this type of residence; null: only what suits every type"`
	Climate            string      `json:"climate" enum:"tropical,dry,temperate,continental,polar" doc:"Without template_ids: only what suits this climate; left out: only what suits every climate"`
	StartOn            *day.Day    `json:"start_on" nullable:"true" doc:"Nothing is due sooner; today in the residence's zone when null or past"`
	SouthernHemisphere bool        `json:"southern_hemisphere" doc:"Moves the seasons by six months"`
}

// AppliedTemplates is what became of the templates.
type AppliedTemplates struct {
	Items   []Task      `json:"items" nullable:"false" doc:"The tasks that were added, by due date"`
	Skipped []uuid.UUID `json:"skipped" nullable:"false" doc:"Templates that stood open in the residence already"`
}

// Apply adds tasks from templates to a residence that the actor may change, all or none, and leaves out those whose
// task stands open there already: doing it twice adds nothing the second time, also at the same time.
func (s *Service) Apply(ctx context.Context, actor identity.Actor, in ApplyTemplates) (AppliedTemplates, error) {
	var (
		homes   []access.Home
		own     plans.Plan
		ts      *Templates
		lookups internalapi.TaskLookups
	)
	err := roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		if homes, own, err = s.rooms().Ask(ctx, actor, true); err != nil {
			return err
		}
		return access.WritableAmong(homes, in.ResidenceID)
	}, func(ctx context.Context) (err error) {
		ts, lookups, _, err = s.templatesAndLookups(ctx)
		return err // names what it was reading
	})
	if err != nil {
		return AppliedTemplates{}, err
	}
	chosen, err := ts.chosen(in)
	if err != nil {
		return AppliedTemplates{}, err
	}
	home, _ := access.Among(homes, in.ResidenceID)
	start, err := in.start(day.In(s.Clock.Now(), identity.Actor{Zone: home.Timezone}.Location()))
	if err != nil {
		return AppliedTemplates{}, err
	}
	byUrgency(chosen, lookups.Priorities)
	chosen = chosen[:min(len(chosen), maxApplied)]
	applied := AppliedTemplates{Items: []Task{}, Skipped: []uuid.UUID{}}
	if len(chosen) == 0 {
		return applied, nil
	}
	tasks := spread(chosen, in.ResidenceID, start, in.SouthernHemisphere)
	if !slices.Contains(nearDollar, home.Currency) {
		for i := range tasks {
			tasks[i].EstimatedCost = nil
		}
	}
	added, _, err := s.insert(ctx, actor, homes, own, tasks, func(int) string { return "body" }, &in.ResidenceID)
	if err != nil {
		return AppliedTemplates{}, err
	}
	applied.Items = append(applied.Items, added...)
	for _, t := range chosen {
		if !slices.ContainsFunc(added, func(task Task) bool { return *task.TemplateID == t.ID }) {
			applied.Skipped = append(applied.Skipped, t.ID)
		}
	}
	return applied, nil
}

// nearDollar are the currencies in which a template's rough figure is one. In yen 150.00 would be next to nothing.
var nearDollar = []string{"USD", "EUR", "GBP", "CHF", "CAD", "AUD", "NZD", "SGD"}

// chosen are the templates that were asked for, each once.
func (ts *Templates) chosen(in ApplyTemplates) ([]Template, error) {
	if in.ResidenceTypeID != nil && *in.ResidenceTypeID == uuid.Nil { // no filter, to a list
		return nil, apperr.InvalidField("body.residence_type_id", "must not be the zero UUID")
	}
	if in.TemplateIDs == nil {
		return ts.suggested(in.ResidenceTypeID, in.Climate), nil
	}
	var out []Template
	for i, id := range in.TemplateIDs {
		t, found := ts.byID[id]
		if !found || !t.IsActive {
			return nil, apperr.InvalidField(fmt.Sprintf("body.template_ids[%d]", i), "is not a template that is offered")
		}
		if !slices.Contains(in.TemplateIDs[:i], id) {
			out = append(out, t)
		}
	}
	return out, nil
}

// suggested are the essential ones. Where the type or the climate is not known they are those that suit all: nobody is
// to clean the gutters of a flat.
func (ts *Templates) suggested(residenceType *uuid.UUID, climate string) []Template {
	fit := TemplateFilter{Essential: true, Climate: climate}
	if residenceType != nil {
		fit.ResidenceTypeID = *residenceType
	}
	return slices.DeleteFunc(ts.List(fit), func(t Template) bool {
		return residenceType == nil && len(t.ResidenceTypes) > 0 || climate == "" && len(t.Climates) > 0
	})
}

// start is the first day on which something may be due.
func (in ApplyTemplates) start(today day.Day) (day.Day, error) {
	switch {
	case in.StartOn == nil || in.StartOn.Before(today):
		return today, nil
	case today.DaysUntil(*in.StartOn) > maxAhead:
		return day.Day{}, apperr.InvalidField("body.start_on", "must not be more than ten years ahead")
	}
	return *in.StartOn, nil
}

// byUrgency puts the most urgent first and else keeps their order.
func byUrgency(templates []Template, priorities []internalapi.Lookup) {
	urgency := make(map[uuid.UUID]int, len(priorities))
	for _, p := range priorities {
		urgency[p.ID] = p.DisplayOrder
	}
	slices.SortStableFunc(templates, func(a, b Template) int { return cmp.Compare(urgency[b.PriorityID], urgency[a.PriorityID]) })
}

// How many are first due on one day: what is tied to a season finds room among the others.
const (
	anyTimeADay = 2
	mostADay    = 3
)

// spread makes tasks of the templates, in their order, so that nobody has to do all of them at once, and answers them
// by due date. When a season is about to end and its days are full, they hold more: next year would be wrong.
func spread(templates []Template, residence uuid.UUID, start day.Day, south bool) []NewTask {
	tasks := make([]NewTask, len(templates))
	load := map[day.Day]int{}
	for i, t := range templates {
		s, seasonal := seasonOf(t, south)
		due := start
		if seasonal {
			first, last := s.next(start)
			due = roomIn(load, first, last)
		} else {
			for load[due] >= anyTimeADay {
				due = due.AddDays(1)
			}
		}
		load[due]++
		tasks[i] = t.task(residence, due, s)
	}
	slices.SortStableFunc(tasks, func(a, b NewTask) int { return a.DueDate.Compare(*b.DueDate) })
	return tasks
}

// roomIn is the first day that holds fewer than mostADay, or else the one that holds the fewest.
func roomIn(load map[day.Day]int, first, last day.Day) day.Day {
	best := first
	for d := first; !d.After(last); d = d.AddDays(1) {
		if load[d] < mostADay {
			return d
		}
		if load[d] < load[best] {
			best = d
		}
	}
	return best
}

// task is the template as a task.
func (t Template) task(residence uuid.UUID, due day.Day, s season) NewTask {
	return NewTask{TemplateID: &t.ID, TaskFields: TaskFields{
		ResidenceID: residence, Title: t.Title, Description: &t.Description, CategoryID: &t.CategoryID, PriorityID: &t.PriorityID,
		FrequencyID: &t.FrequencyID, CustomIntervalDays: t.CustomIntervalDays, RescheduleFrom: t.RescheduleFrom, DueDate: &due,
		SeasonStart: s.text(s.from), SeasonEnd: s.text(s.to), EstimatedCost: t.EstimatedCost,
	}}
}

// season is a part of the year, its last day included; it may go over the turn of the year. The zero season is none.
type season struct{ from, to monthDay }

type monthDay struct {
	month time.Month
	dom   int
}

// seasonOf is the template's season on the hemisphere, and whether it has one.
func seasonOf(t Template, south bool) (season, bool) {
	if t.SeasonStart == nil || t.SeasonEnd == nil {
		return season{}, false
	}
	return season{parseMonthDay(*t.SeasonStart, south), parseMonthDay(*t.SeasonEnd, south)}, true
}

// parseMonthDay reads MM-DD, as the table's checks let it be. Six months later a 31st can be one day too many, and the
// end of February is the 28th: it is there every year.
func parseMonthDay(text string, south bool) monthDay {
	month, dom := time.Month(10*(text[0]-'0')+text[1]-'0'), int(10*(text[3]-'0')+text[4]-'0')
	if south {
		month = (month+5)%12 + 1
	}
	lastDay := time.Date(2001, month+1, 0, 0, 0, 0, 0, time.UTC).Day() // 2001: no leap year
	return monthDay{month, min(dom, lastDay)}
}

// next is what is left, from start on, of the season that is or comes next.
func (s season) next(start day.Day) (first, last day.Day) {
	year, _, _ := start.Date()
	for y := year - 1; ; y++ {
		first, last = day.Of(y, s.from.month, s.from.dom), day.Of(y, s.to.month, s.to.dom)
		if last.Before(first) {
			last = day.Of(y+1, s.to.month, s.to.dom)
		}
		if last.Before(start) {
			continue
		}
		if first.Before(start) {
			first = start
		}
		return first, last
	}
}

// text is MM-DD, null for no season.
func (s season) text(d monthDay) *string {
	if s == (season{}) {
		return nil
	}
	return new(fmt.Sprintf("%02d-%02d", d.month, d.dom))
}
