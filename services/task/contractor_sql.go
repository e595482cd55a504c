package task

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

const (
	plainContractorColumns = `c.id, c.residence_id, c.created_by_id, c.name, c.company, c.phone, c.email, c.website, c.address, c.notes,
	c.rating, c.specialty_ids, c.version, c.created_at, c.updated_at`
	favorite  = `EXISTS (SELECT FROM contractor_favorites v WHERE v.user_id = @actor::uuid AND v.contractor_id = c.id)`
	taskCount = `(SELECT count(*) FROM tasks t WHERE t.contractor_id = c.id AND t.residence_id = ANY(@mine::uuid[]))`

	// contractorColumns are a Contractor, of contractors c.
	contractorColumns = plainContractorColumns + `, ` + favorite + ` AS is_favorite, ` + taskCount + ` AS task_count`

	// seen is true of a contractor c that the actor sees.
	seen = `(c.residence_id = ANY(@mine::uuid[]) OR (c.residence_id IS NULL AND c.created_by_id = @actor::uuid))`

	contractorRef = `jsonb_build_object('id', c.id, 'created_by_id', c.created_by_id, 'residence_ids', to_jsonb(c.affected))`
)

// writtenContractor is the contractor after a write, or as it stands when the write did not apply.
type writtenContractor struct {
	Outcome string // added, there, taken; done, kept; refused
	Field   string // the one refused
	// Affected are the residences of which something has changed.
	Affected []uuid.UUID
	Contractor
}

const specialtiesWrong = `NOT w.specialty_ids <@ ARRAY(SELECT l.id FROM contractor_specialties l)`

const insertContractorSQL = `
WITH w AS (SELECT * FROM jsonb_populate_record(NULL::contractors, @row::jsonb)),
there AS (SELECT c.*, c.created_by_id = @actor::uuid AND ` + seen + ` AS ours FROM contractors c JOIN w ON w.id = c.id),
added AS (
	INSERT INTO contractors (id, residence_id, created_by_id, name, company, phone, email, website, address, notes, rating, specialty_ids, created_at, updated_at)
	SELECT id, residence_id, created_by_id, name, company, phone, email, website, address, notes, rating, specialty_ids, created_at, updated_at
	FROM w WHERE NOT ` + specialtiesWrong + `
	ON CONFLICT (id) DO NOTHING RETURNING *, array_remove(ARRAY[residence_id], NULL) AS affected),
event AS (`

var insertContractorAll = insertContractorSQL + events.ColumnsWith(contractorRef) + ` FROM added c)
SELECT 'added' AS outcome, '' AS field, c.affected, ` + plainContractorColumns + `, false AS is_favorite, 0::bigint AS task_count FROM added c
UNION ALL
SELECT CASE WHEN c.ours THEN 'there' ELSE 'taken' END, '', '{}', ` + contractorColumns + ` FROM there c
UNION ALL
SELECT 'refused', 'specialty_ids', '{}', ` + plainContractorColumns + `, false, 0 FROM w c
WHERE NOT EXISTS (SELECT FROM there) AND EXISTS (SELECT FROM w WHERE ` + specialtiesWrong + `)`

func insertContractor(ctx context.Context, q pg.Querier, actor identity.Actor, homes []access.Home, row map[string]any) (writtenContractor, bool, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return writtenContractor{}, false, fmt.Errorf("contractor: %w", err)
	}
	return pg.One[writtenContractor](ctx, q, insertContractorAll, contractorArgs(ctx, actor, homes, "created", pgx.NamedArgs{"row": string(raw)}))
}

func contractorArgs(ctx context.Context, actor identity.Actor, homes []access.Home, change string, args pgx.NamedArgs) pgx.NamedArgs {
	args["actor"], args["mine"] = actor.UserID, access.IDs(homes)
	return events.ContractorChanged.Args(ctx, events.Contractor{ActorID: actor.UserID, Change: change}, args)
}

const contractorSQL = `SELECT ` + contractorColumns + ` FROM contractors c WHERE c.id = @id::uuid AND ` + seen

