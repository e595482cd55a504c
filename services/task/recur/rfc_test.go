package recur_test

import (
	"strings"
	"testing"

	"hearth.internal/pkg/day"
	"hearth.internal/task/recur"
)

// The examples of RFC 5545, section 3.8.5.3, that fire on days, with the dates that it gives. Months and years stand
// where the RFC writes "==> (1997 9:00 AM EDT) September 2,3".
func TestTheExamplesOfRFC5545(t *testing.T) {
	for _, c := range []struct {
		name, start, rule, want string
		more                    bool // the RFC goes on with "..."
	}{
		{"daily for 10 occurrences", "1997-09-02", "FREQ=DAILY;COUNT=10", "1997-09: 2 3 4 5 6 7 8 9 10 11", false},
		{"every other day", "1997-09-02", "FREQ=DAILY;INTERVAL=2", "1997-09: 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30; 1997-10: 2 4", true},
		{"every 10 days, 5 occurrences", "1997-09-02", "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997-09: 2 12 22; 1997-10: 2 12", false},
		{"every day in January (yearly)", "1998-01-01", "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", januaries, false},
		{"every day in January (daily)", "1998-01-01", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", januaries, false},
		{"weekly for 10 occurrences", "1997-09-02", "FREQ=WEEKLY;COUNT=10", "1997-09: 2 9 16 23 30; 1997-10: 7 14 21 28; 1997-11: 4", false},
		{"weekly until December 24, 1997", "1997-09-02", "FREQ=WEEKLY;UNTIL=19971224T000000Z", "1997-09: 2 9 16 23 30; 1997-10: 7 14 21 28; 1997-11: 4 11 18 25; 1997-12: 2 9 16 23", false},
		{"every other week", "1997-09-02", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997-09: 2 16 30; 1997-10: 14 28; 1997-11: 11 25; 1997-12: 9 23; 1998-01: 6 20; 1998-02: 3 17", true},
		{"weekly on Tuesday and Thursday for five weeks", "1997-09-02", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "1997-09: 2 4 9 11 16 18 23 25 30; 1997-10: 2 7", false},
		{"the same by count", "1997-09-02", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "1997-09: 2 4 9 11 16 18 23 25 30; 1997-10: 2", false},
		{"every other week on Monday, Wednesday and Friday", "1997-09-01", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "1997-09: 1 3 5 15 17 19 29; 1997-10: 1 3 13 15 17 27 29 31; 1997-11: 10 12 14 24 26 28; 1997-12: 8 10 12 22 24", false},
		{"every other week on Tuesday and Thursday", "1997-09-02", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "1997-09: 2 4 16 18 30; 1997-10: 2 14 16", false},
		{"monthly on the first Friday", "1997-09-05", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "1997-09: 5; 1997-10: 3; 1997-11: 7; 1997-12: 5; 1998-01: 2; 1998-02: 6; 1998-03: 6; 1998-04: 3; 1998-05: 1; 1998-06: 5", false},
		{"monthly on the first Friday until December 24, 1997", "1997-09-05", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997-09: 5; 1997-10: 3; 1997-11: 7; 1997-12: 5", false},
		{"every other month on the first and last Sunday", "1997-09-07", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "1997-09: 7 28; 1997-11: 2 30; 1998-01: 4 25; 1998-03: 1 29; 1998-05: 3 31", false},
		{"monthly on the second-to-last Monday", "1997-09-22", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "1997-09: 22; 1997-10: 20; 1997-11: 17; 1997-12: 22; 1998-01: 19; 1998-02: 16", false},
		{"monthly on the third-to-the-last day", "1997-09-28", "FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09: 28; 1997-10: 29; 1997-11: 28; 1997-12: 29; 1998-01: 29; 1998-02: 26", true},
		{"monthly on the 2nd and 15th", "1997-09-02", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "1997-09: 2 15; 1997-10: 2 15; 1997-11: 2 15; 1997-12: 2 15; 1998-01: 2 15", false},
		{"monthly on the first and last day", "1997-09-30", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "1997-09: 30; 1997-10: 1 31; 1997-11: 1 30; 1997-12: 1 31; 1998-01: 1 31; 1998-02: 1", false},
		{"every 18 months on the 10th thru 15th", "1997-09-10", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "1997-09: 10 11 12 13 14 15; 1999-03: 10 11 12 13", false},
		{"every Tuesday, every other month", "1997-09-02", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "1997-09: 2 9 16 23 30; 1997-11: 4 11 18 25; 1998-01: 6 13 20 27; 1998-03: 3 10 17 24 31", true},
		{"yearly in June and July", "1997-06-10", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "1997-06: 10; 1997-07: 10; 1998-06: 10; 1998-07: 10; 1999-06: 10; 1999-07: 10; 2000-06: 10; 2000-07: 10; 2001-06: 10; 2001-07: 10", false},
		{"every other year in January, February and March", "1997-03-10", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", "1997-03: 10; 1999-01: 10; 1999-02: 10; 1999-03: 10; 2001-01: 10; 2001-02: 10; 2001-03: 10; 2003-01: 10; 2003-02: 10; 2003-03: 10", false},
		{"every third year on the 1st, 100th and 200th day", "1997-01-01", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "1997-01: 1; 1997-04: 10; 1997-07: 19; 2000-01: 1; 2000-04: 9; 2000-07: 18; 2003-01: 1; 2003-04: 10; 2003-07: 19; 2006-01: 1", false},
		{"every 20th Monday of the year", "1997-05-19", "FREQ=YEARLY;BYDAY=20MO", "1997-05: 19; 1998-05: 18; 1999-05: 17", true},
		{"Monday of week number 20", "1997-05-12", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05: 12; 1998-05: 11; 1999-05: 17", true},
		{"every Thursday in March", "1997-03-13", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "1997-03: 13 20 27; 1998-03: 5 12 19 26; 1999-03: 4 11 18 25", true},
		{"every Thursday in June, July and August", "1997-06-05", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", "1997-06: 5 12 19 26; 1997-07: 3 10 17 24 31; 1997-08: 7 14 21 28; 1998-06: 4 11 18 25; 1998-07: 2 9 16 23 30; 1998-08: 6 13 20 27", true},
		{"every Friday the 13th", "1998-02-13", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1998-02: 13; 1998-03: 13; 1998-11: 13; 1999-08: 13; 2000-10: 13", true},
		{"the first Saturday that follows the first Sunday", "1997-09-13", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "1997-09: 13; 1997-10: 11; 1997-11: 8; 1997-12: 13; 1998-01: 10; 1998-02: 7; 1998-03: 7; 1998-04: 11; 1998-05: 9; 1998-06: 13", true},
		{"U.S. Presidential Election day", "1996-11-05", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11: 5; 2000-11: 7; 2004-11: 2", true},
		{"the third of Tuesday, Wednesday or Thursday", "1997-09-04", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09: 4; 1997-10: 7; 1997-11: 6", false},
		{"the second-to-last weekday", "1997-09-29", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09: 29; 1997-10: 30; 1997-11: 27; 1997-12: 30; 1998-01: 29; 1998-02: 26; 1998-03: 30", true},
		{"weeks that start on Monday", "1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08: 5 10 19 24", false},
		{"and on Sunday", "1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08: 5 17 19 31", false},
		{"invalid dates are ignored", "2007-01-15", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01: 15 30; 2007-02: 15; 2007-03: 15 30", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := dates(c.want)
			rule := recur.Rule{RRule: rrule(t, c.rule), From: recur.DueDate, Anchor: day.Must(c.start)}
			if faults := rule.Check(day.Must(c.start)); len(faults) > 0 {
				t.Errorf("refused: %v", faults)
			}
			got := rule.Upcoming(recur.Log{}, len(want)+1)
			if c.more && len(got) == len(want)+1 {
				got = got[:len(want)]
			}
			var text []string
			for _, d := range got {
				text = append(text, d.String())
			}
			if strings.Join(text, " ") != strings.Join(want, " ") {
				t.Errorf("got  %v\nwant %v", text, want)
			}
		})
	}
}

const january = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31"

const januaries = "1998-01: " + january + "; 1999-01: " + january + "; 2000-01: " + january

// dates reads "1997-09: 2 3; 1997-10: 1".
func dates(text string) []string {
	var all []string
	for month := range strings.SplitSeq(text, "; ") {
		month, list, _ := strings.Cut(month, ": ")
		for dom := range strings.FieldsSeq(list) {
			all = append(all, month+"-"+("0" + dom)[len(dom)-1:])
		}
	}
	return all
}

func TestARuleThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "FREQ", "FREQ=", "INTERVAL=2", "FREQ=HOURLY", "FREQ=SECONDLY", "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY;FREQ=DAILY",
		"FREQ=DAILY;COUNT=3;UNTIL=20270101", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=-1", "FREQ=DAILY;COUNT=1001", "FREQ=DAILY;INTERVAL=0",
		"FREQ=DAILY;INTERVAL=99999999999999999999", "FREQ=DAILY;BYEASTER=1", "FREQ=DAILY;X-NAME=1", "FREQ=DAILY;UNTIL=tomorrow",
		"FREQ=DAILY;UNTIL=20270231", "FREQ=WEEKLY;BYDAY=2MO", "FREQ=DAILY;BYDAY=2MO", "FREQ=WEEKLY;BYMONTHDAY=3", "FREQ=MONTHLY;BYWEEKNO=3",
		"FREQ=DAILY;BYYEARDAY=3", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "FREQ=MONTHLY;BYSETPOS=1", "FREQ=MONTHLY;BYDAY=XX", "FREQ=MONTHLY;BYMONTHDAY=32",
		"FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=YEARLY;BYMONTH=13", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367",
		"FREQ=YEARLY;BYWEEKNO=54", "FREQ=YEARLY;BYYEARDAY=367", "FREQ=MONTHLY;BYDAY=MO,", "FREQ=MONTHLY;BYMONTHDAY=a", "FREQ=DAILY;WKST=XX",
		"FREQ=YEARLY;BYDAY=54MO", "FREQ=MONTHLY;BYDAY=0MO", "FREQ=MONTHLY;BYDAY=53SA", "FREQ=MONTHLY;BYDAY=-53SA", "FREQ=YEARLY;BYMONTH=12;BYDAY=MO,+10TU",
	} {
		if r, err := recur.ParseRRule(text); err == nil {
			t.Errorf("%q is read as %q", text, r)
		} else if strings.Contains(err.Error(), "strconv") {
			t.Errorf("%q is refused in words that are not ours: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"RRULE:freq=weekly;byday=mo,we":              "FREQ=WEEKLY;BYDAY=MO,WE",
		" BYMONTHDAY=-1;FREQ=MONTHLY; ":              "",
		"BYDAY=+1MO;INTERVAL=2;FREQ=MONTHLY":         "FREQ=MONTHLY;INTERVAL=2;BYDAY=+1MO",
		"FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=1;":        "FREQ=YEARLY;BYMONTHDAY=1;BYMONTH=3",
		"FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1":       "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1",
		"FREQ=YEARLY;BYMONTH=1;BYSETPOS=1;WKST=SU":   "FREQ=YEARLY;BYMONTH=1;BYSETPOS=1;WKST=SU",
		"FREQ=WEEKLY;UNTIL=20271231T235959Z;WKST=SU": "FREQ=WEEKLY;UNTIL=20271231T235959Z;WKST=SU",
	} {
		if r, err := recur.ParseRRule(text); want != "" && (err != nil || r.String() != want) {
			t.Errorf("%q is read as %q, %v", text, r, err)
		}
	}
}
