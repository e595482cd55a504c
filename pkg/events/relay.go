package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
)

// How the relay works its table.
const (
	relayPoll    = 250 * time.Millisecond // when nobody nudges
	relayPause   = time.Second            // after a failure
	relayBatch   = 200
	relayLease   = 30 * time.Second // a relay that died holding rows gives them back after this
	relayWriters = 8                // enqueues at a time
	settleTime   = 5 * time.Second
	markTime     = time.Second // for the queue to tell its mark; cache keys wait no longer for it
	maxTries     = 25          // again, then the task is archived, for a person to look at
	handlerTime  = 30 * time.Second
	keepOutbox   = 7 * 24 * time.Hour
	keepInbox    = 8 * 24 * time.Hour // longer than any outbox, so that no replay finds it empty
	sweepEvery   = 10 * time.Minute
)

// Relay carries the events of one service's outbox to the queue. Any number of them may run at once.
type Relay struct {
	service string
	db      *pg.DB
	queue   redis.UniversalClient
	client  *asynq.Client
	life    int64 // of the queue, that the client has met
	cache   *cache.Cache
	tel     *telemetry.Telemetry
	log     *slog.Logger
	nudged  chan struct{}
	waiting prometheus.Gauge
}

// NewRelay makes the relay of a service. The caller closes db and queue.
func NewRelay(service string, db *pg.DB, queue redis.UniversalClient, c *cache.Cache, tel *telemetry.Telemetry) *Relay {
	r := &Relay{
		service: service, db: db, queue: queue, client: asynq.NewClientFromRedisClient(queue), cache: c, tel: tel, log: tel.Log,
		nudged: make(chan struct{}, 1),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hearth_outbox_oldest_seconds", Help: "Age of the oldest event that is not published yet.",
		}),
	}
	tel.Registry.MustRegister(r.waiting)
	return r
}

// Nudge says that an event has just been committed.
func (r *Relay) Nudge() {
	select {
	case r.nudged <- struct{}{}:
	default: // it is awake already
	}
}

// Run publishes until ctx ends; what is not published then waits for the next relay.
func (r *Relay) Run(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	r.sweepOrSay(ctx) // first of all: what consumers have forgotten must not be published again
	for ctx.Err() == nil {
		pause, nudged := relayPoll, r.nudged
		full, err := r.turn(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			r.log.ErrorContext(ctx, "events wait in the outbox", "error", err)
			pause, nudged = relayPause, nil // each new event would try in vain again
		case full:
			continue
		}
		select {
		case <-ctx.Done():
		case <-nudged:
		case <-time.After(pause):
		case <-sweep.C:
			r.sweepOrSay(ctx)
		}
	}
}

// turn publishes one batch, and reports whether there may be more.
func (r *Relay) turn(ctx context.Context) (full bool, err error) {
	seen, err := r.repair(ctx)
	if err != nil {
		return false, errors.Join(err, r.dropAlone(ctx))
	}
	if life := seen.life; life != r.life {
		// asynq lists a queue once in a client's life; without that, staff see nothing of what is in it.
		r.client, r.life = asynq.NewClientFromRedisClient(r.queue), life
	}
	rows, err := r.claim(ctx, claimWaiting)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	dropped, dropErr := r.dropKeys(ctx, rows)
	published, err := r.enqueue(ctx, rows)
	if err := errors.Join(dropErr, err, r.settleInTime(ctx, rows, seen, published, dropped)); err != nil {
		return false, err
	}
	return len(rows) == relayBatch, nil
}

// dropAlone drops the cache keys while the queue is away: a session that has ended must not live on in the cache until
// its event can be published.
func (r *Relay) dropAlone(ctx context.Context) error {
	for ctx.Err() == nil {
		rows, err := r.claim(ctx, claimKeys)
		if err != nil || len(rows) == 0 {
			return err
		}
		dropped, err := r.dropKeys(ctx, rows)
		if err := errors.Join(err, r.settleInTime(ctx, rows, queueMark{}, nil, dropped)); err != nil || len(rows) < relayBatch {
			return err
		}
	}
	return nil
}

