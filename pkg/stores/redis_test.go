package stores

import (
	"net"
	"syscall"
	"testing"
	"time"
)

var (
	cache   = RedisConfig{Name: "cache", MaxMemory: "64mb", Policy: "allkeys-lru"}
	nowhere = func() []string { return nil }
)

// onBoth runs a test on the real server, where there is one or one can be installed, and on the embedded one.
func onBoth(t *testing.T, test func(t *testing.T, opts Options)) {
	t.Run("found", func(t *testing.T) { test(t, testOptions(t)) })
	t.Run("embedded", func(t *testing.T) {
		opts := testOptions(t)
		opts.Install, opts.search = false, nowhere
		test(t, opts)
	})
}

func TestRedisQueueKeepsItsTasksAndTheCacheNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, opts Options) {
		for config, want := range map[RedisConfig]string{queue: "kept", cache: ""} {
			r := startRedis(t, opts, config)
			url := r.URL()
			check(t, redisClient(t, r).Set(t.Context(), "note", "kept", 0).Err())
			r.Kill()
			if err := redisClient(t, r).Ping(t.Context()).Err(); err == nil {
				t.Error("it answers after Kill")
			}
			check(t, r.Restart(t.Context()))
			if got := redisClient(t, r).Get(t.Context(), "note").Val(); got != want || r.URL() != url {
				t.Errorf("%s has %q at %s", config.Name, got, r.URL())
			}
		}
	})
}

func TestRedisComesBackByItself(t *testing.T) {
	r := startRedis(t, testOptions(t), queue)
	if r.Embedded() {
		return // it has no process that could die
	}
	check(t, redisClient(t, r).Set(t.Context(), "note", "kept", 0).Err())
	returns, _ := keepAlive(t, r)
	check(t, syscall.Kill(r.PID(), syscall.SIGKILL))
	if title := <-returns; title != "Redis queue" {
		t.Errorf("%s is back", title)
	}
	if got := redisClient(t, r).Get(t.Context(), "note").Val(); got != "kept" {
		t.Errorf("note is %q", got)
	}
}

func TestRedisSettings(t *testing.T) {
	onBoth(t, func(t *testing.T, opts Options) {
		for _, config := range []RedisConfig{queue, cache} {
			client := redisClient(t, startRedis(t, opts, config))
			for name, want := range map[string]string{
				"maxmemory-policy": config.Policy,
				"appendonly":       yesNo(config.AppendOnly),
			} {
				got, err := client.ConfigGet(t.Context(), name).Result()
				check(t, err)
				if got[name] != want {
					t.Errorf("%s: %s is %q, want %q", config.Name, name, got[name], want)
				}
			}
		}
	})
}

func TestRedisKeysExpireByThemselves(t *testing.T) {
	onBoth(t, func(t *testing.T, opts Options) {
		r := startRedis(t, opts, cache)
		check(t, r.Restart(t.Context()))
		client := redisClient(t, r)
		check(t, client.Set(t.Context(), "brief", "x", 50*time.Millisecond).Err())
		check(t, client.Set(t.Context(), "long", "x", time.Hour).Err())
		eventually(t, "the key expires", func() bool { return client.Exists(t.Context(), "brief").Val() == 0 })
		if client.Exists(t.Context(), "long").Val() != 1 {
			t.Error("the long key is gone too")
		}
	})
}

func TestRedisRemembersItsPort(t *testing.T) {
	onBoth(t, func(t *testing.T, opts Options) {
		first := startRedis(t, opts, cache)
		_, err := StartRedis(t.Context(), opts, cache)
		wantError(t, err, "another run uses redis-cache")
		check(t, first.Stop(t.Context()))
		again := startRedis(t, opts, cache)
		if again.Port() != first.Port() {
			t.Errorf("port was %d, is %d", first.Port(), again.Port())
		}
		check(t, again.Stop(t.Context()))

		squatter, err := net.Listen("tcp", address(first.Port()))
		check(t, err)
		defer squatter.Close()
		if startRedis(t, opts, cache).Port() == first.Port() {
			t.Error("it claims the taken port")
		}
	})
}

func TestEmbeddedRedisSaysSo(t *testing.T) {
	opts := Options{Dir: t.TempDir(), search: nowhere}
	said := ""
	opts.Progress = func(step string) { said = step }
	r := startRedis(t, opts, queue)
	if !r.Embedded() || r.PID() != 0 || said == "" {
		t.Errorf("embedded %v, process id %d, said %q", r.Embedded(), r.PID(), said)
	}
}

func TestEphemeralRedisLeavesNothing(t *testing.T) {
	opts := testOptions(t)
	opts.Ephemeral = true
	r := startRedis(t, opts, queue)
	check(t, redisClient(t, r).Set(t.Context(), "note", "kept", 0).Err())
	check(t, r.Stop(t.Context()))
	if process, ok := r.redisServer.(processServer); ok && exists(process.data) {
		t.Errorf("%s is still there", process.data)
	}
}

func TestRedisSaysWhyItDoesNotStart(t *testing.T) {
	opts := testOptions(t)
	if startRedis(t, opts, cache).Embedded() {
		return // it has no settings to get wrong
	}
	_, err := StartRedis(t.Context(), opts, RedisConfig{Name: "wrong", Policy: "no-such-policy"})
	wantError(t, err, "Redis wrong did not start: ", "maxmemory-policy", "redis-wrong.log")
	t.Setenv("REDIS_BIN", "/nowhere")
	_, err = StartRedis(t.Context(), opts, queue)
	wantError(t, err, "REDIS_BIN is /nowhere")
}
