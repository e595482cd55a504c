// Package auth knows who people are: it registers them, signs them in and out, and answers whose a token is.
//
// Tables: users, sessions, codes, reset_tokens, attempts.
//
// Events out: user.registered, user.changed, auth.code_issued, auth.password_changed, auth.sessions_ended. Events
// in: none.
//
// Services called: document, for whether a picture may be somebody's avatar. The gateway asks auth for the session of a
// token and tells it of a new time zone; notification sends the codes, which leave here sealed for it alone.
//
// Secrets: a password is kept as Argon2id, a token as SHA-256 (256 random bits need no more), a code as an HMAC whose
// key is not in the database (six digits would be found in no time by whoever holds the table).
package auth
