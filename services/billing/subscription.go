package billing

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Holding is what a person has at a moment, in a subscription and in a status.
type Holding struct {
	Tier      string     `json:"tier" enum:"free,pro"`
	Source    Source     `json:"source" enum:"none,stripe,apple,google,grant"`
	State     State      `json:"state" enum:"none,active,past_due,on_hold,paused,incomplete,expired,revoked"`
	Reason    Reason     `json:"reason" enum:"never_bought,paid,trial,granted,grace,payment_failed,paused,incomplete,expired,refunded" doc:"Why, in one word. grace: a payment failed, it counts meanwhile; payment_failed: not any more; incomplete: the first payment has not come"`
	Active    bool       `json:"active" doc:"The tier is better than the free one"`
	Trial     bool       `json:"trial" doc:"It is tried and not paid for yet"`
	StartedAt *time.Time `json:"started_at" doc:"Null: nothing was ever bought or given"`
	ExpiresAt *time.Time `json:"expires_at" doc:"Up to when it is paid for, tried or given, or was; null: nothing was, or it does not end"`
	AutoRenew bool       `json:"auto_renew" doc:"It is renewed then, unless it is cancelled"`
}

// Subscription is what a person has, with all that they have bought.
type Subscription struct {
	Holding
	TrialUsed bool     `json:"trial_used" doc:"A trial is had once: true, and none is offered again"`
	Purchases []Bought `json:"purchases" nullable:"false" doc:"All that was ever bought or given, the first first; the one that decides is the tier's source"`
}

// Bought is a purchase as its buyer sees it.
type Bought struct {
	ID        uuid.UUID  `json:"id" format:"uuid"`
	Source    Source     `json:"source" enum:"stripe,apple,google,grant"`
	ProductID string     `json:"product_id" doc:"The shop's name for what was bought; empty: it was given"`
	Tier      string     `json:"tier" enum:"pro"`
	State     State      `json:"state" enum:"active,past_due,on_hold,paused,incomplete,expired,revoked"`
	Counts    bool       `json:"counts" doc:"It entitles to its tier at this moment"`
	Trial     bool       `json:"trial" doc:"It is tried and not paid for yet"`
	StartedAt time.Time  `json:"started_at"`
	ExpiresAt *time.Time `json:"expires_at" doc:"Up to when it is paid for, tried or given, or was; null: it does not end"`
	AutoRenew bool       `json:"auto_renew" doc:"It is renewed then, unless it is cancelled"`
	// EndsWithAccount: when the account is deleted it is cancelled with it.
	EndsWithAccount bool    `json:"ends_with_account" doc:"It is cancelled when the account is deleted; what Apple sells only its buyer can cancel"`
	ManageURL       *string `json:"manage_url" doc:"Where its buyer manages it; null: here, by portal/ and cancel/"`
}

// Where people manage what they have bought in a store.
const (
	appleSubscriptions  = "https://apps.apple.com/account/subscriptions"
	googleSubscriptions = "https://play.google.com/store/account/subscriptions"
)

// SubscriptionOf answers what a person has.
func (s *Service) SubscriptionOf(ctx context.Context, user uuid.UUID) (Subscription, error) {
	account, err := loadAccount(ctx, s.DB, whose{User: user, Certain: true})
	if err != nil {
		return Subscription{}, err
	}
	return account.subscription(s.Clock.Now()), nil
}

func (e Entitlement) holding() Holding {
	return Holding{
		Tier: e.Tier, Source: e.Source, State: e.State, Reason: e.Reason, Active: rank(e.Tier) > 0, Trial: e.IsTrial,
		StartedAt: e.StartedAt, ExpiresAt: e.ExpiresAt, AutoRenew: e.AutoRenew,
	}
}

func (a *Account) subscription(now time.Time) Subscription {
	out := Subscription{Holding: a.Entitlement(now).holding(), TrialUsed: a.TriedAt != nil, Purchases: []Bought{}}
	for _, p := range a.Purchases {
		out.Purchases = append(out.Purchases, p.bought(now))
	}
	return out
}

func (p Purchase) bought(now time.Time) Bought {
	out := Bought{
		ID: p.ID, Source: p.Source, ProductID: p.ProductID, Tier: p.Tier, State: p.State, Counts: p.Entitles(now), Trial: p.IsTrial, StartedAt: p.StartedAt,
		ExpiresAt: p.ExpiresAt, AutoRenew: p.AutoRenew, EndsWithAccount: p.Source != Apple || p.Ended(now),
	}
	switch p.Source {
	case Apple:
		out.ManageURL = new(appleSubscriptions)
	case Google:
		out.ManageURL = new(googleSubscriptions)
	default: // here
	}
	return out
}
