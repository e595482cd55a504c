package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Drain ends a Fiber app in order. fasthttp's own shutdown lets requests end and closes connections that wait for their
// next one, but takes a connection that never sent a first for a busy one: clients open such connections ahead of need,
// and one of them would hold a stop until its read deadline.
type Drain struct {
	app    *fiber.App
	mu     sync.Mutex
	silent map[*connection]time.Time // accepted, nothing received yet
}

// silentTime is how long a new connection may take to send its first bytes once a stop has begun: a client dials because
// it has something to say.
const silentTime = 500 * time.Millisecond

// NewDrain prepares the app for an orderly end.
func NewDrain(app *fiber.App) *Drain {
	app.Server().CloseOnShutdown = true
	return &Drain{app: app, silent: map[*connection]time.Time{}}
}

// Serve answers the listener's connections until Shutdown.
func (d *Drain) Serve(listener net.Listener) error {
	if err := d.app.Listener(watched{listener, d}); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Shutdown lets what is in flight end, and answers an error when ctx ends first.
func (d *Drain) Shutdown(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go d.closeSilent(watching)
	if err := d.app.ShutdownWithContext(ctx); err != nil {
		return fmt.Errorf("requests in flight: %w", err)
	}
	return nil
}

func (d *Drain) closeSilent(ctx context.Context) {
	tick := time.NewTicker(silentTime / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, conn := range d.overdue() {
				_ = conn.Close() // whoever opened it has not used it
			}
		}
	}
}

func (d *Drain) overdue() []*connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*connection
	for conn, since := range d.silent {
		if time.Since(since) > silentTime {
			out = append(out, conn)
		}
	}
	return out
}

type watched struct {
	net.Listener
	drain *Drain
}

// Accept waits for the next connection and watches it until its first bytes.
func (w watched) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err // fasthttp looks at what kind it is
	}
	c := &connection{Conn: conn, drain: w.drain}
	w.drain.mu.Lock()
	defer w.drain.mu.Unlock()
	w.drain.silent[c] = time.Now()
	return c, nil
}

// connection is silent until something is read from it.
type connection struct {
	net.Conn
	drain  *Drain
	heard  atomic.Bool
	unread atomic.Bool // the client is still sending something that nobody will read
}

// A body that was refused is read on up to here when its connection is closed: closing it with something unread in it
// would reset it, and the client could lose the answer.
const (
	lingerBytes = 32 << 20
	lingerTime  = 2 * time.Second
)

// Read notes the first bytes.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.heard.Load() {
		c.forget()
	}
	return n, err // a connection hands on what it gets
}

// Close ends the connection.
func (c *connection) Close() error {
	c.forget()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.unread.Load() {
		_ = half.CloseWrite() // the client may have gone: then there is nothing to read either
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, lingerBytes))
	}
	return c.Conn.Close() // as above
}

// SyscallConn lets who looks at the socket itself look through.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	socket, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection is no socket")
	}
	return socket.SyscallConn() // as above
}

// SetWriteBuffer bounds what the system holds for a client that does not read.
func (c *connection) SetWriteBuffer(bytes int) error {
	socket, ok := c.Conn.(interface{ SetWriteBuffer(bytes int) error })
	if !ok {
		return errors.New("the connection is no socket")
	}
	return socket.SetWriteBuffer(bytes) // as above
}

func (c *connection) forget() {
	if c.heard.Swap(true) {
		return
	}
	c.drain.mu.Lock()
	defer c.drain.mu.Unlock()
	delete(c.drain.silent, c)
}
