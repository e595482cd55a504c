package internalapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

// Home is a residence that somebody sees, and as what.
type Home struct {
	ID       uuid.UUID `json:"id"`
	OwnerID  uuid.UUID `json:"owner_id"`
	Role     string    `json:"role" enum:"owner,member,viewer"`
	Timezone string    `json:"timezone"`
	Currency string    `json:"currency"`
}

// Lookup is a row of a lookup table.
type Lookup struct {
	ID           uuid.UUID `json:"id"`
	Name         string    `json:"name"`
	Icon         string    `json:"icon"`
	Color        string    `json:"color"`
	DisplayOrder int       `json:"display_order"`
}

// Residence is the residence service as the others call it.
type Residence struct{ remote }

// Residence answers a client of the residence service.
func (c *Caller) Residence(base string) Residence { return Residence{c.to("residence", base)} }

// Homes lists what a person sees, in no particular order: GET /internal/users/{id}/homes.
func (r Residence) Homes(ctx context.Context, user uuid.UUID) ([]Home, error) {
	return call[[]Home](ctx, r.remote, http.MethodGet, "/internal/users/"+user.String()+"/homes", nil)
}

// Members lists who sees a residence: GET /internal/residences/{id}/members.
func (r Residence) Members(ctx context.Context, residence uuid.UUID) ([]uuid.UUID, error) {
	return call[[]uuid.UUID](ctx, r.remote, http.MethodGet, "/internal/residences/"+residence.String()+"/members", nil)
}

// Place is a residence's name and address.
type Place struct {
	ID            uuid.UUID `json:"id"`
	Name          string    `json:"name"`
	StreetAddress *string   `json:"street_address"`
	ApartmentUnit *string   `json:"apartment_unit"`
	City          *string   `json:"city"`
	StateProvince *string   `json:"state_province"`
	PostalCode    *string   `json:"postal_code"`
	Country       *string   `json:"country"` // ISO 3166-1 alpha-2
}

// Place answers a residence's name and address, whoever sees it: GET /internal/residences/{id}. It fails with not_found
// when there is none.
func (r Residence) Place(ctx context.Context, residence uuid.UUID) (Place, error) {
	return call[Place](ctx, r.remote, http.MethodGet, "/internal/residences/"+residence.String(), nil)
}

// ResidenceLookups are residence's lookup tables.
type ResidenceLookups struct {
	ResidenceTypes []Lookup `json:"residence_types"`
}

// Lookups answers residence's lookup tables: GET /internal/lookups.
func (r Residence) Lookups(ctx context.Context) (ResidenceLookups, error) {
	return call[ResidenceLookups](ctx, r.remote, http.MethodGet, "/internal/lookups", nil)
}
