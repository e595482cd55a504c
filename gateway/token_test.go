package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/stores"
	"hearth.internal/pkg/testkit"
)

func TestTokensThatAreRefused(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	for _, c := range []struct {
		name, header, code, challenge string
		asks                          bool
	}{
		{"none", "", "authentication_required", `Bearer realm="hearth"`, false},
		{"no scheme", token, "authentication_required", `Bearer realm="hearth"`, false},
		{"another scheme", "Basic " + token, "authentication_required", `Bearer realm="hearth"`, false},
		{"empty", "Token ", "authentication_required", `Bearer realm="hearth"`, false},
		{"unknown", "Token nobody", "invalid_token", `Bearer realm="hearth", error="invalid_token"`, true},
		{"two in one", "Token " + token + " " + token, "invalid_token", `Bearer realm="hearth", error="invalid_token"`, false},
		{"a list", "Token " + token + ",x", "invalid_token", `Bearer realm="hearth", error="invalid_token"`, false},
		{"too long", "Token " + strings.Repeat("a", 257), "invalid_token", `Bearer realm="hearth", error="invalid_token"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.people.asked.Load()
			a := w.refused(t, 401, c.code, "GET", "/api/tasks/", "", nil, "Authorization", c.header)
			if a.Header.Get("WWW-Authenticate") != c.challenge {
				t.Errorf("challenge %q", a.Header.Get("WWW-Authenticate"))
			}
			if asked := w.people.asked.Load() != before; asked != c.asks {
				t.Errorf("auth was asked: %v", asked)
			}
		})
	}
	for _, scheme := range []string{"Token", "token", "Bearer", "BEARER"} {
		w.want(t, 200, "GET", "/api/tasks/", "", nil, "Authorization", scheme+" "+token)
	}
	if w.metric(t, `hearth_gateway_token_checks_total{result="refused"}`) != 8 {
		t.Error("refusals are not counted")
	}
	if strings.Contains(w.log.String(), token) {
		t.Error("a token is in the log")
	}
}

func TestStaleTokenDoesNotKeepAnybodyFromSigningIn(t *testing.T) {
	w := build(t)
	w.want(t, 200, "POST", "/api/auth/login/", "dead", "{}")
	if w.people.asked.Load() != 0 {
		t.Error("auth was asked")
	}
}

func TestTokenIsLookedUpOnceAndThenRemembered(t *testing.T) {
	w := build(t)
	token, session := w.signIn("Europe/Berlin")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { w.want(t, 200, "GET", "/api/tasks/", token, nil) })
	}
	all.Wait()
	asked := w.people.asked.Load()
	if asked >= 20 {
		t.Errorf("auth was asked %d times", asked)
	}
	a := w.want(t, 200, "GET", "/api/tasks/", token, nil)
	if g := a.got(); g.Actor.UserID != session.UserID || g.Actor.Zone != "Europe/Berlin" {
		t.Errorf("actor %+v", g.Actor)
	}
	if w.metric(t, `hearth_gateway_token_checks_total{result="l1"}`) < 1 || w.metric(t, `hearth_gateway_token_checks_total{result="auth"}`) < 1 {
		t.Error("checks are not counted")
	}
	w.tokens.memory.sessions.Purge() // another gateway knows nothing yet
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	if n := w.people.asked.Load(); n != asked || w.metric(t, `hearth_gateway_token_checks_total{result="l2"}`) < 1 {
		t.Errorf("auth was asked %d times although the shared cache knows", n)
	}
}

func TestPassportIsSignedAgainForAnotherZoneAddressOrTime(t *testing.T) {
	w := build(t, func(s *setup) { _ = s.cfg.TrustedProxies.UnmarshalText([]byte("127.0.0.1")) })
	token, _ := w.signIn("UTC")
	passport := func(header ...string) string {
		return w.want(t, 200, "GET", "/api/tasks/", token, nil, header...).got().Header.Get("X-Hearth-Passport")
	}
	w.clock.Advance(time.Second)
	first := passport()
	w.clock.Advance(19 * time.Second)
	if passport() != first {
		t.Error("signed again within its life")
	}
	if p := passport("X-Timezone", "Europe/Berlin"); p == first {
		t.Error("the same in another zone")
	}
	if p := passport("X-Forwarded-For", "203.0.113.9"); p == first {
		t.Error("the same from another address")
	}
	first = passport()
	w.clock.Advance(21 * time.Second)
	if passport() == first {
		t.Error("not signed again after its life")
	}
}

func TestRevokedTokenIsDeadWithinASecond(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	other, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	w.want(t, 200, "GET", "/api/tasks/", other, nil)
	w.endSession(token)
	start := time.Now()
	testkit.Eventually(t, "the token is dead", func() bool { return w.call(t, "GET", "/api/tasks/", token, nil).code() == "invalid_token" })
	if took := time.Since(start); took > time.Second {
		t.Errorf("it lived for %v", took)
	}
	before := w.people.asked.Load()
	w.want(t, 200, "GET", "/api/tasks/", other, nil)
	if w.people.asked.Load() != before {
		t.Error("the other session was forgotten too")
	}
}

func TestSessionLoadedBeforeItsRevocationIsNotRemembered(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	loading, open := gate(t)
	w.people.mu.Lock()
	w.people.loading = loading
	w.people.mu.Unlock()
	served := make(chan int, 1)
	go func() {
		defer close(served) // also when the call ends the goroutine
		served <- w.call(t, "GET", "/api/tasks/", token, nil).StatusCode
	}()
	testkit.Eventually(t, "auth has read the session", func() bool { return w.people.asked.Load() == 1 })
	heard := w.tokens.memory.began()
	w.endSession(token)
	testkit.Eventually(t, "the gateway has heard", func() bool { return w.tokens.memory.began() > heard })
	open()
	if status := await(t, "it is answered", served); status != 200 {
		t.Errorf("the request that came before: %d", status)
	}
	w.people.mu.Lock()
	w.people.loading = nil
	w.people.mu.Unlock()
	w.refused(t, 401, "invalid_token", "GET", "/api/tasks/", token, nil)
}

func TestUnreadableRevocationIsTakenForAll(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	w.deleteSession(token)
	if err := w.rdb.FlushDB(t.Context()).Err(); err != nil { // the shared cache has lost it
		t.Fatal(err)
	}
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	if err := w.rdb.Publish(t.Context(), cache.RevokedChannel(w.rdb), "nonsense").Err(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the token is dead", func() bool { return w.call(t, "GET", "/api/tasks/", token, nil).StatusCode == 401 })
}

// private is a Redis of the test's own, to be stopped and started.
func private(t *testing.T) (*stores.Redis, func(*setup)) {
	t.Helper()
	dir := t.TempDir()
	_ = os.Chmod(dir, 0o755) //nolint:gosec // servers may run as another user
	r, err := stores.StartRedis(t.Context(), stores.Options{Dir: dir, Ephemeral: true, Install: true}, stores.RedisConfig{Name: "cache"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Stop(context.Background()) })
	return r, func(s *setup) { s.cfg.CacheURL = r.URL() }
}

func TestWithoutRedisAuthIsAskedEachTime(t *testing.T) {
	r, own := private(t)
	w := build(t, own)
	token, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	r.Kill()
	w.deleteSession(token) // auth could not announce it
	start := time.Now()
	testkit.Eventually(t, "the token is dead", func() bool { return w.call(t, "GET", "/api/tasks/", token, nil).code() == "invalid_token" })
	if took := time.Since(start); took > time.Second {
		t.Errorf("it lived for %v", took)
	}
	live, _ := w.signIn("UTC")
	before := w.people.asked.Load()
	for range 3 {
		w.want(t, 200, "GET", "/api/tasks/", live, nil)
	}
	if n := w.people.asked.Load() - before; n != 3 {
		t.Errorf("auth was asked %d times", n)
	}
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the memory is used again", func() bool {
		w.want(t, 200, "GET", "/api/tasks/", live, nil)
		before := w.people.asked.Load()
		w.want(t, 200, "GET", "/api/tasks/", live, nil)
		return w.people.asked.Load() == before
	})
}

func TestFrozenRedisHidesNoRevocation(t *testing.T) {
	r, own := private(t)
	if r.Embedded() {
		return // it cannot be frozen
	}
	w := build(t, own, func(s *setup) { s.cfg.CachePatience = 50 * time.Millisecond })
	token, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	freeze := func(s syscall.Signal) {
		if err := syscall.Kill(r.PID(), s); err != nil {
			t.Fatal(err)
		}
	}
	freeze(syscall.SIGSTOP)
	thaw := sync.OnceFunc(func() { freeze(syscall.SIGCONT) })
	defer thaw()
	w.deleteSession(token)
	start := time.Now()
	testkit.Eventually(t, "the token is dead", func() bool { return w.call(t, "GET", "/api/tasks/", token, nil).code() == "invalid_token" })
	if took := time.Since(start); took > time.Second {
		t.Errorf("it lived for %v", took)
	}
	// The shared cache comes back with the dead session still in it: nobody has dropped it yet.
	thaw()
	testkit.Eventually(t, "the channel is back", func() bool { return w.tokens.memory.alive(time.Now()) })
	w.refused(t, 401, "invalid_token", "GET", "/api/tasks/", token, nil)
}

func TestAuthDownIsUnavailableAndSignsNobodyOut(t *testing.T) {
	w := build(t)
	known, _ := w.signIn("UTC")
	unknown, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/", known, nil)
	for _, status := range []int{500, 404, 502} {
		w.auth.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) })
		a := w.refused(t, 503, "service_unavailable", "GET", "/api/tasks/", unknown, nil)
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	w.auth.answers(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(rw).Encode(apperr.AccountDisabled.New("Disabled.").Problem(""))
	})
	w.refused(t, 403, "account_disabled", "GET", "/api/tasks/", unknown, nil)
	w.auth.CloseClientConnections()
	w.auth.Close()
	w.refused(t, 503, "service_unavailable", "GET", "/api/tasks/", unknown, nil)
	w.want(t, 200, "GET", "/api/tasks/", known, nil)
}

func TestTimeZones(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("Europe/Berlin")
	zone := func(header ...string) string {
		return w.want(t, 200, "GET", "/api/tasks/", token, nil, header...).got().Actor.Zone
	}
	if z := zone(); z != "Europe/Berlin" {
		t.Errorf("without the header: %s", z)
	}
	if z := zone("X-Timezone", "Europe/Berlin"); z != "Europe/Berlin" || len(w.people.told()) != 0 {
		t.Errorf("the same zone: %s, told %v", z, w.people.told())
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { w.want(t, 200, "GET", "/api/tasks/", token, nil, "X-Timezone", "America/New_York") })
	}
	all.Wait()
	testkit.Eventually(t, "auth is told", func() bool { return len(w.people.told()) == 1 })
	if z := zone("X-Timezone", "Europe/Berlin"); z != "Europe/Berlin" { // and back
		t.Errorf("back: %s", z)
	}
	testkit.Eventually(t, "auth is told", func() bool { return len(w.people.told()) == 2 })
	if told := w.people.told(); told[0] != "America/New_York" || told[1] != "Europe/Berlin" {
		t.Errorf("told %v", told)
	}
	for _, wrong := range []string{"Mars/Base", "Local", "localtime", "right/UTC", "../etc/passwd", "/etc/localtime", "europe berlin", strings.Repeat("a", 300)} {
		a := w.refused(t, 422, "validation_failed", "GET", "/api/tasks/", token, nil, "X-Timezone", wrong)
		if !strings.Contains(string(a.body), `"location":"header.X-Timezone"`) {
			t.Errorf("%s: %s", wrong, a.body)
		}
	}
	if g := w.want(t, 200, "POST", "/api/auth/login/", "", "{}", "X-Timezone", "Asia/Tokyo").got(); g.Actor.Zone != "Asia/Tokyo" {
		t.Errorf("nobody's zone %q", g.Actor.Zone)
	}
}

func TestSlowAuthDoesNotDelayARequestThatMoves(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	w.want(t, 200, "GET", "/api/tasks/", token, nil)
	asked := make(chan struct{})
	release, _ := gate(t)
	w.auth.answers(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			close(asked)
			<-release
		}
		w.people.serve(w.auth)(rw, r) // on a busy machine the session is asked for once more
	})
	w.want(t, 200, "GET", "/api/tasks/", token, nil, "X-Timezone", "Asia/Tokyo")
	await(t, "auth is told of the zone", asked)
}
