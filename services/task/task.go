package task

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/patch"
)

// tries is how often a write that found the task changed under it looks again.
const tries = 5

// Task is something to be done in a residence, once or again and again.
type Task struct {
	ID                 uuid.UUID     `json:"id" format:"uuid"`
	ResidenceID        uuid.UUID     `json:"residence_id" format:"uuid"`
	Title              string        `json:"title" example:"Change the furnace filter"`
	Description        *string       `json:"description"`
	CategoryID         *uuid.UUID    `json:"category_id" nullable:"true" format:"uuid"`
	PriorityID         *uuid.UUID    `json:"priority_id" nullable:"true" format:"uuid"`
	FrequencyID        *uuid.UUID    `json:"frequency_id" nullable:"true" format:"uuid"`
	CustomIntervalDays *int          `json:"custom_interval_days" doc:"Of the custom frequency"`
	RRule              *string       `json:"rrule"`
	RescheduleFrom     string        `json:"reschedule_from" enum:"due_date,completion"`
	SeasonStart        *string       `json:"season_start"`
	SeasonEnd          *string       `json:"season_end"`
	DueDate            *day.Day      `json:"due_date" nullable:"true" doc:"The first due date"`
	NextDueDate        *day.Day      `json:"next_due_date" nullable:"true" doc:"When it is due now, by what has been completed"`
	InProgress         bool          `json:"in_progress"`
	IsCancelled        bool          `json:"is_cancelled"`
	IsArchived         bool          `json:"is_archived"`
	AssignedToID       *uuid.UUID    `json:"assigned_to_id" nullable:"true" format:"uuid"`
	AssignedToName     *string       `json:"assigned_to_name"`
	ContractorID       *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid"`
	EstimatedCost      *money.Amount `json:"estimated_cost" nullable:"true"`
	ActualCost         *money.Amount `json:"actual_cost" nullable:"true"`
	LastCompletedAt    *time.Time    `json:"last_completed_at" nullable:"true"`
	CompletionCount    int           `json:"completion_count"`
	CreatedByID        uuid.UUID     `json:"created_by_id" format:"uuid"`
	Version            int           `json:"version"`
	CreatedAt          time.Time     `json:"created_at"`
	UpdatedAt          time.Time     `json:"updated_at"`
}

// Done reports whether it was completed and will not come back.
func (t Task) Done() bool { return t.CompletionCount > 0 && t.NextDueDate == nil }

// Open reports whether there is still something to do.
func (t Task) Open() bool { return !t.IsCancelled && !t.IsArchived && !t.Done() }

// ref is the task as the other services know it.
func (t Task) ref(actor identity.Actor) events.TaskRef {
	r := events.TaskRef{ID: t.ID, ResidenceID: t.ResidenceID, Title: t.Title, Open: t.Open(), ActorID: actor.UserID, Version: t.Version}
	if t.NextDueDate != nil {
		r.NextDueDate = t.NextDueDate.String()
	}
	if t.AssignedToID != nil {
		r.AssignedToID = *t.AssignedToID
	}
	return r
}

// TaskFields are what a person may set of a task.
type TaskFields struct {
	ResidenceID        uuid.UUID     `json:"residence_id" required:"true" format:"uuid" doc:"One that you may change things in"`
	Title              string        `json:"title" required:"true" minLength:"1" maxLength:"200" pattern:"\\S" example:"Change the furnace filter"`
	Description        *string       `json:"description" maxLength:"10000"`
	CategoryID         *uuid.UUID    `json:"category_id" nullable:"true" format:"uuid"`
	PriorityID         *uuid.UUID    `json:"priority_id" nullable:"true" format:"uuid"`
	FrequencyID        *uuid.UUID    `json:"frequency_id" nullable:"true" format:"uuid" doc:"None is the same as once"`
	CustomIntervalDays *int          `json:"custom_interval_days" minimum:"1" maximum:"3650" doc:"Needed with the custom frequency"`
	RRule              *string       `json:"rrule" maxLength:"500" doc:"Not available yet: null"`
	RescheduleFrom     string        `json:"reschedule_from" enum:"due_date,completion" default:"due_date" doc:"What the next due date is counted from"`
	SeasonStart        *string       `json:"season_start" maxLength:"10" doc:"Not available yet: null"`
	SeasonEnd          *string       `json:"season_end" maxLength:"10" doc:"Not available yet: null"`
	DueDate            *day.Day      `json:"due_date" nullable:"true" doc:"When it is due for the first time"`
	AssignedToID       *uuid.UUID    `json:"assigned_to_id" nullable:"true" format:"uuid" doc:"Somebody who sees the residence"`
	ContractorID       *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid" doc:"One of the residence's, or a personal one of yours"`
	EstimatedCost      *money.Amount `json:"estimated_cost" nullable:"true"`
	ActualCost         *money.Amount `json:"actual_cost" nullable:"true"`
}

