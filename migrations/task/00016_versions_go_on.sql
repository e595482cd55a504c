-- +goose Up

-- What is deleted and added again under its id is a later version of it, or whoever was told of the deletion would take it
-- for deleted still. version is the one with which its end was told; null: it has moved, or was deleted before this was kept.
ALTER TABLE tombstones ADD COLUMN version int;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sync_bury() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tombstones (scope, kind, id, sync_xid, version)
    SELECT d.residence_id, TG_ARGV[0], d.id, sync_after(d.sync_xid), d.version + 1 FROM deleted d
    WHERE NOT EXISTS (SELECT FROM gone_residences g WHERE g.residence_id = d.residence_id);
    RETURN NULL;
END $$;
-- +goose StatementEnd
