package notification

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/patch"
)

// The kinds of things that a person may hear of.
const (
	TaskDueSoon      = "task_due_soon"
	TaskOverdue      = "task_overdue"
	TaskCompleted    = "task_completed"
	TaskAssigned     = "task_assigned"
	ResidenceShared  = "residence_shared"
	WarrantyExpiring = "warranty_expiring"
	Digest           = "digest"
)

// Kinds are all of them.
func Kinds() []string {
	return []string{TaskDueSoon, TaskOverdue, TaskCompleted, TaskAssigned, ResidenceShared, WarrantyExpiring, Digest}
}

// Preferences are what a person wants to hear of, how and when.
type Preferences struct {
	Version int `json:"version"`
	PreferenceFields
}

// ETag is that of the version, and says whether pushes are silenced: that ends by itself.
func (p Preferences) ETag() string {
	if p.SnoozedUntil != nil {
		return fmt.Sprintf(`"%d-silent"`, p.Version)
	}
	return httpx.ETag(p.Version)
}

// PreferenceFields are what a person may choose. Times are those of the clock on their wall.
type PreferenceFields struct {
	Kinds         Choices     `json:"kinds" required:"true"`
	ReminderTime  string      `json:"reminder_time" required:"true" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"When to be reminded of what is due" example:"09:00"`
	DigestTime    string      `json:"digest_time" required:"true" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"When to get the day at a glance" example:"08:00"`
	DueSoonDays   int         `json:"due_soon_days" required:"true" minimum:"1" maximum:"30" doc:"How many days before it is due"`
	QuietHours    *QuietHours `json:"quiet_hours" doc:"When nothing is pushed; null: never"`
	SnoozedUntil  *time.Time  `json:"snoozed_until" nullable:"true" doc:"Nothing is pushed until then, at most a year from now; what is past is null"`
	SnoozeMinutes int         `json:"snooze_minutes" required:"true" minimum:"5" maximum:"10080" doc:"After how long a notification that is snoozed comes back"`
}

// QuietHours are from one time of the day until another, which may be the day after.
type QuietHours struct {
	_     struct{} `nullable:"true"`
	From  string   `json:"from" required:"true" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" example:"22:00"`
	Until string   `json:"until" required:"true" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"Not the same as from" example:"07:00"`
}

// Choices are a choice for every kind.
type Choices struct {
	TaskDueSoon      Choice `json:"task_due_soon" required:"true"`
	TaskOverdue      Choice `json:"task_overdue" required:"true"`
	TaskCompleted    Choice `json:"task_completed" required:"true"`
	TaskAssigned     Choice `json:"task_assigned" required:"true"`
	ResidenceShared  Choice `json:"residence_shared" required:"true"`
	WarrantyExpiring Choice `json:"warranty_expiring" required:"true"`
	Digest           Choice `json:"digest" required:"true"`
}

// Choice says by which ways to hear of a kind. The inbox has it in any case.
type Choice struct {
	Push  bool `json:"push" required:"true"`
	Email bool `json:"email" required:"true"`
}

// PreferencePatch is a change of some of them. It reaches down to a single channel of a kind.
type PreferencePatch struct {
	Kinds         patch.Optional[ChoicesPatch]    `json:"kinds,omitzero"`
	ReminderTime  patch.Optional[string]          `json:"reminder_time,omitzero" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$"`
	DigestTime    patch.Optional[string]          `json:"digest_time,omitzero" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$"`
	DueSoonDays   patch.Optional[int]             `json:"due_soon_days,omitzero" minimum:"1" maximum:"30"`
	QuietHours    patch.Nullable[QuietHoursPatch] `json:"quiet_hours,omitzero"`
	SnoozedUntil  patch.Nullable[time.Time]       `json:"snoozed_until,omitzero"`
	SnoozeMinutes patch.Optional[int]             `json:"snooze_minutes,omitzero" minimum:"5" maximum:"10080"`
}

// QuietHoursPatch changes one end of them, or makes them.
type QuietHoursPatch struct {
	_     struct{}               `nullable:"true"`
	From  patch.Optional[string] `json:"from,omitzero" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$"`
	Until patch.Optional[string] `json:"until,omitzero" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$"`
}

// ChoicesPatch changes the choice for some kinds.
type ChoicesPatch struct {
	TaskDueSoon      patch.Optional[ChoicePatch] `json:"task_due_soon,omitzero"`
	TaskOverdue      patch.Optional[ChoicePatch] `json:"task_overdue,omitzero"`
	TaskCompleted    patch.Optional[ChoicePatch] `json:"task_completed,omitzero"`
	TaskAssigned     patch.Optional[ChoicePatch] `json:"task_assigned,omitzero"`
	ResidenceShared  patch.Optional[ChoicePatch] `json:"residence_shared,omitzero"`
	WarrantyExpiring patch.Optional[ChoicePatch] `json:"warranty_expiring,omitzero"`
	Digest           patch.Optional[ChoicePatch] `json:"digest,omitzero"`
}

// ChoicePatch changes a channel of a kind, or both.
type ChoicePatch struct {
	Push  patch.Optional[bool] `json:"push,omitzero"`
	Email patch.Optional[bool] `json:"email,omitzero"`
}

