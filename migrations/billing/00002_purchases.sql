-- +goose Up
ALTER TABLE plans ADD COLUMN IF NOT EXISTS equipment int CONSTRAINT plans_equipment CHECK (equipment >= 0);
ALTER TABLE plans ADD COLUMN IF NOT EXISTS version int NOT NULL DEFAULT 1;
UPDATE plans SET equipment = 10 WHERE tier = 'free';

ALTER TABLE settings ADD COLUMN IF NOT EXISTS grace_days int NOT NULL DEFAULT 7 CONSTRAINT settings_grace CHECK (grace_days BETWEEN 0 AND 60);
ALTER TABLE settings ADD COLUMN IF NOT EXISTS trial_days int NOT NULL DEFAULT 14 CONSTRAINT settings_trial CHECK (trial_days BETWEEN 0 AND 365);
ALTER TABLE settings ADD COLUMN IF NOT EXISTS version int NOT NULL DEFAULT 1;

-- A person's subscription is the best of what they have bought, as it was last worked out; the rest of the row is what no
-- shop knows. flips_at is when it becomes another by itself: then it is worked out again.
ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_source,
    ADD CONSTRAINT subscriptions_source CHECK (source IN ('none', 'stripe', 'apple', 'google', 'grant')) NOT VALID;
ALTER TABLE subscriptions VALIDATE CONSTRAINT subscriptions_source;
ALTER TABLE subscriptions
    ADD COLUMN IF NOT EXISTS state text NOT NULL DEFAULT 'none',
    ADD COLUMN IF NOT EXISTS flips_at timestamptz,
    ADD COLUMN IF NOT EXISTS tried_at timestamptz, -- a trial is had once
    ADD COLUMN IF NOT EXISTS stripe_customer_id text CONSTRAINT subscriptions_customer UNIQUE;
CREATE INDEX IF NOT EXISTS subscriptions_flips ON subscriptions (flips_at) WHERE flips_at IS NOT NULL;

-- What is for sale, by the name that the shop has for it (Stripe: the price's id; Apple and Google: the product's).
CREATE TABLE products (
    source     text NOT NULL CONSTRAINT products_source CHECK (source IN ('stripe', 'apple', 'google')),
    product_id text NOT NULL,
    tier       text NOT NULL CONSTRAINT products_tier REFERENCES plans,
    period     text NOT NULL CONSTRAINT products_period CHECK (period IN ('month', 'year')),
    is_active  bool NOT NULL DEFAULT true, -- what is not for sale any more goes on counting for who has bought it
    version    int NOT NULL DEFAULT 1,
    PRIMARY KEY (source, product_id)
);

-- One subscription in one shop, or one grant by staff, as it was last seen there.
CREATE TABLE purchases (
    id             uuid PRIMARY KEY,
    user_id        uuid NOT NULL,
    source         text NOT NULL CONSTRAINT purchases_source CHECK (source IN ('stripe', 'apple', 'google', 'grant')),
    external_id    text NOT NULL, -- Stripe: the subscription; Apple: the original transaction; Google: the purchase token
    product_id     text NOT NULL,
    tier           text NOT NULL CONSTRAINT purchases_tier REFERENCES plans,
    state          text NOT NULL CONSTRAINT purchases_state CHECK (state IN ('active', 'past_due', 'on_hold', 'paused', 'incomplete', 'expired', 'revoked')),
    is_trial       bool NOT NULL DEFAULT false,
    auto_renew     bool NOT NULL DEFAULT false,
    environment    text NOT NULL DEFAULT 'production' CONSTRAINT purchases_environment CHECK (environment IN ('production', 'sandbox')),
    started_at     timestamptz NOT NULL,
    expires_at     timestamptz, -- of what is paid or tried; null: never
    grace_until    timestamptz, -- of what is past due
    refunded_until timestamptz, -- what was paid up to then was given back
    superseded_by  text,        -- the external id of what it was changed into
    observed_at    timestamptz NOT NULL, -- by the shop's clock
    check_at       timestamptz, -- when the shop is to be asked how it is
    version        int NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT purchases_external UNIQUE (source, external_id)
);
CREATE INDEX purchases_of_person ON purchases (user_id);
CREATE INDEX purchases_to_check ON purchases (check_at) WHERE check_at IS NOT NULL;

