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

// insertCode follows a CTE person.
const insertCode = `INSERT INTO codes (id, user_id, purpose, code_hash, created_at, expires_at)
	SELECT @code_id::uuid, person.id, @purpose, @code_hash::bytea, @code_issued::timestamptz, @code_expires::timestamptz FROM person`

// args are the arguments of insertCode.
func (c code) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["code_id"], args["purpose"], args["code_hash"] = c.ID, c.Purpose, c.Hash
	args["code_issued"], args["code_expires"] = c.Issued, c.Expires
	return args
}

// sending is what became of a code that was to be sent.
type sending struct {
	Found        bool // there is such a person
	Verified     bool // and their address is verified
	RefusedUntil *time.Time
}

// sendCode writes the code and its event, unless one was sent within a minute or too many within a day, or an address
// to verify is verified. Sendings are counted for subject, which stands for people who do not exist as well.
func sendCode(ctx context.Context, db *pg.DB, c code, subject string) (sending, error) {
	args := c.args(pgx.NamedArgs{
		"user": c.UserID, "minute_key": c.minuteKey(subject), "day_key": c.dayKey(subject), "now": c.Issued,
		"minute": c.Issued.Add(codeEvery), "day": c.Issued.Add(codeDay), "per_day": codesPerDay, "verify": verifyEmail,
	})
	sent, _, err := pg.One[sending](ctx, db, `
		WITH minute AS (INSERT INTO attempts AS a (key, tries, until) VALUES (@minute_key, 1, @minute::timestamptz)`+countOn+`),
		day AS (
			INSERT INTO attempts AS a (key, tries, until)
			SELECT @day_key, 1, @day::timestamptz FROM minute WHERE minute.tries = 1`+countOn+`),
		known AS (SELECT id, email, first_name, locale, email_verified FROM users WHERE id = @user AND is_active),
		person AS (
			SELECT k.* FROM known k, day
			WHERE day.tries <= @per_day::int AND NOT (k.email_verified AND @purpose::text = @verify::text)),
		code AS (`+insertCode+`),
		event AS (`+events.ColumnsWith(`jsonb_build_object('email', p.email, 'first_name', p.first_name, 'locale', p.locale)`)+` FROM person p)
		SELECT k.id IS NOT NULL AS found, coalesce(k.email_verified, false) AS verified,
			CASE WHEN minute.tries > 1 THEN minute.until WHEN day.tries > @per_day::int THEN day.until END AS refused_until
		FROM minute LEFT JOIN day ON true LEFT JOIN known k ON true`,
		events.CodeIssued.Args(ctx, c.event(User{}), args))
	if err != nil {
		return sent, fmt.Errorf("send a code: %w", err)
	}
	return sent, nil
}

// tryNewest tries the newest code of the purpose, and uses it up if it is the one; more conditions may follow, then
// tryOutcome. A code is tried five times and used once however many try at a time: the row's lock puts them in order,
// and each looks at the row again.
const tryNewest = `
	UPDATE codes SET tries = tries + 1, used_at = CASE WHEN code_hash = ANY(@hashes::bytea[]) THEN @now::timestamptz END
	WHERE id = (SELECT id FROM codes WHERE user_id = @user AND purpose = @purpose::text ORDER BY created_at DESC, id DESC LIMIT 1)
		AND used_at IS NULL AND tries < @tries::int AND expires_at > @now::timestamptz`

const tryOutcome = ` RETURNING user_id, used_at IS NOT NULL AS matches`

// verification is what became of a try to verify.
type verification struct {
	User
	TokenHashes []string
	WasVerified bool
	Right       bool
}

// tryVerification tries a code and, when it is right, marks the address as verified. found is false when there is no
// such person.
func tryVerification(ctx context.Context, db *pg.DB, user uuid.UUID, hashes [][]byte, now time.Time) (verification, bool, error) {
	args := events.UserChanged.Args(ctx, events.UserChange{}, pgx.NamedArgs{
		"user": user, "purpose": verifyEmail, "hashes": hashes, "now": now, "tries": codeTries,
	})
	v, found, err := pg.One[verification](ctx, db, `
		WITH tried AS (`+tryNewest+tryOutcome+`),
		changed AS (
			UPDATE users SET email_verified = true, version = version + 1, updated_at = @now::timestamptz
			WHERE id = @user AND is_active AND NOT email_verified AND EXISTS (SELECT FROM tried WHERE matches)
			RETURNING `+userColumns+`),`+reportChanged+`
		SELECT `+userColumns+`, token_hashes, false AS was_verified, true AS right FROM changed, tokens
		UNION ALL
		SELECT `+userColumns+`, '{}', email_verified, false FROM users WHERE id = @user AND is_active AND NOT EXISTS (SELECT FROM changed)`, args)
	if err != nil {
		return v, false, fmt.Errorf("verify e-mail address: %w", err)
	}
	return v, found, nil
}

// resetTry is what became of a try of a reset code.
type resetTry struct {
	Right        bool
	RefusedUntil *time.Time
}

// tryResetCode tries a code and, when it is right, keeps the reset token of that hash. The try is counted under key
// too, whether or not there is such a person, so that both cost the same.
func tryResetCode(ctx context.Context, db *pg.DB, user uuid.UUID, hashes [][]byte, tokenHash []byte, key string, now time.Time) (resetTry, error) {
	try, _, err := pg.One[resetTry](ctx, db, `
		WITH guesses AS (INSERT INTO attempts AS a (key, tries, until) VALUES (@key, 1, @until::timestamptz)`+countOn+`),
		tried AS (`+tryNewest+` AND (SELECT g.tries FROM guesses g) <= @max::int`+tryOutcome+`),
		token AS (
			INSERT INTO reset_tokens (token_hash, user_id, expires_at)
			SELECT @token_hash::bytea, user_id, @expires::timestamptz FROM tried WHERE matches RETURNING user_id)
		SELECT EXISTS (SELECT FROM token) AS right, CASE WHEN tries > @max::int THEN until END AS refused_until FROM guesses`,
		pgx.NamedArgs{
			"user": user, "purpose": resetPassword, "hashes": hashes, "now": now, "tries": codeTries, "token_hash": tokenHash,
			"expires": now.Add(resetLife), "key": key, "until": now.Add(guessWindow), "max": resetGuessesMax,
		})
	if err != nil {
		return try, fmt.Errorf("try a reset code: %w", err)
	}
	return try, nil
}

// findByEmail answers who has the address.
func findByEmail(ctx context.Context, db *pg.DB, email string) (uuid.UUID, bool, error) {
	id, found, err := pg.Scalar[uuid.UUID](ctx, db, `SELECT id FROM users WHERE lower(email) = lower(@email) AND is_active`, pgx.NamedArgs{"email": email})
	if err != nil {
		return id, false, fmt.Errorf("find by e-mail address: %w", err)
	}
	return id, found, nil
}
