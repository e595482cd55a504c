package notification

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// Notification is something that a person is told in the app.
type Notification struct {
	ID          uuid.UUID         `json:"id" format:"uuid"`
	Kind        string            `json:"kind" enum:"task_due_soon,task_overdue,task_completed,task_assigned,residence_shared,warranty_expiring,digest"`
	Title       string            `json:"title" doc:"In your language" example:"Task completed"`
	Body        string            `json:"body"`
	ResidenceID *uuid.UUID        `json:"residence_id" nullable:"true" format:"uuid" doc:"The residence that it is about"`
	SubjectID   *uuid.UUID        `json:"subject_id" nullable:"true" format:"uuid" doc:"The task or document that it is about"`
	Data        map[string]string `json:"data" nullable:"false" doc:"What the words are made from, for an app that shows its own"`
	IsRead      bool              `json:"is_read"`
	ReadAt      *time.Time        `json:"read_at" nullable:"true"`
	CreatedAt   time.Time         `json:"created_at"`
}

// InboxFilter is what a list of notifications leaves out; zero values leave out nothing.
type InboxFilter struct {
	Unread      bool
	Kind        string
	ResidenceID uuid.UUID
}

// inboxPlace is where a notification stands in its inbox.
type inboxPlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// InboxETag is the tag of a page of the actor's inbox, before it is read; empty when the cache cannot know.
func (s *Service) InboxETag(ctx context.Context, actor identity.Actor, f InboxFilter, q page.Query) string {
	own := []access.Home{{ID: actor.UserID}} // a person has a revision as a residence has
	return s.Access.ETag(ctx, own, "notifications", strconv.FormatBool(f.Unread), f.Kind, f.ResidenceID.String(), strconv.Itoa(q.Limit), q.Cursor)
}

// Inbox lists the actor's notifications, newest first.
func (s *Service) Inbox(ctx context.Context, actor identity.Actor, f InboxFilter, q page.Query) (page.List[Notification], error) {
	before, err := page.After[inboxPlace](q)
	if err != nil {
		return page.List[Notification]{}, err
	}
	rows, err := readNotifications(ctx, s.DB, actor.UserID, f, before, q.Limit+1)
	if err != nil {
		return page.List[Notification]{}, err
	}
	return page.Cut(rows, q.Limit, func(n Notification) inboxPlace { return inboxPlace{n.CreatedAt, n.ID} })
}

// Unread is how many of their notifications the actor has not read.
func (s *Service) Unread(ctx context.Context, actor identity.Actor) (int, error) {
	return cache.Load(ctx, s.Cache, cache.UnreadKey(actor.UserID), cache.UnreadTTL, func(ctx context.Context) (int, error) {
		return countUnread(ctx, s.DB, actor.UserID)
	})
}

// MarkRead marks one notification of the actor's as read; what was to be pushed of it is not.
func (s *Service) MarkRead(ctx context.Context, actor identity.Actor, id uuid.UUID) (Notification, error) {
	return s.mark(ctx, actor, id, readSQL)
}

// MarkUnread marks one notification of the actor's as not read.
func (s *Service) MarkUnread(ctx context.Context, actor identity.Actor, id uuid.UUID) (Notification, error) {
	return s.mark(ctx, actor, id, markUnreadSQL)
}

func (s *Service) mark(ctx context.Context, actor identity.Actor, id uuid.UUID, statement string) (Notification, error) {
	out, found, err := markNotification(ctx, s.DB, statement, actor.UserID, id, s.Clock.Now())
	if err != nil {
		return Notification{}, err
	}
	if !found {
		return Notification{}, noSuchNotification()
	}
	s.inboxChanged(ctx, actor, out.Changed)
	return out.Notification, nil
}

// MarkAllRead marks as read what the actor has not read, or what came until then, and answers how many that were.
func (s *Service) MarkAllRead(ctx context.Context, actor identity.Actor, until *time.Time) (int, error) {
	if until != nil && until.Truncate(time.Millisecond).Equal(*until) {
		// Many apps keep milliseconds alone: what they have seen may be a little younger than they say.
		until = new(until.Add(time.Millisecond - time.Microsecond))
	}
	n, err := markAllRead(ctx, s.DB, actor.UserID, until, s.Clock.Now())
	if err != nil {
		return 0, err
	}
	s.inboxChanged(ctx, actor, n > 0)
	return n, nil
}

// ClearRead deletes what the actor has read, but for what is snoozed, and answers how many that were.
func (s *Service) ClearRead(ctx context.Context, actor identity.Actor) (int, error) {
	n, err := clearRead(ctx, s.DB, actor.UserID, s.Clock.Now())
	if err != nil {
		return 0, err
	}
	s.inboxChanged(ctx, actor, n > 0)
	return n, nil
}

// DeleteNotification deletes one of the actor's, with its snooze; what was to be sent of it is not.
func (s *Service) DeleteNotification(ctx context.Context, actor identity.Actor, id uuid.UUID) error {
	found, err := deleteNotification(ctx, s.DB, actor.UserID, id, s.Clock.Now())
	if err != nil {
		return err
	}
	if !found {
		return noSuchNotification()
	}
	s.inboxChanged(ctx, actor, true)
	return nil
}

// maxSnooze is how far ahead one may put a notification off.
const maxSnooze = 30 * 24 * time.Hour

// Snooze says when a notification is to come back: after so many minutes, at an instant, or as the person has set it.
type Snooze struct {
	Minutes *int       `json:"minutes,omitempty" minimum:"5" maximum:"10080" doc:"After so many minutes; your snooze_minutes, if neither is sent"`
	Until   *time.Time `json:"until,omitempty" doc:"At that instant, at most 30 days from now"`
}

func (how Snooze) refuse(now time.Time) error {
	switch {
	case how.Until == nil:
		return nil
	case how.Minutes != nil:
		return apperr.InvalidField("body.until", "cannot be sent together with minutes")
	case !how.Until.After(now):
		return apperr.InvalidField("body.until", "must be in the future")
	case how.Until.After(now.Add(maxSnooze)):
		return apperr.InvalidField("body.until", "must be within %d days", int(maxSnooze.Hours()/24))
	}
	return nil
}

// SnoozeNotification marks one of the actor's as read until it comes back, and answers when that is. What was to be sent
// of it is not.
func (s *Service) SnoozeNotification(ctx context.Context, actor identity.Actor, id uuid.UUID, how Snooze) (time.Time, error) {
	now := s.Clock.Now()
	if err := how.refuse(now); err != nil {
		return time.Time{}, err
	}
	out, found, err := snoozeNotification(ctx, s.DB, actor.UserID, id, how, now)
	if err != nil {
		return time.Time{}, err
	}
	if !found {
		return time.Time{}, noSuchNotification()
	}
	s.inboxChanged(ctx, actor, out.Changed)
	return out.SnoozedUntil, nil
}

// inboxChanged drops what is stale once a change of the actor's inbox is committed.
func (s *Service) inboxChanged(ctx context.Context, actor identity.Actor, changed bool) {
	if changed {
		events.NotificationsChanged.Committed(ctx, s.Relay, inboxOf(actor.UserID))
	}
}

func inboxOf(user uuid.UUID) events.Inboxes { return events.Inboxes{UserIDs: []uuid.UUID{user}} }

func noSuchNotification() error { return apperr.NoSuchThing.New("There is no such notification.") }
