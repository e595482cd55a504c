package internalapi

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// Task is the task service as the others call it.
type Task struct{ remote }

// Task answers a client of the task service.
func (c *Caller) Task(base string) Task { return Task{c.to("task", base)} }

// TaskCountsQuery asks for the tasks of residences as they stand on a day.
type TaskCountsQuery struct {
	ResidenceIDs []uuid.UUID `json:"residence_ids"`
	Today        day.Day     `json:"today"`
}

// TaskCounts are a residence's tasks in numbers. Open: neither done for good, nor cancelled, nor archived.
type TaskCounts struct {
	Open    int `json:"open"`
	Overdue int `json:"overdue"`
	DueSoon int `json:"due_soon"` // within 30 days
}

// Counts answers the counts by residence; one without tasks may be missing: POST /internal/task-counts.
func (t Task) Counts(ctx context.Context, q TaskCountsQuery) (map[uuid.UUID]TaskCounts, error) {
	return call[map[uuid.UUID]TaskCounts](ctx, t.remote, http.MethodPost, "/internal/task-counts", q)
}

// ReportQuery asks for a report of a residence as a person may have it.
type ReportQuery struct {
	Kind        string    `json:"kind" required:"true" enum:"tasks,history"`
	UserID      uuid.UUID `json:"user_id" required:"true"`
	ResidenceID uuid.UUID `json:"residence_id" required:"true"`
	From        *day.Day  `json:"from,omitempty" nullable:"true"` // of tasks; nil: the last twelve months
	To          *day.Day  `json:"to,omitempty" nullable:"true"`
	Paper       string    `json:"paper,omitempty" enum:"a4,letter" default:"a4"`
	Locale      string    `json:"locale,omitempty"` // empty: the person's
}

// Report answers the PDF: POST /internal/reports. It fails with not_found when the person does not see the residence any
// more.
func (t Task) Report(ctx context.Context, q ReportQuery) ([]byte, error) {
	return ask(ctx, t.remote, http.MethodPost, "/internal/reports", q)
}

// RefsQuery asks where tasks and contractors are that a person wants to name in something of a residence.
type RefsQuery struct {
	UserID        uuid.UUID   `json:"user_id"`
	TaskIDs       []uuid.UUID `json:"task_ids,omitempty"`
	ContractorIDs []uuid.UUID `json:"contractor_ids,omitempty"`
}

// Ref is where something is; a contractor without a residence is a personal one of the person's.
type Ref struct {
	ID          uuid.UUID `json:"id"`
	ResidenceID uuid.UUID `json:"residence_id,omitzero"`
}

// RefsAnswer lists those that there are. Whether the person sees their residences is for the caller to know.
type RefsAnswer struct {
	Tasks       []Ref `json:"tasks"`
	Contractors []Ref `json:"contractors"`
}

// Refs answers where tasks and contractors are: POST /internal/refs.
func (t Task) Refs(ctx context.Context, q RefsQuery) (RefsAnswer, error) {
	return call[RefsAnswer](ctx, t.remote, http.MethodPost, "/internal/refs", q)
}

// EquipmentWorkQuery asks what was done to a piece of equipment in residences, and what is to be done.
type EquipmentWorkQuery struct {
	EquipmentID  uuid.UUID   `json:"equipment_id"`
	ResidenceIDs []uuid.UUID `json:"residence_ids"`
	Limit        int         `json:"limit" minimum:"1" maximum:"201"`
	Before       *WorkPlace  `json:"before,omitempty"` // nil: from the newest on
}

// WorkPlace is where a completion stands in a log, newest first.
type WorkPlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// EquipmentWork is a page of it, newest first, with what all of it comes to.
type EquipmentWork struct {
	Completions []WorkDone `json:"completions"`
	OpenTasks   []WorkToDo `json:"open_tasks"`
	Totals      WorkTotals `json:"totals"`
}

// WorkDone is a completion, with the task that it is of.
type WorkDone struct {
	ID              uuid.UUID     `json:"id" format:"uuid"`
	TaskID          uuid.UUID     `json:"task_id" format:"uuid"`
	TaskTitle       string        `json:"task_title"`
	CategoryID      *uuid.UUID    `json:"category_id" nullable:"true" format:"uuid" doc:"The task's"`
	ResidenceID     uuid.UUID     `json:"residence_id" format:"uuid"`
	CompletedAt     time.Time     `json:"completed_at"`
	CompletedByID   uuid.UUID     `json:"completed_by_id" format:"uuid"`
	CompletedByName *string       `json:"completed_by_name"`
	Notes           *string       `json:"notes"`
	ActualCost      *money.Amount `json:"actual_cost" nullable:"true"`
	Rating          *int          `json:"rating" minimum:"1" maximum:"5"`
	ContractorID    *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid"`
	ContractorName  *string       `json:"contractor_name" doc:"It stays when the contractor is deleted"`
	UploadIDs       []uuid.UUID   `json:"upload_ids" nullable:"false"`
	Version         int           `json:"version"`
}

// WorkToDo is an open task.
type WorkToDo struct {
	ID             uuid.UUID  `json:"id" format:"uuid"`
	Title          string     `json:"title"`
	NextDueDate    *day.Day   `json:"next_due_date" nullable:"true"`
	InProgress     bool       `json:"in_progress"`
	AssignedToID   *uuid.UUID `json:"assigned_to_id" nullable:"true" format:"uuid"`
	AssignedToName *string    `json:"assigned_to_name"`
}

// WorkTotals is of the whole log, whatever the page.
type WorkTotals struct {
	Completions int         `json:"completions"`
	Cost        money.Total `json:"cost"`
	FirstAt     *time.Time  `json:"first_at"`
	LastAt      *time.Time  `json:"last_at"`
}

// EquipmentWork answers what was done to a piece of equipment, and which open tasks name it: POST
// /internal/equipment-work.
func (t Task) EquipmentWork(ctx context.Context, q EquipmentWorkQuery) (EquipmentWork, error) {
	return call[EquipmentWork](ctx, t.remote, http.MethodPost, "/internal/equipment-work", q)
}

// Frequency is how often a task comes back.
type Frequency struct {
	Lookup
	Unit  string `json:"unit" enum:"none,day,month,year,custom"`
	Every int    `json:"every"` // of the unit
}

// TaskLookups are task's lookup tables.
type TaskLookups struct {
	Categories  []Lookup    `json:"task_categories"`
	Priorities  []Lookup    `json:"task_priorities"`
	Frequencies []Frequency `json:"task_frequencies"`
	Specialties []Lookup    `json:"contractor_specialties"`
}

// Lookups answers task's lookup tables: GET /internal/lookups.
func (t Task) Lookups(ctx context.Context) (TaskLookups, error) {
	return call[TaskLookups](ctx, t.remote, http.MethodGet, "/internal/lookups", nil)
}
