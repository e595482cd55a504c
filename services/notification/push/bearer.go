package push

import (
	"crypto/ecdsa"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"hearth.internal/pkg/clock"
)

// Apple takes a provider token for an hour, and new ones no more often than every 20 minutes: see Apple's "establishing a
// token-based connection to APNs".
const (
	renewed  = 50 * time.Minute
	youngest = 20 * time.Minute
)

// provider is who we are to Apple: a token that is signed anew before it is too old.
type provider struct {
	key           *ecdsa.PrivateKey
	keyID, teamID string
	clock         clock.Clock

	mu   sync.Mutex
	text string
	at   time.Time
}

// token answers the one to show now.
func (p *provider) token() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.text != "" && p.age() < renewed {
		return p.text, nil
	}
	return p.sign()
}

// instead answers another token than the one that Apple calls expired. When that is too young for a new one, our clock is
// wrong or Apple's is: there is none.
func (p *provider) instead(of string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.text != of {
		return p.text, true
	}
	if p.age() < youngest {
		return "", false
	}
	text, err := p.sign()
	return text, err == nil
}

// age also tells of a clock that was set back.
func (p *provider) age() time.Duration { return p.clock.Now().Sub(p.at).Abs() }

func (p *provider) sign() (string, error) {
	now := p.clock.Now()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": p.teamID, "iat": now.Unix()})
	unsigned.Header["kid"] = p.keyID
	text, err := unsigned.SignedString(p.key)
	if err != nil {
		return "", err
	}
	p.text, p.at = text, now
	return text, nil
}
