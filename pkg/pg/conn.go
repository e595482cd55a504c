package pg

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/roundtrip"
)

// hungUp looks, without a round trip, whether the server has closed an idle connection: it peeks at the socket, where
// an end of file is waiting then. (The check of go-sql-driver/mysql's connCheck.) A pool that does not look hands out
// a dead connection after every restart of the database, one that pings pays a round trip.
func hungUp(conn net.Conn) bool {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	dead := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		case err != nil, n == 0:
			dead = true
		default:
			// Nothing was asked, so what waits here is the server's goodbye (or a notice: a ping will tell).
			dead = true
		}
	})
	return dead || err != nil
}

func lostConnection(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || err.Error() == "conn closed"
}

// counter adds every journey to the request's round trips.
type counter struct{}

type markKey struct{}

func begin(ctx context.Context) context.Context {
	if trips := roundtrip.From(ctx); trips != nil {
		return context.WithValue(ctx, markKey{}, trips.Begin())
	}
	return ctx
}

func end(ctx context.Context, n int) {
	if mark, ok := ctx.Value(markKey{}).(roundtrip.Mark); ok {
		roundtrip.From(ctx).End(roundtrip.DB, mark, n)
	}
}

func (counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return begin(ctx)
}
func (counter) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) { end(ctx, 1) }

func (counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return begin(ctx)
}
func (counter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData)     {}
func (counter) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) { end(ctx, 1) }

func (counter) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	return begin(ctx)
}
func (counter) TracePrepareEnd(ctx context.Context, _ *pgx.Conn, d pgx.TracePrepareEndData) {
	if !d.AlreadyPrepared {
		end(ctx, 1)
	}
}

// A new connection is the TCP handshake, then the startup message and its answer.
const connectTrips = 2

func (counter) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return begin(ctx)
}
func (counter) TraceConnectEnd(ctx context.Context, _ pgx.TraceConnectEndData) {
	end(ctx, connectTrips)
}
