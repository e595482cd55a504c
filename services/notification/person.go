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
	if err := s.savePerson(ctx, tx, e.Payload); err != nil {
		return err
	}
	return insertPreferences(ctx, tx, e.Payload.ID)
}

func (s *Service) userChanged(ctx context.Context, tx pgx.Tx, e events.Received[events.UserChange]) error {
	return s.savePerson(ctx, tx, e.Payload.User)
}

// savePersonSQL keeps what is told of a person unless something newer is known. moved: their zone is another than was counted
// with, which is so too of one who was not known. A person is welcomed once, when their
// address is known to be theirs; not one of whom that was simply not told before.
const savePersonSQL = `
WITH before AS (SELECT timezone, email_verified, welcomed_at FROM people WHERE user_id = @id::uuid),
saved AS (
	INSERT INTO people AS p (user_id, email, username, first_name, last_name, timezone, locale, avatar_upload_id, email_verified, welcomed_at, version)
	VALUES (@id::uuid, @email, @username, @first_name, @last_name, @timezone, @locale, @avatar::uuid, @verified::boolean,
		CASE WHEN @verified::boolean THEN @now::timestamptz END, @version::int)
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
	b.Queue(`SELECT user_id FROM people WHERE user_id = @id::uuid FOR UPDATE`, args) // what was before is what the last event has left
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

// userDeleted leaves nothing of a person but the last mail to them, which is forgotten once it is sent.
func (s *Service) userDeleted(ctx context.Context, tx pgx.Tx, e events.Received[events.Person]) error {
	user := e.Payload.ID
	// Tasks first, as everywhere: who plans a task holds it, and then its persons.
	if _, err := pg.Exec(ctx, tx, `UPDATE tasks SET assigned_to = NULL WHERE assigned_to = @user_id::uuid`, pgx.NamedArgs{"user_id": user}); err != nil {
		return fmt.Errorf("forget person %s: %w", user, err)
	}
	gone, known, err := pg.One[struct{ Email, FirstName, Locale string }](ctx, tx,
		`DELETE FROM people WHERE user_id = @user_id::uuid RETURNING email, first_name, locale`, pgx.NamedArgs{"user_id": user})
	if err != nil {
		return fmt.Errorf("forget person %s: %w", user, err)
	}
	for _, statement := range []string{
		`DELETE FROM members WHERE user_id = @user_id::uuid`,
		`DELETE FROM notifications WHERE user_id = @user_id::uuid`,
		`DELETE FROM reminders WHERE user_id = @user_id::uuid`,
		`DELETE FROM messages WHERE user_id = @user_id::uuid`,
		`DELETE FROM devices WHERE user_id = @user_id::uuid`,
		`DELETE FROM preferences WHERE user_id = @user_id::uuid`,
		`DELETE FROM settings WHERE user_id = @user_id::uuid`,
	} {
		if _, err := pg.Exec(ctx, tx, statement, pgx.NamedArgs{"user_id": user}); err != nil {
			return fmt.Errorf("forget person %s: %w", user, err)
		}
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
