package residence

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

const listSQL = residenceColumns + `
	WHERE m.user_id = @actor::uuid
		AND (@after_at::timestamptz IS NULL OR (m.joined_at, m.residence_id) > (@after_at::timestamptz, @after_id::uuid))
	ORDER BY m.joined_at, m.residence_id
	LIMIT @rows::int`

// listResidences answers one row more than limit if there is one.
func listResidences(ctx context.Context, q pg.Querier, actor identity.Actor, after *joined, limit int) ([]Residence, error) {
	args := pgx.NamedArgs{"actor": actor.UserID, "rows": limit + 1, "after_at": nil, "after_id": nil}
	if after != nil {
		args["after_at"], args["after_id"] = after.At, after.ID
	}
	rows, err := pg.All[Residence](ctx, q, listSQL, args)
	if err != nil {
		return nil, fmt.Errorf("list residences: %w", err)
	}
	return rows, nil
}

const summarySQL = `
	SELECT count(DISTINCT m.residence_id) AS residences, count(DISTINCT c.user_id) AS members
	FROM members m JOIN members c ON c.residence_id = m.residence_id
	WHERE m.user_id = @actor::uuid`

func selectSummary(ctx context.Context, q pg.Querier, actor identity.Actor) (Summary, error) {
	row, _, err := pg.One[struct{ Residences, Members int }](ctx, q, summarySQL, pgx.NamedArgs{"actor": actor.UserID})
	if err != nil {
		return Summary{}, fmt.Errorf("summary: %w", err)
	}
	return Summary{Residences: row.Residences, Members: row.Members}, nil
}

const placeSQL = `
	SELECT id, name, street_address, apartment_unit, city, state_province, postal_code, country
	FROM residences WHERE id = @residence::uuid`

func selectPlace(ctx context.Context, q pg.Querier, residence uuid.UUID) (internalapi.Place, bool, error) {
	place, found, err := pg.One[internalapi.Place](ctx, q, placeSQL, pgx.NamedArgs{"residence": residence})
	if err != nil {
		return place, false, fmt.Errorf("name and address of %s: %w", residence, err)
	}
	return place, found, nil
}

const homesSQL = `
	SELECT r.id, o.user_id AS owner_id, m.role, r.timezone, r.currency
	FROM members m
	JOIN residences r ON r.id = m.residence_id
	JOIN members o ON o.residence_id = r.id AND o.role = 'owner'
	WHERE m.user_id = @user::uuid`

// selectHomes answers what a person sees: the source of everybody's access cache.
func selectHomes(ctx context.Context, q pg.Querier, user uuid.UUID) ([]access.Home, error) {
	homes, err := pg.All[access.Home](ctx, q, homesSQL, pgx.NamedArgs{"user": user})
	if err != nil {
		return nil, fmt.Errorf("residences of %s: %w", user, err)
	}
	return homes, nil
}

func selectMemberIDs(ctx context.Context, q pg.Querier, residence uuid.UUID) ([]uuid.UUID, error) {
	ids, _, err := pg.Scalar[[]uuid.UUID](ctx, q, `
		SELECT ARRAY(SELECT user_id FROM members WHERE residence_id = @residence::uuid ORDER BY joined_at, user_id)`,
		pgx.NamedArgs{"residence": residence})
	if err != nil {
		return nil, fmt.Errorf("members of %s: %w", residence, err)
	}
	return ids, nil
}

func selectTypes(ctx context.Context, q pg.Querier) ([]internalapi.Lookup, error) {
	types, err := pg.All[internalapi.Lookup](ctx, q, `
		SELECT id, name, icon, color, display_order FROM residence_types ORDER BY display_order, name`, nil)
	if err != nil {
		return nil, fmt.Errorf("types of residences: %w", err)
	}
	return types, nil
}
