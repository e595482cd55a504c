package stores

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPostgresKeepsDataAndPort(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	p := startPostgres(t, opts)
	url := p.URL("postgres")
	execSQL(t, p, writeNote)

	check(t, p.Restart(t.Context()))
	wantNote(t, p)
	check(t, p.Stop(t.Context()))
	check(t, p.Stop(t.Context()))
	if p.PID() != 0 {
		t.Error("a stopped server has a process id")
	}
	check(t, p.Restart(t.Context()))
	wantNote(t, p)
	check(t, p.Stop(t.Context()))

	again := startPostgres(t, opts)
	wantNote(t, again)
	if again.URL("postgres") != url {
		t.Errorf("URL was %s, is %s", url, again.URL("postgres"))
	}
	if !strings.HasPrefix(queryText(t, again, "show server_version"), again.Version()) {
		t.Errorf("Version is %s", again.Version())
	}
}

func TestPostgresKeepsCommitsOverAKill(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, testOptions(t))
	execSQL(t, p, writeNote)
	pid := p.PID()
	p.Kill()
	if p.PID() != 0 {
		t.Error("a killed server has a process id")
	}
	check(t, p.Restart(t.Context()))
	wantNote(t, p)
	if p.PID() == pid || p.PID() == 0 {
		t.Errorf("process id was %d, is %d", pid, p.PID())
	}
}

func TestPostgresComesBackByItself(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, testOptions(t))
	execSQL(t, p, writeNote)
	returns, ended := keepAlive(t, p)
	for range maxEnds - 1 {
		port := p.Port()
		check(t, syscall.Kill(p.PID(), syscall.SIGKILL))
		if title := <-returns; title != p.title || p.Port() != port {
			t.Errorf("%s is back on port %d, was on %d", title, p.Port(), port)
		}
		wantNote(t, p)
	}
	// It does not stay up: whoever keeps it alive hears of that instead of turning in circles.
	check(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	wantError(t, <-ended, p.title, "ended by itself 5 times within 1m0s", "postgres.log")
}

// keepAlive tells of each return, and at last of the end of it all.
func keepAlive(t *testing.T, s interface {
	KeepAlive(ctx context.Context, back func(title string)) error
}) (returns chan string, ended chan error) {
	t.Helper()
	returns, ended = make(chan string), make(chan error, 1)
	go func() { ended <- s.KeepAlive(t.Context(), func(title string) { returns <- title }) }()
	return returns, ended
}

func TestAStoppedPostgresStaysDown(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, testOptions(t))
	_, ended := keepAlive(t, p)
	check(t, p.Restart(t.Context())) // is none of its business either
	check(t, p.Stop(t.Context()))
	check(t, <-ended)
	if p.PID() != 0 {
		t.Error("it was started again")
	}
}

func TestPostgresRemembersAFullDisk(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, testOptions(t))
	execSQL(t, p, "select 1")
	if p.OutOfRoom() {
		t.Error("the disk is said to be full")
	}
	// As PostgreSQL itself would report it.
	execSQL(t, p, `do $$ begin raise log 'could not write to file "pg_wal/xlogtemp.1": No space left on device'; end $$`)
	if !p.OutOfRoom() {
		t.Error("the full disk is forgotten")
	}
	check(t, p.Restart(t.Context()))
	if p.OutOfRoom() {
		t.Error("an earlier start's full disk counts")
	}
}

func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, ephemeral(t))
	for sql, want := range map[string]string{
		"show listen_addresses":        "127.0.0.1",
		"show unix_socket_directories": "",
		"show max_connections":         "400",
		"show fsync":                   "off",
		"show timezone":                "UTC",
		"select lower('ÄRGER ÉTÉ')":    "ärger été",
		"select string_agg(c, '' order by c) from unnest(array['b','a','B','A']) c": "ABab",
		"select current_user::text": "hearth",
	} {
		if got := queryText(t, p, sql); got != want {
			t.Errorf("%s is %q, want %q", sql, got, want)
		}
	}
}

func ephemeral(t *testing.T) Options {
	opts := testOptions(t)
	opts.Ephemeral = true
	return opts
}

func TestEphemeralPostgresLeavesNothing(t *testing.T) {
	t.Parallel()
	opts := ephemeral(t)
	p := startPostgres(t, opts)
	execSQL(t, p, writeNote)
	check(t, p.Restart(t.Context()))
	wantNote(t, p)
	check(t, p.Stop(t.Context()))
	if exists(p.data) || p.home.data != p.home.dir && exists(p.home.data) {
		t.Errorf("%s is still there", p.data)
	}
	wantError(t, p.Restart(t.Context()), "Stop removed its data")
}

func TestEphemeralPostgresSparesLastingData(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	lasting := startPostgres(t, opts)
	execSQL(t, lasting, writeNote)
	check(t, lasting.Stop(t.Context()))
	brief := opts
	brief.Ephemeral = true
	check(t, startPostgres(t, brief).Stop(t.Context()))
	wantNote(t, startPostgres(t, opts))
}

