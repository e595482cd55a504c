package stores

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	miniserver "github.com/alicebob/miniredis/v2/server"
)

// An embedded Redis answers from within this process, where no redis-server is to be had.
type embedded struct {
	opts   Options
	home   *home
	name   string
	config RedisConfig

	mu      sync.Mutex
	lock    *lock
	port    int
	redis   *miniredis.Miniredis
	running bool
}

func startEmbedded(opts Options, h *home, name string, config RedisConfig) (*embedded, error) {
	opts.progress("no redis-server: an embedded Redis answers for " + config.Name + ", and keeps nothing once this run ends")
	e := &embedded{opts: opts, home: h, name: name, config: config}
	held, err := takeLock(e.lockPath())
	if err != nil {
		return nil, err
	}
	e.lock = held
	if err := e.listen(); err != nil {
		held.release()
		return nil, err
	}
	return e, nil
}

func (e *embedded) lockPath() string { return filepath.Join(e.home.dir, e.name+".lock") }

func (e *embedded) listen() error {
	remembered := e.home.portFile(e.name)
	port, err := remembered.choose(e.opts)
	if err != nil {
		return err
	}
	taken := func(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
	if err := startOn(port, e.openOn, taken); err != nil {
		return err
	}
	return remembered.remember(e.opts, e.port)
}

func (e *embedded) openOn(port int) error {
	e.port = port
	return e.open()
}

// open starts on an empty store, except where the real server would still have its data.
func (e *embedded) open() error {
	if e.redis == nil || !e.config.AppendOnly {
		e.redis = miniredis.NewMiniRedis()
		e.redis.ClockTTL(true) // keys expire as time goes by
	}
	if err := e.redis.StartAddr(address(e.port)); err != nil {
		return err
	}
	e.running = true
	return e.redis.Server().Register("CONFIG", e.answerConfig)
}

// answerConfig answers CONFIG GET for the settings that programs check at their start; miniredis has no CONFIG.
func (e *embedded) answerConfig(peer *miniserver.Peer, _ string, args []string) {
	if len(args) < 2 || !strings.EqualFold(args[0], "GET") {
		peer.WriteError("ERR the embedded Redis knows CONFIG GET only")
		return
	}
	settings := map[string]string{
		"maxmemory-policy": e.config.Policy,
		"maxmemory":        e.config.MaxMemory,
		"appendonly":       yesNo(e.config.AppendOnly),
	}
	var known []string
	for _, name := range args[1:] {
		if value, ok := settings[strings.ToLower(name)]; ok {
			known = append(known, strings.ToLower(name), value)
		}
	}
	peer.WriteMapLen(len(known) / 2)
	for _, text := range known {
		peer.WriteBulk(text)
	}
}

func (e *embedded) Embedded() bool { return true }

func (e *embedded) PID() int { return 0 }

// KeepAlive has nothing to do: it cannot end before this process does.
func (e *embedded) KeepAlive(context.Context, func(title string)) error { return nil }

// OutOfRoom is never so: nothing of it is on a disk.
func (e *embedded) OutOfRoom() bool { return false }

func (e *embedded) Port() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.port
}

func (e *embedded) Kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.close()
}

func (e *embedded) close() {
	if e.running {
		e.redis.Close()
		e.running = false
	}
}

func (e *embedded) Stop(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.close()
	e.lock.release()
	e.lock = nil
	return nil
}

func (e *embedded) Restart(context.Context) (err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.close()
	if e.lock == nil {
		if e.lock, err = takeLock(e.lockPath()); err != nil {
			return err
		}
	}
	return e.open()
}
