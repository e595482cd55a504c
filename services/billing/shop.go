package billing

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
)

// shop is where people buy: Stripe, Apple, Google. All that it says it says about its own purchases.
type shop interface {
	// receive checks on the raw body of a webhook that the shop has sent it, and answers what to keep of it. It fails with
	// webhook_refused when it is not the shop's, or too old.
	receive(ctx context.Context, header http.Header, body []byte) (told, error)
	// read answers what a kept webhook says; where that is in doubt it asks the shop.
	read(ctx context.Context, w webhook, terms terms) (reading, error)
	// ask asks the shop how a purchase is now. It fails with errNoSuchPurchase where the shop knows none, and
	// with errCannotAsk.
	ask(ctx context.Context, external string, terms terms) (Observation, error)
	// run does what is to be done there. Doing it again does nothing more.
	run(ctx context.Context, e errand) error
}

// errNoSuchPurchase: the shop does not know the purchase.
var errNoSuchPurchase = errors.New("the shop knows no such purchase")

// errCannotAsk: the shop tells, but is not set up to be asked.
var errCannotAsk = errors.New("the shop is not set up to be asked")

// told is what to keep of a webhook.
type told struct {
	ID      string // the shop's own, by which it is kept once
	Type    string
	Subject string // the external id of the purchase that it is about, where it names one
	At      time.Time
	Body    json.RawMessage // what is kept; nothing else comes back to read
}

// reading is what a webhook says.
type reading struct {
	Observations []Observation
	Notices      []notice
	// Ignored says why nothing follows from it; empty: something does.
	Ignored string
}

// notice is what a person is to be told because a shop said so, about the purchase of that external id.
type notice struct {
	External string
	Customer string // Stripe's, where the purchase is not known
	Notice   events.Notice
	// While are the states of the purchase in which it is still true; none: always.
	While []State
}

// terms are what a shop's words are understood by.
type terms struct {
	Settings Settings
	Products []Product
}

// Product is what is for sale in a shop.
type Product struct {
	Source    Source `json:"source" enum:"stripe,apple,google"`
	ProductID string `json:"product_id" minLength:"1" maxLength:"200"`
	Tier      string `json:"tier" enum:"pro"`
	Period    string `json:"period" enum:"month,year"`
	IsActive  bool   `json:"is_active"`
	Version   int    `json:"version" readOnly:"true"`
}

// tierOf is the tier that a product is sold as; what nobody has listed is none of ours.
func (t terms) tierOf(source Source, product string) (string, bool) {
	for _, p := range t.Products {
		if p.Source == source && p.ProductID == product {
			return p.Tier, true
		}
	}
	return "", false
}

// sells reports whether a product can be bought now.
func (t terms) sells(source Source, product string) bool {
	return slices.ContainsFunc(t.Products, func(p Product) bool { return p.Source == source && p.ProductID == product && p.IsActive })
}

// shop answers the shop of a source. It fails with not_sold_here when it is not configured.
func (s *Service) shop(source Source) (shop, error) {
	if found := s.shops[source]; found != nil {
		return found, nil
	}
	return nil, notSoldHere()
}

func notSoldHere() error { return apperr.NotSoldHere.New("Subscriptions are not sold that way here.") }

// webhook is one as it is kept.
type webhook struct {
	ID         uuid.UUID
	Source     Source
	ExternalID string
	Type       string
	Subject    *string
	OccurredAt time.Time
	ReceivedAt time.Time
	Body       []byte
	State      string
	Tries      int
	Trace      string
}
