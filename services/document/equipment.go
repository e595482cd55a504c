package document

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/room"
)

// Equipment is an appliance or a system of a home.
type Equipment struct {
	ID                uuid.UUID     `json:"id" format:"uuid"`
	ResidenceID       uuid.UUID     `json:"residence_id" format:"uuid"`
	CreatedByID       uuid.UUID     `json:"created_by_id" format:"uuid"`
	Name              string        `json:"name" example:"Furnace"`
	Category          string        `json:"category" enum:"appliance,heating,cooling,water,plumbing,electrical,lighting,roof,structure,safety,outdoor,vehicle,electronics,furniture,tool,other"`
	Manufacturer      *string       `json:"manufacturer"`
	ModelNumber       *string       `json:"model_number"`
	SerialNumber      *string       `json:"serial_number"`
	Location          *string       `json:"location" example:"Basement"`
	Notes             *string       `json:"notes"`
	PurchaseDate      *day.Day      `json:"purchase_date" nullable:"true"`
	PurchasePrice     *money.Amount `json:"purchase_price" nullable:"true"`
	InstallDate       *day.Day      `json:"install_date" nullable:"true"`
	ExpectedLifeYears *int          `json:"expected_life_years" minimum:"1" maximum:"200"`
	ReplaceBy         *day.Day      `json:"replace_by" nullable:"true" db:"-" doc:"Where its expected life ends, from its installation or else its purchase"`
	RemovedDate       *day.Day      `json:"removed_date" nullable:"true" doc:"Since when it is no longer in use"`
	UploadIDs         []uuid.UUID   `json:"upload_ids" nullable:"false" doc:"Photos"`
	Version           int           `json:"version"`
	CreatedAt         time.Time     `json:"created_at"`
	UpdatedAt         time.Time     `json:"updated_at"`
}

// ETag is the equipment's entity tag.
func (e Equipment) ETag() string { return httpx.ETag(e.Version) }

// since is the day from which its years count; nil when nobody has said.
func (e Equipment) since() *day.Day {
	if e.InstallDate != nil {
		return e.InstallDate
	}
	return e.PurchaseDate
}

// aged says by when it is to be replaced; the list's statement reckons in the same way.
func (e Equipment) aged() Equipment {
	if since := e.since(); since != nil && e.ExpectedLifeYears != nil {
		e.ReplaceBy = new(since.AddMonths(12 * *e.ExpectedLifeYears))
	}
	return e
}

// AddEquipment adds a piece of equipment to a residence that the actor may change, and reports whether it is new: the
// same id again answers what is there.
func (s *Service) AddEquipment(ctx context.Context, actor identity.Actor, in NewEquipment) (Equipment, bool, error) {
	homes, own, err := s.rooms().Ask(ctx, actor, true)
	if err != nil {
		return Equipment{}, false, err
	}
	if err := access.WritableAmong(homes, in.ResidenceID); err != nil {
		return Equipment{}, false, err
	}
	row, err := in.whole().row()
	if err != nil {
		return Equipment{}, false, err
	}
	now := s.Clock.Now()
	row["residence_id"], row["created_by_id"], row["created_at"], row["updated_at"], row["version"] = in.ResidenceID, actor.UserID, now, now, 1
	if row["id"], err = idOrNew(in.ID); err != nil {
		return Equipment{}, false, err
	}
	r, err := s.rooms().In(ctx, actor, homes, own, plans.AddEquipment, in.ResidenceID)
	if err != nil {
		return Equipment{}, false, err
	}
	for range tries {
		out, found, used, err := insertEquipment(ctx, s.DB, actor, homes, row, r)
		switch {
		case pg.Violates(err, "claims_upload"): // the collector took a photo that nothing claimed yet
			return Equipment{}, false, refusedEquipment("upload_ids")
		case err != nil:
			return Equipment{}, false, err
		case !found: // somebody is adding it this very moment
			continue
		case out.Outcome == "there":
			return out.aged(), false, nil
		case out.Outcome == "taken":
			return Equipment{}, false, idTaken()
		case out.Outcome == "refused" && out.Field == room.Limited:
			return Equipment{}, false, r.Reached(&in.ResidenceID, used)
		case out.Outcome == "refused":
			return Equipment{}, false, refusedEquipment(out.Field)
		}
		s.announceEquipment(ctx, out.Equipment, access.OwnerAmong(homes, out.ResidenceID))
		return out.aged(), true, nil
	}
	return Equipment{}, false, busy()
}

// EquipmentOf answers one piece of equipment of a residence that the actor sees.
func (s *Service) EquipmentOf(ctx context.Context, actor identity.Actor, id uuid.UUID) (Equipment, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Equipment{}, err
	}
	equipment, found, err := readEquipment(ctx, s.DB, id, access.IDs(homes))
	if err == nil && !found {
		err = noSuchEquipment()
	}
	return equipment.aged(), err
}

