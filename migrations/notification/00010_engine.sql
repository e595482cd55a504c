-- +goose NO TRANSACTION
-- +goose Up

-- Whether the address is the person's own; null: auth has not told yet. Who is welcomed is welcomed once. bounced is an
-- address that their provider calls none.
ALTER TABLE people ADD COLUMN IF NOT EXISTS email_verified boolean, ADD COLUMN IF NOT EXISTS welcomed_at timestamptz,
    ADD COLUMN IF NOT EXISTS bounced text;
-- The name, as of named_as_of; null: not told yet.
ALTER TABLE residences ADD COLUMN IF NOT EXISTS name text, ADD COLUMN IF NOT EXISTS name_version int NOT NULL DEFAULT 0;

-- What a person has chosen beside the kinds: when to be reminded, and when not to be disturbed. Times are of the clock on
-- their wall.
CREATE TABLE IF NOT EXISTS settings (
    user_id        uuid PRIMARY KEY,
    reminder_time  time NOT NULL DEFAULT '09:00',
    digest_time    time NOT NULL DEFAULT '08:00',
    due_soon_days  int NOT NULL DEFAULT 1 CONSTRAINT settings_due_soon CHECK (due_soon_days BETWEEN 1 AND 30),
    quiet_from     time,
    quiet_until    time, -- the day after, when it is not after quiet_from
    snoozed_until  timestamptz,
    snooze_minutes int NOT NULL DEFAULT 60 CONSTRAINT settings_snooze CHECK (snooze_minutes BETWEEN 5 AND 10080),
    version        int NOT NULL DEFAULT 1,
    CONSTRAINT settings_quiet CHECK ((quiet_from IS NULL) = (quiet_until IS NULL) AND quiet_from <> quiet_until)
);
INSERT INTO settings (user_id) SELECT DISTINCT user_id FROM preferences ON CONFLICT DO NOTHING;

-- Phones and tablets. A token belongs to whoever registered it last.
CREATE TABLE IF NOT EXISTS devices (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL,
    session_id  uuid, -- that registered it: when it ends, the device hears no more
    platform    text NOT NULL CONSTRAINT devices_platform CHECK (platform IN ('ios', 'android')),
    environment text NOT NULL CONSTRAINT devices_environment CHECK (environment IN ('production', 'sandbox')),
    token       text NOT NULL,
    token_hash  bytea NOT NULL, -- SHA-256 of platform and token
    name        text,
    app_version text,
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL, -- when it registered last
    dead_at     timestamptz,          -- the provider calls the token dead, or the session has ended
    dead_reason text
);
CREATE UNIQUE INDEX IF NOT EXISTS devices_token ON devices (token_hash);
CREATE INDEX IF NOT EXISTS devices_of_person ON devices (user_id, seen_at DESC) WHERE dead_at IS NULL;
CREATE INDEX IF NOT EXISTS devices_of_session ON devices (session_id) WHERE dead_at IS NULL;
CREATE INDEX IF NOT EXISTS devices_dead ON devices (dead_at) WHERE dead_at IS NOT NULL;

-- What a notification's words are made from, for mails and for apps that go to what it is about.
ALTER TABLE notifications ADD COLUMN IF NOT EXISTS data jsonb NOT NULL DEFAULT '{}';
CREATE INDEX CONCURRENTLY IF NOT EXISTS notifications_of_subject ON notifications (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS notifications_old ON notifications (created_at);

-- A message is what goes to one address: a mail to a person, or a push to one of their devices. next_at is when it may be
-- taken; of one that is being sent, when its lease is over. Each provider has a lane: one that is away holds up no other.
ALTER TABLE messages
    ADD COLUMN IF NOT EXISTS channel text NOT NULL DEFAULT 'email' CONSTRAINT messages_channel CHECK (channel IN ('email', 'push')),
    ADD COLUMN IF NOT EXISTS lane text NOT NULL DEFAULT 'mail' CONSTRAINT messages_lane CHECK (lane IN ('mail', 'apns', 'apns_sandbox', 'fcm')),
    ADD COLUMN IF NOT EXISTS kind text, -- of the preference; null: it is sent whatever a person prefers
    ADD COLUMN IF NOT EXISTS notification_id uuid,
    ADD COLUMN IF NOT EXISTS device_id uuid,
    ADD COLUMN IF NOT EXISTS data jsonb,
    ADD COLUMN IF NOT EXISTS tries int NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS next_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN IF NOT EXISTS reason text,      -- why it failed or was suppressed, or why it is tried again
    ADD COLUMN IF NOT EXISTS provider_id text, -- what the provider calls it
    ADD COLUMN IF NOT EXISTS settled_at timestamptz;
ALTER TABLE messages ALTER COLUMN email SET DEFAULT '', ALTER COLUMN first_name SET DEFAULT '', ALTER COLUMN locale SET DEFAULT '';
ALTER TABLE messages DROP CONSTRAINT IF EXISTS messages_state, DROP CONSTRAINT IF EXISTS messages_content, DROP CONSTRAINT IF EXISTS messages_sealed,
    DROP CONSTRAINT IF EXISTS messages_lives,
    ADD CONSTRAINT messages_state CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'suppressed', 'expired')) NOT VALID,
    ADD CONSTRAINT messages_sealed CHECK (sealed IS NULL OR state IN ('pending', 'sending')) NOT VALID;
