package residence

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// memberFields are a Member, of members m and their person p.
const memberFields = `m.user_id AS id, coalesce(p.username, '') AS username, coalesce(p.email, '') AS email,
		coalesce(p.first_name, '') AS first_name, coalesce(p.last_name, '') AS last_name, p.avatar_upload_id, m.role, m.joined_at`

const memberColumns = `
	SELECT ` + memberFields + `
	FROM members m LEFT JOIN people p ON p.user_id = m.user_id`

const usersSQL = memberColumns + `
	WHERE m.residence_id = @residence::uuid
		AND (@after_at::timestamptz IS NULL OR (m.joined_at, m.user_id) > (@after_at::timestamptz, @after_id::uuid))
	ORDER BY m.joined_at, m.user_id
	LIMIT @rows::int`

// listMembers answers one row more than limit if there is one.
func listMembers(ctx context.Context, q pg.Querier, residence uuid.UUID, after *joined, limit int) ([]Member, error) {
	args := pgx.NamedArgs{"residence": residence, "rows": limit + 1, "after_at": nil, "after_id": nil}
	if after != nil {
		args["after_at"], args["after_id"] = after.At, after.ID
	}
	rows, err := pg.All[Member](ctx, q, usersSQL, args)
	if err != nil {
		return nil, fmt.Errorf("members of %s: %w", residence, err)
	}
	return rows, nil
}

// them is the role of the person that a change is about.
const them = `them AS (SELECT role FROM members WHERE residence_id = @residence::uuid AND user_id = @user::uuid)`

const judgedWithThem = judged + `, coalesce((SELECT role FROM them), '') AS theirs`

// membershipPayload are the members of an events.Membership that only the statement knows.
const membershipPayload = `jsonb_build_object(
	'affected_ids', (SELECT jsonb_agg(user_id) FROM members WHERE residence_id = @residence::uuid),
	'owner_id', (SELECT user_id FROM members WHERE residence_id = @residence::uuid AND role = 'owner'))`

func changeRole(
	ctx context.Context, q pg.Querier, actor identity.Actor, residence, user uuid.UUID, role string, now time.Time,
) (member Member, v memberVerdict, err error) {
	args := events.MembersChanged.Args(ctx,
		events.Membership{ResidenceID: residence, UserID: user, Change: "role", Role: role, ActorID: actor.UserID},
		pgx.NamedArgs{"residence": residence, "actor": actor.UserID, "user": user, "role": role, "now": now})
	v, err = underLock[memberVerdict](ctx, q, `
		WITH `+me+`, `+them+`,
		change AS (
			UPDATE members m SET role = @role FROM me, them
			WHERE m.residence_id = @residence::uuid AND m.user_id = @user::uuid
				AND me.role = 'owner' AND them.role NOT IN ('owner', @role)
			RETURNING m.role),
		code_ended AS (
			UPDATE share_codes c SET ended_at = @now::timestamptz FROM change
			WHERE c.residence_id = @residence::uuid AND c.ended_at IS NULL AND change.role = 'viewer'),
		event AS (`+events.ColumnsWith(membershipPayload)+` FROM change)
		SELECT EXISTS (SELECT FROM change) AS done, `+judgedWithThem, args,
		func(b *pgx.Batch) {
			var found bool
			b.Queue(memberColumns+` WHERE m.residence_id = @residence::uuid AND m.user_id = @user::uuid`, args).Query(pg.Row(&member, &found))
		})
	return member, v, err
}

func removeMember(ctx context.Context, q pg.Querier, actor identity.Actor, residence, user uuid.UUID, now time.Time) (memberVerdict, error) {
	change := "removed"
	if actor.UserID == user {
		change = "left"
	}
	return underLock[memberVerdict](ctx, q, `
		WITH `+me+`, `+them+`,
		change AS (
			DELETE FROM members m USING me, them
			WHERE m.residence_id = @residence::uuid AND m.user_id = @user::uuid
				AND (me.role = 'owner' OR @user::uuid = @actor::uuid) AND them.role <> 'owner'
			RETURNING m.user_id),
		code_ended AS (
			UPDATE share_codes c SET ended_at = @now::timestamptz FROM change
			WHERE c.residence_id = @residence::uuid AND c.ended_at IS NULL),
		event AS (`+events.ColumnsWith(membershipPayload)+` FROM change)
		SELECT EXISTS (SELECT FROM change) AS done, `+judgedWithThem,
		events.MembersChanged.Args(ctx,
			events.Membership{ResidenceID: residence, UserID: user, Change: change, ActorID: actor.UserID},
			pgx.NamedArgs{"residence": residence, "actor": actor.UserID, "user": user, "now": now}))
}

// transfer gives the residence away unless the new owner has as many as the limit already; without a limit nothing is counted.
func transfer(
	ctx context.Context, q pg.Querier, actor identity.Actor, residence, user uuid.UUID, version, limit *int, now time.Time,
) (home Residence, v transferVerdict, err error) {
	args := events.MembersChanged.Args(ctx,
		events.Membership{ResidenceID: residence, OwnerID: user, UserID: user, Change: "transferred", Role: access.Owner, ActorID: actor.UserID},
		pgx.NamedArgs{"residence": residence, "actor": actor.UserID, "user": user, "version": version, "most": limit, "now": now})
	// One CTE reads from the one before: the old owner steps down first, or the index of one owner would object.
	statement := `
		WITH ` + me + `, ` + them + `,
		allowed AS (
			SELECT r.id FROM residences r, me, them
			WHERE r.id = @residence::uuid AND me.role = 'owner' AND (@version::int IS NULL OR r.version = @version::int)),
		full_up AS (
			SELECT u.used FROM allowed, (SELECT ` + ownedBy("@user") + ` AS used) u WHERE u.used >= @most::int),
		change AS (
			UPDATE residences r SET version = r.version + 1, updated_at = @now::timestamptz FROM allowed
			WHERE r.id = allowed.id AND NOT EXISTS (SELECT FROM full_up)
			RETURNING r.id),
		stepped_down AS (
			UPDATE members m SET role = 'member' FROM change
			WHERE m.residence_id = change.id AND m.user_id = @actor::uuid
			RETURNING m.residence_id),
		raised AS (
			UPDATE members m SET role = 'owner' FROM stepped_down s
			WHERE m.residence_id = s.residence_id AND m.user_id = @user::uuid),
		event AS (` + events.ColumnsWith(`jsonb_build_object(
			'affected_ids', (SELECT jsonb_agg(user_id) FROM members WHERE residence_id = @residence::uuid))`) + ` FROM change)
		SELECT EXISTS (SELECT FROM change) AS done, ` + judgedWithThem + `, (SELECT used FROM full_up) AS "full"`
	b := &pgx.Batch{}
	if limit != nil { // first of all, as when one is added: nobody waits in a circle
		b.Queue(lockOwnerSQL("@user"), args)
	}
	v, err = under[transferVerdict](ctx, q, b, statement, args, thenRead(&home, args))
	return home, v, err
}
