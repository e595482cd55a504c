package notification

import (
	"fmt"
	"time"

	"hearth.internal/pkg/day"
)

// wall is a time as the clock on somebody's wall shows it, in minutes since midnight.
type wall int

func (w wall) String() string { return fmt.Sprintf("%02d:%02d", int(w)/60, int(w)%60) }

// on is the instant at which clocks in the zone show the time on that day. Where the time is skipped, as in spring, it is
// as much later as the clocks jump, or earlier where later is another day; where it comes twice, as in autumn, it is the first.
func (w wall) on(d day.Day, zone *time.Location) time.Time {
	year, month, dom := d.Date()
	read := time.Date(year, month, dom, int(w)/60, int(w)%60, 0, 0, time.UTC)
	by := func(clocks time.Time) time.Time { // the instant, if clocks are as they are then
		_, ahead := clocks.In(zone).Zone()
		return read.Add(-time.Duration(ahead) * time.Second).In(zone)
	}
	before, after := by(read.AddDate(0, 0, -1)), by(read.AddDate(0, 0, 1))
	if shows(before) != w && shows(after) == w || !day.In(before, zone).Equal(d) {
		return after
	}
	return before
}

func shows(t time.Time) wall { return wall(t.Hour()*60 + t.Minute()) }

// timing is when a person wants to be reminded.
type timing struct {
	Zone     *time.Location
	Reminder wall
	Digest   wall
	Lead     int // days before a task is due
}

// What there is to be reminded of.
const (
	aboutTask     = "task"
	aboutWarranty = "warranty"
	aboutDigest   = "digest"
	aboutSnooze   = "snooze"
)

// The steps of a task: before it is due, on the day, and then again and again, ever less often, until it is done or nobody
// listens any more.
const (
	stepSoon = iota
	stepToday
	stepOverdue // and all after it
)

var (
	overdueAfter   = [...]int{1, 3, 7, 14, 30, 60, 90} // days
	warrantyBefore = [...]int{90, 30, 7, 1}            // days
)

// stepDay is the day of a step of what is due, or ends, on the date; false when there is no such step.
func (t timing) stepDay(about string, date day.Day, step int) (day.Day, bool) {
	switch {
	case about == aboutWarranty && step >= 0 && step < len(warrantyBefore):
		return date.AddDays(-warrantyBefore[step]), true
	case about != aboutTask || step < 0:
		return day.Day{}, false
	case step == stepSoon:
		return date.AddDays(-t.Lead), true
	case step == stepToday:
		return date, true
	case step-stepOverdue < len(overdueAfter):
		return date.AddDays(overdueAfter[step-stepOverdue]), true
	}
	return day.Day{}, false
}

// at is when a step is told of; nil when there is no such step.
func (t timing) at(about string, date day.Day, step int) *time.Time {
	d, is := t.stepDay(about, date, step)
	if !is {
		return nil
	}
	return new(t.Reminder.on(d, t.Zone).UTC())
}

// first is the first step that is still to come at now, and when. What lies before is not made up for: whoever enters a
// date has it before their eyes.
func (t timing) first(about string, date day.Day, now time.Time) (step int, at *time.Time) {
	for at = t.at(about, date, step); at != nil && !at.After(now); at = t.at(about, date, step) {
		step++
	}
	return step, at
}

// latest is the last step from the given one on whose time has come. Those between are passed over: nobody needs to be told
// that something will be due when it is.
func (t timing) latest(about string, date day.Day, step int, now time.Time) int {
	for next := t.at(about, date, step+1); next != nil && !next.After(now); next = t.at(about, date, step+1) {
		step++
	}
	return step
}

// matters says whether a step is still worth telling today: a reminder that was held up must not say what is no longer so.
// What comes next will say what is.
func matters(about string, date day.Day, step int, today day.Day) bool {
	switch {
	case about == aboutWarranty:
		return !today.After(date)
	case step == stepSoon:
		return today.Before(date)
	case step == stepToday:
		return today.Equal(date)
	}
	return today.After(date)
}

// nextDigest is when the day is told of next, after the given day (zero: none yet).
func (t timing) nextDigest(told day.Day, now time.Time) time.Time {
	d := day.In(now, t.Zone)
	if at := t.Digest.on(d, t.Zone); at.After(now) && (told.IsZero() || d.After(told)) {
		return at.UTC()
	}
	for d = d.AddDays(1); !told.IsZero() && !d.After(told); d = d.AddDays(1) { // whoever flew over the date line has had that day
	}
	return t.Digest.on(d, t.Zone).UTC()
}

// quiet is when a person does not want to be disturbed.
type quiet struct {
	From, Until wall // every day; the day after, when Until is not after From
	Daily       bool
	Snoozed     time.Time // zero: no
}

// ends is when a person may be disturbed again: now, unless it is quiet.
func (q quiet) ends(now time.Time, zone *time.Location) time.Time {
	at := now
	if q.Snoozed.After(at) {
		at = q.Snoozed
	}
	if !q.Daily {
		return at
	}
	today := day.In(at, zone)
	for _, d := range []day.Day{today.AddDays(-1), today} { // the night that began yesterday, and the one that begins today
		from, until := q.From.on(d, zone), q.Until.on(d, zone)
		if q.Until <= q.From {
			until = q.Until.on(d.AddDays(1), zone)
		}
		if !at.Before(from) && at.Before(until) {
			return until.UTC()
		}
	}
	return at
}