-- Who changed what a person has, and why.
CREATE TABLE entitlement_changes (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL CONSTRAINT entitlement_changes_actor CHECK (actor IN ('person', 'staff', 'stripe', 'apple', 'google', 'time', 'system')),
    actor_id   uuid, -- of a person or a member of staff
    action     text NOT NULL DEFAULT '', -- what staff did; a shop's reason says it
    reason     text NOT NULL,
    webhook_id uuid,
    before     jsonb NOT NULL,
    after      jsonb NOT NULL
);
CREATE INDEX entitlement_changes_of_person ON entitlement_changes (user_id, at DESC, id DESC);

-- What the shops have told, once each, as it came.
CREATE TABLE webhook_events (
    id            uuid PRIMARY KEY,
    source        text NOT NULL CONSTRAINT webhook_events_source CHECK (source IN ('stripe', 'apple', 'google')),
    external_id   text NOT NULL,
    type          text NOT NULL,
    subject       text, -- the purchase's external id, where the event names one
    occurred_at   timestamptz NOT NULL, -- by the shop's clock
    received_at   timestamptz NOT NULL,
    body          bytea NOT NULL,
    state         text NOT NULL DEFAULT 'pending' CONSTRAINT webhook_events_state CHECK (state IN ('pending', 'done', 'ignored', 'unclaimed', 'failed')),
    outcome       text NOT NULL DEFAULT '', -- what came of it, or the last error
    tries         int NOT NULL DEFAULT 0,
    next_at       timestamptz NOT NULL,
    claimed_until timestamptz,
    done_at       timestamptz,
    trace         text NOT NULL DEFAULT '',
    CONSTRAINT webhook_events_external UNIQUE (source, external_id)
);
CREATE INDEX webhook_events_pending ON webhook_events (next_at) WHERE state = 'pending';
CREATE INDEX webhook_events_unclaimed ON webhook_events (source, subject) WHERE state = 'unclaimed';
CREATE INDEX webhook_events_received ON webhook_events (received_at);

-- What is to be done in a shop; the row is there before the shop is asked, and goes when it has answered.
CREATE TABLE errands (
    id            uuid PRIMARY KEY, -- also the idempotency key, where the shop takes one
    user_id       uuid NOT NULL,
    source        text NOT NULL CONSTRAINT errands_source CHECK (source IN ('stripe', 'apple', 'google')),
    kind          text NOT NULL CONSTRAINT errands_kind CHECK (kind IN ('cancel', 'acknowledge', 'forget')),
    external_id   text NOT NULL,
    product_id    text NOT NULL DEFAULT '',
    state         text NOT NULL DEFAULT 'pending' CONSTRAINT errands_state CHECK (state IN ('pending', 'failed')),
    outcome       text NOT NULL DEFAULT '',
    tries         int NOT NULL DEFAULT 0,
    next_at       timestamptz NOT NULL,
    claimed_until timestamptz,
    created_at    timestamptz NOT NULL,
    CONSTRAINT errands_once UNIQUE (source, kind, external_id)
);
CREATE INDEX errands_pending ON errands (next_at) WHERE state = 'pending';

-- Persons who are gone: what a shop tells of them later makes nothing anew.
CREATE TABLE gone_people (
    user_id uuid PRIMARY KEY,
    at      timestamptz NOT NULL
);