// whole is the patch that replaces every field.
func (f PreferenceFields) whole() PreferencePatch {
	choice := func(c Choice) patch.Optional[ChoicePatch] {
		return patch.To(ChoicePatch{Push: patch.To(c.Push), Email: patch.To(c.Email)})
	}
	p := PreferencePatch{
		Kinds: patch.To(ChoicesPatch{
			TaskDueSoon: choice(f.Kinds.TaskDueSoon), TaskOverdue: choice(f.Kinds.TaskOverdue), TaskCompleted: choice(f.Kinds.TaskCompleted),
			TaskAssigned: choice(f.Kinds.TaskAssigned), ResidenceShared: choice(f.Kinds.ResidenceShared),
			WarrantyExpiring: choice(f.Kinds.WarrantyExpiring), Digest: choice(f.Kinds.Digest),
		}),
		ReminderTime: patch.To(f.ReminderTime), DigestTime: patch.To(f.DigestTime), DueSoonDays: patch.To(f.DueSoonDays),
		QuietHours: patch.Null[QuietHoursPatch](), SnoozedUntil: patch.Nullable[time.Time]{Set: true, Value: f.SnoozedUntil},
		SnoozeMinutes: patch.To(f.SnoozeMinutes),
	}
	if q := f.QuietHours; q != nil {
		p.QuietHours.Value = &QuietHoursPatch{From: patch.To(q.From), Until: patch.To(q.Until)}
	}
	return p
}

// choice is what is chosen of one kind; nil keeps.
type choice struct {
	Kind  string `json:"kind"`
	Push  *bool  `json:"push"`
	Email *bool  `json:"email"`
}

// choices are those that the patch changes.
func (p ChoicesPatch) choices() []choice {
	out := []choice{}
	for _, k := range []struct {
		kind  string
		patch patch.Optional[ChoicePatch]
	}{
		{TaskDueSoon, p.TaskDueSoon}, {TaskOverdue, p.TaskOverdue}, {TaskCompleted, p.TaskCompleted}, {TaskAssigned, p.TaskAssigned},
		{ResidenceShared, p.ResidenceShared}, {WarrantyExpiring, p.WarrantyExpiring}, {Digest, p.Digest},
	} {
		if k.patch.Set {
			out = append(out, choice{k.kind, pointer(k.patch.Value.Push), pointer(k.patch.Value.Email)})
		}
	}
	return out
}

func pointer[T any](o patch.Optional[T]) *T {
	if !o.Set {
		return nil
	}
	return &o.Value
}

// maxSilence is how far ahead one may silence all pushes.
const maxSilence = 366 * 24 * time.Hour

// row is the patch as columns of the settings.
func (p PreferencePatch) row(now time.Time) (map[string]any, error) {
	row := map[string]any{}
	if p.ReminderTime.Set {
		row["reminder_time"] = p.ReminderTime.Value
	}
	if p.DigestTime.Set {
		row["digest_time"] = p.DigestTime.Value
	}
	if p.DueSoonDays.Set {
		row["due_soon_days"] = p.DueSoonDays.Value
	}
	if p.SnoozeMinutes.Set {
		row["snooze_minutes"] = p.SnoozeMinutes.Value
	}
	if q := p.QuietHours.Value; q != nil {
		for _, end := range []struct {
			column, name string
			at           patch.Optional[string]
		}{{"quiet_from", "from", q.From}, {"quiet_until", "until", q.Until}} {
			if !end.at.Set {
				continue
			}
			if end.at.Value == "" { // a null: the schema lets it pass in an object that may be null itself
				return nil, apperr.InvalidField("body.quiet_hours."+end.name, "must be a time, such as 22:00")
			}
			row[end.column] = end.at.Value
		}
	} else if p.QuietHours.Set {
		row["quiet_from"], row["quiet_until"] = nil, nil
	}
	if until := p.SnoozedUntil.Value; until != nil && until.After(now) {
		if until.After(now.Add(maxSilence)) {
			return nil, apperr.InvalidField("body.snoozed_until", "must be within a year")
		}
		row["snoozed_until"] = *until
	} else if p.SnoozedUntil.Set {
		row["snoozed_until"] = nil
	}
	return row, nil
}

// PreferencesOf are the actor's. Whom no event has told of yet has the usual ones.
func (s *Service) PreferencesOf(ctx context.Context, actor identity.Actor) (Preferences, error) {
	return readPreferences(ctx, s.DB, actor.UserID, s.Clock.Now())
}

// ChangePreferences applies the patch. Reminders move with the hours that they go by, in the same transaction.
func (s *Service) ChangePreferences(ctx context.Context, actor identity.Actor, version *int, p PreferencePatch) (Preferences, error) {
	row, err := p.row(s.Clock.Now())
	if err != nil {
		return Preferences{}, err
	}
	w := preferenceWrite{user: actor.UserID, version: version, row: row, choices: p.Kinds.Value.choices(), now: s.Clock.Now()}
	out, after, err := changePreferences(ctx, s.DB, w)
	if err == nil && out.Current && !out.Done { // reminders would move, and nothing is written yet
		w.moves = true
		err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) (err error) {
			if out, after, err = changePreferences(ctx, tx, w); err != nil || !out.Moves || !out.Done {
				return err
			}
			return s.replan(ctx, tx, actor.UserID)
		})
	}
	switch {
	case err != nil:
		return Preferences{}, err
	case !out.Current:
		return Preferences{}, apperr.VersionConflict.New("It is at version %d now: read it again.", out.Version).With("version", out.Version)
	}
	return after, nil
}
