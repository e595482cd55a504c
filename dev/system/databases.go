package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"hearth.internal/migrations"
	"hearth.internal/pkg/redisx"
)

// PostgreSQL's error codes for what is there already, and for what is not allowed.
const (
	duplicateDatabase = "42P04"
	duplicateObject   = "42710"
	noPrivilege       = "42501"
)

// reachTime bounds the wait for a store that takes a connection and then says nothing.
const reachTime = 10 * time.Second

// connect opens a connection for the administrator, or says in one sentence why there is none.
func connect(ctx context.Context, address string) (*pgx.Conn, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, errors.New("DATABASE_URL is not an address such as postgres://user:password@host:5432/postgres") // err would repeat the password
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL at %s does not let us in: %s", u.Redacted(), reason(err))
	}
	return conn, nil
}

// CheckRedis says in one sentence why the Redis at address cannot be used, if so. Several addresses separated by commas
// are the nodes of one cluster.
func CheckRedis(ctx context.Context, address string) error {
	redisx.Quiet()
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	for node := range strings.SplitSeq(address, ",") {
		o, err := redis.ParseURL(strings.TrimSpace(node))
		if err != nil {
			return errors.New("REDIS_URL is not an address such as redis://host:6379/0") // err may repeat the password
		}
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
		client := redis.NewClient(o)
		err = client.Ping(ctx).Err()
		_ = client.Close()
		if err != nil {
			return fmt.Errorf("the Redis at %s does not answer: %s", o.Addr, reason(err))
		}
	}
	return nil
}

// reason is the innermost of what a person can do something about, without the addresses that the drivers repeat.
func reason(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Message
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("nothing came in %v", reachTime)
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// prepareDatabases makes a database and a role for every service that lacks them, migrates, and answers the URLs that
// the services use. Each role sees its own database alone.
func prepareDatabases(ctx context.Context, o Options) (map[string]string, error) {
	admin, err := connect(ctx, o.Postgres)
	if err != nil {
		return nil, err
	}
	defer func() { _ = admin.Close(context.WithoutCancel(ctx)) }()
	urls := map[string]string{}
	for _, service := range migrations.Services() {
		name := o.Prefix + "hearth_" + service
		if err := ensure(ctx, admin, name, o.Secrets.DatabasePassword); err != nil {
			return nil, err
		}
		if urls[service], err = serviceURL(o.Postgres, name, o.Secrets.DatabasePassword); err != nil {
			return nil, err
		}
	}
	var group errgroup.Group
	group.SetLimit(4)
	for service, address := range urls {
		group.Go(func() error {
			_, err := migrations.Up(ctx, service, address)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if o.DatabaseVia != "" {
		for service, address := range urls {
			u, err := url.Parse(address)
			if err != nil {
				return nil, fmt.Errorf("database address: %w", err)
			}
			u.Host = o.DatabaseVia
			urls[service] = u.String()
		}
	}
	return urls, nil
}

// Migrate brings every service's database up to date.
func Migrate(ctx context.Context, o Options) error {
	_, err := prepareDatabases(ctx, o)
	return err
}

func ensure(ctx context.Context, admin *pgx.Conn, name, password string) error {
	role, secret := pgx.Identifier{name}.Sanitize(), "'"+password+"'" // of rand.Text: letters and digits
	for _, step := range []string{
		"CREATE ROLE " + role + " LOGIN PASSWORD " + secret,
		"ALTER ROLE " + role + " LOGIN PASSWORD " + secret, // an older role may have another
		"GRANT " + role + " TO CURRENT_USER",
		"CREATE DATABASE " + role + " OWNER " + role,
		"REVOKE CONNECT, TEMPORARY ON DATABASE " + role + " FROM PUBLIC",
	} {
		_, err := admin.Exec(ctx, step)
		var e *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &e) && (e.Code == duplicateDatabase || e.Code == duplicateObject):
		case errors.As(err, &e) && e.Code == noPrivilege:
			return errors.New("the user in DATABASE_URL may not create databases and roles: use one who may (CREATEDB, CREATEROLE)")
		default:
			return fmt.Errorf("make database %s: %w", name, err)
		}
	}
	return nil
}

func serviceURL(admin, name, password string) (string, error) {
	u, err := url.Parse(admin)
	if err != nil {
		return "", fmt.Errorf("DATABASE_URL is not a URL")
	}
	u.User, u.Path = url.UserPassword(name, password), "/"+name
	return u.String(), nil
}

// DropDatabases removes the databases and roles of the prefix: for tests.
func DropDatabases(ctx context.Context, postgres, prefix string) error {
	admin, err := pgx.Connect(ctx, postgres)
	if err != nil {
		return fmt.Errorf("drop databases: %w", err)
	}
	defer func() { _ = admin.Close(context.WithoutCancel(ctx)) }()
	for _, service := range migrations.Services() {
		name := pgx.Identifier{prefix + "hearth_" + service}.Sanitize()
		for _, step := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "DROP ROLE IF EXISTS " + name} {
			if _, err := admin.Exec(ctx, step); err != nil {
				return fmt.Errorf("drop databases: %w", err)
			}
		}
	}
	return nil
}
