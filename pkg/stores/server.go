package stores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// An engine is what PostgreSQL and Redis do differently.
type engine interface {
	prepare(ctx context.Context, s *server) error // data that the server can start on
	command(s *server, port int) *exec.Cmd
	answers(ctx context.Context, s *server, pid, port int) error // nil once it is ready, and is ours
	hopeless(answer error) bool                                  // it will never be
	reason(log []string) string                                  // the line that says why it did not start
	farewell() syscall.Signal                                    // stops it in order
	portTaken(reason string) bool
	stillEnding(reason string) bool // what is left of a killed server is in its way
}

// A server is one PostgreSQL or Redis process, its data and its port.
type server struct {
	engine
	opts  Options
	home  *home
	name  string // of its log, port and lock: "postgres", "redis-queue"
	title string // in messages: "PostgreSQL 15"
	data  string
	as    *account

	mu    sync.Mutex
	lock  *lock // held from the start until Stop
	port  int
	child *child
	log   *serverLog // since the launch
}

// patience bounds one start; recovery after a crash may take a while.
const patience = 2 * time.Minute

func newServer(e engine, opts Options, h *home, name, title, dataName string) *server {
	data := filepath.Join(h.data, opts.dataName(dataName))
	return &server{engine: e, opts: opts, home: h, name: name, title: title, data: data}
}

// start takes over the data, whoever left it, and brings the server up on the remembered port or a new one.
func (s *server) start(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if err != nil {
			s.letGo()
		}
	}()
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	s.opts.progress("starting " + s.title)
	port, err := s.portFile().choose(s.opts)
	if err != nil {
		return err
	}
	return startOn(port, func(port int) error { return s.launch(ctx, port) }, s.failedOnPort)
}

func (s *server) takeOver(ctx context.Context) (err error) {
	if s.lock == nil {
		s.lock, err = takeLock(filepath.Join(s.home.dir, s.name+".lock"))
	}
	if err != nil {
		return err
	}
	if err := stopOrphan(s.data); err != nil {
		return err
	}
	if err := s.prepare(ctx, s); err != nil {
		return err
	}
	s.as = s.home.as.ownerFor(s.data)
	return nil
}

func (s *server) portFile() portFile { return s.home.portFile(s.name) }

// launch runs the server on this port and returns once it answers.
func (s *server) launch(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := s.attempt(ctx, port)
		var failed *startError
		if !errors.As(err, &failed) || !s.stillEnding(failed.reason) || !pause(ctx, 20*time.Millisecond) {
			return err
		}
	}
}

func (s *server) attempt(ctx context.Context, port int) error {
	log, err := s.home.openLog(s.name)
	if err != nil {
		return err
	}
	defer log.file.Close() // the server has its own copy
	cmd := s.command(s, port)
	cmd.Stdout, cmd.Stderr = log.file, log.file
	c, err := startChild(cmd, s.as, s.farewell())
	if err != nil {
		return fmt.Errorf("%s did not start: %w", s.title, err)
	}
	if err := s.await(ctx, c, port); err != nil {
		c.abort()
		return &startError{server: s, cause: err, reason: s.reason(log.lines()), log: log.path(), port: port}
	}
	if err := s.portFile().remember(s.opts, port); err != nil {
		c.abort()
		return err
	}
	s.child, s.port, s.log = c, port, log
	return nil
}

var errExited = errors.New("it ended at once")

// await asks the server until it answers, or is gone.
func (s *server) await(ctx context.Context, c *child, port int) error {
	ctx, cancel := c.whileAlive(ctx) // whoever else has the port may accept, and then say nothing
	defer cancel()
	for {
		err := s.answers(ctx, s, c.pid(), port)
		if err != nil && s.hopeless(err) {
			return err
		}
		if err != nil && pause(ctx, 5*time.Millisecond) {
			continue
		}
		if c.gone() {
			return errExited
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil
	}
}

// pause is for what can only be asked, not waited for; it says whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *server) failedOnPort(err error) bool {
	var failed *startError
	return errors.As(err, &failed) && s.portTaken(failed.reason)
}

// Port is where the server listens on 127.0.0.1. A Restart keeps it.
func (s *server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port
}

// DataDir is where its data is. It is not always below Options.Dir: see the package's comment.
func (s *server) DataDir() string { return s.data }

// PID is the server's process id, 0 while it does not run.
func (s *server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil || s.child.gone() {
		return 0
	}
	return s.child.pid()
}

