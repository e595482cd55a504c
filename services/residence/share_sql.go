package residence

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// inviter is who made a code; Role is empty when they do not belong to the residence.
type inviter struct {
	Role, ResidenceName, InviterName string
	RefusedSince                     *time.Time // they have had too many mailed since then: nothing was made
}

// replaceCode ends the active code and makes the new one, unless the actor may not, or may not have another one mailed.
// The person's row of what was mailed is locked by counting on (it begins again after a day), so that many at once count as
// many.
func replaceCode(
	ctx context.Context, q pg.Querier, actor identity.Actor, residence uuid.UUID, code ShareCode, c codes, mailed *events.Invitation, now time.Time,
) (inviter, error) {
	args := pgx.NamedArgs{
		"residence": residence, "actor": actor.UserID, "id": uuid.Must(uuid.NewV7()), "lookup": c.lookup(code.Code),
		"sealed": c.seal(residence, code.Code), "role": code.Role, "now": now, "expires_at": code.ExpiresAt,
		"mailed": mailed != nil, "over": now.Add(-invitationsTime), "max": maxInvitations,
	}
	if mailed == nil {
		mailed = &events.Invitation{}
	}
	// The new row reads from the CTE that ends the old one, or the index of one active code would object.
	return underLock[inviter](ctx, q, `
		WITH `+me+`,
		counted AS (
			INSERT INTO invitations_sent AS i (user_id, sent, since)
			SELECT @actor::uuid, 1, @now::timestamptz FROM me WHERE role <> 'viewer' AND @mailed::boolean
			ON CONFLICT (user_id) DO UPDATE SET
				sent = CASE WHEN i.since <= @over::timestamptz THEN 1 ELSE least(i.sent, @max::int) + 1 END,
				since = CASE WHEN i.since <= @over::timestamptz THEN excluded.since ELSE i.since END
			RETURNING sent, since),
		refused AS (SELECT since FROM counted WHERE sent > @max::int),
		allowed AS (SELECT FROM me WHERE role <> 'viewer' AND NOT EXISTS (SELECT FROM refused)),
		ended AS (
			UPDATE share_codes SET ended_at = @now::timestamptz
			WHERE residence_id = @residence::uuid AND ended_at IS NULL AND EXISTS (SELECT FROM allowed)
			RETURNING id),
		made AS (
			INSERT INTO share_codes (id, residence_id, lookup, sealed, role, created_by_id, created_at, expires_at)
			SELECT @id::uuid, @residence::uuid, @lookup::bytea, @sealed::bytea, @role, @actor::uuid, @now::timestamptz, @expires_at::timestamptz
			FROM allowed CROSS JOIN (SELECT count(*) FROM ended) AS after_them
			RETURNING id),
		told AS (
			SELECT coalesce((SELECT name FROM residences WHERE id = @residence::uuid), '') AS residence_name,
				coalesce((SELECT coalesce(nullif(trim(first_name || ' ' || last_name), ''), username)
					FROM people WHERE user_id = @actor::uuid), '') AS inviter_name,
				coalesce((SELECT locale FROM people WHERE user_id = @actor::uuid), 'en') AS locale),
		event AS (`+events.ColumnsWith(`to_jsonb(told)`)+` FROM told, made WHERE @mailed::boolean)
		SELECT coalesce((SELECT role FROM me), '') AS role, residence_name, inviter_name, (SELECT since FROM refused) AS refused_since
		FROM told`, events.Invited.Args(ctx, *mailed, args))
}

// activeCode is the actor's role, and what is kept of the code if one is active.
type activeCode struct {
	Role      string
	Sealed    []byte
	JoinsAs   string
	ExpiresAt *time.Time
}

func selectCode(ctx context.Context, q pg.Querier, actor identity.Actor, residence uuid.UUID, now time.Time) (activeCode, error) {
	row, _, err := pg.One[activeCode](ctx, q, `
		SELECT m.role, c.sealed, coalesce(c.role, '') AS joins_as, c.expires_at
		FROM members m
		LEFT JOIN share_codes c ON c.residence_id = m.residence_id AND c.ended_at IS NULL AND c.expires_at > @now::timestamptz
		WHERE m.residence_id = @residence::uuid AND m.user_id = @actor::uuid`,
		pgx.NamedArgs{"residence": residence, "actor": actor.UserID, "now": now})
	if err != nil {
		return row, fmt.Errorf("share code of %s: %w", residence, err)
	}
	return row, nil
}

type ending struct {
	Role string
	Done bool
}

