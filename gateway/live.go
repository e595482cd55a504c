package gateway

import (
	"context"
	"crypto/sha256"
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
	ctx, cancel := context.WithTimeout(telemetry.WithRequestID(context.Background(), o.requestID), liveOpenTime)
	defer cancel()
	out := strconv.AppendInt([]byte("retry: "), liveRetryMin+rand.Int64N(liveRetryMax-liveRetryMin), 10) //nolint:gosec // spreads load, guards nothing
	out = append(out, "\n\n"...)
	at, err := b.admit(ctx, s, o.known)
	if err == nil {
		defer b.readers.Done()
		out, err = b.greet(ctx, out, s, o, at)
	}
	if err != nil {
		if !apperr.InvalidToken.Has(err) {
			b.log.WarnContext(ctx, "a live stream did not begin", "error", err)
		}
		b.withdraw(s, "failed")
		// An answer that says nothing: the client comes again, and then it is refused as it should be.
		_ = s.write(append(header, s.framed(out)...)) // it is closed next
		s.finish()
		s.flush()
		return
	}
	if err := s.write(append(header, s.framed(out)...)); err != nil {
		b.drop(s, lossOf(err))
		return
	}
	b.readers.Go(s.watch)
	b.readers.Go(s.flush) // what has come meanwhile
}

// admit enters a subscriber, and looks its residences up again when they have become others since.
func (b *broadcast) admit(ctx context.Context, s *subscriber, known place) (at liveID, err error) {
	for range 3 {
		at, admitted := b.add(s, known)
		if admitted {
			return at, nil
		}
		now, following := b.position()
		if !following {
			break
		}
		homes, err := b.directory.HomesOf(ctx, s.user)
		if err != nil {
			return liveID{}, err
		}
		s.homes, known = access.IDs(homes), now
	}
	return liveID{}, apperr.ServiceUnavailable.New("There is nothing to hear.")
}

// greet adds the first that a subscriber hears: what it has missed, or that it must ask for everything. What came after at
// waits in its queue already.
func (b *broadcast) greet(ctx context.Context, out []byte, s *subscriber, o opening, at liveID) ([]byte, error) {
	// The session was good when the request came. The subscriber is entered under its token by now: had it ended in
	// between, either the memory had known or we would have been told.
	if _, err := b.tokens.session(ctx, o.token, time.Now()); err != nil {
		return out, err
	}
	if !b.tokens.memory.alive(time.Now()) {
		return out, apperr.ServiceUnavailable.New("The revocation channel is lost.")
	}
	if !o.resume {
		return appendEvent(out, at, "ready", []byte(`{"type":"ready"}`)), nil
	}
	missed, whole, err := b.since(ctx, o.since, at)
	if err != nil {
		return out, err
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
