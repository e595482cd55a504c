// Package recur says when a task is due next.
//
// The next day is never moved about: it is derived from the rule and the days on which the task was done, so undoing
// or editing any of them gives the right day by construction.
package recur

import "hearth.internal/pkg/day"

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

// Rule is how a task comes back.
type Rule struct {
	Unit   Unit
	Every  int // units; at least 1 unless Unit is None
	From   From
	Anchor day.Day // the first due date; zero: the first completion starts the series
}

// Recurs reports whether the task comes back at all.
func (r Rule) Recurs() bool { return r.Unit != None && r.Unit != "" && r.Every > 0 }

// Next is the day on which the task is due after it was done on these days, oldest first; zero when it is not due on
// any day.
//
// Each completion fulfils the occurrence that was due then, be it early or late, and whatever else was missed up to the
// day of the completion is not made up for.
func (r Rule) Next(done []day.Day) day.Day {
	if len(done) == 0 {
		return r.Anchor
	}
	if !r.Recurs() {
		return day.Day{}
	}
	if r.From == Completion {
		return r.occurrence(done[len(done)-1], 1)
	}
	if r.Anchor.IsZero() {
		r.Anchor = done[0]
	}
	due := r.Anchor
	for _, d := range done {
		if d.Before(due) {
			d = due
		}
		due = r.after(d)
	}
	return due
}

// occurrence is the k-th after the first. It is counted from the first, never from the one before, so that a month
// without a 31st does not shorten those that follow.
func (r Rule) occurrence(first day.Day, k int) day.Day {
	switch r.Unit {
	case Month:
		return first.AddMonths(k * r.Every)
	case Year:
		return first.AddMonths(12 * k * r.Every)
	default:
		return first.AddDays(k * r.Every)
	}
}

// after is the first occurrence later than d, which is not before the anchor.
func (r Rule) after(d day.Day) day.Day {
	k := r.elapsed(d) / r.Every
	next := r.occurrence(r.Anchor, k)
	for !next.After(d) {
		k++
		next = r.occurrence(r.Anchor, k)
	}
	return next
}

// elapsed is how many units lie between the anchor and d, give or take one.
func (r Rule) elapsed(d day.Day) int {
	fromYear, fromMonth, _ := r.Anchor.Date()
	toYear, toMonth, _ := d.Date()
	switch r.Unit {
	case Month:
		return max(0, (toYear-fromYear)*12+int(toMonth-fromMonth)-1)
	case Year:
		return max(0, toYear-fromYear-1)
	default:
		return r.Anchor.DaysUntil(d)
	}
}
