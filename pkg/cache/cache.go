// Package cache keeps answers in the cache Redis so that a warm request needs no SQL.
//
// It may lose anything at any time and may be down: then everything goes straight to its source, without an error. It
// never serves a value that was loaded before an invalidation and stored after it: whoever misses takes the key's
// generation before loading and may store only while that generation stands; Drop removes value and generation both.
// (The leases of Nishtala et al., "Scaling Memcache at Facebook", NSDI 2013, section 3.2.1, with one lease shared by
// all who miss.) A generation that is evicted only costs a fill, never correctness.
package cache

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"

	"hearth.internal/pkg/telemetry"
)

// fillTime bounds a load that several requests wait for; it is also the life of a generation.
const fillTime = 15 * time.Second

// RevokedChannel is where every token that is no longer good is announced, by its hash. Redis keeps its numbered
// databases apart but not their channels, so the number is part of the name: an installation hears its own alone.
func RevokedChannel(rdb redis.UniversalClient) string {
	if single, ok := rdb.(*redis.Client); ok {
		return fmt.Sprintf("hearth:revoked:%d", single.Options().DB)
	}
	return "hearth:revoked:0" // a cluster has one database
}

// Cache is a service's view of the cache Redis.
type Cache struct {
	rdb      redis.UniversalClient
	patience time.Duration
	flights  singleflight.Group
	breaker  *gobreaker.CircuitBreaker[any]
	log      *slog.Logger
	lookups  *prometheus.CounterVec
}

// New makes a cache on the client. A request waits for it no longer than the patience, then it goes to the source. The
// caller closes the client.
func New(rdb redis.UniversalClient, patience time.Duration, tel *telemetry.Telemetry) *Cache {
	c := &Cache{rdb: rdb, patience: patience, log: tel.Log}
	c.lookups = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hearth_cache_lookups_total", Help: "Cache look-ups by result: hit, miss, or away when Redis did not answer in time.",
	}, []string{"result"})
	tel.Registry.MustRegister(c.lookups)
	c.breaker = gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		Name: "cache", MaxRequests: 1, Timeout: 500 * time.Millisecond,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= 5 },
		IsSuccessful: func(err error) bool {
			return err == nil || errors.Is(err, redis.Nil) || errors.Is(err, context.Canceled)
		},
		OnStateChange: func(_ string, from, to gobreaker.State) {
			c.log.Warn("cache Redis", "from", from.String(), "to", to.String())
		},
	})
	return c
}

// do runs one journey to Redis with the cache's patience. While Redis is away it fails at once.
func (c *Cache) do(ctx context.Context, journey func(context.Context) error) error {
	_, err := c.breaker.Execute(func() (any, error) {
		ctx, cancel := context.WithTimeout(ctx, c.patience)
		defer cancel()
		return nil, journey(ctx)
	})
	return err // callers look for redis.Nil
}

// Load answers the value at the key, from the cache or else from load; concurrent misses load once, unless Redis is
// away. A load's error is answered and nothing stored.
func Load[T any](ctx context.Context, c *Cache, key string, ttl time.Duration, load func(context.Context) (T, error)) (T, error) {
	return LoadFor(ctx, c, key, func(ctx context.Context) (T, time.Duration, error) {
		value, err := load(ctx)
		return value, ttl, err
	})
}

