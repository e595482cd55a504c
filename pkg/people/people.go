// Package people is the projection of persons that several services keep in a table of this name:
//
//	CREATE TABLE people (
//	    user_id uuid PRIMARY KEY, email text NOT NULL, username text NOT NULL, first_name text NOT NULL,
//	    last_name text NOT NULL, timezone text NOT NULL, locale text NOT NULL, avatar_upload_id uuid, version int NOT NULL);
package people

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// Save keeps what an event says of a person, unless something newer is known: the order of arrival does not matter.
func Save(ctx context.Context, tx pgx.Tx, u events.User) error {
	var avatar *uuid.UUID
	if u.AvatarID != uuid.Nil {
		avatar = &u.AvatarID
	}
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO people (user_id, email, username, first_name, last_name, timezone, locale, avatar_upload_id, version)
		VALUES (@id, @email, @username, @first_name, @last_name, @timezone, @locale, @avatar, @version)
		ON CONFLICT (user_id) DO UPDATE SET
			email = excluded.email, username = excluded.username, first_name = excluded.first_name, last_name = excluded.last_name,
			timezone = excluded.timezone, locale = excluded.locale, avatar_upload_id = excluded.avatar_upload_id, version = excluded.version
		WHERE people.version < excluded.version`,
		pgx.NamedArgs{"id": u.ID, "email": u.Email, "username": u.Username, "first_name": u.FirstName, "last_name": u.LastName,
			"timezone": u.Timezone, "locale": u.Locale, "avatar": avatar, "version": u.Version})
	if err != nil {
		return fmt.Errorf("person %s: %w", u.ID, err)
	}
	return nil
}

// Listen registers the projection's two events. after runs when a person has changed, once the projection has.
func Listen(c *events.Consumer, after ...func(context.Context, events.User) error) {
	events.On(c, events.UserRegistered, func(ctx context.Context, tx pgx.Tx, e events.Received[events.User]) error {
		return Save(ctx, tx, e.Payload)
	})
	events.On(c, events.UserChanged, func(ctx context.Context, tx pgx.Tx, e events.Received[events.UserChange]) error {
		return Save(ctx, tx, e.Payload.User)
	}, func(ctx context.Context, u events.UserChange) error {
		for _, f := range after {
			if err := f(ctx, u.User); err != nil {
				return err
			}
		}
		return nil
	})
}
