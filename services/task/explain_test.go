package task

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fill makes 500 residences with 40 tasks each, every other one completed three times, and ten contractors each.
const fill = `
INSERT INTO contractors (id, residence_id, created_by_id, name, created_at, updated_at)
SELECT gen_random_uuid(), md5('home' || r)::uuid, md5('person' || r)::uuid, 'c' || c, now(), now() FROM generate_series(1, 500) r, generate_series(1, 10) c;
INSERT INTO tasks (id, residence_id, title, frequency_id, due_date, next_due_date, is_archived, assigned_to_id, priority_id, contractor_id, completion_count, created_by_id, created_at, updated_at)
SELECT md5(r || '/' || n)::uuid, md5('home' || r)::uuid, 'Task ' || n, '01900000-0000-7000-8000-000000003003', date '2026-01-01' + n, date '2026-03-01' + n, n % 8 = 0, CASE WHEN n % 3 = 0 THEN md5('person' || r)::uuid END, '01900000-0000-7000-8000-000000002002',
	(SELECT id FROM contractors WHERE residence_id = md5('home' || r)::uuid AND name = 'c' || (1 + n % 10)), 3 * (n % 2), md5('person' || r)::uuid, now(), now()
FROM generate_series(1, 40) n, generate_series(1, 500) r;
INSERT INTO completions (id, task_id, residence_id, completed_at, completed_by_id, contractor_id, rating, actual_cost, created_at, updated_at)
SELECT gen_random_uuid(), id, residence_id, now() - make_interval(days => k), created_by_id, contractor_id, 4, 1000, now(), now() FROM tasks, generate_series(1, 3) k WHERE completion_count > 0;
INSERT INTO people (user_id, email, username, first_name, last_name, timezone, locale, version)
SELECT md5('person' || r)::uuid, r || '@example.com', 'u' || r, 'First', 'Last', 'UTC', 'en', 1 FROM generate_series(1, 5000) r;
INSERT INTO task_skips (id, task_id, occurrence, skipped_by_id, skipped_at)
SELECT gen_random_uuid(), id, date '2026-02-01' + k, created_by_id, now() FROM tasks, generate_series(1, 2) k WHERE completion_count > 0;
INSERT INTO contractor_favorites (user_id, contractor_id)
SELECT created_by_id, id FROM contractors WHERE name IN ('c1', 'c2', 'c3', 'c4');
INSERT INTO contractors (id, created_by_id, name, created_at, updated_at) SELECT gen_random_uuid(), md5('person' || r)::uuid, 'p', now(), now() FROM generate_series(1, 500) r;
UPDATE tasks SET equipment_id = md5(residence_id || right(title, 1))::uuid;
UPDATE completions c SET equipment_id = t.equipment_id FROM tasks t WHERE t.id = c.task_id;
INSERT INTO gone_equipment (equipment_id, gone_at) SELECT gen_random_uuid(), now() FROM generate_series(1, 20);
INSERT INTO residence_owners (residence_id, owner_id, as_of) SELECT md5('home' || r)::uuid, md5('person' || r)::uuid, '' FROM generate_series(1, 5000) r;
INSERT INTO tombstones (scope, kind, id, sync_xid)
SELECT md5('home' || r)::uuid, 'task', gen_random_uuid(), (n * 10)::text::xid8 FROM generate_series(1, 500) r, generate_series(1, 40) n;
ANALYZE`