func TestTwoPostgresSideBySide(t *testing.T) {
	t.Parallel()
	one, two := startPostgres(t, ephemeral(t)), startPostgres(t, ephemeral(t))
	execSQL(t, one, writeNote)
	execSQL(t, two, writeNote)
	if one.Port() == two.Port() {
		t.Error("both have one port")
	}
}

func TestPostgresRefusesADirectoryInUse(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	first := startPostgres(t, opts)
	_, err := StartPostgres(t.Context(), opts)
	wantError(t, err, "another run uses postgres", first.home.dir)
	wantError(t, Remove(opts.Dir), "another run uses postgres")
	execSQL(t, first, "select 1")
}

func TestPostgresOutOfReachOfItsUser(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	check(t, os.Mkdir(opts.Dir, 0o700))
	p := startPostgres(t, opts)
	execSQL(t, p, writeNote)
	if root := os.Geteuid() == 0; root == (filepath.Dir(p.DataDir()) == p.home.dir) {
		t.Errorf("as root %v, data is in %s", root, p.DataDir())
	}
	check(t, p.Stop(t.Context()))
	check(t, os.Chmod(filepath.Dir(opts.Dir), 0o755))
	check(t, os.Chmod(opts.Dir, 0o755))
	p = startPostgres(t, opts) // reachable now, but the data is where it was
	wantNote(t, p)
	check(t, p.Stop(t.Context()))

	check(t, Remove(opts.Dir))
	if exists(p.data) || exists(opts.Dir) {
		t.Error("Remove left something")
	}
}

// Deleting the directory by hand means to start anew, wherever the data is.
func TestPostgresStartsAnewInADeletedDirectory(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	p := startPostgres(t, opts)
	execSQL(t, p, writeNote)
	check(t, p.Stop(t.Context()))
	check(t, os.RemoveAll(opts.Dir))
	execSQL(t, startPostgres(t, opts), writeNote)
}

func TestPostgresTakesAnotherPortWhereItsOwnIsTaken(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	p := startPostgres(t, opts)
	port := p.Port()
	check(t, p.Stop(t.Context()))
	squatter, err := net.Listen("tcp", address(port))
	check(t, err)
	defer squatter.Close()

	wantError(t, p.Restart(t.Context()), "another program has taken its port")
	check(t, p.Stop(t.Context()))
	if again := startPostgres(t, opts); again.Port() == port {
		t.Error("it claims the taken port")
	}
}

func TestPostgresIsNotReachedByCtrlC(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, ephemeral(t))
	group, err := syscall.Getpgid(p.PID())
	check(t, err)
	if group != p.PID() {
		t.Errorf("process %d is in group %d", p.PID(), group)
	}
}

func TestBrokenDataIsNamed(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	p := startPostgres(t, opts)
	check(t, p.Stop(t.Context()))

	check(t, os.Truncate(filepath.Join(p.data, "global", "pg_control"), 100))
	_, err := StartPostgres(t.Context(), opts)
	wantError(t, err, "PostgreSQL", "did not start: ", "pg_control", p.data, "postgres.log")

	check(t, os.Remove(filepath.Join(p.data, "PG_VERSION")))
	_, err = StartPostgres(t.Context(), opts)
	wantError(t, err, p.data, "is broken", "remove it")
}

// PostgreSQL starts on such data, and refuses whoever comes.
func TestBrokenCatalogueIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	p := startPostgres(t, opts)
	file := filepath.Join(p.data, queryText(t, p, "select pg_relation_filepath('pg_class')"))
	check(t, p.Stop(t.Context()))
	check(t, os.WriteFile(file, []byte(strings.Repeat("junk", 4<<10)), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	_, err := StartPostgres(ctx, opts)
	wantError(t, err, "PostgreSQL", "did not get ready: FATAL: ", p.data, "postgres.log")
	check(t, ctx.Err())
}

func TestNoPostgresIsOneSentence(t *testing.T) {
	opts := Options{Dir: t.TempDir(), search: func() []string { return nil }}
	_, err := StartPostgres(t.Context(), opts)
	wantError(t, err, "no PostgreSQL was found", "DATABASE_URL")
	t.Setenv("PG_BIN", "/nowhere")
	_, err = StartPostgres(t.Context(), Options{Dir: t.TempDir()})
	wantError(t, err, "PG_BIN is /nowhere")
}

func TestStopInAHurryEndsByForce(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, ephemeral(t))
	check(t, syscall.Kill(p.PID(), syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	wantError(t, p.Stop(ctx), "was ended by force")
}

func TestNothingIsInstalledAfterCtrlC(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	opts.Progress = func(step string) { t.Errorf("it goes on with %s", step) }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := StartPostgres(ctx, opts)
	wantError(t, err, "context canceled")
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	check(t, startPostgres(t, opts).Stop(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	opts.Progress = func(string) { cancel() }
	_, err := StartPostgres(ctx, opts)
	wantError(t, err, "context canceled")
	opts.Progress = nil
	startPostgres(t, opts)
}
