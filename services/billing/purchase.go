package billing

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/plans"
)

// Source is where somebody has their tier from.
type Source string

// The sources. Grant is by staff.
const (
	None   Source = "none"
	Stripe Source = "stripe"
	Apple  Source = "apple"
	Google Source = "google"
	Grant  Source = "grant"
)

// State is how a purchase stands.
type State string

// The states of a purchase. NoPurchase is a person's who has none.
const (
	NoPurchase State = "none"
	Active     State = "active"     // paid for, tried, or given
	PastDue    State = "past_due"   // a payment failed and the shop tries again: it counts until its grace is over
	OnHold     State = "on_hold"    // the shop waits for the person to pay: it does not count
	Paused     State = "paused"     // by the person, for a while
	Incomplete State = "incomplete" // the first payment has not come
	Expired    State = "expired"
	Revoked    State = "revoked" // refunded, or taken back by the shop: at once
)

// lateness is how long a renewal may take to be told of. Meanwhile the shop is asked; an answer counts at once.
const lateness = 24 * time.Hour

// Purchase is one subscription in one shop, or one grant by staff, as it was last seen there.
type Purchase struct {
	ID            uuid.UUID  `json:"id"`
	UserID        uuid.UUID  `json:"user_id"`
	Source        Source     `json:"source"`
	ExternalID    string     `json:"external_id"`
	ProductID     string     `json:"product_id"`
	Tier          string     `json:"tier"`
	State         State      `json:"state"`
	IsTrial       bool       `json:"is_trial"`
	AutoRenew     bool       `json:"auto_renew"`
	Environment   string     `json:"environment"`
	StartedAt     time.Time  `json:"started_at"`
	ExpiresAt     *time.Time `json:"expires_at"`
	GraceUntil    *time.Time `json:"grace_until"`
	RefundedUntil *time.Time `json:"refunded_until"`
	SupersededBy  *string    `json:"superseded_by"`
	ObservedAt    time.Time  `json:"observed_at"`
	CheckAt       *time.Time `json:"check_at"`
	Version       int        `json:"version"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
}

// until is when the purchase ends to entitle by itself; open: never. An ended one answers an instant that has passed, or
// the zero one.
func (p Purchase) until() (end time.Time, open bool) {
	if p.SupersededBy != nil || p.refunded() {
		return time.Time{}, false
	}
	switch p.State {
	case Active:
		switch {
		case p.ExpiresAt == nil:
			return time.Time{}, true
		case p.AutoRenew:
			return p.ExpiresAt.Add(lateness), false
		}
		return *p.ExpiresAt, false
	case PastDue:
		if p.GraceUntil != nil {
			return *p.GraceUntil, false
		}
	default: // it does not count
	}
	return time.Time{}, false
}

// refunded: all that it was paid up to was given back.
func (p Purchase) refunded() bool {
	return p.RefundedUntil != nil && p.ExpiresAt != nil && !p.ExpiresAt.After(*p.RefundedUntil)
}

// Entitles reports whether the person has the tier by it now.
func (p Purchase) Entitles(now time.Time) bool {
	end, open := p.until()
	return open || now.Before(end)
}

// Ended reports whether it is over for good, as far as the shop has told.
func (p Purchase) Ended(now time.Time) bool {
	switch p.State {
	case Expired, Revoked:
		return true
	case Active:
		return p.SupersededBy != nil || !p.Entitles(now) && !p.renews(now)
	default:
		return p.SupersededBy != nil
	}
}

// renews reports whether the shop goes on with it, also where what is paid up to now was given back.
func (p Purchase) renews(now time.Time) bool {
	return p.AutoRenew && p.ExpiresAt != nil && now.Before(p.ExpiresAt.Add(lateness))
}

// Observation is what a shop says of one purchase.
type Observation struct {
	UserID      uuid.UUID // whom the shop says it is of; none: it does not know
	Customer    string    // Stripe's, where it names one
	ExternalID  string
	ProductID   string
	Tier        string
	State       State
	IsTrial     bool
	Tried       bool // a trial was begun with it, be it over or not
	AutoRenew   bool
	Environment string // empty: production
	StartedAt   time.Time
	ExpiresAt   *time.Time
	GraceUntil  *time.Time
	// RefundedUntil only ever grows: what has been given back does not come again.
	RefundedUntil *time.Time
	// Replaces is the external id of the purchase that this one was changed from.
	Replaces string
	// At is by the shop's clock. Asked: it was the shop's answer to our question, and so no older than it.
	At    time.Time
	Asked bool
	// RefundOnly says that nothing but RefundedUntil is told.
	RefundOnly bool
	// Acknowledge: the shop waits to be told that we know of it.
	Acknowledge bool
}

// dated refuses dates that are none: they could be neither kept nor answered.
func (o *Observation) dated() error {
	for _, at := range []*time.Time{&o.StartedAt, o.ExpiresAt, o.GraceUntil} {
		if at != nil && (at.Unix() < 0 || at.Unix() >= lastInstant.Unix()) {
			return fmt.Errorf("the purchase has a date in the year %d", at.UTC().Year())
		}
	}
	return nil
}

// how an observation was taken.
type taken int

const (
	stale   taken = iota // something newer is known, or the same
	doubted              // another was made at the same time, and says something else: ask the shop
	applied
)

// observe takes what the shop says, unless something newer is known.
func (p *Purchase) observe(o Observation) taken {
	next := *p
	if o.RefundedUntil != nil && (p.RefundedUntil == nil || o.RefundedUntil.After(*p.RefundedUntil)) {
		next.RefundedUntil = new(exact(*o.RefundedUntil))
	}
	known := p.ObservedAt.IsZero()
	if o.RefundOnly || (!known && o.At.Before(p.ObservedAt)) {
		return p.become(next, stale)
	}
	next.ProductID, next.Tier, next.State, next.IsTrial, next.AutoRenew = o.ProductID, o.Tier, o.State, o.IsTrial, o.AutoRenew
	next.Environment, next.StartedAt = o.Environment, exact(o.StartedAt)
	if next.Environment == "" {
		next.Environment = "production"
	}
	next.ExpiresAt, next.GraceUntil = exactly(o.ExpiresAt), exactly(o.GraceUntil)
	if !known && !o.Asked && o.At.Equal(p.ObservedAt) && !next.same(*p) {
		return doubted
	}
	next.ObservedAt, next.CheckAt = exact(o.At), nil
	if end := next.ExpiresAt; end != nil && next.Source != Grant && next.State != Expired && next.State != Revoked {
		next.CheckAt = end // it may be renewed, and nobody tell
	}
	return p.become(next, stale)
}

// become is the purchase as next, if that is any different.
func (p *Purchase) become(next Purchase, otherwise taken) taken {
	if next.State == Expired && next.refunded() {
		next.State = Revoked // whichever of the two was told first
	}
	if next.same(*p) && next.ObservedAt.Equal(p.ObservedAt) {
		return otherwise
	}
	*p = next
	return applied
}

// same reports whether both say the same, apart from when it was seen.
func (p Purchase) same(q Purchase) bool {
	return p.ProductID == q.ProductID && p.Tier == q.Tier && p.State == q.State && p.IsTrial == q.IsTrial && p.AutoRenew == q.AutoRenew &&
		p.Environment == q.Environment && p.StartedAt.Equal(q.StartedAt) && sameInstant(p.ExpiresAt, q.ExpiresAt) &&
		sameInstant(p.GraceUntil, q.GraceUntil) && sameInstant(p.RefundedUntil, q.RefundedUntil)
}

func sameInstant(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

// exact is an instant as the database keeps it.
func exact(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func exactly(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	return new(exact(*t))
}

// rank orders the tiers.
func rank(tier string) int {
	if tier == plans.Pro {
		return 1
	}
	return 0
}
