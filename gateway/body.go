package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"hearth.internal/pkg/apperr"
)

// A body that was refused is read on up to here before the connection is closed, because a client that is still sending
// would not see the answer.
const (
	lingerBytes = 32 << 20
	lingerTime  = 2 * time.Second
	lingerPause = 200 * time.Millisecond
)

// bodyState is what became of the request's body.
type bodyState struct {
	buffer []byte // kept from one request to the next
	ended  bool   // read to its end: the connection is good for another request
	failed error  // of reading it
}

// keptBuffer is the largest buffer that is worth keeping for the next request.
const keptBuffer = 64 << 10

var errTooLarge = errors.New("the body is larger than its limit")

// holdBody reads a small body whole and puts it into the request in place of the stream.
func (g *Gateway) holdBody(x *exchange) error {
	request := x.c.Request()
	if !request.IsBodyStream() {
		return nil
	}
	limit := g.cfg.BodyLimit
	if err := announced(request, limit); err != nil {
		return err
	}
	// fasthttp adds a trailer to the headers, which have been stripped by now.
	var header fasthttp.RequestHeader
	chunked := request.Header.ContentLength() < 0
	if chunked {
		request.Header.CopyTo(&header)
	}
	source := x.newIncoming(limit)
	buffer := x.body.buffer[:0]
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := source.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bodyError(err, limit)
		}
	}
	if chunked {
		header.CopyTo(&request.Header)
	}
	request.SetBodyRaw(buffer)
	request.Header.SetContentLength(len(buffer))
	x.body.buffer = nil
	if cap(buffer) <= keptBuffer {
		x.body.buffer = buffer[:0]
	}
	return nil
}

// admitBody lets a body come in that will be streamed.
func (g *Gateway) admitBody(x *exchange) error { return announced(x.c.Request(), g.cfg.UploadLimit) }

// announced refuses a body that says itself that it is too large, and one that says two sizes.
func announced(request *fasthttp.Request, limit int) error {
	length := request.Header.ContentLength()
	if length > limit {
		return bodyError(errTooLarge, limit)
	}
	if length < 0 && bytes.Contains(append([]byte("\n"), bytes.ToLower(request.Header.RawHeaders())...), []byte("\ncontent-length:")) {
		return apperr.MalformedRequest.New("The request has both a Content-Length and a Transfer-Encoding.")
	}
	return nil
}

func bodyError(err error, limit int) error {
	if errors.Is(err, errTooLarge) {
		return apperr.BodyTooLarge.New("The body may be %d bytes at most.", limit)
	}
	return apperr.MalformedRequest.Wrap(err, "The body could not be read to its end.")
}

// incoming is a request's body on its way in: bounded in size, in how long the client may be silent, and by the
// request's deadline, or one that sends a byte now and then would never end.
type incoming struct {
	x       *exchange
	from    io.Reader
	limit   int
	length  int // as announced; below 0 it comes in chunks
	got     int
	conn    net.Conn
	until   time.Time
	stopped atomic.Bool // whoever reads is to give up; that is no failure of the client's
}

// newIncoming is the body of the exchange's request, which has one.
func (x *exchange) newIncoming(limit int) incoming {
	request := x.c.Request()
	return incoming{
		x: x, from: request.BodyStream(), limit: limit, length: request.Header.ContentLength(), conn: x.c.Context().Conn(),
		until: x.start.Add(x.route.Deadline),
	}
}

// Read fails with errTooLarge once there is more than the limit, and never takes a connection that ended for the end of
// the body.
func (b *incoming) Read(p []byte) (int, error) {
	next := time.Now().Add(readTime)
	if next.After(b.until) {
		next = b.until
	}
	_ = b.conn.SetReadDeadline(next) // a closed connection shows in the read
	if b.stopped.Load() {
		return 0, io.ErrClosedPipe
	}
	n, err := b.from.Read(p)
	b.got += n
	if err == io.EOF && (b.length >= 0 && b.got < b.length || b.length < 0 && !stillOpen(b.conn)) {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case b.got > b.limit:
		err = errTooLarge
	case err == io.EOF:
		b.x.body.ended = true
	}
	if err != nil && err != io.EOF && !b.stopped.Load() {
		b.x.body.failed = err
	}
	return n, err // a reader hands on io.EOF
}

// settleBody makes the connection ready for the next request, or closes it: what is left of a body that nobody read
// would be taken for one.
func (g *Gateway) settleBody(x *exchange) {
	stream := x.c.Request().BodyStream()
	if stream == nil || x.body.ended {
		return
	}
	conn := x.c.Context().Conn()
	_ = conn.SetReadDeadline(time.Now().Add(lingerTime)) // a closed connection shows in the read
	length := x.c.Request().Header.ContentLength()
	n, err := io.Copy(io.Discard, io.LimitReader(stream, lingerBytes))
	if whole := length >= 0 && n == int64(length) && err == nil; !whole && length != 0 {
		x.c.Response().SetConnectionClose()
	}
	if err != nil {
		linger(conn)
	}
}

// linger takes what the client is still sending, until it pauses: closing a connection with something unread in it
// resets it, and the client would lose the answer. It is for a body that can no longer be told apart from what follows,
// because its reader was woken in the middle of a chunk.
func linger(conn net.Conn) {
	buffer := make([]byte, 32<<10)
	until := time.Now().Add(lingerTime)
	for taken := 0; taken < lingerBytes && time.Now().Before(until); {
		_ = conn.SetReadDeadline(time.Now().Add(lingerPause)) // a closed connection shows in the read
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		taken += n
	}
}
