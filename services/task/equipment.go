package task

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/roundtrip"
)

// knownEquipment is the equipment that somebody sees, with where it is; or why that is not known.
type knownEquipment struct {
	ids, homes []uuid.UUID
	err        error
}

// equipmentOf asks the document service where the equipment is that the actor wants to name. Naming none asks nothing.
// That it does not answer is told to whom it concerns: to name what a task names already needs no answer.
func (s *Service) equipmentOf(ctx context.Context, actor identity.Actor, ids ...uuid.UUID) knownEquipment {
	if len(ids) == 0 {
		return knownEquipment{}
	}
	answer, err := s.documents.Attachable(ctx, internalapi.AttachQuery{UserID: actor.UserID, EquipmentIDs: ids})
	return knowing(answer, err)
}

func knowing(answer internalapi.AttachAnswer, err error) knownEquipment {
	known := knownEquipment{err: err}
	for id, home := range answer.EquipmentHomes {
		known.ids, known.homes = append(known.ids, id), append(known.homes, home)
	}
	return known
}

// in reports whether the equipment is in the residence.
func (k knownEquipment) in(residence, equipment uuid.UUID) bool {
	at := slices.Index(k.ids, equipment)
	return at >= 0 && k.homes[at] == residence
}

// args are what namableEquipment wants.
func (k knownEquipment) args(args pgx.NamedArgs) pgx.NamedArgs {
	args["equipment"], args["equipment_homes"] = k.ids, k.homes
	return args
}

// equipmentNamed are the pieces of equipment that the tasks name, each once.
func equipmentNamed(tasks []NewTask) []uuid.UUID {
	var ids []uuid.UUID
	for _, t := range tasks {
		if t.EquipmentID != nil && !slices.Contains(ids, *t.EquipmentID) {
			ids = append(ids, *t.EquipmentID)
		}
	}
	return ids
}

// sent is what a field names, none or one.
func sent(field patch.Nullable[uuid.UUID]) []uuid.UUID {
	if field.Value == nil {
		return nil
	}
	return []uuid.UUID{*field.Value}
}

// equipment is what the completion of the task names: what it named before when nothing is said of it.
func (f CompletionFields) equipment(t Task, before *uuid.UUID, known knownEquipment) (*uuid.UUID, error) {
	named := f.EquipmentID.Value
	switch {
	case !f.EquipmentID.Set:
		return before, nil
	case named == nil, *named == orZero(before), *named == orZero(t.EquipmentID):
		return named, nil
	case known.err != nil:
		return nil, known.err
	case !known.in(t.ResidenceID, *named):
		return nil, refusedField("body", "equipment_id")
	}
	return named, nil
}

// knownNames is what document says of all that a completion is to name of its things.
type knownNames struct {
	equipment knownEquipment
	photos    *naming
}

// readSeriesFor reads a task's series and, at the first look, asks about the equipment and the photos that its completion
// is to name.
func (s *Service) readSeriesFor(ctx context.Context, query seriesQuery, in CompletionFields, known **knownNames) (row seriesRow, found bool, err error) {
	equipment := sent(in.EquipmentID)
	if *known != nil || len(equipment)+len(in.UploadIDs) == 0 {
		if *known == nil {
			*known = &knownNames{photos: &naming{}}
		}
		return readSeries(ctx, s.DB, query)
	}
	err = roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		row, found, err = readSeries(ctx, s.DB, query)
		return err
	}, func(ctx context.Context) error {
		answer, err := s.documents.Attachable(ctx, internalapi.AttachQuery{UserID: query.actor.UserID, UploadIDs: in.UploadIDs, EquipmentIDs: equipment})
		*known = &knownNames{knowing(answer, err), saying(in.UploadIDs, answer, err)}
		return nil
	})
	return row, found, err
}

// goneEquipment is what was deleted since then: one piece, or all.
type goneEquipment struct {
	id    *uuid.UUID
	since time.Time
	actor uuid.UUID
	now   time.Time
}

// noteEquipment lets go of equipment that is deleted, and remembers that it is gone: what is being written just now may
// name it still.
func (s *Service) noteEquipment(ctx context.Context, tx pgx.Tx, e events.Received[events.EquipmentRef]) error {
	if !deleted(e.Payload) {
		return nil
	}
	now := s.Clock.Now()
	if err := markGone(ctx, tx, e.Payload.ID, now); err != nil {
		return err
	}
	_, err := letGoOfEquipment(ctx, tx, goneEquipment{id: &e.Payload.ID, since: now.Add(-time.Second), actor: e.Payload.ActorID, now: now})
	return err
}

func deleted(e events.EquipmentRef) bool { return e.Change == "deleted" }

// refreshEquipment makes what shows its tasks be made again.
func (s *Service) refreshEquipment(ctx context.Context, e events.EquipmentRef) error {
	if !deleted(e) {
		return nil
	}
	s.Relay.Nudge()
	return s.Cache.DropForSure(ctx, cache.RevisionKey(e.ResidenceID))
}

// mostOpenTasks is how many open tasks are shown of a piece of equipment.
const mostOpenTasks = 200

// EquipmentWork answers a page of what was done to a piece of equipment in the residences, newest first, and what all of
// it comes to; and which open tasks name it.
func (s *Service) EquipmentWork(ctx context.Context, q internalapi.EquipmentWorkQuery) (internalapi.EquipmentWork, error) {
	return readEquipmentWork(ctx, s.DB, q)
}
