package gateway

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/telemetry"
)

const (
	livePerPerson = 10 // streams; one more closes the oldest
	heartbeat     = 25 * time.Second
	// regroupedFor is longer than an opening can take.
	regroupedFor = time.Minute
)

// liveID is the place of an entry in the stream: Redis counts milliseconds, and within one.
type liveID struct{ ms, seq uint64 }

func parseLiveID(text string) (liveID, bool) {
	before, after, ok := bytes.Cut([]byte(text), []byte("-"))
	ms, err := strconv.ParseUint(string(before), 10, 63)
	seq, seqErr := strconv.ParseUint(string(after), 10, 63)
	if !ok || err != nil || seqErr != nil {
		return liveID{}, false
	}
	return liveID{ms, seq}, true
}

func (a liveID) String() string { return fmt.Sprintf("%d-%d", a.ms, a.seq) }

func (a liveID) compare(b liveID) int {
	return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.seq, b.seq))
}

// place is how far the stream has been handed on. Entries of different lives say nothing of each other: between them some
// may have been lost.
type place struct {
	life int
	id   liveID
}

// broadcast knows who listens, and hands on what the stream says. A subscriber hears every entry after the position at
// which it was added.
type broadcast struct {
	rdb       redis.UniversalClient
	cache     *cache.Cache
	tokens    *tokens
	directory *access.Directory
	tel       *telemetry.Telemetry
	log       *slog.Logger
	open      prometheus.Gauge
	delivered prometheus.Counter
	closed    *prometheus.CounterVec
	lag       prometheus.Gauge
	readers   sync.WaitGroup // of subscribers whose connections are open

	mu        sync.Mutex
	at        place
	following bool
	stopping  bool
	all       map[*subscriber]struct{}
	byUser    map[uuid.UUID][]*subscriber // the oldest first
	byHome    map[uuid.UUID][]*subscriber
	byToken   map[hash][]*subscriber
	// regrouped is which entry has changed lately what a person sees: who was looked up before must be looked up again.
	regrouped map[uuid.UUID]regrouping
}

type regrouping struct {
	by liveID
	at time.Time
}

func newBroadcast(rdb redis.UniversalClient, c *cache.Cache, t *tokens, directory *access.Directory, tel *telemetry.Telemetry) *broadcast {
	b := &broadcast{
		rdb: rdb, cache: c, tokens: t, directory: directory, tel: tel, log: tel.Log,
		open:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "hearth_live_streams", Help: "Streams of live updates that are open."}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{Name: "hearth_live_events_total", Help: "Live updates handed to streams."}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_live_closed_total",
			Help: "Streams closed, by reason: gone (the client), slow, session, lost (Redis), regrouped, age, many, stop, failed (at its beginning).",
		}, []string{"reason"}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hearth_live_lag_seconds", Help: "Age of the live update that was handed on last, by Redis' clock and ours.",
		}),
		all: map[*subscriber]struct{}{}, byUser: map[uuid.UUID][]*subscriber{}, byHome: map[uuid.UUID][]*subscriber{},
		byToken: map[hash][]*subscriber{}, regrouped: map[uuid.UUID]regrouping{},
	}
	tel.Registry.MustRegister(b.open, b.delivered, b.closed, b.lag)
	t.memory.ended, t.memory.unsure = b.endSession, func() { b.dropAll("lost") }
	return b
}

// position is how far the stream has been handed on, and whether it goes on.
func (b *broadcast) position() (place, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at, b.following && !b.stopping
}

// add enters a subscriber whose homes were looked up after the entry known, and answers after which entry it hears all.
// It fails when what the person sees has changed since, and when nothing is to be heard.
func (b *broadcast) add(s *subscriber, known place) (liveID, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, regrouped := b.regrouped[s.user]
	if !b.following || b.stopping || known.life != b.at.life || regrouped && r.by.compare(known.id) > 0 {
		return liveID{}, false
	}
	if own := b.byUser[s.user]; len(own) >= livePerPerson {
		b.finish(own[0], "many")
	}
	if s.after.compare(b.at.id) < 0 {
		s.after = b.at.id
	}
	b.all[s] = struct{}{}
	b.byUser[s.user] = append(b.byUser[s.user], s)
	b.byToken[s.token] = append(b.byToken[s.token], s)
	for _, home := range s.homes {
		b.byHome[home] = append(b.byHome[home], s)
	}
	b.readers.Add(1)
	b.open.Inc()
	return b.at.id, true
}

// remove takes a subscriber out, and reports whether it was in. Callers hold the lock.
func (b *broadcast) remove(s *subscriber, reason string) bool {
	if _, in := b.all[s]; !in {
		return false
	}
	delete(b.all, s)
	without(b.byUser, s.user, s)
	without(b.byToken, s.token, s)
	for _, home := range s.homes {
		without(b.byHome, home, s)
	}
	b.open.Dec()
	b.closed.WithLabelValues(reason).Inc()
	return true
}

