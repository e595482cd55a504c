-- +goose NO TRANSACTION
-- +goose Up

-- Persons who are gone: what is told of them later makes nothing anew.
CREATE TABLE IF NOT EXISTS gone_people (
    user_id uuid PRIMARY KEY,
    at      timestamptz NOT NULL
);
CREATE INDEX CONCURRENTLY IF NOT EXISTS gone_people_at ON gone_people (at);

-- What is old is looked for every few minutes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_farewells ON messages (id) WHERE purpose = 'account_deleted';
CREATE INDEX CONCURRENTLY IF NOT EXISTS notifications_old ON notifications (created_at);

-- Whoever is deleted is forgotten as a former member, too.
CREATE INDEX CONCURRENTLY IF NOT EXISTS members_person ON members (user_id);
DROP INDEX CONCURRENTLY IF EXISTS members_of_person;
