package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// Live updates: GET /api/events/ answers Server-Sent Events (WHATWG HTML, section 9.2). What is told comes from one stream
// in the cache Redis, which every service's relay writes and every gateway reads once (live_follow.go), and goes to those
// who may know (live_hub.go), each on a connection that is taken over from the server (live_conn.go).

const (
	liveOpenTime = 5 * time.Second // for what an opening asks of Redis and auth
	liveLife     = 30 * time.Minute
	liveRetryMin = 1000 // milliseconds until a client comes again
	liveRetryMax = 5000
)

// opening is what a request for a stream asked for, on its way to become a subscriber.
type opening struct {
	user      uuid.UUID
	token     hash
	requestID string
	homes     []uuid.UUID
	known     place  // the gateway's before the homes were looked up
	resume    bool   // the client has heard something before
	since     liveID // what it was; none when it cannot be read
	chunked   bool
}

// serveEvents answers GET /api/events/. It refuses what can be refused; the stream begins once the server has let go of
// the connection.
func (g *Gateway) serveEvents(x *exchange) error {
	known, following := g.live.position()
	if !following || !g.tokens.memory.alive(x.start) {
		// Without Redis there is nothing to tell, and the end of a session would not be heard of.
		return apperr.ServiceUnavailable.New("Live updates are not to be had just now; try again.").After(time.Second)
	}
	homes, err := g.live.directory.HomesOf(x.ctx, x.session.UserID)
	if err != nil {
		return err
	}
	header := &x.c.Request().Header
	token, err := tokenIn(header.Peek(fiber.HeaderAuthorization))
	if err != nil {
		return err
	}
	o := opening{
		user: x.session.UserID, token: hash(sha256.Sum256(token)), requestID: x.requestID, homes: access.IDs(homes), known: known,
		chunked: header.IsHTTP11(),
	}
	last := string(header.Peek("Last-Event-ID"))
	if last == "" {
		last = x.c.Query("last_event_id")
	}
	if last != "" {
		o.resume = true
		if o.since, err = g.live.resumable(x.ctx, last, known); err != nil {
			return apperr.ServiceUnavailable.Wrap(err, "Live updates are not to be had just now; try again.").After(time.Second)
		}
	}
	x.c.Set(fiber.HeaderContentType, "text/event-stream")
	x.c.Set(fiber.HeaderCacheControl, "no-store")
	x.c.Set("X-Accel-Buffering", "no") // nginx would hold it back
	if x.method == http.MethodHead {
		return nil
	}
	response := &x.c.Response().Header
	response.SetConnectionClose()
	if o.chunked {
		response.SetContentLength(-1)
	}
	request := x.c.Context()
	request.HijackSetNoResponse(true) // the server would end the connection of a client that says close
	request.Hijack(func(conn net.Conn) {
		if hijacked, ok := conn.(interface{ UnsafeConn() net.Conn }); ok {
			conn = hijacked.UnsafeConn() // the wrapper holds the server's buffer
		}
		g.live.begin(conn, o, request.Response.Header.Header())
	})
	return nil
}

// begin makes a subscriber of a connection. It returns soon, so that the server gets its buffers back.
func (b *broadcast) begin(conn net.Conn, o opening, header []byte) {
	s := &subscriber{
		hub: b, user: o.user, token: o.token, homes: o.homes, conn: conn, chunked: o.chunked, after: o.since, writing: true,
		ends: time.Now().Add(jittered(liveLife)), beats: time.Now().Add(jittered(heartbeat)),
	}
	if buffered, ok := conn.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = buffered.SetWriteBuffer(liveWriteBuffer) // a connection that is closed shows when it is written to
	}
	at, admitted := b.add(s, o.known)
	if !admitted {
		_ = conn.Close() // the client comes again
		return
	}
	ctx, cancel := context.WithTimeout(telemetry.WithRequestID(context.Background(), o.requestID), liveOpenTime)
	defer cancel()
	first, err := b.greeting(ctx, s, o, at)
	if err == nil {
		err = s.write(append(header, s.framed(first)...))
	}
	if err != nil {
		if !apperr.InvalidToken.Has(err) && !errors.Is(err, errLiveConn) {
			b.log.WarnContext(ctx, "a live stream did not begin", "error", err)
		}
		b.drop(s, "failed")
		b.readers.Done()
		return
	}
	go s.watch()
	go s.flush() // what has come meanwhile
}

// greeting is the first that a subscriber hears: what it has missed, or that it must ask for everything. What came after
// at waits in its queue already.
func (b *broadcast) greeting(ctx context.Context, s *subscriber, o opening, at liveID) ([]byte, error) {
	// The session was good when the request came. The subscriber is entered under its token by now: had it ended in
	// between, either the memory had known or we would have been told.
	if _, err := b.tokens.session(ctx, o.token, time.Now()); err != nil {
		return nil, err
	}
	if !b.tokens.memory.alive(time.Now()) {
		return nil, apperr.ServiceUnavailable.New("The revocation channel is lost.")
	}
	out := strconv.AppendInt([]byte("retry: "), liveRetryMin+rand.Int64N(liveRetryMax-liveRetryMin), 10) //nolint:gosec // spreads load, guards nothing
	out = append(out, "\n\n"...)
	if !o.resume {
		return appendEvent(out, at, "ready", []byte(`{"type":"ready"}`)), nil
	}
	missed, whole, err := b.since(ctx, o.since, at)
	if err != nil {
		return nil, err
	}
	if !whole {
		return appendEvent(out, at, "reset", []byte(`{"type":"reset"}`)), nil
	}
	for _, e := range missed {
		if home, concerned := e.concerns(s); concerned {
			out = append(out, e.frame(home)...)
			b.delivered.Inc()
		}
	}
	return out, nil
}

// jittered is up to a fifth shorter, so that what began together does not end together.
func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/5)) //nolint:gosec // spreads load, guards nothing
}
