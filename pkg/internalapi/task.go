package internalapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
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
