package residence

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// alphabet has no two letters that look alike: no 0 and O, no 1, I and L. Its 31 letters give 31^8 codes, some
// 850 thousand million.
const alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

const codeLength = 8

// newCode draws a code, every letter with the same chance: bytes beyond the alphabet are drawn again.
func newCode() string {
	code := make([]byte, 0, codeLength)
	for len(code) < codeLength {
		var b [1]byte
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
		if i := int(b[0] & 31); i < len(alphabet) {
			code = append(code, alphabet[i])
		}
	}
	return string(code)
}

// plainCode is the code as it was made, however somebody has typed it.
func plainCode(typed string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(typed))
}

// codes keeps share codes so that the database alone gives none away, yet they can be found and shown again.
type codes struct {
	lookupKey, packageKey []byte
	aead                  cipher.AEAD
}

const minKey = 32

// newCodes derives a key for each purpose from the one that is configured.
func newCodes(key []byte) (codes, error) {
	if len(key) < minKey {
		return codes{}, fmt.Errorf("HEARTH_SHARE_KEY: a key needs at least %d bytes", minKey)
	}
	var failure error
	derive := func(purpose string) []byte {
		derived, err := hkdf.Key(sha256.New, key, nil, "hearth share "+purpose, 32)
		failure = errors.Join(failure, err)
		return derived
	}
	c := codes{lookupKey: derive("lookup"), packageKey: derive("package")}
	block, err := aes.NewCipher(derive("seal"))
	if err = errors.Join(failure, err); err != nil {
		return codes{}, fmt.Errorf("HEARTH_SHARE_KEY: %w", err)
	}
	if c.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return codes{}, fmt.Errorf("HEARTH_SHARE_KEY: %w", err)
	}
	return c, nil
}

// lookup is what a code is found by.
func (c codes) lookup(code string) []byte { return mac(c.lookupKey, []byte(code)) }

// seal is what a code of that residence is shown again from.
func (c codes) seal(residence uuid.UUID, code string) []byte {
	return c.aead.Seal(nil, nil, []byte(code), residence[:]) //nolint:gosec // no nonce: this AEAD draws its own
}

func (c codes) open(residence uuid.UUID, sealed []byte) (string, error) {
	code, err := c.aead.Open(nil, nil, sealed, residence[:])
	if err != nil {
		return "", fmt.Errorf("open share code: %w", err)
	}
	return string(code), nil
}

// sign adds the signature: over the document without it, as this program writes it.
func (c codes) sign(p SharePackage) (SharePackage, error) {
	p.Signature = ""
	raw, err := json.Marshal(p)
	if err != nil {
		return SharePackage{}, fmt.Errorf("share package: %w", err)
	}
	p.Signature = base64.RawURLEncoding.EncodeToString(mac(c.packageKey, raw))
	return p, nil
}

// read answers a package that sign has made, and false for any other text.
func (c codes) read(text string) (SharePackage, bool) {
	var p SharePackage
	if json.Unmarshal([]byte(text), &p) != nil || p.Version != packageVersion {
		return SharePackage{}, false
	}
	genuine, err := c.sign(p)
	return p, err == nil && hmac.Equal([]byte(genuine.Signature), []byte(p.Signature))
}

func mac(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(text) // a hash never fails
	return h.Sum(nil)
}
