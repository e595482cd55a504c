// Package day is a calendar day: a date that means a day in somebody's life, not an instant. It has no zone; which day
// "today" is depends on the zone of the person or residence that is asked about.
package day

import (
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const layout = "2006-01-02"

// Years outside of which a date in a home is a typing error.
const (
	firstYear = 1600
	lastYear  = 2999
)

// Day is one calendar day. The zero value is no day.
type Day struct{ t time.Time }

// Of is the day of that year, month and day of month; overflow carries on as in time.Date.
func Of(year int, month time.Month, dom int) Day {
	return Day{time.Date(year, month, dom, 0, 0, 0, 0, time.UTC)}
}

// In is the day that it is in the zone at the instant t.
func In(t time.Time, zone *time.Location) Day {
	y, m, d := t.In(zone).Date()
	return Of(y, m, d)
}

// Parse reads YYYY-MM-DD. Days that do not exist are refused.
func Parse(s string) (Day, error) {
	t, err := time.Parse(layout, s)
	if err != nil || len(s) != len(layout) {
		return Day{}, fmt.Errorf("%q is not a date of the form YYYY-MM-DD", s)
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		return Day{}, fmt.Errorf("the year of %q is not between %d and %d", s, firstYear, lastYear)
	}
	return Day{t}, nil
}

// Must is Parse for constants in tests and seeds; it panics on anything else.
func Must(s string) Day {
	d, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return d
}

// String is YYYY-MM-DD, or nothing for the zero day.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return d.t.Format(layout)
}

// IsZero reports whether this is no day.
func (d Day) IsZero() bool { return d.t.IsZero() }

// Before, After and Equal compare days.
func (d Day) Before(o Day) bool { return d.t.Before(o.t) }

// After reports whether d is later than o.
func (d Day) After(o Day) bool { return d.t.After(o.t) }

// Equal reports whether both are the same day.
func (d Day) Equal(o Day) bool { return d.t.Equal(o.t) }

// Compare is -1, 0 or 1.
func (d Day) Compare(o Day) int { return d.t.Compare(o.t) }

// Date is year, month and day of month.
func (d Day) Date() (int, time.Month, int) { return d.t.Date() }

// Weekday is the day of the week.
func (d Day) Weekday() time.Weekday { return d.t.Weekday() }

// AddDays is n days later.
func (d Day) AddDays(n int) Day { return Day{d.t.AddDate(0, 0, n)} }

// AddMonths is n months later, on the same day of the month or, where that month is shorter, on its last day.
// Add to the first day of a series, not step by step: Jan 31 + 1 is Feb 28, and + 2 is Mar 31 again.
func (d Day) AddMonths(n int) Day {
	y, m, dom := d.t.Date()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return Day{first.AddDate(0, 0, min(dom, last)-1)}
}

// DaysUntil is the number of days from d to o; negative when o is earlier.
func (d Day) DaysUntil(o Day) int { return int(o.t.Sub(d.t) / (24 * time.Hour)) }

// Start is the first instant of the day in the zone (after a midnight that DST skips, the first that exists).
func (d Day) Start(zone *time.Location) time.Time {
	y, m, dom := d.t.Date()
	t := time.Date(y, m, dom, 0, 0, 0, 0, zone)
	if In(t, zone).Before(d) {
		// Midnight does not exist: time.Date took the offset before the change and landed on the day before.
		t = t.Add(time.Hour)
	}
	return t
}

// MarshalText is YYYY-MM-DD.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD.
func (d *Day) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Value hands the day to the database as a date.
func (d Day) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	return d.String(), nil
}

// Scan reads a date column; NULL is the zero day.
func (d *Day) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = Day{}
		return nil
	case time.Time:
		*d = Of(v.Date())
		return nil
	case string:
		return d.UnmarshalText([]byte(v))
	}
	return fmt.Errorf("cannot read a day from %T", src)
}

// Schema is a string of format date in the API documents.
func (Day) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date", Examples: []any{"2026-03-31"}}
}
