package billing

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stripe/stripe-go/v76"
	stripehook "github.com/stripe/stripe-go/v76/webhook"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
)

// maxStripeID is the length of an id or a type of Stripe's at most (docs.stripe.com/upgrades).
const maxStripeID = 255

// stripeAhead is how far Stripe's clock may be ahead of ours.
const stripeAhead = time.Hour

// stripeEvent is an event as Stripe sends it, and as it is kept.
type stripeEvent struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Created    int64  `json:"created"`
	Livemode   bool   `json:"livemode"`
	APIVersion string `json:"api_version"`
	Data       struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
}

// stripeObject is what is read of an event's object, whatever it is of. Nothing else is kept of one, but of a subscription:
// the names and addresses in the others are none of our business.
type stripeObject struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Status            string   `json:"status,omitempty"`
	Customer          stripeID `json:"customer,omitempty"`
	Subscription      stripeID `json:"subscription,omitempty"`
	ClientReferenceID string   `json:"client_reference_id,omitempty"` // of a checkout
	Charge            stripeID `json:"charge,omitempty"`              // of a refund or a dispute
	Amount            int64    `json:"amount,omitempty"`
	Currency          string   `json:"currency,omitempty"`
	AmountPaid        int64    `json:"amount_paid,omitempty"` // this and the rest: of an invoice
	AmountDue         int64    `json:"amount_due,omitempty"`
	BillingReason     string   `json:"billing_reason,omitempty"`
	HostedInvoiceURL  string   `json:"hosted_invoice_url,omitempty"`
	// Parent is where API versions from 2025 on have an invoice's subscription.
	Parent *struct {
		Details *struct {
			Subscription stripeID `json:"subscription"`
		} `json:"subscription_details"`
	} `json:"parent,omitempty"`
}

// stripeID is an object's id, also where the object itself is there.
type stripeID string

// UnmarshalJSON reads either.
func (id *stripeID) UnmarshalJSON(raw []byte) error {
	var object struct{ ID string }
	if len(raw) > 0 && raw[0] == '{' {
		err := json.Unmarshal(raw, &object)
		*id = stripeID(object.ID)
		return err
	}
	return json.Unmarshal(raw, (*string)(id))
}

// subscription is which one the object is about; empty: none that it names.
func (o stripeObject) subscription() string {
	switch {
	case o.Object == "subscription":
		return o.ID
	case o.Subscription == "" && o.Parent != nil && o.Parent.Details != nil:
		return string(o.Parent.Details.Subscription)
	}
	return string(o.Subscription)
}

// receive checks the signature on the raw body, by our clock.
func (s *stripeShop) receive(_ context.Context, header http.Header, body []byte) (told, error) {
	if err := s.signed(header.Get("Stripe-Signature"), body); err != nil {
		return told{}, err
	}
	var e stripeEvent
	var object stripeObject
	if err := errors.Join(json.Unmarshal(body, &e), json.Unmarshal(e.Data.Object, &object)); err != nil || e.ID == "" || e.Type == "" ||
		object.Object == "subscription" && object.ID == "" {
		return told{}, apperr.WebhookRefused.New("It is no event of Stripe's.")
	}
	// What is dated ahead of its time would count as the last word until then.
	if e.Created <= 0 || e.Created > s.Clock.Now().Add(stripeAhead).Unix() {
		return told{}, apperr.WebhookRefused.New("It is dated when it cannot have happened.")
	}
	for _, word := range []string{e.ID, e.Type, object.ID, object.subscription(), string(object.Customer)} {
		if len(word) > maxStripeID {
			return told{}, apperr.WebhookRefused.New("It is no event of Stripe's.")
		}
	}
	if e.Livemode != s.live {
		return told{}, apperr.WebhookRefused.New("It is of the other one of Stripe's two modes, live and test.")
	}
	out := told{ID: e.ID, Type: e.Type, Subject: object.subscription(), At: time.Unix(e.Created, 0), Body: body}
	if object.Object == "subscription" {
		return out, nil
	}
	var err error
	if e.Data.Object, err = json.Marshal(object); err != nil {
		return told{}, fmt.Errorf("keep an event: %w", err)
	}
	out.Body, err = json.Marshal(e)
	return out, err
}

