package task

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
)

// ChecklistItem is one thing to be ticked off in a task. When the task comes back, all of them are open again.
type ChecklistItem struct {
	ID       uuid.UUID  `json:"id" format:"uuid"`
	Title    string     `json:"title"`
	IsDone   bool       `json:"is_done"`
	DoneByID *uuid.UUID `json:"done_by_id" nullable:"true" format:"uuid"`
	DoneAt   *time.Time `json:"done_at" nullable:"true"`
}

// ChecklistEntry is what a person says of an item.
type ChecklistEntry struct {
	ID    *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Of an item that is there already, or a UUIDv7 of your own"`
	Title string     `json:"title" required:"true" minLength:"1" maxLength:"200" pattern:"\\S" example:"Check the pilot light"`
}

// refuseChecklist names what is wrong with the entries, and gives an id to those that have none.
func refuseChecklist(e *apperr.Error, location string, entries []ChecklistEntry) *apperr.Error {
	seen := map[uuid.UUID]bool{}
	for i := range entries {
		entry := &entries[i]
		at := fmt.Sprintf("%s.checklist[%d]", location, i)
		if strings.TrimSpace(entry.Title) == "" {
			e = e.At(at+".title", "is empty")
		}
		if entry.ID == nil {
			entry.ID = new(uuid.Must(uuid.NewV7()))
		}
		if *entry.ID == uuid.Nil || seen[*entry.ID] {
			e = e.At(at+".id", "is that of another item, or zero")
		}
		seen[*entry.ID] = true
	}
	return e
}

// Tick ticks an item off, or takes the tick back; either is fine if it is so already.
func (s *Service) Tick(ctx context.Context, actor identity.Actor, task, item uuid.UUID, done bool) (Task, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Task{}, err
	}
	for range tries {
		out, found, err := tick(ctx, s.DB, actor, task, item, done, homes, s.Clock.Now())
		if err != nil {
			return Task{}, err
		}
		if out.Applied {
			events.TaskChanged.Committed(ctx, s.Relay, out.ref(actor))
			return out.Task, nil
		}
		if err := refuseWrite(found, out.Task, homes, nil); err != nil {
			return Task{}, err
		}
		for _, has := range out.Checklist {
			if has.ID == item && has.IsDone == done {
				return out.Task, nil
			}
		}
		if !hasItem(out.Checklist, item) {
			return Task{}, apperr.NoSuchThing.New("There is no such item in the task's checklist.")
		}
	}
	return Task{}, busy()
}

func hasItem(items []ChecklistItem, id uuid.UUID) bool {
	for _, item := range items {
		if item.ID == id {
			return true
		}
	}
	return false
}
