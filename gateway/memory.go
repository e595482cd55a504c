package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/cache"
)

const (
	rememberedTokens = 5000
	rememberedFor    = 5 * time.Minute
	pingEvery        = 250 * time.Millisecond
	silence          = 700 * time.Millisecond // then the channel counts as lost
	resubscribeAfter = 100 * time.Millisecond
	// distrust is how long after an interruption the shared cache is not believed either: a session that ended while
	// Redis was away is dropped from it only when auth's relay has found Redis again.
	distrust = 3 * time.Second
)

// hash is the SHA-256 of a token.
type hash [32]byte

// memory is the gateway's own cache of sessions. What is in it may be used only while the channel that announces
// revocations is alive, which a ping proves every quarter of a second: so a token that was revoked is dead here at once,
// or, when the announcement could not arrive, as soon as the silence is noticed.
type memory struct {
	rdb      redis.UniversalClient
	log      *slog.Logger
	born     time.Time
	heard    atomic.Int64 // of the channel, as time since born; 0: not subscribed
	believed atomic.Int64 // the shared cache is believed from then on
	// ended and unsure are told, after the memory has forgotten, that a session has ended, or that any may have.
	ended  func(token hash)
	unsure func()

	// mu orders fills and revocations: what was loaded before a revocation is never stored after it.
	mu       sync.Mutex
	epoch    uint64 // moves with every revocation and every interruption
	sessions *expirable.LRU[hash, *session]
}

func newMemory(rdb redis.UniversalClient, log *slog.Logger) *memory {
	return &memory{
		rdb: rdb, log: log, born: time.Now().Add(-time.Hour), ended: func(hash) {}, unsure: func() {},
		sessions: expirable.NewLRU[hash, *session](rememberedTokens, nil, rememberedFor),
	}
}

// alive reports whether the channel has been heard of lately.
func (m *memory) alive(now time.Time) bool {
	heard := m.heard.Load()
	return heard != 0 && now.Sub(m.born)-time.Duration(heard) < silence
}

// sharedBelieved reports whether the shared cache may be asked.
func (m *memory) sharedBelieved(now time.Time) bool {
	return m.alive(now) && now.Sub(m.born) >= time.Duration(m.believed.Load())
}

func (m *memory) get(token hash, now time.Time) *session {
	if !m.alive(now) {
		return nil
	}
	s, _ := m.sessions.Get(token)
	return s
}

// began is to be asked before a session is loaded, and its answer given to put.
func (m *memory) began() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch
}

// put remembers a session, unless something was revoked since it began to load.
func (m *memory) put(token hash, s *session, began uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch == began && m.alive(time.Now()) {
		m.sessions.Add(token, s)
	}
}

func (m *memory) revoke(token hash) {
	m.mu.Lock()
	m.epoch++
	m.sessions.Remove(token)
	m.mu.Unlock()
	m.ended(token)
}

// purge forgets every session.
func (m *memory) purge() {
	m.mu.Lock()
	m.epoch++
	m.sessions.Purge()
	m.mu.Unlock()
	m.unsure()
}

// lost forgets everything until the channel is back.
func (m *memory) lost() {
	m.heard.Store(0)
	m.purge()
}

func (m *memory) hear() { m.heard.Store(int64(time.Since(m.born))) }

// listen follows the channel until ctx ends.
func (m *memory) listen(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		err := m.subscribe(ctx, first)
		m.lost()
		if ctx.Err() != nil {
			return
		}
		m.log.WarnContext(ctx, "the revocation channel is lost: every token is checked with auth", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(resubscribeAfter):
		}
	}
}

// subscribe follows one connection. Any error, and any silence, ends it: what was said meanwhile is unknown.
func (m *memory) subscribe(ctx context.Context, first bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	channel := m.rdb.Subscribe(ctx, cache.RevokedChannel(m.rdb))
	defer func() { _ = channel.Close() }()
	context.AfterFunc(ctx, func() { _ = channel.Close() }) // a stop does not wait for the next message
	if _, err := m.receive(ctx, channel); err != nil {
		return err
	}
	if !first {
		m.believed.Store(int64(time.Since(m.born) + distrust))
	}
	m.hear()
	go func() {
		for ctx.Err() == nil {
			if channel.Ping(ctx) != nil {
				return // the silence will be noticed
			}
			select {
			case <-ctx.Done():
			case <-time.After(pingEvery):
			}
		}
	}()
	for {
		message, err := m.receive(ctx, channel)
		if err != nil {
			return err
		}
		switch message := message.(type) {
		case *redis.Message:
			m.announced(message.Payload)
		case *redis.Subscription:
			return errors.New("the connection was replaced")
		}
		m.hear()
	}
}

func (m *memory) receive(ctx context.Context, channel *redis.PubSub) (any, error) {
	message, err := channel.ReceiveTimeout(ctx, silence)
	if err != nil {
		return nil, fmt.Errorf("revocation channel: %w", err)
	}
	return message, nil
}

// announced forgets one session; an announcement that cannot be read could be about any.
func (m *memory) announced(payload string) {
	raw, err := hex.DecodeString(payload)
	if err != nil || len(raw) != len(hash{}) {
		m.purge()
		return
	}
	m.revoke(hash(raw))
}
