package task

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
)

// Board is what there is to do, sorted into columns.
type Board struct {
	DaysThreshold int      `json:"days_threshold" doc:"Due within so many days is due soon"`
	Columns       []Column `json:"columns" nullable:"false" doc:"Always all six, in this order: overdue, in_progress, due_soon, upcoming, completed, cancelled"`
}

// Column is one state of tasks.
type Column struct {
	Name  string      `json:"name" enum:"overdue,in_progress,due_soon,upcoming,completed,cancelled"`
	Title string      `json:"title" example:"Due soon"`
	Color string      `json:"color" example:"#D97706"`
	Icon  string      `json:"icon" example:"schedule"`
	Count int         `json:"count"`
	Tasks []BoardTask `json:"tasks" nullable:"false" doc:"By next due date, those without one last; then by priority and title"`
}

// BoardTask is a task with its newest completions.
type BoardTask struct {
	Task
	Completions []BoardCompletion `json:"completions" nullable:"false" doc:"The newest ten"`
}

// BoardCompletion is as much of a completion as a card shows.
type BoardCompletion struct {
	ID          uuid.UUID `json:"id" format:"uuid"`
	TaskID      uuid.UUID `json:"task_id" format:"uuid"`
	CompletedAt time.Time `json:"completed_at"`
}

// The columns' places.
const (
	overdue = iota
	inProgress
	dueSoon
	upcoming
	completed
	cancelled
	columns
)

// emptyBoard has every column and no task.
func emptyBoard(threshold int) Board {
	return Board{DaysThreshold: threshold, Columns: []Column{
		{Name: "overdue", Title: "Overdue", Color: "#DC2626", Icon: "warning"},
		{Name: "in_progress", Title: "In progress", Color: "#2563EB", Icon: "play_circle"},
		{Name: "due_soon", Title: "Due soon", Color: "#D97706", Icon: "schedule"},
		{Name: "upcoming", Title: "Upcoming", Color: "#0891B2", Icon: "event"},
		{Name: "completed", Title: "Completed", Color: "#16A34A", Icon: "check_circle"},
		{Name: "cancelled", Title: "Cancelled", Color: "#64748B", Icon: "cancel"},
	}}
}

// column is where the task stands on a board of that day.
func (t Task) column(today day.Day, threshold int) int {
	switch {
	case t.IsCancelled:
		return cancelled
	case t.IsDone:
		return completed
	case t.InProgress:
		return inProgress
	case t.NextDueDate == nil:
		return upcoming
	case t.NextDueDate.Before(today):
		return overdue
	case !t.NextDueDate.After(today.AddDays(threshold)):
		return dueSoon
	}
	return upcoming
}

// sortIn puts the tasks, in their order, into the columns.
func (b Board) sortIn(tasks []BoardTask, today day.Day) {
	for i := range b.Columns {
		b.Columns[i].Tasks = []BoardTask{}
	}
	for _, task := range tasks {
		c := &b.Columns[task.column(today, b.DaysThreshold)]
		c.Tasks = append(c.Tasks, task)
		c.Count++
	}
}

// BoardFilter is what a board leaves out; zero values leave out nothing.
type BoardFilter struct {
	AssignedTo  uuid.UUID
	CategoryID  uuid.UUID
	PriorityID  uuid.UUID
	EquipmentID uuid.UUID
	Text        string // in title or description, whatever its case
}

// BoardView is a board that is not made yet: its ETag is known before any SQL.
type BoardView struct {
	ETag      string // empty: not known
	homes     []access.Home
	today     day.Day
	threshold int
	filter    BoardFilter
}

// ViewBoard says which board the actor would see today: of one residence, or of all that they see.
func (s *Service) ViewBoard(ctx context.Context, actor identity.Actor, residence uuid.UUID, threshold int, filter BoardFilter) (BoardView, error) {
	v := BoardView{today: actor.Today(s.Clock), threshold: threshold, filter: filter}
	if residence == uuid.Nil {
		homes, err := s.Access.Homes(ctx, actor)
		if err != nil {
			return v, err
		}
		v.homes = homes
	} else {
		home, err := s.Access.Readable(ctx, actor, residence)
		if err != nil {
			return v, err
		}
		v.homes = []access.Home{home}
	}
	v.ETag = s.Access.ETag(ctx, v.homes, "board", v.today.String(), strconv.Itoa(threshold),
		filter.AssignedTo.String(), filter.CategoryID.String(), filter.PriorityID.String(), filter.EquipmentID.String(), filter.Text)
	return v, nil
}

// MakeBoard fills the view with its tasks. It takes one statement, and none for who sees no residence.
func (s *Service) MakeBoard(ctx context.Context, v BoardView) (Board, error) {
	board := emptyBoard(v.threshold)
	var tasks []BoardTask
	if len(v.homes) > 0 {
		var err error
		if tasks, err = readBoard(ctx, s.DB, access.IDs(v.homes), v.filter); err != nil {
			return Board{}, err
		}
	}
	board.sortIn(tasks, v.today)
	return board, nil
}

// contains is the LIKE pattern of a text that stands for itself.
func contains(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}
