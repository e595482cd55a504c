package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v76"

	"hearth.internal/pkg/apperr"
)

// NewCheckout is what somebody wants to buy.
type NewCheckout struct {
	ID            *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: however often it is sent, it answers the same checkout"`
	ProductID     string     `json:"product_id" required:"true" minLength:"1" maxLength:"200" doc:"One of GET products/?platform=web"`
	PromotionCode string     `json:"promotion_code,omitempty" maxLength:"100" doc:"As the person knows it; without a discount they can give one in the checkout"`
	Promotion     string     `json:"promotion,omitempty" maxLength:"64" doc:"The key of a promotion that was shown: its discount is given"`
}

// Checkout is where it is paid for.
type Checkout struct {
	URL       string    `json:"url" doc:"To be opened in a browser"`
	SessionID string    `json:"session_id" doc:"Stripe's: the page that it leads back to may be given it"`
	ExpiresAt time.Time `json:"expires_at" doc:"Until when it can be paid for"`
}

// CheckOut opens a checkout at Stripe. key: the same one again answers the same checkout; empty: each is its own. It
// fails with not_sold_here, unknown_product, already_subscribed, validation_failed for a discount that there is not, id_taken
// when the key was used for something else, and shop_unavailable.
func (s *Service) CheckOut(ctx context.Context, user uuid.UUID, in NewCheckout, key string) (Checkout, error) {
	ctx, cancel := context.WithTimeout(ctx, stripeTime)
	defer cancel()
	shop, err := s.stripe()
	if err != nil {
		return Checkout{}, err
	}
	if in.Promotion != "" && in.PromotionCode != "" {
		return Checkout{}, apperr.InvalidField("body.promotion_code", "is one discount too many beside a promotion")
	}
	counter, err := loadCounter(ctx, s.DB, user, in, s.Clock.Now())
	if err != nil {
		return Checkout{}, err
	}
	if err := counter.mayBuy(in, s.Clock.Now()); err != nil {
		return Checkout{}, err
	}
	params := shop.checkoutParams(counter, in)
	if params.Discounts, err = shop.discount(ctx, in, counter.Coupon); err != nil {
		return Checkout{}, err
	}
	if params.Discounts == nil {
		params.AllowPromotionCodes = stripe.Bool(true)
	}
	if key != "" {
		params.SetIdempotencyKey(fmt.Sprintf("checkout:%s:%s", user, key))
	}
	session, err := shop.openCheckout(ctx, &counter.Account, params)
	if err != nil {
		return Checkout{}, err
	}
	return Checkout{URL: session.URL, SessionID: session.ID, ExpiresAt: time.Unix(session.ExpiresAt, 0).UTC()}, nil
}

// counter is a person at the counter: what they have, and what they ask for.
type counter struct {
	Account
	terms  terms
	Coupon *string // Stripe's, of the promotion that they name
}

// mayBuy refuses who has one already: two would both be paid for.
func (c *counter) mayBuy(in NewCheckout, now time.Time) error {
	switch {
	case c.Gone:
		return errLeaving()
	case !c.terms.sells(Stripe, in.ProductID):
		return apperr.UnknownProduct.New("There is no such product.").At("body.product_id", "is none that is for sale")
	case in.Promotion != "" && c.Coupon == nil:
		return apperr.InvalidField("body.promotion", "is none that gives a discount now")
	}
	for _, p := range c.Purchases {
		if p.Source == Stripe && !p.Ended(now) || p.Source != Stripe && p.Entitles(now) {
			refused := apperr.AlreadySubscribed.New("There is a subscription already, by %s.", p.Source.name()).With("source", p.Source)
			if manage := p.bought(now).ManageURL; manage != nil {
				refused = refused.With("manage_url", *manage)
			}
			return refused
		}
	}
	return nil
}

// errLeaving refuses who has been deleted.
func errLeaving() error { return apperr.NoSubscription.New("The account is being deleted.") }

// name is how people know a source.
func (s Source) name() string {
	switch s {
	case Apple:
		return "Apple's App Store"
	case Google:
		return "Google Play"
	case Grant:
		return "a gift of ours"
	default:
		return "Stripe"
	}
}

