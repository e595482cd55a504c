package appstore_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"hearth.internal/billing/appstore"
	"hearth.internal/billing/appstore/appstoretest"
)

var now = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func millis(t time.Time) appstore.Millis { return appstore.Millis(t.UnixMilli()) }

func transaction(at time.Time) map[string]any {
	return map[string]any{"transactionId": "2", "originalTransactionId": "1", "signedDate": millis(at)}
}

func roots(t testing.TB, pem []byte) *appstore.Roots {
	t.Helper()
	r, err := appstore.ParseRoots(pem)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTheRootIsApples compares it with the fingerprint that Apple publishes.
func TestTheRootIsApples(t *testing.T) {
	block, rest := pem.Decode(appstore.AppleRoots)
	if block == nil || len(rest) > 0 {
		t.Fatal("it is not one certificate")
	}
	sum := sha256.Sum256(block.Bytes)
	if got := hex.EncodeToString(sum[:]); got != "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179" {
		t.Errorf("another root: %s", got)
	}
	roots(t, appstore.AppleRoots)
}

func TestWhatAppleSignedIsRead(t *testing.T) {
	chain := appstoretest.NewChain(t, appstoretest.Options{})
	large := appstoretest.NewChain(t, appstoretest.Options{AsApple: true})
	short := appstoretest.NewChain(t, appstoretest.Options{Short: true})
	for name, c := range map[string]struct {
		chain *appstoretest.Chain
		at    time.Time
	}{
		"today":                       {chain, now},
		"by keys as Apple's":          {large, now},
		"a little ahead of our clock": {chain, now.Add(4 * time.Minute)},
		"then, by a certificate that has ended by now": {short, now.AddDate(-2, 0, 0)},
	} {
		var got appstore.Transaction
		if err := roots(t, c.chain.Root).Verify(c.chain.Sign(transaction(c.at)), now, &got); err != nil || got.OriginalTransactionID != "1" {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}

func TestWhatAppleDidNotSignIsRefused(t *testing.T) {
	chain := appstoretest.NewChain(t, appstoretest.Options{})
	other := appstoretest.NewChain(t, appstoretest.Options{})
	good := chain.Sign(transaction(now))
	parts := strings.Split(good, ".")
	altered := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"originalTransactionId":"9","signedDate":1773144000000}`)) + "." + parts[2]
	header := func(alg string, x5c ...string) map[string]any { return map[string]any{"alg": alg, "x5c": x5c} }
	flawed := func(f appstoretest.Options) (string, []byte) {
		c := appstoretest.NewChain(t, f)
		return c.Sign(transaction(now)), c.Root
	}
	noLeafMark, rootA := flawed(appstoretest.Options{NoLeafMark: true})
	noMiddleMark, rootB := flawed(appstoretest.Options{NoIntermediateMark: true})
	noAuthority, rootC := flawed(appstoretest.Options{NotAnAuthority: true})
	ended, rootD := flawed(appstoretest.Options{Short: true})
	otherKind, rootE := flawed(appstoretest.Options{P384: true})
	for name, c := range map[string]struct {
		signed string
		root   []byte
	}{
		"by another authority": {other.Sign(transaction(now)), chain.Root},
		"by another authority, with the root's certificate beside it": {
			other.SignWith(header("ES256", other.X5C[0], other.X5C[1], chain.X5C[2]), transaction(now)), chain.Root},
		"under certificates that are not the key's": {other.SignWith(header("ES256", chain.X5C...), transaction(now)), chain.Root},
		"altered":                              {altered, chain.Root},
		"without a signature":                  {parts[0] + "." + parts[1] + ".", chain.Root},
		"with alg none":                        {chain.SignWith(header("none", chain.X5C...), transaction(now)), chain.Root},
		"with alg HS256":                       {chain.SignWith(header("HS256", chain.X5C...), transaction(now)), chain.Root},
		"without certificates":                 {chain.SignWith(header("ES256"), transaction(now)), chain.Root},
		"with two certificates":                {chain.SignWith(header("ES256", chain.X5C[:2]...), transaction(now)), chain.Root},
		"with four certificates":               {chain.SignWith(header("ES256", append(chain.X5C[:3:3], chain.X5C[2])...), transaction(now)), chain.Root},
		"with the root in the middle":          {chain.SignWith(header("ES256", chain.X5C[0], chain.X5C[2], chain.X5C[1]), transaction(now)), chain.Root},
		"with conditions":                      {chain.SignWith(map[string]any{"alg": "ES256", "x5c": chain.X5C, "crit": []string{"b64"}, "b64": false}, transaction(now)), chain.Root},
		"by a certificate for another purpose": {noLeafMark, rootA},
		"under one for another purpose":        {noMiddleMark, rootB},
		"under one that may not certify":       {noAuthority, rootC},
		"by a certificate that had ended":      {ended, rootD},
		"by a key of another kind":             {otherKind, rootE},
		"in the future":                        {chain.Sign(transaction(now.Add(6 * time.Minute))), chain.Root},
		"at no time":                           {chain.Sign(map[string]any{"originalTransactionId": "1"}), chain.Root},
		"at a time that no calendar has":       {chain.Sign(map[string]any{"signedDate": int64(1) << 62}), chain.Root},
		"of another shape":                     {chain.Sign(map[string]any{"signedDate": millis(now), "originalTransactionId": []int{1}}), chain.Root},
		"too long":                             {chain.Sign(map[string]any{"signedDate": millis(now), "productId": strings.Repeat("x", 1<<17)}), chain.Root},
		"with a certificate that is too long":  {chain.SignWith(header("ES256", strings.Repeat("A", 1<<14), chain.X5C[1], chain.X5C[2]), transaction(now)), chain.Root},
		"with padding":                         {good + "=", chain.Root},
		"nothing":                              {"", chain.Root},
		"dots":                                 {"..", chain.Root},
	} {
		var got appstore.Transaction
		err := roots(t, c.root).Verify(c.signed, now, &got)
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	// A signer that was found good is so only while its certificates are.
	short := appstoretest.NewChain(t, appstoretest.Options{Short: true})
	trusted := roots(t, short.Root)
	for _, at := range []time.Time{now.AddDate(-2, 0, 0), now, now.AddDate(-2, 0, 0), now.AddDate(-10, 0, 0)} {
		if err := trusted.Verify(short.Sign(transaction(at)), now, &appstore.Transaction{}); (err == nil) != (at.Year() == 2024) {
			t.Errorf("signed in %d: %v", at.Year(), err)
		}
	}
	if err := trusted.Verify(short.SignWith(header("ES256", short.X5C[0], chain.X5C[1], short.X5C[2]), transaction(now.AddDate(-2, 0, 0))), now, &appstore.Transaction{}); err == nil {
		t.Error("a good signer under another intermediate: taken")
	}
	if err := roots(t, appstore.AppleRoots).Verify(good, now, &appstore.Transaction{}); err == nil {
		t.Error("Apple's root takes what a test has signed")
	}
}

func TestRootsAreCertificates(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no PEM": "hello", "something behind": string(appstore.AppleRoots) + "hello",
		"a key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if _, err := appstore.ParseRoots([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// FuzzVerify: whatever comes is refused or read, never a panic; and nothing that the chain did not sign is read.
func FuzzVerify(f *testing.F) {
	chain := appstoretest.NewChain(f, appstoretest.Options{})
	trusted := roots(f, chain.Root)
	good := chain.Sign(transaction(now))
	parts := strings.Split(good, ".")
	decoded := make([][]byte, 3)
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(decoded[0], decoded[1], decoded[2])
	f.Add([]byte(`{"alg":"ES256","x5c":["AAAA","AAAA","AAAA"]}`), []byte(`{"signedDate":1}`), []byte{})
	f.Add([]byte(`{"alg":"ES256","x5c":[null,1,{}]}`), []byte(`{"signedDate":1e400}`), []byte("x"))
	f.Add([]byte(`[]`), []byte(`null`), []byte(nil))
	f.Fuzz(func(t *testing.T, header, payload, signature []byte) {
		encode := base64.RawURLEncoding.EncodeToString
		var got appstore.Transaction
		err := trusted.Verify(encode(header)+"."+encode(payload)+"."+encode(signature), now, &got)
		if err == nil && string(payload) != string(decoded[1]) {
			t.Errorf("taken: %s", payload)
		}
		_ = trusted.Verify(string(header)+"."+string(payload)+"."+string(signature), now, &got)
	})
}
