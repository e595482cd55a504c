package task

import (
	"context"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/task/recur"
)

// RuleFields are a task's rule alone, to be looked at before there is a task.
type RuleFields struct {
	ResidenceID        *uuid.UUID `json:"residence_id,omitempty" format:"uuid" doc:"Whose day today is; yours, if left out"`
	FrequencyID        *uuid.UUID `json:"frequency_id,omitempty" format:"uuid"`
	CustomIntervalDays *int       `json:"custom_interval_days,omitempty" minimum:"1" maximum:"3650"`
	RRule              *string    `json:"rrule,omitempty" maxLength:"500" example:"FREQ=MONTHLY;BYDAY=1SA"`
	RescheduleFrom     string     `json:"reschedule_from,omitempty" enum:"due_date,completion" default:"due_date"`
	SeasonStart        *string    `json:"season_start,omitempty" maxLength:"5" example:"04-01"`
	SeasonEnd          *string    `json:"season_end,omitempty" maxLength:"5" example:"10-31"`
	EndDate            *day.Day   `json:"end_date,omitempty"`
	MaxOccurrences     *int       `json:"max_occurrences,omitempty" minimum:"1" maximum:"1000"`
	DueDate            *day.Day   `json:"due_date,omitempty" doc:"The first one; where the rule first falls from today on, if left out"`
	Limit              int        `json:"limit,omitempty" minimum:"1" maximum:"100" default:"10" doc:"How many dates"`
}

// fields are the rule as a task would have it.
func (f RuleFields) fields() TaskFields {
	return TaskFields{
		FrequencyID: f.FrequencyID, CustomIntervalDays: f.CustomIntervalDays, RRule: f.RRule, RescheduleFrom: f.RescheduleFrom, SeasonStart: f.SeasonStart,
		SeasonEnd: f.SeasonEnd, EndDate: f.EndDate, MaxOccurrences: f.MaxOccurrences, DueDate: f.DueDate,
	}
}

// PreviewRule answers the next dates of a rule, if the task is done on each of them. It fails as adding the task would.
func (s *Service) PreviewRule(ctx context.Context, actor identity.Actor, f RuleFields) ([]day.Day, error) {
	today := actor.Today(s.Clock)
	if f.ResidenceID != nil {
		home, err := s.Access.Readable(ctx, actor, *f.ResidenceID)
		if err != nil {
			return nil, err
		}
		today = s.today([]access.Home{home}, home.ID)
	}
	fields := f.fields()
	p := fields.whole()
	if err := p.refuse("body"); err != nil {
		return nil, err
	}
	fields.RRule = p.RRule.Value
	if err := s.refuseLookups(ctx, fields); err != nil {
		return nil, err
	}
	row := ruleOf(fields)
	if err := s.readFrequency(ctx, fields, "body", &row); err != nil {
		return nil, err
	}
	anchor, err := row.refuseRule("body", today, f.DueDate != nil)
	if err != nil {
		return nil, err
	}
	rule := row.rule()
	switch {
	case anchor != nil:
		rule.Anchor = *anchor
	case rule.Anchor.IsZero() && rule.Recurs():
		rule.Anchor = rule.FirstFrom(today)
	}
	return rule.Upcoming(recur.Log{}, f.Limit), nil
}

// OccurrencesOf answers the next dates of a task, if it is done on each of them.
func (s *Service) OccurrencesOf(ctx context.Context, v ListView, id uuid.UUID, limit int) ([]day.Day, error) {
	row, found, err := readSeries(ctx, s.DB, seriesQuery{task: id, actor: v.actor, homes: v.homes})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, noSuchTask()
	}
	if row.IsCancelled {
		return []day.Day{}, nil
	}
	return row.upcoming(v.homes, limit), nil
}

func (r seriesRow) upcoming(homes []access.Home, limit int) []day.Day {
	return r.rule().Upcoming(recur.Log{Done: daysOf(r.DoneAt, r.zone(homes)), Skipped: r.SkippedOn}, limit)
}
