-- +goose Up

-- is_done: it was done and does not come back. Like next_due_date it is derived from completions and skips.
ALTER TABLE tasks
    ADD COLUMN is_done             boolean NOT NULL DEFAULT false,
    ADD COLUMN paused_from         date,
    ADD COLUMN paused_until        date, -- its last day; null: until further notice
    ADD COLUMN end_date            date,
    ADD COLUMN max_occurrences     int,
    ADD COLUMN checklist           jsonb NOT NULL DEFAULT '[]', -- in order: id, title, is_done, done_by_id, done_at
    ADD COLUMN rotation            text NOT NULL DEFAULT 'none',
    ADD COLUMN rotation_member_ids uuid[] NOT NULL DEFAULT '{}';

-- Not valid: the rows that are there hold the defaults, and need not be read for it.
ALTER TABLE tasks
    ADD CONSTRAINT tasks_max_occurrences CHECK (max_occurrences > 0) NOT VALID,
    ADD CONSTRAINT tasks_rotation CHECK (rotation IN ('none', 'round_robin', 'fewest_done', 'random')) NOT VALID;

UPDATE tasks SET is_done = true WHERE completion_count > 0 AND next_due_date IS NULL;

-- Occurrences that are not to be done, by the day that the rule gives them.
CREATE TABLE task_skips (
    id            uuid CONSTRAINT task_skips_pkey PRIMARY KEY,
    task_id       uuid NOT NULL CONSTRAINT task_skips_task REFERENCES tasks ON DELETE CASCADE,
    occurrence    date NOT NULL,
    reason        text,
    skipped_by_id uuid NOT NULL,
    skipped_at    timestamptz NOT NULL,
    CONSTRAINT task_skips_occurrence UNIQUE (task_id, occurrence)
);

-- Who left a residence of late: whom somebody is just assigning a task to meanwhile is taken off it after all.
CREATE TABLE gone_members (
    residence_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    gone_at      timestamptz NOT NULL,
    PRIMARY KEY (residence_id, user_id)
);