ALTER TABLE messages VALIDATE CONSTRAINT messages_state;
ALTER TABLE messages VALIDATE CONSTRAINT messages_sealed;
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_due ON messages (lane, next_at) WHERE state IN ('pending', 'sending');
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_waiting ON messages (user_id, lane) WHERE state IN ('pending', 'sending');
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_expiring ON messages (expires_at) WHERE state IN ('pending', 'sending');
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_of_notification ON messages (notification_id) WHERE state IN ('pending', 'sending');
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_settled ON messages (created_at) WHERE state NOT IN ('pending', 'sending');
DROP INDEX CONCURRENTLY IF EXISTS messages_done;
DROP INDEX CONCURRENTLY IF EXISTS messages_pending;

-- Tasks, as the task service tells of them: what reminders are made from. One that is deleted stays as a mark for events
-- that come late.
CREATE TABLE IF NOT EXISTS tasks (
    task_id      uuid PRIMARY KEY,
    residence_id uuid NOT NULL,
    title        text NOT NULL,
    due_date     date,
    assigned_to  uuid,
    open         boolean NOT NULL,
    version      int NOT NULL,
    deleted_at   timestamptz
);
CREATE INDEX IF NOT EXISTS tasks_of_residence ON tasks (residence_id);
CREATE INDEX IF NOT EXISTS tasks_deleted ON tasks (deleted_at) WHERE deleted_at IS NOT NULL;

-- What a person is to be reminded of next. There is one for each person and thing; when it has fired, it says what comes
-- then. fire_at null: nothing comes any more for this date.
CREATE TABLE IF NOT EXISTS reminders (
    user_id      uuid NOT NULL,
    subject      text NOT NULL CONSTRAINT reminders_subject CHECK (subject IN ('task', 'warranty', 'digest', 'snooze')),
    subject_id   uuid NOT NULL, -- the task, the document, the person (digest), the notification (snooze)
    residence_id uuid,
    on_date      date,          -- the due date, the last day of a warranty, the day of the digest
    step         int NOT NULL DEFAULT 0,
    fire_at      timestamptz,
    PRIMARY KEY (user_id, subject, subject_id)
);
CREATE INDEX IF NOT EXISTS reminders_due ON reminders (fire_at) WHERE fire_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS reminders_of_subject ON reminders (subject_id);
CREATE INDEX IF NOT EXISTS reminders_of_residence ON reminders (residence_id, user_id);

-- Whoever was here before is to be planned for: step -1 says so.
INSERT INTO reminders (user_id, subject, subject_id, step, fire_at) SELECT user_id, 'digest', user_id, -1, now() FROM people ON CONFLICT DO NOTHING;
INSERT INTO reminders (user_id, subject, subject_id, residence_id, on_date, step, fire_at)
SELECT m.user_id, 'warranty', w.document_id, w.residence_id, w.end_date, -1, now()
FROM warranties w JOIN members m ON m.residence_id = w.residence_id AND m.role IN ('owner', 'member')
WHERE w.end_date IS NOT NULL AND w.is_active AND NOT w.deleted ON CONFLICT DO NOTHING;
