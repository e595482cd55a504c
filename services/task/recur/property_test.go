package recur_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"hearth.internal/pkg/day"
	"hearth.internal/task/recur"
)

func oneOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// anyDay prefers the ends of months.
func anyDay(r *rand.Rand) day.Day {
	d := day.Of(2020+r.IntN(9), time.Month(1+r.IntN(12)), 1)
	if r.IntN(2) == 0 {
		return d.AddDays(-1 - r.IntN(3))
	}
	return d.AddDays(r.IntN(31))
}

// anyRule is one that Check lets pass.
func anyRule(r *rand.Rand) recur.Rule {
	for {
		rule := recur.Rule{Unit: oneOf(r, recur.Day, recur.Month, recur.Year), Every: 1 + r.IntN(12), From: oneOf(r, recur.DueDate, recur.DueDate, recur.Completion)}
		if r.IntN(3) == 0 {
			rule.RRule, _ = recur.ParseRRule(oneOf(r, "FREQ=WEEKLY;BYDAY=SA", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;INTERVAL=3"))
			rule.Unit = recur.None
		}
		if r.IntN(3) == 0 {
			_, m1, d1 := anyDay(r).Date()
			_, m2, d2 := anyDay(r).Date()
			rule.Season = recur.Season{Start: recur.Date{Month: m1, Day: d1}, End: recur.Date{Month: m2, Day: d2}}
		}
		if r.IntN(5) > 0 {
			rule.Anchor = rule.FirstFrom(anyDay(r))
		}
		if r.IntN(4) == 0 {
			from := anyDay(r)
			rule.Pause = recur.Pause{From: from, Until: from.AddDays(r.IntN(60))}
		}
		if len(rule.Check(day.Must("2024-01-01"))) == 0 {
			return rule
		}
	}
}

func TestPropertiesOfTheNextDay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4_000 {
		rule := anyRule(r)
		done := make([]day.Day, r.IntN(8))
		for i := range done {
			done[i] = anyDay(r)
		}
		slices.SortFunc(done, day.Day.Compare)
		log := recur.Log{Done: done}
		if r.IntN(3) == 0 {
			log.Skipped = rule.Upcoming(log, 1+r.IntN(3))
			rule.Pause = recur.Pause{} // what is skipped is an occurrence, not the day after a pause
		}
		checkNext(t, rule, log)
	}
}

// checkNext holds for every rule and every log.
func checkNext(t *testing.T, rule recur.Rule, log recur.Log) {
	t.Helper()
	due := rule.Next(log)
	if len(log.Done) == 0 && rule.Anchor.IsZero() {
		if !due.Day.IsZero() || due.Over {
			t.Fatalf("%+v never done: %+v", rule, due)
		}
		return
	}
	if due.Day.IsZero() != due.Over && rule.Pause.Until.IsZero() == rule.Pause.From.IsZero() {
		t.Fatalf("%+v after %+v: %+v", rule, log, due)
	}
	if due.Over {
		return
	}
	if !rule.Season.Has(due.Day) || !rule.Season.Has(due.Occurrence) {
		t.Fatalf("%+v after %+v: %+v is out of season", rule, log, due)
	}
	if due.Day.Before(due.Occurrence) || (!rule.Pause.From.IsZero() && !due.Day.Before(rule.Pause.From) && !due.Day.After(rule.Pause.Until)) {
		t.Fatalf("%+v after %+v: %+v is in the pause", rule, log, due)
	}
	if slices.ContainsFunc(log.Skipped, due.Occurrence.Equal) {
		t.Fatalf("%+v after %+v: %+v is skipped", rule, log, due)
	}
	if n := len(log.Done); n > 0 {
		if !due.Occurrence.After(log.Done[n-1]) {
			t.Fatalf("%+v after %+v: %+v is not after it was done", rule, log, due)
		}
		before := rule.Next(recur.Log{Done: log.Done[:n-1], Skipped: log.Skipped})
		if rule.From == recur.DueDate && !due.Occurrence.After(before.Occurrence) {
			t.Fatalf("%+v after %+v: %+v is not after %+v", rule, log, due, before)
		}
	}
	if rule.From == recur.DueDate && rule.RRule.IsZero() && !isOccurrence(rule, log.Done, due.Occurrence) {
		t.Fatalf("%+v after %+v: %+v is no occurrence", rule, log, due)
	}
	upcoming := rule.Upcoming(log, 5)
	if len(upcoming) == 0 || !upcoming[0].Equal(due.Day) || !slices.IsSortedFunc(upcoming, day.Day.Compare) || len(slices.Compact(slices.Clone(upcoming))) != len(upcoming) {
		t.Fatalf("%+v after %+v: upcoming %v, next %+v", rule, log, upcoming, due)
	}
}

// isOccurrence walks the calendar from the anchor, one interval at a time.
func isOccurrence(rule recur.Rule, done []day.Day, d day.Day) bool {
	anchor := rule.Anchor
	if anchor.IsZero() {
		anchor = done[0]
	}
	for k := 0; ; k++ {
		var at day.Day
		switch rule.Unit {
		case recur.Month:
			at = anchor.AddMonths(k * rule.Every)
		case recur.Year:
			at = anchor.AddMonths(k * rule.Every * 12)
		default:
			at = anchor.AddDays(k * rule.Every)
		}
		if !at.Before(d) {
			return at.Equal(d)
		}
	}
}

func FuzzRRule(f *testing.F) {
	for _, seed := range []string{
		"FREQ=DAILY", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
		"RRULE:FREQ=YEARLY;BYDAY=20MO;UNTIL=20301231", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-2", "FREQ=YEARLY;BYYEARDAY=1,-1", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
	} {
		f.Add(seed, uint16(100), uint16(40), true)
	}
	f.Fuzz(func(t *testing.T, text string, start, gap uint16, fixed bool) {
		if len(text) > 500 {
			return // the API takes no longer ones
		}
		rule := recur.Rule{From: recur.Completion}
		if fixed {
			rule.From = recur.DueDate
		}
		var err error
		if rule.RRule, err = recur.ParseRRule(text); err != nil {
			return
		}
		if again, err := recur.ParseRRule(rule.RRule.String()); err != nil || again.String() != rule.RRule.String() {
			t.Fatalf("%q is not read again as itself: %q, %v", rule.RRule, again, err)
		}
		first := day.Must("1990-01-01").AddDays(int(start))
		if len(rule.Check(first)) > 0 {
			return
		}
		rule.Anchor = rule.FirstFrom(first)
		checkNext(t, rule, recur.Log{})
		checkNext(t, rule, recur.Log{Done: []day.Day{rule.Anchor.AddDays(int(gap % 800))}})
	})
}
