-- +goose Up
-- Residences that are deleted. Ids are never used again, so a row here is the last word on its residence, also for what
-- arrives late.
CREATE TABLE gone_residences (
    residence_id uuid PRIMARY KEY,
    gone_at      timestamptz NOT NULL
);
