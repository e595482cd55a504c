// Package billing keeps who pays for what: subscriptions, the plans that they stand for, and the limits that follow.
//
// What a person has is the best of all that they have bought in a shop (Stripe, Apple, Google) or been given by staff:
// purchase.go says what counts, entitlement.go what follows, account.go how it is changed. What shops tell (webhook.go) is
// kept as it came and worked off afterwards; what is to be done in a shop (errand.go) is a row before it is done. What the
// apps bring of what was bought in a store is a receipt (receipt.go). What staff edit is one statement (offer.go), and what
// they do to an account one change of it (staff.go).
//
// Tables: plans, what each tier allows; settings; products, what is for sale; subscriptions, one for every person;
// purchases; entitlement_changes, who changed what and why; webhook_events; errands; features, upgrade_triggers and
// promotions, what the apps show; staff_changes, who of the staff changed what of these.
//
// Events in: user.registered, user.deleted. Events out: subscription.changed, billing.terms_changed, billing.offers_changed,
// billing.notice. Services called: residence, task and document, for what a person uses.
package billing
