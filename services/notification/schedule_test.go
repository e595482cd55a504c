package notification

import (
	"testing"
	"time"

	"hearth.internal/notification/delivery"
	"hearth.internal/pkg/day"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestTheClockOnTheWall(t *testing.T) {
	for _, c := range []struct{ zone, day, wall, want string }{
		{"Europe/Berlin", "2026-03-10", "09:00", "2026-03-10T08:00:00Z"},
		{"Europe/Berlin", "2026-03-29", "09:00", "2026-03-29T07:00:00Z"}, // clocks went forward in the night
		{"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:30:00Z"}, // skipped: 03:30
		{"Europe/Berlin", "2026-03-29", "03:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25", "02:30", "2026-10-25T00:30:00Z"}, // comes twice: the first
		{"Europe/Berlin", "2026-10-25", "03:00", "2026-10-25T02:00:00Z"},
		{"America/New_York", "2026-03-08", "02:30", "2026-03-08T07:30:00Z"},
		{"America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30:00Z"},
		{"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:45:00Z"}, // by half an hour: 02:45
		{"Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45:00Z"},
		{"Asia/Beirut", "2026-03-29", "00:30", "2026-03-28T22:30:00Z"},    // midnight itself is skipped: 01:30
		{"America/Havana", "2026-03-08", "00:30", "2026-03-08T05:30:00Z"}, // likewise: not the day before
		{"America/Santiago", "2026-09-06", "00:00", "2026-09-06T04:00:00Z"},
		{"Antarctica/Troll", "2026-10-25", "01:30", "2026-10-24T23:30:00Z"}, // comes twice, two hours apart
		{"Pacific/Apia", "2026-06-01", "09:00", "2026-05-31T20:00:00Z"},
	} {
		var hour, minute int
		at, err := time.Parse("15:04", c.wall)
		if err != nil {
			t.Fatal(err)
		}
		hour, minute = at.Hour(), at.Minute()
		got := wall(hour*60+minute).on(day.Must(c.day), zone(t, c.zone)).UTC().Format(time.RFC3339)
		if got != c.want {
			t.Errorf("%s on %s in %s: %s, wanted %s", c.wall, c.day, c.zone, got, c.want)
		}
	}
}

func TestEveryStepHasItsDay(t *testing.T) {
	at := timing{Zone: zone(t, "Europe/Berlin"), Reminder: 9 * 60, Lead: 1}
	for _, c := range []struct {
		about, date, now string
		step             int
		want             string
	}{
		{aboutTask, "2026-03-30", "2026-03-20T12:00:00Z", 0, "2026-03-29T07:00:00Z"}, // the day of the change
		{aboutTask, "2026-03-30", "2026-03-29T07:00:00Z", 1, "2026-03-30T07:00:00Z"}, // its time has come: it is past
		{aboutTask, "2026-03-30", "2026-03-30T12:00:00Z", 2, "2026-03-31T07:00:00Z"},
		{aboutTask, "2026-03-30", "2026-04-01T12:00:00Z", 3, "2026-04-02T07:00:00Z"},
		{aboutTask, "2026-03-30", "2026-05-31T12:00:00Z", 8, "2026-06-28T07:00:00Z"},
		{aboutTask, "2026-03-30", "2027-03-31T12:00:00Z", 9, "never"},
		{aboutWarranty, "2026-10-31", "2026-03-20T12:00:00Z", 0, "2026-08-02T07:00:00Z"},
		{aboutWarranty, "2026-10-31", "2026-10-20T12:00:00Z", 2, "2026-10-24T07:00:00Z"},
		{aboutWarranty, "2026-10-31", "2026-10-25T12:00:00Z", 3, "2026-10-30T08:00:00Z"},
		{aboutWarranty, "2026-10-31", "2026-10-31T12:00:00Z", 4, "never"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		step, when := at.first(c.about, day.Must(c.date), now)
		got := "never"
		if when != nil {
			got = when.Format(time.RFC3339)
		}
		if step != c.step || got != c.want {
			t.Errorf("%s of %s at %s: step %d at %s, wanted %d at %s", c.about, c.date, c.now, step, got, c.step, c.want)
		}
	}
}

func TestWhatWasHeldUpSaysWhatIsSo(t *testing.T) {
	at := timing{Zone: time.UTC, Reminder: 9 * 60, Lead: 3}
	due := day.Must("2026-03-10")
	for _, c := range []struct {
		step, latest int
		now          string
		matters      bool
	}{
		{0, 0, "2026-03-07T09:00:00Z", true},
		{0, 0, "2026-03-09T09:00:00Z", true},  // two days late, and still before the day
		{0, 0, "2026-03-10T08:59:00Z", false}, // the day itself is told of in a minute
		{0, 1, "2026-03-10T09:00:00Z", true},
		{1, 1, "2026-03-11T08:00:00Z", false},
		{0, 2, "2026-03-11T10:00:00Z", true},
		{0, 4, "2026-03-20T10:00:00Z", true},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		step := at.latest(aboutTask, due, c.step, now)
		if told := matters(aboutTask, due, step, day.In(now, time.UTC)); step != c.latest || told != c.matters {
			t.Errorf("step %d at %s: the latest is %d and matters: %t, wanted %d, %t", c.step, c.now, step, told, c.latest, c.matters)
		}
	}
}

func TestOneDigestADayWhereverOneIs(t *testing.T) {
	at := func(z string) timing { return timing{Zone: zone(t, z), Digest: 8 * 60} }
	for _, c := range []struct{ zone, told, now, want string }{
		{"Europe/Berlin", "", "2026-03-28T05:00:00Z", "2026-03-28T07:00:00Z"},
		{"Europe/Berlin", "2026-03-28", "2026-03-28T07:00:00Z", "2026-03-29T06:00:00Z"}, // summer time has begun
		{"Europe/Berlin", "2026-10-24", "2026-10-24T06:00:00Z", "2026-10-25T07:00:00Z"},
		{"America/New_York", "2026-03-28", "2026-03-28T08:00:00Z", "2026-03-29T12:00:00Z"}, // flew west at noon: that day was told of in Berlin
		{"Pacific/Auckland", "2026-03-27", "2026-03-28T01:00:00Z", "2026-03-28T19:00:00Z"},
		{"America/Los_Angeles", "2026-03-29", "2026-03-28T19:30:00Z", "2026-03-30T15:00:00Z"}, // from Auckland, back over the date line
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		var told day.Day
		if c.told != "" {
			told = day.Must(c.told)
		}
		if got := at(c.zone).nextDigest(told, now).Format(time.RFC3339); got != c.want {
			t.Errorf("after %s in %s at %s: %s, wanted %s", c.told, c.zone, c.now, got, c.want)
		}
	}
}

func TestQuietHours(t *testing.T) {
	night := quiet{From: 22 * 60, Until: 7 * 60, Daily: true}
	noon := quiet{From: 12 * 60, Until: 13 * 60, Daily: true}
	for _, c := range []struct {
		quiet
		now, want string
	}{
		{quiet{}, "2026-03-10T23:00:00Z", "2026-03-10T23:00:00Z"},
		{night, "2026-03-10T20:59:00Z", "2026-03-10T20:59:00Z"},
		{night, "2026-03-10T21:00:00Z", "2026-03-11T06:00:00Z"},
		{night, "2026-03-11T05:59:00Z", "2026-03-11T06:00:00Z"},
		{night, "2026-03-11T06:00:00Z", "2026-03-11T06:00:00Z"},
		{night, "2026-03-28T23:00:00Z", "2026-03-29T05:00:00Z"}, // the short night
		{night, "2026-10-24T22:00:00Z", "2026-10-25T06:00:00Z"}, // the long one
		{noon, "2026-03-10T11:30:00Z", "2026-03-10T12:00:00Z"},
		{noon, "2026-03-10T12:30:00Z", "2026-03-10T12:30:00Z"},
		{quiet{Snoozed: time.Date(2026, 3, 12, 10, 0, 0, 0, time.UTC)}, "2026-03-10T12:00:00Z", "2026-03-12T10:00:00Z"},
		{quiet{From: 22 * 60, Until: 7 * 60, Daily: true, Snoozed: time.Date(2026, 3, 12, 3, 0, 0, 0, time.UTC)}, "2026-03-10T12:00:00Z", "2026-03-12T06:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ends(now, zone(t, "Europe/Berlin")).Format(time.RFC3339); got != c.want {
			t.Errorf("%+v at %s: %s, wanted %s", c.quiet, c.now, got, c.want)
		}
	}
}

// TestTheClockOnEveryWall: in whatever zone and on whatever day, the clock shows the time that was wanted when it is there at
// all, the first time it does; and it is that day.
func TestTheClockOnEveryWall(t *testing.T) {
	for _, name := range []string{
		"Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago", "America/St_Johns",
		"Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Berlin",
		"Europe/Dublin", "Pacific/Apia", "Pacific/Chatham", "Pacific/Easter", "Pacific/Kiritimati", "Pacific/Norfolk", "Pacific/Pago_Pago", "UTC",
	} {
		z := zone(t, name)
		for d := day.Must("2025-01-01"); d.Before(day.Must("2028-01-01")); d = d.AddDays(1) {
			step := wall(15)
			if d.AddDays(-1).Start(z).Add(72 * time.Hour).Equal(d.AddDays(2).Start(z)) {
				step = 8 * 60 // no clock changes near that day
			}
			for w := wall(0); w < 24*60; w += step {
				got := w.on(d, z)
				if !day.In(got, z).Equal(d) {
					t.Errorf("%s on %s in %s is on another day: %s", w, d, name, got)
				}
				shown := func(at time.Time) bool { return shows(at.In(z)) == w && day.In(at, z).Equal(d) }
				for near := got.Add(-3 * time.Hour); near.Before(got.Add(3 * time.Hour)); near = near.Add(30 * time.Minute) {
					if shown(near) && (near.Before(got) || !shown(got)) {
						t.Errorf("%s on %s in %s: %s, and it is %s already at %s", w, d, name, got, w, near)
					}
				}
			}
		}
	}
}

// TestALaneRestsFromTheAnswerOn: a provider that lets one wait and then fails is not asked again at once.
func TestALaneRestsFromTheAnswerOn(t *testing.T) {
	l := &lane{limit: pushTime}
	began := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	ended := began.Add(pushTime)
	for range 3 { // those that were on their way together count once
		away := delivery.Result{Outcome: delivery.Later, Provider: true}
		l.learn(&away, began, ended)
		if l.allowed(ended) != 0 || l.rest(ended) != ended.Add(laneBackoff(0)) || away.After != laneBackoff(0) {
			t.Errorf("rests until %s, and tries it again after %s", l.rest(ended), away.After)
		}
	}
	if l.allowed(ended.Add(laneBackoff(0))) != 1 {
		t.Error("it is not tried afterwards")
	}
}
