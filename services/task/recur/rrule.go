package recur

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"hearth.internal/pkg/day"
)

// The most that an INTERVAL may be: the library counts on in steps of it.
const longestInterval = 1000

// The most that a month has of one weekday.
const mostInMonth = 5

// RRule is a recurrence rule of RFC 5545, section 3.3.10, that fires on days. The zero value is none.
type RRule struct {
	text    string
	options rrule.ROption
}

// IsZero reports whether there is no rule.
func (r RRule) IsZero() bool { return r.text == "" }

// String is the rule in its canonical spelling.
func (r RRule) String() string { return r.text }

// Counted reports whether the rule itself says how often it fires.
func (r RRule) Counted() bool { return r.options.Count > 0 }

var frequencies = []string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}

var parts = []string{"FREQ", "UNTIL", "COUNT", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "WKST"}

// ParseRRule reads a rule, with or without "RRULE:" before it. It refuses what the RFC forbids, and whatever says a time
// of day: a task is due on a day.
func ParseRRule(text string) (RRule, error) {
	text = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "RRULE:")
	values := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
		name, value, found := strings.Cut(part, "=")
		switch {
		case !found || value == "":
			return RRule{}, fmt.Errorf("has the part %q, which is not of the form NAME=VALUE", part)
		case slices.Contains([]string{"BYHOUR", "BYMINUTE", "BYSECOND"}, name):
			return RRule{}, fmt.Errorf("has %s, but a task is due on a day", name)
		case !slices.Contains(parts, name):
			return RRule{}, fmt.Errorf("has the unknown part %s", name)
		case values[name] != "":
			return RRule{}, fmt.Errorf("has %s twice", name)
		}
		values[name] = value
	}
	if err := refuseParts(values); err != nil {
		return RRule{}, err
	}
	options, err := readParts(values)
	if err != nil {
		return RRule{}, err
	}
	return RRule{canonical(values), *options}, nil
}

// refuseParts is section 3.3.10's table of what goes with what.
func refuseParts(values map[string]string) error {
	frequency := values["FREQ"]
	if !slices.Contains(frequencies, frequency) {
		return fmt.Errorf("needs FREQ, one of %s", strings.Join(frequencies, ", "))
	}
	has := func(name string) bool { return values[name] != "" }
	nth := strings.ContainsAny(values["BYDAY"], "0123456789")
	switch {
	case has("UNTIL") && has("COUNT"):
		return errors.New("has both UNTIL and COUNT")
	case has("BYWEEKNO") && frequency != "YEARLY":
		return errors.New("has BYWEEKNO, which goes with FREQ=YEARLY alone")
	case has("BYYEARDAY") && frequency != "YEARLY":
		return errors.New("has BYYEARDAY, which goes with FREQ=YEARLY alone")
	case has("BYMONTHDAY") && frequency == "WEEKLY":
		return errors.New("has BYMONTHDAY, which does not go with FREQ=WEEKLY")
	case nth && (frequency == "DAILY" || frequency == "WEEKLY" || has("BYWEEKNO")):
		return errors.New("has a BYDAY with a number, which goes with FREQ=MONTHLY, and FREQ=YEARLY without BYWEEKNO")
	case has("BYSETPOS") && !has("BYDAY") && !has("BYMONTHDAY") && !has("BYYEARDAY") && !has("BYWEEKNO") && !has("BYMONTH"):
		return errors.New("has BYSETPOS, but nothing that it picks from")
	}
	if err := refuseWeekdays(values["BYDAY"], frequency == "MONTHLY" || has("BYMONTH")); err != nil {
		return err
	}
	for _, name := range []string{"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS"} {
		for number := range strings.SplitSeq(values[name], ",") {
			if _, err := strconv.Atoi(number); has(name) && err != nil {
				return fmt.Errorf("has %s=%s, which is not a list of numbers", name, values[name])
			}
		}
	}
	for _, name := range []string{"COUNT", "INTERVAL"} {
		if n, err := strconv.Atoi(values[name]); has(name) && (err != nil || n < 1 || n > longestInterval) {
			return fmt.Errorf("has %s=%s, which is not a number from 1 to %d", name, values[name], longestInterval)
		}
	}
	return nil
}

// refuseWeekdays refuses the numbers that the library does not expect: it panics at the tenth Monday of a month.
func refuseWeekdays(weekdays string, ofMonth bool) error {
	for weekday := range strings.SplitSeq(weekdays, ",") {
		number := strings.TrimRight(strings.TrimLeft(weekday, "+-"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		n, err := strconv.Atoi(number)
		switch {
		case number == "":
		case err != nil || n < 1:
			return fmt.Errorf("has BYDAY=%s, but counting begins at 1", weekday)
		case ofMonth && n > mostInMonth:
			return fmt.Errorf("has BYDAY=%s, but a month has at most %d of a weekday", weekday, mostInMonth)
		}
	}
	return nil
}

// readParts leaves the values to the library, but for UNTIL: a day of any spelling means that whole day.
func readParts(values map[string]string) (*rrule.ROption, error) {
	var left []string
	for _, name := range parts {
		if value := values[name]; value != "" && name != "UNTIL" {
			left = append(left, name+"="+value)
		}
	}
	options, err := rrule.StrToROption(strings.Join(left, ";"))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if _, err := rrule.NewRRule(*options); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if until := values["UNTIL"]; until != "" {
		for _, layout := range []string{"20060102", "20060102T150405", "20060102T150405Z"} {
			if at, err := time.Parse(layout, until); err == nil {
				options.Until = at.Truncate(24 * time.Hour)
				return options, nil
			}
		}
		return nil, fmt.Errorf("has UNTIL=%s, which is not a date of the form YYYYMMDD", until)
	}
	return options, nil
}

func canonical(values map[string]string) string {
	var text []string
	for _, name := range parts {
		if values[name] != "" {
			text = append(text, name+"="+values[name])
		}
	}
	return strings.Join(text, ";")
}

// rruled walks over a rule's days.
type rruled struct {
	next func() (time.Time, bool)
	at   day.Day
	over bool
}

// from is the calendar of the rule that starts on that day (its DTSTART).
func (r RRule) from(first day.Day) calendar {
	options := r.options
	year, month, dom := first.Date()
	options.Dtstart = time.Date(year, month, dom, 0, 0, 0, 0, time.UTC)
	year, month, dom = Latest.Date()
	if latest := time.Date(year, month, dom, 0, 0, 0, 0, time.UTC); options.Until.IsZero() || options.Until.After(latest) {
		options.Until = latest // a rule that never fires is looked for no longer
	}
	rule, err := rrule.NewRRule(options)
	if err != nil {
		return &rruled{over: true} // ParseRRule let it pass, with any start
	}
	return &rruled{next: rule.Iterator()}
}

func (r *rruled) after(d day.Day) day.Day {
	for !r.over && !r.at.After(d) {
		at, found := r.next()
		if !found {
			r.over = true
			break
		}
		r.at = day.In(at, time.UTC)
	}
	if r.over {
		return day.Day{}
	}
	return r.at
}
