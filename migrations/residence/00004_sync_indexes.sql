-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY IF NOT EXISTS members_sync ON members (residence_id, sync_xid, user_id);
