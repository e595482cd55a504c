package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// table is one that staff edit. All of them are small and have a version.
type table struct {
	name        string
	put, remove string // SQL
	event       events.Event[events.Terms]
}

// The tables that staff edit.
var (
	featureTable   = offerTable("features", "key", "name, description, icon, free, pro, display_order, is_active", "false")
	triggerTable   = offerTable("upgrade_triggers", "key", "title, message, button_text, is_active", "false")
	promotionTable = offerTable("promotions", "id",
		"key, title, message, button_text, link, coupon, tiers, platforms, starts_at, ends_at, share, priority, is_active", "false")
	productTable = offerTable("products", "source, product_id", "tier, period, is_active",
		"EXISTS (SELECT FROM purchases p WHERE p.source = was.source AND p.product_id = was.product_id)")

	planTable     = termsTable("plans", "tier", "properties, tasks, contractors, documents, equipment")
	settingsTable = termsTable("settings", "singleton", "limitations_enabled, grace_days, trial_days")
)

// offerTable is a table of what is offered. What of was is pinned cannot be removed.
func offerTable(name, keys, columns, pinned string) table {
	return table{name, putSQL(name, keys, columns), removeSQL(name, keys, pinned), events.OffersChanged}
}

// termsTable is a table whose rows are always there.
func termsTable(name, keys, columns string) table {
	return table{name, putSQL(name, keys, columns), "", events.TermsChanged}
}

// editTarget is the row as it is to be, and as it was.
func editTarget(name, keys string) string {
	return `
	WITH w AS (SELECT * FROM jsonb_populate_record(NULL::` + name + `, @row::jsonb)),
	was AS (SELECT t.* FROM ` + name + ` t JOIN w USING (` + keys + `)),`
}

// editRecord is what is written down with an edit: the audit and the event.
var editRecord = `
	audit AS (
		INSERT INTO staff_changes (id, at, staff_id, what, key, action, before, after)
		SELECT @change_id::uuid, @now::timestamptz, @staff::uuid, @what::text, @key::text, d.action, (SELECT to_jsonb(was) FROM was), d.after FROM done d),
	event AS (` + events.Columns + ` FROM done)`

// sameRow is true of the row t of which was is what the statement saw, unless somebody has changed it since.
func sameRow(keys string) string {
	of := func(alias string) string {
		return "(" + alias + "." + strings.ReplaceAll(keys, ", ", ", "+alias+".") + ")"
	}
	return of("t") + ` = ` + of("was") + ` AND t.version = was.version AND (@version::int IS NULL OR was.version = @version::int)`
}

func putSQL(name, keys, columns string) string {
	return editTarget(name, keys) + `
	added AS (
		INSERT INTO ` + name + ` (` + keys + `, ` + columns + `) SELECT ` + keys + `, ` + columns + ` FROM w
		WHERE @version::int IS NULL AND NOT EXISTS (SELECT FROM was)
		ON CONFLICT (` + keys + `) DO NOTHING RETURNING *),
	changed AS (
		UPDATE ` + name + ` t SET (` + columns + `, version) = (SELECT ` + columns + `, was.version + 1 FROM w)
		FROM was WHERE NOT @fresh::bool AND ` + sameRow(keys) + ` RETURNING t.*),
	done AS (
		SELECT 'added' AS action, version, to_jsonb(added) AS after FROM added
		UNION ALL SELECT 'changed', version, to_jsonb(changed) FROM changed),` + editRecord + `
	SELECT action AS outcome, version FROM done
	UNION ALL SELECT 'kept', version FROM was WHERE NOT EXISTS (SELECT FROM done)`
}

func removeSQL(name, keys, pinned string) string {
	return editTarget(name, keys) + `
	pinned AS (SELECT FROM was WHERE ` + pinned + `),
	removed AS (
		DELETE FROM ` + name + ` t USING was WHERE NOT EXISTS (SELECT FROM pinned) AND ` + sameRow(keys) + ` RETURNING t.*),
	done AS (SELECT 'removed' AS action, version, NULL::jsonb AS after FROM removed),` + editRecord + `
	SELECT action AS outcome, version FROM done
	UNION ALL SELECT CASE WHEN EXISTS (SELECT FROM pinned) THEN 'pinned' ELSE 'kept' END, version FROM was WHERE NOT EXISTS (SELECT FROM done)`
}

// edited is what came of an edit.
type edited struct {
	Outcome string // added, changed, removed; kept: it is at another version; pinned: something counts on it
	Version int    // that the row has, or had
}

// runEdit answers no row when there is none, or when somebody is adding it this very moment.
func runEdit(ctx context.Context, q pg.Querier, sql string, e edit, event events.Terms, now time.Time) (edited, bool, error) {
	row, err := json.Marshal(e.row)
	if err != nil {
		return edited{}, false, fmt.Errorf("row: %w", err)
	}
	args := pgx.NamedArgs{
		"row": string(row), "version": e.version, "fresh": e.fresh, "change_id": uuid.Must(uuid.NewV7()), "now": now,
		"staff": e.by.StaffID, "what": e.table.name, "key": e.key,
	}
	return pg.One[edited](ctx, q, sql, e.table.event.Args(ctx, event, args))
}