func without[K comparable](index map[K][]*subscriber, key K, s *subscriber) {
	left := slices.DeleteFunc(index[key], func(other *subscriber) bool { return other == s })
	if len(left) == 0 {
		delete(index, key)
		return
	}
	index[key] = left
}

// withdraw takes a subscriber out whose connection is still to be used.
func (b *broadcast) withdraw(s *subscriber, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove(s, reason)
}

// drop closes a subscriber's connection at once.
func (b *broadcast) drop(s *subscriber, reason string) {
	b.withdraw(s, reason)
	s.close()
}

// finish lets a subscriber have what is in its queue, and then closes. Callers hold the lock.
func (b *broadcast) finish(s *subscriber, reason string) {
	if b.remove(s, reason) {
		s.finish()
	}
}

// endSession closes the streams of a token that is no longer good.
func (b *broadcast) endSession(token hash) {
	b.mu.Lock()
	doomed := slices.Clone(b.byToken[token])
	b.mu.Unlock()
	for _, s := range doomed {
		b.drop(s, "session")
	}
}

func (b *broadcast) dropAll(reason string) {
	b.mu.Lock()
	doomed := make([]*subscriber, 0, len(b.all))
	for s := range b.all {
		doomed = append(doomed, s)
	}
	b.mu.Unlock()
	for _, s := range doomed {
		b.drop(s, reason)
	}
}

// stop ends all streams, and returns when their connections are closed or ctx ends.
func (b *broadcast) stop(ctx context.Context) error {
	b.mu.Lock()
	b.stopping = true
	for s := range b.all {
		b.finish(s, "stop")
	}
	b.mu.Unlock()
	closed := make(chan struct{})
	go func() { b.readers.Wait(); close(closed) }()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("live streams: %w", ctx.Err())
	}
}

// begins puts the position to where the reader starts. Nobody is subscribed then.
func (b *broadcast) begins(at liveID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at, b.following = place{b.at.life + 1, at}, true
}

// breaks says that entries may be missed from now on: everybody is to come again with what they have heard last.
func (b *broadcast) breaks() {
	b.mu.Lock()
	b.following = false
	b.mu.Unlock()
	b.dropAll("lost")
}

// deliver hands entries on, in their order.
func (b *broadcast) deliver(entries []liveEntry) {
	if len(entries) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range entries {
		b.at.id = e.id
		if e.begin {
			b.reset()
			continue
		}
		for _, home := range e.update.ResidenceIDs {
			b.tell(b.byHome[home], e, home)
		}
		for _, user := range e.update.UserIDs {
			b.tell(b.byUser[user], e, uuid.Nil)
		}
		for _, user := range e.update.Regrouped {
			b.regrouped[user] = regrouping{e.id, time.Now()}
			for _, s := range slices.Clone(b.byUser[user]) {
				b.finish(s, "regrouped")
			}
		}
	}
	last := time.UnixMilli(int64(b.at.id.ms)) //nolint:gosec // 63 bits, by parseLiveID
	b.lag.Set(max(time.Since(last).Seconds(), 0))
}

// tell hands an entry to subscribers who have not heard it, each of whom sees the home; none: they are named in the entry.
// Callers hold the lock.
func (b *broadcast) tell(to []*subscriber, e liveEntry, home uuid.UUID) {
	var frame []byte
	var slow []*subscriber
	for _, s := range to {
		if e.id.compare(s.after) <= 0 {
			continue
		}
		if frame == nil {
			frame = e.frame(home)
		}
		s.after = e.id
		if !s.push(frame) {
			slow = append(slow, s)
			continue
		}
		b.delivered.Inc()
	}
	for _, s := range slow {
		b.remove(s, "slow")
		s.close()
	}
}

// reset tells everybody that what was before is not known, and sends them away: among what was lost may be what they see.
// Callers hold the lock.
func (b *broadcast) reset() {
	b.at.life++
	frame := appendEvent(nil, b.at.id, "reset", []byte(`{"type":"reset"}`))
	for s := range b.all {
		s.push(frame)
		b.finish(s, "lost")
	}
}

// tick ends what is old, and lets the others hear that we are there; it forgets the regroupings that nobody needs.
func (b *broadcast) tick(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.all {
		switch {
		case now.After(s.ends):
			b.finish(s, "age")
		case now.After(s.beats):
			s.beats = now.Add(heartbeat)
			if !s.push(comment) {
				b.remove(s, "slow")
				s.close()
			}
		}
	}
	for user, r := range b.regrouped {
		if now.Sub(r.at) > regroupedFor {
			delete(b.regrouped, user)
		}
	}
}