// LoadFor is Load of a value that itself says how long it is good for. What is good for less than a millisecond is answered and
// not stored.
func LoadFor[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, time.Duration, error)) (T, error) {
	if value, found := get[T](ctx, c, key); found {
		return value, nil
	}
	generation := c.generation(ctx, key)
	if generation == "" {
		value, _, err := load(ctx)
		return value, err
	}
	// Misses share a load of their own generation only: one that began before a drop answers nobody who asks after it.
	// The one who loads may go away while others wait: the load outlives its request, within bounds.
	result := c.flights.DoChan(key+" "+generation, func() (_ any, err error) {
		// It runs on a goroutine of its own, where a panic would end the process and not only the request.
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("load %s: panic: %v\n%s", kindOf(key), r, debug.Stack())
			}
		}()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fillTime)
		defer cancel()
		value, ttl, err := load(ctx)
		if err == nil && ttl >= time.Millisecond {
			c.fill(ctx, key, generation, value, ttl)
		}
		return value, err
	})
	var zero T
	select {
	case <-ctx.Done():
		return zero, fmt.Errorf("wait for %s: %w", kindOf(key), ctx.Err())
	case r := <-result:
		if r.Err != nil {
			return zero, r.Err
		}
		return r.Val.(T), nil // a key belongs to one owner and so to one type
	}
}

func get[T any](ctx context.Context, c *Cache, key string) (T, bool) {
	var value T
	var raw []byte
	err := c.do(ctx, func(ctx context.Context) (err error) {
		raw, err = c.rdb.Get(ctx, key).Bytes()
		return err // compared with redis.Nil below
	})
	switch {
	case errors.Is(err, redis.Nil):
		c.lookups.WithLabelValues("miss").Inc()
		return value, false
	case err != nil:
		c.lookups.WithLabelValues("away").Inc()
		return value, false
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		// Another version of the program wrote it.
		c.log.WarnContext(ctx, "cache value is not readable", "kind", kindOf(key), "error", err)
		return value, false
	}
	c.lookups.WithLabelValues("hit").Inc()
	return value, true
}

// generation joins the key's generation or starts one; empty when Redis does not answer, or the key is dropped just now.
func (c *Cache) generation(ctx context.Context, key string) string {
	var current *redis.StringCmd
	err := c.do(ctx, func(ctx context.Context) error {
		_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.SetNX(ctx, generationKey(key), rand.Text(), fillTime)
			current = p.Get(ctx, generationKey(key))
			return nil
		})
		return err // only its presence counts
	})
	if err != nil {
		return ""
	}
	return current.Val()
}

// fillScript stores KEYS[1] only while KEYS[2] still holds the generation that the filler took before it loaded.
var fillScript = redis.NewScript(`
if redis.call('GET', KEYS[2]) == ARGV[1] then
	redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
	return 1
end
return 0`)

func (c *Cache) fill(ctx context.Context, key, generation string, value any, ttl time.Duration) {
	raw, err := json.Marshal(value)
	if err != nil {
		c.log.ErrorContext(ctx, "cache value cannot be stored", "kind", kindOf(key), "error", err)
		return
	}
	err = c.do(ctx, func(ctx context.Context) error {
		return fillScript.Run(ctx, c.rdb, []string{key, generationKey(key)}, generation, raw, ttl.Milliseconds()).Err()
	})
	if err != nil {
		c.log.DebugContext(ctx, "cache not filled", "kind", kindOf(key), "error", err)
	}
}

// Drop removes the keys now, after a commit; one that ends in * is every key that begins so. When Redis does not answer in time the event relay will drop them again,
// so that is no error here.
func (c *Cache) Drop(ctx context.Context, keys ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.patience)
	defer cancel()
	if err := c.drop(ctx, keys); err != nil {
		c.log.WarnContext(ctx, "cache keys left for the relay to drop", "count", len(keys), "error", err)
	}
}

// DropForSure removes the keys or says that it could not.
func (c *Cache) DropForSure(ctx context.Context, keys ...string) error { return c.drop(ctx, keys) }

