// Package identity is who is asking. The gateway replaces the client's token with a passport: a JWT that lives a minute,
// signed with a key that only Hearth's own parts hold. Services believe a passport and nothing else.
package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/day"
)

// Header carries the passport between Hearth's parts. The gateway removes it from what clients send.
const Header = "X-Hearth-Passport"

// Life is how long a passport is good for.
const Life = time.Minute

// skew is how far the clocks of two machines may be apart.
const skew = 5 * time.Second

// Kind says what sort of caller it is.
type Kind string

// The callers there are.
const (
	Anonymous Kind = "anonymous" // a client without a token, through the gateway
	Person    Kind = "user"      // a client with a token, through the gateway
	Service   Kind = "service"   // one of our own, working in the background
)

// Actor is the caller of a request.
type Actor struct {
	Kind      Kind
	UserID    uuid.UUID // of a Person
	SessionID uuid.UUID // of a Person
	Zone      string    // IANA zone that decides which day "today" is
	ClientIP  string    // as the gateway saw it
	Service   string    // of a Service
}

// Location is the actor's zone, UTC where none is known.
func (a Actor) Location() *time.Location {
	if a.Zone == "" {
		return time.UTC
	}
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Today is the actor's calendar day at the clock's instant.
func (a Actor) Today(c clock.Clock) day.Day { return day.In(c.Now(), a.Location()) }

type claims struct {
	Kind      Kind      `json:"knd"`
	SessionID uuid.UUID `json:"sid,omitzero"`
	Zone      string    `json:"tz,omitempty"`
	ClientIP  string    `json:"ip,omitempty"`
	jwt.RegisteredClaims
}

const audience = "internal"

// Passports signs and checks passports. The first key signs; all of them are accepted, so that keys can be rotated one
// deploy after the other.
type Passports struct {
	keys   [][]byte
	clock  clock.Clock
	parser *jwt.Parser
	// seen are passports whose signature has been checked: the gateway shows the same one for many requests.
	seen *lru.Cache[string, checked]
}

type checked struct {
	actor   Actor
	expires time.Time
}

// maxSeen passports of about 400 bytes are remembered.
const maxSeen = 4096

// NewPassports needs at least one key of 32 bytes or more.
func NewPassports(keys [][]byte, c clock.Clock) (*Passports, error) {
	if len(keys) == 0 {
		return nil, errors.New("passports: no key")
	}
	for _, key := range keys {
		if len(key) < 32 {
			return nil, errors.New("passports: a key needs at least 32 bytes")
		}
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(skew), jwt.WithTimeFunc(c.Now))
	seen, err := lru.New[string, checked](maxSeen)
	if err != nil {
		return nil, fmt.Errorf("passports: %w", err)
	}
	return &Passports{keys: keys, clock: c, parser: parser, seen: seen}, nil
}

// Sign makes the actor's passport, good for Life from now.
func (p *Passports) Sign(a Actor) (string, error) {
	now := p.clock.Now()
	subject := a.Service
	if a.Kind == Person {
		subject = a.UserID.String()
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Kind: a.Kind, SessionID: a.SessionID, Zone: a.Zone, ClientIP: a.ClientIP,
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: subject, Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(Life)),
		},
	})
	signed, err := token.SignedString(p.keys[0])
	if err != nil {
		return "", fmt.Errorf("sign passport: %w", err)
	}
	return signed, nil
}

// Verify answers whose passport it is. The error never repeats the passport.
func (p *Passports) Verify(passport string) (Actor, error) {
	if known, ok := p.seen.Get(passport); ok && p.clock.Now().Before(known.expires) {
		return known.actor, nil
	}
	var failure error
	for _, key := range p.keys {
		var c claims
		_, err := p.parser.ParseWithClaims(passport, &c, func(*jwt.Token) (any, error) { return key, nil })
		if err == nil {
			actor, err := c.actor()
			if err == nil {
				// fasthttp's strings may be overwritten after the request.
				p.seen.Add(strings.Clone(passport), checked{actor, c.ExpiresAt.Time})
			}
			return actor, err
		}
		failure = err
	}
	return Actor{}, fmt.Errorf("passport refused: %w", failure)
}

func (c claims) actor() (Actor, error) {
	a := Actor{Kind: c.Kind, SessionID: c.SessionID, Zone: c.Zone, ClientIP: c.ClientIP}
	switch c.Kind {
	case Anonymous:
	case Service:
		a.Service = c.Subject
	case Person:
		id, err := uuid.Parse(c.Subject)
		if err != nil {
			return Actor{}, fmt.Errorf("passport subject: %w", err)
		}
		a.UserID = id
	default:
		return Actor{}, fmt.Errorf("passport of unknown kind %q", c.Kind)
	}
	return a, nil
}

type contextKey struct{}

type carried struct {
	actor    Actor
	passport string
}

// With puts the actor and the passport that proved it into the context.
func With(ctx context.Context, a Actor, passport string) context.Context {
	return context.WithValue(ctx, contextKey{}, carried{a, passport})
}

// From is the actor of the request. Outside of one it is the zero Actor, whom every guard refuses.
func From(ctx context.Context) Actor {
	c, _ := ctx.Value(contextKey{}).(carried)
	return c.actor
}

// Passport is what to show another service on behalf of the request's actor; empty in background work.
func Passport(ctx context.Context) string {
	c, _ := ctx.Value(contextKey{}).(carried)
	return c.passport
}

// Guard decides who may call an operation.
type Guard struct {
	// Name tells the API document which security the operation wants: "user", "anyone" or "internal".
	Name  string
	Admit func(Actor) error
}

// User admits a signed-in person.
var User = Guard{Name: "user", Admit: func(a Actor) error {
	if a.Kind != Person {
		return apperr.AuthRequired.New("Send your token in the Authorization header.")
	}
	return nil
}}

// Anyone admits whoever came through the gateway, signed in or not.
var Anyone = Guard{Name: "anyone", Admit: func(a Actor) error {
	if a.Kind == "" {
		return apperr.AuthRequired.New("This service is reached through the gateway.")
	}
	return nil
}}

// Internal admits Hearth's own parts, on their own behalf or that of a person. Its operations live under /internal,
// which the gateway never routes.
var Internal = Guard{Name: "internal", Admit: func(a Actor) error {
	if a.Kind != Service && a.Kind != Person && a.Kind != Anonymous {
		return apperr.AuthRequired.New("Internal operations want a passport.")
	}
	return nil
}}
