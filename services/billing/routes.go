package billing

import (
	"net/http"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// routes is every operation of the service.
func (s *Service) routes() {
	httpx.Get(s.HTTP, "/api/subscription/", identity.User, s.getSubscription, "What you have, and what it was bought as",
		httpx.Describe("Not from a cache: ask after a purchase, and before the account is deleted (`ends_with_account`)."))
	httpx.Get(s.HTTP, "/api/subscription/status/", identity.User, s.getStatus, "What you have, what you use of it, and what each tier allows",
		httpx.Describe("What to show and to ask often. A create beyond a limit is refused with 403 `limit_reached` and its `trigger_key`, here or not."))

	httpx.Get(s.HTTP, "/api/subscription/features/", identity.User, s.getFeatures, "What the tiers are compared by, in display order")
	httpx.Get(s.HTTP, "/api/subscription/upgrade-triggers/", identity.User, s.getTriggers, "What to offer to somebody who ran into a limit")
	httpx.Get(s.HTTP, "/api/subscription/upgrade-trigger/{key}/", identity.User, s.getTrigger, "What to offer to somebody who ran into this limit")
	httpx.Get(s.HTTP, "/api/subscription/promotions/", identity.User, s.getPromotions, "The promotions for you, the most important first",
		httpx.Describe("By tier, date, platform and share of people. Without a platform: those for every platform."))
	httpx.Get(s.HTTP, "/api/subscription/products/", identity.User, s.getProducts, "What is for sale, on a platform or on all",
		httpx.Describe("Prices are the shop's to say, in the buyer's currency. On `web` it is bought by POST checkout/, else in the store, and then told by POST purchase/."))

	const changes = "409: `no_subscription`; `managed_by_store`, with the store's address as `manage_url`; `impossible_move` where Stripe will not do it. 503: `shop_unavailable`."
	managed := httpx.Refuses(http.StatusConflict)
	httpx.Post(s.HTTP, "/api/subscription/checkout/", identity.User, s.postCheckout, "Buy a subscription by Stripe",
		httpx.Describe("Open the address of the answer; what was bought counts as soon as Stripe tells, mostly before the person is back. 409: `already_subscribed` (with `source` and, "+
			"in a store, `manage_url`), `not_sold_here`, `id_taken`. 422: `unknown_product`, `validation_failed` for a code that is none. 503: `shop_unavailable`."))
	httpx.Post(s.HTTP, "/api/subscription/portal/", identity.User, s.postPortal, "See invoices and change how you pay, at Stripe",
		httpx.Describe("409: `no_subscription` for who never was at Stripe's checkout, `not_sold_here`. 503: `shop_unavailable`."))
	httpx.Post(s.HTTP, "/api/subscription/cancel/", identity.User, s.postCancel, "End your Stripe subscription when what is paid for is over", managed,
		httpx.Describe("One whose first payment has not come ends at once. "+changes))
	httpx.Post(s.HTTP, "/api/subscription/resume/", identity.User, s.postResume, "Take the end of your Stripe subscription back", managed,
		httpx.Describe("As long as it is not over. "+changes))
	httpx.Post(s.HTTP, "/api/subscription/change/", identity.User, s.postChange, "Change to another product, such as from the month to the year",
		httpx.Describe("Stripe takes what is paid for into account. Where a payment is due and fails all stays as it was: `impossible_move`. 422: `unknown_product`. "+changes))

	httpx.Post(s.HTTP, "/api/subscription/purchase/", identity.User, s.postPurchase, "Have a purchase in a store count for you",
		httpx.Describe("However often it is sent. 409: `receipt_of_another_account`, `receipt_expired`, `receipt_revoked`, `receipt_superseded`, `not_sold_here`. "+
			"422: `receipt_invalid`, `receipt_wrong_environment`, `unknown_product`. 503: `shop_unavailable`; send it again."))
	httpx.Post(s.HTTP, "/api/subscription/restore/", identity.User, s.postRestore, "Have all that you bought in a store count for you again",
		httpx.Describe("Those that are good are taken; what is wrong with each of the others is in its result, by the codes of POST purchase/. 409: `not_sold_here`. 503: `shop_unavailable`; then none is taken."))

	hook, told := httpx.Refuses(http.StatusConflict), httpx.Describe("200: it is kept, and followed afterwards; sent again it is known. 400: `webhook_refused`, it is not the shop's or too old. 409: `not_sold_here`.")
	httpx.Post(s.HTTP, "/api/subscription/webhook/stripe/", identity.Anyone, s.postWebhook(Stripe), "What Stripe tells", hook, told, httpx.Unread)
	httpx.Post(s.HTTP, "/api/subscription/webhook/apple/", identity.Anyone, s.postWebhook(Apple), "What Apple tells (App Store Server Notifications V2)", hook, told, httpx.Unread)
	httpx.Post(s.HTTP, "/api/subscription/webhook/google/", identity.Anyone, s.postWebhook(Google), "What Google tells (Real-time developer notifications)", hook, told, httpx.Unread)

	httpx.Get(s.HTTP, "/internal/users/{id}/plan", identity.Internal, s.getPlan, "What a person may have")
	s.staffRoutes()
}

// staffRoutes are the operations for the admin service, which has checked who of the staff may do what.
func (s *Service) staffRoutes() {
	const admin = "/internal/admin/"
	in := identity.Internal
	httpx.Get(s.HTTP, admin+"plans/{tier}", in, s.adminPlan, "A tier's limits")
	httpx.Put(s.HTTP, admin+"plans/{tier}", in, s.putPlan, "Set a tier's limits")
	httpx.Get(s.HTTP, admin+"settings", in, s.adminSettings, "The settings")
	httpx.Patch(s.HTTP, admin+"settings", in, s.patchSettings, "Change the settings")

	httpx.Get(s.HTTP, admin+"features", in, s.adminFeatures, "All features")
	httpx.Get(s.HTTP, admin+"features/{key}", in, s.adminFeature, "A feature")
	httpx.Put(s.HTTP, admin+"features/{key}", in, s.putFeature, "Add or replace a feature")
	httpx.Delete(s.HTTP, admin+"features/{key}", in, s.deleteFeature, "Remove a feature")
	httpx.Get(s.HTTP, admin+"upgrade-triggers", in, s.adminTriggers, "All upgrade triggers")
	httpx.Get(s.HTTP, admin+"upgrade-triggers/{key}", in, s.adminTrigger, "An upgrade trigger")
	httpx.Put(s.HTTP, admin+"upgrade-triggers/{key}", in, s.putTrigger, "Add or replace an upgrade trigger")
	httpx.Delete(s.HTTP, admin+"upgrade-triggers/{key}", in, s.deleteTrigger, "Remove an upgrade trigger")
	httpx.Get(s.HTTP, admin+"promotions", in, s.adminPromotions, "All promotions")
	httpx.Get(s.HTTP, admin+"promotions/{id}", in, s.adminPromotion, "A promotion")
	httpx.Put(s.HTTP, admin+"promotions/{id}", in, s.putPromotion, "Add or replace a promotion")
	httpx.Delete(s.HTTP, admin+"promotions/{id}", in, s.deletePromotion, "Remove a promotion")
	httpx.Get(s.HTTP, admin+"products", in, s.adminProducts, "All products")
	httpx.Get(s.HTTP, admin+"products/{source}/{product_id}", in, s.adminProduct, "A product")
	httpx.Put(s.HTTP, admin+"products/{source}/{product_id}", in, s.putProduct, "Add or replace a product")
	httpx.Delete(s.HTTP, admin+"products/{source}/{product_id}", in, s.deleteProduct, "Remove a product that nobody has bought")

	httpx.Get(s.HTTP, admin+"people/{id}/subscription", in, s.adminSubscription, "What a person has")
	httpx.Get(s.HTTP, admin+"people/{id}/changes", in, s.adminChanges, "Who changed what a person has, and why")
	httpx.Post(s.HTTP, admin+"people/{id}/grant", in, s.postGrant, "Give a person a tier", httpx.Status(http.StatusCreated))
	httpx.Post(s.HTTP, admin+"people/{id}/grants/{purchase_id}/end", in, s.postEndGrant, "End a grant")
	httpx.Put(s.HTTP, admin+"people/{id}/free", in, s.putFree, "Free a person from limits, or bind them again")

	httpx.Get(s.HTTP, admin+"changes", in, s.adminStaffChanges, "Who of the staff changed what")
	httpx.Get(s.HTTP, admin+"webhooks", in, s.adminWebhooks, "What the shops have told")
	httpx.Get(s.HTTP, admin+"webhooks/{id}", in, s.adminWebhook, "What a shop has told, as it came")
	httpx.Post(s.HTTP, admin+"webhooks/{id}/replay", in, s.postReplay, "Work a webhook off again")
	httpx.Get(s.HTTP, admin+"errands", in, s.adminErrands, "What is to be done in the shops")
	httpx.Post(s.HTTP, admin+"errands/{id}/retry", in, s.postRetry, "Try an errand now")
}
