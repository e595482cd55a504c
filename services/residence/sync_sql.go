package residence

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// A residence changes for the actor with its own row and with theirs among the members, which has their role and follows
// what is their primary home. A person's residences are few: they are put in order here.
const syncResidencesSQL = `
	SELECT ` + residenceFields + `, changed.xid AS sync_xid, r.id AS sync_scope, r.id AS sync_id
	FROM ` + delta.Scopes + ` CROSS JOIN ` + residenceTables + `
	CROSS JOIN LATERAL (SELECT greatest(r.sync_xid, m.sync_xid) AS xid) changed
	WHERE m.user_id = @actor::uuid AND m.residence_id = scope.id AND (changed.xid, r.id) > (scope.xid, scope.after)
	ORDER BY changed.xid, r.id LIMIT @rows::int`

const syncMembersSQL = `
	SELECT m.residence_id, ` + memberFields + `, m.sync_xid, m.residence_id AS sync_scope, m.user_id AS sync_id
	FROM (
		SELECT changed.* FROM ` + delta.Scopes + ` CROSS JOIN LATERAL (
			SELECT m.* FROM members m WHERE m.residence_id = scope.id AND (m.sync_xid, m.user_id) > (scope.xid, scope.after)
			ORDER BY m.sync_xid, m.user_id LIMIT @rows::int) changed
		ORDER BY changed.sync_xid, changed.residence_id, changed.user_id LIMIT @rows::int) m
	LEFT JOIN LATERAL (SELECT * FROM people p WHERE p.user_id = m.user_id LIMIT 1) p ON true
	ORDER BY m.sync_xid, m.residence_id, m.user_id`

func readChanges(ctx context.Context, q pg.Querier, actor identity.Actor, walk *delta.Walk) (syncRows, []delta.Tombstone, error) {
	residences := delta.Rows[syncedResidence]{Kind: "residences", SQL: syncResidencesSQL}
	members := delta.Rows[syncedMember]{Kind: "members", SQL: syncMembersSQL}
	buried, err := walk.Read(ctx, q, pgx.NamedArgs{"actor": actor.UserID}, &residences, &members)
	return syncRows{residences.Found, members.Found}, buried, err // says "changes"
}
