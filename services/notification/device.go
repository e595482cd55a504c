package notification

import (
	"context"
	"crypto/sha256"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/pg"
)

// maxDevices is how many devices of a person are pushed to.
const maxDevices = 20

// Device is a phone or tablet that is pushed to.
type Device struct {
	ID          uuid.UUID `json:"id" format:"uuid"`
	Platform    string    `json:"platform" enum:"ios,android"`
	Token       string    `json:"token" doc:"What the provider calls it"`
	Environment string    `json:"environment" enum:"production,sandbox" doc:"Of APNs"`
	Name        *string   `json:"name"`
	AppVersion  *string   `json:"app_version"`
	CreatedAt   time.Time `json:"created_at" doc:"Since when it is yours"`
	SeenAt      time.Time `json:"seen_at" doc:"When it was sent last"`
}

// NewDevice is a device as its app tells of it.
type NewDevice struct {
	ID          *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"A UUIDv7 of your own, which the device keeps when its token becomes another"`
	Platform    string     `json:"platform" required:"true" enum:"ios,android"`
	Token       string     `json:"token" required:"true" minLength:"16" maxLength:"4096" doc:"Of APNs in hex, or of FCM"`
	Environment string     `json:"environment" enum:"production,sandbox" default:"production" doc:"Of APNs"`
	Name        *string    `json:"name" maxLength:"200" example:"Ada's iPhone"`
	AppVersion  *string    `json:"app_version" maxLength:"50" example:"2.4.0"`
}

// What tokens are made of: those of APNs are bytes in hex, and those of FCM travel in JSON and headers as they are.
var (
	appleToken  = regexp.MustCompile(`^([0-9a-f]{2})+$`)
	googleToken = regexp.MustCompile(`^[!-~]+$`)
)

// settle writes the token as it is kept, and refuses what is none.
func (d *NewDevice) settle() error {
	if d.ID != nil && *d.ID == uuid.Nil {
		return apperr.InvalidField("body.id", "must not be the zero UUID")
	}
	switch d.Platform {
	case "ios":
		if d.Token = strings.ToLower(d.Token); !appleToken.MatchString(d.Token) {
			return apperr.InvalidField("body.token", "must be the token's bytes in hex")
		}
	default:
		if !googleToken.MatchString(d.Token) {
			return apperr.InvalidField("body.token", "must be a token as FCM gives it")
		}
	}
	return nil
}

// tokenHash names a token of a platform.
func tokenHash(platform, token string) []byte {
	sum := sha256.Sum256([]byte(platform + "\x00" + token))
	return sum[:]
}

// tries is how often a write is done again that somebody else got in the way of.
const tries = 5

// RegisterDevice has a device pushed to, and reports whether it is new. Its token is the actor's from then on, whoever had
// it; it fails with id_taken when the id is another person's device.
func (s *Service) RegisterDevice(ctx context.Context, actor identity.Actor, in NewDevice) (Device, bool, error) {
	if err := in.settle(); err != nil {
		return Device{}, false, err
	}
	for range tries {
		out, found, err := upsertDevice(ctx, s.DB, actor, in, s.Clock.Now())
		switch {
		case pg.Violates(err, "devices_pkey"), pg.Violates(err, "devices_token"): // somebody is adding it this very moment
			continue
		case err != nil:
			return Device{}, false, err
		case !found:
			return Device{}, false, apperr.IDTaken.New("There is something else with that id.")
		}
		return out.Device, out.Added, nil
	}
	return Device{}, false, apperr.Busy.New("Several changes came at the same time; try again.").After(time.Second)
}

// devicePlace is where a device stands in the list.
type devicePlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// Devices lists those of the actor that are pushed to, the last seen first.
func (s *Service) Devices(ctx context.Context, actor identity.Actor, q page.Query) (page.List[Device], error) {
	before, err := page.After[devicePlace](q)
	if err != nil {
		return page.List[Device]{}, err
	}
	rows, err := readDevices(ctx, s.DB, actor.UserID, before, q.Limit+1)
	if err != nil {
		return page.List[Device]{}, err
	}
	return page.Cut(rows, q.Limit, func(d Device) devicePlace { return devicePlace{d.SeenAt, d.ID} })
}

// RemoveDevice has a device of the actor's pushed to no more.
func (s *Service) RemoveDevice(ctx context.Context, actor identity.Actor, id uuid.UUID) error {
	found, err := deleteDevice(ctx, s.DB, actor.UserID, id, s.Clock.Now())
	if err == nil && !found {
		err = apperr.NoSuchThing.New("There is no such device.")
	}
	return err
}
