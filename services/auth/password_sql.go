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

// endedSessions are the tokens (SHA-256, hex) that died with a password.
type endedSessions struct{ TokenHashes []string }

// lockPerson goes before a change of password in the same batch. Whoever is just opening a session holds this lock: the
// change waits for them, and only then looks for the sessions that it ends.
const lockPerson = `SELECT FROM users WHERE id = @user FOR NO KEY UPDATE`

// newPassword is the CTE person of a change of password; a condition may follow.
const newPassword = `
	UPDATE users SET password_hash = @password_hash, password_version = password_version + 1
	WHERE id = @user AND is_active`

// codesUsed makes the reset codes that are still on their way useless.
const codesUsed = `
	codes_used AS (
		UPDATE codes c SET used_at = @now::timestamptz FROM person
		WHERE c.user_id = person.id AND c.purpose = @purpose::text AND c.used_at IS NULL),`

// afterwards follows the CTEs person and ended: the events, and the counters of failed sign-ins.
var afterwards = reportEnded + `, told AS (` + events.ColumnsAs("told", "") + ` FROM person), ` + giveBack + `
	SELECT coalesce((SELECT list FROM hashes), '{}') AS token_hashes FROM person`

// changePassword replaces the password that was checked and ends the person's sessions but one. changed is false when it
// was another by then.
func changePassword(ctx context.Context, db *pg.DB, a attempt, hash string, keep uuid.UUID, now time.Time) (ended []string, changed bool, err error) {
	args := a.keys(pgx.NamedArgs{"user": a.ID, "password_hash": hash, "seen": a.PasswordVersion, "keep": keep, "purpose": resetPassword, "now": now})
	return replacePassword(ctx, db, "changed", `
		WITH person AS (`+newPassword+` AND password_version = @seen::int RETURNING id),
		ended AS (DELETE FROM sessions s USING person WHERE s.user_id = person.id AND s.id <> @keep::uuid RETURNING s.id, s.token_hash),
		unused AS (DELETE FROM reset_tokens t USING person WHERE t.user_id = person.id),`+codesUsed+afterwards, args)
}

// setPassword uses the reset token up, sets the password and ends all the person's sessions; no other reset token or
// code is good then. reset is false when the token was no longer good.
func setPassword(ctx context.Context, db *pg.DB, user uuid.UUID, hash string, tokenHash []byte, a attempt, now time.Time) (ended []string, reset bool, err error) {
	args := a.keys(pgx.NamedArgs{"user": user, "password_hash": hash, "token_hash": tokenHash, "purpose": resetPassword, "now": now})
	return replacePassword(ctx, db, "reset", `
		WITH used AS (
			DELETE FROM reset_tokens WHERE user_id = @user
				AND EXISTS (SELECT FROM reset_tokens WHERE token_hash = @token_hash::bytea AND user_id = @user AND expires_at > @now::timestamptz)
			RETURNING token_hash),
		person AS (`+newPassword+` AND EXISTS (SELECT FROM used WHERE token_hash = @token_hash::bytea) RETURNING id),
		ended AS (DELETE FROM sessions s USING person WHERE s.user_id = person.id RETURNING s.id, s.token_hash),`+codesUsed+afterwards, args)
}

func replacePassword(ctx context.Context, db *pg.DB, how, change string, args pgx.NamedArgs) ([]string, bool, error) {
	user, _ := args["user"].(uuid.UUID) // both callers set it
	args = events.SessionsEnded.Args(ctx, events.Sessions{UserID: user}, args)
	args = events.PasswordChanged.ArgsAs(ctx, "told", events.NewPassword{UserID: user, How: how}, args)
	var ended endedSessions
	var changed bool
	var batch pgx.Batch
	batch.Queue(lockPerson, pgx.NamedArgs{"user": user})
	batch.Queue(change, args).Query(pg.Row(&ended, &changed))
	if err := pg.Send(ctx, db, &batch); err != nil {
		return nil, false, fmt.Errorf("replace a password: %w", err)
	}
	return ended.TokenHashes, changed, nil
}

func findResetToken(ctx context.Context, db *pg.DB, hash []byte, now time.Time) (tokenOwner, bool, error) {
	owner, found, err := pg.One[tokenOwner](ctx, db, `
		SELECT u.id, u.email, u.username FROM reset_tokens t JOIN users u ON u.id = t.user_id
		WHERE t.token_hash = @hash::bytea AND t.expires_at > @now::timestamptz AND u.is_active`, pgx.NamedArgs{"hash": hash, "now": now})
	if err != nil {
		return owner, false, fmt.Errorf("find a reset token: %w", err)
	}
	return owner, found, nil
}
