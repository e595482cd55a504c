package document

import (
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/money"
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
