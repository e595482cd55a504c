package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// newStreams is for bodies that flow: net/http can read an answer while the body is still on its way, so that a service
// may refuse an upload before it has all arrived. A connection serves one request: a body that has begun to flow cannot
// be sent again, so it must not meet a connection that is dead already.
func newStreams() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", errNotConnected, err)
			}
			return conn, nil
		},
		DisableKeepAlives: true, DisableCompression: true, MaxConnsPerHost: 128, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10,
	}
}

// stream sends the request with its body as it comes in, and lets the answer flow as it comes back.
func (g *Gateway) stream(x *exchange, up *upstream, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(x.ctx, deadline)
	resp, err := g.streamOnce(ctx, x, up)
	if errors.Is(err, errNotConnected) && ctx.Err() == nil {
		resp, err = g.streamOnce(ctx, x, up)
	}
	if err != nil {
		cancel()
		return err
	}
	out := x.c.Response()
	out.SetStatusCode(resp.StatusCode)
	for name, values := range resp.Header {
		for _, value := range values {
			out.Header.Add(name, value)
		}
	}
	length := int(resp.ContentLength)
	if x.method == http.MethodHead {
		_ = resp.Body.Close() // nothing of it was wanted
		cancel()
		out.Header.SetContentLength(length)
		return nil
	}
	out.SetBodyStream(&outgoing{ReadCloser: resp.Body, cancel: cancel}, length)
	return nil
}

// streamOnce returns when the answer begins, with nobody reading the client's body any more.
func (g *Gateway) streamOnce(ctx context.Context, x *exchange, up *upstream) (*http.Response, error) {
	in := x.c.Request()
	req, err := http.NewRequestWithContext(ctx, string(in.Header.Method()), up.scheme+"://"+up.host+string(in.Header.RequestURI()), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	for key, value := range in.Header.All() {
		if name := string(key); name != fiber.HeaderHost && name != fiber.HeaderContentLength {
			req.Header.Add(name, string(value))
		}
	}
	var body *flowing
	if length := in.Header.ContentLength(); in.IsBodyStream() && length != 0 {
		body = &flowing{closed: make(chan struct{})}
		body.incoming = x.newIncoming(g.cfg.UploadLimit)
		req.Body, req.ContentLength = body, int64(length)
	}
	resp, err := up.streams.RoundTrip(req)
	if body != nil {
		body.stop()
	}
	if err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	return resp, nil
}

// flowing is a body that another goroutine reads: the transport's.
type flowing struct {
	incoming
	mu     sync.Mutex
	done   bool
	once   sync.Once
	closed chan struct{}
}

// Read reads from the client, until stop.
func (f *flowing) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return 0, io.ErrClosedPipe
	}
	return f.incoming.Read(p)
}

// Close tells stop that the transport is done with the body.
func (f *flowing) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// stop ends the reading, and returns when nobody reads any more: the connection then belongs to the server again. An
// answer that came before the body's end leaves the transport waiting for the client; passing the deadline wakes it.
func (f *flowing) stop() {
	f.stopped.Store(true)
	select {
	case <-f.closed:
	default:
		_ = f.conn.SetReadDeadline(time.Unix(1, 0)) // a closed connection wakes it too
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
}

// outgoing is an answer that flows; its end ends the deadline's timer.
type outgoing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close is called by the server when the client has everything, or has gone.
func (o *outgoing) Close() error {
	defer o.cancel()
	return o.ReadCloser.Close() // a closer hands on what it gets
}
