-- +goose NO TRANSACTION
-- +goose Up

-- Notification reminds of tasks from now on. Those that are due on a day are told of once, as they stand, at the version
-- that they have: whoever has heard of a later one stays with that. A batch is a transaction of its own, and locks nobody.
-- +goose StatementBegin
DO $$
DECLARE
    last uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    LOOP
        WITH batch AS (SELECT * FROM tasks WHERE id > last ORDER BY id LIMIT 1000),
        told AS (
            INSERT INTO outbox (id, name, payload)
            SELECT gen_random_uuid(), 'task.changed', jsonb_build_object(
                'id', t.id, 'residence_id', t.residence_id, 'title', t.title, 'next_due_date', t.next_due_date,
                'assigned_to_id', t.assigned_to_id, 'open', true, 'version', t.version)
            FROM batch t WHERE t.next_due_date IS NOT NULL AND NOT (t.is_cancelled OR t.is_archived OR t.is_done))
        SELECT id INTO last FROM batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN last IS NULL;
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd
