package notification

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification/language"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
)

// How long what was not sent yet may still be of use.
const (
	newsWaits     = 3 * 24 * time.Hour
	overdueWaits  = 2 * 24 * time.Hour
	warrantyWaits = 7 * 24 * time.Hour
)

// told is one notification to one person, put into words.
type told struct {
	to          recipient
	id          uuid.UUID
	kind        string
	residence   *uuid.UUID
	subject     *uuid.UUID
	title, body string
	data        map[string]string // for apps, and for the words of mails
	content     any               // of its mail, where the data does not do
	expires     time.Time
	again       bool // it has been there before and comes back
}

// idFor is the notification's id of what an event, or a reminder, means to a person: the same each time. It is a UUIDv7 of
// the instant of cause.
func idFor(cause, user uuid.UUID) uuid.UUID {
	sum := sha256.Sum256(slices.Concat(cause[:], user[:]))
	id := cause
	id[8] = cause[8]&0xf0 | sum[0]&0x0f
	copy(id[9:], sum[1:])
	return id
}

// tell puts notifications into the inboxes and decides what else goes to whom, in one statement. What is in an inbox already
// is not told again.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, all []told) error {
	if len(all) == 0 {
		return nil
	}
	now := s.Clock.Now()
	var rows []map[string]any
	var drafts []draft
	for _, t := range all {
		data := t.data
		if data == nil {
			data = map[string]string{}
		}
		rows = append(rows, map[string]any{"id": t.id, "user_id": t.to.UserID, "kind": t.kind, "residence_id": t.residence, "subject_id": t.subject,
			"title": t.title, "body": t.body, "data": data, "again": t.again})
		for _, d := range t.to.decide(t.id, t.kind, now, t.expires) {
			if t.again && d.Channel == "email" {
				continue // it was mailed
			}
			if t.again {
				d.ID = uuid.NewSHA1(d.ID, []byte(now.Format(time.RFC3339)))
			}
			if t.content != nil && d.Channel == "email" && d.State == "pending" {
				raw, err := json.Marshal(t.content)
				if err != nil {
					return fmt.Errorf("content of %s: %w", t.id, err)
				}
				d.Data = raw
			}
			drafts = append(drafts, d)
		}
	}
	if err := s.insertTold(ctx, tx, rows, drafts, now); err != nil {
		return fmt.Errorf("tell of %d notifications: %w", len(all), err)
	}
	return nil
}

// tellSQL writes the notifications that are new, or come back, with their messages, and says whose inboxes have changed.
var tellSQL = `
WITH n AS (SELECT * FROM jsonb_to_recordset(@rows::jsonb) AS r(id uuid, user_id uuid, kind text, residence_id uuid, subject_id uuid,
	title text, body text, data jsonb, again boolean)),
fresh AS (
	INSERT INTO notifications AS x (id, user_id, kind, residence_id, subject_id, title, body, data, created_at)
	SELECT n.id, n.user_id, n.kind, n.residence_id, n.subject_id, n.title, n.body, n.data, @now::timestamptz FROM n
	ON CONFLICT (id) DO UPDATE SET read_at = NULL, created_at = excluded.created_at, kind = excluded.kind, title = excluded.title, body = excluded.body
	WHERE (SELECT n.again FROM n WHERE n.id = x.id)
	RETURNING x.id, x.user_id),
sent AS (
	INSERT INTO messages (id, user_id, channel, lane, purpose, kind, notification_id, device_id, email, first_name, locale, data, state, reason,
		trace, created_at, next_at, expires_at, settled_at)
	SELECT d.id, d.user_id, d.channel, d.lane, d.kind, d.kind, d.notification_id, d.device_id, d.email, d.first_name, d.locale, d.data, d.state, d.reason,
		@trace, @now::timestamptz, d.next_at, d.expires_at, CASE WHEN d.state = 'suppressed' THEN @now::timestamptz END
	FROM jsonb_to_recordset(@drafts::jsonb) AS d(id uuid, user_id uuid, channel text, lane text, kind text, notification_id uuid, device_id uuid,
		email text, first_name text, locale text, data jsonb, state text, reason text, next_at timestamptz, expires_at timestamptz)
	JOIN fresh ON fresh.id = d.notification_id
	ON CONFLICT (id) DO NOTHING),
whose AS (SELECT to_jsonb(array_agg(DISTINCT user_id)) AS ids FROM fresh HAVING count(*) > 0),
event AS (` + events.ColumnsWith(`jsonb_build_object('user_ids', whose.ids)`) + ` FROM whose)
SELECT count(*) FROM fresh`

