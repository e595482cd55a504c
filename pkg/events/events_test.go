package events_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/stores"
	"hearth.internal/pkg/telemetry"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// pair is a producer and a consumer on one queue, each with a database of its own.
type pair struct {
	producer, consumer *testkit.Service
	producerConfig     config.Service
}

// producing is a service that only writes events.
func producing() boot.Service {
	return boot.Service{Name: events.Auth, Register: func(*boot.Deps) error { return nil }}
}

// consuming is a service that writes down every effect that an event has. Nothing in its table keeps an effect from
// being there twice. broken, if any, decides whether it fails after that.
func consuming(broken func() error) boot.Service {
	return boot.Service{Name: events.Billing, Register: func(d *boot.Deps) error {
		events.On(d.Consumer, events.UserRegistered, func(ctx context.Context, tx pgx.Tx, e events.Received[events.User]) error {
			_, err := pg.Exec(ctx, tx, `INSERT INTO effects (user_id) VALUES (@user_id)`, pgx.NamedArgs{"user_id": e.Payload.ID})
			if err == nil && broken != nil {
				err = broken()
			}
			return err
		})
		events.On(d.Consumer, events.UserDeleted, func(context.Context, pgx.Tx, events.Received[events.Person]) error { return nil })
		return nil
	}}
}

func newPair(t *testing.T, queueURL string, broken func() error) pair {
	t.Helper()
	from, to := testkit.Config(t, events.Auth), testkit.Config(t, events.Billing)
	from.QueueURL, to.QueueURL = queueURL, queueURL
	return runPair(t, from, to, broken)
}

func runPair(t *testing.T, from, to config.Service, broken func() error) pair {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), to.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), `CREATE TABLE effects (user_id uuid NOT NULL)`)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return pair{testkit.Run(t, from, producing()), testkit.Run(t, to, consuming(broken)), from}
}

const registerSQL = `
	WITH change AS (SELECT @user_id::uuid AS id),
	     event AS (` + events.Columns + ` FROM change)
	SELECT id FROM change`

