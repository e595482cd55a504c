// Package pg opens PostgreSQL the way Hearth wants it: every statement one round trip, counted and traced.
//
// Statements go out in pgx's exec mode, which needs no round trip to prepare, also on a fresh connection and behind
// PgBouncer in transaction mode. The hot statements of a service are prepared on every connection before it is used.
package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// Config says where the database is and how much of it to use.
type Config struct {
	URL  string
	Pool int
	// Prepare keeps hot statements prepared on every connection. Off behind a PgBouncer in transaction mode, which
	// before 1.21 knows no prepared statements.
	Prepare bool
	// Hot are the statements to prepare, as written, with named arguments.
	Hot []string
}

// instants makes every timestamptz a time in UTC, whatever zone the machine is in: answers show them as they are.
var instants = &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}

// DB is a pool of connections to one service's database.
type DB struct{ *pgxpool.Pool }

// Open fills the pool, connections in parallel, so that the first request pays for none.
func Open(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*DB, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, errors.New("the database address is not a PostgreSQL URL") // err would repeat the password
	}
	pc.MaxConns, pc.MinConns, pc.MinIdleConns = int32(cfg.Pool), int32(cfg.Pool), 0 //nolint:gosec // a pool is small
	pc.MaxConnLifetime, pc.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute
	pc.MaxConnIdleTime = 30 * time.Minute
	pc.HealthCheckPeriod = 15 * time.Second
	pc.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool { return hungUp(p.Conn.PgConn().Conn()) }
	pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pc.ConnConfig.Tracer = multitracer.New(otelpgx.NewTracer(otelpgx.WithTracerProvider(tel.Provider)), counter{})
	pc.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		c.TypeMap().RegisterType(instants)
		c.TypeMap().RegisterDefaultPgType([]uuid.UUID(nil), "_uuid") // exec mode must know it without asking the server
		if !cfg.Prepare {
			return nil
		}
		return prepare(ctx, c, cfg.Hot)
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := fill(ctx, pool, cfg.Pool); err != nil {
		pool.Close()
		return nil, err
	}
	if err := otelpgx.RecordStats(pool, otelpgx.WithStatsMeterProvider(tel.Meters)); err != nil {
		pool.Close()
		return nil, fmt.Errorf("pool metrics: %w", err)
	}
	return &DB{pool}, nil
}

func fill(ctx context.Context, pool *pgxpool.Pool, n int) error {
	conns := make([]*pgxpool.Conn, n)
	var group errgroup.Group
	for i := range conns {
		group.Go(func() (err error) {
			conns[i], err = pool.Acquire(ctx)
			return err
		})
	}
	err := group.Wait()
	for _, conn := range conns {
		if conn != nil {
			conn.Release()
		}
	}
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	return nil
}

func prepare(ctx context.Context, c *pgx.Conn, hot []string) error {
	for _, statement := range hot {
		sql, _, err := pgx.NamedArgs{}.RewriteQuery(ctx, c, statement, nil)
		if err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		if _, err := c.Prepare(ctx, sql, sql); err != nil {
			return fmt.Errorf("prepare %.60q: %w", statement, err)
		}
	}
	return nil
}

// Querier is what statements run on: the pool, or the transaction of an event's consumer.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// All runs one statement and answers its rows, columns matched to T's fields by name (db tags).
func All[T any](ctx context.Context, q Querier, sql string, args pgx.NamedArgs) ([]T, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, translate(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return out, translate(err)
}

// Each is All with a scan of one's own, for what is read so often that matching by name is felt.
func Each[T any](ctx context.Context, q Querier, sql string, args pgx.NamedArgs, scan func(pgx.Rows) (T, error)) ([]T, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		row, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, translate(rows.Err())
}

// One runs one statement that answers a row or none. "None" is no error: the caller knows what it means.
func One[T any](ctx context.Context, q Querier, sql string, args pgx.NamedArgs) (row T, found bool, err error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return row, false, translate(err)
	}
	row, err = pgx.CollectOneRow(rows, pgx.RowToStructByName[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, translate(err)
}

// Scalar runs one statement that answers one value or no row.
func Scalar[T any](ctx context.Context, q Querier, sql string, args pgx.NamedArgs) (value T, found bool, err error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return value, false, translate(err)
	}
	value, err = pgx.CollectOneRow(rows, pgx.RowTo[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return value, false, nil
	}
	return value, err == nil, translate(err)
}

// Column runs one statement that answers one column and answers its values.
func Column[T any](ctx context.Context, q Querier, sql string, args pgx.NamedArgs) ([]T, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, translate(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[T])
	return out, translate(err)
}

// Exec runs one statement and answers how many rows it changed.
func Exec(ctx context.Context, q Querier, sql string, args pgx.NamedArgs) (int64, error) {
	tag, err := q.Exec(ctx, sql, args)
	return tag.RowsAffected(), translate(err)
}

// sweepBatch is how many rows one statement of a sweep removes.
const sweepBatch = 1000

// Sweep runs a statement that removes @batch rows at the most, again and again until there are no more: in batches, no
// lock is held for long.
func Sweep(ctx context.Context, q Querier, sql string, args pgx.NamedArgs) error {
	args["batch"] = sweepBatch
	for {
		n, err := Exec(ctx, q, sql, args)
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

// Violates reports whether err is the violation of that constraint or unique index.
func Violates(err error, constraint string) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.ConstraintName == constraint
}

// translate makes "the database is not there" what it is: unavailable, not a bug.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return unavailable(err) // whatever the server says: it does not let us in
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return translateCode(err, e.Code)
	}
	var network net.Error
	if pgconn.Timeout(err) || errors.As(err, &network) || errors.Is(err, net.ErrClosed) || lostConnection(err) {
		return unavailable(err)
	}
	return err
}

func translateCode(err error, code string) error {
	switch {
	case code == "57014": // query_canceled: a statement_timeout, or an operator
		return apperr.DeadlineExceeded.Wrap(err, "It took too long; try again.")
	case strings.HasPrefix(code, "40"): // transaction rollback: a deadlock, of which one had to give way
		return apperr.ServiceUnavailable.Wrap(err, "Others changed the same just now; try again.").After(time.Second)
	case strings.HasPrefix(code, "57"), strings.HasPrefix(code, "53"), strings.HasPrefix(code, "08"), code == "25006":
		// operator intervention, insufficient resources, connection, read-only standby
		return unavailable(err)
	}
	return err
}

func unavailable(err error) error {
	return apperr.ServiceUnavailable.Wrap(err, "The database does not answer; try again.").After(time.Second)
}
