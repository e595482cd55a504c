package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/telemetry"
)

// longestToken is far above ours; what is longer is not even hashed.
const longestToken = 256

// session is what a token stands for, with the passport that was last signed for it.
type session struct {
	internalapi.Session
	passport atomic.Pointer[signed]
}

// tokens answers whose a token is: from memory, from the shared cache, from auth.
type tokens struct {
	memory  *memory
	shared  *cache.Cache
	auth    internalapi.Auth
	results map[string]prometheus.Counter
}

func newTokens(rdb redis.UniversalClient, shared *cache.Cache, auth internalapi.Auth, tel *telemetry.Telemetry) *tokens {
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hearth_gateway_token_checks_total",
		Help: "Token checks by where the answer came from (l1 memory, l2 shared cache, auth), refused, or unavailable.",
	}, []string{"result"})
	tel.Registry.MustRegister(checks)
	t := &tokens{memory: newMemory(rdb, tel.Log), shared: shared, auth: auth, results: map[string]prometheus.Counter{}}
	for _, result := range []string{"l1", "l2", "auth", "refused", "unavailable"} {
		t.results[result] = checks.WithLabelValues(result)
	}
	return t
}

// identify finds out whose request it is, where the route wants to know. Elsewhere a token is not looked at: a stale
// one must not keep anybody from signing in.
func (g *Gateway) identify(x *exchange) error {
	if x.route.Guard.Name != identity.User.Name {
		return nil
	}
	token, err := tokenIn(x.c.Request().Header.Peek("Authorization"))
	if err != nil {
		g.tokens.results["refused"].Inc()
		return err
	}
	x.session, err = g.tokens.session(x.ctx, hash(sha256.Sum256(token)), x.start)
	return err
}

// tokenIn reads `Token <key>` or `Bearer <key>`.
func tokenIn(header []byte) ([]byte, error) {
	scheme, token, _ := bytes.Cut(header, []byte(" "))
	if !bytes.EqualFold(scheme, []byte("Token")) && !bytes.EqualFold(scheme, []byte("Bearer")) {
		return nil, apperr.AuthRequired.New("Send your token in the Authorization header: Token <key>.")
	}
	token = bytes.TrimSpace(token)
	switch {
	case len(token) == 0:
		return nil, apperr.AuthRequired.New("The Authorization header has no token in it.")
	case len(token) > longestToken || bytes.ContainsAny(token, " \t,"):
		return nil, errEnded()
	}
	return token, nil
}

func errEnded() *apperr.Error {
	return apperr.InvalidToken.New("The session has ended; sign in again.")
}

// challenge is the WWW-Authenticate of a refusal (RFC 6750, section 3).
func challenge(e *apperr.Error) string {
	if e.Code.Name == apperr.InvalidToken.Name {
		return `Bearer realm="hearth", error="invalid_token"`
	}
	return `Bearer realm="hearth"`
}

// session answers the token's session. It fails with invalid_token when there is none, and service_unavailable when
// nobody can tell.
func (t *tokens) session(ctx context.Context, token hash, now time.Time) (*session, error) {
	if s := t.memory.get(token, now); s != nil {
		t.results["l1"].Inc()
		return s, nil
	}
	began := t.memory.began()
	found, source, err := t.load(ctx, token, now)
	if err != nil {
		return nil, t.refusal(err)
	}
	t.results[source].Inc()
	s := &session{Session: found}
	t.memory.put(token, s, began)
	return s, nil
}

// load asks the shared cache where it can be believed, else auth.
func (t *tokens) load(ctx context.Context, token hash, now time.Time) (s internalapi.Session, source string, err error) {
	if !t.memory.sharedBelieved(now) {
		s, err = t.auth.Session(ctx, token[:])
		return s, "auth", err // translated by refusal
	}
	var asked atomic.Bool
	s, err = cache.Load(ctx, t.shared, cache.TokenKey(token[:]), cache.TokenTTL, func(ctx context.Context) (internalapi.Session, error) {
		asked.Store(true)
		return t.auth.Session(ctx, token[:])
	})
	if asked.Load() {
		return s, "auth", err // translated by refusal
	}
	return s, "l2", err // translated by refusal
}

// refusal keeps what auth says of the person apart from what is wrong with auth: that is never a reason to sign
// somebody out.
func (t *tokens) refusal(err error) error {
	e := apperr.Of(err)
	switch e.Code.Kind.Status() {
	case http.StatusUnauthorized:
		t.results["refused"].Inc()
		return errEnded()
	case http.StatusForbidden:
		t.results["refused"].Inc()
		return e
	}
	t.results["unavailable"].Inc()
	if errors.Is(err, context.DeadlineExceeded) {
		return apperr.DeadlineExceeded.Wrap(err, "It took too long; try again.")
	}
	return notAnswering(err)
}
