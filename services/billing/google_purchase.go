package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/api/androidpublisher/v3"
	"google.golang.org/api/googleapi"

	"hearth.internal/pkg/apperr"
)

// What Google calls the states of a subscription, as far as they are ours by name alone.
const (
	googleActive   = "SUBSCRIPTION_STATE_ACTIVE"
	googlePending  = "SUBSCRIPTION_STATE_PENDING"
	googleCanceled = "SUBSCRIPTION_STATE_CANCELED"
	googleExpired  = "SUBSCRIPTION_STATE_EXPIRED"
	googleGivenUp  = "SUBSCRIPTION_STATE_PENDING_PURCHASE_CANCELED"

	notAcknowledged = "ACKNOWLEDGEMENT_STATE_PENDING"
)

var googleStates = map[string]State{
	googlePending:                        Incomplete,
	googleActive:                         Active,
	"SUBSCRIPTION_STATE_PAUSED":          Paused,
	"SUBSCRIPTION_STATE_IN_GRACE_PERIOD": PastDue,
	"SUBSCRIPTION_STATE_ON_HOLD":         OnHold,
	googleCanceled:                       Active, // paid up to its end, and not renewed
	googleExpired:                        Expired,
	googleGivenUp:                        Expired, // it was never paid
}

// playPurchase is a purchase as Google has answered it.
type playPurchase struct {
	*androidpublisher.SubscriptionPurchaseV2
	token, app string // the app's package
	// asked is when the question was sent, by our clock: Google puts no time into its answers, and an answer is no older
	// than its question.
	asked time.Time
}

// errUnknownProduct: what was bought is not listed as ours.
var errUnknownProduct = errors.New("none of the purchase's products is ours")

// get asks for a purchase of one app.
func (g *google) get(ctx context.Context, app, token string) (playPurchase, error) {
	p := playPurchase{token: token, app: app, asked: g.clock.Now()}
	var err error
	if p.SubscriptionPurchaseV2, err = g.purchases.Subscriptionsv2.Get(app, token).Context(ctx).Do(); err != nil {
		return playPurchase{}, googleFailure(err)
	}
	if p.SubscriptionPurchaseV2 == nil || slices.Contains(p.LineItems, nil) { // JSON's null is read as well
		return playPurchase{}, misunderstood("null")
	}
	return p, nil
}

// find asks for a purchase of any of our apps. They are few, and mostly one: so it is kept nowhere which it is.
func (g *google) find(ctx context.Context, token string) (playPurchase, error) {
	err := errNoSuchPurchase
	for _, app := range g.packages {
		var p playPurchase
		if p, err = g.get(ctx, app, token); !errors.Is(err, errNoSuchPurchase) {
			return p, err
		}
	}
	return playPurchase{}, err
}

// ask answers how a purchase is now.
func (g *google) ask(ctx context.Context, external string, terms terms) (Observation, error) {
	p, err := g.find(ctx, external)
	if err != nil {
		return Observation{}, err
	}
	return g.observation(p, terms)
}

// receipt answers what a purchase token proves.
func (g *google) receipt(ctx context.Context, r receipt, terms terms) (evidence, error) {
	if _, listed := terms.tierOf(Google, r.ProductID); !listed {
		return evidence{}, apperr.UnknownProduct.New("There is no product %q.", r.ProductID)
	}
	if !isPlayID(r.Token) {
		return evidence{}, apperr.ReceiptInvalid.New("The purchase token is none of Google's.")
	}
	p, err := g.find(ctx, r.Token)
	switch {
	case errors.Is(err, errNoSuchPurchase):
		return evidence{}, apperr.ReceiptInvalid.New("Google knows no such purchase.")
	case err != nil:
		return evidence{}, err
	case g.wrongEnvironment(p):
		return evidence{}, apperr.WrongEnvironment.New("Purchases of license testers do not count here.")
	case !slices.ContainsFunc(p.LineItems, func(i *androidpublisher.SubscriptionPurchaseLineItem) bool { return i.ProductId == r.ProductID }):
		return evidence{}, apperr.ReceiptInvalid.New("The purchase is of another product.")
	}
	o, err := g.observation(p, terms)
	if err != nil {
		return evidence{}, err
	}
	account := p.account()
	if o.UserID = account.user(); o.UserID == uuid.Nil && account != "" {
		return evidence{}, apperr.ReceiptTaken.New("The purchase belongs to another account.") // whosever it is, they are nobody here
	}
	return evidence{Observation: o, Superseded: p.replaced()}, nil
}

// playAccount is the obfuscated account id of a purchase: the apps put the person's id there.
type playAccount string

