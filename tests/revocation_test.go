package e2e

import (
	"sync"
	"testing"
	"time"

	"hearth.internal/dev/system"
	"hearth.internal/pkg/stores"
	"hearth.internal/pkg/testkit"
)

// withOwnCache gives the system a cache Redis that the test may break.
func withOwnCache(t *testing.T) (*stores.Redis, func(*system.Options)) {
	t.Helper()
	dir := t.TempDir()
	r, err := stores.StartRedis(t.Context(), stores.Options{Dir: dir, Ephemeral: true, Install: true},
		stores.RedisConfig{Name: "cache", Policy: "allkeys-lru", MaxMemory: "64mb"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopStore(t, r)
		if err := stores.Remove(dir); err != nil {
			t.Log(err)
		}
	})
	return r, func(o *system.Options) { o.Cache = r.URL() }
}

// dead waits until the token is refused and answers how long that took.
func dead(t *testing.T, p *person) time.Duration {
	t.Helper()
	begun := time.Now()
	testkit.Eventually(t, "the token is dead", func() bool { return p.call("GET", "/api/auth/me/", nil).Status == 401 })
	return time.Since(begun)
}

// revocationLimit is the promise: dead everywhere within a second.
const revocationLimit = time.Second

func TestRevocationWithinASecond(t *testing.T) {
	redis, own := withOwnCache(t)
	w := start(t, own)
	ada := w.join(t, "Ada")
	other := *ada // a second device
	other.Token = other.want(200, "POST", "/api/auth/login/", map[string]any{"email": ada.Email, "password": ada.Password}).text("token")

	t.Run("with Redis up", func(t *testing.T) {
		third := *ada
		third.Token = third.want(200, "POST", "/api/auth/login/", map[string]any{"email": ada.Email, "password": ada.Password}).text("token")
		third.want(200, "GET", "/api/auth/me/", nil) // it is in every cache now
		third.want(204, "POST", "/api/auth/logout/", nil)
		if took := dead(t, &third); took > revocationLimit {
			t.Errorf("the token lived %v longer", took)
		}
	})
	t.Run("while the board is being read with it", func(t *testing.T) {
		third := *ada
		third.Token = third.want(200, "POST", "/api/auth/login/", map[string]any{"email": ada.Email, "password": ada.Password}).text("token")
		done := make(chan struct{})
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						_, _ = third.try("GET", "/api/auth/me/", nil)
					}
				}
			})
		}
		ada.want(204, "DELETE", "/api/auth/sessions/"+sessionOf(t, &third)+"/", nil)
		if took := dead(t, &third); took > revocationLimit {
			t.Errorf("the token lived %v longer", took)
		}
		close(done)
		readers.Wait()
		third.want(401, "GET", "/api/auth/me/", nil) // no late fill has brought it back
	})
	t.Run("with Redis down", func(t *testing.T) {
		other.want(200, "GET", "/api/auth/me/", nil)
		redis.Kill()
		ada.want(200, "GET", "/api/auth/me/", nil) // still served: the gateway asks auth
		other.want(204, "POST", "/api/auth/logout/", nil)
		if took := dead(t, &other); took > revocationLimit {
			t.Errorf("the token lived %v longer", took)
		}
	})
	t.Run("when Redis is back", func(t *testing.T) {
		if err := redis.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		other.want(401, "GET", "/api/auth/me/", nil)
		ada.want(200, "GET", "/api/auth/me/", nil)
		ada.want(204, "POST", "/api/auth/logout-all/", nil)
		if took := dead(t, ada); took > revocationLimit {
			t.Errorf("the token lived %v longer", took)
		}
	})
}

func sessionOf(t *testing.T, p *person) string {
	t.Helper()
	for _, s := range p.want(200, "GET", "/api/auth/sessions/", nil).list("items") {
		if session := s.(map[string]any); session["current"] == true {
			return session["id"].(string)
		}
	}
	t.Fatal("no current session")
	return ""
}
