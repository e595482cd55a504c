package notification

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification/language"
	"hearth.internal/notification/mail"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
)

const (
	firePoll  = time.Second // how late a reminder may be
	fireBatch = 200
	// postponed is how long a reminder waits that could not be fired: it must not hold up the others.
	postponed = time.Hour
)

// remind fires what is due, until ctx ends.
func (s *Service) remind(ctx context.Context) {
	poll := time.NewTicker(firePoll)
	defer poll.Stop()
	for {
		full, err := s.fireTurn(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "reminders wait", "error", err)
		}
		if full && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
	}
}

// fireTurn fires a batch of what is due, and reports whether there may be more. Where one of them cannot be fired, they are
// fired one by one, and that one is put off. A database that is away, or a deadlock, is waited out by all.
func (s *Service) fireTurn(ctx context.Context) (full bool, err error) {
	fired, err := s.fire(ctx, fireBatch)
	if err == nil || ctx.Err() != nil || apperr.ServiceUnavailable.Has(err) { // the database's, not the reminders'
		return len(fired) == fireBatch, err
	}
	failures := []error{err}
	for range fireBatch {
		switch fired, err := s.fire(ctx, 1); {
		case err != nil && (len(fired) == 0 || apperr.ServiceUnavailable.Has(err)):
			return false, errors.Join(append(failures, err)...)
		case err != nil:
			failures = append(failures, err)
			if err := postpone(ctx, s.DB, fired[0], s.Clock.Now()); err != nil {
				return false, errors.Join(append(failures, err)...)
			}
		case len(fired) == 0:
			return false, errors.Join(failures...)
		}
	}
	return false, errors.Join(failures...)
}

// due is a reminder whose time has come, with what it is about.
type due struct {
	UserID      uuid.UUID
	Subject     string
	SubjectID   uuid.UUID
	ResidenceID *uuid.UUID
	OnDate      *day.Day
	Step        int
	FireAt      time.Time

	Title     string  // of the task or the warranty
	ItemName  *string // of the warranty
	Residence *string
}

// fire fires up to so many reminders in one transaction: nobody else fires them at the same time, and what has been told is
// told with the next step. It answers those that were due, also when it fails.
func (s *Service) fire(ctx context.Context, batch int) (rows []due, err error) {
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) (err error) {
		now := s.Clock.Now()
		rows, err = readDue(ctx, tx, now, batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		firing, err := s.gather(ctx, tx, rows, now)
		if err != nil {
			return err
		}
		var tells []told
		next := make([]reminder, 0, len(rows))
		for _, d := range rows {
			told, then := firing.step(d)
			if told != nil {
				tells = append(tells, *told)
			}
			next = append(next, then)
		}
		if err := s.tell(ctx, tx, tells); err != nil {
			return err
		}
		return moveOn(ctx, tx, next)
	})
	if err != nil {
		return rows, fmt.Errorf("fire: %w", err)
	}
	if len(rows) > 0 {
		s.wake()
	}
	return rows, nil
}

// firing is what is known while a batch fires.
type firing struct {
	now     time.Time
	people  map[uuid.UUID]recipient
	days    map[uuid.UUID][]dayItem // of who is told of their day
	snoozed map[uuid.UUID]returning // notifications by id
}

