package auth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth.internal/pkg/apperr"
)

func TestHashMatchesItsPasswordAlone(t *testing.T) {
	p, err := newPasswords(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := p.hash(t.Context(), "caf\u00e9 au lait")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", hash)
	}
	for _, c := range []struct {
		name, password, hash string
		right                bool
	}{
		{"same", "caf\u00e9 au lait", hash, true},
		{"composed otherwise", "cafe\u0301 au lait", hash, true},
		{"other", "cafe au lait", hash, false},
		{"empty", "", hash, false},
		{"nobody's", "caf\u00e9 au lait", "", false},
	} {
		right, outdated, err := p.matches(t.Context(), c.password, c.hash)
		if err != nil || right != c.right || outdated {
			t.Errorf("%s: right %t, outdated %t, %v", c.name, right, outdated, err)
		}
	}
	// "password" with salt "somesalt" at another cost: a test vector of the reference implementation.
	old := "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if right, outdated, err := p.matches(t.Context(), "password", old); err != nil || !right || !outdated {
		t.Errorf("an older cost: right %t, outdated %t, %v", right, outdated, err)
	}
	for _, broken := range []string{"x", "$argon2i$v=19$m=1,t=1,p=1$YQ$YQ", "$argon2id$v=19$m=1,t=0,p=1$YQ$YQ", "$argon2id$v=19$m=8,t=1,p=1$!$YQ"} {
		if right, _, err := p.matches(t.Context(), "password", broken); err == nil || right {
			t.Errorf("%s: right %t, no error", broken, right)
		}
	}
}

func TestHashingTakesTurns(t *testing.T) {
	p, err := newPasswords(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	p.turns <- struct{}{} // somebody who never ends
	p.wait = time.Millisecond
	_, err = p.hash(t.Context(), "correct horse")
	if e := apperr.Of(err); e.Code.Name != apperr.ServiceUnavailable.Name || e.RetryAfter == 0 {
		t.Errorf("waited in vain: %v", err)
	}
	p.wait = time.Hour
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := p.hash(gone, "correct horse"); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("who has left still waits: %v", err)
	}
	<-p.turns
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := p.hash(t.Context(), "correct horse"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
