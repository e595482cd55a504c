package document

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// whereabouts asks the task service where what a document is to name is.
func (s *Service) whereabouts(ctx context.Context, actor identity.Actor, task, contractor *uuid.UUID) (whereabouts, error) {
	q := internalapi.RefsQuery{UserID: actor.UserID}
	if task != nil {
		q.TaskIDs = []uuid.UUID{*task}
	}
	if contractor != nil {
		q.ContractorIDs = []uuid.UUID{*contractor}
	}
	refs, err := s.tasks.Refs(ctx, q)
	if err != nil {
		return whereabouts{}, err
	}
	var out whereabouts
	for _, ref := range refs.Tasks {
		out.task = orNull(ref.ResidenceID)
	}
	for _, ref := range refs.Contractors {
		out.contractor, out.personal = orNull(ref.ResidenceID), ref.ResidenceID == uuid.Nil
	}
	return out, nil
}

// tell has the events that an event's effect has made carried on at once.
func tell[P any](s *Service) func(context.Context, P) error {
	return func(context.Context, P) error {
		s.Relay.Nudge()
		return nil
	}
}

// A document that somebody is just adding while what it names is being deleted can commit after everything has let go of
// that. Writes take seconds at the most.
const (
	lateEvery = time.Minute
	lateFor   = time.Hour
)

// letGoLate makes documents let go of what went away while they were being written.
func letGoLate(ctx context.Context, d *boot.Deps) {
	d.Every(ctx, lateEvery, "documents may name what is gone until the next look", func(ctx context.Context) error {
		return letGoLateOnce(ctx, d)
	})
}

func letGoLateOnce(ctx context.Context, d *boot.Deps) error {
	now := d.Clock.Now()
	late, err := letGoOfGone(ctx, d.DB, now.Add(-lateFor), now)
	if err == nil && late > 0 {
		d.Relay.Nudge()
	}
	if err == nil {
		err = pg.Sweep(ctx, d.DB, forgetGoneSQL, pgx.NamedArgs{"since": now.Add(-goneFor)})
	}
	if err != nil {
		return fmt.Errorf("let go of what is gone: %w", err)
	}
	return nil
}
