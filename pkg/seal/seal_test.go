package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hearth.internal/pkg/seal"
)

func newKey(t *testing.T) (seal.PublicKey, seal.PrivateKey) {
	t.Helper()
	public, private, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func TestOnlyThePrivateKeyOpens(t *testing.T) {
	public, private := newKey(t)
	_, other := newKey(t)
	sealed, err := seal.Seal(public, []byte("123456"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := seal.Open(private, sealed); err != nil || string(plain) != "123456" {
		t.Errorf("opened %q, %v", plain, err)
	}
	again, err := seal.Seal(public, []byte("123456"))
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("the same code looks the same sealed twice (%v)", err)
	}
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-1] ^= 1
	for name, c := range map[string]struct {
		key seal.PrivateKey
		box []byte
	}{"another key": {other, sealed}, "damaged": {private, damaged}, "cut": {private, sealed[:20]}, "empty": {private, nil}} {
		if _, err := seal.Open(c.key, c.box); !errors.Is(err, seal.ErrNotOurs) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysAsConfiguration(t *testing.T) {
	public, private := newKey(t)
	var read seal.PrivateKey
	if err := read.UnmarshalText([]byte(private.Reveal())); err != nil || read != private || read.Public() != public {
		t.Errorf("read another key (%v)", err)
	}
	text, err := public.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var readPublic seal.PublicKey
	if err := readPublic.UnmarshalText(text); err != nil || readPublic != public || public.String() != string(text) {
		t.Errorf("read another public key (%v)", err)
	}
	for _, bad := range []string{"", "%%%", "c2hvcnQ=", private.Reveal() + "AAAA"} {
		if err := read.UnmarshalText([]byte(bad)); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAPrivateKeyIsNotPrinted(t *testing.T) {
	_, private := newKey(t)
	config := struct{ Key seal.PrivateKey }{private}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		shown := fmt.Sprintf(verb, config)
		if strings.Contains(shown, private.Reveal()) || strings.Contains(shown, fmt.Sprint(private[0])+" "+fmt.Sprint(private[1])) || !strings.Contains(shown, "***") {
			t.Errorf("%s shows %s", verb, shown)
		}
	}
}