// drop announces a dropped token only after it is gone from here: on a cluster the commands of one pipeline go to their
// nodes at the same time, and a gateway that heard first could read the old value back.
func (c *Cache) drop(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	var tokens, prefixes []string
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			if prefix, every := strings.CutSuffix(key, "*"); every {
				prefixes = append(prefixes, prefix)
				continue
			}
			p.Unlink(ctx, key, generationKey(key))
			if hash, isToken := tokenHash(key); isToken {
				tokens = append(tokens, hash)
			}
		}
		return nil
	})
	for _, prefix := range prefixes {
		if err == nil {
			err = c.dropEvery(ctx, prefix)
		}
	}
	if err == nil && len(tokens) > 0 {
		_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, hash := range tokens {
				p.Publish(ctx, RevokedChannel(c.rdb), hash)
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("drop %d cache keys: %w", len(keys), err)
	}
	return nil
}

// scanBatch is how many keys a server looks at before it answers; it serves nobody else meanwhile.
const scanBatch = 1000

// dropEvery removes every key that begins so, wherever it is. It looks through all keys, and is for what hardly ever
// changes. Tokens are not dropped so: nobody would announce them.
func (c *Cache) dropEvery(ctx context.Context, prefix string) error {
	each := func(ctx context.Context, node *redis.Client) error {
		// The generations go first: with them goes the right of whoever is loading to store what they read before. What
		// they have stored until then is there when the values are looked for, and SCAN misses nothing that is there from
		// its beginning to its end.
		if err := c.dropMatching(ctx, node, generationKey(prefix+"*")); err != nil {
			return err
		}
		return c.dropMatching(ctx, node, prefix+"*")
	}
	switch rdb := c.rdb.(type) {
	case *redis.ClusterClient:
		return rdb.ForEachMaster(ctx, each)
	case *redis.Client:
		return each(ctx, rdb)
	}
	return fmt.Errorf("keys of a %T cannot be listed", c.rdb)
}

// dropMatching removes the keys of one server; each by itself, because on a cluster they are of many slots.
func (c *Cache) dropMatching(ctx context.Context, node *redis.Client, pattern string) error {
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, pattern, scanBatch).Result()
		if err == nil && len(keys) > 0 {
			_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range keys {
					p.Unlink(ctx, key)
				}
				return nil
			})
		}
		if err != nil || next == 0 {
			return err // named by the caller
		}
		cursor = next
	}
}

// Revisions answers one opaque state for each residence, in order; any change to a residence gives it another. It
// reports false when the cache cannot know, and then nobody may answer 304.
func (c *Cache) Revisions(ctx context.Context, residences []uuid.UUID) ([]string, bool) {
	if len(residences) == 0 {
		return nil, true
	}
	states := make([]string, len(residences))
	err := c.do(ctx, func(ctx context.Context) error {
		found := make([]*redis.StringCmd, len(residences))
		_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range residences {
				found[i] = p.Get(ctx, RevisionKey(id))
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return err // only its presence counts
		}
		var missing []int
		for i := range found {
			states[i] = found[i].Val()
			if states[i] == "" {
				missing = append(missing, i)
			}
		}
		return c.startRevisions(ctx, residences, states, missing)
	})
	return states, err == nil
}

// startRevisions gives the missing ones a state. Random, not counted: a counter that was evicted would begin again and
// meet its own past.
func (c *Cache) startRevisions(ctx context.Context, residences []uuid.UUID, states []string, missing []int) error {
	if len(missing) == 0 {
		return nil
	}
	now := make([]*redis.StringCmd, len(missing))
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, at := range missing {
			p.SetNX(ctx, RevisionKey(residences[at]), rand.Text(), RevisionTTL)
			now[i] = p.Get(ctx, RevisionKey(residences[at]))
		}
		return nil
	})
	if err != nil {
		return err // only its presence counts
	}
	for i, at := range missing {
		states[at] = now[i].Val()
	}
	return nil
}

// generationKey shares the value key's hash slot, so that the fill script works on a cluster.
func generationKey(key string) string { return "{" + key + "}:gen" }

// kindOf is the part of a key that names no person.
func kindOf(key string) string {
	for i := len(key) - 1; i > len(prefix); i-- {
		if key[i] == ':' {
			return key[len(prefix):i]
		}
	}
	return key
}
