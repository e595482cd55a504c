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
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/room"
)

const (
	plainContractorColumns = `c.id, c.residence_id, c.created_by_id, c.name, c.company, c.phone, c.email, c.website, c.address, c.notes,
	c.rating, c.specialty_ids, c.upload_ids, c.version, c.created_at, c.updated_at`
	favorite  = `EXISTS (SELECT FROM contractor_favorites v WHERE v.user_id = @actor::uuid AND v.contractor_id = c.id)`
	taskCount = `(SELECT count(*) FROM tasks t WHERE t.contractor_id = c.id AND t.residence_id = ANY(@mine::uuid[]))`

	workColumns = `, work.average_rating, work.rating_count, work.completion_count, work.last_worked_at, work.total_paid`

	// contractorColumns are a Contractor, of contractors c and their work.
	contractorColumns = plainContractorColumns + workColumns + `, ` + favorite + ` AS is_favorite, ` + taskCount + ` AS task_count`

	// withWork joins what contractorColumns wants: what the contractor c has done in the residences that the actor sees.
	// Each residence has its currency.
	withWork = ` c CROSS JOIN LATERAL (
	SELECT coalesce(sum(g.done), 0)::int AS completion_count, coalesce(sum(g.rated), 0)::int AS rating_count,
		round(sum(g.stars)::numeric / nullif(sum(g.rated), 0), 1)::double precision AS average_rating, max(g.last_at) AS last_worked_at,
		coalesce(jsonb_agg(jsonb_build_object('currency', g.currency, 'hundredths', g.paid) ORDER BY g.currency)
			FILTER (WHERE g.paid IS NOT NULL), '[]') AS total_paid
	FROM (
		SELECT h.currency, count(*) AS done, count(d.rating) AS rated, sum(d.rating) AS stars, max(d.completed_at) AS last_at,
			sum(d.actual_cost)::bigint AS paid
		FROM completions d JOIN unnest(@mine::uuid[], @currencies::text[]) AS h(id, currency) ON h.id = d.residence_id
		WHERE d.contractor_id = c.id GROUP BY h.currency) g) work `

	// seen is true of a contractor c that the actor sees.
	seen = `(c.residence_id = ANY(@mine::uuid[]) OR (c.residence_id IS NULL AND c.created_by_id = @actor::uuid))`

	// contractorRef is a contractor c as events tell of it: a favourite in plainContractorRef, and one that is deleted with
	// the version that it would have had.
	contractorRef      = plainContractorRef + ` || jsonb_build_object('upload_ids', to_jsonb(c.upload_ids), 'version', c.version)`
	goneContractorRef  = plainContractorRef + ` || jsonb_build_object('version', c.version + 1)`
	plainContractorRef = `jsonb_build_object('id', c.id, 'created_by_id', c.created_by_id, 'residence_id', c.residence_id, 'residence_ids', to_jsonb(c.affected),
		'owner_ids', to_jsonb(c.owners))`
)

// ownerOfContractor is for whom a contractor counts that is where the expression says and was added by that person.
func ownerOfContractor(residence, creator string) string {
	return `coalesce(` + access.OwnerOf(residence) + `, ` + creator + `)`
}

// writtenContractor is the contractor after a write, or as it stands when the write did not apply.
type writtenContractor struct {
	Outcome string // added, there, taken; done, kept; refused
	Field   string // the one refused
	// Affected are the residences of which something has changed.
	Affected []uuid.UUID
	Owners   []uuid.UUID // those for whom it is one more or one less
	Contractor
}

// What is wrong with the lists of a row w. What it names already it may go on naming.
const (
	specialtiesWrong = `NOT w.specialty_ids <@ ARRAY(SELECT l.id FROM contractor_specialties l)`
	uploadsWrong     = `EXISTS (SELECT FROM unnest(w.upload_ids) AS u(id) WHERE u.id = ANY(@denied::uuid[]) AND u.id <> ALL(w.had_uploads))`
)

const insertContractorStart = `
WITH w AS (SELECT n.*, '{}'::uuid[] AS had_uploads FROM jsonb_populate_record(NULL::contractors, @row::jsonb) n),
there AS (SELECT c.*, c.created_by_id = @actor::uuid AND ` + seen + ` AS ours FROM contractors c JOIN w ON w.id = c.id),
refused AS (
	SELECT v.field FROM w CROSS JOIN LATERAL (VALUES ('specialty_ids', ` + specialtiesWrong + `), ('upload_ids', ` + uploadsWrong + `)`

