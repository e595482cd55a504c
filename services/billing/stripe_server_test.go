package billing_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	stripehook "github.com/stripe/stripe-go/v76/webhook"

	"hearth.internal/billing"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

const (
	stripeSecret  = "whsec_new"
	stripeOlder   = "whsec_old"
	stripeMonth   = "price_month"
	stripeYear    = "price_year"
	stripeGone    = "price_gone"
	stripeWebhook = "/api/subscription/webhook/stripe/"
)

// stripeThing is an object of Stripe's.
type stripeThing map[string]any

// stripeServer stands in for Stripe: it remembers customers, checkouts, subscriptions and charges, and answers a repeated
// Idempotency-Key as the first time.
type stripeServer struct {
	t      *testing.T
	URL    string
	clock  func() time.Time
	mu     sync.Mutex
	things map[string]stripeThing // by id
	keys   map[string]stripeReply
	calls  []string
	forms  []url.Values // of each call
	down   int          // what it answers to everything; 0: it works
	number int
}

type stripeReply struct {
	form string
	code int
	body []byte
}

func newStripe(t *testing.T) *stripeServer {
	t.Helper()
	s := &stripeServer{t: t, things: map[string]stripeThing{}, keys: map[string]stripeReply{}, clock: func() time.Time { return testkit.Start }}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *stripeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		s.t.Error(err)
	}
	if got := r.Header.Get("Authorization"); got != "Bearer sk_test_key" {
		s.t.Errorf("authorization %q", got)
	}
	s.calls, s.forms = append(s.calls, r.Method+" "+r.URL.Path), append(s.forms, r.Form)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	w.Header().Set("Stripe-Should-Retry", "false") // tests need not wait for it
	if s.down != 0 {
		w.WriteHeader(s.down)
		fmt.Fprint(w, `{"error":{"type":"api_error","message":"down"}}`)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	form := r.URL.Path + "?" + r.Form.Encode()
	out, known := s.keys[key]
	if known && out.form != form {
		out = stripeFailed(400, "idempotency_error", "", "")
	} else if !known {
		code, body := s.answer(r.Method, strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/"), r.Form)
		raw, err := json.Marshal(body)
		if err != nil {
			s.t.Error(err)
		}
		if out = (stripeReply{form, code, raw}); key != "" {
			s.keys[key] = out
		}
	}
	w.WriteHeader(out.code)
	_, _ = w.Write(out.body)
}

func stripeFailed(code int, kind, reason, param string) stripeReply {
	raw, _ := json.Marshal(stripeThing{"error": stripeThing{"type": kind, "code": reason, "param": param, "message": "refused"}})
	return stripeReply{code: code, body: raw}
}

func stripeMissing(param string) (int, stripeThing) {
	return 404, stripeThing{"error": stripeThing{"type": "invalid_request_error", "code": "resource_missing", "param": param, "message": "No such thing"}}
}

func (s *stripeServer) answer(method string, path []string, form url.Values) (int, stripeThing) {
	id := ""
	if len(path) > 1 {
		id = path[1]
	}
	found := s.things[id]
	switch method + " " + path[0] {
	case "POST customers":
		return 200, s.keep("cus", stripeThing{"object": "customer", "metadata": stripeThing{"user_id": form.Get("metadata[user_id]")}})
	case "DELETE customers":
		if found == nil {
			return stripeMissing("id")
		}
		delete(s.things, id)
		return 200, stripeThing{"id": id, "object": "customer", "deleted": true}
	case "POST checkout":
		if s.things[form.Get("customer")] == nil {
			return stripeMissing("customer")
		}
		kept := stripeThing{"object": "checkout.session", "mode": "subscription", "customer": form.Get("customer"), "client_reference_id": form.Get("client_reference_id"),
			"expires_at": s.clock().Add(day).Unix(), "form": form}
		s.keep("cs_test", kept)
		kept["url"] = "https://checkout.stripe.com/c/pay/" + kept["id"].(string)
		return 200, kept
	case "POST billing_portal":
		if s.things[form.Get("customer")] == nil {
			return stripeMissing("customer")
		}
		return 200, s.keep("bps", stripeThing{"object": "billing_portal.session", "url": "https://billing.stripe.com/p/session", "return_url": form.Get("return_url")})
	case "GET promotion_codes":
		list := []stripeThing{}
		if form.Get("code") == "SPRING" && form.Get("active") == "true" {
			list = append(list, stripeThing{"id": "promo_spring", "object": "promotion_code", "code": "SPRING"})
		}
		return 200, stripeThing{"object": "list", "data": list, "has_more": false, "url": "/v1/promotion_codes"}
	case "GET subscriptions", "GET charges":
		if found == nil {
			return stripeMissing("id")
		}
		return 200, found
	case "POST subscriptions":
		return s.change(found, form)
	case "DELETE subscriptions":
		if found == nil || found["status"] == "canceled" {
			return stripeMissing("id")
		}
		found["status"], found["ended_at"], found["canceled_at"] = "canceled", s.clock().Unix(), s.clock().Unix()
		return 200, found
	}
	s.t.Errorf("Stripe was asked to %s %v", method, path)
	return stripeMissing("path")
}

func (s *stripeServer) change(sub stripeThing, form url.Values) (int, stripeThing) {
	switch {
	case sub == nil:
		return stripeMissing("id")
	case sub["status"] == "canceled":
		return 400, stripeThing{"error": stripeThing{"type": "invalid_request_error", "message": "A canceled subscription can only update its cancellation_details."}}
	case sub["declined"] != nil && form.Has("items[0][price]"):
		return 402, stripeThing{"error": stripeThing{"type": "card_error", "code": "card_declined", "message": "declined", "payment_intent": stripeThing{"client_secret": "pi_secret"}}}
	}
	if form.Has("cancel_at_period_end") {
		sub["cancel_at_period_end"], sub["cancel_at"] = form.Get("cancel_at_period_end") == "true", nil
		if sub["cancel_at_period_end"] == true {
			sub["cancel_at"] = sub["current_period_end"]
		}
	}
	if price := form.Get("items[0][price]"); price != "" {
		sub["items"] = stripeItems(price)
		if form.Get("items[0][id]") != "si_1" || form.Get("proration_behavior") != "create_prorations" {
			s.t.Errorf("changed by %v", form)
		}
		sub["current_period_start"], sub["current_period_end"] = s.clock().Unix(), s.clock().Add(365*day).Unix()
	}
	return 200, sub
}

func (s *stripeServer) keep(kind string, o stripeThing) stripeThing {
	s.number++
	o["id"] = fmt.Sprintf("%s_%d", kind, s.number)
	s.things[o["id"].(string)] = o
	return o
}

// put makes something be as it is there.
func (s *stripeServer) put(o stripeThing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.things[o["id"].(string)] = maps.Clone(o)
}

// breaks has it answer everything with a status; 0: it works.
func (s *stripeServer) breaks(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = status
}

// called answers how often, and what was sent the last time.
func (s *stripeServer) called(call string) (times int, last url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range s.calls {
		if c == call {
			times, last = times+1, s.forms[i]
		}
	}
	return times, last
}

// buy is somebody paying in a checkout: it answers the subscription that comes of it.
func (s *stripeServer) buy(session string) stripeThing {
	s.mu.Lock()
	defer s.mu.Unlock()
	checkout := s.things[session]
	form := checkout["form"].(url.Values)
	sub := stripeSub("", form.Get("customer"), form.Get("subscription_data[metadata][user_id]"), form.Get("line_items[0][price]"), s.clock(), s.clock().Add(30*day))
	if form.Has("subscription_data[trial_period_days]") {
		var days int
		fmt.Sscan(form.Get("subscription_data[trial_period_days]"), &days)
		end := s.clock().Add(time.Duration(days) * day).Unix()
		sub["status"], sub["trial_start"], sub["trial_end"], sub["current_period_end"] = "trialing", s.clock().Unix(), end, end
	}
	delete(sub, "id")
	s.keep("sub", sub)
	checkout["subscription"] = sub["id"]
	return maps.Clone(sub)
}

func stripeItems(price string) stripeThing {
	return stripeThing{"object": "list", "data": []stripeThing{{"id": "si_1", "object": "subscription_item", "price": stripeThing{"id": price, "object": "price"}}}}
}

// stripeSub is a subscription as Stripe tells of it, an active one; user empty: without metadata.
func stripeSub(id, customer, user, price string, from, to time.Time) stripeThing {
	metadata := stripeThing{}
	if user != "" {
		metadata["user_id"] = user
	}
	return stripeThing{
		"id": id, "object": "subscription", "customer": customer, "status": "active", "metadata": metadata, "items": stripeItems(price), "livemode": false,
		"start_date": from.Unix(), "created": from.Unix(), "current_period_start": from.Unix(), "current_period_end": to.Unix(),
		"cancel_at_period_end": false, "cancel_at": nil, "canceled_at": nil, "ended_at": nil, "trial_start": nil, "trial_end": nil, "pause_collection": nil,
	}
}

// with is a copy in which something is another.
func (o stripeThing) with(pairs ...any) stripeThing {
	out := maps.Clone(o)
	for i := 0; i+1 < len(pairs); i += 2 {
		if at, ok := pairs[i+1].(time.Time); ok {
			out[pairs[i].(string)] = at.Unix()
			continue
		}
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

// stripeInvoice is one of a subscription.
func stripeInvoice(sub stripeThing, reason string) stripeThing {
	return stripeThing{
		"id": "in_1", "object": "invoice", "customer": sub["customer"], "subscription": sub["id"], "amount_paid": 499, "amount_due": 499, "currency": "eur",
		"billing_reason": reason, "hosted_invoice_url": "https://invoice.stripe.com/i/1", "customer_email": "ann@example.org",
	}
}

// stripeCharge is one for a subscription, up to an instant.
func stripeCharge(id string, sub stripeThing, amount, refunded int64, until time.Time) stripeThing {
	return stripeThing{
		"id": id, "object": "charge", "customer": sub["customer"], "amount": amount, "amount_refunded": refunded, "refunded": refunded == amount,
		"billing_details": stripeThing{"email": "ann@example.org"},
		"invoice": stripeThing{"id": "in_1", "object": "invoice", "subscription": sub["id"], "period_end": until.Add(-30 * day).Unix(),
			"lines": stripeThing{"object": "list", "data": []stripeThing{{"id": "il_1", "object": "line_item", "period": stripeThing{"start": until.Add(-30 * day).Unix(), "end": until.Unix()}}}}},
	}
}

// stripeEvent is an event as it is sent.
func stripeEvent(id, kind string, at time.Time, object stripeThing) []byte {
	raw, err := json.Marshal(stripeThing{
		"id": id, "object": "event", "type": kind, "created": at.Unix(), "livemode": false, "api_version": stripe.APIVersion, "data": stripeThing{"object": object},
	})
	if err != nil {
		panic(err)
	}
	return raw
}

func stripeSignature(body []byte, secret string, at time.Time) string {
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(stripehook.ComputeSignature(at, body, secret)))
}

// stripeShop is billing with Stripe.
type stripeShop struct {
	*testkit.Service
	t      *testing.T
	stripe *stripeServer
	probe  *billing.Probe
}

func stripeConfig(t *testing.T, address string) billing.Config {
	t.Helper()
	cfg := billing.Config{Service: testkit.Config(t, "billing")}
	cfg.StripeConfig = billing.StripeConfig{
		StripeSecretKey: "sk_test_key", StripeWebhookSecrets: []string{stripeSecret, stripeOlder}, StripeAPIURL: address,
		CheckoutSuccessURL: "https://hearth.example/bought?session={CHECKOUT_SESSION_ID}", CheckoutCancelURL: "https://hearth.example/plans",
		PortalReturnURL: "https://hearth.example/account",
	}
	return cfg
}

// newStripeShop opens it, with three products of which one is not sold any more.
func newStripeShop(t *testing.T, change ...func(*billing.Config)) *stripeShop {
	t.Helper()
	server := newStripe(t)
	cfg := stripeConfig(t, server.URL)
	for _, f := range change {
		f(&cfg)
	}
	service, probe := billing.NewWithProbe(cfg)
	s := &stripeShop{Service: testkit.Run(t, cfg.Service, service), t: t, stripe: server, probe: probe}
	server.mu.Lock()
	server.clock = s.Clock.Now
	server.mu.Unlock()
	s.exec(`INSERT INTO products (source, product_id, tier, period, is_active) VALUES
		('stripe', 'price_month', 'pro', 'month', true), ('stripe', 'price_year', 'pro', 'year', true), ('stripe', 'price_gone', 'pro', 'year', false)`)
	return s
}

func (s *stripeShop) exec(statement string) {
	s.t.Helper()
	if _, err := pg.Exec(s.t.Context(), s.DB, statement, nil); err != nil {
		s.t.Fatal(err)
	}
}

// send delivers an event through the route and does not wait.
func (s *stripeShop) send(body []byte) {
	s.t.Helper()
	s.AsNobody(s.t).Want(200, "POST", stripeWebhook, body, "Stripe-Signature", stripeSignature(body, stripeSecret, s.Clock.Now()))
}

// tell delivers an event and waits until it is worked off; it answers what came of it.
func (s *stripeShop) tell(body []byte) stripeHook {
	s.t.Helper()
	s.send(body)
	var id struct{ ID string }
	if err := json.Unmarshal(body, &id); err != nil {
		s.t.Fatal(err)
	}
	var row stripeHook
	testkit.Eventually(s.t, id.ID+" is worked off", func() bool {
		i := slices.IndexFunc(s.hooks(), func(h stripeHook) bool { return h.ExternalID == id.ID && h.State != "pending" })
		if i >= 0 {
			row = s.hooks()[i]
		}
		return i >= 0
	})
	return row
}

type stripeHook struct {
	ExternalID, Type, State, Outcome string
	Body                             []byte
	Tries                            int
}

func (s *stripeShop) hooks() []stripeHook {
	s.t.Helper()
	rows, err := pg.All[stripeHook](s.t.Context(), s.DB, `SELECT external_id, type, state, outcome, body, tries FROM webhook_events ORDER BY id`, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}