func readContractor(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, homes []access.Home) (Contractor, bool, error) {
	return pg.One[Contractor](ctx, q, contractorSQL, pgx.NamedArgs{"id": id, "actor": actor.UserID, "mine": access.IDs(homes)})
}

// contractorTarget is the contractor that a write is about, if the actor sees it.
const contractorTarget = `
WITH target AS (
	SELECT c.*, (c.residence_id IS NULL OR c.residence_id = ANY(@writable::uuid[])) AND (@version::int IS NULL OR c.version = @version::int) AS applicable
	FROM contractors c WHERE c.id = @id::uuid AND ` + seen + `),`

// Only who added a contractor can make it personal: it would vanish before the eyes of anybody else.
var changeContractorSQL = contractorTarget + `
w AS (
	SELECT p.*, t.version AS read_version, t.residence_id AS was_in
	FROM contractors t CROSS JOIN LATERAL jsonb_populate_record(t, @row::jsonb) p JOIN target ON target.id = t.id WHERE target.applicable),
refused AS (
	SELECT v.field FROM w CROSS JOIN LATERAL (VALUES ('specialty_ids', ` + specialtiesWrong + `),
		('residence_id', w.residence_id IS NULL AND w.created_by_id <> @actor::uuid)) AS v(field, wrong) WHERE v.wrong LIMIT 1),
changed AS (
	UPDATE contractors c SET residence_id = w.residence_id, name = w.name, company = w.company, phone = w.phone, email = w.email,
		website = w.website, address = w.address, notes = w.notes, rating = w.rating, specialty_ids = w.specialty_ids,
		version = c.version + 1, updated_at = @now::timestamptz
	FROM w WHERE c.id = w.id AND c.version = w.read_version AND NOT EXISTS (SELECT FROM refused)
	RETURNING c.*, array_remove(ARRAY[w.residence_id, w.was_in], NULL) AS affected),
event AS (` + events.ColumnsWith(contractorRef) + ` FROM changed c)
SELECT 'done' AS outcome, '' AS field, c.affected, ` + contractorColumns + ` FROM changed c
UNION ALL
SELECT CASE WHEN r.field IS NULL THEN 'kept' ELSE 'refused' END, coalesce(r.field, ''), '{}', ` + contractorColumns + `
FROM target c LEFT JOIN refused r ON true WHERE NOT EXISTS (SELECT FROM changed)`

func changeContractor(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home, row map[string]any, now time.Time) (writtenContractor, bool, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return writtenContractor{}, false, fmt.Errorf("contractor: %w", err)
	}
	args := writeArgs(id, version, homes)
	args["row"], args["now"] = string(raw), now
	return pg.One[writtenContractor](ctx, q, changeContractorSQL, contractorArgs(ctx, actor, homes, "changed", args))
}

// The foreign keys would clear the references too, but nobody's version would tell.
var deleteContractorSQL = contractorTarget + `
removed AS (DELETE FROM contractors c USING target w WHERE w.applicable AND c.id = w.id AND c.version = w.version RETURNING c.*),
tasks_left AS (
	UPDATE tasks t SET contractor_id = NULL, version = t.version + 1, updated_at = @now::timestamptz
	FROM removed WHERE t.contractor_id = removed.id RETURNING t.residence_id),
completions_left AS (
	UPDATE completions t SET contractor_id = NULL, version = t.version + 1, updated_at = @now::timestamptz
	FROM removed WHERE t.contractor_id = removed.id RETURNING t.residence_id),
changed AS (
	SELECT removed.*, ARRAY(
		SELECT removed.residence_id WHERE removed.residence_id IS NOT NULL
		UNION SELECT residence_id FROM tasks_left UNION SELECT residence_id FROM completions_left) AS affected
	FROM removed),
event AS (` + events.ColumnsWith(contractorRef) + ` FROM changed c)
SELECT 'done' AS outcome, '' AS field, c.affected, ` + contractorColumns + ` FROM changed c
UNION ALL
SELECT 'kept', '', '{}', ` + contractorColumns + ` FROM target c WHERE NOT EXISTS (SELECT FROM changed)`