var (
	insertContractorSQL        = insertContractorStart + insertContractorEnd
	limitedInsertContractorSQL = insertContractorStart + noRoomForContractor + insertContractorEnd

	insertContractorEnd = `) AS v(field, wrong)
	WHERE v.wrong LIMIT 1),
added AS (
	INSERT INTO contractors (id, residence_id, created_by_id, name, company, phone, email, website, address, notes, rating, specialty_ids, upload_ids, created_at, updated_at)
	SELECT id, residence_id, created_by_id, name, company, phone, email, website, address, notes, rating, specialty_ids, upload_ids, created_at, updated_at
	FROM w WHERE NOT EXISTS (SELECT FROM refused)
	ON CONFLICT (id) DO NOTHING RETURNING *, array_remove(ARRAY[residence_id], NULL) AS affected,
		ARRAY[` + ownerOfContractor("contractors.residence_id", "created_by_id") + `] AS owners),
event AS (` + events.ColumnsWith(contractorRef) + ` FROM added c)
SELECT 'added' AS outcome, '' AS field, c.affected, c.owners, ` + contractorColumns + ` FROM added` + withWork + `
UNION ALL
SELECT CASE WHEN c.ours THEN 'there' ELSE 'taken' END, '', '{}', '{}', ` + contractorColumns + ` FROM there` + withWork + `
UNION ALL
SELECT 'refused', r.field, '{}', '{}', ` + contractorColumns + ` FROM w` + withWork + `JOIN refused r ON true
WHERE NOT EXISTS (SELECT FROM there)`
)

func insertContractor(ctx context.Context, q pg.Querier, actor identity.Actor, homes []access.Home, row map[string]any, denied []uuid.UUID, r room.Room) (writtenContractor, bool, []room.Usage, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return writtenContractor{}, false, nil, fmt.Errorf("contractor: %w", err)
	}
	args := contractorArgs(ctx, actor, homes, "created", pgx.NamedArgs{"row": string(raw), "denied": denied})
	if !r.Unlimited() {
		return room.One[writtenContractor](ctx, q, r, limitedInsertContractorSQL, usedContractorsSQL, args)
	}
	out, found, err := pg.One[writtenContractor](ctx, q, insertContractorSQL, args)
	return out, found, nil, err
}

func contractorArgs(ctx context.Context, actor identity.Actor, homes []access.Home, change string, args pgx.NamedArgs) pgx.NamedArgs {
	args["actor"], args["currencies"] = actor.UserID, currencies(homes)
	args["mine"], args["mine_owners"] = access.IDs(homes), access.OwnerIDs(homes)
	return events.ContractorChanged.Args(ctx, events.Contractor{ActorID: actor.UserID, Change: change}, args)
}

// currencies are those of the residences, in their order.
func currencies(homes []access.Home) []string {
	out := make([]string, len(homes))
	for i, home := range homes {
		out[i] = home.Currency
	}
	return out
}

// Scan reads total_paid.
func (p *Paid) Scan(src any) error {
	var raw []byte
	switch v := src.(type) {
	case string:
		raw = []byte(v)
	case []byte:
		raw = v
	}
	var sums []struct {
		Currency   string
		Hundredths int64
	}
	if err := json.Unmarshal(raw, &sums); err != nil {
		return fmt.Errorf("total paid: %w", err)
	}
	*p = make(Paid, len(sums))
	for i, sum := range sums {
		(*p)[i] = PaidIn{sum.Currency, money.Total(sum.Hundredths)}
	}
	return nil
}

const contractorSQL = `SELECT ` + contractorColumns + ` FROM contractors` + withWork + `WHERE c.id = @id::uuid AND ` + seen

func readContractor(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, homes []access.Home) (Contractor, bool, error) {
	return pg.One[Contractor](ctx, q, contractorSQL, pgx.NamedArgs{
		"id": id, "actor": actor.UserID, "mine": access.IDs(homes), "currencies": currencies(homes),
	})
}

// contractorTarget is the contractor that a write is about, if the actor sees it.
const contractorTarget = `
WITH target AS (
	SELECT c.*, (c.residence_id IS NULL OR c.residence_id = ANY(@writable::uuid[])) AND (@version::int IS NULL OR c.version = @version::int) AS applicable
	FROM contractors c WHERE c.id = @id::uuid AND ` + seen + `),`

// letGo are the events of the tasks t in let_go, which no longer name a contractor.
const letGo = `
	INSERT INTO outbox (id, name, payload, trace)
	SELECT gen_random_uuid(), @task_name, @task_payload::jsonb || ` + refMembers + `, @task_trace FROM let_go t`

