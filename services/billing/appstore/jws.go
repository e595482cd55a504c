// Package appstore is what Apple says of purchases: signed data (JWS) and how it is known to be Apple's, and the App
// Store Server API.
package appstore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	_ "embed" // Apple's root
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// AppleRoots is the certificate that all of Apple's signed data leads up to: "Apple Root CA - G3", as it is published at
// https://www.apple.com/certificateauthority/.
//
//go:embed roots.pem
var AppleRoots []byte

// Roots are the certificates that signed data has to lead up to.
type Roots struct {
	pool *x509.CertPool
	mu   sync.Mutex
	// good are the signers that were found good: Apple has a few at a time, and to look at one's certificates takes thirty
	// times as long as to look at what it has signed.
	good map[[sha256.Size]byte]signer
}

// maxGood is far more than Apple has.
const maxGood = 64

// signer is a key, and from when until when all the certificates above it are good.
type signer struct {
	key         *ecdsa.PublicKey
	from, until time.Time
}

func (s signer) goodAt(t time.Time) bool { return !t.Before(s.from) && !t.After(s.until) }

// ParseRoots reads PEM. It fails when there is anything but certificates in it, or none.
func ParseRoots(text []byte) (*Roots, error) {
	roots := &Roots{pool: x509.NewCertPool(), good: map[[sha256.Size]byte]signer{}}
	n := 0
	for block, rest := pem.Decode(text); ; block, rest = pem.Decode(rest) {
		if block == nil {
			if n == 0 || len(bytes.TrimSpace(rest)) > 0 {
				return nil, errors.New("it is not a list of certificates in PEM")
			}
			return roots, nil
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it has a %s in it", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		roots.pool.AddCert(certificate)
		n++
	}
}

const (
	// Apple's are about 6 KiB with one object in them, and 20 with a notification's.
	maxJWS         = 128 << 10
	maxCertificate = 8 << 10
	// skew is how far ahead Apple's clock may be of ours.
	skew = 5 * time.Minute
)

// What Apple marks its certificates with that sign purchases: any developer's leads up to the same root. See
// https://images.apple.com/certificateauthority/pdf/Apple_WWDR_CPS.pdf.
var (
	signsPurchases = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 11, 1}
	signsSigners   = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 2, 1}
)

// Verify reads what is signed into payload, a pointer, if Apple has signed it by now. Its errors never repeat it.
func (r *Roots) Verify(signed string, now time.Time, payload any) error {
	if len(signed) > maxJWS {
		return fmt.Errorf("it has %d bytes", len(signed))
	}
	parts := strings.Split(signed, ".")
	if len(parts) != 3 {
		return errors.New("it is no JWS")
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return errors.New("it is no JWS: not base64url")
		}
	}
	var header struct {
		Alg  string          `json:"alg"`
		X5C  []string        `json:"x5c"`
		Crit json.RawMessage `json:"crit"`
	}
	if err := json.Unmarshal(decoded[0], &header); err != nil {
		return errors.New("its header is no JSON")
	}
	if header.Alg != jwt.SigningMethodES256.Name || header.Crit != nil {
		return errors.New("it is signed in another way than Apple signs")
	}
	var at struct {
		SignedDate Millis `json:"signedDate"`
	}
	if err := json.Unmarshal(decoded[1], &at); err != nil || at.SignedDate == 0 {
		return errors.New("it does not say when it was signed")
	}
	if at.SignedDate.Time().After(now.Add(skew)) {
		return errors.New("it was signed in the future")
	}
	key, err := r.key(header.X5C, at.SignedDate.Time())
	if err != nil {
		return err
	}
	if err := jwt.SigningMethodES256.Verify(parts[0]+"."+parts[1], decoded[2], key); err != nil {
		return errors.New("the signature is not right")
	}
	if err := json.Unmarshal(decoded[1], payload); err != nil {
		return errors.New("what is signed is of another shape than it should be")
	}
	return nil
}

// key is that of the signer, if its certificate was good at the time and Apple's for this purpose. The root that comes
// along is not looked at. Whether a certificate was called back is not asked: Apple's own libraries do not, by default.
func (r *Roots) key(chain []string, at time.Time) (*ecdsa.PublicKey, error) {
	if len(chain) != 3 {
		return nil, fmt.Errorf("it has %d certificates instead of 3", len(chain))
	}
	sum := sha256.Sum256([]byte(chain[0] + "." + chain[1]))
	r.mu.Lock()
	known, found := r.good[sum]
	r.mu.Unlock()
	if found && known.goodAt(at) {
		return known.key, nil
	}
	var certificates [2]*x509.Certificate
	for i := range certificates {
		if len(chain[i]) > maxCertificate {
			return nil, errors.New("a certificate is too long")
		}
		der, err := base64.StdEncoding.DecodeString(chain[i])
		if err != nil {
			return nil, errors.New("a certificate is not base64")
		}
		if certificates[i], err = x509.ParseCertificate(der); err != nil {
			return nil, errors.New("a certificate is none")
		}
	}
	leaf, intermediate := certificates[0], certificates[1]
	if !marked(leaf, signsPurchases) || !marked(intermediate, signsSigners) {
		return nil, errors.New("its certificates are for another purpose")
	}
	between := x509.NewCertPool()
	between.AddCert(intermediate)
	ways, err := leaf.Verify(x509.VerifyOptions{
		Roots: r.pool, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, errors.New("its certificates do not lead up to Apple")
	}
	way := slices.IndexFunc(ways, func(way []*x509.Certificate) bool { return len(way) == 3 && way[1].Equal(intermediate) })
	if way < 0 {
		return nil, errors.New("its certificates lead up to Apple in another way")
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("its key is of another kind")
	}
	good := signer{key: key, from: leaf.NotBefore, until: leaf.NotAfter}
	for _, c := range ways[way][1:] {
		if c.NotBefore.After(good.from) {
			good.from = c.NotBefore
		}
		if c.NotAfter.Before(good.until) {
			good.until = c.NotAfter
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.good) >= maxGood {
		clear(r.good)
	}
	r.good[sum] = good
	return key, nil
}

func marked(c *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	for _, extension := range c.Extensions {
		if extension.Id.Equal(oid) {
			return true
		}
	}
	return false
}
