package recur_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth.internal/pkg/day"
	"hearth.internal/task/recur"
)

func days(list string) []day.Day {
	var out []day.Day
	for d := range strings.FieldsSeq(list) {
		out = append(out, day.Must(d))
	}
	return out
}

func TestNext(t *testing.T) {
	due := func(unit recur.Unit, every int, anchor string) recur.Rule {
		r := recur.Rule{Unit: unit, Every: every, From: recur.DueDate}
		if anchor != "" {
			r.Anchor = day.Must(anchor)
		}
		return r
	}
	done := func(unit recur.Unit, every int, anchor string) recur.Rule {
		r := due(unit, every, anchor)
		r.From = recur.Completion
		return r
	}
	for _, c := range []struct {
		name string
		rule recur.Rule
		done string
		want string
	}{
		{"never done is due when it says", due(recur.Month, 1, "2026-01-31"), "", "2026-01-31"},
		{"never done and no date", due(recur.Month, 1, ""), "", ""},
		{"a one-off that is done", due(recur.None, 0, "2026-01-31"), "2026-01-31", ""},
		{"a one-off done twice", due(recur.None, 0, "2026-01-31"), "2026-01-31 2026-02-01", ""},
		{"daily", due(recur.Day, 1, "2026-03-10"), "2026-03-10", "2026-03-11"},
		{"weekly, done late keeps the weekday", due(recur.Day, 7, "2026-03-10"), "2026-03-12", "2026-03-17"},
		{"weekly, done early counts for the one to come", due(recur.Day, 7, "2026-03-10"), "2026-03-08", "2026-03-17"},
		{"weekly, done twice runs ahead", due(recur.Day, 7, "2026-03-10"), "2026-03-10 2026-03-10", "2026-03-24"},
		{"weekly, done on the next due date", due(recur.Day, 7, "2026-03-10"), "2026-03-17", "2026-03-24"},
		{"weekly, neglected for months", due(recur.Day, 7, "2026-01-06"), "2026-06-01", "2026-06-02"},
		{"month ends clamp", due(recur.Month, 1, "2026-01-31"), "2026-01-31", "2026-02-28"},
		{"and do not drift", due(recur.Month, 1, "2026-01-31"), "2026-01-31 2026-02-28", "2026-03-31"},
		{"nor in April", due(recur.Month, 1, "2026-01-31"), "2026-01-31 2026-02-28 2026-03-31", "2026-04-30"},
		{"month ends clamp in a leap year", due(recur.Month, 1, "2028-01-31"), "2028-01-30", "2028-02-29"},
		{"the 30th in February", due(recur.Month, 1, "2026-01-30"), "2026-01-30 2026-02-28", "2026-03-30"},
		{"quarterly from the 31st", due(recur.Month, 3, "2025-08-31"), "2025-08-31", "2025-11-30"},
		{"quarterly, neglected", due(recur.Month, 3, "2025-08-31"), "2026-05-30", "2026-05-31"},
		{"quarterly, neglected until the very day", due(recur.Month, 3, "2025-08-31"), "2026-05-31", "2026-08-31"},
		{"half-yearly across a year", due(recur.Month, 6, "2025-12-15"), "2025-12-20", "2026-06-15"},
		{"yearly on a leap day", due(recur.Year, 1, "2028-02-29"), "2028-02-29", "2029-02-28"},
		{"yearly on a leap day comes back to it", due(recur.Year, 1, "2028-02-29"), "2028-02-29 2029-02-28 2030-02-28 2031-02-28", "2032-02-29"},
		{"yearly, neglected for decades", due(recur.Year, 1, "1990-05-01"), "2026-05-01", "2027-05-01"},
		{"the first completion starts a series without a date", due(recur.Month, 1, ""), "2026-01-31", "2026-02-28"},
		{"and goes on from there", due(recur.Month, 1, ""), "2026-01-31 2026-02-28", "2026-03-31"},
		{"done before the first due date, long ago", due(recur.Month, 1, "2026-06-15"), "2025-01-01", "2026-07-15"},
		{"from the completion", done(recur.Day, 7, "2026-03-10"), "2026-03-12", "2026-03-19"},
		{"from the completion, early", done(recur.Month, 1, "2026-03-10"), "2026-03-01", "2026-04-01"},
		{"from a completion on the 31st", done(recur.Month, 1, "2026-01-10"), "2026-01-31", "2026-02-28"},
		{"from a completion, without a date", done(recur.Year, 1, ""), "2028-02-29", "2029-02-28"},
		{"from the last of several completions", done(recur.Day, 90, "2026-01-01"), "2026-01-01 2026-02-01 2026-02-10", "2026-05-11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.rule.Next(days(c.done)).String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func anyRule(r *rand.Rand) recur.Rule {
	units := []recur.Unit{recur.Day, recur.Month, recur.Year}
	rule := recur.Rule{Unit: units[r.IntN(len(units))], Every: 1 + r.IntN(12), From: recur.DueDate, Anchor: anyDay(r)}
	if r.IntN(3) == 0 {
		rule.From = recur.Completion
	}
	if r.IntN(5) == 0 {
		rule.Anchor = day.Day{}
	}
	return rule
}

// anyDay prefers the ends of months.
func anyDay(r *rand.Rand) day.Day {
	d := day.Of(2020+r.IntN(9), time.Month(1+r.IntN(12)), 1)
	if r.IntN(2) == 0 {
		return d.AddDays(-1 - r.IntN(3))
	}
	return d.AddDays(r.IntN(31))
}

func TestPropertiesOfTheNextDay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		rule := anyRule(r)
		done := make([]day.Day, r.IntN(8))
		for i := range done {
			done[i] = anyDay(r)
		}
		slices.SortFunc(done, day.Day.Compare)
		next := rule.Next(done)
		if len(done) == 0 {
			if !next.Equal(rule.Anchor) {
				t.Fatalf("%+v never done: %s", rule, next)
			}
			continue
		}
		last := done[len(done)-1]
		if !next.After(last) {
			t.Fatalf("%+v done on %v is due on %s: not after it was done", rule, done, next)
		}
		before := rule.Next(done[:len(done)-1])
		if rule.From == recur.DueDate && !before.IsZero() && !next.After(before) {
			t.Fatalf("%+v done on %v: %s is not after %s", rule, done, next, before)
		}
		if rule.From == recur.DueDate && !isOccurrence(rule, done, next) {
			t.Fatalf("%+v done on %v: %s is no occurrence", rule, done, next)
		}
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
