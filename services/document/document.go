package document

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/contact"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/room"
	"hearth.internal/pkg/roundtrip"
)

// Document is a paper of a residence: a contract, a receipt, a warranty.
type Document struct {
	ID              uuid.UUID     `json:"id" format:"uuid"`
	ResidenceID     uuid.UUID     `json:"residence_id" format:"uuid"`
	CreatedByID     uuid.UUID     `json:"created_by_id" format:"uuid"`
	Title           string        `json:"title" example:"Furnace warranty"`
	Description     *string       `json:"description"`
	DocumentType    string        `json:"document_type" enum:"general,warranty,receipt,contract,insurance,manual,permit,inspection,photo,other"`
	UploadID        *uuid.UUID    `json:"upload_id" nullable:"true" format:"uuid" doc:"The file: GET /api/media/{upload_id}/"`
	ImageIDs        []uuid.UUID   `json:"image_ids" nullable:"false" doc:"Uploads that are images, in the order in which they are shown"`
	IsActive        bool          `json:"is_active"`
	ContractorID    *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid"`
	TaskID          *uuid.UUID    `json:"task_id" nullable:"true" format:"uuid"`
	EquipmentID     *uuid.UUID    `json:"equipment_id" nullable:"true" format:"uuid"`
	ItemName        *string       `json:"item_name"`
	ModelNumber     *string       `json:"model_number"`
	SerialNumber    *string       `json:"serial_number"`
	Provider        *string       `json:"provider"`
	ProviderContact *string       `json:"provider_contact"`
	ClaimPhone      *string       `json:"claim_phone"`
	ClaimEmail      *string       `json:"claim_email"`
	ClaimWebsite    *string       `json:"claim_website"`
	PurchaseDate    *day.Day      `json:"purchase_date" nullable:"true"`
	StartDate       *day.Day      `json:"start_date" nullable:"true"`
	EndDate         *day.Day      `json:"end_date" nullable:"true" doc:"The last day of a warranty or a contract"`
	Price           *money.Amount `json:"price" nullable:"true"`
	DaysUntilExpiry *int          `json:"days_until_expiry" db:"-" doc:"From your day to end_date: 0 is the last day, below 0 it has ended; null without one"`
	Version         int           `json:"version"`
	CreatedAt       time.Time     `json:"created_at"`
	UpdatedAt       time.Time     `json:"updated_at"`
}

// ETag is the version and, behind a hyphen, the days until it ends, which change without a new version.
func (d Document) ETag() string {
	if d.DaysUntilExpiry == nil {
		return httpx.ETag(d.Version)
	}
	return fmt.Sprintf(`"%d-%d"`, d.Version, *d.DaysUntilExpiry)
}

// on is the document as it stands on the day.
func (d Document) on(today day.Day) Document {
	if d.EndDate != nil {
		d.DaysUntilExpiry = new(today.DaysUntil(*d.EndDate))
	}
	return d
}

