package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
)

// userColumns are those of User.
const userColumns = `id, email, username, first_name, last_name, phone, bio, email_verified, timezone, locale, avatar_upload_id, version, created_at, updated_at`

const personSQL = `SELECT ` + userColumns + ` FROM users WHERE id = @user AND is_active`

func findUser(ctx context.Context, db *pg.DB, id uuid.UUID) (User, bool, error) {
	user, found, err := pg.One[User](ctx, db, personSQL, pgx.NamedArgs{"user": id})
	if err != nil {
		return user, false, fmt.Errorf("find person: %w", err)
	}
	return user, found, nil
}

// insertUser writes a person with their first session and code, and both events.
func insertUser(ctx context.Context, db *pg.DB, u User, passwordHash string, o opening, c code) error {
	args := o.args(c.args(pgx.NamedArgs{
		"user": u.ID, "email": u.Email, "username": u.Username, "password_hash": passwordHash,
		"first_name": u.FirstName, "last_name": u.LastName, "timezone": u.Timezone, "locale": u.Locale,
		"minute_key": c.minuteKey(u.ID.String()), "day_key": c.dayKey(u.ID.String()),
		"minute": o.At.Add(codeEvery), "day": o.At.Add(codeDay),
	}))
	args = events.UserRegistered.ArgsAs(ctx, "registered", u.event(), args)
	args = events.CodeIssued.ArgsAs(ctx, "issued", c.event(u), args)
	_, err := pg.Exec(ctx, db, `
		WITH person AS (
			INSERT INTO users (id, email, username, password_hash, first_name, last_name, timezone, locale, created_at, updated_at)
			VALUES (@user, @email, @username, @password_hash, @first_name, @last_name, @timezone, @locale, @now::timestamptz, @now::timestamptz)
			RETURNING id),
		session AS (`+insertSession+`),
		code AS (`+insertCode+`),
		counted AS (INSERT INTO attempts (key, tries, until) VALUES (@minute_key, 1, @minute::timestamptz), (@day_key, 1, @day::timestamptz)),
		registered AS (`+events.ColumnsAs("registered", "")+` FROM person),
		issued AS (`+events.ColumnsAs("issued", "")+` FROM person)
		SELECT id FROM person`, args)
	if err != nil {
		return fmt.Errorf("insert person: %w", err)
	}
	return nil
}

// changedUser is a person after a change, with the sessions to be read anew.
type changedUser struct {
	User
	TokenHashes []string
	Stale       bool // it was not changed: it has another version than the one that was asked for
	Denied      bool // nor was it, for the avatar
}

// reportChanged follows a CTE changed with the row of users: it writes their event.
var reportChanged = `
	tokens AS (SELECT coalesce(array_agg(encode(token_hash, 'hex')), '{}') AS token_hashes FROM sessions WHERE user_id = @user),
	event AS (` + events.ColumnsWith(`jsonb_build_object(
		'id', u.id, 'email', u.email, 'username', u.username, 'first_name', u.first_name, 'last_name', u.last_name, 'timezone', u.timezone,
		'locale', u.locale, 'avatar_upload_id', u.avatar_upload_id, 'email_verified', u.email_verified, 'version', u.version,
		'token_hashes', to_jsonb(t.token_hashes))`) + `
		FROM changed u, tokens t)`

// updateProfile applies the members of patch (JSON), unless the avatar in it is denied and another than the person has.
// found is false when there is no such person.
func updateProfile(ctx context.Context, db *pg.DB, user uuid.UUID, patch string, version *int, denied bool, now time.Time) (changedUser, bool, error) {
	args := events.UserChanged.Args(ctx, events.UserChange{}, pgx.NamedArgs{"user": user, "patch": patch, "version": version, "denied": denied, "now": now})
	changed, found, err := pg.One[changedUser](ctx, db, `
		WITH person AS (
			SELECT @denied::boolean AND p.avatar_upload_id IS DISTINCT FROM u.avatar_upload_id AS denied
			FROM users u, jsonb_populate_record(u, @patch::jsonb) p WHERE u.id = @user AND u.is_active
				AND (@version::int IS NULL OR u.version = @version::int)),
		changed AS (
			UPDATE users u SET (first_name, last_name, phone, bio, avatar_upload_id, timezone, locale) = (
				SELECT p.first_name, p.last_name, p.phone, p.bio, p.avatar_upload_id, p.timezone, p.locale
				FROM jsonb_populate_record(u, @patch::jsonb) p),
				version = version + 1, updated_at = @now::timestamptz
			WHERE id = @user AND is_active AND (@version::int IS NULL OR version = @version::int) AND NOT EXISTS (SELECT FROM person WHERE denied)
			RETURNING `+userColumns+`),`+reportChanged+`
		SELECT `+userColumns+`, token_hashes, false AS stale, false AS denied FROM changed, tokens
		UNION ALL
		SELECT `+userColumns+`, '{}', true, EXISTS (SELECT FROM person WHERE denied) FROM users WHERE id = @user AND is_active AND NOT EXISTS (SELECT FROM changed)`, args)
	if err != nil {
		return changed, false, fmt.Errorf("update profile: %w", err)
	}
	return changed, found, nil
}

// updateTimezone sets the zone. found is false when there was nothing to change.
func updateTimezone(ctx context.Context, db *pg.DB, user uuid.UUID, zone string, now time.Time) (changedUser, bool, error) {
	args := events.UserChanged.Args(ctx, events.UserChange{}, pgx.NamedArgs{"user": user, "zone": zone, "now": now})
	changed, found, err := pg.One[changedUser](ctx, db, `
		WITH changed AS (
			UPDATE users SET timezone = @zone, version = version + 1, updated_at = @now::timestamptz
			WHERE id = @user AND is_active AND timezone <> @zone RETURNING `+userColumns+`),`+reportChanged+`
		SELECT `+userColumns+`, token_hashes, false AS stale, false AS denied FROM changed, tokens`, args)
	if err != nil {
		return changed, false, fmt.Errorf("update time zone: %w", err)
	}
	return changed, found, nil
}
