package task

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/task/recur"
)

// ruleColumns are a ruleRow, of a row w with a task's rule and its frequency f.
const ruleColumns = `w.residence_id AS rule_residence_id, w.due_date AS rule_anchor, w.reschedule_from AS rule_from,
	CASE f.unit WHEN 'custom' THEN 'day' ELSE f.unit END AS rule_unit,
	CASE f.unit WHEN 'custom' THEN w.custom_interval_days ELSE f.every END AS rule_every,
	w.rrule AS rule_rrule, w.season_start AS rule_season_start, w.season_end AS rule_season_end, w.end_date AS rule_end,
	w.max_occurrences AS rule_max, w.paused_from AS rule_paused_from, w.paused_until AS rule_paused_until`

// noRule is ruleColumns where there is none to read.
const noRule = `NULL::uuid AS rule_residence_id, NULL::date AS rule_anchor, NULL::text AS rule_from, NULL::text AS rule_unit, NULL::int AS rule_every,
	NULL::text AS rule_rrule, NULL::text AS rule_season_start, NULL::text AS rule_season_end, NULL::date AS rule_end,
	NULL::int AS rule_max, NULL::date AS rule_paused_from, NULL::date AS rule_paused_until`

// theRule is a row w of a task t, for ruleColumns.
const theRule = ` CROSS JOIN LATERAL (SELECT t.residence_id, t.due_date, t.reschedule_from, t.custom_interval_days, t.rrule, t.season_start,
	t.season_end, t.end_date, t.max_occurrences, t.paused_from, t.paused_until) w LEFT JOIN task_frequencies f ON f.id = t.frequency_id `

// ruleRow is a task's rule as read.
type ruleRow struct {
	RuleResidenceID *uuid.UUID
	RuleAnchor      *day.Day
	RuleFrom        *string
	RuleUnit        *string
	RuleEvery       *int
	RuleRRule       *string `db:"rule_rrule"`
	RuleSeasonStart *string
	RuleSeasonEnd   *string
	RuleEnd         *day.Day
	RuleMax         *int
	RulePausedFrom  *day.Day
	RulePausedUntil *day.Day
}

// orZero is what a pointer points at; nothing for none.
func orZero[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}

// dayOrNil is the day for a column that may be null.
func dayOrNil(d day.Day) *day.Day {
	if d.IsZero() {
		return nil
	}
	return &d
}

// rule is the row as package recur knows it. What it holds was checked when it was written.
func (r ruleRow) rule() recur.Rule {
	rule := recur.Rule{
		Unit: recur.Unit(orZero(r.RuleUnit)), Every: orZero(r.RuleEvery), From: recur.From(orZero(r.RuleFrom)), Anchor: orZero(r.RuleAnchor),
		Pause: recur.Pause{From: orZero(r.RulePausedFrom), Until: orZero(r.RulePausedUntil)}, End: orZero(r.RuleEnd), Max: orZero(r.RuleMax),
	}
	rule.RRule, _ = recur.ParseRRule(orZero(r.RuleRRule)) // none, where there is none
	start, noStart := recur.ParseDate(orZero(r.RuleSeasonStart))
	end, noEnd := recur.ParseDate(orZero(r.RuleSeasonEnd))
	if noStart == nil && noEnd == nil {
		rule.Season = recur.Season{Start: start, End: end}
	}
	return rule
}

// zone is that of the residence: a completion's day is the day there, whoever did it from wherever.
func (r ruleRow) zone(homes []access.Home) *time.Location {
	home, found := access.Among(homes, orZero(r.RuleResidenceID))
	if !found {
		return time.UTC
	}
	return identity.Actor{Zone: home.Timezone}.Location()
}

// replay is when the task is due after what was done at these instants, oldest first, and what was skipped.
func (r ruleRow) replay(homes []access.Home, doneAt []time.Time, skipped []day.Day) recur.Due {
	return r.rule().Next(recur.Log{Done: daysOf(doneAt, r.zone(homes)), Skipped: skipped})
}

func daysOf(instants []time.Time, zone *time.Location) []day.Day {
	days := make([]day.Day, len(instants))
	for i, at := range instants {
		days[i] = day.In(at, zone)
	}
	return days
}

