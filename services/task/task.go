package task

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/room"
	"hearth.internal/pkg/roundtrip"
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
	SeasonStart        *string       `json:"season_start" doc:"MM-DD"`
	SeasonEnd          *string       `json:"season_end" doc:"MM-DD"`
	DueDate            *day.Day      `json:"due_date" nullable:"true" doc:"The first due date"`
	NextDueDate        *day.Day      `json:"next_due_date" nullable:"true" doc:"When it is due now, by what has been completed"`
	InProgress         bool          `json:"in_progress"`
	IsCancelled        bool          `json:"is_cancelled"`
	IsArchived         bool          `json:"is_archived"`
	AssignedToID       *uuid.UUID    `json:"assigned_to_id" nullable:"true" format:"uuid"`
	AssignedToName     *string       `json:"assigned_to_name"`
	ContractorID       *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid"`
	EquipmentID        *uuid.UUID    `json:"equipment_id" nullable:"true" format:"uuid" doc:"What it is about"`
	EstimatedCost      *money.Amount `json:"estimated_cost" nullable:"true"`
	ActualCost         *money.Amount `json:"actual_cost" nullable:"true"`
	TemplateID         *uuid.UUID    `json:"template_id" nullable:"true" format:"uuid" doc:"The template that it was made from"`
	LastCompletedAt    *time.Time    `json:"last_completed_at" nullable:"true"`
	CompletionCount    int           `json:"completion_count"`
	CreatedByID        uuid.UUID     `json:"created_by_id" format:"uuid"`
	Version            int           `json:"version"`
	CreatedAt          time.Time     `json:"created_at"`
	UpdatedAt          time.Time     `json:"updated_at"`

	IsDone            bool            `json:"is_done" doc:"It was done and does not come back"`
	PausedFrom        *day.Day        `json:"paused_from" nullable:"true"`
	PausedUntil       *day.Day        `json:"paused_until" nullable:"true" doc:"The last day of the pause; null with a paused_from: until further notice"`
	EndDate           *day.Day        `json:"end_date" nullable:"true"`
	MaxOccurrences    *int            `json:"max_occurrences"`
	Checklist         []ChecklistItem `json:"checklist" nullable:"false"`
	Rotation          string          `json:"rotation" enum:"none,round_robin,fewest_done,random"`
	RotationMemberIDs []uuid.UUID     `json:"rotation_member_ids" nullable:"false"`
}

// Open reports whether there is still something to do.
func (t Task) Open() bool { return !t.IsCancelled && !t.IsArchived && !t.IsDone }

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
	homes, own, err := s.rooms().Ask(ctx, actor, true)
	if err != nil {
		return nil, false, err
	}
	return s.insert(ctx, actor, homes, own, in, location, nil)
}

// insert adds all of the tasks or none; with a residence to which templates are applied, without those that stand open
// there.
func (s *Service) insert(ctx context.Context, actor identity.Actor, homes []access.Home, own plans.Plan, in []NewTask, location func(int) string, applied *uuid.UUID) ([]Task, bool, error) {
	rows := make([]map[string]any, len(in))
	assignees := map[uuid.UUID][]uuid.UUID{}
	for i, task := range in {
		row, err := s.newRow(ctx, actor, homes, assignees, task, location(i))
		if err != nil {
			return nil, false, err
		}
		rows[i] = row
	}
	if at := repeated(rows); at >= 0 {
		return nil, false, apperr.InvalidField(location(at)+".id", "is that of another task in the same request")
	}
	residences := make([]uuid.UUID, len(in))
	for i, task := range in {
		residences[i] = task.ResidenceID
	}
	var r room.Room
	var known knownEquipment
	err := roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		r, err = s.rooms().In(ctx, actor, homes, own, plans.AddTask, residences...)
		return err
	}, func(ctx context.Context) error {
		known = s.equipmentOf(ctx, actor, equipmentNamed(in)...)
		return known.err
	})
	if err != nil {
		return nil, false, err
	}
	for range tries {
		outcome, used, err := insertTasks(ctx, s.DB, actor, homes, rows, known, r, applied)
		if raced(err) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		tasks, added, err := readInserted(outcome, location, func(t Task) error { return r.Reached(&t.ResidenceID, used) })
		s.announceTasks(ctx, actor, homes, added)
		return tasks, len(added) > 0, err
	}
	return nil, false, busy()
}

