package notification

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification/mail"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// userRegistered makes a person known, who wants to hear of everything until they say otherwise.
func (s *Service) userRegistered(ctx context.Context, tx pgx.Tx, e events.Received[events.User]) error {
	if err := insertPreferences(ctx, tx, e.Payload.ID); err != nil { // before the person, as whoever changes them does
		return err
	}
	return s.savePerson(ctx, tx, e.Payload)
}

func (s *Service) userChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.UserChange]) error {
	return s.savePerson(ctx, tx, e.Payload.User)
}

// oneOfPersonSQL lets one transaction at a time plan by a person's hours, or change them. Whoever plans for several persons
// shares them, in their order. Residences, tasks, settings and members are held before persons; reminders, notifications and
// messages after them.
const oneOfPersonSQL = `SELECT pg_advisory_xact_lock(hashtextextended(@id::uuid::text, 10))`

// savePersonSQL keeps what is told of a person unless something newer is known, or they are gone. moved: their zone is another
// than was counted with, which is so too of one who was not known. A person is welcomed once, when their address is known to be
// theirs; not one of whom that was simply not told before.
const savePersonSQL = `
WITH before AS (SELECT timezone, email_verified, welcomed_at FROM people WHERE user_id = @id::uuid),
saved AS (
	INSERT INTO people AS p (user_id, email, username, first_name, last_name, timezone, locale, avatar_upload_id, email_verified, welcomed_at, version)
	SELECT @id::uuid, @email, @username, @first_name, @last_name, @timezone, @locale, @avatar::uuid, @verified::boolean,
		CASE WHEN @verified::boolean THEN @now::timestamptz END, @version::int
	WHERE NOT EXISTS (SELECT FROM gone_people WHERE user_id = @id::uuid)
	ON CONFLICT (user_id) DO UPDATE SET
		email = excluded.email, username = excluded.username, first_name = excluded.first_name, last_name = excluded.last_name,
		timezone = excluded.timezone, locale = excluded.locale, avatar_upload_id = excluded.avatar_upload_id,
		email_verified = coalesce(excluded.email_verified, p.email_verified), welcomed_at = coalesce(p.welcomed_at, excluded.welcomed_at),
		version = excluded.version
	WHERE p.version < excluded.version OR (p.version = excluded.version AND p.email_verified IS NULL AND excluded.email_verified IS NOT NULL)
	RETURNING timezone, email_verified)
SELECT NOT EXISTS (SELECT FROM before b WHERE b.timezone = s.timezone) AS moved,
	coalesce(s.email_verified AND NOT EXISTS (SELECT FROM before b WHERE b.email_verified IS NULL OR b.welcomed_at IS NOT NULL), false) AS welcome
FROM saved s`

// savePerson keeps what is told of a person, and does what follows: the welcome, and reminders at the hour of where they
// are now.
func (s *Service) savePerson(ctx context.Context, tx pgx.Tx, u events.User) error {
	var avatar *uuid.UUID
	if u.AvatarID != uuid.Nil {
		avatar = &u.AvatarID
	}
	args := pgx.NamedArgs{
		"id": u.ID, "email": u.Email, "username": u.Username, "first_name": u.FirstName, "last_name": u.LastName, "timezone": u.Timezone,
		"locale": u.Locale, "avatar": avatar, "verified": u.EmailVerified, "version": u.Version, "now": s.Clock.Now(),
	}
	var saved struct{ Moved, Welcome bool }
	var news bool
	var b pgx.Batch
	b.Queue(oneOfPersonSQL, args) // what was before is what the last event has left
	b.Queue(savePersonSQL, args).Query(pg.Row(&saved, &news))
	if err := pg.Send(ctx, tx, &b); err != nil {
		return fmt.Errorf("person %s: %w", u.ID, err)
	}
	if saved.Moved {
		if err := s.replan(ctx, tx, u.ID); err != nil {
			return err
		}
	}
	if saved.Welcome {
		return s.write(ctx, tx, letter{id: uuid.NewSHA1(u.ID, []byte(mail.Welcome)), user: u.ID, purpose: mail.Welcome, email: u.Email,
			name: u.FirstName, locale: u.Locale, waits: welcomeWaits})
	}
	return nil
}

