package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

// How often passwords may be guessed in guessWindow. The window begins with the first failure; what is right is given
// back and does not count.
const (
	guessWindow     = 15 * time.Minute
	guessesHere     = 10  // at one account from one address
	guessesAccount  = 50  // at one account from everywhere
	guessesAddress  = 100 // from one address at everybody: many people may share one
	resetGuessesMax = 20  // of reset codes of one account from one address, in guessWindow
)

// attempt is one try at a password, counted before it is known to be right: tries that arrive together cannot pass
// between a count and its check.
type attempt struct {
	Found           bool // there is such a person
	ID              uuid.UUID
	Email           string
	Username        string
	PasswordHash    string
	PasswordVersion int
	IsActive        bool
	// The counters, to give the try back.
	AddressKey, HereKey, AccountKey string
	// RefusedUntil is set when there were too many before.
	RefusedUntil *time.Time
}

// tryPassword counts a try and checks the password, of the person who is known by an e-mail address or username, or by
// id. right is false for an unknown person as well, and takes as long to find out.
func (s *Service) tryPassword(ctx context.Context, actor identity.Actor, login string, user *uuid.UUID, password string) (a attempt, right, outdated bool, err error) {
	login = strings.TrimSpace(login)
	now := s.Clock.Now()
	a, err = countAttempt(ctx, s.DB, login, user, s.codes.pseudonym(login), address(actor.ClientIP), now)
	if err != nil {
		return a, false, false, err
	}
	if a.RefusedUntil != nil {
		return a, false, false, tooMany(a.RefusedUntil.Sub(now))
	}
	right, outdated, err = s.passwords.matches(ctx, password, a.PasswordHash)
	return a, right, outdated, err
}

func tooMany(wait time.Duration) error {
	return apperr.RateLimited.New("Too many tries; wait a little.").After(max(wait, time.Second))
}

// pseudonym stands for what somebody typed as a name: people type passwords there too, so it is kept nowhere.
func (c codebook) pseudonym(typed string) string {
	mac := hmac.New(sha256.New, c.keys[0])
	_, _ = mac.Write([]byte("name\x00" + strings.ToLower(strings.TrimSpace(typed)))) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// address is what counts as one client: an IPv4 address, or the /64 that a subscriber of IPv6 gets.
func address(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
