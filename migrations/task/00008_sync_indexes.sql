-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_sync ON tasks (residence_id, sync_xid, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS completions_sync ON completions (residence_id, sync_xid, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS contractors_sync ON contractors ((coalesce(residence_id, created_by_id)), sync_xid, id);