// newRow is the task as a row of the table, checked as far as that needs no SQL. assignees are the residences of those
// who were looked up before: many tasks at once are mostly for one person.
func (s *Service) newRow(ctx context.Context, actor identity.Actor, homes []access.Home, assignees map[uuid.UUID][]uuid.UUID, in NewTask, location string) (map[string]any, error) {
	if err := access.WritableAmong(homes, in.ResidenceID); err != nil {
		return nil, err
	}
	p := in.whole()
	if err := p.refuse(location); err != nil {
		return nil, err
	}
	if err := s.refuseMembers(ctx, actor, homes, assignees, in.TaskFields, location); err != nil {
		return nil, err
	}
	id, err := idOrNew(in.ID, location)
	if err != nil {
		return nil, err
	}
	turns := taking{task: id, rotation: p.Rotation.Value, members: *p.RotationMemberIDs.Value}.begun(in.AssignedToID, nil)
	if in.AssignedToID == nil {
		p.AssignedToID.Value = turns.turn(nil)
	}
	due, err := s.newRule(ctx, homes, in.TaskFields, location)
	if err != nil {
		return nil, err
	}
	p.DueDate.Value = due
	row, err := p.row()
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	row["id"], row["event_id"], row["next_due_date"], row["created_by_id"] = id, uuid.Must(uuid.NewV7()), due, actor.UserID
	row["template_id"], row["created_at"], row["updated_at"], row["rotation_start"] = in.TemplateID, now, now, turns.start
	row["in_progress"], row["is_cancelled"], row["is_archived"], row["is_done"], row["completion_count"] = false, false, false, false, 0
	return row, nil
}

// refuseMembers names an assignee, or a rotation, of whom somebody does not see the residence.
func (s *Service) refuseMembers(ctx context.Context, actor identity.Actor, homes []access.Home, known map[uuid.UUID][]uuid.UUID, in TaskFields, location string) error {
	if err := refuseRotation(in.Rotation, in.RotationMemberIDs, location); err != nil {
		return err
	}
	who := slices.Clone(in.RotationMemberIDs)
	if in.AssignedToID != nil {
		who = append(who, *in.AssignedToID)
	}
	if err := s.homesOf(ctx, actor, homes, known, who); err != nil {
		return err
	}
	if in.AssignedToID != nil && !slices.Contains(known[*in.AssignedToID], in.ResidenceID) {
		return refusedField(location, "assigned_to_id")
	}
	for _, member := range in.RotationMemberIDs {
		if !slices.Contains(known[member], in.ResidenceID) {
			return refusedField(location, "rotation_member_ids")
		}
	}
	return nil
}

func refuseRotation(rotation string, members []uuid.UUID, location string) error {
	rotates := rotation != noRotation && rotation != ""
	switch {
	case rotates && len(members) < 2:
		return apperr.InvalidField(location+".rotation_member_ids", "needs at least two for a rotation")
	case !rotates && len(members) > 0:
		return apperr.InvalidField(location+".rotation_member_ids", "is only for a rotation")
	}
	return nil
}