func (s *Service) insertTold(ctx context.Context, tx pgx.Tx, rows []map[string]any, drafts []draft, now time.Time) error {
	rawRows, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	rawDrafts, err := json.Marshal(drafts)
	if err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	_, _, err = pg.Scalar[int](ctx, tx, tellSQL, events.NotificationsChanged.Args(ctx, events.Inboxes{}, pgx.NamedArgs{
		"rows": string(rawRows), "drafts": string(rawDrafts), "now": now, "trace": telemetry.TraceParent(ctx),
	}))
	return err // named by the caller
}

// words put something into a person's language.
type words func(to recipient, say language.Speaker) (title, body string)

// tellOf makes notifications of an event for those people.
func tellOf(event uuid.UUID, kind string, residence, subject uuid.UUID, to []recipient, expires time.Time, data map[string]string, say words) []told {
	out := make([]told, len(to))
	for i, r := range to {
		title, body := say(r, r.speaker())
		out[i] = told{to: r, id: idFor(event, r.UserID), kind: kind, residence: &residence, subject: &subject, title: title, body: body, data: data, expires: expires}
	}
	return out
}

// names are what people, and a residence, are called.
type names struct {
	Known     bool // the residence, also when it is gone
	Actor     *string
	Residence *string
}

const namesSQL = `
	SELECT EXISTS (SELECT FROM residences WHERE residence_id = @residence_id::uuid) AS known, (SELECT coalesce(nullif(first_name, ''), username) FROM people WHERE user_id = @actor::uuid) AS actor,
		(SELECT name FROM residences WHERE residence_id = @residence_id::uuid) AS residence`

// audience are recipients, and the names of whom and what they are told of. The recipients are the members of the residence; or
// those persons, if any are given. A residence of which this service has not heard yet makes the event come again.
func (s *Service) audience(ctx context.Context, tx pgx.Tx, residence, actor uuid.UUID, persons []uuid.UUID) (to []recipient, n names, err error) {
	args := pgx.NamedArgs{"residence_id": residence, "actor": actor, "user_ids": persons}
	statement := membersSQL
	if len(persons) > 0 {
		statement = personsSQL
	}
	var found bool
	var b pgx.Batch
	b.Queue(statement, args).Query(pg.Rows(&to))
	b.Queue(namesSQL, args).Query(pg.Row(&n, &found))
	err = pg.Send(ctx, tx, &b)
	if err == nil && !n.Known {
		err = errors.New("it is not known yet")
	}
	if err != nil {
		return nil, n, fmt.Errorf("who hears of residence %s: %w", residence, err)
	}
	return to, n, nil
}

func (n names) actor(say language.Speaker) string { return orElse(n.Actor, say.Say("somebody", nil)) }

func (n names) residence(say language.Speaker) string {
	return orElse(n.Residence, say.Say("a_home", nil))
}

func orElse(name *string, otherwise string) string {
	if name == nil || *name == "" {
		return otherwise
	}
	return *name
}

func (n names) data(more map[string]string) map[string]string {
	if n.Actor != nil {
		more["actor"] = *n.Actor
	}
	if n.Residence != nil {
		more["residence"] = *n.Residence
	}
	return more
}

func except(all []recipient, users ...uuid.UUID) []recipient {
	return slices.DeleteFunc(all, func(r recipient) bool { return slices.Contains(users, r.UserID) })
}

// taskCompleted tells every other member of the residence.
func (s *Service) taskCompleted(ctx context.Context, tx pgx.Tx, e events.Received[events.Completion]) error {
	done := e.Payload
	if err := s.taskIs(ctx, tx, e.ID, done.Task, false); err != nil {
		return err
	}
	to, who, err := s.audience(ctx, tx, done.Task.ResidenceID, done.CompletedBy, nil)
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, tellOf(e.ID, TaskCompleted, done.Task.ResidenceID, done.Task.ID, except(to, done.CompletedBy), s.Clock.Now().Add(newsWaits),
		who.data(map[string]string{"task": done.Task.Title, "completion_id": done.ID.String()}),
		func(_ recipient, say language.Speaker) (string, string) {
			return say.Say("task_completed.title", nil), say.Say("task_completed.body", language.Args{"Actor": who.actor(say), "Task": done.Task.Title})
		}))
}