// Only who added a contractor can make it personal: it would vanish before the eyes of anybody else. When it moves, what
// is still to do in other residences lets go of it; what is done goes on naming it. Whose log shows its name is affected
// by a new one too.
var changeContractorStart = contractorTarget + `
w AS (
	SELECT p.*, t.upload_ids AS had_uploads, t.version AS read_version, t.residence_id AS was_in, p.residence_id IS DISTINCT FROM t.residence_id AS moved, p.name <> t.name AS renamed
	FROM contractors t CROSS JOIN LATERAL jsonb_populate_record(t, @row::jsonb) p JOIN target ON target.id = t.id WHERE target.applicable),
refused AS (
	SELECT v.field FROM w CROSS JOIN LATERAL (VALUES ('specialty_ids', ` + specialtiesWrong + `), ('upload_ids', ` + uploadsWrong + `),
		('residence_id', w.moved AND w.residence_id IS NULL AND w.created_by_id <> @actor::uuid)`

var (
	changeContractorSQL        = changeContractorStart + changeContractorEnd
	limitedChangeContractorSQL = changeContractorStart + noRoomForMovedContractor + changeContractorEnd

	changeContractorEnd = `) AS v(field, wrong) WHERE v.wrong LIMIT 1),
written AS (
	UPDATE contractors c SET residence_id = w.residence_id, name = w.name, company = w.company, phone = w.phone, email = w.email,
		website = w.website, address = w.address, notes = w.notes, rating = w.rating, specialty_ids = w.specialty_ids,
		upload_ids = w.upload_ids, version = c.version + 1, updated_at = @now::timestamptz
	FROM w WHERE c.id = w.id AND c.version = w.read_version AND NOT EXISTS (SELECT FROM refused)
	RETURNING c.*, w.was_in, w.moved, w.renamed),
let_go AS (
	UPDATE tasks t SET contractor_id = NULL, version = t.version + 1, updated_at = @now::timestamptz
	FROM written c WHERE c.moved AND t.contractor_id = c.id AND t.residence_id IS DISTINCT FROM c.residence_id AND NOT ` + done + `
	RETURNING t.*),
told AS (` + letGo + `),
changed AS (
	SELECT c.*, ARRAY(
		SELECT v.id FROM unnest(ARRAY[c.residence_id, c.was_in]) AS v(id) WHERE v.id IS NOT NULL
		UNION SELECT l.residence_id FROM let_go l
		UNION SELECT d.residence_id FROM completions d WHERE d.contractor_id = c.id AND (c.moved OR c.renamed)) AS affected,
		CASE WHEN c.moved THEN ARRAY[` + ownerOfContractor("c.residence_id", "c.created_by_id") + `, ` + ownerOfContractor("c.was_in", "c.created_by_id") + `]
			ELSE '{}' END AS owners
	FROM written c),
event AS (` + events.ColumnsWith(contractorRef) + ` FROM changed c)
SELECT 'done' AS outcome, '' AS field, c.affected, c.owners, ` + plainContractorColumns + workColumns + `, ` + favorite + ` AS is_favorite,
	` + taskCount + ` - (SELECT count(*) FROM let_go l WHERE l.residence_id = ANY(@mine::uuid[])) AS task_count
FROM changed` + withWork + `
UNION ALL
SELECT CASE WHEN r.field IS NULL THEN 'kept' ELSE 'refused' END, coalesce(r.field, ''), '{}', '{}', ` + contractorColumns + `
FROM target` + withWork + `LEFT JOIN refused r ON true WHERE NOT EXISTS (SELECT FROM changed)`
)

func changeContractor(
	ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home, row map[string]any, denied []uuid.UUID, r room.Room, now time.Time,
) (writtenContractor, bool, []room.Usage, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return writtenContractor{}, false, nil, fmt.Errorf("contractor: %w", err)
	}
	args := writeArgs(id, version, homes)
	args["row"], args["denied"], args["now"] = string(raw), denied, now
	args = events.TaskChanged.ArgsAs(ctx, "task", events.TaskRef{ActorID: actor.UserID}, args)
	args = contractorArgs(ctx, actor, homes, "changed", args)
	if !r.Unlimited() {
		return room.One[writtenContractor](ctx, q, r, limitedChangeContractorSQL, usedContractorsSQL, args)
	}
	out, found, err := pg.One[writtenContractor](ctx, q, changeContractorSQL, args)
	return out, found, nil, err
}

