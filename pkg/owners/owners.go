// Package owners is the projection of who owns which residence that several services keep in a table of this shape:
//
//	CREATE TABLE residence_owners (
//	    residence_id uuid PRIMARY KEY, owner_id uuid, as_of text COLLATE "C" NOT NULL);
//	CREATE INDEX residence_owners_owner ON residence_owners (owner_id) WHERE owner_id IS NOT NULL;
//
// Events may come in any order: a row is as of the latest one, and without an owner once the residence is gone. Residences
// of which nothing was told since the table is there are not in it.
package owners

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// NoteHome keeps what residence.created and residence.changed say of the owner.
func NoteHome(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	return note(ctx, tx, e.Payload.ID, e.Payload.OwnerID, e.AsOf())
}

// NoteMembership keeps what residence.members_changed says of the owner: a transfer makes another one.
func NoteMembership(ctx context.Context, tx pgx.Tx, e events.Received[events.Membership]) error {
	return note(ctx, tx, e.Payload.ResidenceID, e.Payload.OwnerID, e.AsOf())
}

// Forget leaves the mark that the residence is gone, for residence.deleted.
func Forget(ctx context.Context, tx pgx.Tx, e events.Received[events.Home]) error {
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO residence_owners (residence_id, as_of) VALUES (@residence, @as_of)
		ON CONFLICT (residence_id) DO UPDATE SET owner_id = NULL`,
		pgx.NamedArgs{"residence": e.Payload.ID, "as_of": e.AsOf()})
	if err != nil {
		return fmt.Errorf("forget the owner of residence %s: %w", e.Payload.ID, err)
	}
	return nil
}

func note(ctx context.Context, tx pgx.Tx, residence, owner uuid.UUID, asOf string) error {
	if owner == uuid.Nil { // an event of a version that did not tell
		return nil
	}
	_, err := pg.Exec(ctx, tx, `
		INSERT INTO residence_owners AS o (residence_id, owner_id, as_of) VALUES (@residence, @owner, @as_of)
		ON CONFLICT (residence_id) DO UPDATE SET owner_id = excluded.owner_id, as_of = excluded.as_of
		WHERE excluded.as_of > o.as_of AND o.owner_id IS NOT NULL`,
		pgx.NamedArgs{"residence": residence, "owner": owner, "as_of": asOf})
	if err != nil {
		return fmt.Errorf("owner of residence %s: %w", residence, err)
	}
	return nil
}
