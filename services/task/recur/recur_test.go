package recur_test

import (
	"strings"
	"testing"

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
			if got := c.rule.Next(recur.Log{Done: days(c.done)}).Day.String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func season(from, to string) recur.Season {
	start, _ := recur.ParseDate(from) // tests are checked by what comes out
	end, _ := recur.ParseDate(to)
	return recur.Season{Start: start, End: end}
}

func rrule(t *testing.T, text string) recur.RRule {
	t.Helper()
	r, err := recur.ParseRRule(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

func TestNextInSeasonPausedSkippedAndEnded(t *testing.T) {
	monthly := recur.Rule{Unit: recur.Month, Every: 1, From: recur.DueDate, Anchor: day.Must("2026-04-15")}
	with := func(change func(*recur.Rule)) recur.Rule {
		r := monthly
		change(&r)
		return r
	}
	summer := with(func(r *recur.Rule) { r.Season = season("04-01", "10-31") })
	winter := with(func(r *recur.Rule) { r.Season, r.Anchor = season("11-15", "02-29"), day.Must("2026-01-15") })
	later := with(func(r *recur.Rule) { r.From = recur.Completion })
	vacation := recur.Pause{From: day.Must("2026-05-10"), Until: day.Must("2026-05-20")}
	for _, c := range []struct {
		name    string
		rule    recur.Rule
		done    string
		skipped string
		want    string // day; "over"; or nothing
	}{
		{"in season nothing changes", summer, "2026-05-01", "", "2026-05-15"},
		{"after the season comes the next one's first in the calendar", summer, "2026-10-20", "", "2027-04-15"},
		{"neglected into the winter", summer, "2026-12-24", "", "2027-04-15"},
		{"a season over New Year", winter, "2026-01-20", "", "2026-02-15"},
		{"and after it", winter, "2028-02-29", "", "2028-11-15"},
		{"from the completion it opens with the season", with(func(r *recur.Rule) { r.From, r.Season = recur.Completion, season("04-01", "10-31") }), "2026-10-20", "", "2027-04-01"},
		{"an rrule in season keeps its weekday", with(func(r *recur.Rule) {
			r.Unit, r.RRule, r.Anchor, r.Season = recur.None, rrule(t, "FREQ=WEEKLY;BYDAY=SA"), day.Must("2026-04-04"), season("04-01", "10-31")
		}), "2026-10-31", "", "2027-04-03"},
		{"an rrule from the completion too", with(func(r *recur.Rule) {
			r.Unit, r.RRule, r.From, r.Season = recur.None, rrule(t, "FREQ=WEEKLY;BYDAY=SA"), recur.Completion, season("04-01", "10-31")
		}), "2026-10-31", "", "2027-04-03"},

		{"paused: the day after", with(func(r *recur.Rule) { r.Pause = vacation }), "2026-04-15", "", "2026-05-21"},
		{"paused, done in spite of it", with(func(r *recur.Rule) { r.Pause = vacation }), "2026-04-15 2026-05-12", "", "2026-06-15"},
		{"done after the pause the calendar goes on", with(func(r *recur.Rule) { r.Pause = vacation }), "2026-04-15 2026-05-21", "", "2026-06-15"},
		{"overdue before the pause stays overdue", with(func(r *recur.Rule) { r.Pause = vacation }), "", "", "2026-04-15"},
		{"not yet paused", with(func(r *recur.Rule) { r.Pause = recur.Pause{From: day.Must("2026-05-16")} }), "2026-04-15", "", "2026-05-15"},
		{"paused until further notice", with(func(r *recur.Rule) { r.Pause = recur.Pause{From: day.Must("2026-05-10")} }), "2026-04-15", "", ""},
		{"paused before it was ever done", with(func(r *recur.Rule) {
			r.Pause = recur.Pause{From: day.Must("2026-04-01"), Until: day.Must("2026-04-30")}
		}), "", "", "2026-05-01"},
		{"a pause that ends out of season", with(func(r *recur.Rule) {
			r.Season, r.Pause = season("04-01", "10-31"), recur.Pause{From: day.Must("2026-10-01"), Until: day.Must("2026-11-10")}
		}), "2026-09-15", "", "2027-04-01"},
		{"a one-off can wait too", recur.Rule{Unit: recur.None, Anchor: day.Must("2026-05-15"), Pause: vacation}, "", "", "2026-05-21"},

		{"skipped", monthly, "2026-04-15", "2026-05-15", "2026-06-15"},
		{"the first one skipped", monthly, "", "2026-04-15", "2026-05-15"},
		{"several skipped", monthly, "", "2026-06-15 2026-04-15 2026-05-15", "2026-07-15"},
		{"what is skipped does not excuse what was missed before", monthly, "", "2026-05-15", "2026-04-15"},
		{"undone is due again although a later one is skipped", monthly, "2026-04-15", "2026-06-15", "2026-05-15"},
		{"skipped, counted from the completion", later, "2026-04-20", "2026-05-20", "2026-06-20"},
		{"skipped twice, counted from the completion", later, "2026-04-20", "2026-05-20 2026-06-20", "2026-07-20"},
		{"a skip that no longer falls on anything", later, "2026-04-21", "2026-05-20", "2026-05-21"},

		{"up to its end", with(func(r *recur.Rule) { r.End = day.Must("2026-06-15") }), "2026-05-20", "", "2026-06-15"},
		{"after its end", with(func(r *recur.Rule) { r.End = day.Must("2026-06-14") }), "2026-05-20", "", "over"},
		{"an end from the completion", with(func(r *recur.Rule) { r.From, r.End = recur.Completion, day.Must("2026-06-14") }), "2026-05-20", "", "over"},
		{"so many times", with(func(r *recur.Rule) { r.Max = 3 }), "2026-04-15 2026-05-15", "", "2026-06-15"},
		{"no more than so many times", with(func(r *recur.Rule) { r.Max = 3 }), "2026-04-15 2026-05-15 2026-06-15", "", "over"},
		{"skipping counts", with(func(r *recur.Rule) { r.Max = 3 }), "2026-04-15 2026-06-15", "2026-05-15", "over"},
		{"so many times from the completion", with(func(r *recur.Rule) { r.From, r.Max = recur.Completion, 2 }), "2026-04-15 2026-04-16", "", "over"},
		{"an rrule's own count is of its calendar", with(func(r *recur.Rule) { r.Unit, r.RRule = recur.None, rrule(t, "FREQ=MONTHLY;COUNT=3") }), "2026-05-20", "", "2026-06-15"},
		{"and over", with(func(r *recur.Rule) { r.Unit, r.RRule = recur.None, rrule(t, "FREQ=MONTHLY;COUNT=3") }), "2026-06-15", "", "over"},
		{"an rrule's until is that whole day", with(func(r *recur.Rule) { r.Unit, r.RRule = recur.None, rrule(t, "FREQ=MONTHLY;UNTIL=20260615T060000Z") }), "2026-05-20", "", "2026-06-15"},
		{"an rrule skips months without a 31st, as the RFC has it", recur.Rule{RRule: rrule(t, "FREQ=MONTHLY"), From: recur.DueDate, Anchor: day.Must("2026-01-31")}, "2026-01-31", "", "2026-03-31"},
		{"a one-off that is done is over", recur.Rule{Unit: recur.None, Anchor: day.Must("2026-05-15")}, "2026-05-15", "", "over"},
		{"no date and no completion", recur.Rule{Unit: recur.Day, Every: 1}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			due := c.rule.Next(recur.Log{Done: days(c.done), Skipped: days(c.skipped)})
			got := due.Day.String()
			if due.Over {
				got += "over"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUpcoming(t *testing.T) {
	for _, c := range []struct {
		name string
		rule recur.Rule
		done string
		want string
	}{
		{"month ends", recur.Rule{Unit: recur.Month, Every: 1, From: recur.DueDate, Anchor: day.Must("2028-01-31")}, "", "2028-01-31 2028-02-29 2028-03-31 2028-04-30"},
		{"from the completion the 31st is forgotten", recur.Rule{Unit: recur.Month, Every: 1, From: recur.Completion, Anchor: day.Must("2028-01-31")}, "", "2028-01-31 2028-02-29 2028-03-29 2028-04-29"},
		{"a season", recur.Rule{Unit: recur.Month, Every: 2, From: recur.DueDate, Anchor: day.Must("2026-04-15"), Season: season("04-01", "09-30")}, "2026-06-15", "2026-08-15 2027-04-15 2027-06-15 2027-08-15"},
		{"what is left of it", recur.Rule{Unit: recur.Day, Every: 7, From: recur.DueDate, Anchor: day.Must("2026-04-15"), Max: 3}, "2026-04-15", "2026-04-22 2026-04-29"},
		{"a pause folds what it covers", recur.Rule{Unit: recur.Day, Every: 1, From: recur.DueDate, Anchor: day.Must("2026-04-15"), Pause: recur.Pause{From: day.Must("2026-04-16"), Until: day.Must("2026-04-20")}}, "", "2026-04-15 2026-04-21 2026-04-22 2026-04-23"},
		{"a one-off", recur.Rule{Unit: recur.None, Anchor: day.Must("2026-04-15")}, "", "2026-04-15"},
		{"nothing", recur.Rule{Unit: recur.Day, Every: 1}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range c.rule.Upcoming(recur.Log{Done: days(c.done)}, 4) {
				got = append(got, d.String())
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestCheckNamesWhatMakesARuleUseless(t *testing.T) {
	monthly := recur.Rule{Unit: recur.Month, Every: 1, From: recur.DueDate, Anchor: day.Must("2026-04-15")}
	ruled := func(text, anchor string) recur.Rule {
		r := recur.Rule{RRule: rrule(t, text), From: recur.DueDate}
		if anchor != "" {
			r.Anchor = day.Must(anchor)
		}
		return r
	}
	with := func(r recur.Rule, change func(*recur.Rule)) recur.Rule {
		change(&r)
		return r
	}
	for _, c := range []struct {
		name string
		rule recur.Rule
		want string // the fields
	}{
		{"a plain rule", monthly, ""},
		{"a one-off", recur.Rule{Unit: recur.None, Anchor: day.Must("2026-04-15")}, ""},
		{"a one-off with all that needs a rule", recur.Rule{Unit: recur.None, Season: season("04-01", "10-31"), End: day.Must("2026-04-15"), Max: 2}, "season_start end_date max_occurrences"},
		{"due out of season", with(monthly, func(r *recur.Rule) { r.Season = season("05-01", "10-31") }), "due_date"},
		{"due on a day of the rrule", ruled("FREQ=WEEKLY;BYDAY=WE", "2026-04-15"), ""},
		{"due on another day", ruled("FREQ=WEEKLY;BYDAY=TH", "2026-04-15"), "due_date"},
		{"February 30th", ruled("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2026-04-15"), "rrule"},
		{"February 30th, without a date", ruled("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", ""), "rrule"},
		{"ended before today", ruled("FREQ=DAILY;UNTIL=20251231", ""), "rrule"},
		{"never in season", with(ruled("FREQ=YEARLY;BYMONTH=12", ""), func(r *recur.Rule) { r.Season = season("04-01", "10-31") }), "season_start"},
		{"every December, due in December, in summer alone", with(ruled("FREQ=MONTHLY;BYMONTH=12", "2026-12-01"), func(r *recur.Rule) { r.Season = season("04-01", "10-31") }), "due_date"},
		{"ends before it starts", with(monthly, func(r *recur.Rule) { r.End = day.Must("2026-04-14") }), "end_date"},
		{"a count from the completion", with(ruled("FREQ=DAILY;COUNT=3", ""), func(r *recur.Rule) { r.From = recur.Completion }), "rrule"},
		{"no date yet", with(monthly, func(r *recur.Rule) { r.Anchor = day.Day{} }), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var fields []string
			for _, fault := range c.rule.Check(day.Must("2026-04-15")) {
				fields = append(fields, fault.Field)
			}
			if strings.Join(fields, " ") != c.want {
				t.Errorf("got %v, want %q", fields, c.want)
			}
		})
	}
}

func TestARuleThatNoLongerRecursIsDueOnItsDayEvenIfThatWasSkipped(t *testing.T) {
	d := day.Must("2026-03-10")
	if got := (recur.Rule{Anchor: d}).Next(recur.Log{Skipped: []day.Day{d}}); !got.Day.Equal(d) || got.Over {
		t.Errorf("next is %+v", got)
	}
}
