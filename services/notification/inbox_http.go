package notification

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// NotificationPath names a notification.
type NotificationPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The notification"`
}

type notificationOutput struct{ Body Notification }

func answerNotification(n Notification, err error) (*notificationOutput, error) {
	if err != nil {
		return nil, err
	}
	return &notificationOutput{Body: n}, nil
}

type notificationsInput struct {
	page.Query
	httpx.IfNoneMatch
	Unread      bool      `query:"unread" doc:"Only those that are not read"`
	Kind        string    `query:"kind" enum:"task_due_soon,task_overdue,task_completed,task_assigned,residence_shared,warranty_expiring,digest" doc:"Only of this kind"`
	ResidenceID uuid.UUID `query:"residence_id" format:"uuid" doc:"Only about this residence"`
}

type notificationsOutput struct {
	ETag string `header:"ETag"`
	Body page.List[Notification]
}

func (s *Service) getNotifications(ctx context.Context, in *notificationsInput) (*notificationsOutput, error) {
	actor, filter := identity.From(ctx), InboxFilter{Unread: in.Unread, Kind: in.Kind, ResidenceID: in.ResidenceID}
	etag := s.InboxETag(ctx, actor, filter, in.Query)
	if etag != "" && in.Has(etag) {
		return nil, httpx.NotModified(etag)
	}
	list, err := s.Inbox(ctx, actor, filter, in.Query)
	if err != nil {
		return nil, err
	}
	return &notificationsOutput{ETag: etag, Body: list}, nil
}

type unreadCountOutput struct {
	Body struct {
		UnreadCount int `json:"unread_count"`
	}
}

func (s *Service) getUnreadCount(ctx context.Context, _ *struct{}) (*unreadCountOutput, error) {
	n, err := s.Unread(ctx, identity.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &unreadCountOutput{}
	out.Body.UnreadCount = n
	return out, nil
}

func (s *Service) postRead(ctx context.Context, in *NotificationPath) (*notificationOutput, error) {
	return answerNotification(s.MarkRead(ctx, identity.From(ctx), in.ID))
}

func (s *Service) postUnread(ctx context.Context, in *NotificationPath) (*notificationOutput, error) {
	return answerNotification(s.MarkUnread(ctx, identity.From(ctx), in.ID))
}

type markAllReadInput struct {
	Body *struct {
		Until *time.Time `json:"until,omitempty" doc:"The created_at of the newest that you have seen"`
	}
}

type markAllReadOutput struct {
	Body struct {
		Marked int `json:"marked_count" doc:"How many were not read before"`
	}
}

func (s *Service) postMarkAllRead(ctx context.Context, in *markAllReadInput) (*markAllReadOutput, error) {
	var until *time.Time
	if in.Body != nil {
		until = in.Body.Until
	}
	n, err := s.MarkAllRead(ctx, identity.From(ctx), until)
	if err != nil {
		return nil, err
	}
	out := &markAllReadOutput{}
	out.Body.Marked = n
	return out, nil
}

type clearOutput struct {
	Body struct {
		Deleted int `json:"deleted_count"`
	}
}

func (s *Service) postClear(ctx context.Context, _ *struct{}) (*clearOutput, error) {
	n, err := s.ClearRead(ctx, identity.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &clearOutput{}
	out.Body.Deleted = n
	return out, nil
}

func (s *Service) deleteNotification(ctx context.Context, in *NotificationPath) (*struct{}, error) {
	return nil, s.DeleteNotification(ctx, identity.From(ctx), in.ID)
}

type snoozeInput struct {
	NotificationPath
	Body *Snooze
}

type snoozeOutput struct {
	Body struct {
		SnoozedUntil time.Time `json:"snoozed_until"`
	}
}

func (s *Service) postSnooze(ctx context.Context, in *snoozeInput) (*snoozeOutput, error) {
	var how Snooze
	if in.Body != nil {
		how = *in.Body
	}
	until, err := s.SnoozeNotification(ctx, identity.From(ctx), in.ID, how)
	if err != nil {
		return nil, err
	}
	out := &snoozeOutput{}
	out.Body.SnoozedUntil = until
	return out, nil
}
