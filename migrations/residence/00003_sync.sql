-- +goose Up

-- What changed since when, for the delta sync: sync_xid is the transaction that wrote the row last. Rows from before this
-- migration have 0: they are in everybody's first load and in nobody's delta.
ALTER TABLE residences ADD COLUMN sync_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE members ADD COLUMN sync_xid xid8 NOT NULL DEFAULT '0';

-- What is no longer in a scope, a residence, so that whoever has it lets it go. Kept for 90 days.
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

-- The highest transaction that was seen: a cluster that is behind it was filled from a dump of another one.
CREATE TABLE sync_marks (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    seen xid8 NOT NULL
);
INSERT INTO sync_marks (seen) VALUES (pg_current_xact_id());

-- sync_after is the mark of a row or of its tombstone that had another mark before. It never goes back: of two
-- transactions the one that began first may write last, and its row must not seem older than a tombstone that the other
-- one left. A mark that no transaction of this cluster can have made counts for nothing.
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
        NEW.sync_xid := pg_current_xact_id();
    END IF;
    RETURN NEW;
END $$;

-- Who joins again after they left is newer than the tombstone of their leaving.
CREATE FUNCTION sync_stamp_member() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        NEW.sync_xid := sync_after(OLD.sync_xid);
    ELSE
        NEW.sync_xid := sync_after(coalesce(
            (SELECT t.sync_xid FROM tombstones t WHERE t.id = NEW.user_id ORDER BY t.sync_xid DESC LIMIT 1), '0'));
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION sync_bury_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid)
    SELECT d.residence_id, 'member', d.user_id, sync_after(d.sync_xid) FROM deleted d
    WHERE EXISTS (SELECT FROM residences r WHERE r.id = d.residence_id); -- nobody looks for what a deleted one held
    RETURN NULL;
END $$;

-- A residence is sent again to whom it became, or is no longer, the primary home.
CREATE FUNCTION sync_touch_primary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE members SET sync_xid = sync_xid WHERE user_id = OLD.user_id AND residence_id = OLD.residence_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE members SET sync_xid = sync_xid WHERE user_id = NEW.user_id AND residence_id = NEW.residence_id;
    END IF;
    RETURN NULL;
END $$;

-- Members are sent again when they get another name.
CREATE FUNCTION sync_touch_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE members SET sync_xid = sync_xid WHERE user_id = NEW.user_id;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON residences FOR EACH ROW EXECUTE FUNCTION sync_stamp();
CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON members FOR EACH ROW EXECUTE FUNCTION sync_stamp_member();
CREATE TRIGGER sync_bury AFTER DELETE ON members REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION sync_bury_members();
CREATE TRIGGER sync_touch AFTER INSERT OR UPDATE OR DELETE ON primary_homes FOR EACH ROW EXECUTE FUNCTION sync_touch_primary();
CREATE TRIGGER sync_touch_new AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION sync_touch_person();
CREATE TRIGGER sync_touch AFTER UPDATE ON people FOR EACH ROW
    WHEN ((OLD.username, OLD.email, OLD.first_name, OLD.last_name, OLD.avatar_upload_id)
        IS DISTINCT FROM (NEW.username, NEW.email, NEW.first_name, NEW.last_name, NEW.avatar_upload_id))
    EXECUTE FUNCTION sync_touch_person();
