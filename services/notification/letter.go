package notification

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification/mail"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
)

// How long a letter may take to be mailed: later it would be about another time than its reader thinks.
const (
	welcomeWaits  = 3 * 24 * time.Hour
	securityWaits = 7 * 24 * time.Hour
	reportWaits   = 3 * 24 * time.Hour
	noticeWaits   = 14 * 24 * time.Hour // older news of a subscription has been seen in the app
)

// letter is a mail that a person gets whatever they prefer: it is about their account, or they asked for it.
type letter struct {
	id      uuid.UUID // the same for the same event, so that it is written once
	user    uuid.UUID // whose it is; of an invitation, who invites
	purpose string
	email   string
	name    string
	locale  string
	sealed  []byte // a code, until it is sent
	content content
	waits   time.Duration // how long it may take to be mailed,
	expires time.Time     // or until when
}

// content is what a letter is made from.
type content struct {
	Residence string                `json:"residence,omitempty"`
	Actor     string                `json:"actor,omitempty"`
	Role      string                `json:"role,omitempty"`
	Change    string                `json:"change,omitempty"`
	Report    *events.ReportRequest `json:"report,omitempty"` // it is asked of the task service when it is sent
	Notice    *events.Notice        `json:"notice,omitempty"`
	Sections  []mail.Section        `json:"sections,omitempty"`
}

const writeSQL = `
INSERT INTO messages (id, user_id, channel, purpose, email, first_name, locale, sealed, data, trace, created_at, next_at, expires_at)
SELECT @id::uuid, @user_id::uuid, 'email', @purpose, @email, @first_name, @locale, @sealed::bytea, @data::jsonb, @trace, @now::timestamptz, @now::timestamptz, @expires_at::timestamptz
WHERE @purpose = '` + mail.AccountDeleted + `' OR NOT EXISTS (SELECT FROM gone_people WHERE user_id = @user_id::uuid)
ON CONFLICT (id) DO NOTHING`

// write puts a letter where the sender finds it. Written again it stays as it is: an event that is worked off again tells
// anew what the inbox may have forgotten by then.
func (s *Service) write(ctx context.Context, q pg.Querier, l letter) error {
	raw, err := json.Marshal(l.content)
	if err != nil {
		return fmt.Errorf("letter %s: %w", l.id, err)
	}
	now := s.Clock.Now()
	if l.expires.IsZero() {
		l.expires = now.Add(l.waits)
	}
	_, err = pg.Exec(ctx, q, writeSQL, pgx.NamedArgs{
		"id": l.id, "user_id": l.user, "purpose": l.purpose, "email": l.email, "first_name": l.name, "locale": l.locale, "sealed": l.sealed,
		"data": string(raw), "trace": telemetry.TraceParent(ctx), "now": now, "expires_at": l.expires,
	})
	if err != nil {
		return fmt.Errorf("letter %s: %w", l.id, err)
	}
	return nil
}

// writeTo writes a letter to a person at the address that is known of them. One of whom this service has not heard yet makes
// the event come again; one who is gone gets none.
func (s *Service) writeTo(ctx context.Context, q pg.Querier, user uuid.UUID, l letter) error {
	p, known, err := pg.One[struct{ Email, FirstName, Locale string }](ctx, q, `
		SELECT email, first_name, locale FROM people WHERE user_id = @user_id::uuid
		UNION ALL SELECT '', '', '' FROM gone_people WHERE user_id = @user_id::uuid`, pgx.NamedArgs{"user_id": user})
	if err == nil && !known {
		err = fmt.Errorf("person %s is not known yet", user)
	}
	if err != nil {
		return fmt.Errorf("letter %s: %w", l.id, err)
	}
	l.user, l.email, l.name = user, p.Email, p.FirstName
	if l.locale == "" {
		l.locale = p.Locale
	}
	return s.write(ctx, q, l)
}

// codeIssued puts a code where the sender finds it, sealed as it came.
func (s *Service) codeIssued(ctx context.Context, tx pgx.Tx, e events.Received[events.Code]) error {
	c := e.Payload
	expires, err := instant(c.ExpiresAt)
	if err != nil {
		return fmt.Errorf("code expires at: %w", err)
	}
	return s.write(ctx, tx, letter{id: e.ID, user: c.UserID, purpose: c.Purpose, email: c.Email, name: c.FirstName, locale: c.Locale,
		sealed: c.Sealed, expires: expires})
}

// reportRequested keeps what was ordered until it is mailed.
func (s *Service) reportRequested(ctx context.Context, tx pgx.Tx, e events.Received[events.ReportRequest]) error {
	r := e.Payload
	return s.writeTo(ctx, tx, r.UserID, letter{id: e.ID, purpose: r.Kind + "_report", locale: r.Locale, content: content{Report: &r}, waits: reportWaits})
}

// billingNotice keeps what is to be written about a person's subscription until it is mailed.
func (s *Service) billingNotice(ctx context.Context, tx pgx.Tx, e events.Received[events.Notice]) error {
	n := e.Payload
	return s.writeTo(ctx, tx, n.UserID, letter{id: e.ID, purpose: "billing_" + n.Kind, content: content{Notice: &n}, waits: noticeWaits})
}

func instant(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("no instant: %w", err)
	}
	return at, nil
}
