//go:build unix

package gateway

import (
	"errors"
	"net"
	"syscall"
)

// stillOpen asks the socket, without waiting, whether the other side has closed the connection.
func stillOpen(conn net.Conn) bool {
	p := newPeeker(conn)
	return p == nil || p.peek() && (p.n > 0 || p.nothing())
}

// quiet answers how to ask whether an idle connection can be used for another request: open, with nothing unasked to
// read.
func quiet(conn net.Conn) func() bool {
	p := newPeeker(conn)
	return func() bool { return p == nil || p.peek() && p.nothing() }
}

// peeker looks at a socket without taking anything from it.
type peeker struct {
	raw    syscall.RawConn
	look   func(fd uintptr)
	buffer [1]byte
	n      int
	err    error
}

// newPeeker answers nil for what is no socket: nothing is known against it.
func newPeeker(conn net.Conn) *peeker {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	p := &peeker{raw: raw}
	p.look = func(fd uintptr) {
		p.n, _, p.err = syscall.Recvfrom(int(fd), p.buffer[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}
	return p
}

// peek fails on a connection that we have closed. Control, unlike Read, does not mind a deadline that has passed.
func (p *peeker) peek() bool { return p.raw.Control(p.look) == nil }

func (p *peeker) nothing() bool {
	return errors.Is(p.err, syscall.EAGAIN) || errors.Is(p.err, syscall.EWOULDBLOCK)
}
