package billing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"hearth.internal/billing/appstore"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
)

// freshness is how old a notification may be. Apple tries again for about a week (after 1, 12, 24, 48 and 72 hours), and
// an operator may have what was missed sent anew. It is less than keepWebhooks: what is sent again within it is known
// by its row, and what comes later is refused.
const freshness = 30 * 24 * time.Hour

// appleRule is what follows from a type of notification.
type appleRule struct {
	tells  bool   // how the subscription stands, by the status and what is signed; never by the type
	notice string // what its buyer is to be told
	why    string // why nothing follows
}

// appleRules are of every type there is. See https://developer.apple.com/documentation/appstoreservernotifications/notificationtype;
// subtypes say why something happened, and nothing more follows from them.
func appleRules(kind string) appleRule {
	switch kind {
	case "SUBSCRIBED", // INITIAL_BUY, RESUBSCRIBE
		"DID_CHANGE_RENEWAL_PREF",   // UPGRADE (at once), DOWNGRADE (at the next renewal), none: it was taken back
		"DID_CHANGE_RENEWAL_STATUS", // AUTO_RENEW_ENABLED, AUTO_RENEW_DISABLED
		"OFFER_REDEEMED",            // UPGRADE, DOWNGRADE
		"GRACE_PERIOD_EXPIRED",
		"EXPIRED",        // VOLUNTARY, BILLING_RETRY, PRICE_INCREASE, PRODUCT_NOT_FOR_SALE
		"PRICE_INCREASE", // PENDING, ACCEPTED
		"REFUND", "REFUND_DECLINED", "REFUND_REVERSED",
		"RENEWAL_EXTENDED",
		"REVOKE": // from somebody of the family
		return appleRule{tells: true}
	case "DID_RENEW": // BILLING_RECOVERY
		return appleRule{tells: true, notice: "renewed"}
	case "DID_FAIL_TO_RENEW": // GRACE_PERIOD
		return appleRule{tells: true, notice: "payment_failed"}
	case "CONSUMPTION_REQUEST":
		return appleRule{why: "Apple asks how much of a purchase was used before it gives the money back: that is not told"}
	case "RENEWAL_EXTENSION": // SUMMARY, FAILURE
		return appleRule{why: "what was extended is told of each subscription by itself"}
	case "EXTERNAL_PURCHASE_TOKEN", "ONE_TIME_CHARGE":
		return appleRule{why: "nothing of ours is sold that way"}
	case "METADATA_UPDATE", "MIGRATION", "PRICE_CHANGE":
		return appleRule{why: "it is about how the subscription is described"}
	case "RESCIND_CONSENT":
		return appleRule{why: "it is about the app's use by a child, not about a purchase"}
	case "TEST":
		return appleRule{why: "Apple was asked to try"}
	}
	return appleRule{why: "the type is not known"}
}

// receive checks a notification and all that is signed within it.
func (a *appleShop) receive(_ context.Context, _ http.Header, body []byte) (told, error) {
	n, f, err := a.notification(body)
	if err != nil {
		return told{}, apperr.WebhookRefused.Wrap(err, "It is not from Apple, or not about this app.")
	}
	if a.clock.Now().Sub(n.SignedDate.Time()) > freshness {
		return told{}, apperr.WebhookRefused.New("It is too old.")
	}
	kind := n.Type
	if n.Subtype != "" {
		kind += "." + n.Subtype
	}
	return told{ID: n.UUID, Type: kind, Subject: f.transaction.OriginalTransactionID, At: n.SignedDate.Time(), Body: body}, nil
}

// notification reads a notification. The facts are empty when it names no purchase.
func (a *appleShop) notification(body []byte) (n appstore.Notification, f facts, err error) {
	var envelope struct {
		SignedPayload string `json:"signedPayload"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return n, f, errors.New("the body is no notification")
	}
	if err := a.roots.Verify(envelope.SignedPayload, a.clock.Now(), &n); err != nil {
		return n, f, err
	}
	if n.UUID == "" || n.Type == "" {
		return n, f, errors.New("it has no id or type")
	}
	if err := a.concerns(n); err != nil || n.Data == nil || n.Data.SignedTransactionInfo == "" {
		return n, f, err
	}
	if f, err = a.facts(n.Data.Status, n.Data.SignedTransactionInfo, n.Data.SignedRenewalInfo); err != nil {
		return n, f, err
	}
	if f.transaction.BundleID != n.Data.BundleID || f.transaction.Environment != n.Data.Environment {
		return n, f, errors.New("the transaction is of another app than the notification")
	}
	return n, f, nil
}

// concerns checks that a notification is about our app. In the sandbox Apple names no app id.
func (a *appleShop) concerns(n appstore.Notification) error {
	var app appstore.App
	switch {
	case n.Data != nil:
		app = n.Data.App
	case n.Summary != nil:
		app = *n.Summary
	case n.AppData != nil:
		app = *n.AppData
	case n.ExternalPurchaseToken != nil:
		app = *n.ExternalPurchaseToken
		app.Environment = appstore.Production
		if strings.HasPrefix(app.ExternalPurchaseID, "SANDBOX") {
			app.Environment = appstore.Sandbox
		}
	}
	switch {
	case !slices.Contains(a.config.AppleBundleIDs, app.BundleID),
		app.Environment == appstore.Production && app.AppAppleID != a.config.AppleAppID:
		return errors.New("it is about another app")
	case !a.config.allows(app.Environment):
		return errors.New("it is about another environment")
	}
	return nil
}

// read answers what a notification says. When it says little of the period that counts, Apple is asked, where it can be.
func (a *appleShop) read(ctx context.Context, w webhook, terms terms) (reading, error) {
	n, f, err := a.notification(w.Body)
	if err != nil {
		return reading{}, err
	}
	rule := appleRules(n.Type)
	switch {
	case !rule.tells:
		return reading{Ignored: rule.why}, nil
	case f.transaction.OriginalTransactionID == "":
		return reading{Ignored: "it names no purchase"}, nil
	}
	o, doubtful, err := a.observation(f, terms)
	if err != nil {
		return reading{Ignored: err.Error()}, nil //nolint:nilerr // it is about something else
	}
	// Of two that were signed in the same millisecond the last to come counts, unless Apple can be asked which.
	o.At, o.Asked = n.SignedDate.Time(), a.client == nil
	if doubtful && a.client != nil {
		if o, err = a.ask(ctx, o.ExternalID, terms); err != nil {
			return reading{}, fmt.Errorf("ask: %w", err)
		}
	}
	out := reading{Observations: []Observation{o}}
	if rule.notice != "" {
		told := notice{External: o.ExternalID, Notice: events.Notice{Kind: rule.notice}, While: []State{Active}}
		until := o.ExpiresAt
		if rule.notice == "payment_failed" {
			told.While, until = []State{PastDue, OnHold}, o.GraceUntil
		}
		if until != nil {
			told.Notice.Until = until.Format(time.RFC3339)
		}
		out.Notices = append(out.Notices, told)
	}
	return out, nil
}
