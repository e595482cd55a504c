// Package gateway is the one door that the apps know. It owns no data: no database, no queue. A request goes
//
//	routes.go (the table) → token.go (whose token) → zone.go → passport.go → body.go → proxy.go → the service
//
// and serve in gateway.go is those steps in order. What it keeps, it may lose: sessions of tokens in its own memory
// (memory.go) and, shared by all gateways, in the cache Redis.
//
//   - It calls auth (sessions, time zones), residence (lookups, who sees what), task (lookups), and every service for its
//     health and its part of the API document.
//   - It listens to cache.RevokedChannel: a token that is no longer good leaves the memory at once, and without that
//     channel the memory is not used at all (memory.go says why that is enough).
//   - It answers six things itself: health.go, lookups.go, document.go, page.go, sync.go and live.go.
//   - It reads cache.LiveKey, where the relays of all services say what has changed, and hands it on to the apps that listen.
//
// Nothing under /internal can be reached through it: only paths of the table are forwarded, and only when they are
// written plainly (router.go).
package gateway