// NewTask is a task to be added.
type NewTask struct {
	ID *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: sending the same task twice adds it once"`
	TaskFields
}

// TaskPatch is a change of some of a task's fields.
type TaskPatch struct {
	ResidenceID        patch.Optional[uuid.UUID]    `json:"residence_id,omitzero" format:"uuid" doc:"Another residence: the assignee and the contractor are cleared unless you send them too"`
	Title              patch.Optional[string]       `json:"title,omitzero" minLength:"1" maxLength:"200" pattern:"\\S"`
	Description        patch.Nullable[string]       `json:"description,omitzero" maxLength:"10000"`
	CategoryID         patch.Nullable[uuid.UUID]    `json:"category_id,omitzero" format:"uuid"`
	PriorityID         patch.Nullable[uuid.UUID]    `json:"priority_id,omitzero" format:"uuid"`
	FrequencyID        patch.Nullable[uuid.UUID]    `json:"frequency_id,omitzero" format:"uuid"`
	CustomIntervalDays patch.Nullable[int]          `json:"custom_interval_days,omitzero" minimum:"1" maximum:"3650"`
	RRule              patch.Nullable[string]       `json:"rrule,omitzero" maxLength:"500" doc:"Not available yet: null"`
	RescheduleFrom     patch.Optional[string]       `json:"reschedule_from,omitzero" enum:"due_date,completion"`
	SeasonStart        patch.Nullable[string]       `json:"season_start,omitzero" maxLength:"10" doc:"Not available yet: null"`
	SeasonEnd          patch.Nullable[string]       `json:"season_end,omitzero" maxLength:"10" doc:"Not available yet: null"`
	DueDate            patch.Nullable[day.Day]      `json:"due_date,omitzero"`
	AssignedToID       patch.Nullable[uuid.UUID]    `json:"assigned_to_id,omitzero" format:"uuid"`
	ContractorID       patch.Nullable[uuid.UUID]    `json:"contractor_id,omitzero" format:"uuid"`
	EstimatedCost      patch.Nullable[money.Amount] `json:"estimated_cost,omitzero"`
	ActualCost         patch.Nullable[money.Amount] `json:"actual_cost,omitzero"`
}

// whole is the patch that replaces every field.
func (f TaskFields) whole() TaskPatch {
	if f.RescheduleFrom == "" { // sent as null
		f.RescheduleFrom = "due_date"
	}
	return TaskPatch{
		ResidenceID: patch.To(f.ResidenceID), Title: patch.To(f.Title), Description: nullable(f.Description),
		CategoryID: nullable(f.CategoryID), PriorityID: nullable(f.PriorityID), FrequencyID: nullable(f.FrequencyID),
		CustomIntervalDays: nullable(f.CustomIntervalDays), RRule: nullable(f.RRule), RescheduleFrom: patch.To(f.RescheduleFrom),
		SeasonStart: nullable(f.SeasonStart), SeasonEnd: nullable(f.SeasonEnd), DueDate: nullable(f.DueDate),
		AssignedToID: nullable(f.AssignedToID), ContractorID: nullable(f.ContractorID),
		EstimatedCost: nullable(f.EstimatedCost), ActualCost: nullable(f.ActualCost),
	}
}

func nullable[T any](value *T) patch.Nullable[T] { return patch.Nullable[T]{Set: true, Value: value} }

// Due dates outside of these are typing errors.
var earliest, latest = day.Of(1900, time.January, 1), day.Of(2199, time.December, 31)

