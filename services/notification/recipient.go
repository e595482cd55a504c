package notification

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification/language"
	"hearth.internal/pkg/pg"
)

// recipient is a person with all that decides what reaches them.
type recipient struct {
	UserID    uuid.UUID
	Email     string
	Name      string // what others call them; empty: not known
	FirstName string
	Locale    string
	Verified  bool // the address is theirs, and takes mails
	Bounced   bool
	hours
	QuietFrom    *int // minutes since midnight
	QuietUntil   *int
	SnoozedUntil *time.Time
	Wants        map[string]channels // by kind
	Devices      []device
}

// channels are the ways on which a person wants to hear of a kind.
type channels struct {
	Push  bool `json:"push"`
	Email bool `json:"email"`
}

// device is a phone or tablet that is alive.
type device struct {
	ID       uuid.UUID `json:"id"`
	Platform string    `json:"platform"`
	Sandbox  bool      `json:"sandbox"`
}

// recipientColumns are a recipient: a person p with settings g, by the id of m.
var recipientColumns = `m.user_id, coalesce(p.email, '') AS email, coalesce(nullif(p.first_name, ''), p.username, '') AS name,
	coalesce(p.first_name, '') AS first_name, coalesce(p.locale, '') AS locale, coalesce(p.email_verified, false) AS verified,
	coalesce(p.bounced = p.email, false) AS bounced, ` + hoursColumns + `, ` + optionalMinutes + `, g.snoozed_until,
	coalesce((SELECT jsonb_object_agg(w.kind, jsonb_build_object('push', w.push, 'email', w.email)) FROM preferences w WHERE w.user_id = m.user_id), '{}') AS wants,
	coalesce((SELECT jsonb_agg(jsonb_build_object('id', d.id, 'platform', d.platform, 'sandbox', d.environment = 'sandbox') ORDER BY d.id)
		FROM devices d WHERE d.user_id = m.user_id AND d.dead_at IS NULL), '[]') AS devices`

const optionalMinutes = `(extract(hour FROM g.quiet_from) * 60 + extract(minute FROM g.quiet_from))::int AS quiet_from,
	(extract(hour FROM g.quiet_until) * 60 + extract(minute FROM g.quiet_until))::int AS quiet_until`

// The two ways to ask for recipients: everybody who belongs to a residence, and persons by their ids. Whoever writes to
// members holds them: a residence that is deleted meanwhile waits, and then finds what was written.
var (
	membersSQL = `SELECT ` + recipientColumns + ` FROM members m` + ofWhom + `
		WHERE m.residence_id = @residence_id::uuid AND m.role IS NOT NULL ORDER BY m.user_id FOR KEY SHARE OF m`
	personsSQL = `SELECT ` + recipientColumns + ` FROM unnest(@user_ids::uuid[]) AS m(user_id)` + ofWhom + `
		WHERE NOT EXISTS (SELECT FROM gone_people g WHERE g.user_id = m.user_id)`
)

func (s *Service) persons(ctx context.Context, q pg.Querier, ids []uuid.UUID) ([]recipient, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := pg.All[recipient](ctx, q, personsSQL, pgx.NamedArgs{"user_ids": ids})
	if err != nil {
		return nil, fmt.Errorf("recipients: %w", err)
	}
	return rows, nil
}

func (r recipient) speaker() language.Speaker { return language.For(r.Locale) }

// wants answers on which channels a person hears of a kind. Who has not been heard of wants everything.
func (r recipient) wants(kind string) channels {
	if w, chosen := r.Wants[kind]; chosen {
		return w
	}
	return channels{Push: true, Email: true}
}

// calm is when the person may be disturbed.
func (r recipient) calm(now time.Time) time.Time {
	q := quiet{}
	if r.QuietFrom != nil && r.QuietUntil != nil {
		q.From, q.Until, q.Daily = wall(*r.QuietFrom), wall(*r.QuietUntil), true
	}
	if r.SnoozedUntil != nil {
		q.Snoozed = *r.SnoozedUntil
	}
	return q.ends(now, r.timing().Zone)
}

// The providers' lanes.
const (
	laneMail        = "mail"
	laneAPNs        = "apns"
	laneAPNsSandbox = "apns_sandbox"
	laneFCM         = "fcm"
)

func (d device) lane() string {
	switch {
	case d.Platform == "android":
		return laneFCM
	case d.Sandbox:
		return laneAPNsSandbox
	}
	return laneAPNs
}

// Why somebody was not sent something.
const (
	unwanted     = "preference"         // they do not want to hear of it that way
	noDevice     = "no_device"          // there is none that could be pushed to
	noAddress    = "address_unverified" // the address may be another's
	addressDead  = "address_dead"       // mails came back
	inDigest     = "in_digest"          // the digest tells of it
	alreadyRead  = "read"
	deleted      = "deleted" // what it was about, or the notification
	outdated     = "outdated"
	deviceGone   = "device_gone"
	notMember    = "not_member"
	inOneMessage = "folded" // another one told of it
)

// mailGathers is how long a mail waits for others to the same person: then they are one.
const mailGathers = 2 * time.Minute

// draft is a message that is about to be: to one address, or to nobody and then why.
type draft struct {
	ID        uuid.UUID  `json:"id"`
	Channel   string     `json:"channel"`
	Lane      string     `json:"lane"`
	DeviceID  *uuid.UUID `json:"device_id"`
	State     string     `json:"state"`
	Reason    *string    `json:"reason"`
	NextAt    time.Time  `json:"next_at"`
	ExpiresAt time.Time  `json:"expires_at"`

	NotificationID uuid.UUID       `json:"notification_id"`
	UserID         uuid.UUID       `json:"user_id"`
	Kind           string          `json:"kind"`
	Email          string          `json:"email"`
	FirstName      string          `json:"first_name"`
	Locale         string          `json:"locale"`
	Data           json.RawMessage `json:"data"`
}

// decide answers what goes to a person on account of a notification: the one place where it is decided, for every kind and
// every channel. What does not go says why.
func (r recipient) decide(notification uuid.UUID, kind string, now, expires time.Time) []draft {
	wants := r.wants(kind)
	to := func(channel, lane, name string, device *uuid.UUID, at time.Time, reason string) draft {
		d := draft{ID: uuid.NewSHA1(notification, []byte(name)), Channel: channel, Lane: lane, DeviceID: device, State: "pending", NextAt: at, ExpiresAt: expires,
			NotificationID: notification, UserID: r.UserID, Kind: kind, Email: r.Email, FirstName: r.FirstName, Locale: r.Locale}
		if channel == "push" {
			d.Email, d.FirstName = "", ""
		}
		if reason != "" {
			d.State, d.Reason = "suppressed", &reason
		}
		return d
	}
	var out []draft
	switch {
	case !wants.Push:
		out = append(out, to("push", laneAPNs, "push", nil, now, unwanted))
	case len(r.Devices) == 0:
		out = append(out, to("push", laneAPNs, "push", nil, now, noDevice))
	}
	if wants.Push {
		at := r.calm(now)
		for _, d := range r.Devices {
			out = append(out, to("push", d.lane(), d.ID.String(), &d.ID, at, ""))
		}
	}
	reason, at := "", now.Add(mailGathers)
	switch {
	case !wants.Email:
		reason = unwanted
	case !r.Verified || r.Email == "":
		reason = noAddress
	case r.Bounced:
		reason = addressDead
	case (kind == TaskDueSoon || kind == TaskOverdue) && r.wants(Digest).Email:
		reason = inDigest
	case kind == Digest:
		at = now
	}
	return append(out, to("email", laneMail, "email", nil, at, reason))
}