// signed checks a signature as docs.stripe.com/webhooks#verify-manually says: "t=1492774577,v1=5257a8...,v1=...". The
// library has all of it but a clock that can be set.
func (s *stripeShop) signed(header string, body []byte) error {
	var at time.Time
	var signatures [][]byte
	for part := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "t":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil || !at.IsZero() {
				return apperr.WebhookRefused.New("Its signature cannot be read.")
			}
			at = time.Unix(seconds, 0)
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil {
				signatures = append(signatures, signature)
			}
		}
	}
	if at.IsZero() || len(signatures) == 0 {
		return apperr.WebhookRefused.New("It is not signed.")
	}
	if s.Clock.Now().Sub(at).Abs() > stripehook.DefaultTolerance {
		return apperr.WebhookRefused.New("It was signed too long ago.")
	}
	for _, secret := range s.cfg.StripeWebhookSecrets {
		want := stripehook.ComputeSignature(at, body, secret)
		for _, signature := range signatures {
			if hmac.Equal(want, signature) {
				return nil
			}
		}
	}
	return apperr.WebhookRefused.New("The signature is not Stripe's.")
}

// read answers what an event says. A subscription's own events carry it as it was then; about everything else Stripe is
// asked, so that it does not matter which of them come first.
func (s *stripeShop) read(ctx context.Context, w webhook, terms terms) (reading, error) {
	var e stripeEvent
	var object stripeObject
	if err := errors.Join(json.Unmarshal(w.Body, &e), json.Unmarshal(e.Data.Object, &object)); err != nil {
		return reading{}, err
	}
	out, err := s.readEvent(ctx, e, object, terms)
	if ours, ok := errors.AsType[notOurs](err); ok {
		return reading{Ignored: ours.Error()}, nil
	}
	if errors.Is(err, errNoSuchPurchase) {
		return reading{Ignored: "Stripe knows it no more"}, nil
	}
	return out, err
}

func (s *stripeShop) readEvent(ctx context.Context, e stripeEvent, object stripeObject, terms terms) (reading, error) {
	switch e.Type {
	case "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted", "customer.subscription.paused",
		"customer.subscription.resumed", "customer.subscription.trial_will_end", "customer.subscription.pending_update_applied",
		"customer.subscription.pending_update_expired":
		return s.readSubscription(ctx, e, object, terms)
	case "checkout.session.completed":
		return s.readCheckout(ctx, object, terms)
	case "invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed", "invoice.payment_action_required":
		return s.readInvoice(ctx, e, object, terms)
	case "charge.refunded":
		return s.readRefund(ctx, object.ID, 0)
	case "charge.refund.updated", "refund.created", "refund.updated", "refund.failed":
		return s.readRefund(ctx, string(object.Charge), 0)
	case "charge.dispute.closed":
		if object.Status != string(stripe.DisputeStatusLost) {
			return reading{Ignored: "the dispute was not lost"}, nil
		}
		return s.readRefund(ctx, string(object.Charge), object.Amount)
	case "charge.dispute.created":
		return reading{Ignored: "the dispute is open"}, nil
	case "customer.deleted":
		return s.readCustomerDeleted(ctx, object)
	}
	return reading{Ignored: "nothing follows from " + e.Type}, nil
}

// readSubscription reads what the event has of the subscription, and what its owner is to be told.
func (s *stripeShop) readSubscription(ctx context.Context, e stripeEvent, object stripeObject, terms terms) (reading, error) {
	o, err := s.told(ctx, e, object, terms)
	if err != nil {
		return reading{}, err
	}
	out := reading{Observations: []Observation{o}}
	if e.Type == "customer.subscription.trial_will_end" && o.IsTrial && o.ExpiresAt.After(s.Clock.Now()) {
		out.Notices = []notice{{
			External: o.ExternalID, Customer: o.Customer, While: []State{Active},
			Notice: events.Notice{Kind: "trial_ending", Until: o.ExpiresAt.UTC().Format(time.RFC3339)},
		}}
	}
	return out, nil
}

// told is the observation of the subscription that an event has in it. One that is told in another version of Stripe's API
// than ours reads differently: then Stripe is asked.
func (s *stripeShop) told(ctx context.Context, e stripeEvent, object stripeObject, terms terms) (Observation, error) {
	if e.APIVersion != stripe.APIVersion {
		return s.ask(ctx, object.ID, terms)
	}
	var sub stripe.Subscription
	if err := json.Unmarshal(e.Data.Object, &sub); err != nil {
		return Observation{}, fmt.Errorf("subscription: %w", err)
	}
	o, err := stripeObservation(&sub, terms)
	o.At = time.Unix(e.Created, 0)
	return o, err
}

