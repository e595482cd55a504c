package identity_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/identity"
)

func passports(t *testing.T, c clock.Clock, keys ...string) *identity.Passports {
	t.Helper()
	var raw [][]byte
	for _, k := range keys {
		raw = append(raw, bytes.Repeat([]byte(k), 32))
	}
	p, err := identity.NewPassports(raw, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPassport(t *testing.T) {
	now := clock.At(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC))
	ada := identity.Actor{Kind: identity.Person, UserID: uuid.New(), SessionID: uuid.New(), Zone: "Europe/Berlin", ClientIP: "192.0.2.7"}
	old, new := passports(t, now, "a"), passports(t, now, "b", "a")
	signed, err := old.Sign(ada)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := new.Verify(signed); err != nil || got != ada {
		t.Errorf("after a rotation the old key's passport is %+v, %v", got, err)
	}
	if _, err := passports(t, now, "c").Verify(signed); err == nil {
		t.Error("another key's passport is believed")
	}
	parts := strings.Split(signed, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	for name, forged := range map[string]string{
		"unsigned": none, "empty": "", "another's claims": parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"knd":"user"}`)) + "." + parts[2],
	} {
		if got, err := old.Verify(forged); err == nil {
			t.Errorf("%s: believed as %+v", name, got)
		}
	}
	now.Advance(identity.Life + 10*time.Second)
	if _, err := old.Verify(signed); err == nil {
		t.Error("an expired passport is believed")
	}
}

func TestGuards(t *testing.T) {
	for _, c := range []struct {
		guard identity.Guard
		kind  identity.Kind
		admit bool
	}{
		{identity.User, identity.Person, true}, {identity.User, identity.Anonymous, false}, {identity.User, identity.Service, false}, {identity.User, "", false},
		{identity.Anyone, identity.Anonymous, true}, {identity.Anyone, identity.Person, true}, {identity.Anyone, "", false},
		{identity.Internal, identity.Service, true}, {identity.Internal, identity.Person, true}, {identity.Internal, "", false},
	} {
		if err := c.guard.Admit(identity.Actor{Kind: c.kind}); (err == nil) != c.admit {
			t.Errorf("%s admits %q: %v", c.guard.Name, c.kind, err)
		}
	}
}
