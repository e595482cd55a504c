package billing

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
)

// Receipt is what an app has to show for one purchase in its store.
type Receipt struct {
	Platform          string `json:"platform" required:"true" enum:"ios,android"`
	SignedTransaction string `json:"signed_transaction,omitempty" maxLength:"20000" doc:"iOS: the transaction as StoreKit 2 signed it (jwsRepresentation)"`
	ProductID         string `json:"product_id,omitempty" maxLength:"200" doc:"Android, with the token: what was bought"`
	PurchaseToken     string `json:"purchase_token,omitempty" maxLength:"2000" doc:"Android: as Play Billing gave it to the app"`
}

// Receipts are all that an app has to show, for a person who has a new device or has installed it again.
type Receipts struct {
	Platform           string         `json:"platform" required:"true" enum:"ios,android"`
	SignedTransactions []string       `json:"signed_transactions,omitempty" minItems:"1" maxItems:"50" doc:"iOS: each as StoreKit 2 signed it"`
	Purchases          []PlayPurchase `json:"purchases,omitempty" minItems:"1" maxItems:"20" doc:"Android: each as Play Billing gave it to the app"`
}

// PlayPurchase is a purchase as Google Play names it.
type PlayPurchase struct {
	ProductID     string `json:"product_id" required:"true" minLength:"1" maxLength:"200"`
	PurchaseToken string `json:"purchase_token" required:"true" minLength:"1" maxLength:"2000"`
}

// Restored is what a person has now, and what came of each receipt.
type Restored struct {
	Subscription
	Results []RestoreResult `json:"results" nullable:"false" doc:"One for each receipt, in their order"`
}

// RestoreResult says what came of one receipt.
type RestoreResult struct {
	Index  int     `json:"index" doc:"Of the receipt, from 0"`
	Code   *string `json:"code" doc:"Why it was refused, as POST purchase/ would say it; null: it was taken, or was known"`
	Detail string  `json:"detail" doc:"The same for a person; empty: it was taken"`
}

// receipt is one of them as its shop reads it: a transaction of Apple's, or a product and its token of Google's.
type receipt struct {
	Transaction      string
	ProductID, Token string
}

// receiver is a shop whose receipts the apps bring.
type receiver interface {
	// receipt answers what a receipt proves. What is not genuine, not ours or of another environment it refuses with the
	// code that says so; it does not judge whether the purchase is over, nor whose it is.
	receipt(ctx context.Context, r receipt, terms terms) (evidence, error)
}

// evidence is what a receipt proves. Its UserID is whom the purchase was made for, where the shop knows.
type evidence struct {
	Observation
	// Superseded: something newer has taken its place within the same purchase, of which it says nothing.
	Superseded bool
	// SignedAt is when it was signed; zero: it tells how the purchase is now. What it proves is as of At, unless it is of a
	// later period than is known.
	SignedAt time.Time
	// Check: it may not be the last word, and the shop can be asked.
	Check bool
}

// Buy takes the receipt of a purchase for the person who brings it. It fails with the codes receipt_*, unknown_product,
// not_sold_here, and shop_unavailable when the shop would have to be asked and does not answer.
func (s *Service) Buy(ctx context.Context, actor identity.Actor, in Receipt) (Subscription, error) {
	source, receipts, err := in.read()
	if err != nil {
		return Subscription{}, err
	}
	account, refusals, err := s.claim(ctx, actor.UserID, source, "purchase", receipts)
	if err == nil {
		err = refusals[0]
	}
	if err != nil {
		return Subscription{}, err
	}
	return account.subscription(s.Clock.Now()), nil
}

// RestoreAll takes all the receipts that are the person's, and says of each of the others why not. A shop that does not
// answer says nothing about a receipt: then nothing is taken, and it fails with shop_unavailable.
func (s *Service) RestoreAll(ctx context.Context, actor identity.Actor, in Receipts) (Restored, error) {
	source, receipts, err := in.read()
	if err != nil {
		return Restored{}, err
	}
	account, refusals, err := s.claim(ctx, actor.UserID, source, "restore", receipts)
	if err != nil {
		return Restored{}, err
	}
	out := Restored{Subscription: account.subscription(s.Clock.Now()), Results: make([]RestoreResult, len(receipts))}
	for i, refusal := range refusals {
		out.Results[i].Index = i
		if refusal != nil {
			e := apperr.Of(refusal)
			out.Results[i].Code, out.Results[i].Detail = &e.Code.Name, e.Detail
		}
	}
	return out, nil
}

func (r Receipt) read() (Source, []receipt, error) {
	apple, google := r.SignedTransaction != "", r.ProductID != "" || r.PurchaseToken != ""
	switch {
	case r.Platform == "ios" && apple && !google:
		return Apple, []receipt{{Transaction: r.SignedTransaction}}, nil
	case r.Platform == "android" && !apple && r.ProductID != "" && r.PurchaseToken != "":
		return Google, []receipt{{ProductID: r.ProductID, Token: r.PurchaseToken}}, nil
	}
	return "", nil, misfit("ios: signed_transaction alone; android: product_id and purchase_token")
}

func (r Receipts) read() (Source, []receipt, error) {
	var out []receipt
	switch {
	case r.Platform == "ios" && len(r.SignedTransactions) > 0 && r.Purchases == nil:
		for _, t := range r.SignedTransactions {
			out = append(out, receipt{Transaction: t})
		}
		return Apple, out, nil
	case r.Platform == "android" && len(r.Purchases) > 0 && r.SignedTransactions == nil:
		for _, p := range r.Purchases {
			out = append(out, receipt{ProductID: p.ProductID, Token: p.PurchaseToken})
		}
		return Google, out, nil
	}
	return "", nil, misfit("ios: signed_transactions alone; android: purchases alone")
}

