-- +goose NO TRANSACTION
-- +goose Up

-- What was done to a piece of equipment, newest first, with what that has cost from the index alone; and what is to be done.
CREATE INDEX CONCURRENTLY IF NOT EXISTS completions_equipment ON completions (equipment_id, completed_at DESC, id DESC)
    INCLUDE (residence_id, actual_cost) WHERE equipment_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_equipment ON tasks (equipment_id) WHERE equipment_id IS NOT NULL;