type outboxRow struct {
	ID        uuid.UUID
	Name      string
	Payload   []byte
	Trace     string
	CreatedAt time.Time
	Published bool
	Dropped   bool
}

// What a claim is for: events to publish, then keys to drop; or keys alone.
const (
	claimWaiting = `(published_at IS NULL OR dropped_at IS NULL)`
	claimKeys    = `(published_at IS NULL OR dropped_at IS NULL) AND dropped_at IS NULL` // the first half names the index
)

// claim leaves alone what is not in the catalogue: a newer version wrote it, whose relay knows it.
func (r *Relay) claim(ctx context.Context, which string) ([]outboxRow, error) {
	rows, err := pg.All[outboxRow](ctx, r.db, `
		WITH mine AS (
			SELECT id FROM outbox
			WHERE `+which+` AND name = ANY(@known::text[]) AND (claimed_until IS NULL OR claimed_until < now())
			ORDER BY published_at IS NOT NULL, created_at LIMIT @batch FOR UPDATE SKIP LOCKED)
		UPDATE outbox o SET claimed_until = now() + make_interval(secs => @lease)
		FROM mine WHERE o.id = mine.id
		RETURNING o.id, o.name, o.payload, o.trace, o.created_at, o.published_at IS NOT NULL AS published, o.dropped_at IS NOT NULL AS dropped`,
		pgx.NamedArgs{"known": names(), "batch": relayBatch, "lease": relayLease.Seconds()})
	if err != nil {
		return nil, fmt.Errorf("claim events: %w", err)
	}
	slices.SortStableFunc(rows, func(a, b outboxRow) int { return a.CreatedAt.Compare(b.CreatedAt) }) // an UPDATE answers in any order
	return rows, nil
}

// dropKeys drops the cache keys of the rows a second time, and answers the events of which every key is gone. The
// producer did so at commit, unless it died or Redis was away just then. Then it tells the apps that listen, which must not
// find the old in a cache when they ask: once, though what is published again may have its keys dropped again. An event
// that cannot be read holds up no other.
func (r *Relay) dropKeys(ctx context.Context, rows []outboxRow) ([]uuid.UUID, error) {
	var keys, updates []string
	var ids []uuid.UUID
	var failure error
	for _, row := range rows {
		if d, known := find(row.Name); known {
			k, err := d.keys(row.Payload)
			update, liveErr := d.live(row.Payload)
			if err := errors.Join(err, liveErr); err != nil {
				failure = errors.Join(failure, err)
				continue
			}
			keys = append(keys, k...)
			if update != "" && !row.Dropped {
				updates = append(updates, update)
			}
		}
		ids = append(ids, row.ID)
	}
	err := r.cache.DropForSure(ctx, keys...)
	if err == nil && len(updates) > 0 {
		_, err = r.cache.Announce(ctx, updates...)
	}
	if err != nil {
		return nil, errors.Join(failure, fmt.Errorf("cache of %d events: %w", len(rows), err))
	}
	return ids, failure
}

// enqueue puts one task for each consumer into the queue, and answers the events of which every task is there.
func (r *Relay) enqueue(ctx context.Context, rows []outboxRow) ([]uuid.UUID, error) {
	var group errgroup.Group
	group.SetLimit(relayWriters)
	done := make([]bool, len(rows))
	for i, row := range rows {
		if row.Published {
			continue
		}
		group.Go(func() error {
			err := r.publish(ctx, row)
			done[i] = err == nil
			return err
		})
	}
	err := group.Wait()
	var ids []uuid.UUID
	for i, row := range rows {
		if done[i] {
			ids = append(ids, row.ID)
		}
	}
	return ids, err
}

func (r *Relay) publish(ctx context.Context, row outboxRow) error {
	d, known := find(row.Name)
	if !known {
		return fmt.Errorf("event %s %s is not in the catalogue", row.Name, row.ID)
	}
	ctx, span := r.tel.Tracer.Start(telemetry.Continue(ctx, row.Trace), "publish "+row.Name, trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	parent := telemetry.TraceParent(ctx)
	for _, consumer := range d.consumers() {
		task, err := NewTask(row.Name, row.ID, row.CreatedAt, row.Payload, parent, consumer)
		if err != nil {
			return err
		}
		if _, err := r.client.EnqueueContext(ctx, task); err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) { // a conflict: it is there already
			return fmt.Errorf("enqueue %s for %s: %w", row.Name, consumer, err)
		}
	}
	return nil
}

