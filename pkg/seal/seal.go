// Package seal closes a secret so that one service alone can open it: an anonymous NaCl box (X25519, XSalsa20 and
// Poly1305). Who seals needs only the public key, and cannot open what it has sealed.
package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"
)

// keySize is the length of both keys in bytes.
const keySize = 32

// ErrNotOurs is answered for a box that was sealed for another key, or altered since.
var ErrNotOurs = errors.New("the box was sealed for another key or is damaged")

// PublicKey seals. It is no secret.
type PublicKey [keySize]byte

// PrivateKey opens. It prints masked.
type PrivateKey [keySize]byte

// GenerateKey makes a fresh pair.
func GenerateKey() (PublicKey, PrivateKey, error) {
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return PublicKey{}, PrivateKey{}, fmt.Errorf("generate key: %w", err)
	}
	return *public, *private, nil
}

// Public answers the key that seals for this one.
func (k PrivateKey) Public() PublicKey {
	raw, err := curve25519.X25519(k[:], curve25519.Basepoint)
	if err != nil {
		panic(err) // the lengths are right and the base point is no point of low order
	}
	return PublicKey(raw)
}

// Seal closes plain for the owner of the public key. Sealing twice gives two different boxes.
func Seal(public PublicKey, plain []byte) ([]byte, error) {
	sealed, err := box.SealAnonymous(nil, plain, (*[keySize]byte)(&public), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open answers what was sealed for the private key, or ErrNotOurs.
func Open(private PrivateKey, sealed []byte) ([]byte, error) {
	public := private.Public()
	plain, ok := box.OpenAnonymous(nil, sealed, (*[keySize]byte)(&public), (*[keySize]byte)(&private))
	if !ok {
		return nil, ErrNotOurs
	}
	return plain, nil
}

// UnmarshalText reads the key from base64, as configuration has it.
func (k *PublicKey) UnmarshalText(text []byte) error { return decode(k[:], text) }

// MarshalText writes the key in base64.
func (k PublicKey) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k[:])), nil
}

// String is the key in base64.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// UnmarshalText reads the key from base64, as configuration has it. The error does not repeat it.
func (k *PrivateKey) UnmarshalText(text []byte) error { return decode(k[:], text) }

// Reveal is the key in base64, for whoever writes a configuration.
func (k PrivateKey) Reveal() string { return base64.StdEncoding.EncodeToString(k[:]) }

// String hides the key, so that no log shows it.
func (PrivateKey) String() string { return "***" }

// GoString hides the key from %#v as well.
func (PrivateKey) GoString() string { return "***" }

func decode(into, text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != keySize {
		return fmt.Errorf("a key is %d bytes in base64", keySize)
	}
	copy(into, raw)
	return nil
}