func (a playAccount) user() uuid.UUID {
	id, err := uuid.Parse(string(a))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// account is whom the purchase was made for, if the app has said so.
func (p playPurchase) account() playAccount {
	if p.ExternalAccountIdentifiers == nil {
		return ""
	}
	return playAccount(p.ExternalAccountIdentifiers.ObfuscatedExternalAccountId)
}

// replaced: the person has changed the plan, and the purchase goes on under another token.
func (p playPurchase) replaced() bool {
	return p.SubscriptionState == googleExpired && p.CanceledStateContext != nil && p.CanceledStateContext.ReplacementCancellation != nil
}

func (g *google) wrongEnvironment(p playPurchase) bool { return p.TestPurchase != nil && !g.tests }

// observation is what Google's answer says of a purchase. It fails with errUnknownProduct, and with shop_unavailable
// when the answer is not understood.
func (g *google) observation(p playPurchase, terms terms) (Observation, error) {
	state, known := googleStates[p.SubscriptionState]
	if !known {
		return Observation{}, misunderstood("state %q", p.SubscriptionState)
	}
	item, err := p.item(terms)
	if err != nil {
		return Observation{}, err
	}
	tier, _ := terms.tierOf(Google, item.ProductId)
	o := Observation{
		ExternalID: p.token, ProductID: item.ProductId, Tier: tier, State: state, Replaces: p.LinkedPurchaseToken, UserID: p.account().user(),
		StartedAt: p.asked, At: p.asked, Asked: true,
		AutoRenew: item.AutoRenewingPlan != nil && item.AutoRenewingPlan.AutoRenewEnabled && state != Expired,
		// The phase says it. Offers' ids and tags are free text, and would not.
		IsTrial: item.OfferPhase != nil && item.OfferPhase.FreeTrial != nil,
		// What is not paid yet must not be acknowledged, and what is over need not be.
		Acknowledge: p.AcknowledgementState == notAcknowledged && state != Incomplete && state != Expired,
	}
	if p.SubscriptionState == googlePending || p.SubscriptionState == googleGivenUp {
		o.Replaces = "" // what was paid before goes on until this one is paid
	}
	if p.TestPurchase != nil {
		o.Environment = "sandbox"
	}
	if p.StartTime != "" { // what is not paid yet has not started
		if o.StartedAt, err = time.Parse(time.RFC3339, p.StartTime); err != nil {
			return Observation{}, misunderstood("start %q", p.StartTime)
		}
	}
	if item.ExpiryTime != "" {
		end, err := time.Parse(time.RFC3339, item.ExpiryTime)
		if err != nil {
			return Observation{}, misunderstood("end %q", item.ExpiryTime)
		}
		o.ExpiresAt = &end
	}
	if state == PastDue {
		o.GraceUntil = o.ExpiresAt // in a grace period Google moves the end to the grace's
	}
	if err := o.dated(); err != nil {
		return Observation{}, misunderstood("%w", err)
	}
	return o, nil
}

// item is that of our products in the purchase that lasts longest.
func (p playPurchase) item(terms terms) (*androidpublisher.SubscriptionPurchaseLineItem, error) {
	ours := slices.DeleteFunc(slices.Clone(p.LineItems), func(i *androidpublisher.SubscriptionPurchaseLineItem) bool {
		_, listed := terms.tierOf(Google, i.ProductId)
		return !listed
	})
	if len(ours) == 0 {
		return nil, errUnknownProduct
	}
	return slices.MaxFunc(ours, func(a, b *androidpublisher.SubscriptionPurchaseLineItem) int {
		aEnd, _ := time.Parse(time.RFC3339, a.ExpiryTime) // one without an end has not begun
		bEnd, _ := time.Parse(time.RFC3339, b.ExpiryTime)
		return cmp.Or(aEnd.Compare(bEnd), cmp.Compare(a.ProductId, b.ProductId))
	}), nil
}

func misunderstood(format string, args ...any) error {
	return apperr.ShopUnavailable.Wrap(fmt.Errorf("google answers "+format, args...), "Google Play's answer was not understood.")
}

// run acknowledges a purchase, or stops its renewal for somebody whose account is deleted. How it is, is asked before:
// Google refuses what has been done already.
func (g *google) run(ctx context.Context, e errand) error {
	p, err := g.find(ctx, e.ExternalID)
	if err != nil {
		return err
	}
	switch {
	case e.Kind == acknowledge && p.AcknowledgementState == notAcknowledged && p.SubscriptionState != googlePending && p.SubscriptionState != googleExpired:
		// A subscription's id is not needed any more, and with add-ons there is more than one.
		err = g.purchases.Subscriptions.Acknowledge(p.app, e.ProductID, p.token, &androidpublisher.SubscriptionPurchasesAcknowledgeRequest{}).Context(ctx).Do()
	case e.Kind == cancelNow && p.goesOn():
		_, err = g.purchases.Subscriptionsv2.Cancel(p.app, p.token, &androidpublisher.CancelSubscriptionPurchaseRequest{
			CancellationContext: &androidpublisher.CancellationContext{CancellationType: "DEVELOPER_REQUESTED_STOP_PAYMENTS"}, // nobody is left to have it restored
		}).Context(ctx).Do()
	}
	if err != nil {
		return refusedErrand(err)
	}
	return nil
}

// goesOn: it would be paid again. One that waits for its first payment cannot be cancelled; nobody acknowledges it, so
// that Google gives the money back.
func (p playPurchase) goesOn() bool {
	return p.SubscriptionState != googlePending && slices.ContainsFunc(p.LineItems, func(i *androidpublisher.SubscriptionPurchaseLineItem) bool {
		return i.AutoRenewingPlan != nil && i.AutoRenewingPlan.AutoRenewEnabled
	}) && p.SubscriptionState != googleCanceled && p.SubscriptionState != googleExpired
}

// refusedErrand is googleFailure of what is to be done: that Google does not want it now is no proof that it is done.
func refusedErrand(err error) error {
	if e, ok := errors.AsType[*googleapi.Error](err); ok && e.Code == http.StatusBadRequest {
		return apperr.ShopUnavailable.Wrap(errors.New("google answers 400"), "Google Play refuses.")
	}
	return googleFailure(err)
}

// isPlayID: purchase tokens and ids of messages are short and printable. They end in addresses and in the database.
func isPlayID(id string) bool {
	return len(id) > 0 && len(id) <= 2000 && !slices.ContainsFunc([]byte(id), func(c byte) bool { return c <= ' ' || c > '~' })
}