// settleInTime settles also when a stop has cut the turn short: rows that stay claimed wait until their lease is over.
func (r *Relay) settleInTime(ctx context.Context, rows []outboxRow, seen queueMark, published, dropped []uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	return r.settle(ctx, rows, seen, published, dropped)
}

// settle records what became of the claimed rows and moves the high-water mark. The mark follows the enqueues: whatever
// state an append-only file is cut back to, everything up to the mark in it is in it too.
func (r *Relay) settle(ctx context.Context, rows []outboxRow, seen queueMark, published, dropped []uuid.UUID) error {
	ids := make([]uuid.UUID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	mark, _, err := pg.Scalar[*int64](ctx, r.db, `
		WITH settled AS (
			UPDATE outbox SET claimed_until = NULL,
				dropped_at = CASE WHEN id = ANY(@dropped::uuid[]) THEN coalesce(dropped_at, now()) ELSE dropped_at END,
				published_seq = CASE WHEN published_at IS NULL AND id = ANY(@published::uuid[]) THEN nextval('outbox_published') ELSE published_seq END,
				published_life = CASE WHEN published_at IS NULL AND id = ANY(@published::uuid[]) THEN @life ELSE published_life END,
				published_at = CASE WHEN id = ANY(@published::uuid[]) THEN coalesce(published_at, now()) ELSE published_at END
			WHERE id = ANY(@ids::uuid[]) RETURNING published_seq)
		SELECT max(published_seq) FROM settled`,
		pgx.NamedArgs{"ids": ids, "published": published, "dropped": dropped, "life": seen.life})
	if err != nil {
		return fmt.Errorf("settle %d events: %w", len(rows), err)
	}
	if mark == nil || len(published) == 0 {
		return nil
	}
	if err := raiseScript.Run(ctx, r.queue, []string{r.markKey()}, seen.life, *mark, seen.seq).Err(); err != nil {
		return fmt.Errorf("raise the high-water mark: %w", err)
	}
	return nil
}

// The mark is a hash of the queue's life and the last event published in it. It is raised only within the life that the
// events were put into: if the queue was emptied meanwhile, they are gone, and their rows say so by their life. Nor is it
// raised where it is behind what the turn saw at its beginning: an older queue came back meanwhile, whose mark must go on
// saying what it lacks.
var (
	raiseScript = redis.NewScript(`
if redis.call('HGET', KEYS[1], 'life') ~= ARGV[1] then return 0 end
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq'))
if seq >= tonumber(ARGV[3]) and tonumber(ARGV[2]) > seq then
	redis.call('HSET', KEYS[1], 'seq', ARGV[2])
end
return 0`)
	beginScript = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'life', ARGV[1], 'seq', 0) end
return redis.call('HMGET', KEYS[1], 'life', 'seq')`)
)

func (r *Relay) markKey() string { return "hearth:published:" + r.service }

// queueMark is the mark as it stands in the queue.
type queueMark struct{ life, seq int64 }

type highWater struct {
	Seq    *int64 // none: nothing is published yet
	Oldest *int64 // life among the published
	Newest *int64
	Waited float64 // seconds, the oldest that is not published; 0: none
}

// repair publishes again what the queue has forgotten: its mark is missing, or behind the database's, when Redis lost
// everything or came back with an older file. Consumers that had an event already drop it by their inbox. It answers
// the queue's present mark.
func (r *Relay) repair(ctx context.Context) (seen queueMark, err error) {
	ours, _, err := pg.One[highWater](ctx, r.db, `
		SELECT (SELECT max(published_seq) FROM outbox WHERE published_seq IS NOT NULL) AS seq,
			(SELECT min(published_life) FROM outbox WHERE published_life IS NOT NULL) AS oldest,
			(SELECT max(published_life) FROM outbox WHERE published_life IS NOT NULL) AS newest,
			coalesce((SELECT CASE WHEN published_at IS NULL THEN extract(epoch FROM clock_timestamp() - created_at)::float8 END
				FROM outbox WHERE published_at IS NULL OR dropped_at IS NULL
				ORDER BY published_at IS NOT NULL, created_at LIMIT 1), 0) AS waited`, nil)
	if err != nil {
		return seen, fmt.Errorf("database's high-water mark: %w", err)
	}
	r.waiting.Set(max(ours.Waited, 0))
	if seen, err = r.mark(ctx); err != nil {
		return seen, err
	}
	if ours.Seq == nil || (*ours.Oldest == seen.life && *ours.Newest == seen.life && seen.seq >= *ours.Seq) {
		return seen, nil
	}
	n, err := pg.Exec(ctx, r.db, `
		UPDATE outbox SET published_at = NULL, published_seq = NULL, published_life = NULL, claimed_until = NULL
		WHERE (published_life < @life OR published_life > @life OR published_seq > @mark) AND published_seq <= @ours`,
		pgx.NamedArgs{"life": seen.life, "mark": seen.seq, "ours": *ours.Seq})
	if err != nil {
		return seen, fmt.Errorf("publish again: %w", err)
	}
	r.log.WarnContext(ctx, "the queue may have lost events; they are published again", "events", n)
	return seen, nil
}

// mark reads the queue's mark, and begins a new life where there is none.
func (r *Relay) mark(ctx context.Context) (seen queueMark, err error) {
	ctx, cancel := context.WithTimeout(ctx, markTime)
	defer cancel()
	values, err := r.queue.HMGet(ctx, r.markKey(), "life", "seq").Result()
	if err == nil && values[0] == nil {
		var next int64
		if next, _, err = pg.Scalar[int64](ctx, r.db, `SELECT nextval('outbox_lives')`, nil); err != nil {
			return seen, fmt.Errorf("begin the queue's life: %w", err)
		}
		values, err = beginScript.Run(ctx, r.queue, []string{r.markKey()}, next).Slice()
	}
	if err != nil {
		return seen, fmt.Errorf("queue's high-water mark: %w", err)
	}
	lifeText, _ := values[0].(string)
	seqText, _ := values[1].(string)
	var lifeErr, seqErr error
	seen.life, lifeErr = strconv.ParseInt(lifeText, 10, 64)
	seen.seq, seqErr = strconv.ParseInt(seqText, 10, 64)
	if err := errors.Join(lifeErr, seqErr); err != nil {
		return seen, fmt.Errorf("queue's high-water mark: %w", err)
	}
	return seen, nil
}

func (r *Relay) sweepOrSay(ctx context.Context) {
	if err := r.sweep(ctx); err != nil && ctx.Err() == nil {
		r.log.ErrorContext(ctx, "outbox not swept", "error", err)
	}
	unknown, _, err := pg.Scalar[int](ctx, r.db, `
		SELECT count(*) FROM outbox WHERE (published_at IS NULL OR dropped_at IS NULL) AND name <> ALL(@known::text[])`,
		pgx.NamedArgs{"known": names()})
	if err == nil && unknown > 0 {
		r.log.WarnContext(ctx, "events that are not in the catalogue wait for a version that knows them", "events", unknown)
	}
}

// sweep removes what is older than anybody needs.
func (r *Relay) sweep(ctx context.Context) error {
	for _, statement := range []string{
		`DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE published_at < now() - make_interval(secs => @outbox) AND dropped_at IS NOT NULL LIMIT @batch)`,
		`DELETE FROM inbox WHERE event_id IN (SELECT event_id FROM inbox WHERE received_at < now() - make_interval(secs => @inbox) LIMIT @batch)`,
	} {
		if err := pg.Sweep(ctx, r.db, statement, pgx.NamedArgs{"outbox": keepOutbox.Seconds(), "inbox": keepInbox.Seconds()}); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// Flush publishes what waits now; at a stop, after the last request.
func (r *Relay) Flush(ctx context.Context) error {
	for {
		full, err := r.turn(ctx)
		if err != nil {
			return fmt.Errorf("flush outbox: %w", err)
		}
		if !full {
			return nil
		}
	}
}
