package task

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/people"
	"hearth.internal/pkg/pg"
)

// listen says what the service does about each event that it hears of.
func (s *Service) listen() {
	people.Listen(s.Consumer, s.renameOnBoards)                                           // user.registered, user.changed
	events.On(s.Consumer, events.ResidenceDeleted, s.eraseResidence)                      // residence.deleted
	events.On(s.Consumer, events.MembersChanged, s.unassignWhoIsGone, s.refreshResidence) // residence.members_changed
}

// renameOnBoards makes the boards that show the person be made again.
func (s *Service) renameOnBoards(ctx context.Context, u events.User) error {
	homes, err := s.Access.HomesOf(ctx, u.ID)
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(homes))
	for _, id := range access.IDs(homes) {
		keys = append(keys, cache.RevisionKey(id))
	}
	return s.Cache.DropForSure(ctx, keys...)
}

const unassignSQL = `
WITH changed AS (
	UPDATE tasks t SET assigned_to_id = NULL, version = t.version + 1, updated_at = @now::timestamptz
	WHERE t.residence_id = @residence::uuid AND t.assigned_to_id = @user::uuid AND NOT ` + done + `
	RETURNING t.*),
event AS (
	INSERT INTO outbox (id, name, payload, trace)
	SELECT gen_random_uuid(), @event_name, @event_payload::jsonb || ` + refMembers + `, @event_trace FROM changed t)
SELECT count(*) FROM changed`

// unassignWhoIsGone takes what is still to do from somebody who has left the residence or was removed. What they have
// done stays theirs.
func (s *Service) unassignWhoIsGone(ctx context.Context, tx pgx.Tx, e events.Received[events.Membership]) error {
	if !gone(e.Payload) {
		return nil
	}
	return unassign(ctx, tx, e.Payload, s.Clock.Now())
}

func gone(m events.Membership) bool { return m.Change == "left" || m.Change == "removed" }

func unassign(ctx context.Context, tx pgx.Tx, m events.Membership, now time.Time) error {
	_, _, err := pg.Scalar[int](ctx, tx, unassignSQL, events.TaskChanged.Args(ctx, events.TaskRef{ActorID: m.ActorID},
		pgx.NamedArgs{"residence": m.ResidenceID, "user": m.UserID, "now": now}))
	if err != nil {
		return fmt.Errorf("unassign %s in %s: %w", m.UserID, m.ResidenceID, err)
	}
	return nil
}

// refreshResidence makes the residence's boards be made again.
func (s *Service) refreshResidence(ctx context.Context, m events.Membership) error {
	if !gone(m) || m.ResidenceID == uuid.Nil {
		return nil
	}
	s.Relay.Nudge()
	return s.Cache.DropForSure(ctx, cache.RevisionKey(m.ResidenceID))
}
