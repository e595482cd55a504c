package day_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"hearth.internal/pkg/day"
)

func TestMonthsClampToTheLastDay(t *testing.T) {
	for _, c := range []struct {
		from   string
		months int
		want   string
	}{
		{"2026-01-31", 1, "2026-02-28"}, {"2026-01-31", 2, "2026-03-31"}, {"2028-01-31", 1, "2028-02-29"},
		{"2028-02-29", 12, "2029-02-28"}, {"2028-02-29", 48, "2032-02-29"}, {"2026-03-31", -1, "2026-02-28"},
		{"2026-12-15", 1, "2027-01-15"}, {"2026-05-31", 6, "2026-11-30"},
	} {
		if got := day.Must(c.from).AddMonths(c.months).String(); got != c.want {
			t.Errorf("%s + %d months is %s, wanted %s", c.from, c.months, got, c.want)
		}
	}
}

func TestDaysThatDoNotExistAreRefused(t *testing.T) {
	for _, s := range []string{"2026-02-30", "2026-02-29", "2026-13-01", "2026-00-10", "0000-01-01", "9999-01-01", "26-01-01", "2026-1-1", "2026-01-01T00:00:00Z", "", " 2026-01-01"} {
		if d, err := day.Parse(s); err == nil {
			t.Errorf("%q was read as %s", s, d)
		}
	}
}

func TestTheDayDependsOnTheZone(t *testing.T) {
	instant := time.Date(2026, 3, 8, 7, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{"UTC": "2026-03-08", "America/Los_Angeles": "2026-03-07", "Pacific/Kiritimati": "2026-03-08", "Pacific/Pago_Pago": "2026-03-07"} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := day.In(instant, location).String(); got != want {
			t.Errorf("in %s it is %s, wanted %s", zone, got, want)
		}
	}
}

func TestADayStartsWhenDSTSkipsMidnight(t *testing.T) {
	havana, err := time.LoadLocation("America/Havana") // 2026-03-08: 00:00 becomes 01:00
	if err != nil {
		t.Fatal(err)
	}
	start := day.Must("2026-03-08").Start(havana)
	if got := day.In(start, havana).String(); got != "2026-03-08" {
		t.Errorf("the day starts on %s", got)
	}
	if got := day.In(start.Add(-time.Second), havana).String(); got != "2026-03-07" {
		t.Errorf("a second before its start it is %s", got)
	}
}

// FuzzParse: whatever is read is written back the same, and adding a month never leaves the month after.
func FuzzParse(f *testing.F) {
	f.Add("2026-01-31")
	f.Add("2028-02-29")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := day.Parse(s)
		if err != nil {
			return
		}
		if d.String() != s {
			t.Fatalf("%q became %q", s, d)
		}
		_, m, _ := d.Date()
		if _, next, _ := d.AddMonths(1).Date(); (int(m) % 12) != int(next)-1 {
			t.Fatalf("a month after %s is %s", d, d.AddMonths(1))
		}
	})
}
