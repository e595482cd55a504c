package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/dev/system"
	"hearth.internal/pkg/testkit"
)

const webhookSecret = "whsec_of_a_storm"

// stripeEvent is one as Stripe sends it, about a person's subscription in a state.
func stripeEvent(kind string, person uuid.UUID, number int, status string, created time.Time) []byte {
	raw, _ := json.Marshal(map[string]any{ // plain values
		"id": fmt.Sprintf("evt_%s_%d", person, number), "object": "event", "api_version": "2023-10-16", "created": created.Unix(), "livemode": false, "type": kind,
		"data": map[string]any{"object": map[string]any{
			"id": "sub_" + person.String(), "object": "subscription", "customer": "cus_" + person.String(), "status": status, "livemode": false,
			"start_date": created.Add(-time.Hour).Unix(), "created": created.Add(-time.Hour).Unix(),
			"current_period_start": created.Add(-time.Hour).Unix(), "current_period_end": created.Add(30 * 24 * time.Hour).Unix(),
			"trial_end": created.Add(24 * time.Hour).Unix(), "metadata": map[string]any{"user_id": person.String()},
			"items": map[string]any{"object": "list", "data": []any{map[string]any{
				"id": "si_1", "object": "subscription_item", "price": map[string]any{"id": "price_month", "object": "price", "currency": "eur"},
			}}},
		}},
	})
	return raw
}

// signed is Stripe's signature of a body.
func signed(body []byte, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	_, _ = fmt.Fprintf(mac, "%d.%s", at.Unix(), body) // a hash never fails
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// TestAStormOfWebhooksLosesNone kills billing, again and again, while Stripe tells of many subscriptions in any order, each
// thing twice, and repeats what was not answered. Afterwards everything that was told is kept once and has had its
// effect: every subscription stands as it was told last, and everybody was written to once.
func TestAStormOfWebhooksLosesNone(t *testing.T) {
	shops := func(o *system.Options) {
		o.Shops = []string{"HEARTH_STRIPE_SECRET_KEY=sk_test_storm", "HEARTH_STRIPE_WEBHOOK_SECRET=" + webhookSecret,
			"HEARTH_STRIPE_API_URL=http://127.0.0.1:9", "HEARTH_CHECKOUT_SUCCESS_URL=https://hearth.example/thanks",
			"HEARTH_CHECKOUT_CANCEL_URL=https://hearth.example/plans", "HEARTH_PORTAL_RETURN_URL=https://hearth.example/account"}
	}
	b := startBreakable(t, shops)
	books := b.books(t)
	if _, err := books.of["billing"].Exec(t.Context(), `INSERT INTO products (source, product_id, tier, period) VALUES ('stripe', 'price_month', 'pro', 'month')`); err != nil {
		t.Fatal(err)
	}
	const people, events, senders, kills = 40, 8, 8, 6
	begun := time.Now().Add(-time.Hour)
	var storm [][]byte
	for range people {
		person := uuid.Must(uuid.NewV7())
		for i := range events {
			at, kind, status := begun.Add(time.Duration(i)*time.Minute), "customer.subscription.updated", []string{"incomplete", "active", "past_due", "active", "paused", "unpaid", "active", "active"}[i]
			if i == events-1 {
				kind, status = "customer.subscription.trial_will_end", "trialing"
			}
			body := stripeEvent(kind, person, i, status, at)
			storm = append(storm, body, body)
		}
	}
	rand.Shuffle(len(storm), func(i, j int) { storm[i], storm[j] = storm[j], storm[i] })

	var group sync.WaitGroup
	var next, repeated atomic.Int64
	for range senders {
		group.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(storm) {
					return
				}
				for !b.deliver(storm[n]) {
					repeated.Add(1)
					time.Sleep(5 * time.Millisecond) // as Stripe does, though it waits longer
				}
			}
		})
	}
	for range kills {
		mark := next.Load()
		testkit.Eventually(t, "the storm goes on", func() bool { return next.Load() > mark+int64(len(storm)/(kills+2)) || next.Load() >= int64(len(storm)) })
		b.KillPart("billing")
	}
	group.Wait()
	waitFor := func(what, sql string, want int) {
		t.Helper()
		got := -1
		testkit.Eventually(t, what, func() bool {
			return books.of["billing"].QueryRow(t.Context(), sql).Scan(&got) == nil && got == want
		})
	}
	// What a killed worker had claimed is free again after its lease; nobody waits a minute for it here.
	if _, err := books.of["billing"].Exec(t.Context(), `UPDATE webhook_events SET claimed_until = NULL, next_at = now() WHERE state = 'pending'`); err != nil {
		t.Fatal(err)
	}
	waitFor("everything told is kept once", `SELECT count(*) FROM webhook_events`, people*events)
	waitFor("and worked off", `SELECT count(*) FROM webhook_events WHERE state = 'done'`, people*events)
	waitFor("every subscription is as it was told last", `SELECT count(*) FROM purchases WHERE state = 'active' AND is_trial`, people)
	waitFor("and everybody has it", `SELECT count(*) FROM subscriptions WHERE tier = 'pro' AND source = 'stripe'`, people)
	waitFor("everybody is written to once", `SELECT count(*) FROM outbox WHERE name = 'billing.notice' AND payload->>'kind' = 'trial_ending'`, people)
	t.Logf("%d webhooks, each twice, %d kills, %d deliveries repeated", people*events, kills, repeated.Load())
}

// deliver sends a webhook to the gateway, and reports whether it was answered 200.
func (b *breakable) deliver(body []byte) bool {
	req, err := http.NewRequest(http.MethodPost, b.URL+"/api/subscription/webhook/stripe/", bytes.NewReader(body)) //nolint:noctx // as a shop does
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Stripe-Signature", signed(body, time.Now()))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it all
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
