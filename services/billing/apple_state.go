package billing

import (
	"fmt"
	"slices"
	"time"

	"hearth.internal/billing/appstore"
)

// facts are what Apple says of a subscription at a time: its status, a transaction, and what comes after it.
type facts struct {
	status      appstore.Status
	transaction appstore.Transaction
	renewal     appstore.Renewal // empty where Apple says nothing of it
}

// facts reads what Apple has signed of one subscription, and checks that it is of our app and hangs together.
func (a *appleShop) facts(status appstore.Status, transaction, renewal string) (facts, error) {
	f, now := facts{status: status}, a.clock.Now()
	if err := a.roots.Verify(transaction, now, &f.transaction); err != nil {
		return facts{}, fmt.Errorf("transaction: %w", err)
	}
	if renewal != "" {
		if err := a.roots.Verify(renewal, now, &f.renewal); err != nil {
			return facts{}, fmt.Errorf("renewal: %w", err)
		}
		if f.renewal.OriginalTransactionID != f.transaction.OriginalTransactionID || f.renewal.Environment != f.transaction.Environment {
			return facts{}, fmt.Errorf("renewal: it is of another purchase")
		}
	}
	if !slices.Contains(a.config.AppleBundleIDs, f.transaction.BundleID) || !a.config.allows(f.transaction.Environment) {
		return facts{}, fmt.Errorf("transaction: it is of another app or environment")
	}
	return f, nil
}

// observation is what the facts say of the subscription; its At is left to the caller. They are doubtful when they tell of
// a period that has been given back, or replaced, and nothing of the one that counts. It fails when the subscription is
// none of ours.
func (a *appleShop) observation(f facts, terms terms) (o Observation, doubtful bool, err error) {
	if o, err = a.subscription(f.transaction, terms); err != nil {
		return Observation{}, false, err
	}
	gone := f.transaction.RevocationDate != 0
	goesOn := f.status == appstore.Active || f.status == appstore.BillingRetry || f.status == appstore.BillingGrace
	if goesOn && (gone || f.transaction.IsUpgraded) {
		// The period that counts is another one: of it only the renewal tells.
		latest := f.renewal.RenewalDate
		tier, sold := terms.tierOf(Apple, f.renewal.ProductID)
		if latest != 0 && sold && (latest > f.transaction.ExpiresDate || f.transaction.IsUpgraded) {
			o.ProductID, o.Tier, o.ExpiresAt, o.IsTrial, gone = f.renewal.ProductID, tier, latest.Pointer(), false, false
		} else {
			doubtful = true
		}
	}
	o.AutoRenew = f.renewal.OriginalTransactionID == "" || f.renewal.AutoRenewStatus == 1
	o.State = f.state(gone, a.clock.Now())
	if o.State == PastDue {
		o.GraceUntil = f.renewal.GracePeriodExpiresDate.Pointer()
	}
	if o.State == Expired || o.State == Revoked {
		o.AutoRenew = false
	}
	return o, doubtful, nil
}

// state is how the subscription stands. While Apple tries to collect, it counts as long as the grace lasts that Apple
// names, and no longer.
func (f facts) state(gone bool, now time.Time) State {
	if gone {
		return Revoked
	}
	switch f.status {
	case appstore.Active:
		return Active
	case appstore.Expired:
		return Expired
	case appstore.BillingGrace:
		return PastDue
	case appstore.BillingRetry:
		return OnHold
	case appstore.Revoked:
		return Revoked
	}
	switch { // no status is told: then what is signed says it
	case f.transaction.ExpiresDate.Time().After(now):
		return Active
	case f.renewal.GracePeriodExpiresDate.Time().After(now):
		return PastDue
	case f.renewal.IsInBillingRetryPeriod:
		return OnHold
	}
	return Expired
}
