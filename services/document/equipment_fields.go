package document

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/patch"
)

// EquipmentFields are what a person may say of a piece of equipment.
type EquipmentFields struct {
	Name              string        `json:"name" required:"true" minLength:"1" maxLength:"200" pattern:"\\S" example:"Furnace"`
	Category          string        `json:"category" enum:"appliance,heating,cooling,water,plumbing,electrical,lighting,roof,structure,safety,outdoor,vehicle,electronics,furniture,tool,other" default:"other"`
	Manufacturer      *string       `json:"manufacturer" maxLength:"200"`
	ModelNumber       *string       `json:"model_number" maxLength:"200"`
	SerialNumber      *string       `json:"serial_number" maxLength:"200"`
	Location          *string       `json:"location" maxLength:"200" example:"Basement"`
	Notes             *string       `json:"notes" maxLength:"10000"`
	PurchaseDate      *day.Day      `json:"purchase_date" nullable:"true" doc:"Not before 1900"`
	PurchasePrice     *money.Amount `json:"purchase_price" nullable:"true"`
	InstallDate       *day.Day      `json:"install_date" nullable:"true" doc:"Not before 1900"`
	ExpectedLifeYears *int          `json:"expected_life_years" minimum:"1" maximum:"200"`
	RemovedDate       *day.Day      `json:"removed_date" nullable:"true" doc:"Since when it is no longer in use; not before it was installed"`
	UploadIDs         []uuid.UUID   `json:"upload_ids" maxItems:"20" nullable:"true" doc:"Photos: images that you uploaded, or that you see"`
}

// NewEquipment is a piece of equipment to be added.
type NewEquipment struct {
	ID          *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own: sending the same equipment twice adds it once"`
	ResidenceID uuid.UUID  `json:"residence_id" required:"true" format:"uuid" doc:"One that you may change things in; it stays there"`
	EquipmentFields
}

// EquipmentWhole is a piece of equipment as it is to be.
type EquipmentWhole struct {
	ResidenceID *uuid.UUID `json:"residence_id,omitempty" format:"uuid" doc:"Where it is, if you send it: equipment stays in its residence"`
	EquipmentFields
}

// EquipmentPatch is a change of some of the fields.
type EquipmentPatch struct {
	ResidenceID       patch.Optional[uuid.UUID]    `json:"residence_id,omitzero" format:"uuid" doc:"Where it is, if you send it: equipment stays in its residence"`
	Name              patch.Optional[string]       `json:"name,omitzero" minLength:"1" maxLength:"200" pattern:"\\S"`
	Category          patch.Optional[string]       `json:"category,omitzero" enum:"appliance,heating,cooling,water,plumbing,electrical,lighting,roof,structure,safety,outdoor,vehicle,electronics,furniture,tool,other"`
	Manufacturer      patch.Nullable[string]       `json:"manufacturer,omitzero" maxLength:"200"`
	ModelNumber       patch.Nullable[string]       `json:"model_number,omitzero" maxLength:"200"`
	SerialNumber      patch.Nullable[string]       `json:"serial_number,omitzero" maxLength:"200"`
	Location          patch.Nullable[string]       `json:"location,omitzero" maxLength:"200"`
	Notes             patch.Nullable[string]       `json:"notes,omitzero" maxLength:"10000"`
	PurchaseDate      patch.Nullable[day.Day]      `json:"purchase_date,omitzero"`
	PurchasePrice     patch.Nullable[money.Amount] `json:"purchase_price,omitzero"`
	InstallDate       patch.Nullable[day.Day]      `json:"install_date,omitzero"`
	ExpectedLifeYears patch.Nullable[int]          `json:"expected_life_years,omitzero" minimum:"1" maximum:"200"`
	RemovedDate       patch.Nullable[day.Day]      `json:"removed_date,omitzero"`
	UploadIDs         patch.Nullable[[]uuid.UUID]  `json:"upload_ids,omitzero" maxItems:"20"`
}

