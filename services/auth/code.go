package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/seal"
)

// What a code is for.
const (
	verifyEmail   = "verify_email"
	resetPassword = "reset_password" //nolint:gosec // the name of a purpose
)

const (
	verifyLife = 24 * time.Hour
	resetLife  = 15 * time.Minute // of the code, and again of the token that it is exchanged for
	codeTries  = 5

	// How often a code is sent. Ten a day of five tries each leave a guesser one chance in twenty thousand.
	codeEvery   = time.Minute
	codeDay     = 24 * time.Hour
	codesPerDay = 10
)

// codebook makes codes, hashes them for the database and seals them for notification.
type codebook struct {
	keys   config.Keys
	reader seal.PublicKey
}

// code is one that is about to be sent. The digits themselves are in the sealed box alone.
type code struct {
	ID      uuid.UUID
	UserID  uuid.UUID
	Purpose string
	Hash    []byte
	Sealed  []byte
	Issued  time.Time
	Expires time.Time
}

func (c codebook) issue(purpose string, user uuid.UUID, now time.Time) (code, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return code{}, fmt.Errorf("draw a code: %w", err)
	}
	digits := fmt.Sprintf("%06d", n)
	box, err := json.Marshal(events.CodeBox{Code: digits})
	if err != nil {
		return code{}, fmt.Errorf("code: %w", err)
	}
	sealed, err := seal.Seal(c.reader, box)
	if err != nil {
		return code{}, fmt.Errorf("code: %w", err)
	}
	life := verifyLife
	if purpose == resetPassword {
		life = resetLife
	}
	return code{
		ID: uuid.Must(uuid.NewV7()), UserID: user, Purpose: purpose, Hash: hashCode(c.keys[0], user, purpose, digits),
		Sealed: sealed, Issued: now, Expires: now.Add(life),
	}, nil
}

// hashes are what a right code may be stored as: under any of the keys.
func (c codebook) hashes(user uuid.UUID, purpose, digits string) [][]byte {
	all := make([][]byte, len(c.keys))
	for i, key := range c.keys {
		all[i] = hashCode(key, user, purpose, digits)
	}
	return all
}

// hashCode is an HMAC, so that comparing it in SQL gives nothing away: without the key nobody can choose what it is.
func hashCode(key []byte, user uuid.UUID, purpose, digits string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "code\x00%s\x00%s\x00%s", user, purpose, digits) // a hash never fails
	return mac.Sum(nil)
}

// event is the code on its way to the person.
func (c code) event(u User) events.Code {
	return events.Code{
		UserID: c.UserID, Purpose: c.Purpose, Email: u.Email, FirstName: u.FirstName, Locale: u.Locale,
		Sealed: c.Sealed, ExpiresAt: c.Expires.Format(time.RFC3339),
	}
}

// The counters of codes sent for somebody.
func (c code) minuteKey(subject string) string { return "code:1:" + c.Purpose + ":" + subject }
func (c code) dayKey(subject string) string    { return "code:2:" + c.Purpose + ":" + subject }

// VerifyEmail confirms the actor's address. It fails with invalid_code for a wrong, used, expired or exhausted code and
// for one that is not the newest.
func (s *Service) VerifyEmail(ctx context.Context, actor identity.Actor, digits string) (User, error) {
	hashes := s.codes.hashes(actor.UserID, verifyEmail, digits)
	v, found, err := tryVerification(ctx, s.DB, actor.UserID, hashes, s.Clock.Now())
	switch {
	case err != nil:
		return User{}, err
	case !found:
		return User{}, invalidToken()
	case v.WasVerified:
		return User{}, alreadyVerified()
	case !v.Right:
		return User{}, wrongCode()
	}
	s.changed(ctx, v.User, v.TokenHashes)
	return v.User, nil
}

func alreadyVerified() error {
	return apperr.AlreadyVerified.New("Your e-mail address is verified already.")
}

func wrongCode() error {
	return apperr.InvalidCode.New("The code is not right, or no longer good. Ask for a new one.")
}

// ResendVerification sends the actor a new code, once a minute at most; the one before is no longer good.
func (s *Service) ResendVerification(ctx context.Context, actor identity.Actor) error {
	now := s.Clock.Now()
	c, err := s.codes.issue(verifyEmail, actor.UserID, now)
	if err != nil {
		return err
	}
	sent, err := sendCode(ctx, s.DB, c, actor.UserID.String())
	switch {
	case err != nil:
		return err
	case !sent.Found:
		return invalidToken()
	case sent.Verified:
		return alreadyVerified()
	case sent.RefusedUntil != nil:
		return apperr.RateLimited.New("A code was sent already; wait a little before you ask for another.").After(max(sent.RefusedUntil.Sub(now), time.Second))
	}
	s.Relay.Nudge()
	return nil
}

// ForgotPassword sends a reset code to the address if there is an account with it. Whoever asks cannot tell: what is
// done and written is as much either way, and asking too often is no error.
func (s *Service) ForgotPassword(ctx context.Context, email string) error {
	user, err := s.userByEmail(ctx, email)
	if err != nil {
		return err
	}
	c, err := s.codes.issue(resetPassword, user, s.Clock.Now())
	if err != nil {
		return err
	}
	if _, err := sendCode(ctx, s.DB, c, s.codes.pseudonym(email)); err != nil {
		return err
	}
	s.Relay.Nudge()
	return nil
}

// userByEmail answers who has the address, or an id that nobody has.
func (s *Service) userByEmail(ctx context.Context, email string) (uuid.UUID, error) {
	user, found, err := findByEmail(ctx, s.DB, strings.TrimSpace(email))
	if err == nil && !found {
		user = uuid.New()
	}
	return user, err
}

// VerifyResetCode exchanges a right code for a token that sets a new password, once.
func (s *Service) VerifyResetCode(ctx context.Context, actor identity.Actor, email, digits string) (token string, err error) {
	user, err := s.userByEmail(ctx, email)
	if err != nil {
		return "", err
	}
	now := s.Clock.Now()
	token, hash := newToken(resetTokenPrefix)
	key := "guess:" + s.codes.pseudonym(email) + "@" + address(actor.ClientIP)
	tried, err := tryResetCode(ctx, s.DB, user, s.codes.hashes(user, resetPassword, digits), hash, key, now)
	switch {
	case err != nil:
		return "", err
	case tried.RefusedUntil != nil:
		return "", tooMany(tried.RefusedUntil.Sub(now))
	case !tried.Right:
		return "", wrongCode()
	}
	return token, nil
}
