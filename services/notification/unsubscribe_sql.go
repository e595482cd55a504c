package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

const (
	// mailedSQL answers for somebody who is gone as for one who gets no mails.
	mailedSQL = `
SELECT coalesce((SELECT p.locale FROM people p WHERE p.user_id = @user_id::uuid), '') AS locale,
	coalesce((SELECT bool_or(p.email) FROM preferences p WHERE p.user_id = @user_id::uuid AND p.kind = ANY(@kinds::text[])), false) AS email`

	// setMailedSQL gives nobody a row who has none: everybody who is mailed has one.
	setMailedSQL = `
WITH chosen AS (
	UPDATE preferences SET email = @email::boolean WHERE user_id = @user_id::uuid AND kind = ANY(@kinds::text[]) AND email <> @email::boolean RETURNING user_id),
own AS (UPDATE settings SET version = version + 1 WHERE user_id = @user_id::uuid AND EXISTS (SELECT FROM chosen)),
stopped AS (
	UPDATE messages SET state = 'suppressed', reason = 'unsubscribed', settled_at = @now::timestamptz
	WHERE id IN (
		SELECT id FROM messages WHERE NOT @email::boolean AND user_id = @user_id::uuid AND channel = 'email' AND kind = ANY(@kinds::text[])
			AND state = 'pending' ORDER BY id FOR UPDATE))
SELECT locale FROM people WHERE user_id = @user_id::uuid`
)

// mailed says whether somebody is mailed about a link's kinds, and in which language.
type mailed struct {
	Locale string
	Email  bool
}

func readMailed(ctx context.Context, q pg.Querier, l link) (mailed, error) {
	m, _, err := pg.One[mailed](ctx, q, mailedSQL, pgx.NamedArgs{"user_id": l.user, "kinds": l.kinds})
	if err != nil {
		return mailed{}, fmt.Errorf("mails of %s: %w", l.user, err)
	}
	return m, nil
}

// setMailed answers the person's language.
func setMailed(ctx context.Context, q pg.Querier, l link, email bool, now time.Time) (string, error) {
	args := pgx.NamedArgs{"user_id": l.user, "kinds": l.kinds, "email": email, "now": now}
	var person struct{ Locale string }
	var found bool
	b := &pgx.Batch{}
	b.Queue(holdSettingsSQL, args)
	b.Queue(setMailedSQL, args).Query(pg.Row(&person, &found))
	if err := pg.Send(ctx, q, b); err != nil {
		return "", fmt.Errorf("set mails of %s: %w", l.user, err)
	}
	return person.Locale, nil
}
