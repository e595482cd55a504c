package document

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

// syncedDocument is a Document without the days until it ends: those change with the day alone, and the client can count
// them from end_date.
type syncedDocument struct {
	Document
	DaysUntilExpiry *int `json:"days_until_expiry,omitempty" db:"-"`
	delta.Placed
}

// syncedEquipment is an Equipment without where its expected life ends, which the client can tell from its dates.
type syncedEquipment struct {
	Equipment
	ReplaceBy *int `json:"replace_by,omitempty" db:"-"`
	delta.Placed
}

type syncRows struct {
	Documents []syncedDocument  `json:"documents"`
	Equipment []syncedEquipment `json:"equipment"`
}

type syncRemoved struct {
	DocumentIDs  []uuid.UUID `json:"document_ids"`
	EquipmentIDs []uuid.UUID `json:"equipment_ids"`
}

type syncPage = internalapi.SyncPage[syncRows, syncRemoved]

// Sync answers a page of what changed in the residences that the actor sees.
func (s *Service) Sync(ctx context.Context, actor identity.Actor, q internalapi.SyncQuery) (syncPage, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return syncPage{}, err
	}
	walk, err := delta.Begin(q, actor.UserID, access.IDs(homes), s.Clock.Now())
	if err != nil {
		return syncPage{}, err
	}
	rows, buried, err := readChanges(ctx, s.DB, walk)
	if err != nil {
		return syncPage{}, err
	}
	page := syncPage{Rows: rows, Removed: unearth(buried)}
	page.State, page.Lost, page.More = walk.End()
	return page, nil
}

// unearth sorts tombstones by what lies there.
func unearth(buried []delta.Tombstone) syncRemoved {
	out := syncRemoved{DocumentIDs: []uuid.UUID{}, EquipmentIDs: []uuid.UUID{}}
	lists := map[string]*[]uuid.UUID{"document": &out.DocumentIDs, "equipment": &out.EquipmentIDs}
	for _, b := range buried {
		if list := lists[b.Kind]; list != nil {
			*list = append(*list, b.ID)
		}
	}
	return out
}

func sweepTombstones(ctx context.Context, d *boot.Deps) {
	d.Every(ctx, sweepEvery, "old tombstones stay until the next sweep", func(ctx context.Context) error {
		return delta.Sweep(ctx, d.DB, d.Clock.Now(), "documents", "equipment")
	})
}
