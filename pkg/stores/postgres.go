package stores

import (
	"context"
	"fmt"
	"net/url"
)

// Postgres is a private PostgreSQL server with one superuser, "hearth", who needs no password.
type Postgres struct {
	*server
	version string
}

// StartPostgres finds or installs PostgreSQL, and returns once the server answers. ctx bounds the start alone.
func StartPostgres(ctx context.Context, opts Options) (*Postgres, error) {
	h, err := openHome(opts.Dir)
	if err != nil {
		return nil, err
	}
	bin, err := findPostgres(ctx, opts, h)
	if err != nil {
		return nil, err
	}
	s := newServer(&cluster{bin}, opts, h, "postgres", "PostgreSQL "+bin.major, "pg"+bin.major)
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return &Postgres{server: s, version: bin.version}, nil
}

// URL is the superuser's way to a database. The database need not exist yet.
func (p *Postgres) URL(database string) string { return postgresURL(p.Port(), database) }

// AdminURL leads to the database "postgres", where databases and roles are made.
func (p *Postgres) AdminURL() string { return p.URL(adminDatabase) }

// Version is PostgreSQL's own: "15.18".
func (p *Postgres) Version() string { return p.version }

const (
	superuser     = "hearth"
	adminDatabase = "postgres"
)

func postgresURL(port int, database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", superuser, address(port), url.PathEscape(database))
}
