package task

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/patch"
	"hearth.internal/task/recur"
)

// TaskFields are what a person may set of a task.
type TaskFields struct {
	ResidenceID        uuid.UUID     `json:"residence_id" required:"true" format:"uuid" doc:"One that you may change things in"`
	Title              string        `json:"title" required:"true" minLength:"1" maxLength:"200" pattern:"\\S" example:"Change the furnace filter"`
	Description        *string       `json:"description" maxLength:"10000"`
	CategoryID         *uuid.UUID    `json:"category_id" nullable:"true" format:"uuid"`
	PriorityID         *uuid.UUID    `json:"priority_id" nullable:"true" format:"uuid"`
	FrequencyID        *uuid.UUID    `json:"frequency_id" nullable:"true" format:"uuid" doc:"None is the same as once"`
	CustomIntervalDays *int          `json:"custom_interval_days" minimum:"1" maximum:"3650" doc:"Needed with the custom frequency"`
	RRule              *string       `json:"rrule" maxLength:"500" doc:"A recurrence rule of RFC 5545 in place of a frequency" example:"FREQ=MONTHLY;BYDAY=1SA"`
	RescheduleFrom     string        `json:"reschedule_from" enum:"due_date,completion" default:"due_date" doc:"What the next due date is counted from"`
	SeasonStart        *string       `json:"season_start" maxLength:"5" doc:"MM-DD: it is due between this day of the year and season_end alone, over New Year if that is earlier" example:"04-01"`
	SeasonEnd          *string       `json:"season_end" maxLength:"5" doc:"MM-DD, that day included" example:"10-31"`
	EndDate            *day.Day      `json:"end_date" nullable:"true" doc:"It is not due after this day"`
	MaxOccurrences     *int          `json:"max_occurrences" minimum:"1" maximum:"1000" doc:"It ends when it was done or skipped so often"`
	DueDate            *day.Day      `json:"due_date" nullable:"true" doc:"When it is due for the first time"`
	AssignedToID       *uuid.UUID    `json:"assigned_to_id" nullable:"true" format:"uuid" doc:"Somebody who sees the residence"`
	ContractorID       *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid" doc:"One of the residence's, or a personal one of yours"`
	EquipmentID        *uuid.UUID    `json:"equipment_id" nullable:"true" format:"uuid" doc:"Equipment of the residence"`
	EstimatedCost      *money.Amount `json:"estimated_cost" nullable:"true"`
	ActualCost         *money.Amount `json:"actual_cost" nullable:"true"`

	Checklist         []ChecklistEntry `json:"checklist" maxItems:"50" nullable:"true" doc:"What is to be ticked off each time, in order"`
	Rotation          string           `json:"rotation" enum:"none,round_robin,fewest_done,random" default:"none" doc:"Who is assigned next, each time that it is done: in turn, who did it least often, or at random with nobody twice before everybody once"`
	RotationMemberIDs []uuid.UUID      `json:"rotation_member_ids" maxItems:"20" nullable:"true" doc:"At least two who see the residence, when there is a rotation"`
}

// NewTask is a task to be added.
type NewTask struct {
	ID *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: sending the same task twice adds it once"`
	TaskFields
	TemplateID *uuid.UUID `json:"template_id" nullable:"true" format:"uuid" doc:"The template that it is made from"`
}

// TaskPatch is a change of some of a task's fields.
type TaskPatch struct {
	ResidenceID        patch.Optional[uuid.UUID]    `json:"residence_id,omitzero" format:"uuid" doc:"Another residence: the assignee, the contractor and the equipment are cleared unless you send them too"`
	Title              patch.Optional[string]       `json:"title,omitzero" minLength:"1" maxLength:"200" pattern:"\\S"`
	Description        patch.Nullable[string]       `json:"description,omitzero" maxLength:"10000"`
	CategoryID         patch.Nullable[uuid.UUID]    `json:"category_id,omitzero" format:"uuid"`
	PriorityID         patch.Nullable[uuid.UUID]    `json:"priority_id,omitzero" format:"uuid"`
	FrequencyID        patch.Nullable[uuid.UUID]    `json:"frequency_id,omitzero" format:"uuid"`
	CustomIntervalDays patch.Nullable[int]          `json:"custom_interval_days,omitzero" minimum:"1" maximum:"3650"`
	RRule              patch.Nullable[string]       `json:"rrule,omitzero" maxLength:"500"`
	RescheduleFrom     patch.Optional[string]       `json:"reschedule_from,omitzero" enum:"due_date,completion"`
	SeasonStart        patch.Nullable[string]       `json:"season_start,omitzero" maxLength:"5"`
	SeasonEnd          patch.Nullable[string]       `json:"season_end,omitzero" maxLength:"5"`
	EndDate            patch.Nullable[day.Day]      `json:"end_date,omitzero"`
	MaxOccurrences     patch.Nullable[int]          `json:"max_occurrences,omitzero" minimum:"1" maximum:"1000"`
	DueDate            patch.Nullable[day.Day]      `json:"due_date,omitzero"`
	AssignedToID       patch.Nullable[uuid.UUID]    `json:"assigned_to_id,omitzero" format:"uuid"`
	ContractorID       patch.Nullable[uuid.UUID]    `json:"contractor_id,omitzero" format:"uuid"`
	EquipmentID        patch.Nullable[uuid.UUID]    `json:"equipment_id,omitzero" format:"uuid"`
	EstimatedCost      patch.Nullable[money.Amount] `json:"estimated_cost,omitzero"`
	ActualCost         patch.Nullable[money.Amount] `json:"actual_cost,omitzero"`

	Checklist         patch.Nullable[[]ChecklistEntry] `json:"checklist,omitzero" maxItems:"50" doc:"An item whose id stays keeps its tick"`
	Rotation          patch.Optional[string]           `json:"rotation,omitzero" enum:"none,round_robin,fewest_done,random"`
	RotationMemberIDs patch.Nullable[[]uuid.UUID]      `json:"rotation_member_ids,omitzero" maxItems:"20"`
}

