package residence

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/currency"
	"golang.org/x/text/language"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/plans"
)

// Residence is one as the person who asks sees it: role and is_primary are theirs.
type Residence struct {
	ID              uuid.UUID     `json:"id" example:"01956b3e-7a10-7000-8000-000000000001"`
	Name            string        `json:"name" example:"Lake house"`
	ResidenceTypeID *uuid.UUID    `json:"residence_type_id" nullable:"true" doc:"One of types/"`
	IsPrimary       bool          `json:"is_primary" doc:"Your primary home; at most one of yours is"`
	Role            string        `json:"role" enum:"owner,member,viewer" doc:"Yours; a viewer only reads"`
	OwnerID         uuid.UUID     `json:"owner_id"`
	MemberCount     int           `json:"member_count" doc:"Everybody who belongs to it, the owner too" example:"2"`
	Currency        string        `json:"currency" doc:"ISO 4217; of every amount in the residence" example:"USD"`
	Timezone        string        `json:"timezone" doc:"IANA" example:"America/Chicago"`
	StreetAddress   *string       `json:"street_address" example:"12 Shore Road"`
	ApartmentUnit   *string       `json:"apartment_unit" example:"4B"`
	City            *string       `json:"city" example:"Madison"`
	StateProvince   *string       `json:"state_province" example:"WI"`
	PostalCode      *string       `json:"postal_code" example:"53703"`
	Country         *string       `json:"country" doc:"ISO 3166-1 alpha-2" example:"US"`
	Bedrooms        *int          `json:"bedrooms" example:"3"`
	Bathrooms       *float64      `json:"bathrooms" doc:"In halves" example:"2.5"`
	SquareFootage   *int          `json:"square_footage" example:"1850"`
	LotSize         *float64      `json:"lot_size" doc:"In the unit that the owner thinks in" example:"0.25"`
	YearBuilt       *int          `json:"year_built" example:"1974"`
	Description     *string       `json:"description" example:"White, with a porch"`
	PurchaseDate    *day.Day      `json:"purchase_date" nullable:"true"`
	PurchasePrice   *money.Amount `json:"purchase_price" nullable:"true"`
	Version         int           `json:"version" example:"1"`
	CreatedAt       time.Time     `json:"created_at"`
	UpdatedAt       time.Time     `json:"updated_at"`

	JoinedAt time.Time `json:"-"`
}

// ETag is the version and, behind a hyphen, what the answer says beside it of the person who asks and of the members:
// those change without a new version, so that nobody's edit meets a conflict because somebody joined.
func (r Residence) ETag() string {
	tag := fmt.Sprintf("%d-%s-%d", r.Version, r.Role, r.MemberCount)
	if r.IsPrimary {
		tag += "-primary"
	}
	return `"` + tag + `"`
}

// Fields are what the owner says of a residence.
type Fields struct {
	Name            string        `json:"name" required:"true" minLength:"1" maxLength:"120" doc:"What the family calls it" example:"Lake house"`
	ResidenceTypeID *uuid.UUID    `json:"residence_type_id" nullable:"true" doc:"One of types/"`
	IsPrimary       bool          `json:"is_primary" doc:"Make it your primary home, instead of the one that is"`
	Currency        *string       `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217; left out: the country's, else USD" example:"USD"`
	Timezone        *string       `json:"timezone" minLength:"1" maxLength:"64" doc:"IANA; left out: yours" example:"America/Chicago"`
	StreetAddress   *string       `json:"street_address" maxLength:"200" example:"12 Shore Road"`
	ApartmentUnit   *string       `json:"apartment_unit" maxLength:"50" example:"4B"`
	City            *string       `json:"city" maxLength:"100" example:"Madison"`
	StateProvince   *string       `json:"state_province" maxLength:"100" example:"WI"`
	PostalCode      *string       `json:"postal_code" maxLength:"20" example:"53703"`
	Country         *string       `json:"country" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2" example:"US"`
	Bedrooms        *int          `json:"bedrooms" minimum:"0" maximum:"200" example:"3"`
	Bathrooms       *float64      `json:"bathrooms" minimum:"0" maximum:"200" multipleOf:"0.5" doc:"In halves" example:"2.5"`
	SquareFootage   *int          `json:"square_footage" minimum:"0" maximum:"10000000" example:"1850"`
	LotSize         *float64      `json:"lot_size" minimum:"0" maximum:"1000000000" doc:"In the unit that you think in; two decimals are kept" example:"0.25"`
	YearBuilt       *int          `json:"year_built" minimum:"1000" maximum:"2999" doc:"At most ten years ahead" example:"1974"`
	Description     *string       `json:"description" maxLength:"5000" example:"White, with a porch"`
	PurchaseDate    *day.Day      `json:"purchase_date" nullable:"true"`
	PurchasePrice   *money.Amount `json:"purchase_price" nullable:"true"`
}