// The foreign keys would clear the references too, but nobody's version would tell, and who did the work would be
// forgotten.
var deleteContractorSQL = contractorTarget + `
removed AS (DELETE FROM contractors c USING target w WHERE w.applicable AND c.id = w.id AND c.version = w.version RETURNING c.*),
let_go AS (
	UPDATE tasks t SET contractor_id = NULL, version = t.version + 1, updated_at = @now::timestamptz
	FROM removed WHERE t.contractor_id = removed.id RETURNING t.*),
told AS (` + letGo + `),
completions_left AS (
	UPDATE completions t SET contractor_id = NULL, contractor_name = removed.name, version = t.version + 1, updated_at = @now::timestamptz
	FROM removed WHERE t.contractor_id = removed.id RETURNING t.residence_id),
changed AS (
	SELECT removed.*, ARRAY(
		SELECT removed.residence_id WHERE removed.residence_id IS NOT NULL
		UNION SELECT residence_id FROM let_go UNION SELECT residence_id FROM completions_left) AS affected,
		ARRAY[` + ownerOfContractor("removed.residence_id", "removed.created_by_id") + `] AS owners
	FROM removed),
event AS (` + events.ColumnsWith(goneContractorRef) + ` FROM changed c)
SELECT 'done' AS outcome, '' AS field, c.affected, c.owners, ` + contractorColumns + ` FROM changed` + withWork + `
UNION ALL
SELECT 'kept', '', '{}', '{}', ` + contractorColumns + ` FROM target` + withWork + `WHERE NOT EXISTS (SELECT FROM changed)`

func deleteContractor(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home, now time.Time) (writtenContractor, bool, error) {
	args := writeArgs(id, version, homes)
	args["now"] = now
	args = events.TaskChanged.ArgsAs(ctx, "task", events.TaskRef{ActorID: actor.UserID}, args)
	return pg.One[writtenContractor](ctx, q, deleteContractorSQL, contractorArgs(ctx, actor, homes, "deleted", args))
}

// lockFavoriteSQL lets one toggle of a person's at a time through: two that both found none would both add it.
const lockFavoriteSQL = `SELECT pg_advisory_xact_lock(hashtextextended(@actor::uuid::text || @id::uuid::text, 2))`

// The contractor is locked before the favourite is touched, as who deletes one does, and marked as changed without a new
// version: the sync sends it again.
var toggleFavoriteSQL = `
WITH target AS (SELECT c.*, '{}'::uuid[] AS affected, '{}'::uuid[] AS owners FROM contractors c WHERE c.id = @id::uuid AND ` + seen + ` FOR NO KEY UPDATE),
touched AS (UPDATE contractors c SET sync_xid = c.sync_xid FROM target WHERE c.id = target.id),
removed AS (DELETE FROM contractor_favorites v USING target WHERE v.user_id = @actor::uuid AND v.contractor_id = target.id RETURNING v.contractor_id),
added AS (
	INSERT INTO contractor_favorites (user_id, contractor_id)
	SELECT @actor::uuid, target.id FROM target WHERE NOT EXISTS (SELECT FROM removed) ON CONFLICT DO NOTHING RETURNING contractor_id),
event AS (` + events.ColumnsWith(plainContractorRef) + ` FROM target c)
SELECT ` + plainContractorColumns + workColumns + `, EXISTS (SELECT FROM added) AS is_favorite, ` + taskCount + ` AS task_count FROM target` + withWork

func toggleFavorite(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, homes []access.Home) (out Contractor, found bool, err error) {
	args := contractorArgs(ctx, actor, homes, "favorite", pgx.NamedArgs{"id": id})
	var batch pgx.Batch
	batch.Queue(lockFavoriteSQL, args)
	batch.Queue(toggleFavoriteSQL, args).Query(pg.Row(&out, &found))
	err = pg.Send(ctx, q, &batch)
	return out, found, err
}

// The page is cut before the work of those on it is looked at.
const contractorsSQL = `
SELECT ` + contractorColumns + `, lower(c.name) AS sort_name FROM (
	SELECT c.* FROM contractors c
	WHERE ` + seen + `
		AND (@residence::uuid IS NULL OR c.residence_id = @residence::uuid)
		AND (@specialty::uuid IS NULL OR @specialty::uuid = ANY(c.specialty_ids))
		AND (@text::text IS NULL OR c.name ILIKE @text::text OR c.company ILIKE @text::text)
		AND (NOT @favorites::boolean OR ` + favorite + `)
		AND (@after_name::text IS NULL OR (lower(c.name), c.id) > (@after_name::text, @after_id::uuid))
	ORDER BY lower(c.name), c.id LIMIT @limit::int)` + withWork + `
ORDER BY lower(c.name), c.id`

func readContractors(ctx context.Context, q pg.Querier, v ListView, f ContractorFilter, after *contractorPlace, limit int) ([]listedContractor, error) {
	args := pgx.NamedArgs{
		"actor": v.actor.UserID, "mine": access.IDs(v.homes), "currencies": currencies(v.homes), "residence": orNull(f.ResidenceID), "specialty": orNull(f.SpecialtyID),
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
	batch.Queue(contractorThereSQL, args).Query(pg.Found(&found))
	batch.Queue(tasksOfContractorSQL, args).Query(pg.Rows(&rows))
	err = pg.Send(ctx, q, &batch)
	return rows, found, err
}
