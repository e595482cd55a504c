package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification/mail"
	"hearth.internal/pkg/pg"
)

// due is true of a message m of the lane that may be taken at now. gathered is true of one that goes with another to the same
// address: a mail that still waits for others has found them.
const (
	dueMessage = `m.lane = @lane AND m.state IN ('pending', 'sending') AND m.next_at <= @now::timestamptz AND m.expires_at > @now::timestamptz`
	gathered   = `m.lane = @lane AND (m.next_at <= @now::timestamptz OR m.state = 'pending' AND m.tries = 0 AND m.next_at <= @gathered::timestamptz)
			AND m.state IN ('pending', 'sending') AND m.expires_at > @now::timestamptz`
)

// claimSQL takes what is due in a lane, the longest waiting first, with all else that is due at the same addresses; several
// senders never take the same. It answers how things stand: what has become untrue, unwanted or impossible while it waited
// says so.
var claimSQL = `
WITH first AS MATERIALIZED (
	SELECT m.id, m.user_id, m.device_id, m.kind, m.state FROM messages m WHERE ` + dueMessage + `
	ORDER BY m.next_at LIMIT @batch FOR UPDATE SKIP LOCKED),
others AS MATERIALIZED (
	SELECT o.id, o.state FROM (SELECT DISTINCT user_id, device_id FROM first WHERE kind IS NOT NULL) f
	CROSS JOIN LATERAL (
		SELECT m.id, m.state FROM messages m
		WHERE m.user_id = f.user_id AND m.device_id IS NOT DISTINCT FROM f.device_id AND m.kind IS NOT NULL AND ` + gathered + `
		LIMIT 500 FOR UPDATE SKIP LOCKED) o),
mine AS (SELECT id, state FROM first UNION SELECT id, state FROM others),
taken AS (
	UPDATE messages m SET state = 'sending', next_at = @lease::timestamptz FROM mine WHERE m.id = mine.id
	RETURNING m.*, mine.state = 'sending' AS reclaimed)
SELECT m.id, m.user_id, m.channel, m.purpose, m.kind, CASE WHEN m.kind IS NULL THEN m.email ELSE coalesce(p.email, '') END AS email, m.first_name, m.locale, m.sealed,
	coalesce(m.data, jsonb_strip_nulls(jsonb_build_object('report', m.report, 'notice', m.notice))) AS data,
	m.tries, m.reclaimed, m.trace, m.created_at, m.expires_at, m.notification_id, coalesce(p.timezone, 'UTC') AS timezone,
	coalesce(n.title, '') AS title, coalesce(n.body, '') AS body, coalesce(n.data, '{}') AS args, n.residence_id, n.subject_id,
	m.device_id, d.token,
	CASE WHEN m.channel = 'push' THEN (SELECT count(*) FROM notifications u WHERE u.user_id = m.user_id AND u.read_at IS NULL) ELSE 0 END AS unread,
	CASE
		WHEN m.kind IS NULL THEN ''
		WHEN n.id IS NULL THEN '` + deleted + `'
		WHEN n.read_at IS NOT NULL AND m.channel = 'push' THEN '` + alreadyRead + `'
		WHEN ` + stale + ` THEN '` + outdated + `'
		WHEN w.user_id IS NOT NULL AND NOT CASE WHEN m.channel = 'push' THEN w.push ELSE w.email END THEN '` + unwanted + `'
		WHEN m.channel = 'email' AND (p.email IS NULL OR p.email = '' OR p.email_verified IS NOT TRUE) THEN '` + noAddress + `'
		WHEN m.channel = 'email' AND p.bounced = p.email THEN '` + addressDead + `'
		WHEN m.channel = 'push' AND (d.id IS NULL OR d.dead_at IS NOT NULL OR d.user_id <> m.user_id) THEN '` + deviceGone + `'
		WHEN n.residence_id IS NOT NULL AND n.kind <> 'residence_shared' AND NOT EXISTS (
			SELECT FROM members b WHERE b.residence_id = n.residence_id AND b.user_id = n.user_id AND b.role IS NOT NULL) THEN '` + notMember + `'
		ELSE ''
	END AS suppress
FROM taken m
LEFT JOIN people p ON p.user_id = m.user_id
LEFT JOIN notifications n ON n.id = m.notification_id
LEFT JOIN preferences w ON w.user_id = m.user_id AND w.kind = m.kind
LEFT JOIN devices d ON d.id = m.device_id
ORDER BY m.created_at, m.id`

func claimMessages(ctx context.Context, q pg.Querier, lane string, batch int, now, lease time.Time) ([]message, error) {
	by := now
	if lane == laneMail {
		by = now.Add(mailGathers)
	}
	rows, err := pg.All[message](ctx, q, claimSQL, pgx.NamedArgs{"lane": lane, "batch": batch, "now": now, "gathered": by, "lease": lease})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	return rows, nil
}

