package task

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

const sweepEvery = 10 * time.Minute

type syncedTask struct {
	Task
	delta.Placed
}

// syncedCompletion is a Completion and where: who loses a residence must know which to drop.
type syncedCompletion struct {
	ResidenceID uuid.UUID `json:"residence_id"`
	Completion
	delta.Placed
}

// syncedContractor is a Contractor without the figures that tasks and completions decide: the client has those.
type syncedContractor struct {
	Contractor
	TaskCount       *int `json:"task_count,omitempty" db:"-"`
	AverageRating   *int `json:"average_rating,omitempty" db:"-"`
	RatingCount     *int `json:"rating_count,omitempty" db:"-"`
	CompletionCount *int `json:"completion_count,omitempty" db:"-"`
	LastWorkedAt    *int `json:"last_worked_at,omitempty" db:"-"`
	TotalPaid       *int `json:"total_paid,omitempty" db:"-"`
	delta.Placed
}

type syncRows struct {
	Tasks       []syncedTask       `json:"tasks"`
	Completions []syncedCompletion `json:"completions"`
	Contractors []syncedContractor `json:"contractors"`
}

type syncRemoved struct {
	TaskIDs       []uuid.UUID `json:"task_ids"`
	CompletionIDs []uuid.UUID `json:"completion_ids"`
	ContractorIDs []uuid.UUID `json:"contractor_ids"`
}

type syncPage = internalapi.SyncPage[syncRows, syncRemoved]

// Sync answers a page of what changed in the residences that the actor sees, and among their personal contractors.
func (s *Service) Sync(ctx context.Context, actor identity.Actor, q internalapi.SyncQuery) (syncPage, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return syncPage{}, err
	}
	walk, err := delta.Begin(q, actor.UserID, access.IDs(homes), s.Clock.Now())
	if err != nil {
		return syncPage{}, err
	}
	rows, buried, err := readChanges(ctx, s.DB, actor, walk)
	if err != nil {
		return syncPage{}, err
	}
	page := syncPage{Rows: rows, Removed: unearth(buried)}
	page.State, page.Lost, page.More = walk.End()
	return page, nil
}

// unearth sorts tombstones by what lies there.
func unearth(buried []delta.Tombstone) syncRemoved {
	out := syncRemoved{TaskIDs: []uuid.UUID{}, CompletionIDs: []uuid.UUID{}, ContractorIDs: []uuid.UUID{}}
	lists := map[string]*[]uuid.UUID{"task": &out.TaskIDs, "completion": &out.CompletionIDs, "contractor": &out.ContractorIDs}
	for _, b := range buried {
		if list := lists[b.Kind]; list != nil {
			*list = append(*list, b.ID)
		}
	}
	return out
}

func sweepTombstones(ctx context.Context, d *boot.Deps) {
	d.Every(ctx, sweepEvery, "old tombstones stay until the next sweep", func(ctx context.Context) error {
		return delta.Sweep(ctx, d.DB, d.Clock.Now(), "tasks", "completions", "contractors")
	})
}
