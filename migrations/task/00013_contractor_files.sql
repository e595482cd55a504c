-- +goose Up

-- Uploads of the document service: a business card, a certificate of insurance, a licence.
ALTER TABLE contractors ADD COLUMN upload_ids uuid[] NOT NULL DEFAULT '{}';