// DocumentFields are what a person may say of a document.
type DocumentFields struct {
	ResidenceID     uuid.UUID     `json:"residence_id" required:"true" format:"uuid" doc:"One that you may change things in"`
	Title           string        `json:"title" required:"true" minLength:"1" maxLength:"200" pattern:"\\S" example:"Furnace warranty"`
	Description     *string       `json:"description" maxLength:"10000"`
	DocumentType    string        `json:"document_type" enum:"general,warranty,receipt,contract,insurance,manual,permit,inspection,photo,other" default:"general"`
	UploadID        *uuid.UUID    `json:"upload_id" nullable:"true" format:"uuid" doc:"The file: an upload that you see"`
	ImageIDs        []uuid.UUID   `json:"image_ids" maxItems:"20" nullable:"true" doc:"Uploads that you see and that are images, in the order in which they are shown"`
	IsActive        *bool         `json:"is_active" default:"true"`
	ContractorID    *uuid.UUID    `json:"contractor_id" nullable:"true" format:"uuid" doc:"One of the residence's, or a personal one of yours"`
	TaskID          *uuid.UUID    `json:"task_id" nullable:"true" format:"uuid" doc:"A task of the residence"`
	EquipmentID     *uuid.UUID    `json:"equipment_id" nullable:"true" format:"uuid" doc:"Equipment of the residence"`
	ItemName        *string       `json:"item_name" maxLength:"200"`
	ModelNumber     *string       `json:"model_number" maxLength:"100"`
	SerialNumber    *string       `json:"serial_number" maxLength:"100"`
	Provider        *string       `json:"provider" maxLength:"200"`
	ProviderContact *string       `json:"provider_contact" maxLength:"500"`
	ClaimPhone      *string       `json:"claim_phone" maxLength:"50"`
	ClaimEmail      *string       `json:"claim_email" maxLength:"254"`
	ClaimWebsite    *string       `json:"claim_website" maxLength:"500"`
	PurchaseDate    *day.Day      `json:"purchase_date" nullable:"true"`
	StartDate       *day.Day      `json:"start_date" nullable:"true"`
	EndDate         *day.Day      `json:"end_date" nullable:"true" doc:"Not before start_date and purchase_date"`
	Price           *money.Amount `json:"price" nullable:"true"`
}

// NewDocument is a document to be added.
type NewDocument struct {
	ID *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: sending the same document twice adds it once"`
	DocumentFields
}

// DocumentPatch is a change of some of a document's fields.
type DocumentPatch struct {
	ResidenceID     patch.Optional[uuid.UUID]    `json:"residence_id,omitzero" format:"uuid" doc:"Another residence: the contractor, the task and the equipment must be of that one"`
	Title           patch.Optional[string]       `json:"title,omitzero" minLength:"1" maxLength:"200" pattern:"\\S"`
	Description     patch.Nullable[string]       `json:"description,omitzero" maxLength:"10000"`
	DocumentType    patch.Optional[string]       `json:"document_type,omitzero" enum:"general,warranty,receipt,contract,insurance,manual,permit,inspection,photo,other"`
	UploadID        patch.Nullable[uuid.UUID]    `json:"upload_id,omitzero" format:"uuid"`
	ImageIDs        patch.Nullable[[]uuid.UUID]  `json:"image_ids,omitzero" maxItems:"20"`
	IsActive        patch.Optional[bool]         `json:"is_active,omitzero"`
	ContractorID    patch.Nullable[uuid.UUID]    `json:"contractor_id,omitzero" format:"uuid"`
	TaskID          patch.Nullable[uuid.UUID]    `json:"task_id,omitzero" format:"uuid"`
	EquipmentID     patch.Nullable[uuid.UUID]    `json:"equipment_id,omitzero" format:"uuid"`
	ItemName        patch.Nullable[string]       `json:"item_name,omitzero" maxLength:"200"`
	ModelNumber     patch.Nullable[string]       `json:"model_number,omitzero" maxLength:"100"`
	SerialNumber    patch.Nullable[string]       `json:"serial_number,omitzero" maxLength:"100"`
	Provider        patch.Nullable[string]       `json:"provider,omitzero" maxLength:"200"`
	ProviderContact patch.Nullable[string]       `json:"provider_contact,omitzero" maxLength:"500"`
	ClaimPhone      patch.Nullable[string]       `json:"claim_phone,omitzero" maxLength:"50"`
	ClaimEmail      patch.Nullable[string]       `json:"claim_email,omitzero" maxLength:"254"`
	ClaimWebsite    patch.Nullable[string]       `json:"claim_website,omitzero" maxLength:"500"`
	PurchaseDate    patch.Nullable[day.Day]      `json:"purchase_date,omitzero"`
	StartDate       patch.Nullable[day.Day]      `json:"start_date,omitzero"`
	EndDate         patch.Nullable[day.Day]      `json:"end_date,omitzero"`
	Price           patch.Nullable[money.Amount] `json:"price,omitzero"`
}

