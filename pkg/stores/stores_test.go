package stores

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// A test's directory is out of reach for the servers' user where the tests run as root: its data lives in a fallback.
func testOptions(t *testing.T) Options {
	t.Helper()
	opts := Options{Dir: filepath.Join(t.TempDir(), "a dir [1]"), Install: true, Progress: func(step string) { t.Log(step) }}
	t.Cleanup(func() { check(t, Remove(opts.Dir)) })
	return opts
}

func startPostgres(t *testing.T, opts Options) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), opts)
	check(t, err)
	t.Cleanup(func() { check(t, p.Stop(context.Background())) })
	return p
}

func startRedis(t *testing.T, opts Options, config RedisConfig) *Redis {
	t.Helper()
	r, err := StartRedis(t.Context(), opts, config)
	check(t, err)
	t.Cleanup(func() { check(t, r.Stop(context.Background())) })
	return r
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not contain %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has more than one line: %q", err)
	}
}

func execSQL(t *testing.T, p *Postgres, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.AdminURL())
	check(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), sql)
	check(t, err)
}

func queryText(t *testing.T, p *Postgres, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.AdminURL())
	check(t, err)
	defer conn.Close(context.Background())
	var text string
	check(t, conn.QueryRow(t.Context(), sql).Scan(&text))
	return text
}

const (
	writeNote = "create table note as select 'kept' as text"
	readNote  = "select text from note"
)

func wantNote(t *testing.T, p *Postgres) {
	t.Helper()
	if got := queryText(t, p, readNote); got != "kept" {
		t.Errorf("note is %q", got)
	}
}

func redisClient(t *testing.T, r *Redis) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(r.URL())
	check(t, err)
	opts.MaxRetries, opts.DialerRetries = -1, 1 // a killed server is to be noticed at once
	client := redis.NewClient(opts)
	t.Cleanup(func() { client.Close() })
	return client
}

// eventually waits for what nobody announces.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !condition() {
		if !pause(ctx, 5*time.Millisecond) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
