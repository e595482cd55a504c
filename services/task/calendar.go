package task

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/roundtrip"
)

// How far ahead a calendar looks, and how often one task may stand in it: a daily one for two months.
const (
	calendarDays   = 366
	calendarRepeat = 62
)

// CalendarFeed is a person's calendar subscription.
type CalendarFeed struct {
	MineOnly  bool      `json:"mine_only" doc:"Without the tasks that are assigned to others"`
	CreatedAt time.Time `json:"created_at"`
	Key       *string   `json:"key,omitempty" doc:"Told once, when it is made: it reads the calendar and can do nothing else"`
	Path      *string   `json:"path,omitempty" doc:"What a calendar app subscribes to, below the address of the API"`
}

// feed is whose calendar a key reads.
type feed struct {
	UserID   uuid.UUID
	MineOnly bool
}

// MakeCalendarFeed gives the actor a new key. One that they had before is dead.
func (s *Service) MakeCalendarFeed(ctx context.Context, actor identity.Actor, mineOnly bool) (CalendarFeed, error) {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // it never fails
	key := base64.RawURLEncoding.EncodeToString(secret)
	f := CalendarFeed{MineOnly: mineOnly, CreatedAt: s.Clock.Now().Truncate(time.Microsecond), Key: &key, Path: new("/api/calendar/" + key + "/tasks.ics")}
	return f, writeFeed(ctx, s.DB, actor, keyHash(key), f)
}

func keyHash(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// CalendarFeedOf answers the actor's subscription without its key, which nobody knows any more.
func (s *Service) CalendarFeedOf(ctx context.Context, actor identity.Actor) (CalendarFeed, error) {
	f, found, err := readFeed(ctx, s.DB, actor.UserID)
	if err == nil && !found {
		err = noSuchFeed()
	}
	return f, err
}

// EndCalendarFeed makes the actor's key dead.
func (s *Service) EndCalendarFeed(ctx context.Context, actor identity.Actor) error {
	found, err := deleteFeed(ctx, s.DB, actor.UserID)
	if err == nil && !found {
		err = noSuchFeed()
	}
	return err
}

func noSuchFeed() error { return apperr.NoSuchThing.New("There is no such calendar.") }

// CalendarView is a calendar that is not made yet: its ETag is known before its tasks are read.
type CalendarView struct {
	ETag  string // empty: not known
	feed  feed
	homes []access.Home
	today day.Day
}

// ViewCalendar says which calendar the key reads today. It fails with not_found for a key that is none, or dead.
func (s *Service) ViewCalendar(ctx context.Context, key string) (CalendarView, error) {
	var v CalendarView
	var found bool
	var err error
	if v.feed, found, err = readFeedByKey(ctx, s.DB, keyHash(key)); err != nil || !found {
		if err == nil {
			err = noSuchFeed()
		}
		return v, err
	}
	if v.homes, err = s.Access.HomesOf(ctx, v.feed.UserID); err != nil {
		return v, err
	}
	v.today = day.In(s.Clock.Now(), time.UTC)
	v.ETag = s.Access.ETag(ctx, v.homes, "calendar", v.today.String(), strconv.FormatBool(v.feed.MineOnly), v.feed.UserID.String())
	return v, nil
}

// MakeCalendar is the view as iCalendar (RFC 5545): an all-day event for each day on which a task is due.
func (s *Service) MakeCalendar(ctx context.Context, v CalendarView) ([]byte, error) {
	var rows []seriesRow
	var lookups internalapi.TaskLookups
	err := roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		if len(v.homes) > 0 {
			rows, err = readCalendar(ctx, s.DB, v.feed, access.IDs(v.homes))
		}
		return err
	}, func(ctx context.Context) (err error) {
		lookups, _, err = s.Lookups(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	categories := map[uuid.UUID]string{}
	for _, c := range lookups.Categories {
		categories[c.ID] = c.Name
	}
	cal := ics.NewCalendarFor("Hearth")
	cal.SetProductId("-//Hearth//Tasks//EN")
	cal.SetMethod(ics.MethodPublish)
	cal.SetXWRCalName("Hearth")
	cal.SetRefreshInterval("PT1H")
	cal.SetXPublishedTTL("PT1H")
	until := v.today.AddDays(calendarDays)
	for _, row := range rows {
		for _, due := range row.upcoming(v.homes, calendarRepeat) {
			if due.After(until) {
				break
			}
			row.addEvent(cal, due, categories)
		}
	}
	var out bytes.Buffer
	if err := cal.SerializeTo(&out, ics.WithNewLine("\r\n")); err != nil {
		return nil, fmt.Errorf("calendar: %w", err)
	}
	return out.Bytes(), nil
}

// addEvent adds the task on one day. Its UID stays the same for that day, so that apps move nothing about.
func (r seriesRow) addEvent(cal *ics.Calendar, due day.Day, categories map[uuid.UUID]string) {
	e := cal.AddEvent(r.ID.String() + "-" + strings.ReplaceAll(due.String(), "-", "") + "@hearth")
	e.SetDtStampTime(r.UpdatedAt)
	e.SetModifiedAt(r.UpdatedAt)
	e.SetSequence(r.Version)
	e.SetAllDayStartAt(due.Start(time.UTC))
	e.SetAllDayEndAt(due.AddDays(1).Start(time.UTC))
	e.SetSummary(r.Title)
	if text := r.calendarText(); text != "" {
		e.SetDescription(text)
	}
	if r.CategoryID != nil && categories[*r.CategoryID] != "" {
		e.AddCategory(categories[*r.CategoryID])
	}
	e.SetTimeTransparency(ics.TransparencyTransparent) // a task takes no time off
}

func (r seriesRow) calendarText() string {
	lines := []string{}
	if r.Description != nil {
		lines = append(lines, *r.Description)
	}
	for _, item := range r.Checklist {
		lines = append(lines, "- "+item.Title)
	}
	if r.AssignedToName != nil {
		lines = append(lines, "Assigned to "+*r.AssignedToName)
	}
	return strings.Join(lines, "\n")
}
