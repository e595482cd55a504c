package gateway

import (
	"net/netip"
	"time"

	"hearth.internal/pkg/identity"
)

// passportLife is how long a signed passport is used again. It lives identity.Life: what is left of it must be enough
// for the longest request.
const passportLife = 20 * time.Second

// signed is a passport and what it says.
type signed struct {
	passport, zone string
	clientIP       netip.Addr
	until          time.Time
}

// stamp gives the request its passport.
func (g *Gateway) stamp(x *exchange) error {
	if x.session == nil {
		passport, err := g.passports.Sign(identity.Actor{Kind: identity.Anonymous, Zone: x.zone, ClientIP: x.clientIP.String()})
		x.passport = passport
		return err // says "sign passport"
	}
	now := g.clock.Now()
	if last := x.session.passport.Load(); last != nil && last.zone == x.zone && last.clientIP == x.clientIP && now.Before(last.until) {
		x.passport = last.passport
		return nil
	}
	passport, err := g.passports.Sign(identity.Actor{
		Kind: identity.Person, UserID: x.session.UserID, SessionID: x.session.ID, Zone: x.zone, ClientIP: x.clientIP.String(),
	})
	if err != nil {
		return err // says "sign passport"
	}
	x.session.passport.Store(&signed{passport: passport, zone: x.zone, clientIP: x.clientIP, until: now.Add(passportLife)})
	x.passport = passport
	return nil
}
