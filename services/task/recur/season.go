package recur

import (
	"fmt"
	"time"

	"hearth.internal/pkg/day"
)

// Date is a day of every year.
type Date struct {
	Month time.Month
	Day   int
}

// ParseDate reads MM-DD. February 29th is one: in other years it is the day between the 28th and March 1st.
func ParseDate(s string) (Date, error) {
	const leap = "2000-"
	d, err := day.Parse(leap + s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a day of the year of the form MM-DD", s)
	}
	_, month, dom := d.Date()
	return Date{month, dom}, nil
}

func (d Date) before(o Date) bool { return d.Month < o.Month || (d.Month == o.Month && d.Day < o.Day) }

// Season is a part of every year, both days included; one that ends before it starts goes over New Year. The zero value
// is the whole year.
type Season struct{ Start, End Date }

// Has reports whether the day is in season.
func (s Season) Has(d day.Day) bool {
	if s == (Season{}) {
		return true
	}
	_, month, dom := d.Date()
	at := Date{month, dom}
	if s.End.before(s.Start) {
		return !at.before(s.Start) || !s.End.before(at)
	}
	return !at.before(s.Start) && !s.End.before(at)
}

// opens is the first day in season that is not before d.
func (s Season) opens(d day.Day) day.Day {
	if s.Has(d) {
		return d
	}
	// The 29th of February becomes the 1st of March where there is none, and is in season either way, unless the season
	// is that one day: then another year has it.
	year, _, _ := d.Date()
	for {
		opens := day.Of(year, s.Start.Month, s.Start.Day)
		if !opens.Before(d) && s.Has(opens) {
			return opens
		}
		year++
	}
}
