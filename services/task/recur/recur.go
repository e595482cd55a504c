// Package recur says when a task is due next.
//
// The next day is never moved about: it is derived from the rule, the days on which the task was done and the
// occurrences that were skipped, so undoing or editing any of them gives the right day by construction. It counts
// calendar days, which know no hours, zones or daylight saving.
package recur

import (
	"slices"
	"time"

	"hearth.internal/pkg/day"
)

// Unit is what a rule counts in.
type Unit string

// The units there are. A week is seven days.
const (
	None  Unit = "none" // a one-off
	Day   Unit = "day"
	Month Unit = "month"
	Year  Unit = "year"
)

// From is what the next occurrence is counted from.
type From string

// The ways to count.
const (
	DueDate    From = "due_date"   // a fixed calendar: anchor + k intervals, however late one is done
	Completion From = "completion" // so long after it was last done
)

// Nothing is due before or after these: dates beyond are typing errors.
var (
	Earliest = day.Of(1900, time.January, 1)
	Latest   = day.Of(2199, time.December, 31)
)

// Rule is how a task comes back: every so many units, or as an RRULE says.
type Rule struct {
	Unit   Unit
	Every  int // units; at least 1 unless Unit is None
	RRule  RRule
	From   From
	Anchor day.Day // the first due date; zero: the first completion starts the series
	Season Season  // it is due within alone
	Pause  Pause   // it is not due within
	End    day.Day // nothing is due after; zero: no end
	Max    int     // it ends when it was done or skipped so often; 0: never
}

// Log is what became of a task.
type Log struct {
	Done    []day.Day // oldest first
	Skipped []day.Day // occurrences (Due.Occurrence) that are not to be done, in any order
}

// Due is when a task is to be done next.
type Due struct {
	Day day.Day // zero: on no day
	// Occurrence is the day in the calendar of the rule; a pause makes Day later.
	Occurrence day.Day
	// Over reports that it was done and does not come back, unlike a task that has no date or whose pause has no end.
	Over bool
}

// Recurs reports whether the task comes back at all.
func (r Rule) Recurs() bool {
	return !r.RRule.IsZero() || (r.Unit != None && r.Unit != "" && r.Every > 0)
}

// Next is the day on which the task is due after all that is in the log.
//
// Each completion fulfils the occurrence that was due then, be it early or late, and whatever else was missed up to the
// day of the completion is not made up for.
func (r Rule) Next(log Log) Due { return r.replay(log).next() }

// Upcoming is the next n days, if the task is done on each of them; fewer when it ends.
func (r Rule) Upcoming(log Log, n int) []day.Day {
	days := []day.Day{}
	w := r.replay(log)
	for len(days) < n {
		due := w.next()
		if due.Day.IsZero() {
			break
		}
		days = append(days, due.Day)
		w.do(due.Day)
	}
	return days
}

// walk is a replay under way.
type walk struct {
	Rule
	skipped  []day.Day
	calendar calendar // of a series that is counted from the due date
	due      day.Day  // zero: on no day, or on none yet
	count    int      // done and skipped
	started  bool
	over     bool
}

func (r Rule) replay(log Log) *walk {
	w := &walk{Rule: r, skipped: log.Skipped, count: len(log.Skipped)}
	if !r.Anchor.IsZero() {
		w.start(r.Anchor)
		w.set(w.skip(r.first()))
	}
	done := log.Done
	if r.From == Completion && len(done) > 1 { // what came before the last one counts, and no more
		w.count += len(done) - 1
		done = done[len(done)-1:]
	}
	for _, d := range done {
		w.do(d)
	}
	return w
}

// first is the anchor, or what comes next where the rule does not fall on it.
func (r Rule) first() day.Day {
	if !r.Recurs() || r.allows(r.Anchor) {
		return r.Anchor
	}
	return r.FirstFrom(r.Anchor)
}

func (w *walk) start(anchor day.Day) {
	w.started = true
	if w.From != Completion {
		w.calendar = w.calendarFrom(anchor)
	}
}

// do is what a completion on that day makes of it.
func (w *walk) do(d day.Day) {
	w.count++
	if w.over {
		return
	}
	if !w.Recurs() {
		w.set(day.Day{})
		return
	}
	if !w.started {
		w.start(d)
	}
	if w.From != Completion && d.Before(w.due) {
		d = w.due
	}
	w.set(w.after(d))
}

