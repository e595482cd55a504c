-- +goose Up
CREATE TABLE residence_types (
    id            uuid PRIMARY KEY,
    name          text NOT NULL CONSTRAINT residence_types_name UNIQUE,
    icon          text NOT NULL,
    color         text NOT NULL,
    display_order int NOT NULL
);
INSERT INTO residence_types (id, name, icon, color, display_order) VALUES
    ('01910000-0000-7000-8000-000000000101', 'House', 'house', '#2E7D32', 1),
    ('01910000-0000-7000-8000-000000000102', 'Apartment', 'apartment', '#1565C0', 2),
    ('01910000-0000-7000-8000-000000000103', 'Condo', 'condo', '#6A1B9A', 3),
    ('01910000-0000-7000-8000-000000000104', 'Townhouse', 'townhouse', '#AD1457', 4),
    ('01910000-0000-7000-8000-000000000105', 'Duplex', 'duplex', '#00838F', 5),
    ('01910000-0000-7000-8000-000000000106', 'Mobile home', 'mobile_home', '#EF6C00', 6),
    ('01910000-0000-7000-8000-000000000107', 'Cabin', 'cabin', '#5D4037', 7),
    ('01910000-0000-7000-8000-000000000108', 'Farm', 'farm', '#827717', 8),
    ('01910000-0000-7000-8000-000000000109', 'Other', 'other', '#546E7A', 9);

CREATE TABLE residences (
    id                uuid PRIMARY KEY,
    name              text NOT NULL,
    residence_type_id uuid CONSTRAINT residences_type REFERENCES residence_types,
    currency          text NOT NULL,
    timezone          text NOT NULL,
    street_address    text,
    apartment_unit    text,
    city              text,
    state_province    text,
    postal_code       text,
    country           text,
    bedrooms          int,
    bathrooms         numeric(4, 1),
    square_footage    int,
    lot_size          numeric(12, 2),
    year_built        int,
    description       text,
    purchase_date     date,
    purchase_price    bigint, -- hundredths of the currency's unit
    version           int NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);
CREATE INDEX residences_by_type ON residences (residence_type_id);

CREATE TABLE members (
    residence_id uuid NOT NULL REFERENCES residences ON DELETE CASCADE,
    user_id      uuid NOT NULL,
    role         text NOT NULL CONSTRAINT members_role CHECK (role IN ('owner', 'member', 'viewer')),
    joined_at    timestamptz NOT NULL,
    PRIMARY KEY (residence_id, user_id)
);
CREATE UNIQUE INDEX members_one_owner ON members (residence_id) WHERE role = 'owner';
CREATE INDEX members_of_person ON members (user_id, joined_at, residence_id);

-- A person's primary home. The key makes a second one impossible, whatever runs at the same time.
CREATE TABLE primary_homes (
    user_id      uuid PRIMARY KEY,
    residence_id uuid NOT NULL,
    FOREIGN KEY (residence_id, user_id) REFERENCES members (residence_id, user_id) ON DELETE CASCADE
);
CREATE INDEX primary_homes_by_member ON primary_homes (residence_id, user_id);

-- A code is found by its HMAC and shown again from its seal: whoever reads this table, or a backup of it, can join nothing.
CREATE TABLE share_codes (
    id            uuid PRIMARY KEY,
    residence_id  uuid NOT NULL REFERENCES residences ON DELETE CASCADE,
    lookup        bytea NOT NULL,
    sealed        bytea NOT NULL,
    role          text NOT NULL CONSTRAINT share_codes_role CHECK (role IN ('member', 'viewer')),
    created_by_id uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz, -- used, replaced or withdrawn
    used_by_id    uuid
);
CREATE UNIQUE INDEX share_codes_one_active ON share_codes (residence_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX share_codes_lookup ON share_codes (lookup);
CREATE INDEX share_codes_by_residence ON share_codes (residence_id);

-- Wrong codes that a person has tried since an instant; one row a person.
CREATE TABLE join_tries (
    user_id  uuid PRIMARY KEY,
    failures int NOT NULL,
    since    timestamptz NOT NULL
);

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