func (s *stripeShop) checkoutParams(c counter, in NewCheckout) *stripe.CheckoutSessionParams {
	user := c.UserID.String()
	params := &stripe.CheckoutSessionParams{
		Mode: stripe.String(string(stripe.CheckoutSessionModeSubscription)), ClientReferenceID: &user,
		SuccessURL: &s.cfg.CheckoutSuccessURL, CancelURL: &s.cfg.CheckoutCancelURL,
		LineItems:        []*stripe.CheckoutSessionLineItemParams{{Price: &in.ProductID, Quantity: stripe.Int64(1)}},
		SubscriptionData: &stripe.CheckoutSessionSubscriptionDataParams{Metadata: map[string]string{userKey: user}},
	}
	if days := int64(c.Settings.TrialDays); days > 0 && c.TriedAt == nil {
		params.SubscriptionData.TrialPeriodDays = &days
	}
	if s.cfg.StripeAutomaticTax {
		params.AutomaticTax = &stripe.CheckoutSessionAutomaticTaxParams{Enabled: stripe.Bool(true)}
		params.CustomerUpdate = &stripe.CheckoutSessionCustomerUpdateParams{Address: stripe.String("auto")}
		params.BillingAddressCollection = stripe.String(string(stripe.CheckoutSessionBillingAddressCollectionRequired))
	}
	return params
}

// discount is what is given; nil: nothing. It fails with validation_failed when there is no such code.
func (s *stripeShop) discount(ctx context.Context, in NewCheckout, coupon *string) ([]*stripe.CheckoutSessionDiscountParams, error) {
	if coupon != nil {
		return []*stripe.CheckoutSessionDiscountParams{{Coupon: coupon}}, nil
	}
	if in.PromotionCode == "" {
		return nil, nil
	}
	found := s.api.PromotionCodes.List(&stripe.PromotionCodeListParams{
		ListParams: stripe.ListParams{Context: ctx, Single: true, Limit: stripe.Int64(1)}, Code: &in.PromotionCode, Active: stripe.Bool(true),
	})
	if !found.Next() {
		if err := found.Err(); err != nil {
			return nil, stripeFailure(err)
		}
		return nil, apperr.InvalidField("body.promotion_code", "is no code that is valid now")
	}
	return []*stripe.CheckoutSessionDiscountParams{{PromotionCode: &found.PromotionCode().ID}}, nil
}

// openCheckout opens it for the person's customer. One whom staff has deleted at Stripe is made anew.
func (s *stripeShop) openCheckout(ctx context.Context, account *Account, params *stripe.CheckoutSessionParams) (*stripe.CheckoutSession, error) {
	params.Context = ctx
	var lost string
	for {
		customer, err := s.customer(ctx, account, lost)
		if err != nil {
			return nil, err
		}
		params.Customer = &customer
		session, err := s.api.CheckoutSessions.New(params)
		switch {
		case err == nil:
			return session, nil
		case stripeMissing(err, "customer") && lost == "":
			lost = customer
			if err := s.loseCustomer(ctx, lost, Cause{Actor: "person", ActorID: account.UserID, Reason: "checkout"}); err != nil && !errors.Is(err, errUnclaimed) {
				return nil, err
			}
			account.Customer = nil
			if params.IdempotencyKey != nil { // the refusal is kept under the other
				params.SetIdempotencyKey(*params.IdempotencyKey + ":" + lost)
			}
		case errors.Is(stripeFailure(err), errNoSuchPurchase):
			return nil, apperr.UnknownProduct.Wrap(stripeFailure(err), "Stripe does not know the product or its discount.")
		default:
			return nil, stripeFailure(err)
		}
	}
}

