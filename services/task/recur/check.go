package recur

import "hearth.internal/pkg/day"

// Fault is what is wrong with one part of a rule.
type Fault struct {
	Field string // of the API: rrule, due_date, season_start, season_end, end_date, max_occurrences, reschedule_from
	Text  string
}

// Check finds what makes a rule useless: it never fires, or not on the day that is said to be the first. today stands in
// for the first day of a rule that has none yet.
func (r Rule) Check(today day.Day) []Fault {
	if !r.Recurs() {
		return r.checkOnce()
	}
	var faults []Fault
	if r.RRule.Counted() && r.From == Completion {
		faults = append(faults, Fault{"rrule", "has COUNT, which does not go with reschedule_from completion: use max_occurrences"})
	}
	if !r.End.IsZero() && !r.Anchor.IsZero() && r.End.Before(r.Anchor) {
		faults = append(faults, Fault{"end_date", "is before the due date"})
	}
	if len(faults) > 0 {
		return faults
	}
	if r.Anchor.IsZero() {
		return r.CheckFrom(today)
	}
	return r.checkAnchor()
}

func (r Rule) checkOnce() (faults []Fault) {
	if r.Season != (Season{}) {
		faults = append(faults, Fault{"season_start", "is only for a task that comes back"})
	}
	if !r.End.IsZero() {
		faults = append(faults, Fault{"end_date", "is only for a task that comes back"})
	}
	if r.Max > 0 {
		faults = append(faults, Fault{"max_occurrences", "is only for a task that comes back"})
	}
	return faults
}

// checkAnchor finds a due date on which the rule does not fire.
func (r Rule) checkAnchor() []Fault {
	if !r.RRule.IsZero() {
		switch first := r.RRule.from(r.Anchor).after(r.Anchor.AddDays(-1)); {
		case first.IsZero():
			return []Fault{neverFires}
		case !first.Equal(r.Anchor):
			return append(r.CheckFrom(r.Anchor), Fault{"due_date", "is not a day on which the rrule fires"})[:1]
		}
	}
	if !r.Season.Has(r.Anchor) {
		return []Fault{{"due_date", "is not in season"}}
	}
	return nil
}

var neverFires = Fault{"rrule", "never fires"}

// CheckFrom finds a rule that fires on no day from the first on. An rrule that never does is looked for through two
// centuries, and that but once.
func (r Rule) CheckFrom(first day.Day) []Fault {
	switch {
	case !r.RRule.IsZero() && r.RRule.from(first).after(first.AddDays(-1)).IsZero():
		return []Fault{neverFires}
	case r.FirstFrom(first).IsZero():
		return []Fault{{"season_start", "lets the task be due on no day: the rule never fires in season"}}
	}
	return nil
}

// FirstFrom is the first day, that one included, on which a rule without an anchor fires; zero when it never does.
func (r Rule) FirstFrom(d day.Day) day.Day {
	w := &walk{Rule: r, started: true, calendar: r.calendarFrom(d)}
	first := w.inSeason(w.calendar.after(d.AddDays(-1)))
	if first.After(Latest) {
		return day.Day{}
	}
	return first
}

// allows reports whether the rule falls on its anchor.
func (r Rule) allows(anchor day.Day) bool {
	return r.Season.Has(anchor) && (r.RRule.IsZero() || r.RRule.from(anchor).after(anchor.AddDays(-1)).Equal(anchor))
}