// whole is the patch that replaces every field.
func (f DocumentFields) whole() DocumentPatch {
	if f.DocumentType == "" { // sent as null
		f.DocumentType = "general"
	}
	return DocumentPatch{
		ResidenceID: patch.To(f.ResidenceID), Title: patch.To(f.Title), Description: nullable(f.Description), DocumentType: patch.To(f.DocumentType),
		UploadID: nullable(f.UploadID), ImageIDs: nullable(&f.ImageIDs), IsActive: patch.To(f.IsActive == nil || *f.IsActive),
		ContractorID: nullable(f.ContractorID), TaskID: nullable(f.TaskID), EquipmentID: nullable(f.EquipmentID), ItemName: nullable(f.ItemName),
		ModelNumber: nullable(f.ModelNumber), SerialNumber: nullable(f.SerialNumber), Provider: nullable(f.Provider),
		ProviderContact: nullable(f.ProviderContact), ClaimPhone: nullable(f.ClaimPhone), ClaimEmail: nullable(f.ClaimEmail),
		ClaimWebsite: nullable(f.ClaimWebsite), PurchaseDate: nullable(f.PurchaseDate), StartDate: nullable(f.StartDate),
		EndDate: nullable(f.EndDate), Price: nullable(f.Price),
	}
}

// settle trims what was typed, takes blank fields for empty ones, and refuses what nobody could write to, open or dial.
func (p *DocumentPatch) settle() error {
	p.Title.Value = strings.TrimSpace(p.Title.Value)
	for _, field := range []*patch.Nullable[string]{
		&p.Description, &p.ItemName, &p.ModelNumber, &p.SerialNumber, &p.Provider, &p.ProviderContact, &p.ClaimPhone, &p.ClaimEmail, &p.ClaimWebsite,
	} {
		if field.Value == nil {
			continue
		}
		if field.Value = new(strings.TrimSpace(*field.Value)); *field.Value == "" {
			field.Value = nil
		}
	}
	if p.ImageIDs.Set {
		p.ImageIDs = nullable(new(once(p.ImageIDs.Value)))
	}
	e := apperr.ValidationFailed.New("The document has a field that is not valid.")
	if p.Title.Set && p.Title.Value == "" {
		e = e.At("body.title", "must not be blank")
	}
	for _, c := range []struct {
		field, message string
		value          *string
		valid          func(string) bool
	}{
		{"claim_email", contact.NoAddress, p.ClaimEmail.Value, contact.IsAddress},
		{"claim_website", contact.NoWebsite, p.ClaimWebsite.Value, contact.IsWebsite},
		{"claim_phone", contact.NoPhone, p.ClaimPhone.Value, contact.IsPhone},
	} {
		if c.value != nil && !c.valid(*c.value) {
			e = e.At("body."+c.field, c.message)
		}
	}
	if len(e.Fields) > 0 {
		return e
	}
	return nil
}

