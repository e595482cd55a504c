package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/testkit"
)

// connect opens the tasks' database.
func (w *world) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	address, err := w.Database("task")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (w *world) tasks(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT id::text FROM tasks`)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// agrees syncs the phone until its copy is what its person sees: what one service tells another takes a moment.
func (w *world) agrees(t *testing.T, f *phone, tasks *pgx.Conn, limit int) {
	t.Helper()
	var differences []string
	for range 4 {
		testkit.Eventually(t, "the services have told each other everything", func() bool { return w.quiet(t) })
		testkit.AwaitHorizon(t, tasks)
		f.sync(limit)
		if differences = f.differences(f.truth(w.tasks(t, tasks))); len(differences) == 0 {
			return
		}
	}
	t.Errorf("the copy of %s is not the truth:\n%s", f.Username, strings.Join(differences, "\n"))
}

// quiet reports whether every event has had its effect.
func (w *world) quiet(t *testing.T) bool {
	t.Helper()
	for _, service := range []string{"auth", "residence", "task", "document"} {
		address, err := w.Database(service)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		var waiting int
		err = conn.QueryRow(t.Context(), `SELECT count(*) FROM outbox WHERE dropped_at IS NULL OR published_at IS NULL`).Scan(&waiting)
		_ = conn.Close(t.Context())
		if err != nil || waiting > 0 {
			return false
		}
	}
	return true
}

// TestSyncMissesNothing: persons change everything at once while transactions stay open and write late, and phones sync
// in small pages. In the end every phone's copy is what its person sees.
func TestSyncMissesNothing(t *testing.T) {
	w := start(t)
	tasks := w.connect(t)
	people := []*person{w.join(t, "Ada"), w.join(t, "Ben"), w.join(t, "Cem")}
	var homes []string
	for i, p := range people {
		home := p.home(fmt.Sprintf("House %d", i))
		homes = append(homes, home)
		for _, other := range people {
			if other != p && i < 2 {
				p.invite(other, home)
			}
		}
		for n := range 5 {
			p.task(home, fmt.Sprintf("Task %d", n), nil)
		}
	}
	done := make(chan struct{})
	var phones, writers sync.WaitGroup
	var pages atomic.Int64
	var copies []*phone
	for _, p := range people {
		f := p.phone()
		copies = append(copies, f)
		phones.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := f.page(1 + rand.IntN(4)); err != nil {
					t.Errorf("%s: %v", f.Username, err)
					return
				}
				pages.Add(1)
			}
		})
	}
	var failed, applied atomic.Int64
	for i, p := range people {
		for range 2 {
			m := &mutator{person: p, others: people, homes: homes, own: homes[i], failed: &failed, applied: &applied}
			writers.Go(func() {
				for range 60 {
					m.change()
				}
			})
		}
	}
	late := w.connect(t)
	early := w.connect(t)
	writers.Go(func() { writeLate(t, late, early, &pages) })
	writers.Wait()
	close(done)
	phones.Wait()
	t.Logf("%d changes applied, %d refused by the server itself, %d pages meanwhile", applied.Load(), failed.Load(), pages.Load())
	for _, f := range copies {
		w.agrees(t, f, tasks, 3)
		fresh := f.person.phone()
		w.agrees(t, fresh, tasks, 500)
	}
}

// writeLate has transactions that begin, and get their ids, long before they write: another one begins later, changes the
// same tasks and commits first, and phones ask in between.
func writeLate(t *testing.T, late, early *pgx.Conn, pages *atomic.Int64) {
	ctx := t.Context()
	exec := func(conn *pgx.Conn, sql string) bool {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Logf("a late writer gave way: %v", err) // to a deadlock with the others
			_, _ = conn.Exec(ctx, `ROLLBACK`)
			return false
		}
		return true
	}
	asked := func(n int64) {
		from := pages.Load()
		testkit.Eventually(t, "phones have asked", func() bool { return pages.Load() >= from+n })
	}
	for i := range 25 {
		some := fmt.Sprintf(`SELECT id FROM tasks ORDER BY md5(id::text || '%d') LIMIT 3`, i)
		if !exec(late, `BEGIN`) || !exec(late, `SELECT pg_current_xact_id()`) {
			continue
		}
		exec(early, fmt.Sprintf(`UPDATE tasks SET title = 'early %d', version = version + 1 WHERE id IN (%s)`, i, some))
		asked(4)
		if exec(late, fmt.Sprintf(`UPDATE tasks SET title = 'late %d', version = version + 1 WHERE id IN (%s)`, i, some)) {
			asked(2)
			exec(late, `COMMIT`)
		}
		asked(2)
	}
}

// mutator is a person who changes something or other.
type mutator struct {
	*person
	others          []*person
	homes           []string
	own             string
	failed, applied *atomic.Int64
}

func (m *mutator) do(method, path string, body any) answer {
	a, err := m.try(method, path, body)
	switch {
	case err != nil:
		m.t.Errorf("%s %s: %v", method, path, err)
	case a.Status >= 500:
		m.failed.Add(1)
		if a.Status != 503 {
			m.t.Errorf("%s %s answered %d: %s", method, path, a.Status, a.Body)
		}
	case a.Status < 300:
		m.applied.Add(1)
	}
	a.t = m.t
	return a
}

// some is the id of one of the items of a list.
func (m *mutator) some(path string) string {
	a := m.do("GET", path, nil)
	if a.Status != 200 {
		return uuid.NewString()
	}
	items := a.list("items")
	if len(items) == 0 {
		return uuid.NewString()
	}
	return items[rand.IntN(len(items))].(thing)["id"].(string)
}

// aTask is one of the board's.
func (m *mutator) aTask() string {
	a := m.do("GET", "/api/tasks/", nil)
	var ids []string
	if a.Status == 200 {
		for _, column := range a.list("columns") {
			for _, task := range column.(thing)["tasks"].([]any) {
				ids = append(ids, task.(thing)["id"].(string))
			}
		}
	}
	if len(ids) == 0 {
		return uuid.NewString()
	}
	return ids[rand.IntN(len(ids))]
}

func (m *mutator) change() {
	home := m.homes[rand.IntN(len(m.homes))]
	other := m.others[rand.IntN(len(m.others))]
	text := fmt.Sprint("text ", rand.IntN(1000))
	task := func(rest string) string { return "/api/tasks/" + m.aTask() + "/" + rest }
	contractor := func(rest string) string { return "/api/contractors/" + m.some("/api/contractors/") + "/" + rest }
	document := func() string { return "/api/documents/" + m.some("/api/documents/") + "/" }
	equipment := func() string { return m.some("/api/equipment/") }
	switch rand.IntN(28) {
	case 0, 1:
		m.do("POST", "/api/tasks/", thing{"residence_id": home, "title": text})
	case 2:
		m.do("POST", "/api/tasks/bulk/", thing{"tasks": []thing{{"residence_id": m.own, "title": text}, {"residence_id": home, "title": text}}})
	case 3:
		m.do("PATCH", task(""), thing{"title": text, "assigned_to_id": other.ID})
	case 4, 5:
		m.do("PATCH", task(""), thing{"residence_id": home})
	case 6:
		m.do("DELETE", task(""), nil)
	case 7, 8:
		m.do("POST", task("quick-complete/"), thing{})
	case 9:
		m.do("DELETE", "/api/task-completions/"+m.some("/api/task-completions/")+"/", nil)
	case 10:
		m.do("PUT", "/api/task-completions/"+m.some("/api/task-completions/")+"/", thing{"notes": text})
	case 11:
		m.do("POST", task("archive/"), nil)
	case 12:
		m.do("POST", "/api/contractors/", thing{"name": text, "residence_id": pick[any](nil, home)})
	case 13, 14:
		m.do("PATCH", contractor(""), thing{"residence_id": pick[any](nil, home, m.own), "name": text})
	case 15:
		m.do("POST", contractor("toggle-favorite/"), nil)
	case 16:
		m.do("DELETE", contractor(""), nil)
	case 17:
		m.do("DELETE", "/api/residences/"+home+"/users/"+pick(other, m.person).ID+"/", nil)
	case 18:
		m.invites(other, home)
	case 19:
		m.residence(home, other, text)
	case 20:
		m.do("POST", "/api/documents/", thing{"residence_id": home, "title": text, "end_date": "2031-01-31"})
	case 21:
		m.do("POST", "/api/documents/", thing{"residence_id": home, "title": text, "task_id": m.aTask()})
	case 22:
		m.do("PATCH", document(), thing{"residence_id": home, "title": text, "task_id": nil})
	case 23:
		m.do("POST", document()+pick("activate/", "deactivate/"), nil)
	case 24:
		m.do("DELETE", document(), nil)
	case 25:
		m.do("POST", "/api/equipment/", thing{"residence_id": home, "name": text})
	case 26:
		m.do("POST", "/api/documents/", thing{"residence_id": home, "title": text, "equipment_id": equipment()})
	case 27:
		m.do("DELETE", "/api/equipment/"+equipment()+"/", nil)
	}
}

func pick[T any](from ...T) T { return from[rand.IntN(len(from))] }

// invites lets the other join, if the person may.
func (m *mutator) invites(other *person, home string) {
	code := m.do("POST", "/api/residences/"+home+"/generate-share-code/", thing{"role": pick("member", "member", "viewer")})
	if code.Status == 201 {
		joining := *m
		joining.person = other
		joining.do("POST", "/api/residences/join-with-code/", thing{"code": code.text("code")})
	}
}

func (m *mutator) residence(home string, other *person, text string) {
	switch rand.IntN(5) {
	case 0:
		m.do("PATCH", "/api/residences/"+home+"/", thing{"description": text})
	case 1:
		m.do("PATCH", "/api/residences/"+home+"/", thing{"is_primary": rand.IntN(2) == 0})
	case 2:
		m.do("PATCH", "/api/residences/"+home+"/users/"+other.ID+"/", thing{"role": pick("member", "viewer")})
	case 3:
		m.do("POST", "/api/residences/"+home+"/transfer/", thing{"user_id": other.ID})
	case 4: // one that comes and goes
		made := m.do("POST", "/api/residences/", thing{"name": text})
		if made.Status == 201 {
			id := made.text("id")
			m.do("POST", "/api/tasks/", thing{"residence_id": id, "title": text})
			m.invites(other, id)
			m.do("DELETE", "/api/residences/"+id+"/", nil)
		}
	}
}

// TestSyncTellsWhatIsGone: each way in which something can leave a person's sight, one after the other.
func TestSyncTellsWhatIsGone(t *testing.T) {
	w := start(t)
	conn := w.connect(t)
	ada, ben := w.join(t, "Ada"), w.join(t, "Ben")
	shared, private := ada.home("Shared"), ada.home("Private")
	ada.invite(ben, shared)
	task, other := ada.task(shared, "Sweep", nil), ada.task(shared, "Mop", nil)
	completion := ada.want(201, "POST", "/api/tasks/"+task+"/quick-complete/", thing{}).text("id")
	contractor := ben.want(201, "POST", "/api/contractors/", thing{"name": "Rosa"}).text("id")
	paper, named := ada.paper(shared, thing{"task_id": other}), ada.paper(shared, thing{"task_id": task})
	mine, theirs := ada.phone(), ben.phone()
	both := func(step string) {
		t.Helper()
		w.agrees(t, mine, conn, 2)
		w.agrees(t, theirs, conn, 2)
		if t.Failed() {
			t.Fatal(step)
		}
	}
	both("first load")
	has := func(f *phone, kind, id string, want bool) {
		t.Helper()
		if got := f.copy[kind][id] != nil; got != want {
			t.Errorf("%s has %s %s: %v", f.Username, kind, id, got)
		}
	}
	has(theirs, "completions", completion, true)
	has(mine, "contractors", contractor, false)

	letGo := func(document string) { // the task service has to tell
		t.Helper()
		testkit.Eventually(t, "the document no longer names the task", func() bool {
			theirs.sync(2)
			return theirs.copy["documents"][document]["task_id"] == nil
		})
	}

	ada.want(200, "PATCH", "/api/tasks/"+task+"/", thing{"residence_id": private})
	both("a task moves out of sight")
	has(theirs, "tasks", task, false)
	has(theirs, "completions", completion, false)
	has(mine, "completions", completion, true)
	letGo(named)
	ada.want(200, "PATCH", "/api/tasks/"+task+"/", thing{"residence_id": shared})
	both("and back")
	has(theirs, "completions", completion, true)

	ben.want(200, "PATCH", "/api/contractors/"+contractor+"/", thing{"residence_id": shared})
	both("a personal contractor is shared")
	has(mine, "contractors", contractor, true)
	ada.want(200, "POST", "/api/contractors/"+contractor+"/toggle-favorite/", nil)
	both("and becomes a favourite")
	if mine.copy["contractors"][contractor]["is_favorite"] != true || theirs.copy["contractors"][contractor]["is_favorite"] != false {
		t.Error("a favourite is not its person's alone")
	}
	ben.want(200, "PATCH", "/api/contractors/"+contractor+"/", thing{"residence_id": nil})
	both("and is personal again")
	has(mine, "contractors", contractor, false)
	has(theirs, "contractors", contractor, true)

	ada.want(204, "DELETE", "/api/task-completions/"+completion+"/", nil)
	ada.want(204, "DELETE", "/api/tasks/"+other+"/", nil)
	both("a completion and a task are deleted")
	has(theirs, "tasks", other, false)
	letGo(paper)
	ada.want(200, "PATCH", "/api/documents/"+paper+"/", thing{"residence_id": private})
	ada.want(204, "DELETE", "/api/documents/"+named+"/", nil)
	both("a document moves out of sight, and one is deleted")
	has(theirs, "documents", paper, false)
	has(theirs, "documents", named, false)
	has(mine, "documents", paper, true)
	furnace := ada.equipment(shared, "Furnace")
	named = ada.paper(shared, thing{"equipment_id": furnace})
	both("a document names equipment")
	has(theirs, "equipment", furnace, true)
	ada.want(204, "DELETE", "/api/equipment/"+furnace+"/", nil)
	both("which is deleted")
	has(theirs, "equipment", furnace, false)
	if theirs.copy["documents"][named]["equipment_id"] != nil {
		t.Errorf("a document still names it: %v", theirs.copy["documents"][named])
	}

	ada.want(200, "PATCH", "/api/residences/"+shared+"/users/"+ben.ID+"/", thing{"role": "viewer"})
	both("a role changes")
	if theirs.copy["residences"][shared]["role"] != "viewer" {
		t.Errorf("role %v", theirs.copy["residences"][shared]["role"])
	}
	ada.want(200, "PATCH", "/api/auth/profile/", thing{"first_name": "Adele"})
	testkit.Eventually(t, "the new name is there", func() bool {
		theirs.sync(2)
		return theirs.copy["members"][shared+"/"+ada.ID]["first_name"] == "Adele"
	})
	ada.want(200, "PATCH", "/api/residences/"+private+"/", thing{"is_primary": true})
	both("a home becomes the primary one")

	ada.want(204, "DELETE", "/api/residences/"+shared+"/users/"+ben.ID+"/", nil)
	both("somebody is removed")
	has(theirs, "tasks", task, false)
	has(mine, "members", shared+"/"+ben.ID, false)
	ada.invite(ben, shared)
	both("and joins again")
	has(theirs, "tasks", task, true)
	has(mine, "members", shared+"/"+ben.ID, true)

	ada.want(204, "DELETE", "/api/residences/"+shared+"/", nil)
	both("a residence is deleted")
	if theirs.ids("residences") != "" || theirs.ids("tasks") != "" || theirs.ids("members") != "" {
		t.Errorf("what is left: %v", theirs.copy)
	}
	var buried int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM tombstones WHERE scope = $1 AND id = $2`, shared, task).Scan(&buried); err != nil || buried != 1 {
		t.Errorf("%d tombstones of a task that left once, and went down with its residence (%v)", buried, err)
	}
}

