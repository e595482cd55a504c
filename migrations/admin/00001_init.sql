-- +goose Up
-- Sign-ups by UTC day, for the dashboard.
CREATE TABLE signups (
    day    date PRIMARY KEY,
    people bigint NOT NULL
);