func misfit(rule string) error {
	return apperr.InvalidField("body", "does not fit the platform; %s", rule)
}

// claim takes receipts for a person. All that are good are taken at once; of each of the others it answers why not.
func (s *Service) claim(ctx context.Context, user uuid.UUID, source Source, reason string, receipts []receipt) (Account, []error, error) {
	shop, sold := s.shops[source].(receiver)
	if !sold {
		return Account{}, nil, notSoldHere()
	}
	terms, err := s.terms(ctx)
	if err != nil {
		return Account{}, nil, err
	}
	proofs, refusals, err := prove(ctx, shop, receipts, terms)
	if err != nil {
		return Account{}, nil, err
	}
	who := whose{User: user, Certain: true, Source: source}
	for _, e := range proofs {
		who.Others, who.Buyers = append(who.Others, e.ExternalID), append(who.Buyers, e.UserID)
	}
	verdicts := make([]error, len(receipts))
	account, err := s.revise(ctx, who, Cause{Actor: "person", ActorID: user, Reason: reason}, func(a *Account) error {
		now := s.Clock.Now()
		for i, e := range proofs {
			if refusals[i] == nil {
				a.present(source, e, now)
			}
		}
		for i, e := range proofs { // once all is known that they prove together
			if verdicts[i] = refusals[i]; verdicts[i] == nil {
				verdicts[i] = a.verdict(source, e, now)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return Account{}, nil, err
	case account.Gone:
		return Account{}, nil, apperr.AccountDisabled.New("The account is deleted.")
	}
	var claimed []string
	for _, e := range proofs {
		if _, known := account.boughtBy[e.ExternalID]; !known && account.Purchase(source, e.ExternalID) != nil {
			claimed = append(claimed, e.ExternalID)
		}
	}
	if len(claimed) == 0 {
		return account, verdicts, nil
	}
	if err := reviveWebhooks(ctx, s.DB, source, claimed, s.Clock.Now()); err != nil {
		s.Log.ErrorContext(ctx, "what was told of a purchase before it was claimed waits for the next look", "error", err)
	}
	s.work.ring(source)
	return account, verdicts, nil
}

// prove has the shop read all the receipts. Of those that it refuses it answers why; the error is one of the shop's.
func prove(ctx context.Context, shop receiver, receipts []receipt, terms terms) ([]evidence, []error, error) {
	proofs, refusals := make([]evidence, len(receipts)), make([]error, len(receipts))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i, r := range receipts {
		group.Go(func() error {
			var e evidence
			err := contained(func() (err error) { e, err = shop.receipt(ctx, r, terms); return err })
			if err != nil && apperr.Of(err).Code.Kind.Status() < http.StatusInternalServerError {
				refusals[i] = err
				return nil
			}
			proofs[i] = e
			return err
		})
	}
	return proofs, refusals, group.Wait()
}

// present lets the account know what a receipt proves. What is another's is left alone, and so is what is over and has
// never been this person's.
func (a *Account) present(source Source, e evidence, now time.Time) {
	p := a.Purchase(source, e.ExternalID)
	if a.isOthers(e) || e.Superseded || p == nil && e.over(now) != nil {
		return
	}
	if p != nil && e.State == Revoked && p.ExpiresAt != nil && e.ExpiresAt != nil && p.ExpiresAt.After(*e.ExpiresAt) {
		return // what was given back was paid for a time before
	}
	if p != nil && !e.SignedAt.IsZero() && e.State == Active && p.ExpiresAt != nil && e.ExpiresAt.After(*p.ExpiresAt) {
		e.At = e.SignedAt
	}
	if a.observe(source, e.Observation, now) == applied && e.Check {
		a.Purchase(source, e.ExternalID).CheckAt = new(exact(now))
	}
}

// verdict says why a receipt gives this person nothing; nil: it does, by what is known by now. An old receipt of a
// purchase that goes on is a good one.
func (a *Account) verdict(source Source, e evidence, now time.Time) error {
	if a.isOthers(e) {
		return apperr.ReceiptTaken.New("The purchase belongs to another account.")
	}
	if p := a.Purchase(source, e.ExternalID); p != nil {
		return p.over(now)
	}
	return e.over(now)
}

// isOthers: another account has it, or it was made for another. Who deletes their account and begins anew brings what they
// go on paying for: what was made for somebody who is gone is whoever's brings it.
func (a *Account) isOthers(e evidence) bool {
	owner, taken := a.boughtBy[e.ExternalID]
	if taken {
		return owner != a.UserID
	}
	return e.UserID != uuid.Nil && e.UserID != a.UserID && !slices.Contains(a.goneBuyers, e.UserID)
}

// over says that the receipt's purchase is, by what the receipt says itself.
func (e evidence) over(now time.Time) error {
	if e.Superseded {
		return superseded()
	}
	var p Purchase
	p.observe(e.Observation)
	return p.over(now)
}

// over says why the purchase gives nothing any more; nil: it does, or will.
func (p Purchase) over(now time.Time) error {
	switch {
	case p.State == Revoked || p.refunded():
		return apperr.ReceiptRevoked.New("The purchase was refunded or taken back.")
	case p.SupersededBy != nil:
		return superseded()
	case p.Ended(now):
		return apperr.ReceiptExpired.New("The subscription is over.")
	}
	return nil
}

func superseded() error {
	return apperr.ReceiptSuperseded.New("The purchase was replaced by a newer one: restore that.")
}
