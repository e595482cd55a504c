package billing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
)

// The kinds of Google's notifications that say more than that a purchase has changed.
const (
	playRenewed = 2
	playOnHold  = 5
	playInGrace = 6
	playRevoked = 12
)

// playNotifications are the names of all of them, as Google's "real-time developer notifications reference" has them.
// One that came later is treated as the others: how the purchase is, Google is asked.
var playNotifications = map[int]string{
	1:           "SUBSCRIPTION_RECOVERED",
	playRenewed: "SUBSCRIPTION_RENEWED",
	3:           "SUBSCRIPTION_CANCELED",
	4:           "SUBSCRIPTION_PURCHASED",
	playOnHold:  "SUBSCRIPTION_ON_HOLD",
	playInGrace: "SUBSCRIPTION_IN_GRACE_PERIOD",
	7:           "SUBSCRIPTION_RESTARTED",
	8:           "SUBSCRIPTION_PRICE_CHANGE_CONFIRMED",
	9:           "SUBSCRIPTION_DEFERRED",
	10:          "SUBSCRIPTION_PAUSED",
	11:          "SUBSCRIPTION_PAUSE_SCHEDULE_CHANGED",
	playRevoked: "SUBSCRIPTION_REVOKED",
	13:          "SUBSCRIPTION_EXPIRED",
	17:          "SUBSCRIPTION_ITEMS_CHANGED",
	18:          "SUBSCRIPTION_CANCELLATION_SCHEDULED",
	19:          "SUBSCRIPTION_PRICE_CHANGE_UPDATED",
	20:          "SUBSCRIPTION_PENDING_PURCHASE_CANCELED",
	22:          "SUBSCRIPTION_PRICE_STEP_UP_CONSENT_UPDATED",
}

// What is not about the state of a subscription.
const (
	playVoided  = "VOIDED_PURCHASE"
	playOneTime = "ONE_TIME_PRODUCT"
	playTest    = "TEST"
	playUnknown = "UNKNOWN"
)

// A voided purchase's product and refund.
const (
	voidedSubscription = 1
	voidedInFull       = 1
)

// pushed is what Pub/Sub sends: Google's notification in its envelope.
type pushed struct {
	Message struct {
		Data      []byte `json:"data"`
		MessageID string `json:"messageId"`
	} `json:"message"`
}

// playNotification is Google's DeveloperNotification.
type playNotification struct {
	PackageName     string      `json:"packageName"`
	EventTimeMillis json.Number `json:"eventTimeMillis"`
	Subscription    *struct {
		NotificationType int    `json:"notificationType"`
		PurchaseToken    string `json:"purchaseToken"`
	} `json:"subscriptionNotification"`
	Voided *struct {
		PurchaseToken string `json:"purchaseToken"`
		OrderID       string `json:"orderId"`
		ProductType   int    `json:"productType"`
		RefundType    int    `json:"refundType"`
	} `json:"voidedPurchaseNotification"`
	OneTime *struct{} `json:"oneTimeProductNotification"`
	Test    *struct{} `json:"testNotification"`
}

// kind names the notification, and the purchase that it is about.
func (n playNotification) kind() (name, token string) {
	switch {
	case n.Subscription != nil:
		name, known := playNotifications[n.Subscription.NotificationType]
		if !known {
			name = "SUBSCRIPTION_" + strconv.Itoa(n.Subscription.NotificationType)
		}
		return name, n.Subscription.PurchaseToken
	case n.Voided != nil:
		return playVoided, n.Voided.PurchaseToken
	case n.OneTime != nil:
		return playOneTime, ""
	case n.Test != nil:
		return playTest, ""
	}
	return playUnknown, ""
}

// is: it is of that kind.
func (n playNotification) is(kind int) bool {
	return n.Subscription != nil && n.Subscription.NotificationType == kind
}