// passwordChanged lets a person know, who may not have been it.
func (s *Service) passwordChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.NewPassword]) error {
	return s.writeTo(ctx, tx, e.Payload.UserID, letter{id: e.ID, purpose: mail.PasswordChanged, content: content{Change: e.Payload.How}, waits: securityWaits})
}

// userDeleted leaves nothing of a person but the last mail to them, which is forgotten once it is sent, and the mark that they
// are gone, for events that come late. What somebody else is writing just now is forgotten later.
func (s *Service) userDeleted(ctx context.Context, tx pgx.Tx, e events.Received[events.Person]) error {
	user := e.Payload.ID
	args := pgx.NamedArgs{"id": user, "now": s.Clock.Now()}
	var gone struct{ Email, FirstName, Locale string }
	var known bool
	var b pgx.Batch
	b.Queue(`
		SELECT pg_advisory_xact_lock(hashtextextended(m.residence_id::text, 8)) FROM (
			SELECT residence_id FROM members WHERE user_id = @id::uuid ORDER BY residence_id) m`, args)
	b.Queue(`
		UPDATE tasks SET assigned_to = NULL
		WHERE residence_id IN (SELECT residence_id FROM members WHERE user_id = @id::uuid) AND assigned_to = @id::uuid`, args)
	b.Queue(`DELETE FROM settings WHERE user_id = @id::uuid`, args)
	b.Queue(`DELETE FROM preferences WHERE user_id = @id::uuid`, args)
	b.Queue(oneOfPersonSQL, args)
	b.Queue(`INSERT INTO gone_people (user_id, at) VALUES (@id::uuid, @now::timestamptz) ON CONFLICT DO NOTHING`, args)
	b.Queue(`DELETE FROM people WHERE user_id = @id::uuid RETURNING email, first_name, locale`, args).Query(pg.Row(&gone, &known))
	b.Queue(`DELETE FROM members WHERE user_id = @id::uuid`, args)
	b.Queue(`DELETE FROM reminders WHERE user_id = @id::uuid`, args) // what fires just now is told, and then found
	b.Queue(`SELECT FROM notifications WHERE user_id = @id::uuid ORDER BY id FOR UPDATE`, args)
	b.Queue(`DELETE FROM notifications WHERE user_id = @id::uuid`, args)
	b.Queue(`SELECT FROM messages WHERE user_id = @id::uuid ORDER BY id FOR UPDATE`, args)
	b.Queue(`DELETE FROM messages WHERE user_id = @id::uuid`, args)
	b.Queue(`DELETE FROM devices WHERE user_id = @id::uuid`, args)
	if err := pg.Send(ctx, tx, &b); err != nil {
		return fmt.Errorf("forget person %s: %w", user, err)
	}
	if !known || gone.Email == "" {
		return nil
	}
	return s.write(ctx, tx, letter{id: e.ID, user: user, purpose: mail.AccountDeleted, email: gone.Email, name: gone.FirstName,
		locale: gone.Locale, waits: securityWaits})
}

// sessionsEnded silences the devices that were registered in these sessions: whoever holds one is signed out.
func (s *Service) sessionsEnded(ctx context.Context, tx pgx.Tx, e events.Received[events.Sessions]) error {
	if len(e.Payload.SessionIDs) == 0 {
		return nil
	}
	_, err := pg.Exec(ctx, tx, `
		UPDATE devices SET dead_at = @now::timestamptz, dead_reason = 'signed_out'
		WHERE session_id = ANY(@ids::uuid[]) AND user_id = @user_id::uuid AND dead_at IS NULL`,
		pgx.NamedArgs{"ids": e.Payload.SessionIDs, "user_id": e.Payload.UserID, "now": s.Clock.Now()})
	if err != nil {
		return fmt.Errorf("devices of ended sessions: %w", err)
	}
	return nil
}

// invited puts an invitation where the sender finds it, its code sealed as it came.
func (s *Service) invited(ctx context.Context, tx pgx.Tx, e events.Received[events.Invitation]) error {
	i := e.Payload
	expires, err := instant(i.ExpiresAt)
	if err != nil {
		return fmt.Errorf("invitation expires at: %w", err)
	}
	return s.write(ctx, tx, letter{
		id: e.ID, user: i.InviterID, purpose: mail.Invitation, email: i.Email, locale: i.Locale, sealed: i.Sealed, expires: expires,
		content: content{Residence: i.ResidenceName, Actor: i.InviterName, Role: i.Role},
	})
}
