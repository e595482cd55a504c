package internalapi

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// PapersQuery asks for what a residence has on paper on a day: for its history, which insurers and buyers read.
type PapersQuery struct {
	ResidenceID uuid.UUID `json:"residence_id" required:"true"`
	On          day.Day   `json:"on" required:"true"`
}

// Papers are the equipment in use, the warranties and the other documents of a residence, 1,000 of each at the most, and
// how many there are in all.
type Papers struct {
	Equipment     []PaperEquipment `json:"equipment"`
	Warranties    []PaperWarranty  `json:"warranties"`
	Documents     []Paper          `json:"documents"`
	AllEquipment  int              `json:"all_equipment"`
	AllWarranties int              `json:"all_warranties"`
	AllDocuments  int              `json:"all_documents"`
}

// PaperEquipment is an appliance or a system of the home.
type PaperEquipment struct {
	ID            uuid.UUID     `json:"id"`
	Name          string        `json:"name"`
	Manufacturer  string        `json:"manufacturer"`
	ModelNumber   string        `json:"model_number"`
	SerialNumber  string        `json:"serial_number"`
	Location      string        `json:"location"`
	PurchaseDate  *day.Day      `json:"purchase_date"`
	PurchasePrice *money.Amount `json:"purchase_price"`
	InstallDate   *day.Day      `json:"install_date"`
	ReplaceBy     *day.Day      `json:"replace_by"` // where its expected life ends
}

// PaperWarranty is a promise that something works.
type PaperWarranty struct {
	Item         string        `json:"item"`
	ModelNumber  string        `json:"model_number"`
	SerialNumber string        `json:"serial_number"`
	Provider     string        `json:"provider"`
	Contact      string        `json:"contact"`
	ClaimPhone   string        `json:"claim_phone"`
	ClaimEmail   string        `json:"claim_email"`
	ClaimWebsite string        `json:"claim_website"`
	PurchaseDate *day.Day      `json:"purchase_date"`
	StartDate    *day.Day      `json:"start_date"`
	EndDate      *day.Day      `json:"end_date"` // nil: for life
	Price        *money.Amount `json:"price"`
	IsActive     bool          `json:"is_active"`
}

// Paper is another document.
type Paper struct {
	Title        string    `json:"title"`
	DocumentType string    `json:"document_type"`
	Provider     string    `json:"provider"`
	AddedAt      time.Time `json:"added_at"`
	StartDate    *day.Day  `json:"start_date"`
	EndDate      *day.Day  `json:"end_date"`
	IsActive     bool      `json:"is_active"`
}

// Papers answers what a residence has on paper: POST /internal/residence-papers.
func (d Document) Papers(ctx context.Context, q PapersQuery) (Papers, error) {
	return call[Papers](ctx, d.remote, http.MethodPost, "/internal/residence-papers", q)
}
