package task

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/testkit"
)

// A rule moves the first due date of what was never done. Where somebody does it between two tries, through another
// process, it stays.
func TestTheFirstDueDateOfWhatIsDoneMeanwhileStays(t *testing.T) {
	at := clock.At(testkit.Start)
	s := &Service{Deps: &boot.Deps{Clock: at}}
	home := access.Home{ID: uuid.New(), Timezone: "UTC"}
	anchor := day.Must("2026-03-10")
	out := changedTask{OtherRule: new(true), ruleRow: ruleRow{
		RuleResidenceID: &home.ID, RuleAnchor: &anchor, RuleUnit: new("day"), RuleEvery: new(7), RuleSeasonStart: new("04-01"), RuleSeasonEnd: new("10-31"),
	}}
	var c taskChange
	for _, try := range []struct {
		done         []time.Time
		anchor, next string
	}{{nil, "2026-04-07", "2026-04-07"}, {[]time.Time{testkit.Start}, "", "2026-04-14"}} {
		out.DoneAt = try.done
		if err := s.applyLog([]access.Home{home}, TaskPatch{}, out, &c); err != nil {
			t.Fatal(err)
		}
		if got, next := orZero(c.anchor).String(), orZero(c.next).String(); got != try.anchor || next != try.next {
			t.Errorf("done %v: first due %q, next %q", try.done, got, next)
		}
	}
}

func TestARuleThatStaysIsNotRefused(t *testing.T) {
	var c taskChange
	out := changedTask{OtherRule: new(false), Task: Task{Version: 3}, ruleRow: ruleRow{RuleSeasonStart: new("04-01"), RuleSeasonEnd: new("10-31")}}
	if err := (&Service{}).applyLog(nil, TaskPatch{}, out, &c); err != nil || *c.seen != 3 {
		t.Errorf("a title that lost a race: %v", err)
	}
}