// receive checks that a push is Google's.
func (g *google) receive(ctx context.Context, header http.Header, body []byte) (told, error) {
	if err := g.push.verify(ctx, header.Get("Authorization")); err != nil {
		return told{}, err
	}
	var p pushed
	var n playNotification
	if err := json.Unmarshal(body, &p); err != nil {
		return told{}, malformedPush(err)
	}
	if err := json.Unmarshal(p.Message.Data, &n); err != nil {
		return told{}, malformedPush(err)
	}
	out := told{ID: p.Message.MessageID, At: g.clock.Now(), Body: p.Message.Data}
	out.Type, out.Subject = n.kind()
	if !isPlayID(out.ID) || out.Subject != "" && !isPlayID(out.Subject) {
		return told{}, malformedPush(errors.New("an id that is none"))
	}
	if millis, err := n.EventTimeMillis.Int64(); err == nil && millis > 0 && millis < out.At.AddDate(1, 0, 0).UnixMilli() {
		out.At = time.UnixMilli(millis).UTC()
	}
	return out, nil
}

func malformedPush(cause error) error {
	return apperr.WebhookRefused.Wrap(cause, "It is not a notification of Google Play's.")
}

// read answers what a notification says. It says only that something has changed: how the purchase is now is asked, so
// that it does not matter in which order they come.
func (g *google) read(ctx context.Context, w webhook, terms terms) (reading, error) {
	var n playNotification
	if err := json.Unmarshal(w.Body, &n); err != nil {
		return reading{}, fmt.Errorf("notification: %w", err) // it was one when it was kept
	}
	kind, token := n.kind()
	switch {
	case kind == playTest || kind == playOneTime || kind == playUnknown || token == "":
		return reading{Ignored: "no subscription's"}, nil
	case n.Voided != nil && n.Voided.ProductType != voidedSubscription:
		return reading{Ignored: "no subscription's"}, nil
	case !slices.Contains(g.packages, n.PackageName):
		return reading{Ignored: fmt.Sprintf("the app %.100q is none of ours", n.PackageName)}, nil
	}
	p, err := g.get(ctx, n.PackageName, token)
	switch {
	case errors.Is(err, errNoSuchPurchase):
		return reading{Ignored: "Google knows no such purchase (any more)"}, nil
	case err != nil:
		return reading{}, err
	case g.wrongEnvironment(p):
		return reading{Ignored: "a purchase of a license tester"}, nil
	}
	o, err := g.observation(p, terms)
	switch {
	case errors.Is(err, errUnknownProduct):
		return reading{Ignored: err.Error()}, nil
	case err != nil:
		return reading{}, err
	}
	if o.UserID == uuid.Nil {
		o.UserID = p.formerAccount().user()
	}
	if n.takesBack(p) {
		o.RefundedUntil = o.ExpiresAt
		if n.is(playRevoked) {
			o.State, o.AutoRenew, o.Acknowledge = Revoked, false, false
		}
	}
	return reading{Observations: []Observation{o}, Notices: n.notices(o)}, nil
}

// formerAccount is who had the subscription before it ended and was bought again in the Play Store, where no app could
// say for whom.
func (p playPurchase) formerAccount() playAccount {
	if p.OutOfAppPurchaseContext == nil || p.OutOfAppPurchaseContext.ExpiredExternalAccountIdentifiers == nil {
		return ""
	}
	return playAccount(p.OutOfAppPurchaseContext.ExpiredExternalAccountIdentifiers.ObfuscatedExternalAccountId)
}

// takesBack: what the purchase is paid up to was taken back. An order is one payment: when that of an earlier time is
// given back, what was paid since goes on counting.
func (n playNotification) takesBack(p playPurchase) bool {
	if n.Voided == nil || n.Voided.RefundType != voidedInFull {
		return n.is(playRevoked)
	}
	var latest []string
	for _, item := range p.LineItems {
		if item.LatestSuccessfulOrderId != "" {
			latest = append(latest, item.LatestSuccessfulOrderId)
		}
	}
	return n.Voided.OrderID == "" || len(latest) == 0 || slices.Contains(latest, n.Voided.OrderID)
}

// notices are what the person is to be told, if it is still true.
func (n playNotification) notices(o Observation) []notice {
	tell := func(kind string, while State, until *time.Time) []notice {
		out := notice{External: o.ExternalID, While: []State{while}, Notice: events.Notice{Kind: kind, URL: googleSubscriptions}}
		if until != nil {
			out.Notice.Until = until.UTC().Format(time.RFC3339)
		}
		return []notice{out}
	}
	switch {
	case n.is(playRenewed):
		return tell("renewed", Active, o.ExpiresAt)
	case n.is(playInGrace):
		return tell("payment_failed", PastDue, o.GraceUntil)
	case n.is(playOnHold):
		return tell("payment_failed", OnHold, nil)
	}
	return nil
}