// TestSyncCursors: what is no cursor, or nobody's own, leads nowhere.
func TestSyncCursors(t *testing.T) {
	w := start(t)
	ada, ben := w.join(t, "Ada"), w.join(t, "Ben")
	ada.task(ada.home("Maple Street"), "Sweep", nil)
	f := ada.phone()
	testkit.AwaitHorizon(t, w.connect(t))
	f.sync(200)
	refused := func(p *person, status int, code, path string) {
		t.Helper()
		if a := p.want(status, "GET", path, nil); a.text("code") != code {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
	for _, cursor := range []string{"x", "%00", "e30", f.cursor + "A", f.cursor[1:], strings.Repeat("A", 13000)} {
		refused(ada, 422, "invalid_cursor", "/api/sync/?cursor="+cursor)
	}
	for _, limit := range []string{"0", "501", "x", "-1", "1.5"} {
		refused(ada, 422, "validation_failed", "/api/sync/?limit="+limit)
	}
	refused(ben, 422, "invalid_cursor", syncPath(f.cursor, 10))
	refused(&person{t: t, base: w.URL}, 401, "authentication_required", "/api/sync/")
	if a := ada.want(200, "GET", syncPath(f.cursor, 10), nil); len(a.list("tasks")) != 0 || a.value("has_more") != false || a.text("next_cursor") == "" {
		t.Errorf("nothing has changed: %s", a.Body)
	}
	if a := ben.want(200, "GET", "/api/sync/", nil); len(a.list("tasks"))+len(a.list("residences"))+len(a.list("members")) != 0 {
		t.Errorf("a stranger gets %s", a.Body)
	}
}

// TestSyncWithoutAPartAnswersNothing: half of what changed would be taken for all of it.
func TestSyncWithoutAPartAnswersNothing(t *testing.T) {
	w := start(t)
	ada := w.join(t, "Ada")
	ada.home("Maple Street")
	ada.phone().sync(10)
	if err := w.StopPart("task"); err != nil {
		t.Fatal(err)
	}
	if a := ada.want(503, "GET", "/api/sync/", nil); a.text("code") != "service_unavailable" {
		t.Errorf("%s", a.Body)
	}
}

// TestSyncSeesOneselfBehindALateTransaction: somebody else's transaction holds the horizon back, and yet people see what
// they have just done.
func TestSyncSeesOneselfBehindALateTransaction(t *testing.T) {
	w := start(t)
	conn := w.connect(t)
	ada := w.join(t, "Ada")
	home := ada.home("Maple Street")
	f := ada.phone()
	f.sync(10)
	if _, err := conn.Exec(t.Context(), `BEGIN`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	task := ada.task(home, "Sweep", nil)
	begun := time.Now()
	f.sync(10)
	if f.copy["tasks"][task] == nil {
		t.Errorf("not there after %v", time.Since(begun))
	}
	ada.want(204, "DELETE", "/api/tasks/"+task+"/", nil)
	f.sync(10)
	if f.copy["tasks"][task] != nil {
		t.Error("still there")
	}
}

// TestSyncRowFollowsItsTombstone: a task moves, and a transaction that began before the move writes it last. Its mark must
// not fall behind the tombstone's, which may come a walk later: the horizon is between the two.
func TestSyncRowFollowsItsTombstone(t *testing.T) {
	w := start(t)
	ada := w.join(t, "Ada")
	from, to := ada.home("From"), ada.home("To")
	task := ada.task(from, "Sweep", nil)
	f := ada.phone()
	f.sync(10)
	first, between := w.connect(t), w.connect(t)
	for _, conn := range []*pgx.Conn{first, between} {
		for _, sql := range []string{`BEGIN`, `SELECT pg_current_xact_id()`} {
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	ada.want(200, "PATCH", "/api/tasks/"+task+"/", thing{"residence_id": to})
	if _, err := first.Exec(t.Context(), `UPDATE tasks SET title = 'Mop', version = version + 1 WHERE id = '`+task+`'`); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	f.sync(10)
	if _, err := between.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	f.sync(10)
	if got := f.copy["tasks"][task]; got == nil || got["title"] != "Mop" || got["residence_id"] != to {
		t.Errorf("the copy has %v", got)
	}
}