func TestHotStatementsScanNoTable(t *testing.T) {
	cfg := testkit.Config(t, "task")
	conn, err := testkit.Run(t, cfg, New(Config{cfg})).DB.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	db := conn.Conn()
	if _, err := db.Exec(t.Context(), fill, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	var homes []uuid.UUID
	var task, person, contractor, completion, equipment uuid.UUID
	err = db.QueryRow(t.Context(), `SELECT array_agg(DISTINCT residence_id), (array_agg(id))[1], (array_agg(created_by_id))[1], (array_agg(contractor_id))[1], (array_agg(equipment_id))[1],
		(SELECT id FROM completions LIMIT 1) FROM tasks WHERE residence_id IN (md5('home7')::uuid, md5('home8')::uuid)`).
		Scan(&homes, &task, &person, &contractor, &equipment, &completion)
	if err != nil {
		t.Fatal(err)
	}
	args := pgx.NamedArgs{
		"mine": homes, "mine_owners": []uuid.UUID{person, person}, "writable": homes, "residences": homes, "assignee_homes": homes, "id": task, "actor": person, "version": nil,
		"today": "2026-03-10", "until": "2026-04-09", "now": "2026-03-10T12:00:00Z", "limit": 51, "before_at": nil, "before_id": nil,
		"assigned": nil, "category": nil, "priority": nil, "text": "%1%", "task": task, "completion": completion, "contractor": nil,
		"event_id": uuid.New(), "event_name": "x", "event_payload": "{}", "event_trace": "", "patch": `{"title":"x"}`, "seen": nil, "next": nil,
		"need_cancelled": false, "need_archived": nil, "need_done": nil, "set_in_progress": nil, "set_cancelled": true, "set_archived": nil,
		"last_at": nil, "count": 1, "recent_ids": []uuid.UUID{}, "recent_at": []string{}, "at": "2026-03-10T12:00:00Z", "by": person, "notes": nil,
		"cost": nil, "rating": nil, "uploads": []uuid.UUID{}, "denied": []uuid.UUID{}, "row": `{"name":"x"}`, "residence": nil, "specialty": nil, "favorites": false, "after_name": nil, "after_id": nil,
		"user": person, "over": false, "anchor": nil, "rotation_homes": homes, "assignee": nil, "skip": uuid.New(), "occurrence": "2026-03-10",
		"reason": nil, "item": uuid.NewString(), "done": true, "ids": []uuid.UUID{task}, "paused_from": []*string{nil}, "paused_until": []*string{nil},
		"seens": []int{1}, "nexts": []*string{nil}, "overs": []bool{false},
		"archived": false, "turn": nil, "rotation_start": 0, "assignees": []uuid.UUID{uuid.Nil}, "nobody": uuid.Nil, "rotations": []string{"none"}, "starts": []int{0}, "gone": []uuid.UUID{person},
		"mine_only": false, "hash": []byte{1}, "since": "2026-03-10T12:00:00Z",
		"equipment": []uuid.UUID{equipment}, "equipment_homes": homes[:1],
		"currencies": []string{"EUR", "USD"}, "task_name": "x", "task_payload": "{}", "task_trace": "", "entry": 1,
		"owners": []uuid.UUID{person}, "most": []int{10}, "owned": homes, "owned_by": []uuid.UUID{person, person},
		"zones": []string{"Europe/Berlin", "UTC"}, "zone": "Europe/Berlin", "start": "2016-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z",
		"scopes": homes, "from": []string{"0", "700"}, "after": []uuid.UUID{uuid.Nil, uuid.Nil}, "rows": 201, "tasks": []uuid.UUID{task}, "contractors": []uuid.UUID{contractor}, "nowhere": uuid.Nil,
	}
	insert := map[string]any{"id": uuid.New(), "event_id": uuid.New(), "residence_id": homes[0], "title": "x", "reschedule_from": "due_date",
		"created_by_id": person, "created_at": "2026-03-10T12:00:00Z", "updated_at": "2026-03-10T12:00:00Z"}
	for name, statement := range map[string]string{
		"board": boardSQL, "filtered board": filteredBoardSQL, "counts": countsSQL, "task": taskSQL, "change": changeTaskSQL, "move": moveTaskSQL,
		"delete": deleteTaskSQL, "series": seriesSQL, "complete": completeSQL, "replace": replaceSQL, "undo": undoSQL,
		"completions": completionsSQL, "completions of a task": completionsOfSQL, "completion": completionSQL, "insert": insertTasksSQL, "insert from templates": applySQL, "limited insert from templates": limitedApplySQL,
		"contractors": contractorsSQL, "contractor": contractorSQL, "change contractor": changeContractorSQL, "delete contractor": deleteContractorSQL,
		"favourite": toggleFavoriteSQL, "tasks of a contractor": tasksOfContractorSQL,
		"skip": skipSQL, "unskip": unskipSQL, "skip by id": skipByIDSQL, "skips of a task": skipsOfSQL, "tick": tickSQL, "series in a residence": seriesInSQL,
		"restate": restateSQL, "feed": feedByKeySQL, "calendar": calendarSQL, "held by who is gone": heldSQL, "hand back": handBackSQL,
		"history of a task": taskHistorySQL, "totals of a task": taskTotalsSQL, "history of a contractor": contractorHistorySQL,
		"totals of a contractor": contractorTotalsSQL, "history of a residence": residenceHistorySQL, "costs": costsSQL,
		"limited insert": limitedInsertTasksSQL, "limited change": limitedChangeTaskSQL, "tasks of an owner": usedTasksSQL,
		"limited contractor": limitedInsertContractorSQL, "limited change of a contractor": limitedChangeContractorSQL, "contractors of an owner": usedContractorsSQL,
		"report tasks": reportTasksSQL, "report completions": reportCompletionsSQL, "report person": reportPersonSQL, "report request": requestReportSQL,
		"sync tasks": syncTasksSQL, "sync completions": syncCompletionsSQL, "sync list of contractors": syncContractorsSQL, "sync tombstones": delta.TombstonesSQL,
		"work on equipment": equipmentWorkSQL, "tasks of equipment": equipmentTasksSQL, "totals of equipment": equipmentTotalsSQL,
		"tasks let go": tasksLetGoSQL, "completions let go": completionsLetGoSQL,
		"usage": usageSQL, "refs": refsSQL, "erase tasks": eraseTasksSQL, "erase contractors": eraseContractorsSQL,
	} {
		t.Run(name, func(t *testing.T) {
			with := args
			switch {
			case strings.Contains(name, "contractor") || name == "favourite":
				with = overlaid(args, pgx.NamedArgs{"id": contractor})
			case name == "filtered board":
				with = overlaid(args, pgx.NamedArgs{"equipment": equipment})
			case name == "replace" || name == "undo" || name == "completion" || name == "complete":
				with = overlaid(args, pgx.NamedArgs{"id": completion, "seen": 1, "equipment": equipment})
			case strings.Contains(name, "insert"):
				with = overlaid(args, pgx.NamedArgs{"tasks": mustJSON(t, []any{insert}), "residence": homes[0]})
			case name == "history of a residence" || name == "costs":
				with = overlaid(args, pgx.NamedArgs{"residence": homes[0]})
			case strings.HasPrefix(name, "report"):
				with = overlaid(args, pgx.NamedArgs{"residence": homes[0], "limit": reportCompletions, "notes": reportNotes})
			case strings.Contains(name, "equipment"):
				with = overlaid(args, pgx.NamedArgs{"equipment": equipment, "most": mostOpenTasks})
			case strings.HasSuffix(name, "let go"):
				with = overlaid(args, pgx.NamedArgs{"id": nil})
			case strings.HasPrefix(name, "erase"):
				with = overlaid(args, pgx.NamedArgs{"id": homes[0]})
			}
			for _, table := range testkit.Scanned(t, db, statement, with) {
				switch table {
				case "people", "tasks", "completions", "contractors", "contractor_favorites", "task_skips", "tombstones", "residence_owners":
					t.Errorf("scans %s", table)
				}
			}
		})
	}
}

func overlaid(base, more pgx.NamedArgs) pgx.NamedArgs {
	out := pgx.NamedArgs{}
	for k, v := range base {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