// tellAssigned tells who has a task to do now, unless they have seen to it themselves.
func (s *Service) tellAssigned(ctx context.Context, tx pgx.Tx, event uuid.UUID, t events.TaskRef) error {
	to, who, err := s.audience(ctx, tx, t.ResidenceID, t.ActorID, nil)
	if err != nil {
		return err
	}
	to = slices.DeleteFunc(to, func(r recipient) bool { return r.UserID != t.AssignedToID })
	data := who.data(map[string]string{"task": t.Title})
	due, dated := day.Parse(t.NextDueDate)
	if dated == nil {
		data["due_date"] = due.String()
	}
	return s.tell(ctx, tx, tellOf(idFor(event, t.ID), TaskAssigned, t.ResidenceID, t.ID, to, s.Clock.Now().Add(newsWaits), data,
		func(_ recipient, say language.Speaker) (string, string) {
			args, key := language.Args{"Actor": who.actor(say), "Task": t.Title}, "task_assigned.body"
			if dated == nil {
				key, args["Day"] = "task_assigned.due", say.Day(due)
			}
			return say.Say("task_assigned.title", nil), say.Say(key, args)
		}))
}

// tellMembership tells of who belongs to a residence: the others that somebody joined or left, and a person what became of
// them.
func (s *Service) tellMembership(ctx context.Context, tx pgx.Tx, event uuid.UUID, m events.Membership) error {
	key := "residence_shared." + m.Change
	var persons []uuid.UUID
	switch m.Change {
	case "joined", "left": // those who belonged to it at that moment, whether this service knows them already or not
		persons = slices.DeleteFunc(slices.Clone(m.AffectedIDs), func(id uuid.UUID) bool { return id == m.UserID })
	case "removed", "role", "transferred":
		if m.UserID == m.ActorID {
			return nil
		}
		persons = []uuid.UUID{m.UserID}
		if m.Change == "role" {
			key = "residence_shared." + m.Role
		}
	default:
		return nil // a newer version's word for something that this one does not tell of
	}
	to, who, err := s.audience(ctx, tx, m.ResidenceID, m.UserID, persons)
	if err != nil {
		return err
	}
	if m.Change == "joined" || m.Change == "left" {
		to = except(to, m.UserID)
	}
	data := who.data(map[string]string{"change": m.Change, "role": m.Role, "user_id": m.UserID.String()})
	return s.tell(ctx, tx, tellOf(event, ResidenceShared, m.ResidenceID, m.UserID, to, s.Clock.Now().Add(newsWaits), data,
		func(_ recipient, say language.Speaker) (string, string) {
			args := language.Args{"Actor": who.actor(say), "Residence": who.residence(say)}
			return say.Say("residence_shared.title", args), say.Say(key, args)
		}))
}

// readReminders marks what was said of a task's date as read, in every inbox: it is done, or is due on another day.
func (s *Service) readReminders(ctx context.Context, tx pgx.Tx, event, task uuid.UUID) error {
	return s.settleInboxes(ctx, tx, event, `kind IN ('task_due_soon', 'task_overdue') AND read_at IS NULL`,
		`UPDATE notifications SET read_at = @now::timestamptz WHERE id IN (SELECT id FROM held) AND read_at IS NULL RETURNING user_id`, task)
}

// forgetSubject takes what was said of something that is gone out of every inbox, but for what somebody did.
func (s *Service) forgetSubject(ctx context.Context, tx pgx.Tx, event, subject uuid.UUID) error {
	return s.settleInboxes(ctx, tx, event, `kind IN ('task_due_soon', 'task_overdue', 'task_assigned', 'warranty_expiring')`,
		`DELETE FROM notifications WHERE id IN (SELECT id FROM held) RETURNING user_id`, subject)
}

// settleInboxes changes those notifications of a subject of which something is true. It takes them in their order, as everybody
// does who takes several.
func (s *Service) settleInboxes(ctx context.Context, tx pgx.Tx, event uuid.UUID, which, change string, subject uuid.UUID) error {
	_, err := pg.Exec(ctx, tx, `
		WITH held AS (SELECT id FROM notifications WHERE subject_id = @subject_id::uuid AND `+which+` ORDER BY id FOR UPDATE),
		gone AS (`+change+`),
		whose AS (SELECT to_jsonb(array_agg(DISTINCT user_id)) AS ids FROM gone HAVING count(*) > 0)
		`+events.ColumnsWith(`jsonb_build_object('user_ids', whose.ids)`)+` FROM whose`,
		events.NotificationsChanged.Args(ctx, events.Inboxes{}, pgx.NamedArgs{"subject_id": subject, "now": s.Clock.Now()}))
	if err != nil {
		return fmt.Errorf("inboxes of %s after %s: %w", subject, event, err)
	}
	return nil
}