// Stop ends the server in order, and an ephemeral one's data with it. When ctx ends before the server does, it is ended
// by force and Stop says so. Stop again does nothing.
func (s *server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.end(ctx)
	defer s.letGo()
	if !s.opts.Ephemeral {
		return err
	}
	for _, path := range []string{s.data, s.home.logPath(s.name)} {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return errors.Join(err, s.home.tidy())
}

func (s *server) end(ctx context.Context) error {
	if s.child == nil {
		return nil
	}
	c := s.child
	s.child = nil
	if c.gone() || c.end(ctx, s.farewell(), syscall.SIGQUIT, syscall.SIGKILL) {
		return nil
	}
	return fmt.Errorf("%s did not stop in time and was ended by force", s.title)
}

func (s *server) letGo() {
	s.lock.release()
	s.lock = nil
}

// Kill ends the server as a crash would. Its data stays, and Restart brings it back.
func (s *server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child != nil {
		s.child.signal(syscall.SIGKILL)
		<-s.child.done
		s.child = nil
	}
}

// Restart brings the server back on its port and data: after Kill, after Stop (unless ephemeral), or while it runs.
func (s *server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Ephemeral && s.lock == nil {
		return fmt.Errorf("%s was ephemeral: Stop removed its data", s.title)
	}
	_ = s.end(ctx) // in order or by force: it is down
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	return s.launch(ctx, s.port)
}

// KeepAlive brings the server back whenever it ends by itself, on its port and data, and tells `back` of it. It answers
// once ctx or Stop ends its task, with nil, or when the server does not stay up, with the reason.
func (s *server) KeepAlive(ctx context.Context, back func(title string)) error {
	for past := new(ends); ; {
		s.mu.Lock()
		c := s.child
		s.mu.Unlock()
		if c == nil || !c.goneBefore(ctx) {
			return nil
		}
		came, err := s.revive(ctx, c)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case came && past.tooMany():
			return fmt.Errorf("%s ended by itself %d times within %v (its log is %s)", s.title, maxEnds, endsWithin, s.home.logPath(s.name))
		case came:
			back(s.title)
		}
	}
}

// revive starts the server again in place of c, unless Stop or Restart was quicker.
func (s *server) revive(ctx context.Context, c *child) (came bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child != c {
		return false, nil
	}
	s.child = nil
	if err := s.takeOver(ctx); err != nil {
		return false, err
	}
	return true, s.launch(ctx, s.port)
}

// A server that ends so often has a reason which starting it again does not take away.
const (
	maxEnds    = 5
	endsWithin = time.Minute
)

// ends are the times of the last ends, oldest first.
type ends [maxEnds]time.Time

func (e *ends) tooMany() bool {
	copy(e[:], e[1:])
	e[maxEnds-1] = time.Now()
	return time.Since(e[0]) < endsWithin
}

// OutOfRoom reports whether the server has met a full disk since it was started. What its clients hear of that is often
// no more than a broken connection.
func (s *server) OutOfRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log != nil && slices.ContainsFunc(s.log.lines(), func(line string) bool { return strings.Contains(line, diskFull) })
}

// A startError says in one sentence why a server did not start.
type startError struct {
	server *server
	cause  error
	reason string
	log    string
	port   int
}

func (e *startError) Unwrap() error { return e.cause }

func (e *startError) Error() string {
	s := e.server
	switch {
	case strings.Contains(e.reason, diskFull), e.reason == "" && noRoom(s.home.dir):
		return fmt.Sprintf("%s did not start: the disk of %s is full", s.title, s.data)
	case s.portTaken(e.reason):
		return fmt.Sprintf("%s did not start: another program has taken its port %d", s.title, e.port)
	case !errors.Is(e.cause, errExited):
		cause := strings.Join(strings.Fields(e.cause.Error()), " ") // pgx breaks lines
		return fmt.Sprintf("%s did not get ready: %s (data in %s, log in %s)", s.title, cause, s.data, e.log)
	case e.reason == "":
		return fmt.Sprintf("%s did not start and says nothing in %s", s.title, e.log)
	}
	return fmt.Sprintf("%s did not start: %s (data in %s, log in %s)", s.title, e.reason, s.data, e.log)
}

const diskFull = "No space left on device"

// noRoom looks for itself: on a full disk a log stays empty.
func noRoom(dir string) bool {
	file, err := os.CreateTemp(dir, "stores.room")
	if err != nil {
		return errors.Is(err, syscall.ENOSPC)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(make([]byte, 64<<10))
	return errors.Is(errors.Join(err, file.Close()), syscall.ENOSPC)
}
