package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// countOn ends an INSERT INTO attempts AS a (key, tries, until): one more, in a window that begins anew when it is over.
const countOn = ` ON CONFLICT (key) DO UPDATE SET
	tries = CASE WHEN a.until <= @now::timestamptz THEN 1 ELSE a.tries + 1 END,
	until = CASE WHEN a.until <= @now::timestamptz THEN excluded.until ELSE a.until END
	RETURNING a.key, a.tries, a.until`

// attemptSQL finds the person and counts the try: at the address, then at the account from there, then at the account.
// What one of them refuses is not counted by the next, or one address could lock everybody else out. The order is that
// of giveBack, so that the two cannot block each other.
const attemptSQL = `
	WITH person AS (
		SELECT id, email, username, password_hash, password_version, is_active FROM users
		WHERE id = @user::uuid OR lower(email) = lower(@login) OR lower(username) = lower(@login)),
	subject AS (SELECT coalesce((SELECT id::text FROM person), @nobody::text) AS name),
	address AS (
		INSERT INTO attempts AS a (key, tries, until)
		SELECT 'login:1:' || @address::text, 1, @until::timestamptz` + countOn + `),
	here AS (
		INSERT INTO attempts AS a (key, tries, until)
		SELECT 'login:2:' || s.name || '@' || @address::text, 1, @until::timestamptz FROM subject s, address WHERE address.tries <= @at_address::int` + countOn + `),
	account AS (
		INSERT INTO attempts AS a (key, tries, until)
		SELECT 'login:3:' || s.name, 1, @until::timestamptz FROM subject s, here WHERE here.tries <= @at_here::int` + countOn + `)
	SELECT p.id IS NOT NULL AS found, coalesce(p.id, '00000000-0000-0000-0000-000000000000') AS id,
		coalesce(p.email, '') AS email, coalesce(p.username, '') AS username, coalesce(p.password_hash, '') AS password_hash,
		coalesce(p.password_version, 0) AS password_version, coalesce(p.is_active, false) AS is_active,
		address.key AS address_key, coalesce(here.key, '') AS here_key, coalesce(account.key, '') AS account_key,
		CASE WHEN address.tries > @at_address::int THEN address.until
			WHEN here.tries > @at_here::int THEN here.until
			WHEN account.tries > @at_account::int THEN account.until END AS refused_until
	FROM address LEFT JOIN here ON true LEFT JOIN account ON true LEFT JOIN person p ON true`

func countAttempt(ctx context.Context, db *pg.DB, login string, user *uuid.UUID, nobody, address string, now time.Time) (attempt, error) {
	a, _, err := pg.One[attempt](ctx, db, attemptSQL, pgx.NamedArgs{
		"login": login, "user": user, "nobody": nobody, "address": address, "now": now, "until": now.Add(guessWindow),
		"at_address": guessesAddress, "at_here": guessesHere, "at_account": guessesAccount,
	})
	if err != nil {
		return a, fmt.Errorf("count a try: %w", err)
	}
	return a, nil
}

// giveBack is a CTE for statements with a CTE person, empty unless the password was right: the address gets its try
// back, and the account's failures are forgotten. Locks are taken in the order of attemptSQL.
const giveBack = `given_back AS (
	UPDATE attempts a SET tries = CASE WHEN a.key = @address_key THEN greatest(a.tries - 1, 0) ELSE 0 END
	FROM (SELECT key FROM attempts WHERE key = ANY(ARRAY[@address_key, @here_key, @account_key]::text[]) ORDER BY key COLLATE "C" FOR UPDATE) mine
	WHERE a.key = mine.key AND EXISTS (SELECT FROM person))`

// keys are the arguments of giveBack.
func (a attempt) keys(args pgx.NamedArgs) pgx.NamedArgs {
	args["address_key"], args["here_key"], args["account_key"] = a.AddressKey, a.HereKey, a.AccountKey
	return args
}

// attemptsAt are the counters of an account from an address, for giving back without a try.
func attemptsAt(user uuid.UUID, address string) attempt {
	return attempt{HereKey: "login:2:" + user.String() + "@" + address, AccountKey: "login:3:" + user.String()}
}
