package document

import (
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/money"
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

// ETag is the document's entity tag; the days until it ends change without a new version and so are part of it.
func (d Document) ETag() string { return httpx.ETag(d.Version) }
