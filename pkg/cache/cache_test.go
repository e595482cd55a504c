package cache_test

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/redisx"
	"hearth.internal/pkg/stores"
	"hearth.internal/pkg/telemetry"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	ttl      = time.Minute
	patience = 50 * time.Millisecond
)

// newCache is one process's view of the Redis at url, with connections already open.
func newCache(t *testing.T, url string) (*cache.Cache, redis.UniversalClient) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	rdb, err := redisx.Open(url, 64, tel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return cache.New(rdb, patience, tel), rdb
}

func value[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

func load[T any](t *testing.T, c *cache.Cache, key string, from func(context.Context) (T, error)) T {
	t.Helper()
	v, err := cache.Load(t.Context(), c, key, ttl, from)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAValueIsLoadedOnceUntilItIsDropped(t *testing.T) {
	c, rdb := newCache(t, testkit.Redis(t))
	type thing struct {
		Name  string
		Parts []int
	}
	want := thing{"a", []int{1, 2}}
	if got := load(t, c, "hearth:k", value(want)); got.Name != "a" {
		t.Errorf("first %v", got)
	}
	if got := load(t, c, "hearth:k", value(thing{"b", nil})); got.Name != want.Name || !slices.Equal(got.Parts, want.Parts) {
		t.Errorf("warm %v", got)
	}
	if left := rdb.PTTL(t.Context(), "hearth:k").Val(); left <= 0 || left > ttl {
		t.Errorf("lives %v", left)
	}
	c.Drop(t.Context(), "hearth:other", "hearth:k")
	if got := load(t, c, "hearth:k", value(thing{"b", nil})); got.Name != "b" {
		t.Errorf("after the drop %v", got)
	}
	c.Drop(t.Context()) // nothing
}

func TestAFailedLoadIsAnsweredAndNotStored(t *testing.T) {
	c, _ := newCache(t, testkit.Redis(t))
	broken := errors.New("broken")
	if _, err := cache.Load(t.Context(), c, "hearth:k", ttl, func(context.Context) (int, error) { return 1, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got := load(t, c, "hearth:k", value(2)); got != 2 {
		t.Errorf("loaded %d", got)
	}
}

func TestALoadThatPanicsFailsAlone(t *testing.T) {
	c, _ := newCache(t, testkit.Redis(t))
	if _, err := cache.Load(t.Context(), c, "hearth:kind:k", ttl, func(context.Context) (int, error) { panic("a bug") }); err == nil || !strings.Contains(err.Error(), "kind: panic: a bug") {
		t.Errorf("error %v", err)
	}
	if got := load(t, c, "hearth:kind:k", value(2)); got != 2 {
		t.Errorf("loaded %d", got)
	}
}

func TestWhatCannotBeReadIsLoadedAnew(t *testing.T) {
	c, rdb := newCache(t, testkit.Redis(t))
	if err := rdb.Set(t.Context(), "hearth:k", `{"another":"version"`, ttl).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := load(t, c, "hearth:k", value(2)); got != 2 {
			t.Errorf("loaded %d", got)
		}
	}
}

// paused is a load that has read its source and not answered yet.
func paused[T any](v T) (from func(context.Context) (T, error), reading <-chan struct{}, resume func()) {
	begun, gate := make(chan struct{}), make(chan struct{})
	return func(context.Context) (T, error) {
		close(begun)
		<-gate
		return v, nil
	}, begun, func() { close(gate) }
}

func TestWhatWasReadBeforeADropIsNeverStoredAfterIt(t *testing.T) {
	url := testkit.Redis(t)
	here, rdb := newCache(t, url)
	there, _ := newCache(t, url)
	const many = "hearth:many:"
	for name, c := range map[string]struct {
		dropper *cache.Cache
		drops   string // instead of the key itself
	}{
		"dropped by the same process": {here, ""}, "dropped by another": {there, ""},
		"dropped with all of its kind": {here, many + "*"}, "dropped with all of its kind by another": {there, many + "*"},
	} {
		t.Run(name, func(t *testing.T) {
			key, dropper := many+name, c.dropper
			drops := cmp.Or(c.drops, key)
			slow, reading, resume := paused("old")
			ended := make(chan string, 1)
			go func() {
				v, _ := cache.Load(t.Context(), here, key, ttl, slow) // it never fails
				ended <- v
			}()
			<-reading
			dropper.Drop(t.Context(), drops)
			// Who asks from now on must not get the old one either: not by waiting for the load that has read it.
			for _, c := range []*cache.Cache{here, there} {
				quick, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				if got, err := cache.Load(quick, c, key, ttl, value("new")); err != nil || got != "new" {
					t.Errorf("after the drop %q, %v", got, err)
				}
				cancel()
			}
			resume()
			if got := <-ended; got != "old" {
				t.Errorf("who asked before the drop got %q", got)
			}
			if got := rdb.Get(t.Context(), key).Val(); got != `"new"` {
				t.Errorf("stored %s", got)
			}
		})
	}
}

func TestAllOfAKindAreDroppedAndNothingElse(t *testing.T) {
	c, rdb := newCache(t, testkit.Redis(t))
	const others, kind = 3000, 2500 // more than a server lists at a time
	_, err := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range others {
			p.Set(t.Context(), fmt.Sprintf("hearth:other:%d", i), "1", ttl)
		}
		for i := range kind {
			p.Set(t.Context(), fmt.Sprintf("hearth:kind:%d", i), "1", ttl)
			p.Set(t.Context(), fmt.Sprintf("{hearth:kind:%d}:gen", i), "g", ttl)
		}
		p.Set(t.Context(), "{hearth:kind:}:gen", "g", ttl) // being loaded
		p.Set(t.Context(), "{hearth:other:kind:}:gen", "g", ttl)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DropForSure(t.Context(), "hearth:kind:*", "hearth:other:0"); err != nil {
		t.Fatal(err)
	}
	if n := rdb.DBSize(t.Context()).Val(); n != others {
		t.Errorf("%d keys are left, wanted %d", n, others)
	}
	if n := rdb.Exists(t.Context(), "hearth:other:0", "{hearth:kind:}:gen").Val(); n != 0 {
		t.Errorf("%d keys stay that were dropped", n)
	}
}

func TestAValueSaysItselfHowLongItIsGood(t *testing.T) {
	c, rdb := newCache(t, testkit.Redis(t))
	read := func(key string, good time.Duration, v int) int {
		t.Helper()
		got, err := cache.LoadFor(t.Context(), c, key, func(context.Context) (int, time.Duration, error) { return v, good, nil })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for key, good := range map[string]time.Duration{"hearth:over": 0, "hearth:past": -time.Hour, "hearth:hardly": time.Microsecond} {
		if got := read(key, good, 1); got != 1 {
			t.Errorf("%s: answered %d", key, got)
		}
		if got := read(key, good, 2); got != 2 {
			t.Errorf("%s: answered %d from the cache", key, got)
		}
	}
	read("hearth:good", 3*time.Second, 1)
	if left := rdb.PTTL(t.Context(), "hearth:good").Val(); left <= 0 || left > 3*time.Second {
		t.Errorf("lives %v", left)
	}
	if got := read("hearth:good", time.Hour, 2); got != 1 {
		t.Errorf("warm %d", got)
	}
}

func TestAnOldValueIsNotStoredWhenNobodyAskedSince(t *testing.T) {
	c, rdb := newCache(t, testkit.Redis(t))
	slow, reading, resume := paused("old")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = cache.Load(t.Context(), c, "hearth:k", ttl, slow)
	}()
	<-reading
	c.Drop(t.Context(), "hearth:k")
	resume()
	<-ended
	if n := rdb.Exists(t.Context(), "hearth:k").Val(); n != 0 {
		t.Error("the old value is stored")
	}
}

func TestNobodyReadsWhatIsOlderThanTheLastDrop(t *testing.T) {
	url := testkit.Redis(t)
	here, _ := newCache(t, url)
	there, _ := newCache(t, url)
	const readers, turns = 50, 40
	var source, dropped atomic.Int64 // the truth, and the truth at the last drop that ended
	var group sync.WaitGroup
	for i := range readers {
		c := []*cache.Cache{here, there}[i%2]
		group.Go(func() {
			for range turns {
				if rand.IntN(5) == 0 {
					now := source.Add(1)
					if err := c.DropForSure(t.Context(), "hearth:k"); err != nil {
						t.Error(err)
					}
					raise(&dropped, now)
					continue
				}
				oldest := dropped.Load()
				got, err := cache.Load(t.Context(), c, "hearth:k", ttl, func(context.Context) (int64, error) {
					v := source.Load()
					runtime.Gosched()
					return v, nil
				})
				if err != nil || got < oldest {
					t.Errorf("read %d when %d was dropped already, %v", got, oldest, err)
				}
			}
		})
	}
	group.Wait()
	for _, c := range []*cache.Cache{here, there} {
		if got := load(t, c, "hearth:k", func(context.Context) (int64, error) { return source.Load(), nil }); got != source.Load() {
			t.Errorf("in the end %d, wanted %d", got, source.Load())
		}
	}
}

func raise(mark *atomic.Int64, to int64) {
	for now := mark.Load(); now < to && !mark.CompareAndSwap(now, to); now = mark.Load() {
	}
}

func TestManyMissesLoadOnce(t *testing.T) {
	c, _ := newCache(t, testkit.Redis(t))
	const askers = 8
	var loads atomic.Int32
	gate := make(chan struct{})
	var group sync.WaitGroup
	for range askers {
		group.Go(func() {
			got, err := cache.Load(t.Context(), c, "hearth:k", ttl, func(context.Context) (int, error) {
				loads.Add(1)
				<-gate
				return 7, nil
			})
			if err != nil || got != 7 {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
	testkit.Eventually(t, "all wait for the one load", func() bool { return waiting() == askers })
	close(gate)
	group.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
}

// waiting counts the goroutines that wait for a load.
func waiting() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		head, frames, _ := strings.Cut(stack, "\n")
		if strings.Contains(head, "[select") && strings.HasPrefix(frames, "hearth.internal/pkg/cache.Load") {
			n++
		}
	}
	return n
}

func TestALoadOutlivesWhoAskedFirst(t *testing.T) {
	c, rdb := newCache(t, testkit.Redis(t))
	slow, reading, resume := paused("kept")
	impatient, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := cache.Load(impatient, c, "hearth:k", ttl, slow)
		ended <- err
	}()
	<-reading
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	resume()
	testkit.Eventually(t, "it is stored all the same", func() bool { return rdb.Get(t.Context(), "hearth:k").Val() == `"kept"` })
}

func privateRedis(t *testing.T) *stores.Redis {
	t.Helper()
	dir := t.TempDir()
	r, err := stores.StartRedis(t.Context(), stores.Options{Dir: dir, Ephemeral: true, Install: true}, stores.RedisConfig{Name: "private", Policy: "allkeys-lru"})
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

// outage is a Redis that is away, and how it comes back.
type outage struct {
	name  string
	begin func(*testing.T, *stores.Redis)
	end   func(*testing.T, *stores.Redis)
}

func outages() []outage {
	signal := func(s syscall.Signal) func(*testing.T, *stores.Redis) {
		return func(t *testing.T, r *stores.Redis) {
			t.Helper()
			if err := syscall.Kill(r.PID(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	return []outage{
		{"down", func(_ *testing.T, r *stores.Redis) { r.Kill() }, func(t *testing.T, r *stores.Redis) {
			t.Helper()
			if err := r.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"hanging", signal(syscall.SIGSTOP), signal(syscall.SIGCONT)},
	}
}

func TestWithoutRedisEverythingComesFromItsSource(t *testing.T) {
	for _, o := range outages() {
		t.Run(o.name, func(t *testing.T) {
			r := privateRedis(t)
			if r.Embedded() {
				t.Fatal("this test needs a real redis-server")
			}
			c, rdb := newCache(t, r.URL())
			load(t, c, "hearth:k", value(1))
			o.begin(t, r)
			ended := false
			defer func() {
				if !ended {
					o.end(t, r)
				}
			}()
			const asks = 60
			var slowest time.Duration
			begun := time.Now()
			for i := range asks {
				start := time.Now()
				if got := load(t, c, "hearth:k", value(i)); got != i {
					t.Errorf("ask %d answers %d", i, got)
				}
				if _, known := c.Revisions(t.Context(), []uuid.UUID{uuid.New()}); known {
					t.Error("a state is known without Redis")
				}
				slowest = max(slowest, time.Since(start))
			}
			// 50 ms a journey, until nobody tries any more: generous for a busy machine, far from a time-out a request.
			if all := time.Since(begun); all > 3*time.Second {
				t.Errorf("%d asks took %v, the slowest %v", asks, all, slowest)
			}
			c.Drop(t.Context(), "hearth:k") // no error to a request
			hurried, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.DropForSure(hurried, "hearth:k"); err == nil {
				t.Error("the relay is told that the keys are dropped")
			}
			o.end(t, r)
			ended = true
			testkit.Eventually(t, "the keys can be dropped again", func() bool { return c.DropForSure(t.Context(), "hearth:k") == nil })
			testkit.Eventually(t, "Redis is used again", func() bool {
				load(t, c, "hearth:k", value(5))
				return rdb.Exists(t.Context(), "hearth:k").Val() == 1
			})
			if got := load(t, c, "hearth:k", value(6)); got != 5 {
				t.Errorf("warm %d", got)
			}
		})
	}
}

func TestRevisionsChangeWithWhatAResidenceHolds(t *testing.T) {
	url := testkit.Redis(t)
	c, rdb := newCache(t, url)
	other, _ := newCache(t, url)
	a, b := uuid.New(), uuid.New()
	states := func(c *cache.Cache, ids ...uuid.UUID) []string {
		t.Helper()
		s, known := c.Revisions(t.Context(), ids)
		if !known || len(s) != len(ids) || slices.Contains(s, "") {
			t.Fatalf("states %q, known %t", s, known)
		}
		return s
	}
	first := states(c, a, b)
	if again := states(other, b, a); again[0] != first[1] || again[1] != first[0] {
		t.Errorf("states %q, then %q", first, again)
	}
	if first[0] == first[1] {
		t.Error("two residences have the same state")
	}
	c.Drop(t.Context(), cache.RevisionKey(a))
	second := states(c, a, b)
	if second[0] == first[0] || second[1] != first[1] {
		t.Errorf("after a change of the first: %q, before %q", second, first)
	}
	// Redis may evict: the state then is another, never one that was before.
	seen := map[string]bool{first[0]: true, second[0]: true}
	for range 10 {
		if err := rdb.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		now := states(c, a)[0]
		if seen[now] {
			t.Errorf("state %s comes back", now)
		}
		seen[now] = true
	}
	if s, known := c.Revisions(t.Context(), nil); !known || len(s) != 0 {
		t.Errorf("no residences: %q, %t", s, known)
	}
}

func TestOnlyTokensAreAnnouncedAndToTheirOwnInstallation(t *testing.T) {
	c, rdb := newCache(t, testkit.Redis(t))
	other, _ := newCache(t, testkit.Redis(t)) // another database of the same server
	announced := rdb.Subscribe(t.Context(), cache.RevokedChannel(rdb))
	defer func() { _ = announced.Close() }()
	if _, err := announced.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, last, theirs := uuid.New(), uuid.New(), uuid.New()
	other.Drop(t.Context(), cache.TokenKey(theirs[:]))
	c.Drop(t.Context(), cache.HomesKey(first), cache.TokenKey(first[:]), cache.RevisionKey(first), cache.TokenKey(last[:]))
	for _, want := range []uuid.UUID{first, last} {
		m, err := announced.ReceiveTimeout(t.Context(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m, isMessage := m.(*redis.Message); !isMessage || m.Payload != hex.EncodeToString(want[:]) {
			t.Errorf("announced %v, want %s", m, hex.EncodeToString(want[:]))
		}
	}
}
