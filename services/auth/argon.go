package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"hearth.internal/pkg/apperr"
)

// cost is how hard a password is to guess from its hash.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// presentCost is what new hashes get: the first choice of OWASP's Password Storage Cheat Sheet for Argon2id. A hash of
// another cost is made anew when its owner signs in.
var presentCost = cost{memory: 19 * 1024, passes: 2, threads: 1}

const (
	saltSize = 16
	hashSize = 32
	// patience is how long a request waits for its turn to hash.
	patience = 5 * time.Second
)

// passwords hashes and checks passwords, a few at a time: each takes a processor and 19 MiB for as long as it lasts, so
// that a crowd at the door would otherwise take the whole machine.
type passwords struct {
	turns chan struct{}
	wait  time.Duration
	// decoy is checked where there is no hash to check, so that the answer takes as long.
	decoy string
}

func newPasswords(ctx context.Context, atOnce int) (*passwords, error) {
	p := &passwords{turns: make(chan struct{}, atOnce), wait: patience}
	var err error
	p.decoy, err = p.hash(ctx, rand.Text())
	return p, err
}

// key is the slow part. It fails with service_unavailable when too many others are before it.
func (p *passwords) key(ctx context.Context, password string, salt []byte, c cost, size int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return nil, apperr.ServiceUnavailable.Wrap(ctx.Err(), "Too many people are signing in just now; try again.").After(time.Second)
	}
	// The same characters can be typed as different bytes, by keyboard; in NFC they are the same.
	return argon2.IDKey(norm.NFC.Bytes([]byte(password)), salt, c.passes, c.memory, c.threads, uint32(size)), nil //nolint:gosec // a size is 32
}

// hash makes a PHC string ($argon2id$v=19$m=..,t=..,p=..$salt$hash) of the password.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	key, err := p.key(ctx, password, salt, presentCost, hashSize)
	if err != nil {
		return "", err
	}
	return encoded{presentCost, salt, key}.String(), nil
}

// matches reports whether the password is that of the hash, and whether the hash is of another cost than new ones are.
// An empty hash (nobody, or somebody without a password) matches nothing and takes as long.
func (p *passwords) matches(ctx context.Context, password, hash string) (right, outdated bool, err error) {
	nobody := hash == ""
	if nobody {
		hash = p.decoy
	}
	e, err := decode(hash)
	if err != nil {
		return false, false, err
	}
	key, err := p.key(ctx, password, e.salt, e.cost, len(e.key))
	if err != nil {
		return false, false, err
	}
	same := subtle.ConstantTimeCompare(key, e.key) == 1
	return same && !nobody, e.cost != presentCost, nil
}

// encoded is a PHC string taken apart.
type encoded struct {
	cost
	salt, key []byte
}

func (e encoded) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, e.memory, e.passes, e.threads,
		base64.RawStdEncoding.EncodeToString(e.salt), base64.RawStdEncoding.EncodeToString(e.key))
}

var errNoHash = errors.New("a stored password is not an Argon2id hash") // which one it is stays out of the log

func decode(hash string) (encoded, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return encoded{}, errNoHash
	}
	var e encoded
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &e.memory, &e.passes, &e.threads); err != nil {
		return encoded{}, errNoHash
	}
	var err1, err2 error
	e.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	e.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(e.key) == 0 || e.passes == 0 || e.threads == 0 {
		return encoded{}, errNoHash
	}
	return e, nil
}
