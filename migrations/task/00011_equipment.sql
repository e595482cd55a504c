-- +goose Up

-- The equipment that a task is about, and that a completion was done to. It belongs to the document service: nothing
-- here refers to it, and what is deleted there is let go of when its event comes.
ALTER TABLE tasks ADD COLUMN equipment_id uuid;
ALTER TABLE completions ADD COLUMN equipment_id uuid;

-- Equipment that is gone: ids are never used again. What is being written just then may still name it.
CREATE TABLE gone_equipment (
    equipment_id uuid PRIMARY KEY,
    gone_at      timestamptz NOT NULL
);
CREATE INDEX gone_equipment_age ON gone_equipment (gone_at);
