package document

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/room"
)

const (
	// documentColumns are a Document, of documents d.
	documentColumns = `d.id, d.residence_id, d.created_by_id, d.title, d.description, d.document_type, d.upload_id, d.image_ids, d.is_active,
	d.contractor_id, d.task_id, d.equipment_id, d.item_name, d.model_number, d.serial_number, d.provider, d.provider_contact,
	d.claim_phone, d.claim_email, d.claim_website, d.purchase_date, d.start_date, d.end_date, d.price, d.version, d.created_at, d.updated_at`

	// newDocumentColumns are those of a new row; the others have defaults or are a trigger's.
	newDocumentColumns = `id, residence_id, created_by_id, title, description, document_type, upload_id, image_ids, is_active,
		contractor_id, task_id, equipment_id, item_name, model_number, serial_number, provider, provider_contact,
		claim_phone, claim_email, claim_website, purchase_date, start_date, end_date, price, created_at, updated_at`

	// documentRef are the members of an event that the row d knows.
	documentRef = `jsonb_build_object('id', d.id, 'residence_id', d.residence_id, 'document_type', d.document_type, 'title', d.title,
		'item_name', coalesce(d.item_name, ''), 'end_date', coalesce(to_char(d.end_date, 'YYYY-MM-DD'), ''), 'is_active', d.is_active, 'version', d.version)`
)

// countedIn says for which owner a document d is one more, or one less.
var countedIn = `jsonb_build_object('owner_id', ` + access.OwnerOf("d.residence_id") + `)`

// writtenDocument is the document after a write, or as it stands when the write did not apply.
type writtenDocument struct {
	Outcome             string   // added, there, taken; done, same, kept; refused
	Fields              []string // those refused
	PreviousResidenceID *uuid.UUID
	Document
}

// wrongInDocument finds what a row w may not name. What it names of the task service's and has named before may stay,
// whoever named it; the task service may have told us that it is gone after it has answered where it is.
const wrongInDocument = `
	('upload_id', w.upload_id IS NOT NULL AND NOT EXISTS (SELECT FROM uploads u WHERE u.id = w.upload_id AND ` + seenUpload + `)),
	('image_ids', EXISTS (SELECT FROM unnest(w.image_ids) AS i(id) WHERE NOT EXISTS (
		SELECT FROM uploads u WHERE u.id = i.id AND u.content_type LIKE 'image/%' AND ` + seenUpload + `))),
	('equipment_id', w.equipment_id IS NOT NULL AND NOT EXISTS (SELECT FROM equipment e WHERE e.id = w.equipment_id AND e.residence_id = w.residence_id)),
	('task_id', w.task_id IS NOT NULL AND (w.moved OR w.task_id IS DISTINCT FROM w.had_task)
		AND (w.residence_id IS DISTINCT FROM @task_home::uuid OR EXISTS (SELECT FROM gone_things g WHERE g.id = w.task_id))),
	('contractor_id', w.contractor_id IS NOT NULL AND (w.moved OR w.contractor_id IS DISTINCT FROM w.had_contractor)
		AND (NOT @personal::boolean AND w.residence_id IS DISTINCT FROM @contractor_home::uuid OR EXISTS (SELECT FROM gone_things g WHERE g.id = w.contractor_id))),
	('end_date', w.end_date < w.start_date OR w.end_date < w.purchase_date)`

func (w whereabouts) args() pgx.NamedArgs {
	return pgx.NamedArgs{"task_home": w.task, "contractor_home": w.contractor, "personal": w.personal}
}

var (
	usedDocuments    = room.Used("documents")
	usedDocumentsSQL = room.CountSQL(usedDocuments)

	insertDocumentSQL        = insertDocumentStart + insertDocumentEnd
	limitedInsertDocumentSQL = insertDocumentStart + room.None(usedDocuments) + insertDocumentEnd

	insertDocumentStart = `
WITH w AS (
	SELECT n.*, false AS moved, NULL::uuid AS had_task, NULL::uuid AS had_contractor FROM jsonb_populate_record(NULL::documents, @row::jsonb) n),
there AS (SELECT d.*, d.created_by_id = @actor::uuid AND d.residence_id = ANY(@mine::uuid[]) AS ours FROM documents d JOIN w ON w.id = d.id),
refused AS (
	SELECT array_agg(v.field) AS fields FROM w CROSS JOIN LATERAL (VALUES` + wrongInDocument

	insertDocumentEnd = `) AS v(field, wrong) WHERE v.wrong HAVING count(*) > 0),
added AS (
	INSERT INTO documents (` + newDocumentColumns + `)
	SELECT ` + newDocumentColumns + ` FROM w WHERE NOT EXISTS (SELECT FROM refused)
	ON CONFLICT (id) DO NOTHING RETURNING *),
event AS (` + events.ColumnsWith(documentRef+` || `+countedIn) + ` FROM added d)
SELECT 'added' AS outcome, '{}'::text[] AS fields, NULL::uuid AS previous_residence_id, ` + documentColumns + ` FROM added d
UNION ALL
SELECT CASE WHEN d.ours THEN 'there' ELSE 'taken' END, '{}', NULL, ` + documentColumns + ` FROM there d
UNION ALL
SELECT 'refused', r.fields, NULL, ` + documentColumns + ` FROM w d JOIN refused r ON true
WHERE NOT EXISTS (SELECT FROM there)`
)