// whole is the patch that replaces every field.
func (f TaskFields) whole() TaskPatch {
	if f.RescheduleFrom == "" { // sent as null
		f.RescheduleFrom = "due_date"
	}
	if f.Rotation == "" {
		f.Rotation = noRotation
	}
	return TaskPatch{
		ResidenceID: patch.To(f.ResidenceID), Title: patch.To(f.Title), Description: nullable(f.Description),
		CategoryID: nullable(f.CategoryID), PriorityID: nullable(f.PriorityID), FrequencyID: nullable(f.FrequencyID),
		CustomIntervalDays: nullable(f.CustomIntervalDays), RRule: nullable(f.RRule), RescheduleFrom: patch.To(f.RescheduleFrom),
		SeasonStart: nullable(f.SeasonStart), SeasonEnd: nullable(f.SeasonEnd), DueDate: nullable(f.DueDate),
		AssignedToID: nullable(f.AssignedToID), ContractorID: nullable(f.ContractorID), EquipmentID: nullable(f.EquipmentID),
		EstimatedCost: nullable(f.EstimatedCost), ActualCost: nullable(f.ActualCost),
		EndDate: nullable(f.EndDate), MaxOccurrences: nullable(f.MaxOccurrences), Checklist: list(f.Checklist),
		Rotation: patch.To(f.Rotation), RotationMemberIDs: list(f.RotationMemberIDs),
	}
}

func nullable[T any](value *T) patch.Nullable[T] { return patch.Nullable[T]{Set: true, Value: value} }

// list is a list that was sent; null is the empty one.
func list[T any](items []T) patch.Nullable[[]T] {
	if items == nil {
		items = []T{}
	}
	return patch.Nullable[[]T]{Set: true, Value: &items}
}

// refuse names the fields that no task may have, below the location, such as "body", and writes the others as they are
// kept.
func (p *TaskPatch) refuse(location string) error {
	e := apperr.ValidationFailed.New("The task has a field that is not valid.")
	for field, d := range map[string]*day.Day{"due_date": p.DueDate.Value, "end_date": p.EndDate.Value} {
		if d != nil && (d.Before(recur.Earliest) || d.After(recur.Latest)) {
			e = e.At(location+"."+field, fmt.Sprintf("must be between %s and %s", recur.Earliest, recur.Latest))
		}
	}
	if p.RRule.Value != nil {
		rule, err := recur.ParseRRule(*p.RRule.Value)
		if err != nil {
			e = e.At(location+".rrule", err.Error())
		}
		p.RRule.Value = new(rule.String())
	}
	for field, date := range map[string]*string{"season_start": p.SeasonStart.Value, "season_end": p.SeasonEnd.Value} {
		if date == nil {
			continue
		}
		if _, err := recur.ParseDate(*date); err != nil {
			e = e.At(location+"."+field, err.Error())
		}
	}
	if p.Checklist.Set {
		p.Checklist = list(orZero(p.Checklist.Value))
		e = refuseChecklist(e, location, *p.Checklist.Value)
	}
	if p.RotationMemberIDs.Set {
		p.RotationMemberIDs = list(orZero(p.RotationMemberIDs.Value))
		if repeats(*p.RotationMemberIDs.Value) {
			e = e.At(location+".rotation_member_ids", "names somebody twice")
		}
	}
	if len(e.Fields) > 0 {
		return e
	}
	return nil
}

func repeats(ids []uuid.UUID) bool {
	seen := map[uuid.UUID]bool{}
	for _, id := range ids {
		if seen[id] {
			return true
		}
		seen[id] = true
	}
	return false
}

// row is the patch as the table's columns: money in hundredths.
func (p TaskPatch) row() (map[string]any, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	row := map[string]any{}
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, fmt.Errorf("task: %w", err)
	}
	for column, amount := range map[string]patch.Nullable[money.Amount]{"estimated_cost": p.EstimatedCost, "actual_cost": p.ActualCost} {
		if amount.Value != nil {
			row[column] = int64(*amount.Value)
		}
	}
	return row, nil
}