// Patch changes some of the fields.
type Patch struct {
	Name            patch.Optional[string]       `json:"name,omitzero" minLength:"1" maxLength:"120" example:"Lake house"`
	ResidenceTypeID patch.Nullable[uuid.UUID]    `json:"residence_type_id,omitzero" doc:"One of types/"`
	IsPrimary       patch.Optional[bool]         `json:"is_primary,omitzero" doc:"Your primary home, or no longer"`
	Currency        patch.Optional[string]       `json:"currency,omitzero" pattern:"^[A-Z]{3}$" doc:"ISO 4217" example:"USD"`
	Timezone        patch.Optional[string]       `json:"timezone,omitzero" minLength:"1" maxLength:"64" doc:"IANA" example:"America/Chicago"`
	StreetAddress   patch.Nullable[string]       `json:"street_address,omitzero" maxLength:"200" example:"12 Shore Road"`
	ApartmentUnit   patch.Nullable[string]       `json:"apartment_unit,omitzero" maxLength:"50" example:"4B"`
	City            patch.Nullable[string]       `json:"city,omitzero" maxLength:"100" example:"Madison"`
	StateProvince   patch.Nullable[string]       `json:"state_province,omitzero" maxLength:"100" example:"WI"`
	PostalCode      patch.Nullable[string]       `json:"postal_code,omitzero" maxLength:"20" example:"53703"`
	Country         patch.Nullable[string]       `json:"country,omitzero" pattern:"^[A-Z]{2}$" doc:"ISO 3166-1 alpha-2" example:"US"`
	Bedrooms        patch.Nullable[int]          `json:"bedrooms,omitzero" minimum:"0" maximum:"200" example:"3"`
	Bathrooms       patch.Nullable[float64]      `json:"bathrooms,omitzero" minimum:"0" maximum:"200" multipleOf:"0.5" doc:"In halves" example:"2.5"`
	SquareFootage   patch.Nullable[int]          `json:"square_footage,omitzero" minimum:"0" maximum:"10000000" example:"1850"`
	LotSize         patch.Nullable[float64]      `json:"lot_size,omitzero" minimum:"0" maximum:"1000000000" example:"0.25"`
	YearBuilt       patch.Nullable[int]          `json:"year_built,omitzero" minimum:"1000" maximum:"2999" example:"1974"`
	Description     patch.Nullable[string]       `json:"description,omitzero" maxLength:"5000" example:"White, with a porch"`
	PurchaseDate    patch.Nullable[day.Day]      `json:"purchase_date,omitzero"`
	PurchasePrice   patch.Nullable[money.Amount] `json:"purchase_price,omitzero"`
}

// settle fills in what was left out, and refuses what no tag can.
func (f *Fields) settle(actor identity.Actor, c clock.Clock) error {
	f.Name = strings.TrimSpace(f.Name)
	if f.Currency == nil {
		f.Currency = new(currencyOf(f.Country))
	}
	if f.Timezone == nil {
		f.Timezone = new(actor.Location().String())
	}
	return check(c, &f.Name, f.Currency, f.Timezone, f.Country, f.YearBuilt)
}

