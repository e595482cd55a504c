package task

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/patch"
)

// Completion is one doing of a task.
type Completion struct {
	ID              uuid.UUID     `json:"id" format:"uuid"`
	TaskID          uuid.UUID     `json:"task_id" format:"uuid"`
	CompletedAt     time.Time     `json:"completed_at"`
	CompletedByID   uuid.UUID     `json:"completed_by_id" format:"uuid"`
	CompletedByName *string       `json:"completed_by_name"`
	Notes           *string       `json:"notes"`
	ActualCost      *money.Amount `json:"actual_cost" nullable:"true"`
	Rating          *int          `json:"rating" minimum:"1" maximum:"5"`
	ContractorID    *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid"`
	ContractorName  *string       `json:"contractor_name" doc:"It stays when the contractor is deleted"`
	EquipmentID     *uuid.UUID    `json:"equipment_id" nullable:"true" format:"uuid" doc:"What it was done to: it stays when the task is about something else later"`
	UploadIDs       []uuid.UUID   `json:"upload_ids" nullable:"false"`
	Version         int           `json:"version"`
}

// CompletionFields are what a person may say of a completion.
type CompletionFields struct {
	CompletedAt  *time.Time    `json:"completed_at" nullable:"true" doc:"When it was done; now, or as it was, if left out"`
	Notes        *string       `json:"notes" maxLength:"10000"`
	ActualCost   *money.Amount `json:"actual_cost" nullable:"true"`
	Rating       *int          `json:"rating" minimum:"1" maximum:"5"`
	ContractorID *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid"`
	UploadIDs    []uuid.UUID   `json:"upload_ids" maxItems:"20" nullable:"true" doc:"Photos: uploads of yours, or that you see"`

	EquipmentID patch.Nullable[uuid.UUID] `json:"equipment_id,omitzero" format:"uuid" doc:"Equipment of the residence; the task's, or as it was, if left out"`
}

// Earlier than that nobody keeps a log of; later than now by more than a clock may be wrong is a typing error.
var firstInstant = time.Unix(0, 0)

const clockSkew = 5 * time.Minute

func (f CompletionFields) refuse(now time.Time) error {
	if err := refuseRepeated(f.UploadIDs); err != nil {
		return err
	}
	switch at := f.CompletedAt; {
	case at == nil:
		return nil
	case at.After(now.Add(clockSkew)):
		return apperr.InvalidField("body.completed_at", "is in the future")
	case at.Before(firstInstant):
		return apperr.InvalidField("body.completed_at", "must not be before 1970")
	}
	return nil
}

// recently is how many completions a board shows of a task.
const recently = 10

// doing is one entry of a task's log.
type doing struct {
	id uuid.UUID
	at time.Time
	by uuid.UUID
}

// series is a task as it stands with its log, oldest first.
type series struct {
	seriesRow
	log []doing
}

func (r seriesRow) series() series {
	log := make([]doing, len(r.DoneIDs))
	for i := range log {
		log[i] = doing{r.DoneIDs[i], r.DoneAt[i], r.DoneBy[i]}
	}
	return series{r, log}
}

// with is the log with the doing in its place.
func (s series) with(d doing) []doing {
	log := append(s.without(d.id), d)
	slices.SortFunc(log, func(a, b doing) int { return cmp.Or(a.at.Compare(b.at), slices.Compare(a.id[:], b.id[:])) })
	return log
}

func (s series) without(id uuid.UUID) []doing {
	return slices.DeleteFunc(slices.Clone(s.log), func(d doing) bool { return d.id == id })
}

func (s series) turns() taking { return taking{s.ID, s.Rotation, s.RotationMemberIDs, s.RotationStart} }

// derived is what a task's row says of its log.
type derived struct {
	next      *day.Day
	over      bool
	assignee  *uuid.UUID
	lastAt    *time.Time
	count     int
	recentIDs []uuid.UUID
	recentAt  []time.Time
}

// derive replays the log.
func (s series) derive(homes []access.Home, log []doing) derived {
	d := derived{count: len(log), recentIDs: []uuid.UUID{}, recentAt: []time.Time{}, assignee: s.AssignedToID}
	at := make([]time.Time, len(log))
	for i := range log {
		at[i] = log[i].at
	}
	due := s.replay(homes, at, s.SkippedOn)
	d.next, d.over = dayOrNil(due.Day), due.Over
	if turn := s.turns().turn(log); turn != nil && !due.Over && (len(log) > len(s.log) || *turn != *s.turns().turn(s.log)) {
		d.assignee = turn // whoever was assigned to it by hand keeps it while nobody else's turn has come
	}
	for _, entry := range slices.Backward(log) {
		if d.lastAt == nil {
			d.lastAt = &entry.at
		}
		if len(d.recentIDs) == recently {
			break
		}
		d.recentIDs, d.recentAt = append(d.recentIDs, entry.id), append(d.recentAt, entry.at)
	}
	return d
}