// refuseRule names what makes the rule useless, below the location. A first due date that was not sent (due) moves to
// where the rule falls; it is answered, nil where it may stay as it is. today is the residence's.
func (r ruleRow) refuseRule(location string, today day.Day, due bool) (anchor *day.Day, err error) {
	rule := r.rule()
	faults := rule.Check(today)
	if !due && slices.ContainsFunc(faults, func(f recur.Fault) bool { return f.Field == "due_date" }) {
		if faults = rule.CheckFrom(rule.Anchor); len(faults) == 0 {
			rule.Anchor = rule.FirstFrom(rule.Anchor)
			anchor, faults = &rule.Anchor, rule.Check(today)
		}
	}
	if rule.Anchor.IsZero() && !rule.RRule.IsZero() && len(faults) == 0 {
		anchor = dayOrNil(rule.FirstFrom(today)) // an rrule says itself when it begins
	}
	if len(faults) == 0 {
		return anchor, nil
	}
	e := apperr.ValidationFailed.New("The task has a rule that does not work.")
	for _, fault := range faults {
		e = e.At(location+"."+fault.Field, fault.Text)
	}
	return nil, e
}

// ruleOf is the fields' rule, but for the frequency's unit.
func ruleOf(in TaskFields) ruleRow {
	return ruleRow{
		RuleResidenceID: &in.ResidenceID, RuleAnchor: in.DueDate, RuleFrom: &in.RescheduleFrom, RuleRRule: in.RRule,
		RuleSeasonStart: in.SeasonStart, RuleSeasonEnd: in.SeasonEnd, RuleEnd: in.EndDate, RuleMax: in.MaxOccurrences,
	}
}

// newRule checks the rule of a task that is to be added, and answers when it is first due.
func (s *Service) newRule(ctx context.Context, homes []access.Home, in TaskFields, location string) (first *day.Day, err error) {
	row := ruleOf(in)
	if in.RRule == nil && in.SeasonStart == nil && in.EndDate == nil && in.MaxOccurrences == nil {
		return in.DueDate, nil // due when it says, however it comes back
	}
	if err := s.readFrequency(ctx, in, location, &row); err != nil {
		return nil, err
	}
	anchor, err := row.refuseRule(location, s.today(homes, in.ResidenceID), true)
	if anchor != nil {
		row.RuleAnchor = anchor
	}
	return row.RuleAnchor, err
}

// readFrequency fills in the unit.
func (s *Service) readFrequency(ctx context.Context, in TaskFields, location string, row *ruleRow) error {
	if in.FrequencyID == nil {
		return nil
	}
	lookups, _, err := s.Lookups(ctx)
	if err != nil {
		return err
	}
	for _, f := range lookups.Frequencies {
		switch {
		case f.ID != *in.FrequencyID:
			continue
		case f.Unit != "custom":
			row.RuleUnit, row.RuleEvery = &f.Unit, &f.Every
		case in.CustomIntervalDays == nil:
			return refusedField(location, "custom_interval_days")
		default:
			row.RuleUnit, row.RuleEvery = new("day"), in.CustomIntervalDays
		}
		return nil
	}
	return refusedField(location, "frequency_id")
}

// refuseLookups is what statements refuse of a rule, for one that no statement sees.
func (s *Service) refuseLookups(ctx context.Context, in TaskFields) error {
	lookups, _, err := s.Lookups(ctx)
	if err != nil {
		return err
	}
	var unit string
	for _, f := range lookups.Frequencies {
		if in.FrequencyID != nil && f.ID == *in.FrequencyID {
			unit = f.Unit
		}
	}
	switch {
	case in.RRule != nil && unit != "" && unit != "none":
		return refusedField("body", "rrule")
	case in.SeasonStart == nil && in.SeasonEnd != nil:
		return refusedField("body", "season_start")
	case in.SeasonStart != nil && in.SeasonEnd == nil:
		return refusedField("body", "season_end")
	}
	return nil
}

// today is the residence's day.
func (s *Service) today(homes []access.Home, residence uuid.UUID) day.Day {
	return day.In(s.Clock.Now(), ruleRow{RuleResidenceID: &residence}.zone(homes))
}
