package task

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/contact"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/room"
	"hearth.internal/pkg/roundtrip"
)

// Contractor is somebody who does work in homes.
type Contractor struct {
	ID           uuid.UUID   `json:"id" format:"uuid"`
	ResidenceID  *uuid.UUID  `json:"residence_id" nullable:"true" format:"uuid" doc:"Null: personal, seen by its creator alone"`
	CreatedByID  uuid.UUID   `json:"created_by_id" format:"uuid"`
	Name         string      `json:"name" example:"Ada Byron"`
	Company      *string     `json:"company"`
	Phone        *string     `json:"phone"`
	Email        *string     `json:"email"`
	Website      *string     `json:"website"`
	Address      *string     `json:"address"`
	Notes        *string     `json:"notes"`
	Rating       *float64    `json:"rating" minimum:"0" maximum:"5"`
	SpecialtyIDs []uuid.UUID `json:"specialty_ids" nullable:"false"`
	UploadIDs    []uuid.UUID `json:"upload_ids" nullable:"false" doc:"Files: a business card, a certificate of insurance, a licence"`
	IsFavorite   bool        `json:"is_favorite" doc:"Of the person who asks"`
	TaskCount    int         `json:"task_count" doc:"Tasks that name the contractor, in residences that you see"`

	AverageRating   *float64   `json:"average_rating" doc:"Of the completions that name the contractor and are rated, in residences that you see; one decimal" example:"4.5"`
	RatingCount     int        `json:"rating_count"`
	CompletionCount int        `json:"completion_count"`
	LastWorkedAt    *time.Time `json:"last_worked_at" nullable:"true"`
	TotalPaid       Paid       `json:"total_paid" nullable:"false" doc:"What those completions cost, by currency"`

	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Paid is money of several currencies, each once.
type Paid []PaidIn

// PaidIn is money of one currency.
type PaidIn struct {
	Currency string      `json:"currency" example:"EUR"`
	Amount   money.Total `json:"amount"`
}

// ETag is the version and, behind a hyphen, a hash of all that the answer shows: what was done by the contractor, and
// whose favourite it is, change without a new version.
func (c Contractor) ETag() string {
	raw, _ := json.Marshal(c) // numbers and texts always marshal
	h := fnv.New32a()
	_, _ = h.Write(raw) // a hash never fails
	return fmt.Sprintf(`"%d-%08x"`, c.Version, h.Sum32())
}

// ContractorFields are what a person may say of a contractor.
type ContractorFields struct {
	ResidenceID  *uuid.UUID  `json:"residence_id" nullable:"true" format:"uuid" doc:"Null: a personal one"`
	Name         string      `json:"name" required:"true" minLength:"1" maxLength:"200" pattern:"\\S" example:"Ada Byron"`
	Company      *string     `json:"company" maxLength:"200"`
	Phone        *string     `json:"phone" maxLength:"50"`
	Email        *string     `json:"email" maxLength:"254"`
	Website      *string     `json:"website" maxLength:"500"`
	Address      *string     `json:"address" maxLength:"500"`
	Notes        *string     `json:"notes" maxLength:"10000"`
	Rating       *float64    `json:"rating" minimum:"0" maximum:"5"`
	SpecialtyIDs []uuid.UUID `json:"specialty_ids" maxItems:"30" nullable:"true"`
	UploadIDs    []uuid.UUID `json:"upload_ids" maxItems:"20" nullable:"true" doc:"Files: uploads of yours, or that you see"`
}

// NewContractor is a contractor to be added.
type NewContractor struct {
	ID *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: sending the same contractor twice adds it once"`
	ContractorFields
}

// ContractorPatch is a change of some of a contractor's fields.
type ContractorPatch struct {
	ResidenceID  patch.Nullable[uuid.UUID]   `json:"residence_id,omitzero" format:"uuid"`
	Name         patch.Optional[string]      `json:"name,omitzero" minLength:"1" maxLength:"200" pattern:"\\S"`
	Company      patch.Nullable[string]      `json:"company,omitzero" maxLength:"200"`
	Phone        patch.Nullable[string]      `json:"phone,omitzero" maxLength:"50"`
	Email        patch.Nullable[string]      `json:"email,omitzero" maxLength:"254"`
	Website      patch.Nullable[string]      `json:"website,omitzero" maxLength:"500"`
	Address      patch.Nullable[string]      `json:"address,omitzero" maxLength:"500"`
	Notes        patch.Nullable[string]      `json:"notes,omitzero" maxLength:"10000"`
	Rating       patch.Nullable[float64]     `json:"rating,omitzero" minimum:"0" maximum:"5"`
	SpecialtyIDs patch.Nullable[[]uuid.UUID] `json:"specialty_ids,omitzero" maxItems:"30"`
	UploadIDs    patch.Nullable[[]uuid.UUID] `json:"upload_ids,omitzero" maxItems:"20"`
}

// whole is the patch that replaces every field.
func (f ContractorFields) whole() ContractorPatch {
	if f.SpecialtyIDs == nil {
		f.SpecialtyIDs = []uuid.UUID{}
	}
	if f.UploadIDs == nil {
		f.UploadIDs = []uuid.UUID{}
	}
	return ContractorPatch{
		ResidenceID: nullable(f.ResidenceID), Name: patch.To(f.Name), Company: nullable(f.Company), Phone: nullable(f.Phone),
		Email: nullable(f.Email), Website: nullable(f.Website), Address: nullable(f.Address), Notes: nullable(f.Notes),
		Rating: nullable(f.Rating), SpecialtyIDs: nullable(&f.SpecialtyIDs),
		UploadIDs: nullable(&f.UploadIDs),
	}
}

// row is the patch as the table's columns.
func (p ContractorPatch) row() (map[string]any, error) {
	if p.SpecialtyIDs.Set && p.SpecialtyIDs.Value == nil {
		p.SpecialtyIDs = nullable(&[]uuid.UUID{})
	}
	if p.UploadIDs.Set && p.UploadIDs.Value == nil {
		p.UploadIDs = nullable(&[]uuid.UUID{})
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("contractor: %w", err)
	}
	row := map[string]any{}
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, fmt.Errorf("contractor: %w", err)
	}
	return row, nil
}