// after is the task once d stands in its row.
func (d derived) after(t Task) Task {
	t.NextDueDate, t.IsDone, t.AssignedToID, t.LastCompletedAt, t.CompletionCount = d.next, d.over, d.assignee, d.lastAt, d.count
	t.Version++
	return t
}

// Complete records that the actor has done the task, and reports whether that is new: the same id again answers the
// completion that is there, however many send it at once. It fails with impossible_move for a task that is cancelled,
// archived or done.
func (s *Service) Complete(ctx context.Context, actor identity.Actor, task uuid.UUID, id *uuid.UUID, in CompletionFields) (Completion, bool, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Completion{}, false, err
	}
	now := s.Clock.Now()
	if err := in.refuse(now); err != nil {
		return Completion{}, false, err
	}
	c := completing{fields: in, actor: actor, now: now}
	c.doing.at, c.doing.by = now.UTC().Truncate(time.Microsecond), actor.UserID
	if c.doing.id, err = idOrNew(id, "body"); err != nil {
		return Completion{}, false, err
	}
	if in.CompletedAt != nil {
		c.doing.at = in.CompletedAt.UTC().Truncate(time.Microsecond)
	}
	leave, err := s.turns.take(ctx, task)
	if err != nil {
		return Completion{}, false, err
	}
	defer leave()
	query := seriesQuery{task: task, completion: c.doing.id, contractor: in.ContractorID, actor: actor, homes: homes}
	var known *knownNames
	for range tries {
		row, found, err := s.readSeriesFor(ctx, query, in, &known)
		if err != nil {
			return Completion{}, false, err
		}
		if err := refuseWrite(found, row.Task, homes, nil); err != nil {
			return Completion{}, false, err
		}
		if row.TakenBy != nil {
			there, err := s.sameCompletion(ctx, actor, homes, task, c.doing.id)
			return there, false, err
		}
		if err := row.refuseCompletion(); err != nil {
			return Completion{}, false, err
		}
		if !row.ContractorOK {
			return Completion{}, false, refusedField("body", "contractor_id")
		}
		if c.equipment, err = in.equipment(row.Task, row.EquipmentID, known.equipment); err != nil {
			return Completion{}, false, err
		}
		if err := known.photos.refuse(nil); err != nil {
			return Completion{}, false, err
		}
		log := row.series()
		c.derived = log.derive(homes, log.with(c.doing))
		c.task = c.derived.after(row.Task)
		out, applied, err := complete(ctx, s.DB, c)
		if err != nil {
			return Completion{}, false, err
		}
		if applied {
			events.TaskCompleted.Committed(ctx, s.Relay, c.event())
			return out, true, nil
		}
	}
	return Completion{}, false, busy()
}

// sameCompletion answers the completion that is there already, if it is this one.
func (s *Service) sameCompletion(ctx context.Context, actor identity.Actor, homes []access.Home, task, id uuid.UUID) (Completion, error) {
	there, found, err := readCompletion(ctx, s.DB, id, access.IDs(homes))
	if err != nil {
		return Completion{}, err
	}
	if !found || there.TaskID != task || there.CompletedByID != actor.UserID {
		return Completion{}, apperr.IDTaken.New("There is something else with that id.")
	}
	return there, nil
}

// CompletionOf answers one completion of a task that the actor sees.
func (s *Service) CompletionOf(ctx context.Context, actor identity.Actor, id uuid.UUID) (Completion, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Completion{}, err
	}
	completion, found, err := readCompletion(ctx, s.DB, id, access.IDs(homes))
	if err == nil && !found {
		err = noSuchCompletion()
	}
	return completion, err
}

// ReplaceCompletion says anew what was done, and when; the task's dates follow.
func (s *Service) ReplaceCompletion(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, in CompletionFields) (Completion, error) {
	return s.rewrite(ctx, actor, id, version, &in)
}

// UndoCompletion removes a completion; the task stands as if it had never been.
func (s *Service) UndoCompletion(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int) error {
	_, err := s.rewrite(ctx, actor, id, version, nil)
	return err
}