// homesOf looks up, all at once, the residences of those who are not known yet.
func (s *Service) homesOf(ctx context.Context, actor identity.Actor, homes []access.Home, known map[uuid.UUID][]uuid.UUID, who []uuid.UUID) error {
	var calls []func(context.Context) error
	var mu sync.Mutex
	for _, person := range who {
		if _, looked := known[person]; looked {
			continue
		}
		known[person] = nil
		calls = append(calls, func(ctx context.Context) error {
			theirs, err := s.assigneeHomes(ctx, actor, homes, &person)
			mu.Lock()
			defer mu.Unlock()
			known[person] = theirs
			return err
		})
	}
	if len(calls) == 0 {
		return nil
	}
	return roundtrip.Together(ctx, calls...)
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

// readInserted says what became of the tasks. What is not valid is told before there being no room for it.
func readInserted(rows []insertedTask, location func(int) string, noRoom func(Task) error) (tasks []Task, added []Task, err error) {
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
		if row.Outcome == "refused" && row.Field == room.Limited {
			err = noRoom(row.Task)
			continue
		}
		if row.Outcome == "refused" && !there[row.Ord] {
			return nil, nil, refusedField(location(row.Ord-1), row.Field)
		}
		if row.Outcome != "refused" {
			tasks = append(tasks, row.Task)
		}
	}
	return tasks, added, err
}

