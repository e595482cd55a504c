package task

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
)

// Skip is an occurrence of a task that is not to be done.
type Skip struct {
	ID            uuid.UUID `json:"id" format:"uuid"`
	TaskID        uuid.UUID `json:"task_id" format:"uuid"`
	Occurrence    day.Day   `json:"occurrence" doc:"The day that the rule gives it"`
	Reason        *string   `json:"reason"`
	SkippedByID   uuid.UUID `json:"skipped_by_id" format:"uuid"`
	SkippedByName *string   `json:"skipped_by_name"`
	SkippedAt     time.Time `json:"skipped_at"`
}

// NewSkip is an occurrence to be skipped.
type NewSkip struct {
	ID         *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: however often it is sent, one occurrence is skipped"`
	Occurrence *day.Day   `json:"occurrence,omitempty" doc:"The next_due_date that you saw: any other is refused. The current one, if left out"`
	Reason     *string    `json:"reason,omitempty" maxLength:"500" example:"It rained all week"`
}

// skipping is a change of what is skipped of a task, which stands in the row as derived.
type skipping struct {
	Skip
	derived
	actor identity.Actor
	task  Task
	now   time.Time
}

// Skip lets the current occurrence of a task that comes back go by, and reports whether that is new.
func (s *Service) Skip(ctx context.Context, actor identity.Actor, task uuid.UUID, in NewSkip) (Skip, bool, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Skip{}, false, err
	}
	id, err := idOrNew(in.ID, "body")
	if err != nil {
		return Skip{}, false, err
	}
	leave, err := s.turns.take(ctx, task)
	if err != nil {
		return Skip{}, false, err
	}
	defer leave()
	for range tries {
		row, there, err := s.seriesAndSkip(ctx, actor, homes, task, id)
		switch {
		case err != nil:
			return Skip{}, false, err
		case there.ID == id:
			return there, false, nil
		}
		due := row.replay(homes, row.DoneAt, row.SkippedOn)
		if err := row.refuseSkip(due.Day, in); err != nil {
			return Skip{}, false, err
		}
		k := skipping{actor: actor, now: s.Clock.Now()}
		k.Skip = Skip{ID: id, TaskID: task, Occurrence: due.Occurrence, Reason: in.Reason, SkippedByID: actor.UserID, SkippedAt: k.now}
		row.SkippedOn = append(row.SkippedOn, due.Occurrence)
		k.derived, k.task = row.skipped(homes)
		out, applied, err := skip(ctx, s.DB, k)
		if err != nil {
			return Skip{}, false, err
		}
		if applied {
			events.TaskChanged.Committed(ctx, s.Relay, k.task.ref(actor))
			return out, true, nil
		}
	}
	return Skip{}, false, busy()
}

// seriesAndSkip reads a task that the actor may change, and the skip of that id, in one round trip.
func (s *Service) seriesAndSkip(ctx context.Context, actor identity.Actor, homes []access.Home, task, id uuid.UUID) (seriesRow, Skip, error) {
	row, found, there, err := readSeriesAndSkip(ctx, s.DB, actor, homes, task, id)
	if err == nil {
		err = refuseWrite(found, row.Task, homes, nil)
	}
	if err == nil && there.ID == id && (there.TaskID != task || there.SkippedByID != actor.UserID) {
		err = apperr.IDTaken.New("There is something else with that id.")
	}
	return row, there, err
}

// refuseSkip says why the occurrence that is due then cannot be skipped.
func (r seriesRow) refuseSkip(due day.Day, in NewSkip) error {
	m := markInProgress() // what can be begun can be skipped
	m.name = "skipped"
	switch err := m.refuse(r.Task); {
	case err != nil:
		return err
	case !r.rule().Recurs():
		return apperr.ImpossibleMove.New("The task cannot be skipped: it does not come back. Cancel it instead.")
	case due.IsZero():
		return apperr.ImpossibleMove.New("The task cannot be skipped: it is due on no day.")
	case in.Occurrence != nil && !in.Occurrence.Equal(due):
		return apperr.InvalidField("body.occurrence", "is not when the task is due: that is %s", due)
	}
	return nil
}

// skipped is the row with its changed skips.
func (r seriesRow) skipped(homes []access.Home) (derived, Task) {
	s := r.series()
	d := s.derive(homes, s.log)
	d.assignee = r.AssignedToID // whose turn it is, it stays
	return d, d.after(r.Task)
}

// Unskip takes a skip back; the task stands as if it had never been.
func (s *Service) Unskip(ctx context.Context, actor identity.Actor, task, id uuid.UUID) error {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return err
	}
	leave, err := s.turns.take(ctx, task)
	if err != nil {
		return err
	}
	defer leave()
	for range tries {
		row, found, there, err := readSeriesAndSkip(ctx, s.DB, actor, homes, task, id)
		if err != nil {
			return err
		}
		if err := refuseWrite(found, row.Task, homes, nil); err != nil {
			return err
		}
		if there.TaskID != task {
			return apperr.NoSuchThing.New("There is no such skip of the task.")
		}
		row.SkippedOn = slices.DeleteFunc(row.SkippedOn, there.Occurrence.Equal)
		k := skipping{Skip: there, actor: actor, now: s.Clock.Now()}
		k.derived, k.task = row.skipped(homes)
		applied, err := unskip(ctx, s.DB, k)
		if err != nil {
			return err
		}
		if applied {
			events.TaskChanged.Committed(ctx, s.Relay, k.task.ref(actor))
			return nil
		}
	}
	return busy()
}

// SkipsOf lists what was skipped of a task, newest occurrence first, at most 200.
func (s *Service) SkipsOf(ctx context.Context, v ListView, task uuid.UUID) ([]Skip, error) {
	skips, found, err := readSkips(ctx, s.DB, task, access.IDs(v.homes))
	if err == nil && !found {
		err = noSuchTask()
	}
	return skips, err
}