// customer answers the person's customer at Stripe, and makes one where there is none. However many ask at once, they make
// one. lost is the one before.
func (s *stripeShop) customer(ctx context.Context, account *Account, lost string) (string, error) {
	if account.Customer != nil {
		return *account.Customer, nil
	}
	params := &stripe.CustomerParams{Params: stripe.Params{Context: ctx}}
	params.AddMetadata(userKey, account.UserID.String())
	params.SetIdempotencyKey(fmt.Sprintf("customer:%s:%s", account.UserID, lost))
	made, err := s.api.Customers.New(params)
	if err != nil {
		return "", stripeFailure(err)
	}
	cause := Cause{Actor: "person", ActorID: account.UserID, Reason: "checkout"}
	*account, err = s.revise(ctx, whose{User: account.UserID, Certain: true}, cause, func(a *Account) error {
		if a.Customer == nil {
			a.Customer = &made.ID
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case account.Gone:
		return "", errors.Join(errLeaving(), s.order(ctx, errand{UserID: account.UserID, Source: Stripe, Kind: forget, ExternalID: made.ID}))
	}
	return *account.Customer, nil
}

// loseCustomer forgets a customer who is no more at Stripe. It fails with errUnclaimed where they are nobody's.
func (s *Service) loseCustomer(ctx context.Context, customer string, cause Cause) error {
	_, err := s.revise(ctx, whose{Customer: customer}, cause, func(a *Account) error {
		if a.Customer != nil && *a.Customer == customer {
			a.Customer = nil
		}
		return nil
	})
	return err
}

// Portal answers where a person sees their invoices and changes how they pay. back is where it leads back to, on the same
// site as configured; empty: as configured. It fails with no_subscription for who never was at Stripe's checkout.
func (s *Service) Portal(ctx context.Context, user uuid.UUID, back string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stripeTime)
	defer cancel()
	shop, err := s.stripe()
	if err != nil {
		return "", err
	}
	if back == "" {
		back = shop.cfg.PortalReturnURL
	}
	if !sameSite(back, shop.cfg.PortalReturnURL) {
		return "", apperr.InvalidField("body.return_url", "is not on the site that people are led back to")
	}
	account, err := loadAccount(ctx, s.DB, whose{User: user, Certain: true})
	if err != nil {
		return "", err
	}
	if account.Customer == nil || account.Gone {
		return "", apperr.NoSubscription.New("Nothing was bought by Stripe.")
	}
	session, err := shop.api.BillingPortalSessions.New(&stripe.BillingPortalSessionParams{
		Params: stripe.Params{Context: ctx}, Customer: account.Customer, ReturnURL: &back,
	})
	if err = stripeFailure(err); err != nil {
		if errors.Is(err, errNoSuchPurchase) {
			err = apperr.NoSubscription.Wrap(err, "Nothing was bought by Stripe.")
		}
		return "", err
	}
	return session.URL, nil
}

func sameSite(address, other string) bool {
	a, err := url.Parse(address)
	if err != nil {
		return false
	}
	b, err := url.Parse(other)
	return err == nil && a.Scheme == b.Scheme && a.Host == b.Host && a.User == nil
}

// CancelAtEnd ends a person's Stripe subscription when what is paid for is over, one that was never paid for at once. It
// fails with no_subscription, managed_by_store and shop_unavailable, as ResumeStripe and ChangeProduct do.
func (s *Service) CancelAtEnd(ctx context.Context, user uuid.UUID) (Subscription, error) {
	return s.atStripe(ctx, user, "cancelled", true, func(ctx context.Context, shop *stripeShop, p Purchase, _ terms) (*stripe.Subscription, error) {
		if p.State == Incomplete {
			return shop.api.Subscriptions.Cancel(p.ExternalID, &stripe.SubscriptionCancelParams{Params: stripe.Params{Context: ctx}})
		}
		return shop.api.Subscriptions.Update(p.ExternalID, &stripe.SubscriptionParams{Params: stripe.Params{Context: ctx}, CancelAtPeriodEnd: stripe.Bool(true)})
	})
}

// Resume takes a cancellation back, as long as the subscription is not over.
func (s *Service) Resume(ctx context.Context, user uuid.UUID) (Subscription, error) {
	return s.atStripe(ctx, user, "resumed", false, func(ctx context.Context, shop *stripeShop, p Purchase, _ terms) (*stripe.Subscription, error) {
		return shop.api.Subscriptions.Update(p.ExternalID, &stripe.SubscriptionParams{Params: stripe.Params{Context: ctx}, CancelAtPeriodEnd: stripe.Bool(false)})
	})
}

// ChangeProduct changes what a person has subscribed to; Stripe takes what is paid for into account. A payment that is
// due at once and does not go through leaves all as it was: impossible_move.
func (s *Service) ChangeProduct(ctx context.Context, user uuid.UUID, product string) (Subscription, error) {
	return s.atStripe(ctx, user, "changed", true, func(ctx context.Context, shop *stripeShop, p Purchase, terms terms) (*stripe.Subscription, error) {
		if !terms.sells(Stripe, product) {
			return nil, apperr.UnknownProduct.New("There is no such product.").At("body.product_id", "is none that is for sale")
		}
		sub, err := shop.api.Subscriptions.Get(p.ExternalID, &stripe.SubscriptionParams{Params: stripe.Params{Context: ctx}})
		if err != nil {
			return nil, err
		}
		item, _, err := stripeItem(sub, terms)
		if err != nil || item.Price.ID == product {
			return sub, err
		}
		return shop.api.Subscriptions.Update(p.ExternalID, &stripe.SubscriptionParams{
			Params: stripe.Params{Context: ctx}, Items: []*stripe.SubscriptionItemsParams{{ID: &item.ID, Price: &product}},
			ProrationBehavior: stripe.String("create_prorations"), PaymentBehavior: stripe.String("error_if_incomplete"),
		})
	})
}

// atStripe does something with a person's subscription at Stripe, and takes its answer. renewing is which of several is meant.
func (s *Service) atStripe(ctx context.Context, user uuid.UUID, reason string, renewing bool, do func(context.Context, *stripeShop, Purchase, terms) (*stripe.Subscription, error)) (Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, stripeTime)
	defer cancel()
	counter, err := loadCounter(ctx, s.DB, user, NewCheckout{}, s.Clock.Now())
	if err != nil {
		return Subscription{}, err
	}
	p, err := counter.manageable(renewing, s.Clock.Now())
	if err != nil {
		return Subscription{}, err
	}
	shop, err := s.stripe()
	if err != nil {
		return Subscription{}, err
	}
	asked := s.Clock.Now()
	sub, err := do(ctx, shop, p, counter.terms)
	if err != nil {
		return Subscription{}, changeFailure(err)
	}
	o, err := shop.answered(sub, counter.terms, asked)
	if err != nil {
		return Subscription{}, changeFailure(err)
	}
	if o.At.Before(p.ObservedAt) {
		o.At = p.ObservedAt // it was asked after that
	}
	account, err := s.take(ctx, Stripe, o, Cause{Actor: "person", ActorID: user, Reason: reason}, counter.terms)
	if err != nil {
		return Subscription{}, err
	}
	return account.subscription(s.Clock.Now()), nil
}

