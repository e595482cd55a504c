package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// purchaseColumns are a Purchase.
const purchaseColumns = `p.id, p.user_id, p.source, p.external_id, p.product_id, p.tier, p.state, p.is_trial, p.auto_renew, p.environment,
	p.started_at, p.expires_at, p.grace_until, p.refunded_until, p.superseded_by, p.observed_at, p.check_at, p.version, p.created_at, p.updated_at`

// accountOf is whose account is meant: see whose.
const accountOf = `(SELECT CASE WHEN @certain::bool THEN @user::uuid ELSE coalesce(
		(SELECT b.user_id FROM purchases b WHERE b.source = @source::text AND b.external_id = @external::text),
		(SELECT c.user_id FROM subscriptions c WHERE c.stripe_customer_id = nullif(@customer::text, '')),
		nullif(@user::uuid, '00000000-0000-0000-0000-000000000000')) END)`

// The account in three statements and one round trip.
const (
	personSQL = `
		SELECT w.user_id, coalesce(s.is_free, false) AS is_free, s.tried_at, s.stripe_customer_id AS customer, coalesce(s.version, 0) AS version,
			coalesce(s.tier, 'free') AS tier, coalesce(s.source, 'none') AS source, coalesce(s.state, 'none') AS state, s.flips_at,
			(SELECT e.after FROM entitlement_changes e WHERE e.user_id = w.user_id ORDER BY e.at DESC, e.id DESC LIMIT 1) AS last,
			EXISTS (SELECT FROM gone_people g WHERE g.user_id = w.user_id) AS gone,
			(SELECT array_agg(g.user_id) FROM gone_people g WHERE g.user_id = ANY(@buyers::uuid[])) AS gone_buyers,
			(SELECT jsonb_object_agg(b.external_id, b.user_id) FROM purchases b
				WHERE b.source = @source::text AND b.external_id = ANY(@others::text[] || @external::text)) AS bought_by
		FROM (SELECT ` + accountOf + ` AS user_id) w LEFT JOIN subscriptions s ON s.user_id = w.user_id`
	purchasesSQL = `SELECT ` + purchaseColumns + ` FROM purchases p WHERE p.user_id = ` + accountOf + ` ORDER BY p.created_at, p.id`
	settingsSQL  = `SELECT limitations_enabled, grace_days, trial_days, version FROM settings`
)

type personRow struct {
	UserID   *uuid.UUID
	IsFree   bool
	TriedAt  *time.Time
	Customer *string
	Version  int
	Tier     string
	Source   Source
	State    State
	FlipsAt  *time.Time
	Last     *Entitlement
	Gone     bool
	// GoneBuyers and BoughtBy are as in Account.
	GoneBuyers []uuid.UUID
	BoughtBy   map[string]uuid.UUID
}

// loadAccount reads an account; its UserID is zero when nobody knows whose it is.
func loadAccount(ctx context.Context, q pg.Querier, who whose) (Account, error) {
	var account Account
	if err := sendAccount(ctx, q, who, &account, func(*pgx.Batch) {}); err != nil {
		return Account{}, fmt.Errorf("account: %w", err)
	}
	return account, nil
}

// sendAccount reads an account, and whatever more asks for in the same round trip.
func sendAccount(ctx context.Context, q pg.Querier, who whose, account *Account, more func(*pgx.Batch)) error {
	var person personRow
	var found bool
	args := pgx.NamedArgs{"user": who.User, "source": who.Source, "external": who.External, "customer": who.Customer, "certain": who.Certain,
		"others": append([]string{}, who.Others...), "buyers": append([]uuid.UUID{}, who.Buyers...)}
	// Whose account is meant is looked up twice: both see the same owner of the purchase.
	err := pg.SendInSnapshot(ctx, q, func(b *pgx.Batch) {
		b.Queue(personSQL, args).Query(pg.Row(&person, &found))
		b.Queue(purchasesSQL, args).Query(pg.Rows(&account.Purchases))
		b.Queue(settingsSQL).Query(pg.Row(&account.Settings, &found))
		more(b)
	})
	if err != nil || person.UserID == nil {
		return err
	}
	account.UserID, account.IsFree, account.TriedAt, account.Customer = *person.UserID, person.IsFree, person.TriedAt, person.Customer
	account.version, account.Gone, account.boughtBy, account.goneBuyers = person.Version, person.Gone, person.BoughtBy, person.GoneBuyers
	account.Had = Entitlement{Reason: NeverBought}
	if person.Last != nil {
		account.Had = *person.Last
	}
	account.Had.Tier, account.Had.Source, account.Had.State = person.Tier, person.Source, person.State
	account.Had.IsFree, account.Had.FlipsAt = person.IsFree, person.FlipsAt
	return nil
}

// saved is all that is written at once.
type saved struct {
	account   *Account
	has, had  Entitlement
	purchases []Purchase // those that changed
	orders    []errand
	cause     Cause
	event     events.Subscription
	notice    *events.Notice
	now       time.Time
}

// lockPersonSQL keeps what is written of a person and their erasure apart: whichever comes second sees all of the other.
const lockPersonSQL = `SELECT pg_advisory_xact_lock(hashtextextended(@user::uuid::text, 1))`

