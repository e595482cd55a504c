package document

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
	"hearth.internal/pkg/room"
)

// equipmentColumns are an Equipment, of equipment e.
const equipmentColumns = `e.id, e.residence_id, e.created_by_id, e.name, e.category, e.manufacturer, e.model_number, e.serial_number, e.location,
	e.notes, e.purchase_date, e.purchase_price, e.install_date, e.expected_life_years, e.removed_date, e.upload_ids, e.version, e.created_at, e.updated_at`

// equipmentRef is equipment e as events tell of it.
const equipmentRef = `jsonb_build_object('id', e.id, 'residence_id', e.residence_id, 'name', e.name, 'version', e.version)`

// countedEquipmentRef is equipment e of which an owner has one more, or one less.
var countedEquipmentRef = equipmentRef + ` || jsonb_build_object('owner_id', ` + access.OwnerOf("e.residence_id") + `)`

// writtenEquipment is the equipment after a write, or as it stands when the write did not apply.
type writtenEquipment struct {
	Outcome string // added, there, taken; done, kept; refused
	Field   string // the one refused
	Equipment
}

// equipmentChecks find what a row w has that no equipment may have. Photos that it has already, had, need no look.
func equipmentChecks(had string) string {
	return `
	('removed_date', w.removed_date < w.install_date),
	('upload_ids', EXISTS (
		SELECT FROM unnest(w.upload_ids) AS named(id) WHERE named.id <> ALL (` + had + `) AND NOT EXISTS (
			SELECT FROM uploads u WHERE u.id = named.id AND u.content_type LIKE 'image/%' AND ` + seenUpload + `)))`
}

const newEquipmentColumns = `id, residence_id, created_by_id, name, category, manufacturer, model_number, serial_number, location, notes,
	purchase_date, purchase_price, install_date, expected_life_years, removed_date, upload_ids, created_at, updated_at`

var (
	insertEquipmentSQL        = insertEquipmentStart + insertEquipmentEnd
	limitedInsertEquipmentSQL = insertEquipmentStart + room.None(usedEquipment) + insertEquipmentEnd

	usedEquipment    = room.Used("equipment")
	usedEquipmentSQL = room.CountSQL(usedEquipment)

	insertEquipmentStart = `
WITH w AS (SELECT * FROM jsonb_populate_record(NULL::equipment, @row::jsonb)),
there AS (SELECT e.*, e.created_by_id = @actor::uuid AND e.residence_id = ANY(@mine::uuid[]) AS ours FROM equipment e JOIN w ON w.id = e.id),
refused AS (
	SELECT v.field FROM w CROSS JOIN LATERAL (VALUES ` + equipmentChecks(`'{}'::uuid[]`)

	insertEquipmentEnd = `) AS v(field, wrong)
	WHERE v.wrong LIMIT 1),
added AS (
	INSERT INTO equipment (` + newEquipmentColumns + `)
	SELECT ` + newEquipmentColumns + ` FROM w WHERE NOT EXISTS (SELECT FROM refused) AND NOT EXISTS (SELECT FROM there)
	ON CONFLICT (id) DO NOTHING RETURNING *),
event AS (` + events.ColumnsWith(countedEquipmentRef) + ` FROM added e)
SELECT 'added' AS outcome, '' AS field, ` + equipmentColumns + ` FROM added e
UNION ALL
SELECT CASE WHEN e.ours THEN 'there' ELSE 'taken' END, '', ` + equipmentColumns + ` FROM there e
UNION ALL
SELECT 'refused', r.field, ` + equipmentColumns + ` FROM w e JOIN refused r ON true WHERE NOT EXISTS (SELECT FROM there)`
)

func insertEquipment(ctx context.Context, q pg.Querier, actor identity.Actor, homes []access.Home, row map[string]any, r room.Room) (writtenEquipment, bool, []room.Usage, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return writtenEquipment{}, false, nil, fmt.Errorf("equipment: %w", err)
	}
	args := equipmentArgs(ctx, actor, homes, "created", pgx.NamedArgs{"row": string(raw)})
	if !r.Unlimited() {
		return room.One[writtenEquipment](ctx, q, r, limitedInsertEquipmentSQL, usedEquipmentSQL, args)
	}
	out, found, err := pg.One[writtenEquipment](ctx, q, insertEquipmentSQL, args)
	return out, found, nil, err
}

func equipmentArgs(ctx context.Context, actor identity.Actor, homes []access.Home, change string, args pgx.NamedArgs) pgx.NamedArgs {
	args["actor"], args["mine"], args["mine_owners"] = actor.UserID, access.IDs(homes), access.OwnerIDs(homes)
	return events.EquipmentChanged.Args(ctx, events.EquipmentRef{ActorID: actor.UserID, Change: change}, args)
}

const equipmentSQL = `SELECT ` + equipmentColumns + ` FROM equipment e WHERE e.id = @id::uuid AND e.residence_id = ANY(@mine::uuid[])`

func readEquipment(ctx context.Context, q pg.Querier, id uuid.UUID, mine []uuid.UUID) (Equipment, bool, error) {
	return pg.One[Equipment](ctx, q, equipmentSQL, pgx.NamedArgs{"id": id, "mine": mine})
}

// equipmentTarget is the equipment that a write is about, if the actor sees it.
const equipmentTarget = `
WITH target AS (
	SELECT e.*, e.residence_id = ANY(@writable::uuid[]) AND (@version::int IS NULL OR e.version = @version::int) AS applicable
	FROM equipment e WHERE e.id = @id::uuid AND e.residence_id = ANY(@mine::uuid[])),`