// readCheckout reads whose the subscription is that was bought.
func (s *stripeShop) readCheckout(ctx context.Context, object stripeObject, terms terms) (reading, error) {
	if object.Subscription == "" {
		return reading{Ignored: "no subscription was bought"}, nil
	}
	o, err := s.ask(ctx, string(object.Subscription), terms)
	if err != nil {
		return reading{}, err
	}
	if user, err := uuid.Parse(object.ClientReferenceID); err == nil && o.UserID == uuid.Nil {
		o.UserID = user
	}
	return reading{Observations: []Observation{o}}, nil
}

// readInvoice asks for the subscription, and reads what its owner is to be told. Stripe tells of a payment both as
// invoice.paid and as invoice.payment_succeeded: they are told of the one.
func (s *stripeShop) readInvoice(ctx context.Context, e stripeEvent, invoice stripeObject, terms terms) (reading, error) {
	if invoice.subscription() == "" {
		return reading{Ignored: "the invoice is of no subscription"}, nil
	}
	o, err := s.ask(ctx, invoice.subscription(), terms)
	if err != nil {
		return reading{}, err
	}
	out := reading{Observations: []Observation{o}}
	n := notice{
		External: o.ExternalID, Customer: o.Customer,
		Notice: events.Notice{Amount: invoice.AmountDue, Currency: strings.ToUpper(invoice.Currency), URL: invoice.HostedInvoiceURL},
	}
	switch {
	case e.Type == "invoice.payment_failed":
		n.Notice.Kind, n.While = "payment_failed", []State{PastDue, OnHold, Incomplete}
	case e.Type == "invoice.payment_action_required":
		n.Notice.Kind, n.While = "payment_action", []State{PastDue, Incomplete}
	case e.Type == "invoice.paid" && invoice.BillingReason == string(stripe.InvoiceBillingReasonSubscriptionCycle):
		n.Notice.Kind, n.Notice.Amount = "renewed", invoice.AmountPaid
	default:
		return out, nil
	}
	out.Notices = []notice{n}
	return out, nil
}

// readRefund asks for a charge, and answers up to when what it has paid for was given back: all that was charged, by
// refunds or by a lost dispute about disputed of it. What was given back in part goes on counting.
func (s *stripeShop) readRefund(ctx context.Context, id string, disputed int64) (reading, error) {
	if id == "" {
		return reading{Ignored: "there is no charge to it"}, nil
	}
	params := &stripe.ChargeParams{Params: stripe.Params{Context: ctx}}
	params.AddExpand("invoice")
	charge, err := s.api.Charges.Get(id, params)
	switch {
	case err != nil:
		return reading{}, stripeFailure(err)
	case charge.Invoice == nil || charge.Invoice.Subscription == nil:
		return reading{Ignored: "the charge is of no subscription"}, nil
	case !charge.Refunded && charge.AmountRefunded+disputed < charge.Amount:
		return reading{Ignored: "not all of it was given back"}, nil
	}
	o := Observation{ExternalID: charge.Invoice.Subscription.ID, RefundOnly: true, RefundedUntil: paidUntil(charge.Invoice)}
	if charge.Customer != nil {
		o.Customer = charge.Customer.ID
	}
	return reading{Observations: []Observation{o}}, nil
}

// paidUntil is the end of the period that an invoice is for. The period of the invoice itself is the one before.
func paidUntil(invoice *stripe.Invoice) *time.Time {
	end := time.Unix(invoice.PeriodEnd, 0)
	if invoice.Lines != nil {
		for _, line := range invoice.Lines.Data {
			if line.Period != nil && line.Period.End > end.Unix() {
				end = time.Unix(line.Period.End, 0)
			}
		}
	}
	return &end
}

// readCustomerDeleted forgets a customer whom staff has deleted at Stripe; what they had bought Stripe tells apart.
func (s *stripeShop) readCustomerDeleted(ctx context.Context, object stripeObject) (reading, error) {
	err := s.loseCustomer(ctx, object.ID, Cause{Actor: string(Stripe), Reason: "customer.deleted"})
	if errors.Is(err, errUnclaimed) {
		return reading{Ignored: "the customer is nobody's"}, nil
	}
	return reading{}, err
}
