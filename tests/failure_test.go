package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"hearth.internal/dev/system"
	"hearth.internal/pkg/stores"
	"hearth.internal/pkg/testkit"
)

type stopper interface {
	Stop(ctx context.Context) error
}

func stopStore(t *testing.T, s stopper) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Log(err)
	}
}

// breakable is a system of processes on stores of its own, all of which may be killed.
type breakable struct {
	*world
	postgres     *stores.Postgres
	cache, queue *stores.Redis
}

func startBreakable(t *testing.T, change ...func(*system.Options)) *breakable {
	t.Helper()
	o := stores.Options{Dir: t.TempDir(), Install: true} // on disk for real: what is acknowledged must be there afterwards
	postgres, err := stores.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopStore(t, postgres); _ = stores.Remove(o.Dir) })
	queue, err := stores.StartRedis(t.Context(), o, stores.RedisConfig{Name: "queue", Policy: "noeviction", AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopStore(t, queue) })
	cache, own := withOwnCache(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, append(change, own, func(o *system.Options) {
		o.Postgres, o.Queue, o.Processes, o.Program = postgres.AdminURL(), queue.URL(), true, program
		o.LogOut = io.Discard // thousands of "the database does not answer"
	})...)
	return &breakable{w, postgres, cache, queue}
}

// TestNothingIsLost kills every part and every store, and empties both Redises, while tasks are written and completed.
// Every write that was acknowledged must be there afterwards, every event must have had its effect once, and the system
// must serve again by itself.
func TestNothingIsLost(t *testing.T) {
	b := startBreakable(t)
	ada, sam := b.join(t, "Ada"), b.join(t, "Sam")
	house := ada.home("Maple Street")
	ada.invite(sam, house)
	testkit.Eventually(t, "notification knows both members", func() bool {
		return len(b.ids(t, "notification", `SELECT user_id::text FROM members`)) == 2
	})

	done := make(chan struct{})
	var writers sync.WaitGroup
	acknowledged := make([][]string, 6) // completions, by writer
	attempts := make([]int, len(acknowledged))
	for i := range acknowledged {
		writers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				attempts[i]++
				task, completion := uuid.Must(uuid.NewV7()).String(), uuid.Must(uuid.NewV7()).String()
				a, err := ada.try("POST", "/api/tasks/", map[string]any{"id": task, "residence_id": house, "title": fmt.Sprintf("Task %d/%d", i, attempts[i])})
				if err != nil || a.Status >= 300 {
					continue
				}
				a, err = ada.try("POST", "/api/task-completions/", map[string]any{"id": completion, "task_id": task})
				if err == nil && (a.Status == 200 || a.Status == 201) {
					acknowledged[i] = append(acknowledged[i], completion)
				}
			}
		})
	}
	b.havoc(t)
	close(done)
	writers.Wait()

	want := map[string]bool{}
	tried := 0
	for i := range acknowledged {
		tried += attempts[i]
		for _, id := range acknowledged[i] {
			want[id] = true
		}
	}
	t.Logf("%d writes tried, %d acknowledged", tried, len(want))
	if len(want) < 50 {
		t.Fatalf("only %d writes were acknowledged: that proves nothing", len(want))
	}
	testkit.Eventually(t, "the system serves again", func() bool {
		a, err := ada.try("GET", "/api/tasks/", nil)
		return err == nil && a.Status == 200
	})
	b.compare(t, "task", `SELECT id::text FROM completions`, want)
	// Sam hears of each completion exactly once: one row in the inbox for each event, one notification.
	recorded := b.ids(t, "task", `SELECT id::text FROM completions`)
	// What a killed relay had claimed is published again when its lease is over (30 s), and what a killed consumer held is
	// handed on when asynq's lease is over and its next look comes (90 s at the most).
	eventually(t, 3*time.Minute, "every event has left the outbox and had its effect", func() bool {
		return len(b.ids(t, "task", `SELECT id::text FROM outbox WHERE published_at IS NULL`)) == 0 &&
			len(b.ids(t, "notification", `SELECT id::text FROM notifications WHERE kind = 'task_completed'`)) >= len(recorded)
	})
	told := b.ids(t, "notification", `SELECT id::text FROM notifications WHERE kind = 'task_completed'`)
	if len(told) != len(recorded) {
		t.Errorf("%d completions, %d notifications", len(recorded), len(told))
	}
}

// havoc does all of that, in random order, with time in between for writes to get through.
func (b *breakable) havoc(t *testing.T) {
	t.Helper()
	restart := func(name string, kill func(), again func(context.Context) error) func() {
		return func() {
			t.Log("kill -9", name)
			kill()
			if err := again(t.Context()); err != nil {
				t.Errorf("%s does not come back: %v", name, err)
			}
		}
	}
	victims := []func(){
		restart("PostgreSQL", b.postgres.Kill, b.postgres.Restart),
		restart("the queue Redis", b.queue.Kill, b.queue.Restart),
		restart("the cache Redis", b.cache.Kill, b.cache.Restart),
		func() { b.flush(t, b.queue) },
		func() { b.flush(t, b.queue) },
		func() { b.flush(t, b.cache) },
	}
	for _, part := range []string{"auth", "residence", "task", "task", "document", "notification", "notification", "billing", "admin", system.GatewayName} {
		victims = append(victims, func() { t.Log("kill -9", part); b.KillPart(part) })
	}
	rand.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	for _, strike := range victims {
		time.Sleep(400 * time.Millisecond) // the load needs time to be hit in the middle of something
		strike()
	}
	time.Sleep(time.Second)
}

// flush makes a Redis forget everything: what a queue held must be published again.
func (b *breakable) flush(t *testing.T, r *stores.Redis) {
	t.Helper()
	t.Log("FLUSHALL", r.URL())
	o, err := redis.ParseURL(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer func() { _ = client.Close() }()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Errorf("FLUSHALL: %v", err)
	}
}

func (b *breakable) ids(t *testing.T, service, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), b.postgres.URL(b.Prefix()+"hearth_"+service))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func (b *breakable) compare(t *testing.T, service, sql string, want map[string]bool) {
	t.Helper()
	have := map[string]bool{}
	for _, id := range b.ids(t, service, sql) {
		have[id] = true
	}
	missing := 0
	for id := range want {
		if !have[id] {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged writes are gone", missing, len(want))
	}
}

func eventually(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Errorf("waited %v in vain until %s", limit, what)
}
