package task

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/patch"
)

// TaskPath names a task; exported, as are all that inputs embed, because huma fills no others.
type TaskPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The task"`
}

type postTaskInput struct{ Body NewTask }

type taskOutput struct {
	Status int    `json:"-"`
	ETag   string `header:"ETag"`
	Body   Task
}

func answerTask(status int, task Task, err error) (*taskOutput, error) {
	if err != nil {
		return nil, err
	}
	return &taskOutput{Status: status, ETag: etagWithName(task.Version, task.AssignedToName), Body: task}, nil
}

// etagWithName is the version and, behind a hyphen, a hash of the name that the answer shows: people change their names
// without a new version.
func etagWithName(version int, name *string) string {
	if name == nil {
		return httpx.ETag(version)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(*name)) // a hash never fails
	return fmt.Sprintf(`"%d-%08x"`, version, h.Sum32())
}

// createdOr is 201 for what is new and 200 for what was there.
func createdOr(added bool) int {
	if added {
		return http.StatusCreated
	}
	return http.StatusOK
}

func (s *Service) postTask(ctx context.Context, in *postTaskInput) (*taskOutput, error) {
	task, added, err := s.AddTask(ctx, identity.From(ctx), in.Body)
	return answerTask(createdOr(added), task, err)
}

type postTasksInput struct {
	Body struct {
		Tasks []NewTask `json:"tasks" required:"true" minItems:"1" maxItems:"200" nullable:"false"`
	}
}

type tasksOutput struct {
	Status int `json:"-"`
	Body   struct {
		Items []Task `json:"items" nullable:"false" doc:"In the order that they were sent"`
	}
}

func (s *Service) postTasks(ctx context.Context, in *postTasksInput) (*tasksOutput, error) {
	tasks, added, err := s.AddTasks(ctx, identity.From(ctx), in.Body.Tasks)
	if err != nil {
		return nil, err
	}
	out := &tasksOutput{Status: createdOr(added)}
	out.Body.Items = tasks
	return out, nil
}

func (s *Service) getTask(ctx context.Context, in *TaskPath) (*taskOutput, error) {
	task, err := s.TaskOf(ctx, identity.From(ctx), in.ID)
	return answerTask(http.StatusOK, task, err)
}

// TaskWhole is a task as it is to be. An app of before there were these does not know them and leaves them out: that is
// no wish to lose them.
type TaskWhole struct {
	TaskFields
	EquipmentID       patch.Nullable[uuid.UUID]        `json:"equipment_id,omitzero" format:"uuid" doc:"Kept, if left out; another residence clears it"`
	EndDate           patch.Nullable[day.Day]          `json:"end_date,omitzero" doc:"Kept, if left out"`
	MaxOccurrences    patch.Nullable[int]              `json:"max_occurrences,omitzero" minimum:"1" maximum:"1000" doc:"Kept, if left out"`
	Checklist         patch.Nullable[[]ChecklistEntry] `json:"checklist,omitzero" maxItems:"50" doc:"Kept, if left out; an item whose id stays keeps its tick"`
	Rotation          patch.Nullable[string]           `json:"rotation,omitzero" enum:"none,round_robin,fewest_done,random" doc:"Kept, if left out"`
	RotationMemberIDs patch.Nullable[[]uuid.UUID]      `json:"rotation_member_ids,omitzero" maxItems:"20" doc:"Kept, if left out"`
}

func (w TaskWhole) patch() TaskPatch {
	p := w.whole()
	p.EquipmentID = w.EquipmentID
	p.EndDate, p.MaxOccurrences, p.Checklist, p.RotationMemberIDs = w.EndDate, w.MaxOccurrences, w.Checklist, w.RotationMemberIDs
	p.Rotation = patch.Optional[string]{Set: w.Rotation.Set, Value: cmp.Or(orZero(w.Rotation.Value), noRotation)}
	return p
}

type putTaskInput struct {
	TaskPath
	httpx.IfMatch
	Body TaskWhole
}

func (s *Service) putTask(ctx context.Context, in *putTaskInput) (*taskOutput, error) {
	task, err := s.ChangeTask(ctx, identity.From(ctx), in.ID, in.Version(), in.Body.patch())
	return answerTask(http.StatusOK, task, err)
}

type patchTaskInput struct {
	TaskPath
	httpx.IfMatch
	Body TaskPatch
}

func (s *Service) patchTask(ctx context.Context, in *patchTaskInput) (*taskOutput, error) {
	task, err := s.ChangeTask(ctx, identity.From(ctx), in.ID, in.Version(), in.Body)
	return answerTask(http.StatusOK, task, err)
}

type writeTaskInput struct {
	TaskPath
	httpx.IfMatch
}

func (s *Service) deleteTask(ctx context.Context, in *writeTaskInput) (*struct{}, error) {
	return nil, s.DeleteTask(ctx, identity.From(ctx), in.ID, in.Version())
}

func (s *Service) postMove(m move) func(context.Context, *writeTaskInput) (*taskOutput, error) {
	return func(ctx context.Context, in *writeTaskInput) (*taskOutput, error) {
		task, err := s.Move(ctx, identity.From(ctx), in.ID, in.Version(), m)
		return answerTask(http.StatusOK, task, err)
	}
}
