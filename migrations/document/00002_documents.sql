-- +goose Up

-- Blobs that no upload holds: keys that were given out and may have been written, and what is left of uploads that are
-- gone. The collector deletes the blob first and the row then. Every blob in the storage is named here or in uploads.
CREATE TABLE loose_blobs (
    key    text PRIMARY KEY,
    due_at timestamptz NOT NULL -- when the collector may delete it
);
CREATE INDEX loose_blobs_due ON loose_blobs (due_at);

-- Files. awaited: its bytes are still to come straight to the storage.
CREATE TABLE uploads (
    id           uuid CONSTRAINT uploads_pkey PRIMARY KEY,
    owner_id     uuid NOT NULL, -- who uploaded it
    state        text NOT NULL CONSTRAINT uploads_state CHECK (state IN ('awaited', 'stored')),
    filename     text NOT NULL,
    content_type text NOT NULL,
    size         bigint NOT NULL CONSTRAINT uploads_size CHECK (size >= 0),
    sha256       bytea,
    width        int,
    height       int,
    page_count   int,
    blob_key     text NOT NULL,
    thumb_key    text, -- at most 320 pixels each way
    thumb_width  int,
    thumb_height int,
    preview_key  text, -- at most 1280
    preview_width int,
    preview_height int,
    words        tsvector, -- of its text
    -- The work that is done after the upload: thumbnails, pages, text. work_at: not before then, or the end of a lease.
    work         text NOT NULL CONSTRAINT uploads_work CHECK (work IN ('none', 'todo', 'done', 'failed')),
    work_tries   int NOT NULL DEFAULT 0,
    work_at      timestamptz NOT NULL,
    -- Since when nothing claims it; null: something does; infinity: since the collector's last look.
    unclaimed_at timestamptz,
    invited_at   timestamptz, -- of one that is awaited: when it was announced last, if again
    created_at   timestamptz NOT NULL
);
CREATE INDEX uploads_unclaimed ON uploads (unclaimed_at) WHERE unclaimed_at IS NOT NULL;
CREATE INDEX uploads_unclaimed_owner ON uploads (owner_id) WHERE unclaimed_at IS NOT NULL;
CREATE INDEX uploads_owner ON uploads (owner_id);
CREATE INDEX uploads_todo ON uploads (work_at) WHERE work = 'todo';

