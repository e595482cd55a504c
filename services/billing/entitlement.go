package billing

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/plans"
)

// Entitlement is what a person has, and why: the best of all that they have bought or been given.
type Entitlement struct {
	Tier      string     `json:"tier"`
	Source    Source     `json:"source"`
	State     State      `json:"state"`
	Reason    Reason     `json:"reason"`
	IsTrial   bool       `json:"is_trial"`
	AutoRenew bool       `json:"auto_renew"`
	ProductID string     `json:"product_id,omitempty"`
	StartedAt *time.Time `json:"started_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	IsFree    bool       `json:"is_free"`
	// FlipsAt is when it becomes another by itself; nil: not by itself.
	FlipsAt    *time.Time `json:"flips_at,omitempty"`
	PurchaseID uuid.UUID  `json:"purchase_id,omitzero"`
}

// Reason says in one word why somebody has what they have.
type Reason string

// The reasons.
const (
	NeverBought   Reason = "never_bought"
	IsPaid        Reason = "paid"
	IsTried       Reason = "trial"
	IsGiven       Reason = "granted"
	InGrace       Reason = "grace"          // a payment failed; the shop tries again
	PaymentFailed Reason = "payment_failed" // and the grace is over
	IsPaused      Reason = "paused"
	NotPaidYet    Reason = "incomplete"
	HasExpired    Reason = "expired"
	IsRefunded    Reason = "refunded"
)

// best works out what the purchases entitle to at an instant: the highest tier, of those the one that lasts longest.
// Where none entitles, the free tier, and the one seen last says why.
func best(purchases []Purchase, isFree bool, now time.Time) Entitlement {
	out := Entitlement{Tier: plans.Free, Source: None, State: NoPurchase, Reason: NeverBought, IsFree: isFree}
	if len(purchases) == 0 {
		return out
	}
	winner := slices.MaxFunc(purchases, func(a, b Purchase) int { return compare(a, b, now) })
	out.State, out.Source, out.Reason = winner.State, winner.Source, winner.reason(now)
	out.ProductID, out.StartedAt, out.ExpiresAt, out.PurchaseID = winner.ProductID, &winner.StartedAt, winner.ExpiresAt, winner.ID
	if !winner.Entitles(now) {
		if winner.State == Active || winner.State == PastDue {
			out.State = Expired
			if winner.State == PastDue {
				out.State = OnHold
			}
		}
		return out
	}
	out.Tier, out.IsTrial, out.AutoRenew = winner.Tier, winner.IsTrial, winner.AutoRenew
	for _, p := range purchases { // the first end among those that count now may change the winner
		if end, open := p.until(); !open && now.Before(end) && (out.FlipsAt == nil || end.Before(*out.FlipsAt)) {
			out.FlipsAt = &end
		}
	}
	return out
}

// compare sorts the better one after the other. It is a total order, so that the answer depends on no order of rows.
func compare(a, b Purchase, now time.Time) int {
	return cmp.Or(
		boolean(a.Entitles(now), b.Entitles(now)),
		cmp.Compare(worth(a, now), worth(b, now)),
		lasting(a, b),
		a.ObservedAt.Compare(b.ObservedAt),
		slices.Compare(a.ID[:], b.ID[:]),
	)
}

func worth(p Purchase, now time.Time) int {
	if !p.Entitles(now) {
		return 0 // they entitle to nothing alike
	}
	return rank(p.Tier)
}

func lasting(a, b Purchase) int {
	aEnd, aOpen := a.until()
	bEnd, bOpen := b.until()
	return cmp.Or(boolean(aOpen, bOpen), aEnd.Compare(bEnd))
}

func boolean(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// reason says why the purchase counts, or why it does not.
func (p Purchase) reason(now time.Time) Reason {
	entitles := p.Entitles(now)
	switch {
	case p.State == Revoked || p.refunded():
		return IsRefunded
	case p.SupersededBy != nil:
		return HasExpired
	case p.State == PastDue && entitles:
		return InGrace
	case p.State == PastDue, p.State == OnHold:
		return PaymentFailed
	case p.State == Paused:
		return IsPaused
	case p.State == Incomplete:
		return NotPaidYet
	case !entitles:
		return HasExpired
	case p.Source == Grant:
		return IsGiven
	case p.IsTrial:
		return IsTried
	}
	return IsPaid
}