// commit writes a change and its event, and dies before it says so.
func (p pair) commit(ctx context.Context, user uuid.UUID) error {
	args := events.UserRegistered.Args(ctx, events.User{ID: user, Version: 1}, pgx.NamedArgs{"user_id": user})
	if _, _, err := pg.Scalar[uuid.UUID](ctx, p.producer.DB, registerSQL, args); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// register is commit by a producer that lives on.
func (p pair) register(t *testing.T) uuid.UUID {
	t.Helper()
	user := uuid.Must(uuid.NewV7())
	if err := p.commit(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	events.UserRegistered.Committed(t.Context(), p.producer.Relay, events.User{ID: user, Version: 1})
	return user
}

// effects are the persons of the effects, each as often as there was one.
func (p pair) effects(t *testing.T) []uuid.UUID {
	t.Helper()
	rows, err := p.consumer.DB.Query(context.Background(), `SELECT user_id FROM effects`)
	if err != nil {
		t.Fatal(err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(users, compare)
	return users
}

func compare(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

// settled waits until every one of the users' events has had an effect and nothing is on its way any more, and fails the
// test if any had another.
func (p pair) settled(t *testing.T, users []uuid.UUID) {
	t.Helper()
	want := slices.SortedFunc(slices.Values(users), compare)
	within(t, time.Minute, "every event has had its effect", func() bool { return len(slices.Compact(p.effects(t))) >= len(want) })
	within(t, time.Minute, "nothing is on its way", func() bool { return p.quiet(t) })
	if got := p.effects(t); !slices.Equal(got, want) {
		t.Errorf("%d effects of %d events", len(got), len(want))
	}
}

// quiet reports that all is published and consumed.
func (p pair) quiet(t *testing.T) bool {
	t.Helper()
	left, _, err := pg.Scalar[int](context.Background(), p.producer.DB, `SELECT count(*) FROM outbox WHERE published_at IS NULL OR dropped_at IS NULL`, nil)
	if err != nil {
		t.Fatal(err)
	}
	queued := int64(0)
	for _, list := range []string{"pending", "active"} {
		n, err := p.producer.Queue.LLen(context.Background(), "asynq:{billing}:"+list).Result()
		if err != nil {
			t.Fatal(err)
		}
		queued += n
	}
	for _, set := range []string{"scheduled", "retry", "archived"} {
		n, err := p.producer.Queue.ZCard(context.Background(), "asynq:{billing}:"+set).Result()
		if err != nil {
			t.Fatal(err)
		}
		queued += n
	}
	return left == 0 && queued == 0
}

// within is testkit.Eventually for what may take longer: several back-offs, many events on a busy machine.
func within(t *testing.T, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if condition() {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("waited %v in vain until %s", limit, what)
}

func TestAnEventArrivesOnceAndItsTraceGoesOn(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	traceParent, traceID := testkit.NewTrace()
	user := uuid.Must(uuid.NewV7())
	if err := p.commit(telemetry.Continue(t.Context(), traceParent), user); err != nil {
		t.Fatal(err)
	}
	p.producer.Relay.Nudge()
	p.settled(t, []uuid.UUID{user})
	testkit.Eventually(t, "the spans end", func() bool {
		return slices.Contains(p.producer.Spans(traceID), "publish user.registered") &&
			slices.Contains(p.consumer.Spans(traceID), "consume user.registered")
	})
}

func TestNoChangeNoEvent(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	user := uuid.Must(uuid.NewV7())
	args := events.UserRegistered.Args(t.Context(), events.User{ID: user}, pgx.NamedArgs{"user_id": user})
	_, found, err := pg.Scalar[uuid.UUID](t.Context(), p.producer.DB, `
		WITH change AS (SELECT @user_id::uuid AS id WHERE false),
		     event AS (`+events.Columns+` FROM change)
		SELECT id FROM change`, args)
	if err != nil || found {
		t.Fatalf("changed %t, %v", found, err)
	}
	if rows := p.producer.Outbox(t, "user.registered"); len(rows) != 0 {
		t.Errorf("outbox %s", rows)
	}
}

func TestAQueueThatForgetsEverythingLosesNothing(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	const n, writers = 500, 5
	users := make([]uuid.UUID, n)
	for i := range users {
		users[i] = uuid.Must(uuid.NewV7())
	}
	var written atomic.Int32
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := w; i < n; i += writers {
				if err := p.commit(t.Context(), users[i]); err != nil {
					t.Error(err)
					return
				}
				p.producer.Relay.Nudge()
				written.Add(1)
			}
		})
	}
	flushes := 0
	for next := int32(0); written.Load() < n && !t.Failed(); {
		if written.Load() < next {
			<-time.After(time.Duration(rand.IntN(1000)) * time.Microsecond)
			continue
		}
		if err := p.producer.Queue.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		flushes++
		next = written.Load() + rand.Int32N(20)
	}
	group.Wait()
	t.Logf("%d flushes", flushes)
	p.settled(t, users)
}

func TestAQueueThatForgetsEverythingIsListedAgain(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	first := p.register(t)
	p.settled(t, []uuid.UUID{first})
	if err := p.producer.Queue.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	p.settled(t, []uuid.UUID{first, p.register(t)})
	testkit.Eventually(t, "staff can look into the queue", func() bool {
		_, err := asynq.NewInspectorFromRedisClient(p.producer.Queue).ListArchivedTasks(events.Billing)
		return err == nil
	})
}

func TestAQueueThatComesBackOlderLosesNothing(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	mark := "hearth:published:auth"
	first := p.register(t)
	p.settled(t, []uuid.UUID{first})
	old, err := p.producer.Queue.HGetAll(t.Context(), mark).Result()
	if err != nil || old["seq"] == "" {
		t.Fatalf("mark %v, %v", old, err)
	}
	second := p.register(t)
	p.settled(t, []uuid.UUID{first, second})
	// The file that Redis comes back with ends before the second event, whose effect, say, was lost too.
	if _, err := p.consumer.DB.Exec(t.Context(), `DELETE FROM effects WHERE user_id = $1`, second); err != nil {
		t.Fatal(err)
	}
	if _, err := p.consumer.DB.Exec(t.Context(), `DELETE FROM inbox WHERE received_at = (SELECT max(received_at) FROM inbox)`); err != nil {
		t.Fatal(err)
	}
	if err := p.producer.Queue.HSet(t.Context(), mark, old).Err(); err != nil {
		t.Fatal(err)
	}
	p.settled(t, []uuid.UUID{first, second})
}

func TestAQueueThatComesBackOlderInTheMiddleOfATurnLosesNothing(t *testing.T) {
	hanging, queue := privateRedis(t), testkit.Redis(t)
	from, to := testkit.Config(t, events.Auth), testkit.Config(t, events.Billing)
	from.CacheURL, from.QueueURL, to.QueueURL = hanging.URL(), queue, queue
	p := runPair(t, from, to, nil)
	user := p.register(t)
	p.settled(t, []uuid.UUID{user})
	// A turn that has seen the mark waits for the cache.
	if err := syscall.Kill(hanging.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thaw := sync.OnceFunc(func() { _ = syscall.Kill(hanging.PID(), syscall.SIGCONT) })
	defer thaw()
	args := events.SessionsEnded.Args(t.Context(), events.Sessions{TokenHashes: []string{"00"}}, pgx.NamedArgs{})
	if _, err := pg.Exec(t.Context(), p.producer.DB, events.Columns, args); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the relay is in the middle of its turn", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), p.producer.DB, `SELECT count(*) FROM outbox WHERE claimed_until IS NOT NULL`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	})
	// Now the queue comes back without the first event, whose effect, say, was lost too.
	if _, err := p.consumer.DB.Exec(t.Context(), `DELETE FROM effects`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.consumer.DB.Exec(t.Context(), `DELETE FROM inbox`); err != nil {
		t.Fatal(err)
	}
	if err := p.producer.Queue.HSet(t.Context(), "hearth:published:auth", "seq", 0).Err(); err != nil {
		t.Fatal(err)
	}
	thaw()
	p.settled(t, []uuid.UUID{user})
}

func TestAnEventThatIsPublishedAgainIsRememberedAnew(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	user := p.register(t)
	p.settled(t, []uuid.UUID{user})
	if _, err := p.consumer.DB.Exec(t.Context(), `UPDATE inbox SET received_at = now() - interval '7 days 23 hours'`); err != nil {
		t.Fatal(err)
	}
	if err := p.producer.Queue.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the inbox keeps it as long as the outbox does", func() bool {
		recent, _, err := pg.Scalar[bool](t.Context(), p.consumer.DB, `SELECT bool_and(received_at > now() - interval '1 hour') FROM inbox`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return recent
	})
	p.settled(t, []uuid.UUID{user})
}

func TestWhatConsumersHaveForgottenIsNotPublishedAgain(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	user := p.register(t)
	p.settled(t, []uuid.UUID{user})
	// The producer was away for days, the consumer has swept its inbox, and then the queue is lost.
	for db, statement := range map[*pg.DB]string{
		p.consumer.DB: `DELETE FROM inbox`,
		p.producer.DB: `UPDATE outbox SET published_at = now() - interval '9 days'`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	again := events.NewRelay(events.Auth, p.producer.DB, p.producer.Queue, p.producer.Cache, silent(t))
	go again.Run(ctx)
	testkit.Eventually(t, "a relay that starts sweeps first", func() bool { return len(p.producer.Outbox(t, "user.registered")) == 0 })
	if err := p.producer.Queue.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	next := p.register(t)
	p.settled(t, []uuid.UUID{user, next})
}

func silent(t *testing.T) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func TestAnEventThatCannotBeReadHoldsNoOtherUp(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	if _, err := p.producer.DB.Exec(t.Context(), `INSERT INTO outbox (id, name, payload) VALUES ($1, $2, '{"token_hashes":1}')`,
		uuid.New(), events.SessionsEnded.Name); err != nil {
		t.Fatal(err)
	}
	user := p.register(t)
	testkit.Eventually(t, "the other is published and its keys are dropped", func() bool {
		done, _, err := pg.Scalar[bool](t.Context(), p.producer.DB,
			`SELECT published_at IS NOT NULL AND dropped_at IS NOT NULL FROM outbox WHERE name = @name`, pgx.NamedArgs{"name": events.UserRegistered.Name})
		if err != nil {
			t.Fatal(err)
		}
		return done
	})
	testkit.Eventually(t, "it has its effect", func() bool { return slices.Equal(p.effects(t), []uuid.UUID{user}) })
}

func TestEventsOfANewerVersionHoldNoOtherUp(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	// More of them than the relay takes at once.
	if _, err := p.producer.DB.Exec(t.Context(), `
		INSERT INTO outbox (id, name, payload) SELECT gen_random_uuid(), 'user.not_yet_known', '{}' FROM generate_series(1, 250)`); err != nil {
		t.Fatal(err)
	}
	user := p.register(t)
	testkit.Eventually(t, "the other has its effect", func() bool { return slices.Equal(p.effects(t), []uuid.UUID{user}) })
	left, _, err := pg.Scalar[int](t.Context(), p.producer.DB, `SELECT count(*) FROM outbox WHERE published_at IS NULL`, nil)
	if err != nil || left != 250 {
		t.Errorf("%d are left, %v", left, err)
	}
}

func TestAStoppedRelayLeavesNothingClaimed(t *testing.T) {
	hanging := privateRedis(t)
	cfg := testkit.Config(t, events.Auth)
	cfg.CacheURL = hanging.URL()
	d, err := boot.Open(t.Context(), producing(), boot.Options{Config: cfg, LogOut: io.Discard}) // its own relay does not run
	if err != nil {
		t.Fatal(err)
	}
	defer d.DB.Close()
	if err := d.Cache.DropForSure(t.Context(), "hearth:k"); err != nil { // the connection is there
		t.Fatal(err)
	}
	if err := syscall.Kill(hanging.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(hanging.PID(), syscall.SIGCONT) }()
	args := events.SessionsEnded.Args(t.Context(), events.Sessions{TokenHashes: []string{"00"}}, pgx.NamedArgs{})
	if _, err := pg.Exec(t.Context(), d.DB, events.Columns, args); err != nil {
		t.Fatal(err)
	}
	claimed := func() bool {
		n, _, err := pg.Scalar[int](t.Context(), d.DB, `SELECT count(*) FROM outbox WHERE claimed_until IS NOT NULL`, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	go func() { defer close(ended); d.Relay.Run(ctx) }()
	testkit.Eventually(t, "the relay is in the middle of its turn", claimed)
	stop()
	<-ended
	if claimed() {
		t.Error("the next relay has to wait until the lease is over")
	}
}

func TestEventsWaitForAQueueThatIsDown(t *testing.T) {
	queue := privateRedis(t)
	p := newPair(t, queue.URL(), nil)
	users := []uuid.UUID{p.register(t)}
	p.settled(t, users)
	queue.Kill()
	for range 3 {
		users = append(users, p.register(t)) // the commit does not mind
	}
	if err := queue.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.settled(t, append(users, p.register(t)))
}

func privateRedis(t *testing.T) *stores.Redis {
	t.Helper()
	dir := t.TempDir()
	r, err := stores.StartRedis(t.Context(), stores.Options{Dir: dir, Ephemeral: true, Install: true},
		stores.RedisConfig{Name: "private", Policy: "noeviction", AppendOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.Stop(context.Background()), stores.Remove(dir)); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestTwoRelaysPublishNothingTwiceInEffect(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	second := testkit.Run(t, p.producerConfig, producing())
	const n = 500
	users := make([]uuid.UUID, n)
	for i := range users {
		users[i] = uuid.Must(uuid.NewV7())
		if err := p.commit(t.Context(), users[i]); err != nil {
			t.Fatal(err)
		}
		p.producer.Relay.Nudge()
		second.Relay.Nudge()
	}
	p.settled(t, users)
}

func TestAFailingConsumerIsTriedAgainAndHasItsEffectOnce(t *testing.T) {
	var tries atomic.Int32
	p := newPair(t, testkit.Redis(t), func() error {
		if tries.Add(1) <= 3 {
			return errors.New("not today")
		}
		return nil
	})
	user := p.register(t)
	testkit.Eventually(t, "it is tried again by itself", func() bool { return tries.Load() == 2 })
	if got := p.effects(t); len(got) != 0 {
		t.Errorf("a failed try left %d effects", len(got))
	}
	// The longer waits are cut short as staff would do it.
	inspector := asynq.NewInspectorFromRedisClient(p.consumer.Queue)
	testkit.Eventually(t, "it succeeds", func() bool {
		waiting, err := inspector.ListRetryTasks(events.Billing)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range waiting {
			_ = inspector.RunTask(events.Billing, task.ID) // it may have begun by itself just now
		}
		return tries.Load() == 4
	})
	p.settled(t, []uuid.UUID{user})
}

func TestTheRelayDropsTheKeysOfAProducerThatDied(t *testing.T) {
	p := newPair(t, testkit.Redis(t), nil)
	redisCache := client(t, p.producerConfig.CacheURL)
	hash := make([]byte, 32)
	hash[0] = byte(rand.IntN(256)) //nolint:gosec // a value, no secret
	key := cache.TokenKey(hash)
	value, err := cache.Load(t.Context(), p.producer.Cache, key, time.Hour, func(context.Context) (string, error) { return "old", nil })
	if err != nil || value != "old" || redisCache.Exists(t.Context(), key).Val() != 1 {
		t.Fatalf("loaded %q, %v", value, err)
	}
	revoked := redisCache.Subscribe(t.Context(), cache.RevokedChannel(redisCache))
	defer func() { _ = revoked.Close() }()
	if _, err := revoked.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	args := events.SessionsEnded.Args(t.Context(), events.Sessions{TokenHashes: []string{fmt.Sprintf("%x", hash), "no hash"}}, pgx.NamedArgs{})
	if _, err := pg.Exec(t.Context(), p.producer.DB, events.Columns, args); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the key is gone", func() bool { return redisCache.Exists(t.Context(), key).Val() == 0 })
	within(t, 10*time.Second, "it is announced", func() bool {
		message, err := revoked.ReceiveTimeout(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		m, isMessage := message.(*redis.Message)
		return isMessage && m.Payload == fmt.Sprintf("%x", hash) // other tests announce theirs
	})
}

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestACacheThatIsAwayHoldsNoEventUp(t *testing.T) {
	away := privateRedis(t)
	from, to := testkit.Config(t, events.Auth), testkit.Config(t, events.Billing)
	from.CacheURL, to.QueueURL = away.URL(), from.QueueURL
	p := runPair(t, from, to, nil)
	away.Kill()
	// More rows than the relay takes at once have keys to drop and cannot.
	for range 250 {
		args := events.SessionsEnded.Args(t.Context(), events.Sessions{TokenHashes: []string{"00"}}, pgx.NamedArgs{})
		if _, err := pg.Exec(t.Context(), p.producer.DB, events.Columns, args); err != nil {
			t.Fatal(err)
		}
	}
	user := p.register(t)
	within(t, time.Minute, "the event has had its effect", func() bool { return slices.Equal(p.effects(t), []uuid.UUID{user}) })
	if err := away.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.settled(t, []uuid.UUID{user})
}

func TestAQueueThatIsAwayKeepsNoKeyInTheCache(t *testing.T) {
	queue := privateRedis(t)
	p := newPair(t, queue.URL(), nil)
	redisCache := client(t, p.producerConfig.CacheURL)
	hash := make([]byte, 32)
	hash[1] = byte(rand.IntN(256)) //nolint:gosec // a value, no secret
	key := cache.TokenKey(hash)
	if err := redisCache.Set(t.Context(), key, "{}", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	queue.Kill()
	users := make([]uuid.UUID, 450) // more than the relay takes at once wait before it
	for i := range users {
		users[i] = uuid.Must(uuid.NewV7())
		if err := p.commit(t.Context(), users[i]); err != nil {
			t.Fatal(err)
		}
	}
	args := events.SessionsEnded.Args(t.Context(), events.Sessions{TokenHashes: []string{fmt.Sprintf("%x", hash)}}, pgx.NamedArgs{})
	if _, err := pg.Exec(t.Context(), p.producer.DB, events.Columns, args); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the key is gone", func() bool { return redisCache.Exists(t.Context(), key).Val() == 0 })
	testkit.Eventually(t, "the outbox is seen to wait", func() bool { return oldest(t, p.producer) > 0 })
	if err := queue.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.settled(t, users)
	testkit.Eventually(t, "nothing waits", func() bool { return oldest(t, p.producer) == 0 })
}

// oldest is the age that the metrics give of the oldest event that is not published.
func oldest(t *testing.T, s *testkit.Service) float64 {
	t.Helper()
	families, err := s.Tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "hearth_outbox_oldest_seconds" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no such metric")
	return 0
}

func TestAConsumerThatTheCatalogueDoesNotKnowIsRefused(t *testing.T) {
	forgetful := boot.Service{Name: events.Billing, Register: func(*boot.Deps) error { return nil }}
	curious := boot.Service{Name: events.Auth, Register: func(d *boot.Deps) error {
		events.On(d.Consumer, events.UserRegistered, func(context.Context, pgx.Tx, events.Received[events.User]) error { return nil })
		return nil
	}}
	for _, s := range []boot.Service{forgetful, curious} {
		if _, err := boot.Open(t.Context(), s, boot.Options{Config: testkit.Config(t, s.Name)}); err == nil {
			t.Errorf("%s starts", s.Name)
		}
	}
}