-- What keeps an upload, and who sees it for that: the members of the residence; without one the person, and of an avatar
-- all who share a residence with them.
CREATE TABLE claims (
    upload_id    uuid NOT NULL CONSTRAINT claims_upload REFERENCES uploads ON DELETE CASCADE,
    kind         text NOT NULL CONSTRAINT claims_kind CHECK (kind IN ('document', 'equipment', 'completion', 'contractor', 'avatar')),
    subject_id   uuid NOT NULL,
    residence_id uuid,
    user_id      uuid,
    task_id      uuid, -- of a completion
    PRIMARY KEY (upload_id, kind, subject_id),
    CONSTRAINT claims_seen_by CHECK ((residence_id IS NULL) <> (user_id IS NULL))
);
CREATE INDEX claims_subject ON claims (subject_id);
CREATE INDEX claims_residence ON claims (residence_id) WHERE residence_id IS NOT NULL;
CREATE INDEX claims_user ON claims (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX claims_task ON claims (task_id) WHERE task_id IS NOT NULL;

-- How new what is known of another service's thing is: its events come in any order. Of a task that has moved, where to.
CREATE TABLE subjects (
    id           uuid PRIMARY KEY,
    version      int NOT NULL,
    residence_id uuid
);

-- Things of other services that are gone: ids are never used again.
CREATE TABLE gone_things (
    id      uuid PRIMARY KEY,
    gone_at timestamptz NOT NULL
);
CREATE INDEX gone_things_age ON gone_things (gone_at);

CREATE TABLE equipment (
    id                  uuid CONSTRAINT equipment_pkey PRIMARY KEY,
    residence_id        uuid NOT NULL,
    created_by_id       uuid NOT NULL,
    name                text NOT NULL,
    category            text NOT NULL,
    manufacturer        text,
    model_number        text,
    serial_number       text,
    location            text,
    notes               text,
    purchase_date       date,
    purchase_price      bigint,
    install_date        date,
    expected_life_years int CONSTRAINT equipment_life CHECK (expected_life_years > 0),
    removed_date        date, -- null: it is in use
    upload_ids          uuid[] NOT NULL DEFAULT '{}', -- photos
    version             int NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    sync_xid            xid8 NOT NULL DEFAULT '0'
);
CREATE INDEX equipment_residence ON equipment (residence_id, lower(name), id);
CREATE INDEX equipment_sync ON equipment (residence_id, sync_xid, id);

CREATE TABLE documents (
    id               uuid CONSTRAINT documents_pkey PRIMARY KEY,
    residence_id     uuid NOT NULL,
    created_by_id    uuid NOT NULL,
    title            text NOT NULL,
    description      text,
    document_type    text NOT NULL,
    upload_id        uuid,
    image_ids        uuid[] NOT NULL DEFAULT '{}', -- uploads, in the order in which they are shown
    is_active        boolean NOT NULL DEFAULT true,
    contractor_id    uuid,
    task_id          uuid,
    equipment_id     uuid CONSTRAINT documents_equipment REFERENCES equipment ON DELETE SET NULL,
    item_name        text,
    model_number     text,
    serial_number    text,
    provider         text,
    provider_contact text,
    claim_phone      text,
    claim_email      text,
    claim_website    text,
    purchase_date    date,
    start_date       date,
    end_date         date,
    price            bigint,
    words            tsvector NOT NULL, -- of all the above and of the file
    version          int NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    sync_xid         xid8 NOT NULL DEFAULT '0',
    CONSTRAINT documents_images CHECK (cardinality(image_ids) <= 20)
);
CREATE INDEX documents_residence ON documents (residence_id, created_at DESC, id DESC);
CREATE INDEX documents_expiry ON documents (residence_id, end_date, id) WHERE end_date IS NOT NULL;
CREATE INDEX documents_upload ON documents (upload_id) WHERE upload_id IS NOT NULL;
CREATE INDEX documents_contractor ON documents (contractor_id) WHERE contractor_id IS NOT NULL;
CREATE INDEX documents_task ON documents (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX documents_equipment ON documents (equipment_id) WHERE equipment_id IS NOT NULL;
CREATE INDEX documents_words ON documents USING gin (words);
CREATE INDEX documents_sync ON documents (residence_id, sync_xid, id);

-- The delta sync, as in the other services (package delta): what changed since when, what is gone, and where we are.
CREATE TABLE tombstones (
    key        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    scope      uuid NOT NULL,
    kind       text NOT NULL,
    id         uuid NOT NULL,
    sync_xid   xid8 NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tombstones_scope ON tombstones (scope, sync_xid, key);
CREATE INDEX tombstones_id ON tombstones (id);
CREATE INDEX tombstones_age ON tombstones (deleted_at);

CREATE TABLE sync_marks (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    seen xid8 NOT NULL
);
INSERT INTO sync_marks (seen) VALUES (pg_current_xact_id());

-- +goose StatementBegin
CREATE FUNCTION sync_after(before xid8) RETURNS xid8 LANGUAGE plpgsql AS $$
BEGIN
    IF before > pg_current_xact_id() AND before < pg_snapshot_xmax(pg_current_snapshot()) THEN
        RETURN before;
    END IF;
    RETURN pg_current_xact_id();
END $$;

CREATE FUNCTION sync_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.sync_xid := sync_after(OLD.sync_xid);
    ELSE
        NEW.sync_xid := sync_after(coalesce(
            (SELECT t.sync_xid FROM tombstones t WHERE t.id = NEW.id ORDER BY t.sync_xid DESC LIMIT 1), '0'));
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION sync_bury() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid)
    SELECT d.residence_id, TG_ARGV[0], d.id, sync_after(d.sync_xid) FROM deleted d
    WHERE NOT EXISTS (SELECT FROM gone_residences g WHERE g.residence_id = d.residence_id);
    RETURN NULL;
END $$;

CREATE FUNCTION sync_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid) VALUES (OLD.residence_id, TG_ARGV[0], OLD.id, NEW.sync_xid);
    RETURN NULL;
END $$;

-- folded is the text without case and accents, as it is looked for, in whatever of Unicode's forms it was written: keyboards
-- send an accented letter as one character, files often as two, and what a PDF says has ligatures.
CREATE FUNCTION folded(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(replace(replace(translate(
        normalize(regexp_replace(lower(normalize($1, NFKD)), '[\u0300-\u036f]+', '', 'g'), NFC),
        'đħıłøŧς', 'dhilotσ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')
$$;

-- parted is the folded text with spaces for punctuation: the parser of words would take 12-3 for two numbers, of which one is
-- negative, and an address for one word.
CREATE FUNCTION parted(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT translate(folded($1), $p$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$p$, repeat(' ', 32))
$$;

CREATE FUNCTION words_of(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('simple', parted($1))
$$;

-- Who changes what claims uploads locks them first, all of them and in one order, and after their own row: else two who name
-- the same ones would wait for each other. The lock keeps others from claiming them meanwhile.
CREATE FUNCTION lock_uploads(uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM uploads WHERE id = ANY ($1) ORDER BY id FOR UPDATE;
END $$;

CREATE FUNCTION equipment_uploads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM lock_uploads(NEW.upload_ids);
    ELSIF OLD.upload_ids <> NEW.upload_ids THEN
        PERFORM lock_uploads(OLD.upload_ids || NEW.upload_ids);
    END IF;
    RETURN NEW;
END $$;

-- Words of names count more than those of notes, and those more than what stands in the file. What becomes known of a file
-- waits for who is just naming it, or is waited for: seen by neither of the two it would be lost.
CREATE FUNCTION document_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM lock_uploads(NEW.image_ids || NEW.upload_id);
    ELSIF OLD.image_ids <> NEW.image_ids OR OLD.upload_id IS DISTINCT FROM NEW.upload_id THEN
        PERFORM lock_uploads(OLD.image_ids || OLD.upload_id || NEW.image_ids || NEW.upload_id);
    END IF;
    NEW.words := setweight(words_of(NEW.title), 'A')
        || setweight(words_of(concat_ws(' ', NEW.item_name, NEW.model_number, NEW.serial_number, NEW.provider)), 'B')
        || setweight(words_of(concat_ws(' ', NEW.description, NEW.provider_contact, NEW.claim_email, NEW.claim_website)), 'C')
        || coalesce((SELECT u.words FROM uploads u WHERE u.id = NEW.upload_id), ''::tsvector);
    RETURN NEW;
END $$;

-- What became known of the file's text is looked for in its documents.
CREATE FUNCTION upload_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE documents SET words = words WHERE upload_id = NEW.id;
    RETURN NULL;
END $$;

-- A document's and a piece of equipment's claims are what their rows name.
CREATE FUNCTION document_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM claims WHERE kind = 'document' AND subject_id = NEW.id
        AND (residence_id <> NEW.residence_id OR NOT (upload_id = ANY (NEW.image_ids) OR upload_id IS NOT DISTINCT FROM NEW.upload_id));
    INSERT INTO claims (upload_id, kind, subject_id, residence_id)
    SELECT DISTINCT named.id, 'document', NEW.id, NEW.residence_id FROM unnest(NEW.image_ids || NEW.upload_id) AS named(id)
    WHERE named.id IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION equipment_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM claims WHERE kind = 'equipment' AND subject_id = NEW.id
        AND (residence_id <> NEW.residence_id OR upload_id <> ALL (NEW.upload_ids));
    INSERT INTO claims (upload_id, kind, subject_id, residence_id)
    SELECT DISTINCT named.id, 'equipment', NEW.id, NEW.residence_id FROM unnest(NEW.upload_ids) AS named(id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE FUNCTION no_claims() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM claims WHERE kind = TG_ARGV[0] AND subject_id IN (SELECT id FROM deleted);
    RETURN NULL;
END $$;

CREATE FUNCTION upload_claimed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE uploads SET unclaimed_at = NULL WHERE unclaimed_at IS NOT NULL AND id IN (SELECT upload_id FROM added);
    RETURN NULL;
END $$;

-- Waits for whoever is claiming one of them: their claim's reference locks the upload, and the next statement sees it.
CREATE FUNCTION upload_unclaimed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_uploads(ARRAY(SELECT upload_id FROM deleted));
    UPDATE uploads u SET unclaimed_at = 'infinity'
    WHERE u.id IN (SELECT upload_id FROM deleted) AND NOT EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id);
    RETURN NULL;
END $$;

-- What an upload no longer names is for the collector at once; but where its bytes were still to come, they can come as
-- long as the last invitation lasts, which may be a new one for an old upload.
CREATE FUNCTION blobs_loose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO loose_blobs (key, due_at)
    SELECT k.key, CASE WHEN d.state = 'awaited' THEN coalesce(d.invited_at, d.created_at) + interval '2 hours' ELSE '-infinity' END
    FROM deleted d CROSS JOIN LATERAL (VALUES (d.blob_key), (d.thumb_key), (d.preview_key)) AS k(key)
    WHERE k.key IS NOT NULL
    ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at;
    RETURN NULL;
END $$;

CREATE FUNCTION blobs_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO loose_blobs (key, due_at)
        SELECT k.key, CASE WHEN OLD.state = 'awaited' THEN coalesce(OLD.invited_at, OLD.created_at) + interval '2 hours' ELSE '-infinity' END
        FROM (VALUES (OLD.blob_key), (OLD.thumb_key), (OLD.preview_key)) AS k(key)
        WHERE k.key IS NOT NULL AND NOT coalesce(k.key IN (NEW.blob_key, NEW.thumb_key, NEW.preview_key), false)
        ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at;
    END IF;
    DELETE FROM loose_blobs WHERE key IN (NEW.blob_key, NEW.thumb_key, NEW.preview_key);
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION sync_stamp();
CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON equipment FOR EACH ROW EXECUTE FUNCTION sync_stamp();
CREATE TRIGGER sync_bury AFTER DELETE ON documents REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION sync_bury('document');
CREATE TRIGGER sync_bury AFTER DELETE ON equipment REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION sync_bury('equipment');
CREATE TRIGGER sync_leave AFTER UPDATE ON documents FOR EACH ROW
    WHEN (OLD.residence_id <> NEW.residence_id) EXECUTE FUNCTION sync_leave('document');
CREATE TRIGGER sync_leave AFTER UPDATE ON equipment FOR EACH ROW
    WHEN (OLD.residence_id <> NEW.residence_id) EXECUTE FUNCTION sync_leave('equipment');

CREATE TRIGGER document_words BEFORE INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION document_words();
CREATE TRIGGER equipment_uploads BEFORE INSERT OR UPDATE ON equipment FOR EACH ROW EXECUTE FUNCTION equipment_uploads();
CREATE TRIGGER upload_words AFTER UPDATE ON uploads FOR EACH ROW
    WHEN (OLD.words IS DISTINCT FROM NEW.words) EXECUTE FUNCTION upload_words();

CREATE TRIGGER claims AFTER INSERT ON documents FOR EACH ROW EXECUTE FUNCTION document_claims();
CREATE TRIGGER claims_changed AFTER UPDATE ON documents FOR EACH ROW
    WHEN (OLD.image_ids <> NEW.image_ids OR OLD.upload_id IS DISTINCT FROM NEW.upload_id OR OLD.residence_id <> NEW.residence_id)
    EXECUTE FUNCTION document_claims();
CREATE TRIGGER claims_gone AFTER DELETE ON documents REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION no_claims('document');
CREATE TRIGGER claims AFTER INSERT ON equipment FOR EACH ROW EXECUTE FUNCTION equipment_claims();
CREATE TRIGGER claims_changed AFTER UPDATE ON equipment FOR EACH ROW
    WHEN (OLD.upload_ids <> NEW.upload_ids OR OLD.residence_id <> NEW.residence_id)
    EXECUTE FUNCTION equipment_claims();
CREATE TRIGGER claims_gone AFTER DELETE ON equipment REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION no_claims('equipment');

CREATE TRIGGER upload_claimed AFTER INSERT ON claims REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION upload_claimed();
CREATE TRIGGER upload_unclaimed AFTER DELETE ON claims REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION upload_unclaimed();
CREATE TRIGGER blobs_held AFTER INSERT OR UPDATE OF blob_key, thumb_key, preview_key ON uploads FOR EACH ROW EXECUTE FUNCTION blobs_held();
CREATE TRIGGER blobs_loose AFTER DELETE ON uploads REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION blobs_loose();
