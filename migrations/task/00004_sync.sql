-- +goose Up

-- What changed since when, for the delta sync: sync_xid is the transaction that wrote the row last. Rows from before this
-- migration have 0: they are in everybody's first load and in nobody's delta.
ALTER TABLE tasks ADD COLUMN sync_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE completions ADD COLUMN sync_xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE contractors ADD COLUMN sync_xid xid8 NOT NULL DEFAULT '0';

-- What is no longer in a scope, so that whoever has it lets it go. A scope is a residence, or of a personal contractor
-- its creator. Kept for 90 days.
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

-- What is added again under the id of something deleted is newer than its tombstone.
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

-- Nothing is kept of what a deleted residence held: that nobody sees the residence any more says it all.
CREATE FUNCTION sync_bury() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid)
    SELECT d.residence_id, TG_ARGV[0], d.id, sync_after(d.sync_xid) FROM deleted d
    WHERE NOT EXISTS (SELECT FROM gone_residences g WHERE g.residence_id = d.residence_id);
    RETURN NULL;
END $$;

CREATE FUNCTION sync_bury_contractors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid)
    SELECT coalesce(d.residence_id, d.created_by_id), 'contractor', d.id, sync_after(d.sync_xid) FROM deleted d
    WHERE NOT EXISTS (SELECT FROM gone_residences g WHERE g.residence_id = d.residence_id);
    RETURN NULL;
END $$;

-- What moves leaves a tombstone where it was.
CREATE FUNCTION sync_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid) VALUES (OLD.residence_id, TG_ARGV[0], OLD.id, NEW.sync_xid);
    RETURN NULL;
END $$;

CREATE FUNCTION sync_leave_contractor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid)
    VALUES (coalesce(OLD.residence_id, OLD.created_by_id), 'contractor', OLD.id, NEW.sync_xid);
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION sync_stamp();
CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON completions FOR EACH ROW EXECUTE FUNCTION sync_stamp();
CREATE TRIGGER sync_stamp BEFORE INSERT OR UPDATE ON contractors FOR EACH ROW EXECUTE FUNCTION sync_stamp();
CREATE TRIGGER sync_bury AFTER DELETE ON tasks REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION sync_bury('task');
CREATE TRIGGER sync_bury AFTER DELETE ON completions REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION sync_bury('completion');
CREATE TRIGGER sync_bury AFTER DELETE ON contractors REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION sync_bury_contractors();
CREATE TRIGGER sync_leave AFTER UPDATE ON tasks FOR EACH ROW
    WHEN (OLD.residence_id <> NEW.residence_id) EXECUTE FUNCTION sync_leave('task');
CREATE TRIGGER sync_leave AFTER UPDATE ON completions FOR EACH ROW
    WHEN (OLD.residence_id <> NEW.residence_id) EXECUTE FUNCTION sync_leave('completion');
CREATE TRIGGER sync_leave AFTER UPDATE ON contractors FOR EACH ROW
    WHEN (coalesce(OLD.residence_id, OLD.created_by_id) <> coalesce(NEW.residence_id, NEW.created_by_id))
    EXECUTE FUNCTION sync_leave_contractor();
