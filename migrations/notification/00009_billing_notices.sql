-- +goose NO TRANSACTION
-- +goose Up
-- A message is a code in its box, a report that was ordered, or something to write about a subscription.
ALTER TABLE messages ADD COLUMN IF NOT EXISTS notice jsonb;
ALTER TABLE messages DROP CONSTRAINT IF EXISTS messages_content,
    ADD CONSTRAINT messages_content CHECK ((sealed IS NOT NULL OR report IS NOT NULL OR notice IS NOT NULL) = (state = 'pending')) NOT VALID;
ALTER TABLE messages VALIDATE CONSTRAINT messages_content;