// gather reads what the reminders of a batch need, whatever their number.
func (s *Service) gather(ctx context.Context, tx pgx.Tx, rows []due, now time.Time) (firing, error) {
	f := firing{now: now, people: map[uuid.UUID]recipient{}}
	var users, digests, notifications []uuid.UUID
	for _, d := range rows {
		users = append(users, d.UserID)
		switch d.Subject {
		case aboutDigest:
			digests = append(digests, d.UserID)
		case aboutSnooze:
			notifications = append(notifications, d.SubjectID)
		}
	}
	slices.SortFunc(users, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	people, err := s.persons(ctx, tx, slices.Compact(users))
	if err != nil {
		return f, err
	}
	for _, p := range people {
		f.people[p.UserID] = p
	}
	if f.days, err = readDays(ctx, tx, digests, now); err != nil {
		return f, err
	}
	f.snoozed, err = readSnoozed(ctx, tx, notifications)
	return f, err
}

// step is what a reminder says now, if anything, and what comes after it.
func (f firing) step(d due) (*told, reminder) {
	then := reminder{UserID: d.UserID, Subject: d.Subject, SubjectID: d.SubjectID, ResidenceID: d.ResidenceID, OnDate: d.OnDate, Step: d.Step}
	to, there := f.people[d.UserID]
	if !there { // they are gone
		return nil, then
	}
	switch d.Subject {
	case aboutDigest:
		return f.digest(d, to, then)
	case aboutSnooze:
		return f.comeBack(d, to), then // it has no next time, and goes
	}
	at := to.timing()
	if d.OnDate == nil {
		return nil, then
	}
	if d.Step < 0 { // nobody has planned it yet
		then.Step, then.FireAt = at.first(d.Subject, *d.OnDate, f.now)
		return nil, then
	}
	step := at.latest(d.Subject, *d.OnDate, d.Step, f.now)
	then.Step, then.FireAt = step+1, at.at(d.Subject, *d.OnDate, step+1)
	today := day.In(f.now, at.Zone)
	if !matters(d.Subject, *d.OnDate, step, today) {
		return nil, then
	}
	t := &told{to: to, id: reminderID(d, step), residence: d.ResidenceID, subject: &d.SubjectID, data: map[string]string{}}
	if d.Residence != nil {
		t.data["residence"] = *d.Residence
	}
	say := to.speaker()
	if d.Subject == aboutWarranty {
		sayWarranty(t, d, say, today, f.now)
	} else {
		sayTask(t, d, say, today, f.now, at.Zone)
	}
	return t, then
}

// reminderID is the notification's id of a step: the same whenever it fires, and however often its date comes and goes.
func reminderID(d due, step int) uuid.UUID {
	cause := uuid.NewSHA1(d.SubjectID, []byte(fmt.Sprintf("%s %s %d", d.Subject, d.OnDate, step)))
	id := idFor(cause, d.UserID)
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUIDv8 (RFC 9562): of our own making
	return id
}

func sayTask(t *told, d due, say language.Speaker, today day.Day, now time.Time, zone *time.Location) {
	left := today.DaysUntil(*d.OnDate)
	args := language.Args{"Task": d.Title}
	t.data["task"], t.data["due_date"] = d.Title, d.OnDate.String()
	title, body := "task_due_soon.title", "task_due_soon.days"
	t.kind, t.expires = TaskDueSoon, d.OnDate.AddDays(1).Start(zone)
	switch {
	case left < -1:
		t.kind, title, body, args["Count"] = TaskOverdue, "task_overdue.title", "task_overdue.days", -left
	case left == -1:
		t.kind, title, body = TaskOverdue, "task_overdue.title", "task_overdue.yesterday"
	case left == 0:
		title, body = "task_due_soon.today_title", "task_due_soon.today"
	case left == 1:
		body = "task_due_soon.tomorrow"
	default:
		args["Count"] = left
	}
	if t.kind == TaskOverdue {
		t.expires = now.Add(overdueWaits)
	}
	t.title, t.body = say.Say(title, nil), say.Say(body, args)
}

func sayWarranty(t *told, d due, say language.Speaker, today day.Day, now time.Time) {
	item := d.Title
	if d.ItemName != nil && *d.ItemName != "" {
		item = *d.ItemName
	}
	left := today.DaysUntil(*d.OnDate)
	t.kind, t.expires = WarrantyExpiring, now.Add(warrantyWaits)
	t.data["document"], t.data["item"], t.data["end_date"] = d.Title, item, d.OnDate.String()
	args, body := language.Args{"Item": item}, "warranty_expiring.days"
	switch left {
	case 0:
		body = "warranty_expiring.today"
	case 1:
		body = "warranty_expiring.tomorrow"
	default:
		args["Count"] = left
	}
	t.title, t.body = say.Say("warranty_expiring.title", nil), say.Say(body, args)
}

// comeBack brings a notification back that was put off. One that was deleted meanwhile does not. What was due tomorrow may be
// due today by then, or overdue.
func (f firing) comeBack(d due, to recipient) *told {
	n, there := f.snoozed[d.SubjectID]
	if !there || n.UserID != d.UserID {
		return nil
	}
	t := &told{to: to, id: d.SubjectID, kind: n.Kind, residence: n.ResidenceID, subject: n.SubjectID, title: n.Title, body: n.Body,
		data: n.Data, expires: f.now.Add(newsWaits), again: true}
	zone := to.timing().Zone
	today := day.In(f.now, zone)
	switch n.Kind {
	case TaskDueSoon, TaskOverdue:
		if on, err := day.Parse(n.Data["due_date"]); err == nil {
			sayTask(t, due{Title: n.Data["task"], OnDate: &on}, to.speaker(), today, f.now, zone)
		}
	case WarrantyExpiring:
		if on, err := day.Parse(n.Data["end_date"]); err == nil && !today.After(on) {
			sayWarranty(t, due{Title: n.Data["document"], ItemName: new(n.Data["item"]), OnDate: &on}, to.speaker(), today, f.now)
		}
	}
	return t
}

// digest tells a person of their day, if there is anything to tell.
func (f firing) digest(d due, to recipient, then reminder) (*told, reminder) {
	at := to.timing()
	today := day.In(f.now, at.Zone)
	var before day.Day
	if d.OnDate != nil {
		before = *d.OnDate
	}
	if d.Step < 0 || !before.IsZero() && !today.After(before) || f.now.Before(at.Digest.on(today, at.Zone)) {
		then.Step, then.FireAt = 0, new(at.nextDigest(before, f.now))
		return nil, then
	}
	then.OnDate, then.FireAt = &today, new(at.nextDigest(today, f.now))
	say := to.speaker()
	sections, summary := digestOf(f.days[d.UserID], say, today)
	if len(sections) == 0 {
		return nil, then
	}
	return &told{
		to: to, id: reminderID(due{Subject: d.Subject, SubjectID: d.SubjectID, UserID: d.UserID, OnDate: &today}, 0), kind: Digest,
		title: say.Say("digest.title", nil), body: summary, content: content{Sections: sections},
		expires: today.AddDays(1).Start(at.Zone), data: map[string]string{"date": today.String()},
	}, then
}

// dayItem is a task that a person has to do, or a warranty that ends.
type dayItem struct {
	UserID    uuid.UUID
	Subject   string
	Title     string
	Residence *string
	OnDate    day.Day
}

// digestWarranties is how long before its end a warranty is in the digest.
const digestWarranties = 30

// digestOf sorts what there is to do into sections, and sums it up in a line.
func digestOf(items []dayItem, say language.Speaker, today day.Day) (sections []mail.Section, summary string) {
	parts := []struct {
		name, tone string
		items      []mail.Item
	}{{"overdue", "overdue", nil}, {"today", "today", nil}, {"week", "soon", nil}, {"warranties", "later", nil}}
	for _, item := range items {
		left, which := today.DaysUntil(item.OnDate), 2
		switch {
		case item.Subject == aboutWarranty && (left < 0 || left > digestWarranties), item.Subject == aboutTask && left > 7:
			continue
		case item.Subject == aboutWarranty:
			which = 3
		case left < 0:
			which = 0
		case left == 0:
			which = 1
		}
		note := say.Day(item.OnDate)
		if item.Residence != nil {
			note = say.Say("digest.item", language.Args{"Residence": *item.Residence, "Day": note})
		}
		parts[which].items = append(parts[which].items, mail.Item{Title: item.Title, Note: note})
	}
	for _, p := range parts {
		if len(p.items) == 0 {
			continue
		}
		if summary != "" {
			summary += ", "
		}
		summary += say.Say("digest."+p.name, language.Args{"Count": len(p.items)})
		sections = append(sections, mail.Section{Title: say.Say("digest.section_"+p.name, nil), Tone: p.tone, Items: p.items})
	}
	return sections, summary
}