// settle refuses what no tag can.
func (p *Patch) settle(c clock.Clock) error {
	p.Name.Value = strings.TrimSpace(p.Name.Value)
	var name, unit, zone *string
	if p.Name.Set {
		name = &p.Name.Value
	}
	if p.Currency.Set {
		unit = &p.Currency.Value
	}
	if p.Timezone.Set {
		zone = &p.Timezone.Value
	}
	return check(c, name, unit, zone, p.Country.Value, p.YearBuilt.Value)
}

// A house that is being planned has its year already.
const yearsAhead = 10

// check looks at what is there.
func check(c clock.Clock, name, unit, zone, country *string, built *int) error {
	if name != nil && *name == "" {
		return apperr.InvalidField("body.name", "must not be blank")
	}
	if unit != nil {
		if known, err := currency.ParseISO(*unit); err != nil || known.String() == "XXX" {
			return apperr.InvalidField("body.currency", "is no currency of ISO 4217")
		}
	}
	if zone != nil && !day.IsZone(*zone) {
		return apperr.InvalidField("body.timezone", "is no time zone of the IANA database, such as Europe/Berlin")
	}
	if country != nil {
		if region, err := language.ParseRegion(*country); err != nil || !region.IsCountry() || region.Canonicalize() != region {
			return apperr.InvalidField("body.country", "is no country of ISO 3166-1")
		}
	}
	if latest := c.Now().Year() + yearsAhead; built != nil && *built > latest {
		return apperr.InvalidField("body.year_built", "must not be after %d", latest)
	}
	return nil
}

// currencyOf is the money of a country; a wrong country is refused elsewhere.
func currencyOf(country *string) string {
	if country != nil {
		if region, err := language.ParseRegion(*country); err == nil {
			if unit, ok := currency.FromRegion(region); ok {
				return unit.String()
			}
		}
	}
	return currency.USD.String()
}

// row is the fields as the table's columns: money in hundredths, and no is_primary, which belongs to the person.
func (f Fields) row() (string, error) {
	raw, err := json.Marshal(struct {
		Fields
		IsPrimary     *bool  `json:"is_primary,omitempty"`
		PurchasePrice *int64 `json:"purchase_price"`
	}{Fields: f, PurchasePrice: (*int64)(f.PurchasePrice)})
	if err != nil {
		return "", fmt.Errorf("fields of a residence: %w", err)
	}
	return string(raw), nil
}

// row is what changes, as the table's columns.
func (p Patch) row() (string, error) {
	raw, err := json.Marshal(struct {
		Patch
		IsPrimary     *bool                 `json:"is_primary,omitempty"`
		PurchasePrice patch.Nullable[int64] `json:"purchase_price,omitzero"`
	}{Patch: p, PurchasePrice: patch.Nullable[int64]{Set: p.PurchasePrice.Set, Value: (*int64)(p.PurchasePrice.Value)}})
	if err != nil {
		return "", fmt.Errorf("changes of a residence: %w", err)
	}
	return string(raw), nil
}

// AddResidence adds a residence that the actor owns, under the id if one is given. Adding the same id again answers what
// is there, and made is false then; it fails with id_taken when that is not the actor's, and with limit_reached when the
// actor's plan has no room for another one.
func (s *Service) AddResidence(ctx context.Context, actor identity.Actor, id *uuid.UUID, in Fields) (home Residence, made bool, err error) {
	if err := in.settle(actor, s.Clock); err != nil {
		return Residence{}, false, err
	}
	switch {
	case id == nil:
		id = new(uuid.Must(uuid.NewV7()))
	case *id == uuid.Nil:
		return Residence{}, false, apperr.InvalidField("body.id", "must not be the zero UUID")
	}
	event := events.Home{
		ID: *id, OwnerID: actor.UserID, Name: in.Name, Timezone: *in.Timezone, Currency: *in.Currency,
		MemberIDs: []uuid.UUID{actor.UserID}, ActorID: actor.UserID, Version: 1,
	}
	plan, err := s.Plans.Of(ctx, actor.UserID)
	if err != nil {
		return Residence{}, false, err
	}
	limit := plan.Most(plans.AddProperty)
	home, made, used, err := insertResidence(ctx, s.DB, event, in, limit, s.Clock.Now())
	if err != nil {
		return Residence{}, false, knownType(err)
	}
	if full := limit != nil && used >= *limit; full && !made && home.Role == "" {
		return Residence{}, false, plans.Reached(plans.AddProperty, *limit, used)
	}
	if home.Role != access.Owner {
		return Residence{}, false, apperr.IDTaken.New("There is another residence with this id.")
	}
	if made {
		events.ResidenceCreated.Committed(ctx, s.Relay, event)
	}
	return home, made, nil
}