// settleSQL writes down what became of messages. What was sent is sent, whatever else happened meanwhile; anything else counts
// only while the message is still this sender's. Whoever takes several messages takes them in their order, or passes over those
// that somebody else has.
const settleSQL = `
WITH held AS (SELECT id FROM messages WHERE id = ANY(@ids::uuid[]) ORDER BY id FOR UPDATE)
UPDATE messages m SET state = v.state, reason = nullif(v.reason, ''), provider_id = nullif(v.provider_id, ''), next_at = v.next_at::timestamptz,
	tries = m.tries + CASE WHEN v.tried THEN 1 ELSE 0 END,
	sent_at = CASE WHEN v.state = 'sent' THEN @now::timestamptz END,
	settled_at = CASE WHEN v.state <> 'pending' THEN @now::timestamptz END,
	sealed = CASE WHEN v.state = 'pending' THEN m.sealed END
FROM unnest(@ids::uuid[], @states::text[], @reasons::text[], @provider_ids::text[], @next_ats::text[], @tried::boolean[])
	AS v(id, state, reason, provider_id, next_at, tried) JOIN held ON held.id = v.id
WHERE m.id = v.id AND (v.state = 'sent' AND m.state IN ('pending', 'sending') OR m.state = 'sending' AND m.next_at = @lease::timestamptz)`

func settleMessages(ctx context.Context, q pg.Querier, all []verdict, now, lease time.Time) error {
	n := len(all)
	ids, tried := make([]uuid.UUID, n), make([]bool, n)
	states, reasons, providers, nexts := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, v := range all {
		ids[i], states[i], reasons[i], providers[i], nexts[i], tried[i] = v.ID, v.State, v.Reason, v.ProviderID, v.NextAt.Format(time.RFC3339Nano), v.Tried
	}
	_, err := pg.Exec(ctx, q, settleSQL, pgx.NamedArgs{
		"ids": ids, "states": states, "reasons": reasons, "provider_ids": providers, "next_ats": nexts, "tried": tried, "now": now, "lease": lease,
	})
	if err != nil {
		return fmt.Errorf("settle %d messages: %w", n, err)
	}
	return nil
}

// buryDevice silences a device whose provider calls it dead, unless it has registered again since the provider knows so.
func buryDevice(ctx context.Context, q pg.Querier, device uuid.UUID, token, reason string, since, now time.Time) error {
	_, err := pg.Exec(ctx, q, `
		UPDATE devices SET dead_at = @now::timestamptz, dead_reason = @reason
		WHERE id = @id::uuid AND token = @token AND dead_at IS NULL AND (@since::timestamptz IS NULL OR seen_at <= @since::timestamptz)`,
		pgx.NamedArgs{"id": device, "token": token, "reason": reason, "since": orNull(since), "now": now})
	if err != nil {
		return fmt.Errorf("dead device %s: %w", device, err)
	}
	return nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// bounce remembers an address that is none.
func bounce(ctx context.Context, q pg.Querier, user uuid.UUID, address string) error {
	_, err := pg.Exec(ctx, q, `UPDATE people SET bounced = email WHERE user_id = @user_id::uuid AND email = @address`,
		pgx.NamedArgs{"user_id": user, "address": address})
	if err != nil {
		return fmt.Errorf("bounced address of %s: %w", user, err)
	}
	return nil
}

// expireMessages gives up what is too late, except what is being sent just now, or changed by somebody else.
func expireMessages(ctx context.Context, q pg.Querier, now time.Time) error {
	err := pg.Sweep(ctx, q, `
		UPDATE messages SET state = 'expired', sealed = NULL, settled_at = @now::timestamptz
		WHERE id IN (SELECT id FROM messages WHERE expires_at <= @now::timestamptz
			AND state IN ('pending', 'sending') AND (state = 'pending' OR next_at <= @now::timestamptz) LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		pgx.NamedArgs{"now": now})
	if err != nil {
		return fmt.Errorf("expire messages: %w", err)
	}
	return nil
}

// ofTheGone is true of what belongs to somebody who is gone since a short while.
const ofTheGone = `user_id IN (SELECT user_id FROM gone_people WHERE at > @lately)`

// forget removes what nobody needs to know any more: it names people, their addresses and their devices. The last mail to
// somebody who is gone is not kept at all.
func (s *Service) forget(ctx context.Context) error {
	now := s.Clock.Now()
	for _, statement := range []string{
		`DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE state NOT IN ('pending', 'sending') AND created_at < @messages LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		`DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE state NOT IN ('pending', 'sending') AND purpose = 'account_deleted' LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		`DELETE FROM notifications WHERE id IN (SELECT id FROM notifications WHERE created_at < @inboxes LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		`DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE dead_at < @devices LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		`DELETE FROM tasks WHERE task_id IN (SELECT task_id FROM tasks WHERE deleted_at < @marks LIMIT @batch FOR UPDATE SKIP LOCKED)`,
		// What was being written of somebody while they were forgotten.
		`DELETE FROM members WHERE role IS NOT NULL AND ` + ofTheGone,
		`DELETE FROM reminders WHERE ` + ofTheGone,
		`DELETE FROM notifications WHERE ` + ofTheGone,
		`DELETE FROM messages WHERE purpose <> '` + mail.AccountDeleted + `' AND ` + ofTheGone,
		`DELETE FROM devices WHERE dead_at IS NULL AND ` + ofTheGone,
		`DELETE FROM preferences WHERE ` + ofTheGone,
		`DELETE FROM settings WHERE ` + ofTheGone,
	} {
		err := pg.Sweep(ctx, s.DB, statement, pgx.NamedArgs{"messages": now.Add(-keepMessages), "inboxes": now.Add(-keepInboxes), "devices": now.Add(-keepDevices), "marks": now.Add(-keepMarks), "lately": now.Add(-lately)})
		if err != nil {
			return fmt.Errorf("forget what is old: %w", err)
		}
	}
	return nil
}
