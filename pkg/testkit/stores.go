// Package testkit runs a service as it runs in production, on a real PostgreSQL and a real Redis, with the clock in the
// test's hand.
package testkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"hearth.internal/migrations"
	"hearth.internal/pkg/stores"
)

// Where the stores are when something else has started them for several test packages; without these, the first test
// of a package starts private ones.
const (
	PostgresVariable = "TEST_POSTGRES_URL"
	RedisVariable    = "TEST_REDIS_URL"
)

// redisDatabases is how many numbered databases a test Redis has: each test takes its own.
const redisDatabases = 4096

// shared are the stores of this test process.
var shared struct {
	once            sync.Once
	err             error
	postgres, redis string
	stop            func()
}

// Main runs a package's tests and stops the stores that they started. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if shared.stop != nil {
		shared.stop()
	}
	if storage.stop != nil {
		storage.stop()
	}
	os.Exit(code)
}

func start(t testing.TB) (postgres, redisURL string) {
	t.Helper()
	shared.once.Do(func() {
		shared.postgres, shared.redis = os.Getenv(PostgresVariable), os.Getenv(RedisVariable)
		if shared.postgres == "" || shared.redis == "" {
			shared.postgres, shared.redis, shared.stop, shared.err = StartStores()
		}
	})
	if shared.err != nil {
		t.Fatalf("stores for the test: %v", shared.err)
	}
	return shared.postgres, shared.redis
}

// StartStores starts a PostgreSQL and a Redis that keep nothing, and answers their URLs and how to stop them.
func StartStores() (postgres, redisURL string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "hearth-test-")
	if err != nil {
		return "", "", nil, fmt.Errorf("directory for the stores: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // an installation may be part of it
	defer cancel()
	if err := os.Chmod(dir, 0o755); err != nil { // as root, the stores run as another user
		return "", "", nil, fmt.Errorf("directory for the stores: %w", err)
	}
	packages := dir
	if cached, err := os.UserCacheDir(); err == nil {
		packages = filepath.Join(cached, "hearth") // what npm brings serves every later run
	}
	o := stores.Options{Dir: dir, Packages: packages, Ephemeral: true, Install: true, Progress: func(step string) { fmt.Fprintln(os.Stderr, "#", step) }}
	remove := func() error { return errors.Join(stores.Remove(dir), os.RemoveAll(dir)) }
	p, err := stores.StartPostgres(ctx, o)
	if err != nil {
		return "", "", nil, errors.Join(err, remove())
	}
	r, err := stores.StartRedis(ctx, o, stores.RedisConfig{Name: "test", Policy: "noeviction", Databases: redisDatabases})
	if err != nil {
		return "", "", nil, errors.Join(err, p.Stop(ctx), remove())
	}
	return p.AdminURL(), r.URL(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := errors.Join(r.Stop(ctx), p.Stop(ctx), remove()); err != nil {
			fmt.Fprintln(os.Stderr, "stores did not stop cleanly:", err)
		}
	}, nil
}

// Postgres is the administrator's URL of the test PostgreSQL.
func Postgres(t testing.TB) string {
	t.Helper()
	admin, _ := start(t)
	return admin
}

// Database makes a fresh, migrated database of the service for this test and answers its URL.
func Database(t testing.TB, service string) string {
	t.Helper()
	admin, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	template, err := templateOf(ctx, conn, admin, service)
	if err != nil {
		t.Fatalf("template of %s: %v", service, err)
	}
	name := fmt.Sprintf("test_%s_%08x", service, rand.Uint32()) //nolint:gosec // a name, no secret
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatalf("test database: %v", err)
	}
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		if err == nil {
			_, err = conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			_ = conn.Close(context.Background())
		}
		if err != nil {
			t.Logf("test database stays behind: %v", err)
		}
	})
	return withDatabase(admin, name)
}

// templateOf answers the migrated database that the tests' own are copies of; the first who asks makes it.
func templateOf(ctx context.Context, conn *pgx.Conn, admin, service string) (string, error) {
	name := "template_" + service + "_" + migrationsHash()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", fmt.Errorf("lock: %w", err)
	}
	defer func() { _, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtext($1))", name) }()
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return name, err
	}
	making := name + "_making"
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + making, "CREATE DATABASE " + making} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("%s: %w", statement, err)
		}
	}
	if _, err := migrations.Up(ctx, service, withDatabase(admin, making)); err != nil {
		return "", err
	}
	_, err := conn.Exec(ctx, "ALTER DATABASE "+making+" RENAME TO "+name)
	return name, err
}

func migrationsHash() string {
	h := sha256.New()
	_ = fs.WalkDir(migrations.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(migrations.Files(), path)
		_, _ = h.Write(append([]byte(path), raw...)) // a hash never fails
		return err                                   // an embedded file is always readable
	})
	return hex.EncodeToString(h.Sum(nil)[:4])
}

func withDatabase(admin, name string) string {
	u, err := url.Parse(admin)
	if err != nil {
		return admin
	}
	u.Path = "/" + name
	return u.String()
}

// Redis takes an empty numbered database of the test Redis for this test and answers its URL.
func Redis(t testing.TB) string {
	t.Helper()
	_, base := start(t)
	o, err := redis.ParseURL(base)
	if err != nil {
		t.Fatalf("test redis: %v", err)
	}
	register := redis.NewClient(o)
	defer func() { _ = register.Close() }()
	for range redisDatabases {
		n := 1 + rand.IntN(redisDatabases-1) //nolint:gosec // a number, no secret
		mine, err := register.SetNX(t.Context(), fmt.Sprintf("testkit:%d", n), t.Name(), time.Hour).Result()
		if err != nil {
			t.Fatalf("test redis: %v", err)
		}
		if !mine {
			continue
		}
		own := strings.TrimSuffix(base, "/0") + fmt.Sprintf("/%d", n)
		t.Cleanup(func() { release(t, own, base, n) })
		return own
	}
	t.Fatal("test redis: no free database")
	return ""
}

func release(t testing.TB, own, base string, n int) {
	for _, step := range []struct{ url, key string }{{own, ""}, {base, fmt.Sprintf("testkit:%d", n)}} {
		o, err := redis.ParseURL(step.url)
		if err != nil {
			t.Logf("test redis: %v", err)
			return
		}
		client := redis.NewClient(o)
		if step.key == "" {
			err = client.FlushDB(context.Background()).Err()
		} else {
			err = client.Del(context.Background(), step.key).Err()
		}
		_ = client.Close()
		if err != nil {
			t.Logf("test redis: %v", err)
		}
	}
}
