// Package delivery is what the transports of messages have in common: mail, and push to Apple's and Google's devices.
package delivery

import "time"

// Outcome is what came of handing one message to a provider.
type Outcome int

// The outcomes.
const (
	// Sent: the provider has taken it.
	Sent Outcome = iota + 1
	// Dead: there is no such address any more. Nothing is to be sent there again.
	Dead
	// Refused: the provider will never take this message; another one to the same address it may.
	Refused
	// Later: the provider could not take it now, or did not say whether it has.
	Later
)

// Result is the answer of a provider.
type Result struct {
	Outcome Outcome
	// ID is what the provider calls the message.
	ID string
	// Reason says why it is not Sent, in the provider's words, with nothing in them of the message or the address.
	Reason string
	// After is how long to wait before the next try, if the provider has said.
	After time.Duration
	// Provider says that it is not about this message: the provider is away, overloaded, or refuses us. Whoever waits for
	// the same provider need not try before After.
	Provider bool
	// Since is when the provider has learnt that a Dead address is none (APNs); zero: not said. A device that has registered
	// the same token after it is alive.
	Since time.Time
}