var changeEquipmentSQL = equipmentTarget + `
w AS (
	SELECT p.*, t.version AS read_version, t.residence_id AS is_in, t.upload_ids AS had
	FROM equipment t CROSS JOIN LATERAL jsonb_populate_record(t, @row::jsonb) p JOIN target ON target.id = t.id WHERE target.applicable),
refused AS (
	SELECT v.field FROM w CROSS JOIN LATERAL (VALUES ('residence_id', w.residence_id <> w.is_in),` + equipmentChecks(`w.had`) + `) AS v(field, wrong)
	WHERE v.wrong LIMIT 1),
changed AS (
	UPDATE equipment e SET name = w.name, category = w.category, manufacturer = w.manufacturer, model_number = w.model_number,
		serial_number = w.serial_number, location = w.location, notes = w.notes, purchase_date = w.purchase_date, purchase_price = w.purchase_price,
		install_date = w.install_date, expected_life_years = w.expected_life_years, removed_date = w.removed_date, upload_ids = w.upload_ids,
		version = e.version + 1, updated_at = @now::timestamptz
	FROM w WHERE e.id = w.id AND e.version = w.read_version AND NOT EXISTS (SELECT FROM refused)
	RETURNING e.*),
event AS (` + events.ColumnsWith(equipmentRef) + ` FROM changed e)
SELECT 'done' AS outcome, '' AS field, ` + equipmentColumns + ` FROM changed e
UNION ALL
SELECT CASE WHEN r.field IS NULL THEN 'kept' ELSE 'refused' END, coalesce(r.field, ''), ` + equipmentColumns + `
FROM target e LEFT JOIN refused r ON true WHERE NOT EXISTS (SELECT FROM changed)`

func changeEquipment(
	ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home, row map[string]any, now time.Time,
) (writtenEquipment, bool, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return writtenEquipment{}, false, fmt.Errorf("equipment: %w", err)
	}
	args := writeArgs(id, version, homes)
	args["row"], args["now"] = string(raw), now
	return pg.One[writtenEquipment](ctx, q, changeEquipmentSQL, equipmentArgs(ctx, actor, homes, "changed", args))
}

// The foreign key would clear the references of documents too, but nobody's version would tell.
var deleteEquipmentSQL = equipmentTarget + `
changed AS (DELETE FROM equipment e USING target w WHERE w.applicable AND e.id = w.id AND e.version = w.version RETURNING e.*),
let_go AS (
	UPDATE documents d SET equipment_id = NULL, version = d.version + 1, updated_at = @now::timestamptz
	FROM changed WHERE d.equipment_id = changed.id RETURNING d.*),
told AS (
	INSERT INTO outbox (id, name, payload, trace)
	SELECT gen_random_uuid(), @document_name, @document_payload::jsonb || ` + documentRef + `, @document_trace FROM let_go d),
event AS (` + events.ColumnsWith(countedEquipmentRef) + ` FROM changed e)
SELECT 'done' AS outcome, '' AS field, ` + equipmentColumns + ` FROM changed e
UNION ALL
SELECT 'kept', '', ` + equipmentColumns + ` FROM target e WHERE NOT EXISTS (SELECT FROM changed)`

func deleteEquipment(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home, now time.Time) (writtenEquipment, bool, error) {
	args := writeArgs(id, version, homes)
	args["now"] = now
	args = events.DocumentChanged.ArgsAs(ctx, "document", events.DocumentRef{ActorID: actor.UserID, Change: "changed"}, args)
	return pg.One[writtenEquipment](ctx, q, deleteEquipmentSQL, equipmentArgs(ctx, actor, homes, "deleted", args))
}

const (
	// inUse is true of equipment e that is in use on the person's day.
	inUse = `(e.removed_date IS NULL OR e.removed_date > @today::date)`

	// replaceBy is Equipment.ReplaceBy in SQL.
	replaceBy = `(coalesce(e.install_date, e.purchase_date) + make_interval(years => e.expected_life_years))::date`
)

// Each residence gives its first from the index, and the first of those are the page. By punctuation alone nothing is
// found, as among documents.
const equipmentListSQL = `
SELECT ` + equipmentColumns + `, lower(e.name) AS sort_name FROM unnest(@mine::uuid[]) AS home(id) CROSS JOIN LATERAL (
	SELECT e.* FROM equipment e
	WHERE e.residence_id = home.id AND (lower(e.name), e.id) > (coalesce(@after_name::text, ''), coalesce(@after_id::uuid, '00000000-0000-0000-0000-000000000000'))
		AND (@category::text IS NULL OR e.category = @category::text)
		AND (@in_use::boolean IS NULL OR ` + inUse + ` = @in_use::boolean)
		AND (@replace_before::date IS NULL OR (` + inUse + ` AND ` + replaceBy + ` <= @replace_before::date))
		AND (@text::text IS NULL
			OR strpos(parted(concat_ws(' ', e.name, e.manufacturer, e.model_number, e.serial_number, e.location)), nullif(btrim(parted(@text::text)), '')) > 0)
	ORDER BY lower(e.name), e.id LIMIT @limit::int) e
ORDER BY lower(e.name), e.id LIMIT @limit::int`

func readEquipmentList(ctx context.Context, q pg.Querier, v EquipmentView, f EquipmentFilter, after *equipmentPlace, limit int) ([]listedEquipment, error) {
	args := pgx.NamedArgs{
		"mine": access.IDs(v.homes), "today": v.today, "category": nil, "in_use": f.InUse, "replace_before": f.ReplaceBefore, "text": nil,
		"after_name": nil, "after_id": nil, "limit": limit,
	}
	if f.Category != "" {
		args["category"] = f.Category
	}
	if f.Text != "" {
		args["text"] = f.Text
	}
	if after != nil {
		args["after_name"], args["after_id"] = after.Name, after.ID
	}
	return pg.All[listedEquipment](ctx, q, equipmentListSQL, args)
}
