-- +goose Up

-- Warranties, as the document service tells: what reminders of their last day are made from. Its events come in any order,
-- so a document that is no warranty any more, or deleted, keeps a row without an end, with its version.
CREATE TABLE warranties (
    document_id  uuid PRIMARY KEY,
    residence_id uuid NOT NULL,
    title        text NOT NULL,
    item_name    text,
    end_date     date, -- the last day; null: it is for life, or no warranty
    is_active    boolean NOT NULL,
    version      int NOT NULL,
    deleted      boolean NOT NULL DEFAULT false
);
CREATE INDEX warranties_ending ON warranties (end_date) WHERE end_date IS NOT NULL AND is_active AND NOT deleted;
CREATE INDEX warranties_of_residence ON warranties (residence_id);
