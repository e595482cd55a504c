-- +goose NO TRANSACTION
-- +goose Up

-- A contractor's work newest first, and its figures from the index alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS completions_work ON completions (contractor_id, completed_at DESC, id DESC)
    INCLUDE (residence_id, rating, actual_cost) WHERE contractor_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS completions_contractor;
