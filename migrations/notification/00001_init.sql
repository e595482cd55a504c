-- +goose Up
-- Persons, as auth tells of them.
CREATE TABLE people (
    user_id          uuid PRIMARY KEY,
    email            text NOT NULL,
    username         text NOT NULL,
    first_name       text NOT NULL,
    last_name        text NOT NULL,
    timezone         text NOT NULL,
    locale           text NOT NULL,
    avatar_upload_id uuid,
    version          int NOT NULL
);

-- What a person wants to hear of, and how. Everybody has a row for every kind, from the day they register.
CREATE TABLE preferences (
    user_id uuid NOT NULL,
    kind    text NOT NULL CONSTRAINT preferences_kind CHECK (kind IN ('task_due_soon', 'task_overdue', 'task_completed',
        'task_assigned', 'residence_shared', 'warranty_expiring', 'digest')),
    push    bool NOT NULL DEFAULT true,
    email   bool NOT NULL DEFAULT true,
    PRIMARY KEY (user_id, kind)
);

-- Residences and who belongs to them, as the residence service tells. Its events may come in any order: a row is as of
-- the latest event that spoke of it, and what is gone stays as a mark for those that come late.
-- as_of sorts: the instant and the id of that event.
CREATE TABLE residences (
    residence_id uuid PRIMARY KEY,
    owner_id     uuid NOT NULL,
    gone_at      timestamptz,
    as_of        text COLLATE "C" NOT NULL
);
CREATE TABLE members (
    residence_id uuid NOT NULL,
    user_id      uuid NOT NULL,
    role         text CONSTRAINT members_role CHECK (role IN ('owner', 'member', 'viewer')), -- null: no member any more
    as_of        text COLLATE "C" NOT NULL,
    PRIMARY KEY (residence_id, user_id)
);
CREATE INDEX members_of_person ON members (user_id) WHERE role IS NOT NULL;

-- The inbox that people see.
CREATE TABLE notifications (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL,
    kind         text NOT NULL CONSTRAINT notifications_kind CHECK (kind IN ('task_due_soon', 'task_overdue', 'task_completed',
        'task_assigned', 'residence_shared', 'warranty_expiring', 'digest')),
    residence_id uuid,
    subject_id   uuid, -- the task, the document, ...
    title        text NOT NULL,
    body         text NOT NULL,
    read_at      timestamptz,
    created_at   timestamptz NOT NULL
);
CREATE INDEX notifications_of_person ON notifications (user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;
CREATE INDEX notifications_of_residence ON notifications (residence_id);

-- Codes on their way to a person. The code is sealed until the moment it is sent, and nowhere afterwards.
CREATE TABLE messages (
    id            uuid PRIMARY KEY, -- the event's
    user_id       uuid NOT NULL,
    purpose       text NOT NULL,
    email         text NOT NULL,
    first_name    text NOT NULL,
    locale        text NOT NULL,
    sealed        bytea,
    state         text NOT NULL DEFAULT 'pending' CONSTRAINT messages_state CHECK (state IN ('pending', 'sent', 'expired')),
    trace         text NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    claimed_until timestamptz,
    sent_at       timestamptz,
    CONSTRAINT messages_sealed CHECK ((sealed IS NOT NULL) = (state = 'pending')),
    CONSTRAINT messages_sent CHECK ((sent_at IS NOT NULL) = (state = 'sent'))
);
CREATE INDEX messages_pending ON messages (created_at) WHERE state = 'pending';
CREATE INDEX messages_of_person ON messages (user_id);
