// Package appstoretest is an App Store for tests: it signs as Apple does, with certificates of its own, and answers as the
// App Store Server API.
package appstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// What Apple marks its certificates with, of a leaf and of an intermediate.
var (
	LeafMark         = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 11, 1}
	IntermediateMark = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 2, 1}
)

// When the certificates are good. Short ones end in the middle.
var (
	from   = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	middle = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	until  = time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Options are what is different about a chain, and mostly wrong.
type Options struct {
	NoLeafMark, NoIntermediateMark bool
	NotAnAuthority                 bool // the intermediate
	Short                          bool // the leaf is good until 2025 only
	P384                           bool // the leaf's key
	AsApple                        bool // the keys above the leaf are of P-384, as Apple's: slower, and right
}

// Chain is a root, an intermediate and a leaf that signs.
type Chain struct {
	t    testing.TB
	X5C  []string // leaf, intermediate, root
	Root []byte   // in PEM
	Key  *ecdsa.PrivateKey
}

// NewChain makes one.
func NewChain(t testing.TB, f Options) *Chain {
	t.Helper()
	above := elliptic.P256()
	if f.AsApple {
		above = elliptic.P384()
	}
	rootKey, middleKey, leafKey := newKey(t, above), newKey(t, above), newKey(t, elliptic.P256())
	if f.P384 {
		leafKey = newKey(t, elliptic.P384())
	}
	authority := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until,
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	root, between := authority("Test Root"), authority("Test Intermediate")
	leaf := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "Test Leaf"}, NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature}
	if f.Short {
		leaf.NotAfter = middle
	}
	if f.NotAnAuthority {
		between.IsCA, between.KeyUsage = false, x509.KeyUsageDigitalSignature
	}
	mark := func(c *x509.Certificate, oid asn1.ObjectIdentifier) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid, Value: []byte{5, 0}})
	}
	if !f.NoLeafMark {
		mark(leaf, LeafMark)
	}
	if !f.NoIntermediateMark {
		mark(between, IntermediateMark)
	}
	rootDER := issue(t, root, root, rootKey, rootKey)
	betweenDER := issue(t, between, root, middleKey, rootKey)
	leafDER := issue(t, leaf, between, leafKey, middleKey)
	c := &Chain{t: t, Key: leafKey, Root: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})}
	for _, der := range [][]byte{leafDER, betweenDER, rootDER} {
		c.X5C = append(c.X5C, base64.StdEncoding.EncodeToString(der))
	}
	return c
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func issue(t testing.TB, c, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Sign signs a payload as Apple does.
func (c *Chain) Sign(payload any) string {
	c.t.Helper()
	return c.SignWith(map[string]any{"alg": "ES256", "x5c": c.X5C}, payload)
}

// SignWith signs it under another header.
func (c *Chain) SignWith(header map[string]any, payload any) string {
	c.t.Helper()
	parts := make([]string, 2)
	for i, part := range []any{header, payload} {
		raw, err := json.Marshal(part)
		if err != nil {
			c.t.Fatal(err)
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(raw)
	}
	var method jwt.SigningMethod = jwt.SigningMethodES256
	if c.Key.Curve == elliptic.P384() {
		method = jwt.SigningMethodES384
	}
	signature, err := method.Sign(parts[0]+"."+parts[1], c.Key)
	if err != nil {
		c.t.Fatal(err)
	}
	return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(signature)
}