// set takes what comes next; nothing may.
func (w *walk) set(due day.Day) {
	if due.IsZero() || due.After(Latest) || (!w.End.IsZero() && due.After(w.End)) || (w.Max > 0 && w.count >= w.Max) {
		w.due, w.over = day.Day{}, true
		return
	}
	w.due = due
}

// after is the first occurrence later than d that is not skipped.
func (w *walk) after(d day.Day) day.Day {
	if w.From == Completion {
		w.calendar = w.calendarFrom(d)
	}
	return w.skip(w.inSeason(w.calendar.after(d)))
}

// skip moves on from an occurrence that is skipped. A rule that does not recur has none but its anchor: what was skipped of the
// series that it was before is no reason not to do it on the day that it is set to now.
func (w *walk) skip(due day.Day) day.Day {
	if !w.Recurs() {
		return due
	}
	for !due.IsZero() && slices.ContainsFunc(w.skipped, due.Equal) {
		if w.From == Completion {
			w.calendar = w.calendarFrom(due)
		}
		due = w.inSeason(w.calendar.after(due))
	}
	return due
}

// inSeason moves an occurrence out of season into it: to the calendar's next one there, or, where the calendar is only
// "so long after it was done", to the season's first day.
func (w *walk) inSeason(due day.Day) day.Day {
	for !due.IsZero() && !due.After(Latest) && !w.Season.Has(due) {
		opens := w.Season.opens(due)
		if w.From == Completion && w.RRule.IsZero() {
			return opens
		}
		due = w.calendar.after(opens.AddDays(-1))
	}
	return due
}

func (w *walk) next() Due {
	due := Due{Day: w.due, Occurrence: w.due, Over: w.over && w.count > 0}
	if w.due.IsZero() || !w.Pause.covers(w.due) {
		return due
	}
	if w.Pause.Until.IsZero() {
		due.Day = day.Day{}
		return due
	}
	due.Day = w.Season.opens(w.Pause.Until.AddDays(1))
	if !w.End.IsZero() && due.Day.After(w.End) {
		due.Day, due.Over = day.Day{}, w.count > 0 // the pause outlasts it
	}
	return due
}

// Pause is a time in which nothing is due: what would be waits for the day after. The zero value is none.
type Pause struct {
	From  day.Day
	Until day.Day // its last day; zero: until further notice
}

func (p Pause) covers(d day.Day) bool {
	return !p.From.IsZero() && !d.Before(p.From) && (p.Until.IsZero() || !d.After(p.Until))
}

// calendar is a series of days. It is asked for ever later ones.
type calendar interface {
	// after is the first day of the series later than d; zero when there is none.
	after(d day.Day) day.Day
}

func (r Rule) calendarFrom(first day.Day) calendar {
	if !r.RRule.IsZero() {
		return r.RRule.from(first)
	}
	return interval{r.Unit, r.Every, first}
}

// interval is every so many units from the first.
type interval struct {
	unit  Unit
	every int
	first day.Day
}

// occurrence is the k-th after the first. It is counted from the first, never from the one before, so that a month
// without a 31st does not shorten those that follow.
func (i interval) occurrence(k int) day.Day {
	switch i.unit {
	case Month:
		return i.first.AddMonths(k * i.every)
	case Year:
		return i.first.AddMonths(12 * k * i.every)
	default:
		return i.first.AddDays(k * i.every)
	}
}

func (i interval) after(d day.Day) day.Day {
	k := max(0, i.elapsed(d)) / i.every
	next := i.occurrence(k)
	for !next.After(d) {
		k++
		next = i.occurrence(k)
	}
	return next
}

// elapsed is how many units lie between the first and d, at most one too few.
func (i interval) elapsed(d day.Day) int {
	fromYear, fromMonth, _ := i.first.Date()
	toYear, toMonth, _ := d.Date()
	switch i.unit {
	case Month:
		return (toYear-fromYear)*12 + int(toMonth-fromMonth) - 1
	case Year:
		return toYear - fromYear - 1
	default:
		return i.first.DaysUntil(d)
	}
}