-- What the apps show of the tiers, and when. Features are what a tier is praised for; a trigger is what somebody ran into.
CREATE TABLE features (
    key           text PRIMARY KEY CONSTRAINT features_key CHECK (key ~ '^[a-z][a-z0-9_]{0,63}$'),
    name          text NOT NULL,
    description   text NOT NULL DEFAULT '',
    icon          text NOT NULL DEFAULT '',
    free          text NOT NULL DEFAULT '', -- what of it the tier has, in words; empty: nothing
    pro           text NOT NULL DEFAULT '',
    display_order int NOT NULL DEFAULT 0,
    is_active     bool NOT NULL DEFAULT true,
    version       int NOT NULL DEFAULT 1
);
CREATE TABLE upgrade_triggers (
    key         text PRIMARY KEY CONSTRAINT upgrade_triggers_key CHECK (key ~ '^[a-z][a-z0-9_]{0,63}$'),
    title       text NOT NULL,
    message     text NOT NULL,
    button_text text NOT NULL,
    is_active   bool NOT NULL DEFAULT true,
    version     int NOT NULL DEFAULT 1
);
CREATE TABLE promotions (
    id          uuid PRIMARY KEY,
    key         text NOT NULL CONSTRAINT promotions_unique_key UNIQUE CONSTRAINT promotions_key CHECK (key ~ '^[a-z][a-z0-9_]{0,63}$'),
    title       text NOT NULL,
    message     text NOT NULL,
    button_text text NOT NULL DEFAULT '',
    link        text,
    coupon      text, -- Stripe's, for who buys there
    tiers       text[] NOT NULL DEFAULT '{}', -- empty: all
    platforms   text[] NOT NULL DEFAULT '{}', -- ios, android, web; empty: all
    starts_at   timestamptz,
    ends_at     timestamptz,
    share       int NOT NULL DEFAULT 100 CONSTRAINT promotions_share CHECK (share BETWEEN 0 AND 100), -- per cent of people, always the same ones
    priority    int NOT NULL DEFAULT 0, -- the highest first
    is_active   bool NOT NULL DEFAULT true,
    version     int NOT NULL DEFAULT 1,
    CONSTRAINT promotions_dates CHECK (starts_at < ends_at)
);

-- Who of the staff changed what, apart from what a person has.
CREATE TABLE staff_changes (
    id       uuid PRIMARY KEY,
    at       timestamptz NOT NULL,
    staff_id uuid NOT NULL,
    what     text NOT NULL, -- the table
    key      text NOT NULL, -- of the row
    action   text NOT NULL CONSTRAINT staff_changes_action CHECK (action IN ('added', 'changed', 'removed', 'replayed', 'retried')),
    before   jsonb,
    after    jsonb
);
CREATE INDEX staff_changes_latest ON staff_changes (at DESC, id DESC);

INSERT INTO features (key, name, description, icon, free, pro, display_order) VALUES
    ('residences', 'Residences', 'Every home that you look after, in one place', 'house', '1', 'Unlimited', 1),
    ('tasks', 'Tasks', 'Maintenance that comes back when it is due', 'checklist', '10', 'Unlimited', 2),
    ('contractors', 'Contractors', 'Who has done what, and how well', 'wrench', '5', 'Unlimited', 3),
    ('documents', 'Documents and warranties', 'Papers, receipts and warranties with their ends', 'doc', '5', 'Unlimited', 4),
    ('equipment', 'Equipment', 'Appliances and systems with their history and cost', 'gear', '10', 'Unlimited', 5),
    ('sharing', 'Sharing', 'Family and flatmates with you in a residence', 'people', 'Included', 'Included', 6),
    ('reports', 'Reports', 'The history of a home as a PDF, for insurers and buyers', 'chart', 'Included', 'Included', 7);
INSERT INTO upgrade_triggers (key, title, message, button_text) VALUES
    ('add_property', 'Look after more than one home', 'The free plan has room for one residence. With Pro there is no limit.', 'See Pro'),
    ('add_task', 'More to do than the free plan holds', 'You have reached the free plan''s tasks. With Pro there is no limit.', 'See Pro'),
    ('add_contractor', 'Keep every contractor you trust', 'You have reached the free plan''s contractors. With Pro there is no limit.', 'See Pro'),
    ('add_document', 'Keep all your papers together', 'You have reached the free plan''s documents. With Pro there is no limit.', 'See Pro'),
    ('add_equipment', 'Know all that your home consists of', 'You have reached the free plan''s equipment. With Pro there is no limit.', 'See Pro'),
    ('view_plans', 'Hearth Pro', 'Unlimited residences, tasks, contractors, documents and equipment.', 'Upgrade');
