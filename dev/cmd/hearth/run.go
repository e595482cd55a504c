package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"hearth.internal/dev/mail"
	"hearth.internal/dev/seed"
	"hearth.internal/dev/system"
	"hearth.internal/dev/traces"
	"hearth.internal/document"
	"hearth.internal/document/blob"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/stores"
)

// directory holds everything that run keeps: data, logs, secrets.
const directory = ".dev"

// logFile is where the parts log, in the directory; filesDir keeps what people upload.
const (
	logFile  = "hearth.log"
	filesDir = "files"
)

const (
	defaultAddr   = "127.0.0.1:8080"
	defaultTraces = "127.0.0.1:8081"
)

// run starts everything, shows where it is, and stops it all on Ctrl-C.
func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	processes := flags.Bool("processes", false, "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errors.New(usage)
	}
	began := time.Now()
	show := newProgress(os.Stdout)
	defer show.end()
	listener, err := listen(ctx, addrVariable, addr())
	if err != nil {
		return err
	}
	box, err := mail.Open(os.Getenv(smtpVariable) != "")
	if err != nil {
		return err
	}
	defer box.Close()
	viewer, err := startViewer(ctx, box)
	if err != nil {
		return err
	}
	defer viewer.stop()
	// Others may pass through: as root, the stores run as another user. What is secret in it is closed itself.
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // see above
		return fmt.Errorf("cannot keep data in %s: %w", directory, err)
	}
	d, err := startStores(ctx, show)
	defer func() { err = errors.Join(err, d.stop()) }()
	if err != nil {
		_ = listener.Close()
		return clearly(ctx, d, err)
	}
	d.keepAlive(show)
	secrets, err := system.LoadSecrets(directory)
	if err != nil {
		return clearly(ctx, d, err)
	}
	logs, err := os.OpenFile(filepath.Join(directory, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return clearly(ctx, d, fmt.Errorf("cannot keep a log: %w", err))
	}
	defer func() { _ = logs.Close() }()
	s, err := system.Start(ctx, system.Options{
		Storage: system.Directory(filepath.Join(directory, filesDir)), Postgres: d.postgres, Cache: d.cache, Queue: d.queue, Secrets: secrets, Listener: listener, Processes: *processes,
		Shops: shops(os.Environ()), Messages: messages(os.Environ(), box, system.URL(listener.Addr())), Environ: []string{"HEARTH_OTLP_ENDPOINT=" + viewer.url}, LogOut: logs, Terminal: show, Progress: show.step,
	})
	if err != nil {
		return clearly(ctx, d, err)
	}
	defer func() {
		show.step("stopping: requests in flight, then events, then the stores")
		if stopErr := s.Stop(); err == nil { // else it says the same once more
			err = stopErr
		}
	}()
	show.step("looking after the demo household")
	// To its end, also when Ctrl-C comes: the next run takes a household that is there for a whole one.
	household, err := seed.Demo(context.WithoutCancel(ctx), s.URL, time.Now())
	if err != nil {
		return clearly(ctx, d, err)
	}
	show.end()
	summary(s, viewer.url, d, household, time.Since(began))
	select {
	case <-ctx.Done():
		fmt.Println() // the terminal has just printed ^C
		return nil
	case err := <-s.Failed():
		return fmt.Errorf("a part has ended: %w (see %s)", err, logs.Name())
	case err := <-d.failed:
		return clearly(ctx, d, err)
	}
}

// The variables that choose where to listen, and where mails go.
const (
	addrVariable   = "HEARTH_ADDR"
	tracesVariable = "HEARTH_TRACES_ADDR"
	smtpVariable   = "HEARTH_SMTP_HOST"
)

func addr() string {
	if a := os.Getenv(addrVariable); a != "" {
		return a
	}
	return defaultAddr
}

func listen(ctx context.Context, variable, address string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program: stop that one, or choose another address with %s", address, variable)
	case err != nil:
		return nil, fmt.Errorf("%s %s is no address to listen on: %w", variable, address, err)
	}
	return listener, nil
}

// data is where the stores are, and how to stop those that are ours.
type data struct {
	postgres, cache, queue string
	kept                   string // which PostgreSQL is ours
	where                  string // its data is
	ours                   []store
	failed                 chan error // a store of ours that does not stay up
	release                context.CancelFunc
}

