-- +goose NO TRANSACTION
-- +goose Up

-- Whether an address is verified is told from now on. Of those who are there it is told once, at the version that they
-- have: who knows that version already learns nothing else. A batch is a transaction of its own, and locks nobody.
-- +goose StatementBegin
DO $$
DECLARE
    last uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    LOOP
        WITH batch AS (SELECT * FROM users WHERE id > last ORDER BY id LIMIT 1000),
        told AS (
            INSERT INTO outbox (id, name, payload)
            SELECT gen_random_uuid(), 'user.changed', jsonb_build_object(
                'id', u.id, 'email', u.email, 'username', u.username, 'first_name', u.first_name, 'last_name', u.last_name,
                'timezone', u.timezone, 'locale', u.locale, 'avatar_upload_id', u.avatar_upload_id, 'email_verified', u.email_verified,
                'version', u.version, 'token_hashes', '[]'::jsonb)
            FROM batch u WHERE u.is_active)
        SELECT id INTO last FROM batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN last IS NULL;
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd
