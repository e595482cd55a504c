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
	"hearth.internal/pkg/owners"
	"hearth.internal/pkg/people"
	"hearth.internal/pkg/pg"
)

// listen says what the service does about each event that it hears of.
func (s *Service) listen() {
	people.Listen(s.Consumer, s.renameOnBoards)                                         // user.registered, user.changed
	events.On(s.Consumer, events.ResidenceCreated, owners.NoteHome)                     // residence.created
	events.On(s.Consumer, events.ResidenceDeleted, s.eraseResidence)                    // residence.deleted
	events.On(s.Consumer, events.ResidenceChanged, owners.NoteHome, s.restateResidence) // residence.changed
	events.On(s.Consumer, events.EquipmentChanged, s.noteEquipment, s.refreshEquipment) // equipment.changed
	events.On(s.Consumer, events.MembersChanged, s.noteMember, s.refreshResidence)      // residence.members_changed
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

const goneSQL = `
INSERT INTO gone_members (residence_id, user_id, gone_at) VALUES (@residence::uuid, @user::uuid, @now::timestamptz)
ON CONFLICT (residence_id, user_id) DO UPDATE SET gone_at = excluded.gone_at`

const cameBackSQL = `DELETE FROM gone_members WHERE residence_id = @residence::uuid AND user_id = @user::uuid`

// noteMember notes whose the residence is, and takes what is still to do from somebody who has left it or was removed. What
// they have done stays theirs.
func (s *Service) noteMember(ctx context.Context, tx pgx.Tx, e events.Received[events.Membership]) error {
	if err := owners.NoteMembership(ctx, tx, e); err != nil {
		return err
	}
	switch {
	case gone(e.Payload):
		return unassign(ctx, tx, e.Payload, s.Clock.Now())
	case e.Payload.Change == "joined":
		_, err := pg.Exec(ctx, tx, cameBackSQL, pgx.NamedArgs{"residence": e.Payload.ResidenceID, "user": e.Payload.UserID})
		return err
	}
	return nil
}

func gone(m events.Membership) bool { return m.Change == "left" || m.Change == "removed" }

func unassign(ctx context.Context, tx pgx.Tx, m events.Membership, now time.Time) error {
	_, err := pg.Exec(ctx, tx, goneSQL, pgx.NamedArgs{"residence": m.ResidenceID, "user": m.UserID, "now": now})
	if err == nil {
		err = handBack(ctx, tx, goneMembers{residence: &m.ResidenceID, user: &m.UserID, actor: m.ActorID, since: now.Add(-time.Second), now: now})
	}
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