// store is a private PostgreSQL or Redis.
type store interface {
	Stop(ctx context.Context) error
	KeepAlive(ctx context.Context, back func(title string)) error
	OutOfRoom() bool
}

// keepAlive starts ours again when they die, until stop.
func (d *data) keepAlive(out io.Writer) {
	ctx, release := context.WithCancel(context.Background())
	d.release = release
	for _, s := range d.ours {
		go func() {
			err := s.KeepAlive(ctx, func(title string) { _, _ = fmt.Fprintf(out, "  %s had ended and was started again", title) })
			if err != nil {
				d.failed <- err
			}
		}()
	}
}

func (d *data) outOfRoom() bool { return slices.ContainsFunc(d.ours, store.OutOfRoom) }

func (d *data) stop() error {
	d.release()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var group errgroup.Group
	for _, store := range d.ours {
		group.Go(func() error { return store.Stop(ctx) })
	}
	return group.Wait()
}

// startStores uses DATABASE_URL and REDIS_URL where they are set and starts private stores for the rest.
func startStores(ctx context.Context, show *progress) (*data, error) {
	d := &data{
		postgres: os.Getenv("DATABASE_URL"), cache: os.Getenv("REDIS_URL"), queue: os.Getenv("REDIS_URL"),
		failed: make(chan error, 3), release: func() {},
	}
	o := stores.Options{Dir: directory, Install: true, Progress: show.step}
	if d.postgres == "" {
		p, err := stores.StartPostgres(ctx, o)
		if err != nil {
			return d, err
		}
		d.ours, d.postgres, d.kept = append(d.ours, p), p.AdminURL(), "PostgreSQL "+p.Version()
		d.where = whereabouts(p.DataDir())
	}
	if d.cache != "" {
		return d, system.CheckRedis(ctx, d.cache)
	}
	for _, r := range []struct {
		config stores.RedisConfig
		url    *string
	}{
		{stores.RedisConfig{Name: "cache", MaxMemory: "64mb", Policy: "allkeys-lru"}, &d.cache},
		{stores.RedisConfig{Name: "queue", Policy: "noeviction", AppendOnly: true}, &d.queue},
	} {
		server, err := stores.StartRedis(ctx, o, r.config)
		if err != nil {
			return d, err
		}
		d.ours, *r.url = append(d.ours, server), server.URL()
	}
	return d, nil
}

// whereabouts names the directory that a server's data is in: ours, or the one beside it for a root whose directory the
// servers' user cannot reach.
func whereabouts(data string) string {
	parent := filepath.Dir(data)
	here, err := filepath.Abs(directory)
	if err == nil {
		here, err = filepath.EvalSymlinks(here)
	}
	if err == nil && parent == here {
		return directory
	}
	return parent
}

// viewer shows the traces and the mails.
type viewer struct {
	url  string
	stop func()
}

func startViewer(ctx context.Context, box *mail.Box) (*viewer, error) {
	listener, err := listenForTraces(ctx, os.Getenv(tracesVariable))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", traces.NewStore().Handler())
	mux.Handle("/mail/", box.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close below
	return &viewer{url: system.URL(listener.Addr()), stop: func() { _ = server.Close() }}, nil
}

func listenForTraces(ctx context.Context, address string) (net.Listener, error) {
	if address != "" { // whoever chose it looks there
		return listen(ctx, tracesVariable, address)
	}
	if listener, err := listen(ctx, tracesVariable, defaultTraces); err == nil {
		return listener, nil
	}
	return listen(ctx, tracesVariable, "127.0.0.1:0") // it is only a tool of the developer's: any port will do
}

// clearly says in one sentence what a person can do something about.
func clearly(ctx context.Context, d *data, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("stopped before everything was up")
	case errors.Is(err, syscall.ENOSPC), d.outOfRoom(): // where PostgreSQL meets a full disk, its clients hear "unexpected EOF"
		return fmt.Errorf("the disk is full: Hearth keeps its data in %s", directory)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to keep data in %s: %w", directory, err)
	}
	return err
}

func summary(s *system.System, viewerURL string, d *data, h seed.Household, took time.Duration) {
	kept := fmt.Sprintf("in the database that DATABASE_URL names, files in %s/", filepath.Join(directory, filesDir))
	if d.kept != "" {
		kept = fmt.Sprintf("in %s/ (%s); `make clean` removes it", d.where, d.kept)
	}
	fmt.Printf(`
  Hearth is running (%.1f s).

    Gateway     %s
    API docs    %s/api/docs/
    Health      %s/api/health/
    Traces      %s/traces/
    Mail        %s/mail/

    Demo login  %s   password  %s
                %s   password  %s

  Data is kept %s. Logs: %s.
  Ctrl-C stops everything that was started here.

`, took.Seconds(), s.URL, s.URL, s.URL, viewerURL, viewerURL, h.Owner, h.Password, h.Partner, h.Password, kept, filepath.Join(directory, logFile))
}