// once is the list with each of its ids where it first stands, never nil.
func once(ids *[]uuid.UUID) []uuid.UUID {
	out := []uuid.UUID{}
	if ids == nil {
		return out
	}
	for _, id := range *ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// row is the patch as the table's columns: money in hundredths.
func (p DocumentPatch) row() (map[string]any, error) {
	if err := p.settle(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	row := map[string]any{}
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	if p.Price.Value != nil {
		row["price"] = int64(*p.Price.Value)
	}
	return row, nil
}

// AddDocument adds a document to a residence that the actor may write to, and reports whether it is new.
func (s *Service) AddDocument(ctx context.Context, actor identity.Actor, in NewDocument) (Document, bool, error) {
	p := in.whole()
	know, err := s.lookUp(ctx, actor, p)
	if err != nil {
		return Document{}, false, err
	}
	if err := access.WritableAmong(know.homes, in.ResidenceID); err != nil {
		return Document{}, false, err
	}
	row, err := p.row()
	if err != nil {
		return Document{}, false, err
	}
	now := s.Clock.Now()
	row["created_by_id"], row["created_at"], row["updated_at"], row["version"] = actor.UserID, now, now, 1
	if row["id"], err = idOrNew(in.ID); err != nil {
		return Document{}, false, err
	}
	r, err := s.rooms().In(ctx, actor, know.homes, know.own, plans.AddDocument, in.ResidenceID)
	if err != nil {
		return Document{}, false, err
	}
	for range tries {
		out, found, used, err := insertDocument(ctx, s.DB, actor, know.homes, row, know.where, r)
		switch {
		case raced(err), err == nil && !found: // what it names went away, or somebody is adding it this very moment
			continue
		case err != nil:
			return Document{}, false, err
		case out.Outcome == "there":
			return out.on(actor.Today(s.Clock)), false, nil
		case out.Outcome == "taken":
			return Document{}, false, idTaken()
		case out.Outcome == "refused":
			return Document{}, false, out.refusal("body", r, used)
		}
		s.announceDocument(ctx, out, know.homes, out.ResidenceID)
		return out.on(actor.Today(s.Clock)), true, nil
	}
	return Document{}, false, busy()
}

// DocumentOf answers one document of a residence that the actor sees.
func (s *Service) DocumentOf(ctx context.Context, actor identity.Actor, id uuid.UUID) (Document, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Document{}, err
	}
	document, found, err := readDocument(ctx, s.DB, id, access.IDs(homes))
	if err == nil && !found {
		err = noSuchDocument()
	}
	return document.on(actor.Today(s.Clock)), err
}

// ChangeDocument applies the patch. A document that moves to another residence takes its files along.
func (s *Service) ChangeDocument(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, p DocumentPatch) (Document, error) {
	know, err := s.lookUp(ctx, actor, p)
	if err != nil {
		return Document{}, err
	}
	c := documentChange{id: id, actor: actor, version: version, homes: know.homes, where: know.where, at: "body", now: s.Clock.Now()}
	if p.ResidenceID.Set {
		if err := access.WritableAmong(know.homes, p.ResidenceID.Value); err != nil {
			return Document{}, err
		}
		if c.room, err = s.rooms().In(ctx, actor, know.homes, know.own, plans.AddDocument, p.ResidenceID.Value); err != nil {
			return Document{}, err
		}
	}
	if c.row, err = p.row(); err != nil {
		return Document{}, err
	}
	return s.changeDocument(ctx, c)
}

// Activate makes the document count as one in use, or no longer; what is so already stays as it is.
func (s *Service) Activate(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, active bool) (Document, error) {
	return s.touchDocument(ctx, actor, documentChange{id: id, version: version, row: map[string]any{"is_active": active}})
}

// AddImages appends images to the document's; those that it has already stay where they are.
func (s *Service) AddImages(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, images []uuid.UUID) (Document, error) {
	return s.touchDocument(ctx, actor, documentChange{id: id, version: version, more: once(&images)})
}

// RemoveImage takes an image from the document.
func (s *Service) RemoveImage(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int, image uuid.UUID) error {
	_, err := s.touchDocument(ctx, actor, documentChange{id: id, version: version, less: &image})
	return err
}

// touchDocument does a change that writes nothing where everything is as wanted.
func (s *Service) touchDocument(ctx context.Context, actor identity.Actor, c documentChange) (Document, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return Document{}, err
	}
	c.actor, c.homes, c.sparing, c.at, c.now = actor, homes, true, "body.upload_ids", s.Clock.Now()
	return s.changeDocument(ctx, c)
}

// changeDocument does the change until it applies or there is a reason why it does not.
func (s *Service) changeDocument(ctx context.Context, c documentChange) (Document, error) {
	for range tries {
		out, found, used, err := changeDocument(ctx, s.DB, c)
		switch {
		case raced(err):
			continue
		case err != nil:
			return Document{}, err
		case !found:
			return Document{}, noSuchDocument()
		case out.Outcome == "same":
			return out.on(c.actor.Today(s.Clock)), nil
		case out.Outcome == "done":
			s.announceDocument(ctx, out, c.homes, uuid.Nil)
			return out.on(c.actor.Today(s.Clock)), nil
		}
		if err := refuseWrite(c.homes, out.ResidenceID, c.version, out.Version); err != nil {
			return Document{}, err
		}
		if out.Outcome == "refused" {
			out.ResidenceID = c.residence(out.ResidenceID)
			return Document{}, out.refusal(c.at, c.room, used)
		}
	}
	return Document{}, busy()
}

