package gateway

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// liveQueue is more than the updates of one bulk change, which come all at once.
	liveQueue       = 1000
	liveWriteTime   = 20 * time.Second // for a client that takes nothing
	liveFinishTime  = 2 * time.Second  // for the last that it is sent
	liveWriteBuffer = 32 << 10         // the system's, for each connection
	liveUnasked     = 16 << 10         // bytes that a client may send although there is nothing to say
)

// comment is a heartbeat.
var comment = []byte(":\n\n")

// subscriber is an open stream. An idle one costs its connection and the goroutine that waits for its end: whoever has
// something for it starts another that writes.
type subscriber struct {
	hub     *broadcast
	user    uuid.UUID
	token   hash
	homes   []uuid.UUID
	conn    net.Conn
	chunked bool

	// These belong to the hub, under its lock.
	after liveID // the last entry that it has, or need not have
	ends  time.Time
	beats time.Time

	mu      sync.Mutex
	queue   [][]byte
	writing bool // somebody is; they look into the queue before they leave
	last    bool // close when the queue is empty
	closed  bool
}

// push queues a frame, and answers false when the client is too slow to be told.
func (s *subscriber) push(frame []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= liveQueue {
		return false
	}
	s.queue = append(s.queue, frame)
	s.wake()
	return true
}

// wake lets the queue be written. Callers hold the lock.
func (s *subscriber) wake() {
	if !s.writing && !s.closed {
		s.writing = true
		go s.flush()
	}
}

// finish lets the queue be written, and then the connection be closed.
func (s *subscriber) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = true
	_ = s.conn.SetWriteDeadline(time.Now().Add(liveFinishTime)) // also of what is being written; a closed connection shows there
	s.wake()
}

// close ends the connection at once; watch returns by that.
func (s *subscriber) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed, s.queue = true, nil
		_ = s.conn.Close() // the client may have done so
	}
}

// take answers what is to be written; nothing ends the writing.
func (s *subscriber) take() (frames [][]byte, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	frames, s.queue = s.queue, nil
	last = s.last && len(frames) == 0
	if len(frames) == 0 || s.closed {
		s.writing = false
		return nil, last && !s.closed
	}
	if !s.last {
		_ = s.conn.SetWriteDeadline(time.Now().Add(liveWriteTime)) // a closed connection shows when it is written to
	}
	return frames, false
}

// flush writes until the queue is empty.
func (s *subscriber) flush() {
	for {
		frames, last := s.take()
		if last {
			if s.chunked {
				_, _ = s.conn.Write([]byte("0\r\n\r\n")) // it is closed next
			}
			s.close()
		}
		if frames == nil {
			return
		}
		size := 0
		for _, frame := range frames {
			size += len(frame)
		}
		all := make([]byte, 0, size)
		for _, frame := range frames {
			all = append(all, frame...)
		}
		if _, err := s.conn.Write(s.framed(all)); err != nil {
			s.hub.drop(s, lossOf(err))
		}
	}
}

// lossOf is why a client could not be written to.
func lossOf(err error) string {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "slow"
	}
	return "gone"
}

// write sends the beginning, while nobody else writes.
func (s *subscriber) write(text []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(liveWriteTime)) // a closed connection shows in the next line
	if _, err := s.conn.Write(text); err != nil {
		return fmt.Errorf("begin a live stream: %w", err)
	}
	return nil
}

// framed is the text as one chunk (RFC 9112, section 7.1); HTTP/1.0 knows none, and ends with the connection.
func (s *subscriber) framed(text []byte) []byte {
	if !s.chunked {
		return text
	}
	out := make([]byte, 0, len(text)+12)
	out = append(strconv.AppendInt(out, int64(len(text)), 16), "\r\n"...)
	return append(append(out, text...), "\r\n"...)
}

// watch waits until the client goes. What it sends meanwhile is no request that anybody would answer.
func (s *subscriber) watch() {
	var unasked [64]byte
	for got := 0; got < liveUnasked; {
		n, err := s.conn.Read(unasked[:])
		if err != nil {
			break
		}
		got += n
	}
	s.hub.drop(s, "gone")
}