// migrate brings the databases up to date and ends.
func migrate(ctx context.Context) (err error) {
	show := newProgress(os.Stdout)
	defer show.end()
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // as in run
		return fmt.Errorf("cannot keep data in %s: %w", directory, err)
	}
	d, err := startStores(ctx, show)
	defer func() { err = errors.Join(err, d.stop()) }()
	if err != nil {
		return clearly(ctx, d, err)
	}
	secrets, err := system.LoadSecrets(directory)
	if err != nil {
		return clearly(ctx, d, err)
	}
	show.step("bringing the databases up to date")
	if err := system.Migrate(ctx, system.Options{Postgres: d.postgres, Secrets: secrets}); err != nil {
		return clearly(ctx, d, err)
	}
	return nil
}

// progress shows one line a step, with the time that it took; what the parts print stands between the lines.
type progress struct {
	mu      sync.Mutex // parts print while steps go on
	out     *os.File
	fancy   bool
	current string
	since   time.Time
}

func newProgress(out *os.File) *progress {
	info, err := out.Stat()
	return &progress{out: out, fancy: err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""}
}

func (p *progress) step(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
	p.current, p.since = what, time.Now()
	if p.fancy {
		_, _ = fmt.Fprintf(p.out, "  \x1b[33m…\x1b[0m %s", what)
	}
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
}

func (p *progress) finish() {
	if p.current == "" {
		return
	}
	mark, clear := "*", ""
	if p.fancy {
		mark, clear = "\x1b[32m✓\x1b[0m", "\r\x1b[K"
	}
	_, _ = fmt.Fprintf(p.out, "%s  %s %s (%.1f s)\n", clear, mark, p.current, time.Since(p.since).Seconds())
	p.current = ""
}

// Write is for what the parts print.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prefix := ""
	if p.fancy && p.current != "" {
		prefix = "\r\x1b[K"
	}
	if _, err := fmt.Fprint(p.out, prefix+strings.TrimRight(string(text), "\n")+"\n"); err != nil {
		return 0, err // the caller only wants to know that
	}
	return len(text), nil
}

// check compares the files that run keeps with their database. While run is running, that has the stores.
func check(ctx context.Context, deep bool) (err error) {
	show := newProgress(os.Stderr)
	defer show.end()
	d, err := startStores(ctx, show)
	defer func() { err = errors.Join(err, d.stop()) }()
	if err != nil {
		return clearly(ctx, d, err)
	}
	secrets, err := system.LoadSecrets(directory)
	if err != nil {
		return clearly(ctx, d, err)
	}
	database, err := system.DatabaseURL(system.Options{Postgres: d.postgres, Secrets: secrets}, "document")
	if err != nil {
		return clearly(ctx, d, err)
	}
	show.end()
	return document.RunCheck(ctx, document.Config{
		Service: config.Service{DatabaseURL: database}, Config: blob.Config{StorageDir: filepath.Join(directory, filesDir)},
	}, deep, os.Stdout)
}

// shops are the variables of an environment that say how billing reaches the shops: with the keys of a test account there,
// subscriptions can be tried here.
func shops(environ []string) []string {
	return beginning(environ, "STRIPE_", "APPLE_", "GOOGLE_", "CHECKOUT_", "PORTAL_")
}

// messages are the variables that say how notification sends: mails to the box, unless the environment names a server, and
// pushes where it has the keys for them.
func messages(environ []string, box *mail.Box, gateway string) []string {
	server := box.Environ()
	if len(server) == 0 {
		server = beginning(environ, "SMTP_")
	}
	chosen := beginning(environ, "MAIL_", "APP_URL=", "PUBLIC_URL=", "APNS_", "FCM_")
	return slices.Concat(server, []string{config.Prefix + "PUBLIC_URL=" + gateway}, chosen) // the later ones count
}

// beginning are the variables of Hearth's whose names begin so.
func beginning(environ []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(variable, config.Prefix+prefix) })
	})
}
