package billing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/clock"
)

const (
	googleIssuer = "https://accounts.google.com" // the verifier also takes it without its scheme, as Google writes it at times
	pushSkew     = time.Minute                   // by which our clocks may differ
	keysPause    = time.Minute                   // between two looks at Google's keys, however many tokens name one that is not known
	keysAgain    = 5 * time.Second               // after a look that failed
	maxKeys      = 1 << 20
)

// errNoKeys: Google's keys could not be had, so that nothing is known of a token.
var errNoKeys = errors.New("google's keys cannot be had")

// pushCheck tells pushes of Google's from others, by the token that Pub/Sub signs: see Google's "authenticate push
// subscriptions".
type pushCheck struct {
	audience, account string
	clock             clock.Clock
	keys              *oidc.RemoteKeySet
}

func newPushCheck(cfg GoogleConfig, c clock.Clock, transport http.RoundTripper) pushCheck {
	client := &http.Client{Transport: &seldom{clock: c, next: transport}, Timeout: googleTime}
	return pushCheck{
		audience: cfg.PushAudience, account: cfg.PushAccount, clock: c,
		keys: oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), client), cfg.GoogleKeysURL),
	}
}

// verify fails with webhook_refused unless the token is Google's, for us, of the account that is to push, and fresh. It
// fails with shop_unavailable when that cannot be told.
func (p pushCheck) verify(ctx context.Context, authorization string) error {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return refusedPush(errors.New("no bearer token"))
	}
	keys := &noticing{RemoteKeySet: p.keys}
	verifier := oidc.NewVerifier(googleIssuer, keys, &oidc.Config{
		ClientID: p.audience, SupportedSigningAlgs: []string{oidc.RS256}, Now: func() time.Time { return p.clock.Now().Add(-pushSkew) },
	})
	verified, err := verifier.Verify(ctx, strings.TrimSpace(token))
	switch {
	case keys.unknown != nil:
		return apperr.ShopUnavailable.Wrap(keys.unknown, "Google's keys cannot be had; try again.").After(keysAgain)
	case err != nil:
		return refusedPush(err)
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := verified.Claims(&claims); err != nil || claims.Email != p.account || !claims.Verified {
		return refusedPush(errors.New("the token is of another account"))
	}
	return nil
}

func refusedPush(cause error) error {
	return apperr.WebhookRefused.Wrap(cause, "It does not come from Google.")
}

// noticing remembers whether the keys were to be had: the verifier's error does not tell.
type noticing struct {
	*oidc.RemoteKeySet
	unknown error
}

// VerifySignature is the key set's.
func (n *noticing) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := n.RemoteKeySet.VerifySignature(ctx, token)
	if errors.Is(err, errNoKeys) || ctx.Err() != nil {
		n.unknown = errors.Join(errNoKeys, ctx.Err())
	}
	return payload, err
}

// seldom asks for the same thing at most once in a while, and else answers what it got the last time: a key set asks
// for its keys at every token that it cannot verify, and those cost their forger nothing.
type seldom struct {
	next  http.RoundTripper
	clock clock.Clock

	mu    sync.Mutex
	until time.Time
	body  []byte
	err   error
}

// RoundTrip answers the body that is known, or asks for it.
func (s *seldom) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.clock.Now().Before(s.until) {
		pause := keysPause
		if s.body, s.err = s.fetch(r); s.err != nil {
			pause = keysAgain
		}
		s.until = s.clock.Now().Add(pause)
	}
	if s.err != nil {
		return nil, s.err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(s.body)),
	}, nil
}

func (s *seldom) fetch(r *http.Request) ([]byte, error) {
	answer, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s", errNoKeys, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxKeys))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoKeys, err)
	}
	return body, nil
}
