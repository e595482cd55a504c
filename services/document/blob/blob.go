// Package blob keeps the bytes of files, each under a key of its own: in a directory of this machine, or in a bucket of an
// S3-compatible storage. It knows nothing of uploads, people or rights: whoever has a key may have the blob.
package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Store keeps blobs. What it cannot do because the storage does not answer, is full or refuses us is service_unavailable.
type Store interface {
	// Put stores what the reader gives under the key, in place of what is there: the whole of it, or nothing. It holds a
	// few kilobytes in memory, however much there is. A reader that gives more or fewer bytes than size is ErrSize; its own
	// error is answered as it is. Once Put has answered, the reader is the caller's again.
	Put(ctx context.Context, key string, from io.Reader, size int64, contentType string) error
	// Open reads length bytes from the offset on, and all to the end where length is negative. At the end and behind it
	// there is nothing to be read. Close what it answers; until then ctx must live. Without a blob it is ErrNotFound.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Delete removes the blob. One that is not there is gone already.
	Delete(ctx context.Context, key string) error
	// Walk calls visit with every blob, and ends with its first error. What comes or goes meanwhile may be in it or not; what
	// is no blob of ours never is.
	Walk(ctx context.Context, visit func(Blob) error) error
	// Ping asks whether blobs can be kept and read now.
	Ping(ctx context.Context) error
	// Link signs an address from which the blob can be fetched for a while, by whoever has the address. It asks nobody
	// whether the blob is there. ErrUnsupported in a directory.
	Link(ctx context.Context, key string, o LinkOptions) (url string, err error)
	// Invite signs an address to which exactly so many bytes of that type can be sent. Whoever has it can send others until
	// it expires, in whole seconds: what was looked at must be copied to a key that nobody was given. ErrUnsupported in a
	// directory.
	Invite(ctx context.Context, key string, size int64, contentType string, lasting time.Duration) (Invitation, error)
}

// Blob is what Walk tells of one.
type Blob struct {
	Key        string
	Size       int64
	ModifiedAt time.Time // by the storage's clock
}

// LinkOptions say how the storage answers at a signed address.
type LinkOptions struct {
	ContentType string
	Disposition string        // the Content-Disposition header
	For         time.Duration // whole seconds, up to seven days
}

// Invitation is the request that stores a blob without us.
type Invitation struct {
	Method    string
	URL       string
	Header    http.Header // signed: the request must have these, as they are
	ExpiresAt time.Time
}

// What a store answers beside service_unavailable.
var (
	ErrNotFound    = errors.New("there is no such blob")
	ErrSize        = errors.New("not as many bytes as announced")
	ErrUnsupported = errors.New("this storage has no addresses of its own")
)

// NewKey makes a key that nobody can guess. Its first two characters spread blobs over directories.
func NewKey() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	text := hex.EncodeToString(raw)
	return text[:2] + "/" + text[2:]
}

var keys = regexp.MustCompile(`^[0-9a-f]{2}/[0-9a-f]{30}$`)

// validate keeps what is no key of ours from becoming a path or an address.
func validate(key string) error {
	if !keys.MatchString(key) {
		return fmt.Errorf("%.40q is no key of a blob", key)
	}
	return nil
}

func validateRange(key string, offset int64) error {
	if offset < 0 {
		return fmt.Errorf("a blob has no byte %d", offset)
	}
	return validate(key)
}

// exactly reads size bytes and refuses more or fewer. It gives the last ones only when it knows that they are the last: a
// storage that has all the bytes it waits for has stored them.
type exactly struct {
	ctx  context.Context
	mu   sync.Mutex // an HTTP client reads on another goroutine, and may still do so when it has answered
	from io.Reader
	left int64
	err  error // the reader's, or ErrSize; nothing is stored then
}

func newExactly(ctx context.Context, from io.Reader, size int64) (*exactly, error) {
	e := &exactly{ctx: ctx, from: from, left: size}
	if size < 0 {
		return nil, fmt.Errorf("put a blob: %w: a size of %d", ErrSize, size)
	}
	if size == 0 { // of nothing, nobody would read
		if err := e.expectEnd(); err != nil {
			return nil, fmt.Errorf("put a blob: %w", err)
		}
	}
	return e, nil
}

// Read implements io.Reader.
func (e *exactly) Read(p []byte) (n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = e.ctx.Err()
	}
	if e.err == nil && e.left > 0 {
		n, e.err = e.next(p[:min(int64(len(p)), e.left)])
	}
	switch {
	case e.err != nil:
		return 0, e.err
	case n == 0 && e.left == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (e *exactly) next(p []byte) (int, error) {
	n, err := e.from.Read(p)
	e.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) && e.left > 0:
		return 0, fmt.Errorf("%w: %d are missing", ErrSize, e.left)
	case err != nil && !errors.Is(err, io.EOF):
		return 0, err
	case e.left == 0 && err == nil:
		return n, e.expectEnd()
	}
	return n, nil
}

func (e *exactly) expectEnd() error {
	var more [1]byte
	switch _, err := io.ReadFull(e.from, more[:]); {
	case err == nil:
		return fmt.Errorf("%w: there are more", ErrSize)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

var errStopped = errors.New("nobody waits for the rest")

// stop waits until nobody reads, lets nobody read any more, and answers what was wrong with the reader.
func (e *exactly) stop() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.err
	if err == nil {
		e.err = errStopped
	}
	return err
}
