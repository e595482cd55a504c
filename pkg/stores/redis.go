package stores

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// RedisConfig says which Redis this is.
type RedisConfig struct {
	Name       string // "cache" or "queue": one server per name in a directory
	MaxMemory  string // "64mb"; empty means no limit
	Policy     string // "allkeys-lru" for a cache, "noeviction" for a queue, which would silently lose tasks otherwise
	Databases  int    // how many numbered databases; 0 means Redis's own 16
	AppendOnly bool   // keeps the data over a restart; a crash of the machine may lose the last second
}

// Redis is a private Redis server, or its embedded stand-in.
type Redis struct{ redisServer }

type redisServer interface {
	// Port is where it listens on 127.0.0.1. A Restart keeps it.
	Port() int
	// PID is the server's process id: 0 while it does not run, and for the embedded one.
	PID() int
	// Stop ends it in order, and an ephemeral one's data with it.
	Stop(ctx context.Context) error
	// Kill ends it as a crash would. Restart brings it back.
	Kill()
	// Restart brings it back on its port and data.
	Restart(ctx context.Context) error
	// KeepAlive brings it back whenever it ends by itself, until ctx or Stop ends that, and tells `back` of it.
	KeepAlive(ctx context.Context, back func(title string)) error
	// OutOfRoom reports whether it has met a full disk since it was started.
	OutOfRoom() bool
	// Embedded is true where no redis-server was found: this process answers itself, and keeps nothing once it ends.
	Embedded() bool
}

// StartRedis finds or installs Redis, and returns once it answers. ctx bounds the start alone.
func StartRedis(ctx context.Context, opts Options, config RedisConfig) (*Redis, error) {
	h, err := openHome(opts.Dir)
	if err != nil {
		return nil, err
	}
	program, err := findRedis(ctx, opts)
	if err != nil {
		return nil, err
	}
	name := "redis-" + config.Name
	if program == "" {
		e, err := startEmbedded(opts, h, name, config)
		if err != nil {
			return nil, err
		}
		return &Redis{e}, nil
	}
	s := newServer(&redisProcess{program, config}, opts, h, name, "Redis "+config.Name, name)
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return &Redis{processServer{s}}, nil
}

// URL is how clients reach it.
func (r *Redis) URL() string { return "redis://" + address(r.Port()) + "/0" }

type processServer struct{ *server }

func (processServer) Embedded() bool { return false }

// A redisProcess is redis-server as an engine.
type redisProcess struct {
	program string
	config  RedisConfig
}

func (r *redisProcess) prepare(_ context.Context, s *server) error {
	for _, stale := range matches(s.data, redisPIDs) {
		if err := os.Remove(stale); err != nil {
			return err
		}
	}
	_, err := os.Stat(s.data)
	if fresh := s.opts.Ephemeral && s.port == 0; err == nil && !fresh {
		return nil
	}
	_, err = s.home.newDir(filepath.Base(s.data))
	return err
}

func (r *redisProcess) command(s *server, port int) *exec.Cmd {
	args := []string{
		"--bind", "127.0.0.1",
		"--port", strconv.Itoa(port),
		"--daemonize", "no",
		"--dir", s.data,
		"--pidfile", filepath.Join(s.data, redisPIDName(port)),
		"--save", "", // the append-only file is what lasts, where anything does
		"--appendonly", yesNo(r.config.AppendOnly),
		"--appendfsync", r.sync(s.opts),
	}
	if r.config.Databases > 0 {
		args = append(args, "--databases", strconv.Itoa(r.config.Databases))
	}
	if r.config.MaxMemory != "" {
		args = append(args, "--maxmemory", r.config.MaxMemory)
	}
	if r.config.Policy != "" {
		args = append(args, "--maxmemory-policy", r.config.Policy)
	}
	return exec.Command(r.program, args...)
}

func (r *redisProcess) sync(opts Options) string {
	if opts.Ephemeral {
		return "no"
	}
	return "everysec"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// answers speaks Redis's protocol by hand: a client library retries and logs, and one question is enough. The process id
// tells our server from another one that has the port.
func (r *redisProcess) answers(ctx context.Context, _ *server, pid, port int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(port))
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte("INFO server\r\nINFO persistence\r\nQUIT\r\n")); err != nil {
		return err
	}
	ours, ready := false, false
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		ours = ours || lines.Text() == "process_id:"+strconv.Itoa(pid)
		ready = ready || lines.Text() == "loading:0"
	}
	if !ours || !ready {
		return fmt.Errorf("port %d: ours %v, data loaded %v", port, ours, ready)
	}
	return nil
}

func (r *redisProcess) hopeless(error) bool { return false } // it ends by itself then

// reason leaves out what precedes the message: process id, role, time. The last line often only says "exiting".
func (r *redisProcess) reason(log []string) string {
	reason := ""
	for _, line := range log {
		_, message, found := strings.Cut(line, " # ")
		if !found {
			message = line
		}
		for _, mark := range []string{"Address already in use", diskFull} {
			if strings.Contains(message, mark) {
				return message
			}
		}
		if found && !strings.HasPrefix(message, "WARNING") || strings.HasPrefix(line, ">>>") {
			reason = message
		}
	}
	if reason == "" && len(log) > 0 {
		return log[len(log)-1]
	}
	return reason
}

func (r *redisProcess) farewell() syscall.Signal { return syscall.SIGTERM }

func (r *redisProcess) portTaken(reason string) bool {
	return strings.Contains(reason, "Address already in use")
}

func (r *redisProcess) stillEnding(string) bool { return false }
