-- +goose NO TRANSACTION
-- +goose Up
-- A message is a code in its box, or a report that is asked of the task service at the moment it is sent: until then it is
-- what was ordered.
ALTER TABLE messages ADD COLUMN IF NOT EXISTS report jsonb;
ALTER TABLE messages DROP CONSTRAINT IF EXISTS messages_sealed, DROP CONSTRAINT IF EXISTS messages_content,
    ADD CONSTRAINT messages_content CHECK ((sealed IS NOT NULL OR report IS NOT NULL) = (state = 'pending')) NOT VALID;
ALTER TABLE messages VALIDATE CONSTRAINT messages_content;
