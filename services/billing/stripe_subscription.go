package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v76"
)

// userKey is where a customer's and a subscription's metadata say whose they are.
const userKey = "user_id"

// firstPayment is how long Stripe waits for the first payment before it lets a subscription expire.
const firstPayment = 23 * time.Hour

// notOurs is an error for a subscription to what is not sold here.
type notOurs struct{ product string }

func (e notOurs) Error() string { return fmt.Sprintf("product %q is none of ours", e.product) }

// Unwrap: as far as we are concerned there is none.
func (notOurs) Unwrap() error { return errNoSuchPurchase }

// ask asks Stripe how a subscription is now.
func (s *stripeShop) ask(ctx context.Context, external string, terms terms) (Observation, error) {
	asked := s.Clock.Now()
	sub, err := s.api.Subscriptions.Get(external, &stripe.SubscriptionParams{Params: stripe.Params{Context: ctx}})
	if err != nil {
		return Observation{}, stripeFailure(err)
	}
	return s.answered(sub, terms, asked)
}

// answered is the observation of a subscription that Stripe answered with, by Stripe's clock. The answer is dated when it
// was sent, and the subscription was read before: at the earliest when it was asked for. The earliest it is, since an
// event that is taken to be older than it is would be lost; one that is taken to be newer is set right by the next.
func (s *stripeShop) answered(sub *stripe.Subscription, terms terms, asked time.Time) (Observation, error) {
	o, err := stripeObservation(sub, terms)
	o.At, o.Asked = asked, true
	if sub.LastResponse != nil {
		if date, err := http.ParseTime(sub.LastResponse.Header.Get("Date")); err == nil {
			o.At = date.Add(asked.Sub(s.Clock.Now()))
		}
	}
	o.At = o.At.Truncate(time.Second) // as events are dated
	return o, err
}

// stripeObservation is what a subscription says, apart from when it said so. It fails with notOurs.
func stripeObservation(sub *stripe.Subscription, terms terms) (Observation, error) {
	item, tier, err := stripeItem(sub, terms)
	if err != nil {
		return Observation{}, err
	}
	o := Observation{
		ExternalID: sub.ID, ProductID: item.Price.ID, Tier: tier, Environment: "sandbox", AutoRenew: true,
		StartedAt: time.Unix(cmp.Or(sub.StartDate, sub.Created), 0), Tried: sub.TrialStart != 0,
	}
	if sub.Livemode {
		o.Environment = "production"
	}
	if sub.Customer != nil {
		o.Customer = sub.Customer.ID
	}
	if user, err := uuid.Parse(sub.Metadata[userKey]); err == nil {
		o.UserID = user
	}
	return o, errors.Join(o.stand(sub, terms.Settings), o.dated())
}

// stand says how the subscription stands, and until when. Of a period that is begun and not paid for, Stripe already
// names the end; what is paid for ended where it began.
func (o *Observation) stand(sub *stripe.Subscription, settings Settings) error {
	begun, end := time.Unix(sub.CurrentPeriodStart, 0), time.Unix(sub.CurrentPeriodEnd, 0)
	if sub.CancelAt != 0 && sub.CancelAt <= sub.CurrentPeriodEnd {
		o.AutoRenew, end = false, time.Unix(sub.CancelAt, 0)
	}
	if sub.CancelAtPeriodEnd {
		o.AutoRenew = false
	}
	switch sub.Status {
	case stripe.SubscriptionStatusTrialing:
		o.State, o.IsTrial, o.ExpiresAt = Active, true, &end
	case stripe.SubscriptionStatusActive:
		o.State, o.ExpiresAt = Active, &end
	case stripe.SubscriptionStatusPastDue:
		o.State, o.ExpiresAt, o.GraceUntil = PastDue, &begun, new(begun.Add(settings.Grace()))
	case stripe.SubscriptionStatusUnpaid:
		o.State, o.ExpiresAt = OnHold, &begun
	case stripe.SubscriptionStatusPaused:
		o.State, o.ExpiresAt = Paused, &end
	case stripe.SubscriptionStatusIncomplete:
		o.State, o.ExpiresAt = Incomplete, new(o.StartedAt.Add(firstPayment))
	case stripe.SubscriptionStatusCanceled, stripe.SubscriptionStatusIncompleteExpired:
		o.State, o.AutoRenew, o.ExpiresAt = Expired, false, &end
		if sub.EndedAt != 0 {
			o.ExpiresAt = new(time.Unix(sub.EndedAt, 0))
		}
	default:
		return fmt.Errorf("subscription %s is %q, which means nothing here", sub.ID, sub.Status)
	}
	// Who pauses the payments so that the invoices are void does not offer the service meanwhile. The other ways of pausing
	// them give it away, or have it paid for later.
	if p := sub.PauseCollection; p != nil && p.Behavior == stripe.SubscriptionPauseCollectionBehaviorVoid && o.State != Expired {
		o.State, o.IsTrial, o.GraceUntil = Paused, false, nil
	}
	return nil
}

// stripeItem is the first of a subscription's items that is sold here, and as what.
func stripeItem(sub *stripe.Subscription, terms terms) (*stripe.SubscriptionItem, string, error) {
	product := ""
	if sub.Items != nil {
		for _, item := range sub.Items.Data {
			if item.Price == nil {
				continue
			}
			if tier, ours := terms.tierOf(Stripe, item.Price.ID); ours {
				return item, tier, nil
			}
			product = item.Price.ID
		}
	}
	return nil, "", notOurs{product}
}