func endCode(ctx context.Context, q pg.Querier, actor identity.Actor, residence uuid.UUID, now time.Time) (ending, error) {
	row, _, err := pg.One[ending](ctx, q, `
		WITH `+me+`,
		ended AS (
			UPDATE share_codes c SET ended_at = @now::timestamptz FROM me
			WHERE c.residence_id = @residence::uuid AND c.ended_at IS NULL AND me.role <> 'viewer'
			RETURNING c.expires_at)
		SELECT coalesce((SELECT role FROM me), '') AS role, EXISTS (SELECT FROM ended WHERE expires_at > @now::timestamptz) AS done`,
		pgx.NamedArgs{"residence": residence, "actor": actor.UserID, "now": now})
	if err != nil {
		return row, fmt.Errorf("end share code of %s: %w", residence, err)
	}
	return row, nil
}

// attempt is what became of a try to join. Failures and Since are as they were before it.
type attempt struct {
	Failures  int
	Since     time.Time
	Known     bool // the code is good
	Joined    bool
	MemberIDs []uuid.UUID // before it
}

// join tries a code in one round trip and one transaction: the person's row of tries is locked (and begins again after
// an hour), so that many tries at once count as many; then the residence of the code, so that two people with one code
// come one after the other; then the code is used, or the try counted; then the residence is read.
func join(ctx context.Context, q pg.Querier, actor identity.Actor, lookup []byte, now time.Time) (home Residence, try attempt, err error) {
	args := events.MembersChanged.Args(ctx, events.Membership{UserID: actor.UserID, Change: "joined", ActorID: actor.UserID}, pgx.NamedArgs{
		"actor": actor.UserID, "lookup": lookup, "now": now, "over": now.Add(-triesTime), "max": maxTries,
	})
	var found bool
	b := &pgx.Batch{}
	b.Queue(`
		INSERT INTO join_tries AS t (user_id, failures, since) VALUES (@actor::uuid, 0, @now::timestamptz)
		ON CONFLICT (user_id) DO UPDATE SET
			failures = CASE WHEN t.since <= @over::timestamptz THEN 0 ELSE t.failures END,
			since = CASE WHEN t.since <= @over::timestamptz OR t.failures = 0 THEN excluded.since ELSE t.since END`, args)
	b.Queue(`SELECT FROM residences WHERE id = (SELECT residence_id FROM share_codes WHERE lookup = @lookup::bytea AND ended_at IS NULL) FOR UPDATE`, args)
	b.Queue(`
		WITH tries AS (SELECT failures, since FROM join_tries WHERE user_id = @actor::uuid),
		code AS (
			SELECT c.id, c.residence_id, c.role FROM share_codes c, tries
			WHERE c.lookup = @lookup::bytea AND c.ended_at IS NULL AND c.expires_at > @now::timestamptz AND tries.failures < @max::int),
		joined AS (
			INSERT INTO members (residence_id, user_id, role, joined_at)
			SELECT residence_id, @actor::uuid, role, @now::timestamptz FROM code
			ON CONFLICT DO NOTHING
			RETURNING residence_id, role),
		used AS (
			UPDATE share_codes c SET ended_at = @now::timestamptz, used_by_id = @actor::uuid FROM code, joined WHERE c.id = code.id),
		missed AS (
			UPDATE join_tries SET failures = failures + 1
			WHERE user_id = @actor::uuid AND failures < @max::int AND NOT EXISTS (SELECT FROM code)),
		event AS (`+events.ColumnsWith(`jsonb_build_object('residence_id', joined.residence_id, 'role', joined.role,
			'owner_id', (SELECT user_id FROM members WHERE residence_id = joined.residence_id AND role = 'owner'),
			'affected_ids', (SELECT jsonb_agg(user_id) FROM members WHERE residence_id = joined.residence_id) || to_jsonb(@actor::uuid))`)+` FROM joined)
		SELECT tries.failures, tries.since, EXISTS (SELECT FROM code) AS known, EXISTS (SELECT FROM joined) AS joined,
			ARRAY(SELECT user_id FROM members WHERE residence_id = (SELECT residence_id FROM code)) AS member_ids
		FROM tries`, args).Query(pg.Row(&try, &found))
	b.Queue(residenceColumns+`
		WHERE m.user_id = @actor::uuid
			AND m.residence_id = (SELECT residence_id FROM share_codes WHERE lookup = @lookup::bytea AND used_by_id = @actor::uuid)`, args).
		Query(pg.Row(&home, &found))
	if err := pg.Send(ctx, q, b); err != nil {
		return Residence{}, attempt{}, fmt.Errorf("join by code: %w", err)
	}
	return home, try, nil
}
