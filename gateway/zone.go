package gateway

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/expirable"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
)

const (
	tellTime   = 5 * time.Second
	tellAtOnce = 16
)

// zones knows the names of time zones, and what auth was told of whose.
type zones struct {
	known atomic.Pointer[map[string]string] // names that can be loaded; there are some six hundred
	slots chan struct{}
	mu    sync.Mutex
	told  *expirable.LRU[uuid.UUID, string]
}

func newZones() *zones {
	z := &zones{
		told:  expirable.NewLRU[uuid.UUID, string](rememberedTokens, nil, rememberedFor),
		slots: make(chan struct{}, tellAtOnce),
	}
	z.known.Store(&map[string]string{})
	return z
}

// locate decides which zone's day it is for the request: X-Timezone's, else the session's.
func (g *Gateway) locate(x *exchange) error {
	if x.session != nil {
		x.zone = x.session.Timezone
	}
	sent := x.c.Request().Header.Peek("X-Timezone")
	if len(sent) == 0 {
		return nil
	}
	name := g.zones.named(sent)
	if name == "" {
		return apperr.ValidationFailed.New("The time zone is not one of the IANA database.").
			At("header.X-Timezone", "must be a name such as Europe/Berlin")
	}
	x.zone = name
	if x.session != nil {
		g.noteZone(x)
	}
	return nil
}

// named answers the zone of that name, or nothing.
func (z *zones) named(sent []byte) string {
	if name := (*z.known.Load())[string(sent)]; name != "" {
		return name
	}
	name := string(sent)
	if !day.IsZone(name) {
		return ""
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	more := maps.Clone(*z.known.Load())
	more[name] = name
	z.known.Store(&more)
	return name
}

// moved reports whether auth is to be told of the zone, and notes that it will be.
func (z *zones) moved(user uuid.UUID, session, zone string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	last, told := z.told.Get(user)
	if !told {
		last = session
	}
	if zone != last {
		z.told.Add(user, zone)
	}
	return zone != last
}

// noteZone tells auth in the background that the person has moved, once for each move.
func (g *Gateway) noteZone(x *exchange) {
	user, zone := x.session.UserID, x.zone
	if !g.zones.moved(user, x.session.Timezone, zone) {
		return
	}
	select {
	case g.zones.slots <- struct{}{}:
	default:
		g.zones.told.Remove(user) // busy: the next request tells it
		return
	}
	ctx := context.WithoutCancel(x.ctx)
	g.work.Go(func() {
		defer func() { <-g.zones.slots }()
		ctx, cancel := context.WithTimeout(ctx, tellTime)
		defer cancel()
		if err := g.auth.SetZone(ctx, user, zone); err != nil {
			g.zones.told.Remove(user)
			g.log.WarnContext(ctx, "auth does not know the new time zone yet", "error", err)
		}
	})
}
