package task

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
)

// withTask joins the task t of a completion c; with LIMIT 1, for the reason of personName.
const withTask = ` c CROSS JOIN LATERAL (SELECT t.title, t.category_id FROM tasks t WHERE t.id = c.task_id LIMIT 1) t `

// A page of a log: the page is cut, by an index that has its order, before anything is joined for show. The first part is
// followed by which completions c of tasks t there are.
const (
	historyRows = `
SELECT ` + completionColumns + `, c.residence_id, c.task_title, c.category_id FROM (
	SELECT c.*, t.title AS task_title, t.category_id FROM completions` + withTask + `WHERE ` + beforeCursor + ` AND `
	historyOrder = `
	ORDER BY c.completed_at DESC, c.id DESC LIMIT @limit::int)` + withDoer + `
ORDER BY c.completed_at DESC, c.id DESC`

	taskHistorySQL       = historyRows + `c.task_id = @task::uuid AND c.residence_id = ANY(@mine::uuid[])` + historyOrder
	contractorHistorySQL = historyRows + `c.contractor_id = @id::uuid AND c.residence_id = ANY(@mine::uuid[])` + historyOrder
	residenceHistorySQL  = historyRows + `c.residence_id = @residence::uuid
		AND c.completed_at >= @start::timestamptz AND c.completed_at < @end::timestamptz
		AND (@category::uuid IS NULL OR t.category_id = @category::uuid)
		AND (@contractor::uuid IS NULL OR c.contractor_id = @contractor::uuid)` + historyOrder
)

const (
	taskThereSQL       = `SELECT FROM tasks t WHERE t.id = @task::uuid AND t.residence_id = ANY(@mine::uuid[])`
	contractorThereSQL = `SELECT FROM contractors c WHERE c.id = @id::uuid AND ` + seen
)

const taskTotalsSQL = `
SELECT count(*)::int AS completions, coalesce(sum(c.actual_cost), 0)::bigint AS cost, round(avg(c.rating), 1)::double precision AS average_rating,
	min(c.completed_at) AS first_at, max(c.completed_at) AS last_at
FROM completions c WHERE c.task_id = @task::uuid AND c.residence_id = ANY(@mine::uuid[])`

// taskLog is a page of what became of a task, and what all of it comes to.
type taskLog struct {
	entries []HistoryEntry
	skips   []Skip
	totals  TaskTotals
}

// readTaskHistory also reports whether there is such a task; all in one round trip.
func readTaskHistory(ctx context.Context, q pg.Querier, task uuid.UUID, mine []uuid.UUID, before *completionPlace, limit int) (log taskLog, found bool, err error) {
	args := listArgs(mine, before, limit)
	args["task"] = task
	var counted bool
	var batch pgx.Batch
	batch.Queue(taskThereSQL, args).Query(pg.Found(&found))
	batch.Queue(taskHistorySQL, args).Query(pg.Rows(&log.entries))
	batch.Queue(skipsOfSQL, args).Query(pg.Rows(&log.skips))
	batch.Queue(taskTotalsSQL, args).Query(pg.Row(&log.totals, &counted))
	err = pg.Send(ctx, q, &batch)
	return log, found, err
}

// A year is that of the residence's time zone.
const contractorTotalsSQL = `
SELECT extract(year FROM c.completed_at AT TIME ZONE h.zone)::int AS year, h.currency, count(*)::int AS completions,
	count(c.rating)::int AS rated, coalesce(sum(c.rating), 0)::int AS stars, sum(c.actual_cost)::bigint AS paid,
	min(c.completed_at) AS first_at, max(c.completed_at) AS last_at
FROM completions c JOIN unnest(@mine::uuid[], @currencies::text[], @zones::text[]) AS h(id, currency, zone) ON h.id = c.residence_id
WHERE c.contractor_id = @id::uuid
GROUP BY 1, 2 ORDER BY 1 DESC, 2`

// readContractorHistory also reports whether there is such a contractor; all in one round trip.
func readContractorHistory(ctx context.Context, q pg.Querier, v ListView, id uuid.UUID, before *completionPlace, limit int) (rows []HistoryEntry, work []workRow, found bool, err error) {
	args := listArgs(access.IDs(v.homes), before, limit)
	args["id"], args["actor"], args["currencies"], args["zones"] = id, v.actor.UserID, currencies(v.homes), zones(v.homes)
	var batch pgx.Batch
	batch.Queue(contractorThereSQL, args).Query(pg.Found(&found))
	batch.Queue(contractorHistorySQL, args).Query(pg.Rows(&rows))
	batch.Queue(contractorTotalsSQL, args).Query(pg.Rows(&work))
	err = pg.Send(ctx, q, &batch)
	return rows, work, found, err
}

// zones are those of the residences, in their order.
func zones(homes []access.Home) []string {
	out := make([]string, len(homes))
	for i, home := range homes {
		out[i] = identity.Actor{Zone: home.Timezone}.Location().String()
	}
	return out
}

func readResidenceHistory(ctx context.Context, q pg.Querier, sp span, f HistoryFilter, before *completionPlace, limit int) ([]HistoryEntry, error) {
	args := listArgs(nil, before, limit)
	args["residence"], args["start"], args["end"] = sp.home.ID, sp.start(), sp.end()
	args["category"], args["contractor"] = orNull(f.CategoryID), orNull(f.ContractorID)
	return pg.All[HistoryEntry](ctx, q, residenceHistorySQL, args)
}

// costRow is a sum over completions of one month, category or contractor, or over all.
type costRow struct {
	By             int
	Month          *day.Day // its first
	CategoryID     *uuid.UUID
	ContractorID   *uuid.UUID
	ContractorName *string
	Cost
}

// What grouping() says of (month, category, contractor): a bit for each that a row is not grouped by.
const (
	byMonth      = 0b011
	byCategory   = 0b101
	byContractor = 0b110
	byNothing    = 0b111
)

const costsSQL = `
SELECT grouping(paid.month, paid.category_id, paid.contractor_id) AS by, paid.month, paid.category_id, paid.contractor_id, paid.contractor_name,
	count(*)::int AS count, coalesce(sum(paid.actual_cost), 0)::bigint AS amount
FROM (
	SELECT date_trunc('month', c.completed_at AT TIME ZONE @zone::text)::date AS month, t.category_id, c.contractor_id,
		coalesce(k.name, c.contractor_name) AS contractor_name, c.actual_cost
	FROM completions` + withTask + `LEFT JOIN LATERAL (SELECT k.name FROM contractors k WHERE k.id = c.contractor_id LIMIT 1) k ON true
	WHERE c.residence_id = @residence::uuid AND c.completed_at >= @start::timestamptz AND c.completed_at < @end::timestamptz
		AND c.actual_cost IS NOT NULL) paid
GROUP BY GROUPING SETS ((paid.month), (paid.category_id), (paid.contractor_id, paid.contractor_name), ())
ORDER BY amount DESC, paid.month, paid.contractor_name, paid.category_id, paid.contractor_id`

func readCosts(ctx context.Context, q pg.Querier, sp span) ([]costRow, error) {
	return pg.All[costRow](ctx, q, costsSQL, pgx.NamedArgs{
		"residence": sp.home.ID, "start": sp.start(), "end": sp.end(), "zone": sp.zone().String(),
	})
}
