-- +goose Up

-- Who may read a person's calendar feed: whoever has the key, of which only the SHA-256 is here. One a person.
CREATE TABLE calendar_feeds (
    user_id    uuid PRIMARY KEY,
    key_hash   bytea NOT NULL CONSTRAINT calendar_feeds_key UNIQUE,
    mine_only  boolean NOT NULL,
    created_at timestamptz NOT NULL
);