// ReplaceResidence replaces all the fields; those left out are cleared or get their defaults. Only the owner may.
func (s *Service) ReplaceResidence(ctx context.Context, actor identity.Actor, id uuid.UUID, in Fields, version *int) (Residence, error) {
	if err := in.settle(actor, s.Clock); err != nil {
		return Residence{}, err
	}
	row, err := in.row()
	if err != nil {
		return Residence{}, err
	}
	return s.update(ctx, actor, id, row, &in.IsPrimary, version)
}

// ChangeResidence changes the fields that are set. Only the owner may, but a member may set is_primary alone.
func (s *Service) ChangeResidence(ctx context.Context, actor identity.Actor, id uuid.UUID, in Patch, version *int) (Residence, error) {
	if err := in.settle(s.Clock); err != nil {
		return Residence{}, err
	}
	row, err := in.row()
	if err != nil {
		return Residence{}, err
	}
	var primary *bool
	if in.IsPrimary.Set {
		primary = &in.IsPrimary.Value
	}
	return s.update(ctx, actor, id, row, primary, version)
}

func (s *Service) update(ctx context.Context, actor identity.Actor, id uuid.UUID, row string, primary *bool, version *int) (Residence, error) {
	home, v, err := updateResidence(ctx, s.DB, actor, id, row, primary, version, s.Clock.Now())
	if err != nil {
		return Residence{}, knownType(err)
	}
	if err := v.ownersOnly("Only the owner can change this residence."); err != nil {
		return Residence{}, err
	}
	events.ResidenceChanged.Committed(ctx, s.Relay, events.Home{ID: id, MemberIDs: v.MemberIDs})
	return home, nil
}

// ReadResidence answers a residence that the actor belongs to.
func (s *Service) ReadResidence(ctx context.Context, actor identity.Actor, id uuid.UUID) (Residence, error) {
	home, found, err := selectResidence(ctx, s.DB, actor, id)
	if err == nil && !found {
		err = access.NoSuchResidence()
	}
	return home, err
}

// DeleteResidence deletes it; the other services delete what it holds there when they hear of it.
func (s *Service) DeleteResidence(ctx context.Context, actor identity.Actor, id uuid.UUID, version *int) error {
	v, err := deleteResidence(ctx, s.DB, actor, id, version)
	if err != nil {
		return err
	}
	if err := v.ownersOnly("Only the owner can delete this residence."); err != nil {
		return err
	}
	events.ResidenceDeleted.Committed(ctx, s.Relay, events.Home{ID: id, MemberIDs: v.MemberIDs})
	return nil
}

// verdict is what a statement that changes a residence answers.
type verdict struct {
	Role      string // the actor's; empty when they do not belong to it
	Done      bool
	MemberIDs []uuid.UUID // before the change
}

// ownersOnly says why nothing was done where only the owner may, and only at the version that was read.
func (v verdict) ownersOnly(sentence string) error {
	switch {
	case v.Role == "":
		return access.NoSuchResidence()
	case v.Done:
		return nil
	case v.Role != access.Owner:
		return apperr.NotPermitted.New("%s", sentence)
	}
	return apperr.VersionConflict.New("The residence was changed in the meantime: read it again.")
}

// knownType names the field when the type is none of the lookup table's.
func knownType(err error) error {
	if pg.Violates(err, "residences_type") {
		return apperr.InvalidField("body.residence_type_id", "is none of the types of residences")
	}
	return err
}