func deleteContractor(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home, now time.Time) (writtenContractor, bool, error) {
	args := writeArgs(id, version, homes)
	args["now"] = now
	return pg.One[writtenContractor](ctx, q, deleteContractorSQL, contractorArgs(ctx, actor, homes, "deleted", args))
}

// Whoever toggles twice at once ends where one of the two left it.
var toggleFavoriteSQL = `
WITH target AS (SELECT c.*, '{}'::uuid[] AS affected FROM contractors c WHERE c.id = @id::uuid AND ` + seen + `),
removed AS (DELETE FROM contractor_favorites v USING target WHERE v.user_id = @actor::uuid AND v.contractor_id = target.id RETURNING v.contractor_id),
added AS (
	INSERT INTO contractor_favorites (user_id, contractor_id)
	SELECT @actor::uuid, target.id FROM target WHERE NOT EXISTS (SELECT FROM removed) ON CONFLICT DO NOTHING),
event AS (` + events.ColumnsWith(contractorRef) + ` FROM target c)
SELECT ` + plainContractorColumns + `, NOT EXISTS (SELECT FROM removed) AS is_favorite, ` + taskCount + ` AS task_count FROM target c`

func toggleFavorite(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, homes []access.Home) (Contractor, bool, error) {
	return pg.One[Contractor](ctx, q, toggleFavoriteSQL, contractorArgs(ctx, actor, homes, "favorite", pgx.NamedArgs{"id": id}))
}

const contractorsSQL = `
SELECT ` + contractorColumns + `, lower(c.name) AS sort_name FROM contractors c
WHERE ` + seen + `
	AND (@residence::uuid IS NULL OR c.residence_id = @residence::uuid)
	AND (@specialty::uuid IS NULL OR @specialty::uuid = ANY(c.specialty_ids))
	AND (@text::text IS NULL OR c.name ILIKE @text::text OR c.company ILIKE @text::text)
	AND (NOT @favorites::boolean OR ` + favorite + `)
	AND (@after_name::text IS NULL OR (lower(c.name), c.id) > (@after_name::text, @after_id::uuid))
ORDER BY lower(c.name), c.id LIMIT @limit::int`

func readContractors(ctx context.Context, q pg.Querier, v ListView, f ContractorFilter, after *contractorPlace, limit int) ([]listedContractor, error) {
	args := pgx.NamedArgs{
		"actor": v.actor.UserID, "mine": access.IDs(v.homes), "residence": orNull(f.ResidenceID), "specialty": orNull(f.SpecialtyID),
		"favorites": f.Favorites, "text": nil, "after_name": nil, "after_id": nil, "limit": limit,
	}
	if f.Text != "" {
		args["text"] = contains(f.Text)
	}
	if after != nil {
		args["after_name"], args["after_id"] = after.Name, after.ID
	}
	return pg.All[listedContractor](ctx, q, contractorsSQL, args)
}

const tasksOfContractorSQL = `
SELECT ` + taskColumns + ` FROM tasks` + withAssignee + `
WHERE t.contractor_id = @id::uuid AND t.residence_id = ANY(@mine::uuid[])
	AND (@before_at::timestamptz IS NULL OR (t.created_at, t.id) < (@before_at::timestamptz, @before_id::uuid))
ORDER BY t.created_at DESC, t.id DESC LIMIT @limit::int`

// readTasksOfContractor also reports whether there is such a contractor; both in one round trip.
func readTasksOfContractor(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, mine []uuid.UUID, before *taskPlace, limit int) (rows []Task, found bool, err error) {
	args := pgx.NamedArgs{"id": id, "actor": actor.UserID, "mine": mine, "limit": limit, "before_at": nil, "before_id": nil}
	if before != nil {
		args["before_at"], args["before_id"] = before.At, before.ID
	}
	var batch pgx.Batch
	batch.Queue(`SELECT FROM contractors c WHERE c.id = @id::uuid AND `+seen, args).Query(pg.Found(&found))
	batch.Queue(tasksOfContractorSQL, args).Query(pg.Rows(&rows))
	err = pg.Send(ctx, q, &batch)
	return rows, found, err
}
