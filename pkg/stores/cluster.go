package stores

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A cluster is PostgreSQL as an engine: its data directory, settings and log.
type cluster struct{ bin binaries }

func (c *cluster) prepare(ctx context.Context, s *server) error {
	if s.opts.Ephemeral && s.child == nil && s.port == 0 {
		return c.create(ctx, s) // whatever a killed run left is of no use
	}
	_, err := os.Stat(filepath.Join(s.data, "PG_VERSION"))
	switch {
	case err == nil:
		return disownPID(s.data)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the data in %s belongs to another user: start as that user, or as root", s.data)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if entries, _ := os.ReadDir(s.data); len(entries) > 0 {
		return fmt.Errorf("the data in %s is broken (its PG_VERSION is missing): remove it to begin anew", s.data)
	}
	return c.create(ctx, s)
}

// create makes the data aside and then moves it into place: a run that is interrupted leaves no half of it.
func (c *cluster) create(ctx context.Context, s *server) error {
	s.opts.progress("creating the data of " + s.title)
	draft, err := s.home.newDir(filepath.Base(s.data) + ".new")
	if err != nil {
		return err
	}
	if err := c.initdb(ctx, s, draft); err != nil {
		_ = os.RemoveAll(draft) // the error to tell is initdb's
		return err
	}
	if err := os.RemoveAll(s.data); err != nil {
		return err
	}
	return os.Rename(draft, s.data)
}

func (c *cluster) initdb(ctx context.Context, s *server, dir string) error {
	args := append([]string{"-D", dir, "-A", "trust", "-U", superuser, "--no-sync"}, c.locale()...)
	cmd := exec.CommandContext(ctx, c.bin.path("initdb"), args...)
	cmd.Dir, cmd.Env = "/", serverEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.home.as.credential()}
	dieWithParent(cmd.SysProcAttr, syscall.SIGKILL)
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	reason := c.reason(lines)
	if strings.Contains(reason, diskFull) {
		return fmt.Errorf("%s has no room for its data: the disk of %s is full", s.title, s.home.data)
	}
	return fmt.Errorf("%s could not create its data in %s: %s", s.title, dir, reason)
}

// locale sorts by code point, so that tests see one order on every machine, whatever languages it has. Upper and lower
// case still work for all letters, as in production; with plain C they would only for ASCII.
func (c *cluster) locale() []string {
	args := []string{"-E", "UTF8", "--locale=C"}
	if major, _ := strconv.Atoi(c.bin.major); major >= 17 {
		return append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
	}
	if runtime.GOOS == "darwin" {
		return append(args, "--lc-ctype=en_US.UTF-8") // has no C.UTF-8
	}
	return append(args, "--lc-ctype=C.UTF-8")
}

// command passes settings as arguments, not in a file: a new version of them applies to old data too.
func (c *cluster) command(s *server, port int) *exec.Cmd {
	settings := []string{
		"port=" + strconv.Itoa(port),
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=",
		"max_connections=400", // eight services with a pool each, and tests beside them
		"shared_buffers=128MB",
		"timezone=UTC",
		"log_timezone=UTC",
		"lc_messages=C", // reason reads the log
		"cluster_name=hearth",
	}
	if s.opts.Ephemeral {
		settings = append(settings, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	}
	args := []string{"-D", s.data}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return exec.Command(c.bin.path("postgres"), args...)
}

// answers makes sure that it is our server: another one may have the port, and "hearth" as a user.
func (c *cluster) answers(ctx context.Context, s *server, _, port int) error {
	conn, err := pgx.Connect(ctx, postgresURL(port, adminDatabase))
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal // and not all of what pgx says around it
	}
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var dir string
	if err := conn.QueryRow(ctx, "show data_directory").Scan(&dir); err != nil {
		return err
	}
	if dir != s.data {
		return fmt.Errorf("port %d answers for %s", port, dir)
	}
	return nil
}

// hopeless is an internal error, such as damaged data, or a file that is missing: PostgreSQL stays up with these, and
// refuses each connection. Other refusals may be those of another server that has the port, or pass.
func (c *cluster) hopeless(answer error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](answer)
	return ok && (strings.HasPrefix(refusal.Code, "XX") || refusal.Code == "58P01")
}

// reason is the last fatal line. Those that our own early questions cause are no reasons, nor are the last words of a
// killed server's sessions, which come into the same log.
func (c *cluster) reason(log []string) string {
	reason := ""
	for _, line := range log {
		if strings.Contains(line, "unexpected postmaster exit") {
			continue
		}
		if strings.Contains(line, "Address already in use") || strings.Contains(line, diskFull) {
			return line // the fatal line after it may not say so
		}
		for _, mark := range []string{"FATAL:", "PANIC:", "initdb: error:", "error while loading"} {
			at := strings.Index(line, mark)
			if at >= 0 && !strings.Contains(line, "the database system is ") {
				reason = line[at:]
			}
		}
	}
	if reason == "" && len(log) > 0 {
		return log[len(log)-1]
	}
	return reason
}

// SIGINT is PostgreSQL's fast shutdown: it waits for no client.
func (c *cluster) farewell() syscall.Signal { return syscall.SIGINT }

func (c *cluster) portTaken(reason string) bool {
	return strings.Contains(reason, "Address already in use")
}

// A killed server's sessions end by themselves, each when it next looks for its parent.
func (c *cluster) stillEnding(reason string) bool {
	return strings.Contains(reason, "pre-existing shared memory block")
}
