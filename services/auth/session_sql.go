package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// liveSessionSQL is the token check of every request that no cache answers.
const liveSessionSQL = `
	WITH live AS (
		SELECT s.id, s.user_id, s.last_used_at, u.timezone FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.token_hash = @hash AND s.expires_at > @now::timestamptz AND u.is_active),
	touched AS (
		UPDATE sessions s SET last_used_at = @now::timestamptz, expires_at = @expires::timestamptz
		FROM live WHERE s.id = live.id AND live.last_used_at < @stale::timestamptz)
	SELECT id, user_id, timezone FROM live`

func liveSession(ctx context.Context, db *pg.DB, hash []byte, now time.Time) (internalapi.Session, bool, error) {
	session, live, err := pg.One[internalapi.Session](ctx, db, liveSessionSQL, pgx.NamedArgs{
		"hash": hash, "now": now, "expires": now.Add(sessionLife), "stale": now.Add(-touchEvery),
	})
	if err != nil {
		return session, false, fmt.Errorf("session of a token: %w", err)
	}
	return session, live, nil
}

const insertSession = `INSERT INTO sessions (id, user_id, token_hash, device_name, platform, app_version, created_at, last_used_at, expires_at)
	SELECT @session_id::uuid, person.id, @token_hash::bytea, @device_name, @platform, @app_version, @now::timestamptz, @now::timestamptz, @session_expires::timestamptz
	FROM person`

// openSessionSQL opens the session only if the password is still the one that was checked. The lock makes it wait for a
// reset that is under way; a reset waits for it, and then sees its session.
const openSessionSQL = `
	WITH person AS (
		SELECT ` + userColumns + ` FROM users
		WHERE id = @user AND password_version = @password_version AND is_active FOR NO KEY UPDATE),
	session AS (` + insertSession + `),
	rehashed AS (
		UPDATE users u SET password_hash = @rehash::text FROM person WHERE u.id = person.id AND @rehash::text IS NOT NULL),
	` + giveBack + `
	SELECT ` + userColumns + ` FROM person`

func openSession(ctx context.Context, db *pg.DB, a attempt, o opening, rehash *string) (User, bool, error) {
	args := o.args(a.keys(pgx.NamedArgs{"user": a.ID, "password_version": a.PasswordVersion, "rehash": rehash}))
	user, open, err := pg.One[User](ctx, db, openSessionSQL, args)
	if err != nil {
		return user, false, fmt.Errorf("open session: %w", err)
	}
	return user, open, nil
}

// args are the arguments of insertSession.
func (o opening) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["session_id"], args["token_hash"], args["now"], args["session_expires"] = o.ID, o.Hash, o.At, o.expires()
	args["device_name"], args["platform"], args["app_version"] = o.Device.Name, o.Device.Platform, o.Device.AppVersion
	return args
}

// reportEnded follows a CTE ended with the id and token_hash of sessions that were deleted: it writes their event.
var reportEnded = `
	hashes AS (SELECT array_agg(encode(token_hash, 'hex')) AS list, jsonb_agg(id) AS ids FROM ended HAVING count(*) > 0),
	event AS (` + events.ColumnsWith(`jsonb_build_object('session_ids', ids, 'token_hashes', to_jsonb(list))`) + ` FROM hashes)`

var endSessionsSQL = `
	WITH ended AS (
		DELETE FROM sessions WHERE user_id = @user AND (@session::uuid IS NULL OR id = @session::uuid) RETURNING id, token_hash),` +
	reportEnded + `
	SELECT list FROM hashes`

// endSessions ends one session of a person or all, and answers the hashes (hex) of their tokens; nil if there was none.
func endSessions(ctx context.Context, db *pg.DB, user uuid.UUID, session *uuid.UUID) ([]string, error) {
	args := events.SessionsEnded.Args(ctx, events.Sessions{UserID: user}, pgx.NamedArgs{"user": user, "session": session})
	hashes, _, err := pg.Scalar[[]string](ctx, db, endSessionsSQL, args)
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	return hashes, nil
}

func listSessions(ctx context.Context, db *pg.DB, actor identity.Actor, after *uuid.UUID, limit int, now time.Time) ([]DeviceSession, error) {
	rows, err := pg.All[DeviceSession](ctx, db, `
		SELECT id, device_name, platform, app_version, created_at, last_used_at, id = @current::uuid AS current FROM sessions
		WHERE user_id = @user AND expires_at > @now::timestamptz AND (@after::uuid IS NULL OR id < @after::uuid)
		ORDER BY id DESC LIMIT @limit`,
		pgx.NamedArgs{"user": actor.UserID, "current": actor.SessionID, "now": now, "after": after, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("sessions of a person: %w", err)
	}
	return rows, nil
}
