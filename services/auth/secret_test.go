package auth_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"hearth.internal/auth"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

// kept is a log for a test to look through.
type kept struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (k *kept) Write(line []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.buf.Write(line)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.buf.String()
}

// Whoever holds the database, the queue, the log or the traces holds no token, code or password.
func TestSecretsAreNowhereInPlain(t *testing.T) {
	var log kept
	spans := tracetest.NewSpanRecorder()
	s := run(t, func(o *boot.Options) {
		o.LogOut = &log
		o.Processors = []sdktrace.SpanProcessor{spans}
	})
	ada := s.register(t, "ada")
	secrets := []string{ada.token, goodPassword, s.code(t, "verify_email")}
	s.Clock.Advance(time.Minute)
	ada.Want(202, "POST", "/api/auth/resend-verification/", nil)
	secrets = append(secrets, s.code(t, "verify_email"))
	ada.Want(200, "POST", "/api/auth/verify-email/", map[string]any{"code": s.code(t, "verify_email")})
	typed := "my-password-in-the-wrong-field"
	s.AsNobody(t).Refused(401, "invalid_credentials", "POST", "/api/auth/login/", map[string]any{"username": typed, "password": "wrong horse battery"})
	s.AsNobody(t).Want(202, "POST", "/api/auth/forgot-password/", map[string]any{"email": ada.email})
	reset := s.resetToken(t, ada)
	secrets = append(secrets, typed, "wrong horse battery", s.code(t, "reset_password"), reset)
	wantCode(t, s.reset(t, reset, newPassword), 204, "")
	ada.password = newPassword
	second := s.login(t, ada)
	secrets = append(secrets, newPassword, second.token)
	// A failure writes what it knows into the log.
	s.exec(t, `ALTER TABLE sessions ADD CONSTRAINT broken CHECK (created_at IS NULL) NOT VALID`, nil)
	s.AsNobody(t).Refused(500, "internal_error", "POST", "/api/auth/login/", map[string]any{"email": ada.email, "password": newPassword})
	if !strings.Contains(log.String(), "request failed") {
		t.Error("the failure is not logged")
	}

	places := map[string]string{"the log": log.String(), "the traces": spanText(spans), "the database": s.dump(t), "the queue": s.dumpQueue(t)}
	for place, text := range places {
		if len(text) < 300 {
			t.Errorf("%s: only %d characters to look through", place, len(text))
		}
		for _, secret := range secrets {
			if regexp.MustCompile(`\b` + regexp.QuoteMeta(secret) + `\b`).MatchString(text) {
				t.Errorf("%s holds %q in plain", place, secret)
			}
		}
	}
	if !strings.Contains(places["the database"], ada.email) {
		t.Error("the dump of the database misses what is in it")
	}
}

func spanText(spans *tracetest.SpanRecorder) string {
	var text strings.Builder
	for _, span := range spans.Ended() {
		_, _ = fmt.Fprintln(&text, span.Name(), span.Status(), span.Attributes(), span.Events())
	}
	return text.String()
}

// dump is every row of every table as text.
func (s service) dump(t *testing.T) string {
	t.Helper()
	tables, err := pg.All[struct{ Name string }](t.Context(), s.DB, `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`, nil)
	if err != nil || len(tables) < 7 {
		t.Fatalf("tables %v, %v", tables, err)
	}
	var text strings.Builder
	for _, table := range tables {
		rows, err := pg.All[struct{ Row string }](t.Context(), s.DB,
			`SELECT t::text AS row FROM `+pgx.Identifier{table.Name}.Sanitize()+` t`, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			text.WriteString(table.Name + ": " + row.Row + "\n")
		}
	}
	return text.String()
}

// dumpQueue is every value in the queue Redis, once the events are in it.
func (s service) dumpQueue(t *testing.T) string {
	t.Helper()
	options, err := redis.ParseURL(s.cfg.QueueURL)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	testkit.Eventually(t, "every event is published", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), s.DB, `SELECT count(*) FROM outbox WHERE published_at IS NULL`, nil)
		return err == nil && n == 0
	})
	keys, err := rdb.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, key := range keys {
		text.WriteString(key + "\n")
		if values, err := rdb.HGetAll(t.Context(), key).Result(); err == nil { // tasks are hashes
			_, _ = fmt.Fprintln(&text, values)
		}
	}
	return text.String()
}

// No request scans a table, however large it grows: that is what the indexes are for.
func TestHotStatementsUseIndexes(t *testing.T) {
	s := run(t)
	conn, err := pgx.Connect(t.Context(), s.cfg.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	// The tables are empty: a scan would be cheapest, unless it is forbidden. Plans are those for any arguments.
	if _, err := conn.Exec(t.Context(), `SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	for i, statement := range auth.New(s.cfg).Hot {
		sql, args, err := pgx.NamedArgs{}.RewriteQuery(t.Context(), conn, statement, nil)
		if err != nil {
			t.Fatal(err)
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(args)), ", ")
		name := fmt.Sprintf("hot_%d", i)
		if _, err := conn.Exec(t.Context(), "PREPARE "+name+" AS "+sql); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE "+name+"("+nulls+")", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan") || !strings.Contains(text, "Index Cond") {
			t.Errorf("%s\n%s", statement, text)
		}
	}
}