// manageable is the purchase that a person can change here: of several one that is renewed, or is not, and of those the best.
func (c *counter) manageable(renewing bool, now time.Time) (Purchase, error) {
	var found []Purchase
	store := (*string)(nil)
	for _, p := range c.Purchases {
		switch manage := p.bought(now).ManageURL; {
		case p.Ended(now):
		case p.Source == Stripe:
			found = append(found, p)
		case manage != nil:
			store = manage
		}
	}
	switch {
	case len(found) > 0:
		return slices.MaxFunc(found, func(a, b Purchase) int {
			return cmp.Or(boolean(a.AutoRenew == renewing, b.AutoRenew == renewing), compare(a, b, now))
		}), nil
	case store != nil:
		return Purchase{}, apperr.ManagedElsewhere.New("It is managed in the store where it was bought.").With("manage_url", *store)
	}
	return Purchase{}, apperr.NoSubscription.New("There is no subscription to change.")
}

// changeFailure is what an error means for who wants to change their subscription.
func changeFailure(err error) error {
	if _, ours := errors.AsType[*apperr.Error](err); ours {
		return err
	}
	if _, foreign := errors.AsType[notOurs](err); !foreign {
		err = stripeFailure(err)
	}
	if errors.Is(err, errNoSuchPurchase) {
		return apperr.NoSubscription.Wrap(err, "There is no subscription to change.")
	}
	return err
}