// settle trims what was typed, takes blank fields for empty ones, and refuses what nobody could write to, open or dial.
func (p *ContractorPatch) settle() error {
	p.Name.Value = strings.TrimSpace(p.Name.Value)
	for _, field := range []*patch.Nullable[string]{&p.Company, &p.Phone, &p.Email, &p.Website, &p.Address, &p.Notes} {
		if field.Value == nil {
			continue
		}
		if field.Value = new(strings.TrimSpace(*field.Value)); *field.Value == "" {
			field.Value = nil
		}
	}
	e := apperr.ValidationFailed.New("The contractor has a field that is not valid.")
	if p.Name.Set && p.Name.Value == "" {
		e = e.At("body.name", "must not be blank")
	}
	for _, c := range []struct {
		field, message string
		value          *string
		valid          func(string) bool
	}{
		{"email", contact.NoAddress, p.Email.Value, contact.IsAddress},
		{"website", contact.NoWebsite, p.Website.Value, contact.IsWebsite},
		{"phone", contact.NoPhone, p.Phone.Value, contact.IsPhone},
	} {
		if c.value != nil && !c.valid(*c.value) {
			e = e.At("body."+c.field, c.message)
		}
	}
	if len(e.Fields) > 0 {
		return e
	}
	return refuseRepeated(orZero(p.UploadIDs.Value))
}

// residenceOf is the residence, or none of a personal contractor.
func residenceOf(id *uuid.UUID) []uuid.UUID {
	if id == nil {
		return nil
	}
	return []uuid.UUID{*id}
}

// refusedContractor says what is wrong with a contractor that was refused. had are the files that it has.
func refusedContractor(r room.Room, out writtenContractor, used []room.Usage, files *naming, had []uuid.UUID) error {
	switch out.Field {
	case room.Limited:
		return r.Reached(out.ResidenceID, used)
	case "upload_ids":
		return files.refuse(had)
	}
	return refusedField("body", out.Field)
}

// contractorFacts are what is to be known of the actor before a contractor is written.
type contractorFacts struct {
	homes []access.Home
	own   plans.Plan // where the write may be limited
	files *naming    // which of the files a contractor may be given
}

// lookUpContractor asks for all of it at the same time.
func (s *Service) lookUpContractor(ctx context.Context, actor identity.Actor, limited bool, residence *uuid.UUID, ids []uuid.UUID) (f contractorFacts, err error) {
	err = roundtrip.Together(ctx, func(ctx context.Context) (err error) {
		f.homes, f.own, err = s.rooms().Ask(ctx, actor, limited)
		return err
	}, func(ctx context.Context) error {
		f.files = s.mayName(ctx, actor, orZero(residence), ids)
		return nil
	})
	return f, err
}