// DeleteDocument removes a document; its files go when nothing else names them.
func (s *Service) DeleteDocument(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int) error {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return err
	}
	for range tries {
		out, found, err := deleteDocument(ctx, s.DB, actor, id, version, homes)
		switch {
		case err != nil:
			return err
		case !found:
			return noSuchDocument()
		case out.Outcome == "done":
			s.announceDocument(ctx, out, homes, out.ResidenceID)
			return nil
		}
		if err := refuseWrite(homes, out.ResidenceID, version, out.Version); err != nil {
			return err
		}
	}
	return busy()
}

// announceDocument drops what is stale once the write is committed. Of the residences that the actor sees, counts is the one
// in which there is one more or one less; none when it was changed.
func (s *Service) announceDocument(ctx context.Context, out writtenDocument, homes []access.Home, counts uuid.UUID) {
	ref := events.DocumentRef{ID: out.ID, ResidenceID: out.ResidenceID}
	if out.PreviousResidenceID != nil {
		ref.PreviousResidenceID, counts = *out.PreviousResidenceID, out.ResidenceID
		ref.PreviousOwnerID = access.OwnerAmong(homes, ref.PreviousResidenceID)
	}
	ref.OwnerID = access.OwnerAmong(homes, counts)
	events.DocumentChanged.Committed(ctx, s.Relay, ref)
}

// whereabouts are the residences of what a document is to name of the task service's; none: the actor may not name it.
type whereabouts struct {
	task, contractor *uuid.UUID
	personal         bool // the contractor, of the actor
}

// documentFacts are what is to be known before a document is written.
type documentFacts struct {
	homes []access.Home
	own   plans.Plan // where the write may be limited
	where whereabouts
}

// lookUp asks at the same time what the actor sees and may have, and, if the patch names a task or a contractor, where they
// are.
func (s *Service) lookUp(ctx context.Context, actor identity.Actor, p DocumentPatch) (f documentFacts, err error) {
	calls := []func(context.Context) error{func(ctx context.Context) (err error) {
		f.homes, f.own, err = s.rooms().Ask(ctx, actor, p.ResidenceID.Set)
		return err
	}}
	if p.TaskID.Value != nil || p.ContractorID.Value != nil {
		calls = append(calls, func(ctx context.Context) (err error) {
			f.where, err = s.whereabouts(ctx, actor, p.TaskID.Value, p.ContractorID.Value)
			return err
		})
	}
	err = roundtrip.Together(ctx, calls...)
	return f, err
}

// refusals are what is wrong with a document's field that only the database, or another service, could check.
var refusals = map[string]string{
	"upload_id":     "is not a file that you see",
	"image_ids":     "names something that is not an image that you see",
	"none":          "must name at least one upload",
	"images":        "would make it more than 20 images",
	"contractor_id": "is not a contractor of this residence, nor a personal one of yours",
	"task_id":       "is not a task of this residence",
	"equipment_id":  "is not equipment of this residence",
	"end_date":      "must not be before start_date and purchase_date",
}

// refusal says what is wrong with a document that was refused, at a location such as "body". What is not valid is told
// before there being no room for it.
func (d writtenDocument) refusal(at string, r room.Room, used []room.Usage) error {
	e := apperr.ValidationFailed.New("The document has a field that is not valid.")
	for _, field := range d.Fields {
		switch {
		case field == "image":
			return apperr.NoSuchThing.New("The document has no such image.")
		case field == room.Limited:
			continue
		case at != "body":
			e = e.At(at, refusals[field])
		default:
			e = e.At(at+"."+field, refusals[field])
		}
	}
	if len(e.Fields) == 0 {
		return r.Reached(&d.ResidenceID, used)
	}
	return e
}

func noSuchDocument() error { return apperr.NoSuchThing.New("There is no such document.") }