// refuse names the fields that no task may have, below the location, such as "body".
func (p TaskPatch) refuse(location string) error {
	e := apperr.ValidationFailed.New("The task has a field that is not valid.")
	for field, value := range map[string]*string{"rrule": p.RRule.Value, "season_start": p.SeasonStart.Value, "season_end": p.SeasonEnd.Value} {
		if value != nil {
			e = e.At(location+"."+field, "is not available yet: leave it out or send null")
		}
	}
	if d := p.DueDate.Value; d != nil && (d.Before(earliest) || d.After(latest)) {
		e = e.At(location+".due_date", fmt.Sprintf("must be between %s and %s", earliest, latest))
	}
	if len(e.Fields) > 0 {
		return e
	}
	return nil
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

// AddTask adds a task to a residence that the actor may change, and reports whether it is new: the same id again
// answers the task that is there. It fails with not_found for a residence that is not theirs, and with id_taken.
func (s *Service) AddTask(ctx context.Context, actor identity.Actor, in NewTask) (Task, bool, error) {
	tasks, added, err := s.addTasks(ctx, actor, []NewTask{in}, func(int) string { return "body" })
	if err != nil {
		return Task{}, false, err
	}
	return tasks[0], added, nil
}

// AddTasks adds all of the tasks or none, in the order given.
func (s *Service) AddTasks(ctx context.Context, actor identity.Actor, in []NewTask) ([]Task, bool, error) {
	return s.addTasks(ctx, actor, in, func(i int) string { return fmt.Sprintf("body.tasks[%d]", i) })
}

func (s *Service) addTasks(ctx context.Context, actor identity.Actor, in []NewTask, location func(int) string) ([]Task, bool, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return nil, false, err
	}
	rows := make([]map[string]any, len(in))
	assignees := map[uuid.UUID][]uuid.UUID{}
	for i, task := range in {
		if rows[i], err = s.newRow(ctx, actor, homes, assignees, task, location(i)); err != nil {
			return nil, false, err
		}
	}
	if at := repeated(rows); at >= 0 {
		return nil, false, apperr.InvalidField(location(at)+".id", "is that of another task in the same request")
	}
	for range tries {
		outcome, err := insertTasks(ctx, s.DB, actor, access.IDs(homes), rows)
		if raced(err) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		tasks, added, err := readInserted(outcome, location)
		s.announceTasks(ctx, actor, added)
		return tasks, len(added) > 0, err
	}
	return nil, false, busy()
}

// newRow is the task as a row of the table, checked as far as that needs no SQL. assignees are the residences of those
// who were looked up before: many tasks at once are mostly for one person.
func (s *Service) newRow(ctx context.Context, actor identity.Actor, homes []access.Home, assignees map[uuid.UUID][]uuid.UUID, in NewTask, location string) (map[string]any, error) {
	if err := writable(homes, in.ResidenceID); err != nil {
		return nil, err
	}
	p := in.whole()
	if err := p.refuse(location); err != nil {
		return nil, err
	}
	if in.AssignedToID != nil {
		theirs, known := assignees[*in.AssignedToID]
		if !known {
			var err error
			if theirs, err = s.assigneeHomes(ctx, actor, homes, in.AssignedToID); err != nil {
				return nil, err
			}
			assignees[*in.AssignedToID] = theirs
		}
		if !slices.Contains(theirs, in.ResidenceID) {
			return nil, refusedField(location, "assigned_to_id")
		}
	}
	row, err := p.row()
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	row["event_id"] = uuid.Must(uuid.NewV7())
	if row["id"], err = idOrNew(in.ID, location); err != nil {
		return nil, err
	}
	row["next_due_date"], row["created_by_id"], row["created_at"], row["updated_at"] = in.DueDate, actor.UserID, now, now
	row["in_progress"], row["is_cancelled"], row["is_archived"], row["completion_count"], row["version"] = false, false, false, 0, 1
	return row, nil
}

// idOrNew is the client's id for what it adds, or a new one.
func idOrNew(id *uuid.UUID, location string) (uuid.UUID, error) {
	switch {
	case id == nil:
		return uuid.Must(uuid.NewV7()), nil
	case *id == uuid.Nil:
		return uuid.Nil, apperr.InvalidField(location+".id", "must not be the zero UUID")
	}
	return *id, nil
}

// repeated is the place of a row whose id an earlier one has too, or -1.
func repeated(rows []map[string]any) int {
	seen := map[any]bool{}
	for i, row := range rows {
		if seen[row["id"]] {
			return i
		}
		seen[row["id"]] = true
	}
	return -1
}

// readInserted says what became of the tasks.
func readInserted(rows []insertedTask, location func(int) string) (tasks []Task, added []Task, err error) {
	there := map[int]bool{}
	for _, row := range rows {
		switch row.Outcome {
		case "taken":
			return nil, nil, apperr.IDTaken.New("There is something else with that id.")
		case "there":
			there[row.Ord] = true
		case "added":
			added = append(added, row.Task)
		}
	}
	for _, row := range rows {
		if row.Outcome == "refused" && !there[row.Ord] {
			return nil, nil, refusedField(location(row.Ord-1), row.Field)
		}
		if row.Outcome != "refused" {
			tasks = append(tasks, row.Task)
		}
	}
	return tasks, added, nil
}

func (s *Service) announceTasks(ctx context.Context, actor identity.Actor, added []Task) {
	told := map[uuid.UUID]bool{}
	for _, task := range added {
		if !told[task.ResidenceID] {
			events.TaskCreated.Committed(ctx, s.Relay, task.ref(actor))
		}
		told[task.ResidenceID] = true
	}
}

// TaskOf answers one task of a residence that the actor sees.
func (s *Service) TaskOf(ctx context.Context, actor identity.Actor, id uuid.UUID) (Task, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Task{}, err
	}
	task, found, err := readTask(ctx, s.DB, id, access.IDs(homes))
	if err == nil && !found {
		err = noSuchTask()
	}
	return task, err
}

