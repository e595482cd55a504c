package billing

import (
	"net/http"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// routes is every operation of the service.
func (s *Service) routes() {
	httpx.Get(s.HTTP, "/api/subscription/", identity.User, s.getSubscription, "What you have, and what it was bought as")
	httpx.Get(s.HTTP, "/api/subscription/status/", identity.User, s.getStatus, "What you have, what you use of it, and what each tier allows")

	hook := httpx.Refuses(http.StatusBadRequest, http.StatusConflict)
	httpx.Post(s.HTTP, "/api/subscription/webhook/stripe/", identity.Anyone, s.postWebhook(Stripe), "What Stripe tells", hook)
	httpx.Post(s.HTTP, "/api/subscription/webhook/apple/", identity.Anyone, s.postWebhook(Apple), "What Apple tells (App Store Server Notifications V2)", hook)
	httpx.Post(s.HTTP, "/api/subscription/webhook/google/", identity.Anyone, s.postWebhook(Google), "What Google tells (Real-time developer notifications)", hook)

	httpx.Get(s.HTTP, "/internal/users/{id}/plan", identity.Internal, s.getPlan, "What a person may have")
}
