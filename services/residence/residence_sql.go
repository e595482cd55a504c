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

// residenceFields are a Residence as the member m sees it, of residenceTables.
const residenceFields = `r.id, r.name, r.residence_type_id, p.user_id IS NOT NULL AS is_primary, m.role, o.user_id AS owner_id,
		(SELECT count(*) FROM members c WHERE c.residence_id = r.id) AS member_count,
		r.currency, r.timezone, r.street_address, r.apartment_unit, r.city, r.state_province, r.postal_code, r.country,
		r.bedrooms, r.bathrooms, r.square_footage, r.lot_size, r.year_built, r.description, r.purchase_date, r.purchase_price,
		r.version, r.created_at, r.updated_at, m.joined_at`

const residenceTables = `members m
	JOIN residences r ON r.id = m.residence_id
	JOIN members o ON o.residence_id = r.id AND o.role = 'owner'
	LEFT JOIN primary_homes p ON p.user_id = m.user_id AND p.residence_id = m.residence_id`

const residenceColumns = `
	SELECT ` + residenceFields + `
	FROM ` + residenceTables

const residenceSQL = residenceColumns + ` WHERE m.residence_id = @residence::uuid AND m.user_id = @actor::uuid`

// lockHomeSQL goes before every change of a residence or its members.
const lockHomeSQL = `SELECT FROM residences WHERE id = @residence::uuid FOR UPDATE`

// me is the actor's role; it is looked up by the statement that needs it, after the lock.
const me = `me AS (SELECT role FROM members WHERE residence_id = @residence::uuid AND user_id = @actor::uuid)`

// judged are a verdict's columns beside done.
const judged = `coalesce((SELECT role FROM me), '') AS role,
	ARRAY(SELECT user_id FROM members WHERE residence_id = @residence::uuid) AS member_ids`

// homePayload are the members of an events.Home that the CTE home and its residence tell.
const homePayload = `jsonb_build_object('name', home.name, 'timezone', home.timezone, 'currency', home.currency, 'version', home.version,
	'owner_id', (SELECT user_id FROM members WHERE residence_id = home.id AND role = 'owner'),
	'member_ids', (SELECT jsonb_agg(user_id) FROM members WHERE residence_id = home.id))`

func selectResidence(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID) (Residence, bool, error) {
	home, found, err := pg.One[Residence](ctx, q, residenceSQL, pgx.NamedArgs{"residence": id, "actor": actor.UserID})
	if err != nil {
		return home, false, fmt.Errorf("residence %s: %w", id, err)
	}
	return home, found, nil
}

// underLock runs, in one round trip and one transaction: the lock on @residence, then the statement, which so sees
// everything that was committed before it, then whatever more asks for. The statement answers exactly one row.
func underLock[T any](ctx context.Context, q pg.Querier, statement string, args pgx.NamedArgs, more ...func(*pgx.Batch)) (T, error) {
	return under[T](ctx, q, &pgx.Batch{}, statement, args, more...)
}

// under is underLock after what the batch does already, such as another lock.
func under[T any](ctx context.Context, q pg.Querier, b *pgx.Batch, statement string, args pgx.NamedArgs, more ...func(*pgx.Batch)) (T, error) {
	var row T
	var found bool
	b.Queue(lockHomeSQL, args)
	b.Queue(statement, args).Query(pg.Row(&row, &found))
	for _, queue := range more {
		queue(b)
	}
	if err := pg.Send(ctx, q, b); err != nil {
		return row, fmt.Errorf("change a residence: %w", err)
	}
	return row, nil
}

// thenRead answers the residence as the actor sees it after the change; it stays zero when they do not.
func thenRead(home *Residence, args pgx.NamedArgs) func(*pgx.Batch) {
	return func(b *pgx.Batch) {
		var found bool
		b.Queue(residenceSQL, args).Query(pg.Row(home, &found))
	}
}

// insertResidence adds the residence unless the id is there already, and answers what the actor sees under the id. Of two
// at once the second waits for the first; what it made is seen by the look that follows, not by the insert.
// With a limit nothing is made when the owner has so many already; used says how many they had.
func insertResidence(ctx context.Context, q pg.Querier, event events.Home, in Fields, limit *int, now time.Time) (home Residence, made bool, used int, err error) {
	row, err := in.row()
	if err != nil {
		return Residence{}, false, 0, err
	}
	args := events.ResidenceCreated.Args(ctx, event, pgx.NamedArgs{
		"residence": event.ID, "actor": event.OwnerID, "row": row, "is_primary": in.IsPrimary, "most": limit, "now": now,
	})
	var out struct {
		Made bool
		Used int
	}
	var found bool
	b := &pgx.Batch{}
	guard, counted := "", "0"
	if limit != nil {
		b.Queue(lockOwnerSQL("@actor"), args)
		guard, counted = `WHERE `+ownedBy("@actor")+` < @most::int`, ownedBy("@actor")
	}
	b.Queue(`
		WITH home AS (
			INSERT INTO residences (id, name, residence_type_id, currency, timezone, street_address, apartment_unit, city,
				state_province, postal_code, country, bedrooms, bathrooms, square_footage, lot_size, year_built, description,
				purchase_date, purchase_price, created_at, updated_at)
			SELECT @residence::uuid, n.name, n.residence_type_id, n.currency, n.timezone, n.street_address, n.apartment_unit, n.city,
				n.state_province, n.postal_code, n.country, n.bedrooms, n.bathrooms, n.square_footage, n.lot_size, n.year_built, n.description,
				n.purchase_date, n.purchase_price, @now::timestamptz, @now::timestamptz
			FROM jsonb_populate_record(NULL::residences, @row::jsonb) n `+guard+`
			ON CONFLICT (id) DO NOTHING
			RETURNING id),
		owner AS (
			INSERT INTO members (residence_id, user_id, role, joined_at)
			SELECT id, @actor::uuid, 'owner', @now::timestamptz FROM home),
		first AS (
			INSERT INTO primary_homes (user_id, residence_id) SELECT @actor::uuid, id FROM home WHERE @is_primary::bool
			ON CONFLICT (user_id) DO UPDATE SET residence_id = excluded.residence_id),
		event AS (`+events.Columns+` FROM home)
		SELECT EXISTS (SELECT FROM home) AS made, `+counted+` AS used`, args).Query(pg.Row(&out, &found))
	b.Queue(residenceSQL, args).Query(pg.Row(&home, &found))
	if err := pg.Send(ctx, q, b); err != nil {
		return Residence{}, false, 0, fmt.Errorf("add residence %s: %w", event.ID, err)
	}
	return home, out.Made, out.Used, nil
}

