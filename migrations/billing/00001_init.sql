-- +goose Up
-- What a tier allows. Null: as many as they like.
CREATE TABLE plans (
    tier        text PRIMARY KEY CONSTRAINT plans_tier CHECK (tier IN ('free', 'pro')),
    properties  int CONSTRAINT plans_properties CHECK (properties >= 0),
    tasks       int CONSTRAINT plans_tasks CHECK (tasks >= 0),
    contractors int CONSTRAINT plans_contractors CHECK (contractors >= 0),
    documents   int CONSTRAINT plans_documents CHECK (documents >= 0)
);
INSERT INTO plans (tier, properties, tasks, contractors, documents) VALUES
    ('free', 1, 10, 5, 5),
    ('pro', NULL, NULL, NULL, NULL);

-- One row.
CREATE TABLE settings (
    singleton           bool PRIMARY KEY DEFAULT true CONSTRAINT settings_singleton CHECK (singleton),
    limitations_enabled bool NOT NULL DEFAULT false
);
INSERT INTO settings DEFAULT VALUES;

-- Everybody has one, from the day they register.
CREATE TABLE subscriptions (
    user_id    uuid PRIMARY KEY,
    tier       text NOT NULL DEFAULT 'free' CONSTRAINT subscriptions_tier REFERENCES plans,
    source     text NOT NULL DEFAULT 'none' CONSTRAINT subscriptions_source CHECK (source IN ('none', 'stripe', 'apple', 'google')),
    is_free    bool NOT NULL DEFAULT false, -- never limited, whatever the tier
    version    int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX subscriptions_by_tier ON subscriptions (tier);