// ChangeTask applies the patch. What it changes of the rule moves next_due_date to where the completions say.
func (s *Service) ChangeTask(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, p TaskPatch) (Task, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Task{}, err
	}
	if err := p.refuse("body"); err != nil {
		return Task{}, err
	}
	if p.ResidenceID.Set {
		if err := writable(homes, p.ResidenceID.Value); err != nil {
			return Task{}, err
		}
	}
	c := taskChange{id: id, actor: actor, version: version, readable: access.IDs(homes), writable: access.WritableIDs(homes), now: s.Clock.Now()}
	if c.assigneeHomes, err = s.assigneeHomes(ctx, actor, homes, p.AssignedToID.Value); err != nil {
		return Task{}, err
	}
	if c.patch, err = p.row(); err != nil {
		return Task{}, err
	}
	leave, err := s.turns.take(ctx, id)
	if err != nil {
		return Task{}, err
	}
	defer leave()
	for range tries {
		out, found, err := changeTask(ctx, s.DB, c)
		switch {
		case raced(err):
			continue
		case err != nil:
			return Task{}, err
		case out.Outcome == "changed":
			ref := out.ref(actor)
			if out.PreviousResidenceID != nil {
				ref.PreviousResidenceID = *out.PreviousResidenceID
			}
			events.TaskChanged.Committed(ctx, s.Relay, ref)
			return out.Task, nil
		}
		if err := refuseWrite(found, out.Task, homes, version); err != nil {
			return Task{}, err
		}
		if out.Outcome == "refused" {
			return Task{}, refusedField("body", out.Field)
		}
		// The rule has changed: say where that puts the next due date, given the completions of this very version.
		c.seen, c.next = &out.Version, out.next(homes)
	}
	return Task{}, busy()
}

// DeleteTask removes a task with its completions.
func (s *Service) DeleteTask(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int) error {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return err
	}
	for range tries {
		out, found, err := deleteTask(ctx, s.DB, actor, id, version, homes)
		if err != nil {
			return err
		}
		if out.Applied {
			events.TaskDeleted.Committed(ctx, s.Relay, out.ref(actor))
			return nil
		}
		if err := refuseWrite(found, out.Task, homes, version); err != nil {
			return err
		}
	}
	return busy()
}

// assigneeHomes are the residences that the assignee sees; none when nobody is assigned.
func (s *Service) assigneeHomes(ctx context.Context, actor identity.Actor, homes []access.Home, assignee *uuid.UUID) ([]uuid.UUID, error) {
	if assignee == nil {
		return nil, nil
	}
	if *assignee == actor.UserID {
		return access.IDs(homes), nil
	}
	theirs, err := s.Access.HomesOf(ctx, *assignee)
	if err != nil {
		return nil, err
	}
	return access.IDs(theirs), nil
}

// refuseWrite says why a write to the task as it stands does not apply; nil when it should have, and is worth another
// try.
func refuseWrite(found bool, t Task, homes []access.Home, version *int) error {
	if !found {
		return noSuchTask()
	}
	if err := writable(homes, t.ResidenceID); err != nil {
		return err
	}
	return refuseVersion(version, t.Version)
}

func refuseVersion(wanted *int, is int) error {
	if wanted != nil && *wanted != is {
		return apperr.VersionConflict.New("It is at version %d now: read it again.", is).With("version", is)
	}
	return nil
}

// writable refuses a residence that is not the actor's, or that they may only look at.
func writable(homes []access.Home, residence uuid.UUID) error {
	home, found := homeOf(homes, residence)
	switch {
	case !found:
		return access.NoSuchResidence()
	case home.Role == access.Viewer:
		return access.ReadOnly()
	}
	return nil
}

func homeOf(homes []access.Home, residence uuid.UUID) (access.Home, bool) {
	for _, home := range homes {
		if home.ID == residence {
			return home, true
		}
	}
	return access.Home{}, false
}

// refusals are what is wrong with a field that only the database could check.
var refusals = map[string]string{
	"category_id":          "is not a category",
	"priority_id":          "is not a priority",
	"frequency_id":         "is not a frequency",
	"specialty_ids":        "has an id that is no specialty",
	"contractor_id":        "is not a contractor of this residence, nor a personal one of yours",
	"assigned_to_id":       "is not somebody who sees this residence",
	"custom_interval_days": "is needed with the custom frequency",
	"residence_id":         "can be cleared only by who added the contractor",
}

func refusedField(location, field string) error {
	return apperr.InvalidField(location+"."+field, "%s", refusals[field])
}

func noSuchTask() error { return apperr.NoSuchThing.New("There is no such task.") }

func busy() error {
	return apperr.Busy.New("Several changes came at the same time; try again.").After(time.Second)
}