// ChangeEquipment applies the patch. Equipment stays in its residence: what was done to it there is its history.
func (s *Service) ChangeEquipment(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, p EquipmentPatch) (Equipment, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Equipment{}, err
	}
	row, err := p.row()
	if err != nil {
		return Equipment{}, err
	}
	out, err := s.writeEquipment(homes, version, func() (writtenEquipment, bool, error) {
		out, found, err := changeEquipment(ctx, s.DB, actor, id, version, homes, row, s.Clock.Now())
		if pg.Violates(err, "claims_upload") {
			err = refusedEquipment("upload_ids")
		}
		if out.Outcome == "refused" {
			err = refusedEquipment(out.Field)
		}
		return out, found, err
	})
	if err == nil {
		s.announceEquipment(ctx, out, uuid.Nil)
	}
	return out.aged(), err
}

// DeleteEquipment removes a piece of equipment. Documents that name it stay and name none; tasks and their completions
// hear of it.
func (s *Service) DeleteEquipment(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int) error {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return err
	}
	out, err := s.writeEquipment(homes, version, func() (writtenEquipment, bool, error) {
		return deleteEquipment(ctx, s.DB, actor, id, version, homes, s.Clock.Now())
	})
	if err == nil {
		s.announceEquipment(ctx, out, access.OwnerAmong(homes, out.ResidenceID))
	}
	return err
}

// writeEquipment does the write until it applies or there is a reason why it does not.
func (s *Service) writeEquipment(homes []access.Home, version *int, write func() (writtenEquipment, bool, error)) (Equipment, error) {
	for range tries {
		out, found, err := write()
		switch {
		case err != nil:
			return Equipment{}, err
		case !found:
			return Equipment{}, noSuchEquipment()
		case out.Outcome == "done":
			return out.Equipment, nil
		}
		if err := refuseWrite(homes, out.ResidenceID, version, out.Version); err != nil {
			return Equipment{}, err
		}
	}
	return Equipment{}, busy()
}

// announceEquipment drops what is stale once the write is committed; also of the documents that have let go of it, which
// are of the same residence. The owner is the one who has one more or one less; nobody when it was changed.
func (s *Service) announceEquipment(ctx context.Context, e Equipment, owner uuid.UUID) {
	events.EquipmentChanged.Committed(ctx, s.Relay, events.EquipmentRef{ID: e.ID, ResidenceID: e.ResidenceID, Counted: events.Counted{OwnerID: owner}})
}

// EquipmentFilter is what a list of equipment leaves out; zero values leave out nothing.
type EquipmentFilter struct {
	Category      string
	InUse         *bool
	ReplaceBefore *day.Day // in use, and to be replaced by then
	Text          string   // in name, manufacturer, model, serial number or location, whatever case, accents and punctuation
}

// equipmentPlace is where a piece of equipment stands in a list by name.
type equipmentPlace struct {
	Name string    `json:"n"`
	ID   uuid.UUID `json:"i"`
}

// listedEquipment knows its place in the database's order.
type listedEquipment struct {
	Equipment
	SortName string
}

// EquipmentView is a list or a history of equipment that is not read yet: its ETag is known before any SQL.
type EquipmentView struct {
	ETag  string // empty: not known
	homes []access.Home
	today day.Day
}

// ViewEquipment says what the equipment that the actor sees, or that of one residence, depends on, beside what is named.
func (s *Service) ViewEquipment(ctx context.Context, actor identity.Actor, residence uuid.UUID, depends ...string) (EquipmentView, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return EquipmentView{}, err
	}
	if residence != uuid.Nil {
		home, found := access.Among(homes, residence)
		if !found {
			return EquipmentView{}, access.NoSuchResidence()
		}
		homes = []access.Home{home}
	}
	today := actor.Today(s.Clock)
	return EquipmentView{ETag: s.Access.ETag(ctx, homes, append(depends, today.String())...), homes: homes, today: today}, nil
}

// EquipmentList lists what the view shows, by name.
func (s *Service) EquipmentList(ctx context.Context, v EquipmentView, filter EquipmentFilter, q page.Query) (page.List[Equipment], error) {
	after, err := page.After[equipmentPlace](q)
	if err != nil {
		return page.List[Equipment]{}, err
	}
	rows, err := readEquipmentList(ctx, s.DB, v, filter, after, q.Limit+1)
	if err != nil {
		return page.List[Equipment]{}, err
	}
	listed, err := page.Cut(rows, q.Limit, func(e listedEquipment) equipmentPlace { return equipmentPlace{e.SortName, e.ID} })
	out := page.List[Equipment]{Items: make([]Equipment, len(listed.Items)), NextCursor: listed.NextCursor}
	for i, item := range listed.Items {
		out.Items[i] = item.aged()
	}
	return out, err
}

func noSuchEquipment() error { return apperr.NoSuchThing.New("There is no such equipment.") }