// saveAccountSQL writes an account if it is still at @version. What is new among the purchases and meanwhile somebody
// else's violates purchases_external: then nothing is written.
var saveAccountSQL = `
	WITH person AS (
		INSERT INTO subscriptions AS s (user_id, tier, source, state, is_free, flips_at, tried_at, stripe_customer_id, version, created_at, updated_at)
		SELECT @user::uuid, @tier::text, @source::text, @state::text, @is_free::bool, @flips_at::timestamptz, @tried_at::timestamptz,
			@customer::text, 1, @now::timestamptz, @now::timestamptz
		WHERE NOT EXISTS (SELECT FROM gone_people WHERE user_id = @user::uuid)
		ON CONFLICT (user_id) DO UPDATE SET tier = excluded.tier, source = excluded.source, state = excluded.state, is_free = excluded.is_free,
			flips_at = excluded.flips_at, tried_at = excluded.tried_at, stripe_customer_id = excluded.stripe_customer_id,
			version = s.version + 1, updated_at = excluded.updated_at
		WHERE s.version = @version::int
		RETURNING s.user_id, s.version),
	bought AS (
		INSERT INTO purchases (id, user_id, source, external_id, product_id, tier, state, is_trial, auto_renew, environment,
			started_at, expires_at, grace_until, refunded_until, superseded_by, observed_at, check_at, version, created_at, updated_at)
		SELECT ` + purchaseColumns + ` FROM jsonb_populate_recordset(NULL::purchases, @purchases::jsonb) p, person
		ON CONFLICT (id) DO UPDATE SET product_id = excluded.product_id, tier = excluded.tier, state = excluded.state, is_trial = excluded.is_trial,
			auto_renew = excluded.auto_renew, environment = excluded.environment, started_at = excluded.started_at, expires_at = excluded.expires_at,
			grace_until = excluded.grace_until, refunded_until = excluded.refunded_until, superseded_by = excluded.superseded_by,
			observed_at = excluded.observed_at, check_at = excluded.check_at, version = excluded.version, updated_at = excluded.updated_at),
	ordered AS (
		INSERT INTO errands (id, user_id, source, kind, external_id, product_id, next_at, created_at)
		SELECT e.id, person.user_id, e.source, e.kind, e.external_id, e.product_id, @now::timestamptz, @now::timestamptz
		FROM jsonb_populate_recordset(NULL::errands, @orders::jsonb) e, person
		` + errandAgain + `),
	audit AS (
		INSERT INTO entitlement_changes (id, user_id, at, actor, actor_id, action, reason, webhook_id, before, after)
		SELECT @change_id::uuid, user_id, @now::timestamptz, @actor::text, @actor_id::uuid, @action::text, @reason::text, @webhook::uuid, @before::jsonb, @after::jsonb
		FROM person WHERE @before::jsonb <> @after::jsonb OR @action::text <> ''),
	told AS (` + events.ColumnsAs("event", "jsonb_build_object('version', person.version)") + ` FROM person),
	written_to AS (` + events.ColumnsAs("notice", "") + ` FROM person WHERE @noticed::bool)
	SELECT version FROM person`

// saveAccount reports whether it was written: it is not when the account has another version by now.
func saveAccount(ctx context.Context, q pg.Querier, w saved) (bool, error) {
	purchases, err := json.Marshal(w.purchases)
	if err != nil {
		return false, fmt.Errorf("purchases: %w", err)
	}
	orders, err := json.Marshal(append([]errand{}, w.orders...))
	if err != nil {
		return false, fmt.Errorf("errands: %w", err)
	}
	before, err := json.Marshal(w.had)
	if err != nil {
		return false, fmt.Errorf("entitlement: %w", err)
	}
	after, err := json.Marshal(w.has)
	if err != nil {
		return false, fmt.Errorf("entitlement: %w", err)
	}
	notice := events.Notice{}
	if w.notice != nil {
		notice = *w.notice
	}
	a := w.account
	args := pgx.NamedArgs{
		"user": a.UserID, "tier": w.has.Tier, "source": w.has.Source, "state": w.has.State, "is_free": a.IsFree, "flips_at": w.has.FlipsAt,
		"change_id": uuid.Must(uuid.NewV7()), "actor": w.cause.Actor, "actor_id": orNull(w.cause.ActorID), "action": w.cause.Action, "reason": w.cause.Reason,
		"tried_at": a.TriedAt, "customer": a.Customer, "version": a.version, "now": w.now, "purchases": string(purchases), "orders": string(orders),
		"webhook": orNull(w.cause.WebhookID), "before": string(before), "after": string(after), "noticed": w.notice != nil,
	}
	args = events.SubscriptionChanged.ArgsAs(ctx, "event", w.event, args)
	args = events.BillingNotice.ArgsAs(ctx, "notice", notice, args)
	var found bool
	b := &pgx.Batch{}
	b.Queue(lockPersonSQL, args)
	b.Queue(saveAccountSQL, args).Query(pg.Found(&found))
	err = pg.Send(ctx, q, b)
	if pg.Violates(err, "purchases_external") || pg.Violates(err, "subscriptions_customer") {
		return false, nil // somebody else's since: the next look says whose
	}
	return found, err
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
