// Package clock is the time, injected: services never ask the system themselves, so that tests can stand at the night
// of a DST change or at the end of February.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time.
type Clock interface{ Now() time.Time }

// System is the machine's clock.
type System struct{}

// Now is the present instant in UTC.
func (System) Now() time.Time { return time.Now().UTC() }

// Manual stands still until it is moved. The zero value is not useful: use At.
type Manual struct {
	mu  sync.Mutex
	now time.Time
}

// At is a clock that stands at t.
func At(t time.Time) *Manual { return &Manual{now: t.UTC()} }

// Now is the instant that the clock was set to.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Set moves the clock to t.
func (m *Manual) Set(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = t.UTC()
}

// Advance moves the clock by d.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}