// mayShare refuses a residence that the actor may not write to; a personal contractor needs none.
func mayShare(homes []access.Home, residence *uuid.UUID) error {
	if residence == nil {
		return nil
	}
	return access.WritableAmong(homes, *residence)
}

// AddContractor adds a contractor, personal or to a residence, and reports whether it is new.
func (s *Service) AddContractor(ctx context.Context, actor identity.Actor, in NewContractor) (Contractor, bool, error) {
	know, err := s.lookUpContractor(ctx, actor, true, in.ResidenceID, in.UploadIDs)
	if err != nil {
		return Contractor{}, false, err
	}
	if err := mayShare(know.homes, in.ResidenceID); err != nil {
		return Contractor{}, false, err
	}
	row, err := in.whole().row()
	if err != nil {
		return Contractor{}, false, err
	}
	now := s.Clock.Now()
	row["created_by_id"], row["created_at"], row["updated_at"], row["version"] = actor.UserID, now, now, 1
	if row["id"], err = idOrNew(in.ID, "body"); err != nil {
		return Contractor{}, false, err
	}
	r, err := s.rooms().In(ctx, actor, know.homes, know.own, plans.AddContractor, residenceOf(in.ResidenceID)...)
	if err != nil {
		return Contractor{}, false, err
	}
	for range tries {
		out, found, used, err := insertContractor(ctx, s.DB, actor, know.homes, row, know.files.denied, r)
		switch {
		case err != nil:
			return Contractor{}, false, err
		case !found: // somebody is adding it this very moment
			continue
		case out.Outcome == "there":
			return out.Contractor, false, nil
		case out.Outcome == "taken":
			return Contractor{}, false, apperr.IDTaken.New("There is something else with that id.")
		case out.Outcome == "refused":
			return Contractor{}, false, refusedContractor(r, out, used, know.files, nil)
		}
		s.announceContractor(ctx, actor, out)
		return out.Contractor, true, nil
	}
	return Contractor{}, false, busy()
}

// ContractorOf answers one contractor that the actor sees.
func (s *Service) ContractorOf(ctx context.Context, actor identity.Actor, id uuid.UUID) (Contractor, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Contractor{}, err
	}
	contractor, found, err := readContractor(ctx, s.DB, actor, id, homes)
	if err == nil && !found {
		err = noSuchContractor()
	}
	return contractor, err
}

// ChangeContractor applies the patch. A contractor that moves to another residence, or becomes personal, keeps its
// history; what is still to do elsewhere lets go of it, because who sees that can no longer see the contractor.
func (s *Service) ChangeContractor(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, p ContractorPatch) (Contractor, error) {
	know, err := s.lookUpContractor(ctx, actor, p.ResidenceID.Set, p.ResidenceID.Value, orZero(p.UploadIDs.Value))
	if err != nil {
		return Contractor{}, err
	}
	if err := mayShare(know.homes, p.ResidenceID.Value); err != nil {
		return Contractor{}, err
	}
	row, err := p.row()
	if err != nil {
		return Contractor{}, err
	}
	var r room.Room
	if p.ResidenceID.Set {
		if r, err = s.rooms().In(ctx, actor, know.homes, know.own, plans.AddContractor, residenceOf(p.ResidenceID.Value)...); err != nil {
			return Contractor{}, err
		}
	}
	return s.writeContractor(ctx, actor, know.homes, version, func() (writtenContractor, bool, error) {
		out, found, used, err := changeContractor(ctx, s.DB, actor, id, version, know.homes, row, know.files.denied, r, s.Clock.Now())
		if out.Outcome == "refused" {
			out.ResidenceID = p.ResidenceID.Value
			err = refusedContractor(r, out, used, know.files, out.UploadIDs)
		}
		return out, found, err
	})
}

// DeleteContractor removes a contractor. Tasks that name it name nobody; completions keep what it was called.
func (s *Service) DeleteContractor(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int) error {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return err
	}
	_, err = s.writeContractor(ctx, actor, homes, version, func() (writtenContractor, bool, error) {
		return deleteContractor(ctx, s.DB, actor, id, version, homes, s.Clock.Now())
	})
	return err
}

// writeContractor does the write until it applies or there is a reason why it does not.
func (s *Service) writeContractor(ctx context.Context, actor identity.Actor, homes []access.Home, version *int, write func() (writtenContractor, bool, error)) (Contractor, error) {
	for range tries {
		out, found, err := write()
		switch {
		case err != nil:
			return Contractor{}, err
		case !found:
			return Contractor{}, noSuchContractor()
		case out.Outcome == "done":
			s.announceContractor(ctx, actor, out)
			return out.Contractor, nil
		}
		if err := mayShare(homes, out.ResidenceID); err != nil {
			return Contractor{}, err
		}
		if err := refuseVersion(version, out.Version); err != nil {
			return Contractor{}, err
		}
	}
	return Contractor{}, busy()
}

