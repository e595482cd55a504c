package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// planned is something that a person is to be reminded of, with what they are to be reminded of next as it stands.
type planned struct {
	UserID      uuid.UUID
	Subject     string
	SubjectID   uuid.UUID
	ResidenceID uuid.UUID
	OnDate      day.Day
	HadDate     *day.Day // null: nothing is planned yet
	HadStep     *int
	hours
}

// hours are when a person wants to be reminded, as they are kept. Who is not known yet has the usual ones.
type hours struct {
	Timezone string
	Reminder int
	Digest   int
	Lead     int
}

func (h hours) timing() timing {
	zone, err := time.LoadLocation(h.Timezone)
	if err != nil {
		zone = time.UTC // of a newer version's list of zones
	}
	return timing{Zone: zone, Reminder: wall(h.Reminder), Digest: wall(h.Digest), Lead: h.Lead}
}

// plan brings reminders up to what is known of tasks, warranties, members and hours, within a scope. What a person has been
// reminded of stays so as long as the date is the same, wherever they move and whatever hours they choose.
func (s *Service) plan(ctx context.Context, tx pgx.Tx, within scope) error {
	var rows []planned
	var b pgx.Batch
	queuePlanned(&b, within, &rows)
	if err := pg.Send(ctx, tx, &b); err != nil {
		return fmt.Errorf("reminders of %s: %w", within, err)
	}
	return s.planAs(ctx, tx, within, rows)
}

// planAs is plan with what was read for it.
func (s *Service) planAs(ctx context.Context, tx pgx.Tx, within scope, rows []planned) error {
	now := s.Clock.Now()
	next := make([]reminder, len(rows))
	for i, p := range rows {
		r := reminder{UserID: p.UserID, Subject: p.Subject, SubjectID: p.SubjectID, ResidenceID: &p.ResidenceID, OnDate: &p.OnDate}
		if at := p.timing(); p.HadDate != nil && p.HadDate.Equal(p.OnDate) && p.HadStep != nil && *p.HadStep >= 0 {
			r.Step, r.FireAt = *p.HadStep, at.at(p.Subject, p.OnDate, *p.HadStep)
		} else {
			r.Step, r.FireAt = at.first(p.Subject, p.OnDate, now)
		}
		next[i] = r
	}
	if err := writePlanned(ctx, tx, within, next); err != nil {
		return fmt.Errorf("reminders of %s: %w", within, err)
	}
	return nil
}

// replan puts a person's reminders at the hours that their settings and their zone now say, the next digest among them.
func (s *Service) replan(ctx context.Context, tx pgx.Tx, user uuid.UUID) error {
	if err := s.plan(ctx, tx, ofPerson(user)); err != nil {
		return err
	}
	return s.planDigest(ctx, tx, user)
}

// planDigest says when a person's day is told of next.
func (s *Service) planDigest(ctx context.Context, tx pgx.Tx, user uuid.UUID) error {
	h, told, err := readDigest(ctx, tx, user)
	if err != nil {
		return fmt.Errorf("digest of %s: %w", user, err)
	}
	at := h.timing().nextDigest(told, s.Clock.Now())
	if err := writeDigest(ctx, tx, user, at); err != nil {
		return fmt.Errorf("digest of %s: %w", user, err)
	}
	return nil
}

// taskChanged keeps what is told of a task, reminds of it from now on, and tells who has it to do.
func (s *Service) taskChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.TaskRef]) error {
	return s.taskIs(ctx, tx, e.ID, e.Payload, false)
}

func (s *Service) taskDeleted(ctx context.Context, tx pgx.Tx, e events.Received[events.TaskRef]) error {
	if err := s.taskIs(ctx, tx, e.ID, e.Payload, true); err != nil {
		return err
	}
	return s.forgetSubject(ctx, tx, e.ID, e.Payload.ID)
}

func (s *Service) completionChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.Completion]) error {
	return s.taskIs(ctx, tx, e.ID, e.Payload.Task, false)
}

// taskIs takes what an event says of a task, unless something newer is known.
func (s *Service) taskIs(ctx context.Context, tx pgx.Tx, event uuid.UUID, t events.TaskRef, deleted bool) error {
	before, rows, news, err := s.saveTask(ctx, tx, t, deleted)
	if err != nil || !news {
		return err
	}
	if err := s.planAs(ctx, tx, ofSubject(t.ID), rows); err != nil {
		return err
	}
	if before.Known && before.WasOpen && (!t.Open || before.WasDue == nil || before.WasDue.String() != t.NextDueDate) {
		if err := s.readReminders(ctx, tx, event, t.ID); err != nil {
			return err
		}
	}
	newly := t.AssignedToID != uuid.Nil && (before.WasAssignedTo == nil || *before.WasAssignedTo != t.AssignedToID)
	if newly && t.Open && !deleted && t.AssignedToID != t.ActorID {
		return s.tellAssigned(ctx, tx, event, t)
	}
	return nil
}
