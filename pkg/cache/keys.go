package cache

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/google/uuid"
)

// How long what is cached may live when nothing drops it.
const (
	TokenTTL    = time.Hour
	HomesTTL    = 5 * time.Minute
	LookupsTTL  = time.Hour
	OffersTTL   = time.Hour
	RevisionTTL = time.Hour
	StatusTTL   = 5 * time.Minute
	PlanTTL     = 5 * time.Minute
	UnreadTTL   = 5 * time.Minute
)

const prefix = "hearth:"

// tokenPrefix marks the keys whose dropping is announced to the gateways.
const tokenPrefix = prefix + "token:"

// TokenKey is the session behind an access token, by the token's SHA-256. Owner: auth.
func TokenKey(hash []byte) string { return tokenPrefix + hex.EncodeToString(hash) }

// HomesKey is the residences that a person sees, with role and owner. Owner: residence.
func HomesKey(user uuid.UUID) string { return prefix + "residence_ids_user:" + user.String() }

// RevisionKey is the state of a residence and all that it holds: any change drops it, and a board's ETag is made of
// it. Its value means nothing but "not the one before". Owner: whoever changes something.
func RevisionKey(residence uuid.UUID) string { return prefix + "rev:" + residence.String() }

// StatusKey is a person's subscription with what they use of it, as they are answered it. Owner: billing.
func StatusKey(user uuid.UUID) string { return statusPrefix + user.String() }

// PlanKey is what the residences of an owner have room for. Owner: billing.
func PlanKey(owner uuid.UUID) string { return planPrefix + owner.String() }

const (
	statusPrefix = prefix + "subscription_status:"
	planPrefix   = prefix + "plan:"
)

// EveryStatus and EveryPlan drop them all: what a tier allows has changed.
const (
	EveryStatus = statusPrefix + "*"
	EveryPlan   = planPrefix + "*"
)

// UnreadKey is how many notifications a person has not read. Owner: notification.
func UnreadKey(user uuid.UUID) string { return prefix + "unread:" + user.String() }

// OffersKey is one of the lists of what is offered: features, upgrade_triggers, promotions, products. Owner: billing.
func OffersKey(list string) string { return prefix + "billing:" + list }

// LookupsKey is a service's lookup tables. Owner: that service.
func LookupsKey(service string) string { return prefix + "lookups:" + service }

// TemplatesKey is all the templates of tasks. Owner: task.
func TemplatesKey() string { return prefix + "templates:task" }

func tokenHash(key string) (string, bool) { return strings.CutPrefix(key, tokenPrefix) }
