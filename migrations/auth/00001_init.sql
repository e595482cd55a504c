-- +goose Up
CREATE TABLE users (
    id               uuid PRIMARY KEY,
    email            text NOT NULL CONSTRAINT users_email_length CHECK (length(email) BETWEEN 3 AND 254),
    username         text NOT NULL CONSTRAINT users_username_length CHECK (length(username) BETWEEN 3 AND 30),
    password_hash    text NOT NULL,
    -- Grows when the password is changed or reset, not when the same password is hashed anew.
    password_version int NOT NULL DEFAULT 1,
    first_name       text NOT NULL DEFAULT '',
    last_name        text NOT NULL DEFAULT '',
    phone            text,
    bio              text,
    avatar_upload_id uuid,
    timezone         text NOT NULL DEFAULT 'UTC',
    locale           text NOT NULL DEFAULT 'en',
    email_verified   boolean NOT NULL DEFAULT false,
    is_active        boolean NOT NULL DEFAULT true,
    version          int NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
CREATE UNIQUE INDEX users_username_key ON users (lower(username));

-- A device that is signed in. Of its token only the SHA-256 is here.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    token_hash   bytea NOT NULL CONSTRAINT sessions_token_hash_key UNIQUE CONSTRAINT sessions_token_hash_size CHECK (octet_length(token_hash) = 32),
    device_name  text NOT NULL DEFAULT '',
    platform     text NOT NULL DEFAULT '',
    app_version  text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id, id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Six digits that were e-mailed, as a keyed hash. Only a person's newest of a purpose counts.
CREATE TABLE codes (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose    text NOT NULL CONSTRAINT codes_purpose CHECK (purpose IN ('verify_email', 'reset_password')),
    code_hash  bytea NOT NULL CONSTRAINT codes_code_hash_size CHECK (octet_length(code_hash) = 32),
    tries      int NOT NULL DEFAULT 0 CONSTRAINT codes_tries CHECK (tries BETWEEN 0 AND 5),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX codes_newest ON codes (user_id, purpose, created_at DESC, id DESC);
CREATE INDEX codes_expiry ON codes (expires_at);

-- What a right reset code is exchanged for. Of the token only the SHA-256 is here; using it deletes the row.
CREATE TABLE reset_tokens (
    token_hash bytea PRIMARY KEY CONSTRAINT reset_tokens_token_hash_size CHECK (octet_length(token_hash) = 32),
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX reset_tokens_of_user ON reset_tokens (user_id);
CREATE INDEX reset_tokens_expiry ON reset_tokens (expires_at);

-- How often something was tried, in a window that begins with the first try.
CREATE TABLE attempts (
    key   text PRIMARY KEY CONSTRAINT attempts_key_length CHECK (length(key) <= 200),
    tries int NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX attempts_until ON attempts (until);
