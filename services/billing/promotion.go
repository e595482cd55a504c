package billing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/roundtrip"
)

// PromotionText is what the apps show of a promotion.
type PromotionText struct {
	Key        string     `json:"key" required:"true" pattern:"^[a-z][a-z0-9_]{0,63}$" example:"spring_sale"`
	Title      string     `json:"title" required:"true" minLength:"1" maxLength:"200" pattern:"\\S"`
	Message    string     `json:"message" required:"true" minLength:"1" maxLength:"1000" pattern:"\\S"`
	ButtonText string     `json:"button_text" maxLength:"100"`
	Link       *string    `json:"link" maxLength:"2000" doc:"Where the button leads: https; null: to the plans"`
	Coupon     *string    `json:"coupon" maxLength:"200" pattern:"^[A-Za-z0-9_-]+$" doc:"Stripe's, for who buys there"`
	EndsAt     *time.Time `json:"ends_at" doc:"The first instant at which it is over; null: it does not end"`
}

// Promotion is an offer to some people for some time.
type Promotion struct {
	ID uuid.UUID `json:"id" format:"uuid"`
	PromotionText
}

// PromotionFields are what staff say of a promotion.
type PromotionFields struct {
	PromotionText
	Tiers     []string   `json:"tiers" nullable:"false" enum:"free,pro" uniqueItems:"true" maxItems:"2" doc:"Whose; none: everybody's"`
	Platforms []string   `json:"platforms" nullable:"false" enum:"ios,android,web" uniqueItems:"true" maxItems:"3" doc:"Where it is shown; none: everywhere"`
	StartsAt  *time.Time `json:"starts_at" doc:"Null: it has begun"`
	Share     int        `json:"share" required:"true" minimum:"0" maximum:"100" doc:"How many per cent of people see it, always the same ones"`
	Priority  int        `json:"priority" minimum:"-100000" maximum:"100000" doc:"The highest first"`
	IsActive  bool       `json:"is_active" required:"true"`
}

// KeptPromotion is a promotion as staff see it.
type KeptPromotion struct {
	ID uuid.UUID `json:"id" format:"uuid"`
	PromotionFields
	Version int `json:"version"`
}

func (p KeptPromotion) version() int { return p.Version }

// Instants outside of these are typing errors.
var (
	firstInstant = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	lastInstant  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// settle makes the fields what is stored, and refuses what no promotion can have.
func (f *PromotionFields) settle() error {
	e := apperr.ValidationFailed.New("The promotion has a field that is not valid.")
	f.StartsAt, f.EndsAt = exactly(f.StartsAt), exactly(f.EndsAt)
	for _, at := range []struct {
		field string
		value *time.Time
	}{{"starts_at", f.StartsAt}, {"ends_at", f.EndsAt}} {
		if at.value != nil && (at.value.Before(firstInstant) || !at.value.Before(lastInstant)) {
			e = e.At("body."+at.field, "must be between the years 2020 and 2200")
		}
	}
	if f.StartsAt != nil && f.EndsAt != nil && !f.StartsAt.Before(*f.EndsAt) {
		e = e.At("body.ends_at", "must be after starts_at")
	}
	if f.Link != nil && !isHTTPS(*f.Link) {
		e = e.At("body.link", "must be a link that begins with https://")
	}
	for _, listed := range []*[]string{&f.Tiers, &f.Platforms} {
		if *listed == nil {
			*listed = []string{}
		}
	}
	if len(e.Fields) > 0 {
		return e
	}
	return nil
}

func isHTTPS(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}

// isFor reports whether the promotion is for a person now. Whoever does not say on which platform they are sees what is
// for every one.
func (p KeptPromotion) isFor(user uuid.UUID, tier, platform string, now time.Time) bool {
	switch {
	case p.StartsAt != nil && now.Before(*p.StartsAt), p.EndsAt != nil && !now.Before(*p.EndsAt):
		return false
	case len(p.Tiers) > 0 && !slices.Contains(p.Tiers, tier), len(p.Platforms) > 0 && !slices.Contains(p.Platforms, platform):
		return false
	}
	return lot(p.ID, user) < p.Share
}

// lot is the person's number in the promotion, from 0 to 99, and always the same: they are in it when its share is above
// that. It is the first eight bytes of the SHA-256 of the promotion's id and the person's, in big endian, modulo 100. So a
// share that grows loses nobody, and who is in one promotion says nothing about another.
func lot(promotion, user uuid.UUID) int {
	sum := sha256.Sum256(slices.Concat(promotion[:], user[:]))
	return int(binary.BigEndian.Uint64(sum[:8]) % 100) //nolint:gosec // below 100
}

// PromotionsFor answers those that are for a person now, the most important first.
func (s *Service) PromotionsFor(ctx context.Context, user uuid.UUID, platform string) ([]Promotion, error) {
	var kept []KeptPromotion
	var plan plans.Plan
	err := roundtrip.Together(ctx,
		func(ctx context.Context) (err error) {
			kept, err = offered(ctx, s, promotionTable, s.allPromotions)
			return err
		},
		func(ctx context.Context) (err error) { plan, err = s.Plans.Of(ctx, user); return err },
	)
	out := []Promotion{}
	for _, p := range kept {
		if p.isFor(user, plan.Tier, platform, s.Clock.Now()) {
			out = append(out, Promotion{p.ID, p.PromotionText})
		}
	}
	return out, err
}

func (s *Service) allPromotions(ctx context.Context, active bool) ([]KeptPromotion, error) {
	return pg.All[KeptPromotion](ctx, s.DB, `
		SELECT id, key, title, message, button_text, link, coupon, tiers, platforms, starts_at, ends_at, share, priority, is_active, version FROM promotions
		WHERE is_active OR NOT @active::bool ORDER BY priority DESC, id`, pgx.NamedArgs{"active": active})
}

// PutPromotion adds a promotion or replaces it. It fails with key_taken when another has the key.
func (s *Service) PutPromotion(ctx context.Context, id uuid.UUID, in PromotionFields, e edit) (KeptPromotion, bool, error) {
	if err := in.settle(); err != nil {
		return KeptPromotion{}, false, err
	}
	out := KeptPromotion{ID: id, PromotionFields: in}
	e.table, e.key, e.row = promotionTable, id.String(), out
	version, added, err := s.put(ctx, e)
	if pg.Violates(err, "promotions_unique_key") {
		err = apperr.KeyTaken.New("Another promotion has that key.").At("body.key", "is in use")
	}
	out.Version = version
	return out, added, err
}