// rewrite changes one entry of a task's log, or with no fields removes it.
func (s *Service) rewrite(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, in *CompletionFields) (Completion, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Completion{}, err
	}
	c := completing{actor: actor, now: s.Clock.Now(), gone: in == nil}
	query := seriesQuery{completion: id, actor: actor, homes: homes}
	if in != nil {
		c.fields, query.contractor = *in, in.ContractorID
		if err := in.refuse(c.now); err != nil {
			return Completion{}, err
		}
	}
	var known *knownNames
	var leave func() // gives the task's turn back; which task it is, only the first look says
	for range tries {
		row, found, err := s.readSeriesFor(ctx, query, c.fields, &known)
		switch {
		case err != nil:
			return Completion{}, err
		case !found:
			return Completion{}, noSuchCompletion()
		}
		if err := refuseWrite(true, row.Task, homes, nil); err != nil {
			return Completion{}, err
		}
		if leave == nil {
			if leave, err = s.turns.take(ctx, row.Task.ID); err != nil {
				return Completion{}, err
			}
			defer leave()
		}
		if err := refuseVersion(version, *row.TakenVersion); err != nil {
			return Completion{}, err
		}
		if !row.ContractorOK {
			return Completion{}, refusedField("body", "contractor_id")
		}
		if c.equipment, err = c.fields.equipment(row.Task, row.TakenEquipmentID, known.equipment); err != nil {
			return Completion{}, err
		}
		if err := known.photos.refuse(row.TakenUploads); err != nil {
			return Completion{}, err
		}
		log := row.series()
		c.doing, c.version = doing{id, *row.TakenAt, *row.TakenBy}, *row.TakenVersion
		var out Completion
		var applied bool
		if in == nil {
			c.derived = log.derive(homes, log.without(id))
			if c.assignee, err = s.assigneeAgain(ctx, actor, homes, row.Task, c.derived); err != nil {
				return Completion{}, err
			}
			c.task = c.derived.after(row.Task)
			applied, err = undo(ctx, s.DB, c)
		} else {
			if in.CompletedAt != nil {
				c.doing.at = in.CompletedAt.UTC().Truncate(time.Microsecond)
			}
			c.derived = log.derive(homes, log.with(c.doing))
			c.task = c.derived.after(row.Task)
			out, applied, err = replace(ctx, s.DB, c)
		}
		if err != nil {
			return Completion{}, err
		}
		if applied {
			events.CompletionChanged.Committed(ctx, s.Relay, c.event())
			return out, nil
		}
	}
	return Completion{}, busy()
}

// assigneeAgain is who has the task after a completion was undone. What was done keeps the name of somebody who has left
// since; what is to be done again does not.
func (s *Service) assigneeAgain(ctx context.Context, actor identity.Actor, homes []access.Home, t Task, d derived) (*uuid.UUID, error) {
	if !t.IsDone || d.over || d.assignee == nil {
		return d.assignee, nil
	}
	theirs, err := s.assigneeHomes(ctx, actor, homes, d.assignee)
	if err != nil || !slices.Contains(theirs, t.ResidenceID) {
		return nil, err
	}
	return d.assignee, nil
}

// completionPlace is where a completion stands in a list, newest first.
type completionPlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// Completions lists what was done in the residences, or of one task, newest first.
func (s *Service) Completions(ctx context.Context, homes []access.Home, task *uuid.UUID, q page.Query) (page.List[Completion], error) {
	after, err := page.After[completionPlace](q)
	if err != nil {
		return page.List[Completion]{}, err
	}
	rows, err := readCompletions(ctx, s.DB, access.IDs(homes), task, after, q.Limit+1)
	if err != nil {
		return page.List[Completion]{}, err
	}
	return page.Cut(rows, q.Limit, Completion.place)
}

// CompletionsOf lists what was done of one task, newest first.
func (s *Service) CompletionsOf(ctx context.Context, v ListView, task uuid.UUID, q page.Query) (page.List[Completion], error) {
	after, err := page.After[completionPlace](q)
	if err != nil {
		return page.List[Completion]{}, err
	}
	rows, found, err := readCompletionsOf(ctx, s.DB, task, access.IDs(v.homes), after, q.Limit+1)
	if err == nil && !found {
		err = noSuchTask()
	}
	if err != nil {
		return page.List[Completion]{}, err
	}
	return page.Cut(rows, q.Limit, Completion.place)
}

func (c Completion) place() completionPlace { return completionPlace{c.CompletedAt, c.ID} }

func noSuchCompletion() error { return apperr.NoSuchThing.New("There is no such completion.") }
