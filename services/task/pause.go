package task

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/task/recur"
)

// PauseFields are a pause as a person sets it.
type PauseFields struct {
	From  *day.Day `json:"from,omitempty" doc:"Its first day; today in the residence, if left out"`
	Until *day.Day `json:"until,omitempty" doc:"Its last day; until further notice, if left out"`
}

// window is the pause in a residence whose day is today.
func (f PauseFields) window(today day.Day) (from day.Day, until *day.Day, err error) {
	from = today
	if f.From != nil {
		from = *f.From
	}
	switch {
	case from.Before(today):
		return from, nil, apperr.InvalidField("body.from", "is past: today is %s there", today)
	case f.Until != nil && f.Until.Before(from):
		return from, nil, apperr.InvalidField("body.until", "is before the pause begins on %s", from)
	case f.Until != nil && from.DaysUntil(*f.Until) > longestPause:
		return from, nil, apperr.InvalidField("body.until", "is more than ten years later")
	}
	return from, f.Until, nil
}

const longestPause = 3660

// stated is a task's row as its rule and its log say, over the version that they were read at.
type stated struct {
	id                      uuid.UUID
	seen                    int
	pausedFrom, pausedUntil *day.Day
	next                    *day.Day
	over                    bool
}

// state derives the row from what was read.
func (r seriesRow) state(homes []access.Home) stated {
	due := r.replay(homes, r.DoneAt, r.SkippedOn)
	return stated{r.ID, r.Version, r.RulePausedFrom, r.RulePausedUntil, dayOrNil(due.Day), due.Over}
}

func (s stated) same(o stated) bool {
	return sameDay(s.pausedFrom, o.pausedFrom) && sameDay(s.pausedUntil, o.pausedUntil) && sameDay(s.next, o.next) && s.over == o.over
}

func sameDay(a, b *day.Day) bool { return orZero(a).Equal(orZero(b)) }

// paused is the row with a pause. What is overdue when it begins may wait as well.
func (r seriesRow) paused(due recur.Due, today, from day.Day, until *day.Day) seriesRow {
	if !from.After(today) && !due.Occurrence.IsZero() && due.Occurrence.Before(from) {
		from = due.Occurrence
	}
	r.RulePausedFrom, r.RulePausedUntil = &from, until
	return r
}

// resumed is the row whose pause ended yesterday; one that has not begun, or began today, never was.
func (r seriesRow) resumed(today day.Day) seriesRow {
	yesterday := today.AddDays(-1)
	switch {
	case r.RulePausedUntil != nil && r.RulePausedUntil.Before(today): // it is over
	case r.RulePausedFrom.After(yesterday):
		r.RulePausedFrom, r.RulePausedUntil = nil, nil
	default:
		r.RulePausedUntil = &yesterday
	}
	return r
}

// pausing changes the pause of a task as it stands and is due, or refuses to.
type pausing func(row seriesRow, due recur.Due, today day.Day) (seriesRow, error)

// Pause lets nothing of the task be due for a time; what would be is due on the day after.
func (s *Service) Pause(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, in PauseFields) (Task, error) {
	return s.setPause(ctx, actor, id, version, in.apply)
}

func (f PauseFields) apply(row seriesRow, due recur.Due, today day.Day) (seriesRow, error) {
	from, until, err := f.window(today)
	if err != nil {
		return row, err
	}
	m := markInProgress()
	m.name = "paused"
	return row.paused(due, today, from, until), m.refuse(row.Task)
}

// Resume ends the task's pause.
func (s *Service) Resume(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int) (Task, error) {
	return s.setPause(ctx, actor, id, version, func(row seriesRow, _ recur.Due, today day.Day) (seriesRow, error) {
		if row.PausedFrom == nil {
			return row, apperr.ImpossibleMove.New("The task cannot be resumed: it is not paused.")
		}
		return row.resumed(today), nil
	})
}

func (s *Service) setPause(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, set pausing) (Task, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Task{}, err
	}
	leave, err := s.turns.take(ctx, id)
	if err != nil {
		return Task{}, err
	}
	defer leave()
	for range tries {
		row, found, err := readSeries(ctx, s.DB, seriesQuery{task: id, actor: actor, homes: homes})
		if err != nil {
			return Task{}, err
		}
		if err := refuseWrite(found, row.Task, homes, version); err != nil {
			return Task{}, err
		}
		row, err = set(row, row.replay(homes, row.DoneAt, row.SkippedOn), s.today(homes, row.ResidenceID))
		if err != nil {
			return Task{}, err
		}
		out, err := restate(ctx, s.DB, actor, []stated{row.state(homes)}, s.Clock.Now())
		if err != nil {
			return Task{}, err
		}
		if len(out) == 1 {
			events.TaskChanged.Committed(ctx, s.Relay, out[0].ref(actor))
			return out[0], nil
		}
	}
	return Task{}, busy()
}

