package appstore

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ErrNotFound: the App Store knows no such purchase.
var ErrNotFound = errors.New("the App Store knows no such purchase")

// UnavailableError: the App Store does not answer, or wants to be left alone for a while.
type UnavailableError struct {
	RetryAfter time.Duration
	Cause      string
}

func (e *UnavailableError) Error() string { return "the App Store does not answer: " + e.Cause }

const (
	tokenLife = 5 * time.Minute // Apple takes 20 at the most
	maxAnswer = 1 << 20
	maxHold   = time.Hour
)

// Key signs what is asked of the App Store Server API.
type Key struct {
	ID, Issuer string // as App Store Connect shows them
	Private    *ecdsa.PrivateKey
}

// ParseKey reads a .p8 file as App Store Connect hands it out. Its errors do not repeat it.
func ParseKey(text string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it is not a private key in PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("it is not a key of the curve P-256")
	}
	return key, nil
}

// Client asks the App Store Server API.
type Client struct {
	HTTP    *http.Client
	Key     Key
	Bundles []string
	Bases   []string // of the environments, in the order in which they are asked
	Now     func() time.Time

	mu   sync.Mutex
	hold time.Time // until then it wants to be left alone
}

// Subscription answers how a subscription is. It fails with ErrNotFound, or an UnavailableError.
func (c *Client) Subscription(ctx context.Context, original string) (LastTransaction, error) {
	for _, base := range c.Bases {
		for _, bundle := range c.Bundles { // a token is for one app
			found, err := c.ask(ctx, base, bundle, original)
			if !errors.Is(err, ErrNotFound) {
				return found, err
			}
		}
	}
	return LastTransaction{}, ErrNotFound
}

func (c *Client) ask(ctx context.Context, base, bundle, original string) (LastTransaction, error) {
	if wait := c.held(); wait > 0 {
		return LastTransaction{}, &UnavailableError{RetryAfter: wait, Cause: "it was asked too often"}
	}
	raw, err := c.get(ctx, bundle, base+"/inApps/v1/subscriptions/"+url.PathEscape(original))
	if err != nil {
		return LastTransaction{}, err
	}
	var answer struct {
		Data []struct {
			LastTransactions []LastTransaction `json:"lastTransactions"`
		} `json:"data"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return LastTransaction{}, &UnavailableError{Cause: "its answer is no JSON"}
	}
	for _, group := range answer.Data { // all of the customer's, of which one is meant
		at := slices.IndexFunc(group.LastTransactions, func(t LastTransaction) bool { return t.OriginalTransactionID == original })
		if at >= 0 {
			return group.LastTransactions[at], nil
		}
	}
	return LastTransaction{}, ErrNotFound
}

// get makes the request.
func (c *Client) get(ctx context.Context, bundle, address string) ([]byte, error) {
	token, err := c.token(bundle)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.HTTP.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // it would repeat the address
		}
		return nil, &UnavailableError{Cause: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &UnavailableError{Cause: "it broke off its answer"}
	}
	var problem struct {
		ErrorCode int `json:"errorCode"`
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return raw, nil
	case resp.StatusCode == http.StatusTooManyRequests:
		wait := c.holdOff(resp.Header.Get("Retry-After"))
		return nil, &UnavailableError{RetryAfter: wait, Cause: "it was asked too often"}
	case json.Unmarshal(raw, &problem) == nil && lost(problem.ErrorCode):
		return nil, ErrNotFound
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, &UnavailableError{Cause: "it does not take the key (401)"}
	}
	return nil, &UnavailableError{Cause: "status " + strconv.Itoa(resp.StatusCode)}
}

// lost reports whether Apple says by the code that there is none: a 404 of whatever is in between says nothing, and by
// three codes Apple means "not now". See https://developer.apple.com/documentation/appstoreserverapi/error-codes.
func lost(code int) bool {
	switch code {
	case 4000006, 4000008: // an id as Apple makes none
		return true
	case 4040002, 4040004, 4040006:
		return false
	}
	return code/10000 == 404
}

// token is good for one app.
func (c *Client) token(bundle string) (string, error) {
	now := c.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": c.Key.Issuer, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "aud": "appstoreconnect-v1", "bid": bundle,
	})
	token.Header["kid"] = c.Key.ID
	signed, err := token.SignedString(c.Key.Private)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return signed, nil
}

// holdOff has nothing asked for as long as Apple wants, an hour at most. Apple says until when, in milliseconds; others
// in between say for how many seconds.
func (c *Client) holdOff(retryAfter string) time.Duration {
	wait := time.Minute
	if n, err := strconv.ParseInt(retryAfter, 10, 64); err == nil && n > 0 {
		if n < 1e9 {
			wait = time.Duration(n) * time.Second
		} else {
			wait = time.UnixMilli(n).Sub(c.Now())
		}
	}
	wait = min(max(wait, time.Second), maxHold)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = c.Now().Add(wait)
	return wait
}

func (c *Client) held() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hold.Sub(c.Now())
}