// insertDocument also answers how many documents the owner has, when there is a limit.
func insertDocument(
	ctx context.Context, q pg.Querier, actor identity.Actor, homes []access.Home, row map[string]any, where whereabouts, r room.Room,
) (writtenDocument, bool, []room.Usage, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return writtenDocument{}, false, nil, fmt.Errorf("document: %w", err)
	}
	args := events.DocumentChanged.Args(ctx, events.DocumentRef{ActorID: actor.UserID, Change: "created"}, where.args())
	args["row"], args["actor"], args["mine"], args["mine_owners"] = string(raw), actor.UserID, access.IDs(homes), access.OwnerIDs(homes)
	if !r.Unlimited() {
		return room.One[writtenDocument](ctx, q, r, limitedInsertDocumentSQL, usedDocumentsSQL, args)
	}
	out, found, err := pg.One[writtenDocument](ctx, q, insertDocumentSQL, args)
	return out, found, nil, err
}

const documentSQL = `SELECT ` + documentColumns + ` FROM documents d WHERE d.id = @id::uuid AND d.residence_id = ANY(@mine::uuid[])`

func readDocument(ctx context.Context, q pg.Querier, id uuid.UUID, mine []uuid.UUID) (Document, bool, error) {
	return pg.One[Document](ctx, q, documentSQL, pgx.NamedArgs{"id": id, "mine": mine})
}

// documentTarget is the document that a write is about, if the actor sees it.
const documentTarget = `
WITH target AS (
	SELECT d.*, d.residence_id = ANY(@writable::uuid[]) AND (@version::int IS NULL OR d.version = @version::int) AS applicable
	FROM documents d WHERE d.id = @id::uuid AND d.residence_id = ANY(@mine::uuid[])),`

// documentChange is what is to become of a document.
type documentChange struct {
	id      uuid.UUID
	actor   identity.Actor
	version *int // that the client wants to change
	homes   []access.Home
	row     map[string]any
	more    []uuid.UUID // images to be appended
	less    *uuid.UUID  // an image to be taken away
	where   whereabouts
	room    room.Room // of the owner of the residence that it is to move to
	sparing bool      // write nothing when nothing changes
	at      string    // where the client named what may be wrong
	now     time.Time
}

// residence is where the document is to be.
func (c documentChange) residence(is uuid.UUID) uuid.UUID {
	if to, err := uuid.Parse(fmt.Sprint(c.row["residence_id"])); err == nil {
		return to
	}
	return is
}