// whole is the patch that replaces every field.
func (f EquipmentFields) whole() EquipmentPatch {
	if f.Category == "" { // sent as null
		f.Category = "other"
	}
	return EquipmentPatch{
		Name: patch.To(f.Name), Category: patch.To(f.Category), Manufacturer: nullable(f.Manufacturer), ModelNumber: nullable(f.ModelNumber),
		SerialNumber: nullable(f.SerialNumber), Location: nullable(f.Location), Notes: nullable(f.Notes), PurchaseDate: nullable(f.PurchaseDate),
		PurchasePrice: nullable(f.PurchasePrice), InstallDate: nullable(f.InstallDate), ExpectedLifeYears: nullable(f.ExpectedLifeYears),
		RemovedDate: nullable(f.RemovedDate), UploadIDs: photos(f.UploadIDs),
	}
}

// photos are a list that was sent; null is the empty one.
func photos(ids []uuid.UUID) patch.Nullable[[]uuid.UUID] {
	if ids == nil {
		ids = []uuid.UUID{}
	}
	return nullable(&ids)
}

func (w EquipmentWhole) patch() EquipmentPatch {
	p := w.whole()
	if w.ResidenceID != nil {
		p.ResidenceID = patch.To(*w.ResidenceID)
	}
	return p
}

// Days outside of these are typing errors: nothing in use is older, and what lasts 200 years from then still ends in a
// year of four digits.
var firstInstall, lastInstall = day.Must("1900-01-01"), day.Must("2199-12-31")

// settle trims what was typed, takes blank fields for empty ones, and refuses what no equipment can have.
func (p *EquipmentPatch) settle() error {
	e := apperr.ValidationFailed.New("The equipment has a field that is not valid.")
	if p.Name.Value = strings.TrimSpace(p.Name.Value); p.Name.Set && p.Name.Value == "" {
		e = e.At("body.name", "must not be blank")
	}
	for _, field := range []*patch.Nullable[string]{&p.Manufacturer, &p.ModelNumber, &p.SerialNumber, &p.Location, &p.Notes} {
		if field.Value == nil {
			continue
		}
		if field.Value = new(strings.TrimSpace(*field.Value)); *field.Value == "" {
			field.Value = nil
		}
	}
	for _, d := range []struct {
		field string
		value *day.Day
	}{{"purchase_date", p.PurchaseDate.Value}, {"install_date", p.InstallDate.Value}, {"removed_date", p.RemovedDate.Value}} {
		if d.value != nil && (d.value.Before(firstInstall) || d.value.After(lastInstall)) {
			e = e.At("body."+d.field, fmt.Sprintf("must be between %s and %s", firstInstall, lastInstall))
		}
	}
	if p.UploadIDs.Set {
		if p.UploadIDs.Value == nil {
			p.UploadIDs = photos(nil)
		}
		if ids := *p.UploadIDs.Value; repeats(ids) {
			e = e.At("body.upload_ids", "names a photo twice")
		}
	}
	if len(e.Fields) > 0 {
		return e
	}
	return nil
}

func repeats(ids []uuid.UUID) bool {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return true
		}
	}
	return false
}

// row is the patch as the table's columns: money in hundredths.
func (p EquipmentPatch) row() (map[string]any, error) {
	if err := p.settle(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("equipment: %w", err)
	}
	row := map[string]any{}
	if err := json.Unmarshal(raw, &row); err != nil {
		return nil, fmt.Errorf("equipment: %w", err)
	}
	if p.PurchasePrice.Value != nil {
		row["purchase_price"] = int64(*p.PurchasePrice.Value)
	}
	return row, nil
}

// equipmentRefusals are what is wrong with a field that only the database could check.
var equipmentRefusals = map[string]string{
	"residence_id": "is not where it is: equipment stays in its residence",
	"removed_date": "is before it was installed",
	"upload_ids":   "names something that is no image, or not yours to name",
}

func refusedEquipment(field string) error {
	return apperr.InvalidField("body."+field, "%s", equipmentRefusals[field])
}
