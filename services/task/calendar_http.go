package task

import (
	"context"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

type postCalendarInput struct {
	Body *struct {
		MineOnly bool `json:"mine_only,omitempty" doc:"Leave out the tasks that are assigned to others"`
	}
}

type calendarFeedOutput struct{ Body CalendarFeed }

func (s *Service) postCalendar(ctx context.Context, in *postCalendarInput) (*calendarFeedOutput, error) {
	f, err := s.MakeCalendarFeed(ctx, identity.From(ctx), in.Body != nil && in.Body.MineOnly)
	if err != nil {
		return nil, err
	}
	return &calendarFeedOutput{Body: f}, nil
}

func (s *Service) getCalendar(ctx context.Context, _ *struct{}) (*calendarFeedOutput, error) {
	f, err := s.CalendarFeedOf(ctx, identity.From(ctx))
	if err != nil {
		return nil, err
	}
	return &calendarFeedOutput{Body: f}, nil
}

func (s *Service) deleteCalendar(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.EndCalendarFeed(ctx, identity.From(ctx))
}

type calendarInput struct {
	httpx.IfNoneMatch
	Key string `path:"key" maxLength:"64" doc:"The key of the feed: whoever has it may read the calendar"`
}

type calendarOutput struct {
	ETag         string `header:"ETag"`
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Disposition  string `header:"Content-Disposition"`
	Body         []byte
}

func (s *Service) getCalendarTasks(ctx context.Context, in *calendarInput) (*calendarOutput, error) {
	view, err := s.ViewCalendar(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	if view.ETag != "" && in.Has(view.ETag) {
		return nil, httpx.NotModified(view.ETag)
	}
	body, err := s.MakeCalendar(ctx, view)
	if err != nil {
		return nil, err
	}
	return &calendarOutput{
		ETag: view.ETag, ContentType: calendarType, CacheControl: "private, no-cache", Disposition: `inline; filename="hearth.ics"`, Body: body,
	}, nil
}

const calendarType = "text/calendar; charset=utf-8"