// The row, and the images that it has with those that come or without the one that goes, make the document as wanted.
var (
	changeDocumentSQL        = changeDocumentStart + changeDocumentEnd
	limitedChangeDocumentSQL = changeDocumentStart + room.NoneForMoved(usedDocuments) + changeDocumentEnd

	changeDocumentStart = documentTarget + `
w AS (
	SELECT p.*, d.version AS read_version, d.residence_id AS was_in, p.residence_id <> d.residence_id AS moved, d.task_id AS had_task,
		d.contractor_id AS had_contractor, d.image_ids AS had_images, @sparing::boolean AND p IS NOT DISTINCT FROM d AS same
	FROM documents d JOIN target ON target.id = d.id CROSS JOIN LATERAL jsonb_populate_record(d, @row::jsonb
		|| CASE WHEN @touched::boolean THEN jsonb_build_object('image_ids', array_remove(d.image_ids, @less::uuid)
			|| ARRAY(SELECT m.id FROM unnest(@more::uuid[]) WITH ORDINALITY AS m(id, ord) WHERE m.id <> ALL (d.image_ids) ORDER BY m.ord))
			ELSE '{}' END) p
	WHERE target.applicable),
refused AS (
	SELECT array_agg(v.field) AS fields FROM w CROSS JOIN LATERAL (VALUES` + wrongInDocument + `,
		('none', @touched::boolean AND @less::uuid IS NULL AND cardinality(@more::uuid[]) = 0),
		('images', cardinality(w.image_ids) > 20),
		('image', @less::uuid IS NOT NULL AND @less::uuid <> ALL (w.had_images))`

	changeDocumentEnd = `) AS v(field, wrong) WHERE v.wrong HAVING count(*) > 0),
changed AS (
	UPDATE documents d SET residence_id = w.residence_id, title = w.title, description = w.description, document_type = w.document_type,
		upload_id = w.upload_id, image_ids = w.image_ids, is_active = w.is_active, contractor_id = w.contractor_id, task_id = w.task_id,
		equipment_id = w.equipment_id, item_name = w.item_name, model_number = w.model_number, serial_number = w.serial_number,
		provider = w.provider, provider_contact = w.provider_contact, claim_phone = w.claim_phone, claim_email = w.claim_email,
		claim_website = w.claim_website, purchase_date = w.purchase_date, start_date = w.start_date, end_date = w.end_date, price = w.price,
		version = d.version + 1, updated_at = @now::timestamptz
	FROM w WHERE d.id = w.id AND d.version = w.read_version AND NOT w.same AND NOT EXISTS (SELECT FROM refused)
	RETURNING d.*, CASE WHEN w.moved THEN w.was_in END AS previous_residence_id),
event AS (` + events.ColumnsWith(documentRef+` || CASE WHEN d.previous_residence_id IS NULL THEN '{}' ELSE `+countedIn+` || jsonb_build_object(
	'previous_residence_id', d.previous_residence_id, 'previous_owner_id', `+access.OwnerOf("d.previous_residence_id")+`) END`) + ` FROM changed d)
SELECT 'done' AS outcome, '{}'::text[] AS fields, d.previous_residence_id, ` + documentColumns + ` FROM changed d
UNION ALL
SELECT CASE WHEN r.fields IS NOT NULL THEN 'refused' WHEN w.same THEN 'same' ELSE 'kept' END, coalesce(r.fields, '{}'), NULL, ` + documentColumns + `
FROM target d LEFT JOIN w ON true LEFT JOIN refused r ON true WHERE NOT EXISTS (SELECT FROM changed)`
)

// changeDocument also answers how many documents the owner has, when there is a limit.
func changeDocument(ctx context.Context, q pg.Querier, c documentChange) (writtenDocument, bool, []room.Usage, error) {
	if c.row == nil {
		c.row = map[string]any{}
	}
	raw, err := json.Marshal(c.row)
	if err != nil {
		return writtenDocument{}, false, nil, fmt.Errorf("document: %w", err)
	}
	args := writeArgs(c.id, c.version, c.homes)
	maps.Copy(args, c.where.args())
	maps.Copy(args, pgx.NamedArgs{
		"actor": c.actor.UserID, "row": string(raw), "more": c.more, "less": c.less, "touched": c.more != nil || c.less != nil,
		"sparing": c.sparing, "now": c.now,
	})
	args = events.DocumentChanged.Args(ctx, events.DocumentRef{ActorID: c.actor.UserID, Change: "changed"}, args)
	if !c.room.Unlimited() {
		return room.One[writtenDocument](ctx, q, c.room, limitedChangeDocumentSQL, usedDocumentsSQL, args)
	}
	out, found, err := pg.One[writtenDocument](ctx, q, changeDocumentSQL, args)
	return out, found, nil, err
}

// The event of a deletion is newer than every other of the document.
var deleteDocumentSQL = documentTarget + `
changed AS (DELETE FROM documents d USING target w WHERE w.applicable AND d.id = w.id AND d.version = w.version RETURNING d.*),
event AS (` + events.ColumnsWith(documentRef+` || jsonb_build_object('version', d.version + 1) || `+countedIn) + ` FROM changed d)
SELECT 'done' AS outcome, '{}'::text[] AS fields, NULL::uuid AS previous_residence_id, ` + documentColumns + ` FROM changed d
UNION ALL
SELECT 'kept', '{}', NULL, ` + documentColumns + ` FROM target d WHERE NOT EXISTS (SELECT FROM changed)`

func deleteDocument(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int, homes []access.Home) (writtenDocument, bool, error) {
	args := events.DocumentChanged.Args(ctx, events.DocumentRef{ActorID: actor.UserID, Change: "deleted"}, writeArgs(id, version, homes))
	return pg.One[writtenDocument](ctx, q, deleteDocumentSQL, args)
}
