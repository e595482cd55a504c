-- +goose NO TRANSACTION
-- +goose Up

-- What a residence is called is of interest to notification from now on: of those that are there it is told once. Each is
-- locked as whoever changes it does, and read after that, so that who owns it is as of when the event says. Nobody's access
-- has changed: no members are named whose caches would be dropped. A batch is a transaction of its own.
-- +goose StatementBegin
DO $$
DECLARE
    last uuid := '00000000-0000-0000-0000-000000000000';
    batch uuid[];
BEGIN
    LOOP
        batch := ARRAY(SELECT id FROM residences WHERE id > last ORDER BY id LIMIT 100);
        EXIT WHEN cardinality(batch) = 0;
        PERFORM FROM residences WHERE id = ANY(batch) ORDER BY id FOR UPDATE;
        INSERT INTO outbox (id, name, payload)
        SELECT gen_random_uuid(), 'residence.changed', jsonb_build_object(
            'id', r.id, 'name', r.name, 'timezone', r.timezone, 'currency', r.currency, 'version', r.version, 'owner_id', m.user_id,
            'member_ids', '[]'::jsonb)
        FROM residences r JOIN members m ON m.residence_id = r.id AND m.role = 'owner' WHERE r.id = ANY(batch);
        last := batch[cardinality(batch)];
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd
