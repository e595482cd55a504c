package task

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

const writeFeedSQL = `
INSERT INTO calendar_feeds (user_id, key_hash, mine_only, created_at) VALUES (@user::uuid, @hash::bytea, @mine_only::boolean, @now::timestamptz)
ON CONFLICT (user_id) DO UPDATE SET key_hash = excluded.key_hash, mine_only = excluded.mine_only, created_at = excluded.created_at`

func writeFeed(ctx context.Context, q pg.Querier, actor identity.Actor, hash []byte, f CalendarFeed) error {
	_, err := pg.Exec(ctx, q, writeFeedSQL, pgx.NamedArgs{"user": actor.UserID, "hash": hash, "mine_only": f.MineOnly, "now": f.CreatedAt})
	return err
}

const feedSQL = `SELECT mine_only, created_at, NULL::text AS key, NULL::text AS path FROM calendar_feeds WHERE user_id = @user::uuid`

func readFeed(ctx context.Context, q pg.Querier, user uuid.UUID) (CalendarFeed, bool, error) {
	return pg.One[CalendarFeed](ctx, q, feedSQL, pgx.NamedArgs{"user": user})
}

const feedByKeySQL = `SELECT user_id, mine_only FROM calendar_feeds WHERE key_hash = @hash::bytea`

func readFeedByKey(ctx context.Context, q pg.Querier, hash []byte) (feed, bool, error) {
	return pg.One[feed](ctx, q, feedByKeySQL, pgx.NamedArgs{"hash": hash})
}

func deleteFeed(ctx context.Context, q pg.Querier, user uuid.UUID) (bool, error) {
	n, err := pg.Exec(ctx, q, `DELETE FROM calendar_feeds WHERE user_id = @user::uuid`, pgx.NamedArgs{"user": user})
	return n > 0, err
}

// calendarSQL is every open task of the residences that has a date, with its log.
const calendarSQL = `
SELECT ` + taskColumns + `, ` + ruleColumns + `, ` + logColumns + `,
	NULL::uuid AS taken_by, NULL::timestamptz AS taken_at, NULL::int AS taken_version, NULL::uuid AS taken_equipment_id, NULL::uuid[] AS taken_uploads, true AS contractor_ok
FROM tasks` + withAssignee + theRule + theLog + `
WHERE t.residence_id = ANY(@mine::uuid[]) AND NOT t.is_archived AND NOT t.is_cancelled AND t.next_due_date IS NOT NULL
	AND (NOT @mine_only::boolean OR t.assigned_to_id IS NULL OR t.assigned_to_id = @user::uuid)
ORDER BY t.next_due_date, t.id LIMIT 2000`

func readCalendar(ctx context.Context, q pg.Querier, f feed, mine []uuid.UUID) ([]seriesRow, error) {
	return pg.All[seriesRow](ctx, q, calendarSQL, pgx.NamedArgs{"mine": mine, "user": f.UserID, "mine_only": f.MineOnly})
}
