-- +goose Up
-- The same in every service's database. An event's row is written by the statement that makes the change.
CREATE TABLE outbox (
    id             uuid PRIMARY KEY,
    name           text NOT NULL,
    payload        jsonb NOT NULL,
    trace          text NOT NULL DEFAULT '',
    -- Not the start of the transaction: of two changes of which one waited for the other's lock, the second is later here.
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until  timestamptz,
    published_at   timestamptz,
    -- Order of publishing, given once the event is in the queue: what the queue's high-water mark counts; and the life of
    -- the queue that it was put into: a queue that lost everything begins another.
    published_seq  bigint,
    published_life bigint,
    dropped_at     timestamptz
);
CREATE SEQUENCE outbox_published;
CREATE SEQUENCE outbox_lives;
-- Events first, then those that only have cache keys left to drop: a cache that is away holds no event up.
CREATE INDEX outbox_waiting ON outbox ((published_at IS NOT NULL), created_at) WHERE published_at IS NULL OR dropped_at IS NULL;
CREATE INDEX outbox_published_seq ON outbox (published_seq) WHERE published_seq IS NOT NULL;
CREATE INDEX outbox_published_life ON outbox (published_life) WHERE published_life IS NOT NULL;
CREATE INDEX outbox_age ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Events whose effect is in this database. Kept longer than outboxes are, so that a replay never repeats an effect.
CREATE TABLE inbox (
    event_id    uuid PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_age ON inbox (received_at);