// ToggleFavorite makes the contractor a favourite of the actor's, or no longer one. A viewer may have favourites too. Of
// two devices at once the second undoes what the first did, as if it had come a moment later.
func (s *Service) ToggleFavorite(ctx context.Context, actor identity.Actor, id uuid.UUID) (Contractor, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Contractor{}, err
	}
	out, found, err := toggleFavorite(ctx, s.DB, actor, id, homes)
	if err == nil && !found || pg.Violates(err, "contractor_favorites_contractor") { // or it went away meanwhile
		err = noSuchContractor()
	}
	if err != nil {
		return Contractor{}, err
	}
	s.announceContractor(ctx, actor, writtenContractor{Contractor: out})
	return out, nil
}

// announceContractor drops what is stale once the write is committed.
func (s *Service) announceContractor(ctx context.Context, actor identity.Actor, out writtenContractor) {
	events.ContractorChanged.Committed(ctx, s.Relay, events.Contractor{
		ID: out.ID, CreatedBy: out.CreatedByID, ActorID: actor.UserID, ResidenceIDs: out.Affected, OwnerIDs: out.Owners, // as much as its keys want
	})
}

// ContractorFilter is what a list of contractors leaves out; zero values leave out nothing.
type ContractorFilter struct {
	ResidenceID uuid.UUID // only those of the residence
	SpecialtyID uuid.UUID
	Favorites   bool
	Text        string // in name or company, whatever its case
}

// contractorPlace is where a contractor stands in a list by name.
type contractorPlace struct {
	Name string    `json:"n"`
	ID   uuid.UUID `json:"i"`
}

// listedContractor knows its place in the database's order.
type listedContractor struct {
	Contractor
	SortName string
}

// ListView is a list that is not read yet: its ETag is known before any SQL.
type ListView struct {
	ETag  string // empty: not known
	actor identity.Actor
	homes []access.Home
}

// ViewList says what the actor's list, or that of one residence, depends on, beside what is named.
func (s *Service) ViewList(ctx context.Context, actor identity.Actor, residence uuid.UUID, depends ...string) (ListView, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return ListView{}, err
	}
	if residence != uuid.Nil {
		if _, found := access.Among(homes, residence); !found {
			return ListView{}, access.NoSuchResidence()
		}
	}
	// What no residence holds, personal contractors and favourites, has the person's own revision.
	states := append([]access.Home{{ID: actor.UserID}}, homes...)
	return ListView{ETag: s.Access.ETag(ctx, states, depends...), actor: actor, homes: homes}, nil
}

// Contractors lists those that the actor sees, by name.
func (s *Service) Contractors(ctx context.Context, v ListView, filter ContractorFilter, q page.Query) (page.List[Contractor], error) {
	after, err := page.After[contractorPlace](q)
	if err != nil {
		return page.List[Contractor]{}, err
	}
	rows, err := readContractors(ctx, s.DB, v, filter, after, q.Limit+1)
	if err != nil {
		return page.List[Contractor]{}, err
	}
	listed, err := page.Cut(rows, q.Limit, func(c listedContractor) contractorPlace { return contractorPlace{c.SortName, c.ID} })
	out := page.List[Contractor]{Items: make([]Contractor, len(listed.Items)), NextCursor: listed.NextCursor}
	for i, item := range listed.Items {
		out.Items[i] = item.Contractor
	}
	return out, err
}

// TasksOfContractor lists the tasks that name the contractor, in residences that the actor sees, newest first.
func (s *Service) TasksOfContractor(ctx context.Context, v ListView, id uuid.UUID, q page.Query) (page.List[Task], error) {
	before, err := page.After[taskPlace](q)
	if err != nil {
		return page.List[Task]{}, err
	}
	rows, found, err := readTasksOfContractor(ctx, s.DB, v.actor, id, access.IDs(v.homes), before, q.Limit+1)
	if err == nil && !found {
		err = noSuchContractor()
	}
	if err != nil {
		return page.List[Task]{}, err
	}
	return page.Cut(rows, q.Limit, func(t Task) taskPlace { return taskPlace{t.CreatedAt, t.ID} })
}

// taskPlace is where a task stands in a list, newest first.
type taskPlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

func noSuchContractor() error { return apperr.NoSuchThing.New("There is no such contractor.") }
