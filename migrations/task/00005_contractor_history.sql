-- +goose Up

-- What a contractor was called, written when it is deleted: the work that it did stays in the log under its name.
ALTER TABLE completions ADD COLUMN contractor_name text;
