package billing_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/billing"
	"hearth.internal/pkg/testkit"
)

// TestAShopThatHangsHoldsUpNoOther: however many of its webhooks wait for its answers.
func TestAShopThatHangsHoldsUpNoOther(t *testing.T) {
	over := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(over) })
	a := openAppStore(t, true, func(cfg *billing.Config) {
		cfg.StripeConfig = stripeConfig(t, hanging.URL).StripeConfig
	})
	for i := range 20 {
		body := stripeEvent(fmt.Sprintf("evt_%d", i), "checkout.session.completed", a.Clock.Now(), stripeThing{
			"id": fmt.Sprintf("cs_%d", i), "object": "checkout.session", "mode": "subscription", "subscription": fmt.Sprintf("sub_%d", i),
		})
		a.AsNobody(t).Want(200, "POST", stripeWebhook, body, "Stripe-Signature", stripeSignature(body, stripeSecret, a.Clock.Now()))
	}
	ann := uuid.New()
	tx := with(period("1", testkit.Start), object{"appAccountToken": ann.String()})
	a.AsNobody(t).Want(200, "POST", "/api/subscription/webhook/apple/", a.notify("SUBSCRIBED", "INITIAL_BUY", testkit.Start, 1, tx, renewal(tx, testkit.Start, nil)))
	testkit.Eventually(t, "what Apple tells counts", func() bool { return a.has(ann).Tier == "pro" })
}