func (s *Service) announceTasks(ctx context.Context, actor identity.Actor, homes []access.Home, added []Task) {
	told := map[uuid.UUID]bool{}
	for _, task := range added {
		if !told[task.ResidenceID] {
			ref := task.ref(actor)
			ref.OwnerID = access.OwnerAmong(homes, task.ResidenceID)
			events.TaskCreated.Committed(ctx, s.Relay, ref)
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
	homes, own, err := s.rooms().Ask(ctx, actor, p.ResidenceID.Set)
	if err != nil {
		return Task{}, err
	}
	if err := p.refuse("body"); err != nil {
		return Task{}, err
	}
	if p.ResidenceID.Set {
		if err := access.WritableAmong(homes, p.ResidenceID.Value); err != nil {
			return Task{}, err
		}
	}
	if p.Rotation.Set && p.RotationMemberIDs.Set {
		if err := refuseRotation(p.Rotation.Value, *p.RotationMemberIDs.Value, "body"); err != nil {
			return Task{}, err
		}
	}
	c := taskChange{id: id, actor: actor, version: version, homes: homes, now: s.Clock.Now()}
	err = roundtrip.Together(ctx, func(ctx context.Context) error {
		return s.lookUpMembers(ctx, actor, homes, p, &c)
	}, func(ctx context.Context) error {
		c.equipment = s.equipmentOf(ctx, actor, sent(p.EquipmentID)...)
		return nil // whether it matters, the statement knows
	})
	if err != nil {
		return Task{}, err
	}
	if c.patch, err = p.row(); err != nil {
		return Task{}, err
	}
	if p.ResidenceID.Set {
		if c.room, err = s.rooms().In(ctx, actor, homes, own, plans.AddTask, p.ResidenceID.Value); err != nil {
			return Task{}, err
		}
	}
	leave, err := s.turns.take(ctx, id)
	if err != nil {
		return Task{}, err
	}
	defer leave()
	for range tries {
		out, found, used, err := changeTask(ctx, s.DB, c)
		switch {
		case raced(err):
			continue
		case err != nil:
			return Task{}, err
		case out.Outcome == "changed":
			ref := out.ref(actor)
			if out.PreviousResidenceID != nil {
				ref.PreviousResidenceID = *out.PreviousResidenceID
				ref.OwnerID, ref.PreviousOwnerID = access.OwnerAmong(homes, out.ResidenceID), access.OwnerAmong(homes, *out.PreviousResidenceID)
			}
			events.TaskChanged.Committed(ctx, s.Relay, ref)
			return out.Task, nil
		}
		if err := refuseWrite(found, out.Task, homes, version); err != nil {
			return Task{}, err
		}
		if out.Outcome == "refused" && out.Field == room.Limited {
			return Task{}, c.room.Reached(&p.ResidenceID.Value, used)
		}
		if out.Outcome == "refused" && out.Field == "equipment_id" && c.equipment.err != nil {
			return Task{}, c.equipment.err
		}
		if out.Outcome == "refused" {
			return Task{}, refusedField("body", out.Field)
		}
		// The rule or the rotation has changed: say what that makes of the log of this very version.
		if err := s.applyLog(homes, p, out, &c); err != nil {
			return Task{}, err
		}
	}
	return Task{}, busy()
}

// lookUpMembers says where those whom the patch names may be assigned.
func (s *Service) lookUpMembers(ctx context.Context, actor identity.Actor, homes []access.Home, p TaskPatch, c *taskChange) error {
	members := orZero(p.RotationMemberIDs.Value)
	known := map[uuid.UUID][]uuid.UUID{}
	who := slices.Clone(members)
	if p.AssignedToID.Value != nil {
		who = append(who, *p.AssignedToID.Value)
	}
	if err := s.homesOf(ctx, actor, homes, known, who); err != nil {
		return err
	}
	if p.AssignedToID.Value != nil {
		c.assigneeHomes = known[*p.AssignedToID.Value]
	}
	c.rotationHomes = access.IDs(homes)
	for _, member := range members {
		c.rotationHomes = slices.DeleteFunc(c.rotationHomes, func(home uuid.UUID) bool { return !slices.Contains(known[member], home) })
	}
	return nil
}

// applyLog checks what the patch changes and says what follows from it.
func (s *Service) applyLog(homes []access.Home, p TaskPatch, out changedTask, c *taskChange) error {
	c.seen, c.anchor = &out.Version, nil
	if orZero(out.OtherRotation) {
		log := doers(out.DoneBy)
		turns := taking{task: out.ID, rotation: *out.WantedRotation, members: out.WantedMembers}.begun(out.WantedAssignee, log)
		c.turn, c.start = turns.turn(log), turns.start
	}
	if orZero(out.OtherRule) {
		return s.applyRule(homes, p, out, c)
	}
	return nil
}

// applyRule checks the changed rule and says what follows from it.
func (s *Service) applyRule(homes []access.Home, p TaskPatch, out changedTask, c *taskChange) error {
	anchor, err := out.refuseRule("body", s.today(homes, *out.RuleResidenceID), p.DueDate.Set && p.DueDate.Value != nil)
	if err != nil {
		return err
	}
	if anchor != nil && len(out.DoneAt) == 0 {
		out.RuleAnchor, c.anchor = anchor, anchor
	}
	due := out.replay(homes, out.DoneAt, out.SkippedOn)
	c.next, c.over = dayOrNil(due.Day), due.Over
	return nil
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
			ref := out.ref(actor)
			ref.OwnerID = access.OwnerAmong(homes, out.ResidenceID)
			events.TaskDeleted.Committed(ctx, s.Relay, ref)
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
	if err := access.WritableAmong(homes, t.ResidenceID); err != nil {
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

// refusals are what is wrong with a field that only the database could check.
var refusals = map[string]string{
	"category_id":          "is not a category",
	"priority_id":          "is not a priority",
	"frequency_id":         "is not a frequency",
	"template_id":          "is not a template",
	"specialty_ids":        "has an id that is no specialty",
	"contractor_id":        "is not a contractor of this residence, nor a personal one of yours",
	"equipment_id":         "is not equipment of this residence",
	"assigned_to_id":       "is not somebody who sees this residence",
	"custom_interval_days": "is needed with the custom frequency",
	"rotation_member_ids":  "names, for a rotation, at least two who see this residence, and nobody without one",
	"rrule":                "does not go with a frequency: leave one of them out",
	"season_start":         "is needed with season_end",
	"season_end":           "is needed with season_start",
	"residence_id":         "can be cleared only by who added the contractor",
}

func refusedField(location, field string) error {
	return apperr.InvalidField(location+"."+field, "%s", refusals[field])
}

func noSuchTask() error { return apperr.NoSuchThing.New("There is no such task.") }

func busy() error {
	return apperr.Busy.New("Several changes came at the same time; try again.").After(time.Second)
}