// PauseResidence pauses every open task of a residence, as for a vacation, and answers how many.
func (s *Service) PauseResidence(ctx context.Context, actor identity.Actor, residence uuid.UUID, in PauseFields) (int, error) {
	return s.pauseAll(ctx, actor, residence, false, func(row seriesRow, due recur.Due, today day.Day) (seriesRow, error) {
		from, until, err := in.window(today)
		if err != nil || !row.Open() || row.pausedThrough(from, until) {
			return row, err
		}
		return row.paused(due, today, from, until), nil
	})
}

// pausedThrough reports whether a pause that the task has already lasts as long: a vacation does not shorten it.
func (r seriesRow) pausedThrough(from day.Day, until *day.Day) bool {
	if r.PausedFrom == nil || r.PausedFrom.After(from) {
		return false
	}
	return r.PausedUntil == nil || (until != nil && !r.PausedUntil.Before(*until))
}

// ResumeResidence ends every pause in a residence, also of what is put away, and answers how many.
func (s *Service) ResumeResidence(ctx context.Context, actor identity.Actor, residence uuid.UUID) (int, error) {
	return s.pauseAll(ctx, actor, residence, true, func(row seriesRow, _ recur.Due, today day.Day) (seriesRow, error) {
		if row.PausedFrom == nil {
			return row, nil
		}
		return row.resumed(today), nil
	})
}

func (s *Service) pauseAll(ctx context.Context, actor identity.Actor, residence uuid.UUID, archived bool, set pausing) (int, error) {
	home, err := s.Access.Writable(ctx, actor, residence)
	if err != nil {
		return 0, err
	}
	homes, today, changed := []access.Home{home}, s.today([]access.Home{home}, residence), 0
	if _, err := set(seriesRow{}, recur.Due{}, today); err != nil { // also where there is no task
		return 0, err
	}
	for range tries {
		rows, err := readSeriesIn(ctx, s.DB, residence, archived)
		if err != nil {
			return 0, err
		}
		var wanted []stated
		for _, row := range rows {
			was := row.state(homes)
			row, err := set(row, row.replay(homes, row.DoneAt, row.SkippedOn), today)
			if err != nil {
				return changed, err
			}
			if is := row.state(homes); !is.same(was) {
				wanted = append(wanted, is)
			}
		}
		out, err := restate(ctx, s.DB, actor, wanted, s.Clock.Now())
		if err != nil {
			return 0, err
		}
		if changed += len(out); len(out) > 0 {
			events.TaskChanged.Committed(ctx, s.Relay, out[0].ref(actor))
		}
		if len(out) == len(wanted) {
			return changed, nil
		}
	}
	return 0, busy()
}

// restateResidence derives the due dates of a residence's tasks anew, after its time zone may have changed.
func (s *Service) restateResidence(ctx context.Context, e events.Home) error {
	homes, err := s.Access.HomesOf(ctx, e.OwnerID)
	if err != nil {
		return err
	}
	if _, found := access.Among(homes, e.ID); !found {
		return nil // it has another owner since, or is gone: that change tells of itself
	}
	rows, err := readSeriesIn(ctx, s.DB, e.ID, true)
	if err != nil {
		return err
	}
	var wanted []stated
	for _, row := range rows {
		if is := row.state(homes); !sameDay(is.next, row.NextDueDate) || is.over != row.IsDone {
			wanted = append(wanted, is)
		}
	}
	out, err := restate(ctx, s.DB, identity.Actor{UserID: e.ActorID}, wanted, s.Clock.Now())
	if err != nil {
		return err
	}
	if len(out) < len(wanted) {
		return fmt.Errorf("%d tasks of residence %s changed meanwhile", len(wanted)-len(out), e.ID) // and are read again
	}
	if len(out) == 0 {
		return nil
	}
	s.Relay.Nudge()
	return s.Cache.DropForSure(ctx, cache.RevisionKey(e.ID))
}
