-- +goose Up

-- How many completions there were when the rotation began: turns are counted from there.
ALTER TABLE tasks ADD COLUMN rotation_start int NOT NULL DEFAULT 0;
