package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
)

// move is one step of a task's state machine: from the states that have what it needs to the one that it sets. The
// statement that moves checks the same needs.
type move struct {
	name  string
	needs struct{ cancelled, archived, done *bool }
	sets  struct{ inProgress, cancelled, archived *bool }
}

func markInProgress() (m move) {
	m.name = "begun"
	m.needs.cancelled, m.needs.archived, m.needs.done, m.sets.inProgress = new(false), new(false), new(false), new(true)
	return m
}

func cancel() (m move) {
	m.name = "cancelled"
	m.needs.cancelled, m.sets.cancelled, m.sets.inProgress = new(false), new(true), new(false)
	return m
}

func uncancel() (m move) {
	m.name = "taken up again"
	m.needs.cancelled, m.sets.cancelled = new(true), new(false)
	return m
}

func archive() (m move) {
	m.name = "archived"
	m.needs.archived, m.sets.archived = new(false), new(true)
	return m
}

func unarchive() (m move) {
	m.name = "taken out of the archive"
	m.needs.archived, m.sets.archived = new(true), new(false)
	return m
}

// refuse says why the task cannot be moved; nil when it can.
func (m move) refuse(t Task) error {
	for _, state := range []struct {
		need    *bool
		is      bool
		yes, no string
	}{
		{m.needs.cancelled, t.IsCancelled, "it is cancelled", "it is not cancelled"},
		{m.needs.archived, t.IsArchived, "it is archived", "it is not archived"},
		{m.needs.done, t.IsDone, "it is done", "it is not done"},
	} {
		if state.need == nil || *state.need == state.is {
			continue
		}
		reason := state.no
		if state.is {
			reason = state.yes
		}
		return apperr.ImpossibleMove.New("The task cannot be %s: %s.", m.name, reason)
	}
	return nil
}

// refuseCompletion says why the task cannot be completed; nil when it can.
func (t Task) refuseCompletion() error {
	m := markInProgress() // what can be begun can be completed, and nothing else
	m.name = "completed"
	return m.refuse(t)
}

// Move takes a task from one state to another, or fails with impossible_move.
func (s *Service) Move(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, m move) (Task, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Task{}, err
	}
	for range tries {
		out, found, err := moveTask(ctx, s.DB, actor, id, version, homes, m, s.Clock.Now())
		if err != nil {
			return Task{}, err
		}
		if out.Applied {
			events.TaskChanged.Committed(ctx, s.Relay, out.ref(actor))
			return out.Task, nil
		}
		if err := refuseWrite(found, out.Task, homes, version); err != nil {
			return Task{}, err
		}
		if err := m.refuse(out.Task); err != nil {
			return Task{}, err
		}
	}
	return Task{}, busy()
}