// lockOwnerSQL lets one at a time count what a person owns and add to it.
func lockOwnerSQL(person string) string {
	return `SELECT pg_advisory_xact_lock(hashtextextended(` + person + `::uuid::text, 1))`
}

// ownedBy is how many residences a person owns.
func ownedBy(person string) string {
	return `(SELECT count(*) FROM members m WHERE m.user_id = ` + person + `::uuid AND m.role = 'owner')`
}

// updateSQL changes the columns that are in @row, and with @is_primary the actor's own flag. A row of nothing leaves the
// residence and its version as they are: that is all that somebody who is not the owner may send.
func updateSQL() string {
	return `
	WITH ` + me + `,
	allowed AS (
		SELECT r.id FROM residences r, me
		WHERE r.id = @residence::uuid AND (me.role = 'owner' OR @row::jsonb = '{}') AND (@version::int IS NULL OR r.version = @version::int)),
	changed AS (
		UPDATE residences r SET (name, residence_type_id, currency, timezone, street_address, apartment_unit, city,
				state_province, postal_code, country, bedrooms, bathrooms, square_footage, lot_size, year_built, description,
				purchase_date, purchase_price) =
			(SELECT n.name, n.residence_type_id, n.currency, n.timezone, n.street_address, n.apartment_unit, n.city,
				n.state_province, n.postal_code, n.country, n.bedrooms, n.bathrooms, n.square_footage, n.lot_size, n.year_built, n.description,
				n.purchase_date, n.purchase_price FROM jsonb_populate_record(r, @row::jsonb) n),
			version = r.version + 1, updated_at = @now::timestamptz
		FROM allowed WHERE r.id = allowed.id AND @row::jsonb <> '{}'
		RETURNING r.id, r.name, r.timezone, r.currency, r.version),
	home AS (
		SELECT id, name, timezone, currency, version FROM changed
		UNION ALL
		SELECT r.id, r.name, r.timezone, r.currency, r.version FROM residences r JOIN allowed USING (id) WHERE @row::jsonb = '{}' AND @is_primary::bool IS NOT NULL),
	first AS (
		INSERT INTO primary_homes (user_id, residence_id) SELECT @actor::uuid, id FROM allowed WHERE @is_primary::bool
		ON CONFLICT (user_id) DO UPDATE SET residence_id = excluded.residence_id),
	not_first AS (
		DELETE FROM primary_homes p USING allowed
		WHERE p.user_id = @actor::uuid AND p.residence_id = allowed.id AND NOT @is_primary::bool),
	event AS (` + events.ColumnsWith(homePayload) + ` FROM home)
	SELECT EXISTS (SELECT FROM allowed) AS done, ` + judged
}

func updateResidence(
	ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, row string, primary *bool, version *int, now time.Time,
) (home Residence, v verdict, err error) {
	args := events.ResidenceChanged.Args(ctx, events.Home{ID: id, ActorID: actor.UserID}, pgx.NamedArgs{
		"residence": id, "actor": actor.UserID, "row": row, "is_primary": primary, "version": version, "now": now,
	})
	v, err = underLock[verdict](ctx, q, updateSQL(), args, thenRead(&home, args))
	return home, v, err
}

func deleteResidence(ctx context.Context, q pg.Querier, actor identity.Actor, id uuid.UUID, version *int) (verdict, error) {
	return underLock[verdict](ctx, q, `
		WITH `+me+`,
		home AS (
			DELETE FROM residences r USING me
			WHERE r.id = @residence::uuid AND me.role = 'owner' AND (@version::int IS NULL OR r.version = @version::int)
			RETURNING r.id, r.name, r.timezone, r.currency, r.version),
		event AS (`+events.ColumnsWith(homePayload)+` FROM home)
		SELECT EXISTS (SELECT FROM home) AS done, `+judged,
		events.ResidenceDeleted.Args(ctx, events.Home{ID: id, ActorID: actor.UserID}, pgx.NamedArgs{
			"residence": id, "actor": actor.UserID, "version": version,
		}))
}
