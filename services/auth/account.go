package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/contact"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/pg"
)

// User is a person as they see themselves.
type User struct {
	ID             uuid.UUID  `json:"id"`
	Email          string     `json:"email" example:"ada@example.com"`
	Username       string     `json:"username" example:"ada"`
	FirstName      string     `json:"first_name" example:"Ada"`
	LastName       string     `json:"last_name" example:"Lindqvist"`
	Phone          *string    `json:"phone" example:"+1 503 555 0142"`
	Bio            *string    `json:"bio"`
	EmailVerified  bool       `json:"email_verified"`
	Timezone       string     `json:"timezone" doc:"IANA" example:"Europe/Berlin"`
	Locale         string     `json:"locale" doc:"BCP 47" example:"en-US"`
	AvatarUploadID *uuid.UUID `json:"avatar_upload_id" nullable:"true"`
	Version        int        `json:"version"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
}

// event is the person as the other services know them.
func (u User) event() events.User {
	e := events.User{
		ID: u.ID, Email: u.Email, Username: u.Username, FirstName: u.FirstName, LastName: u.LastName,
		Timezone: u.Timezone, Locale: u.Locale, EmailVerified: &u.EmailVerified, Version: u.Version,
	}
	if u.AvatarUploadID != nil {
		e.AvatarID = *u.AvatarUploadID
	}
	return e
}

// Registration is what a new account needs.
type Registration struct {
	Email     string `json:"email" required:"true" maxLength:"254" example:"ada@example.com"`
	Username  string `json:"username" required:"true" minLength:"3" maxLength:"30" pattern:"^[A-Za-z0-9._-]+$" doc:"Letters, digits, dot, underscore, hyphen" example:"ada"`
	Password  string `json:"password" required:"true" minLength:"8" maxLength:"128" example:"correct horse battery"`
	FirstName string `json:"first_name" maxLength:"100" example:"Ada"`
	LastName  string `json:"last_name" maxLength:"100" example:"Lindqvist"`
	Timezone  string `json:"timezone" maxLength:"64" doc:"IANA; when left out that of X-Timezone, or else UTC" example:"Europe/Berlin"`
	Locale    string `json:"locale" maxLength:"35" doc:"BCP 47; when left out en" example:"en-US"`
	Device
}

// Profile is everything that a person can change of themselves.
type Profile struct {
	FirstName      string                 `json:"first_name" maxLength:"100" example:"Ada"`
	LastName       string                 `json:"last_name" maxLength:"100" example:"Lindqvist"`
	Phone          *string                `json:"phone" maxLength:"32" example:"+1 503 555 0142"`
	Bio            *string                `json:"bio" maxLength:"1000"`
	AvatarUploadID *uuid.UUID             `json:"avatar_upload_id" nullable:"true" doc:"An upload of yours, or that you see, that is an image"`
	Timezone       patch.Optional[string] `json:"timezone,omitzero" maxLength:"64" doc:"IANA. Everybody has one: left out, it stays" example:"Europe/Berlin"`
	Locale         patch.Optional[string] `json:"locale,omitzero" maxLength:"35" doc:"BCP 47. Everybody has one: left out, it stays" example:"en-US"`
}

// ProfilePatch is a part of it.
type ProfilePatch struct {
	FirstName      patch.Optional[string]    `json:"first_name,omitzero" maxLength:"100" example:"Ada"`
	LastName       patch.Optional[string]    `json:"last_name,omitzero" maxLength:"100" example:"Lindqvist"`
	Phone          patch.Nullable[string]    `json:"phone,omitzero" maxLength:"32" example:"+1 503 555 0142"`
	Bio            patch.Nullable[string]    `json:"bio,omitzero" maxLength:"1000"`
	AvatarUploadID patch.Nullable[uuid.UUID] `json:"avatar_upload_id,omitzero" doc:"An upload of yours, or that you see, that is an image"`
	Timezone       patch.Optional[string]    `json:"timezone,omitzero" maxLength:"64" doc:"IANA" example:"Europe/Berlin"`
	Locale         patch.Optional[string]    `json:"locale,omitzero" maxLength:"35" doc:"BCP 47" example:"en-US"`
}

// Register makes an account, signs it in and sends the code that verifies its e-mail address. It fails with
// email_taken or username_taken when somebody has them, in any case of letters.
func (s *Service) Register(ctx context.Context, actor identity.Actor, in Registration, d Device) (SignedIn, error) {
	user, err := s.newUser(actor, in)
	if err != nil {
		return SignedIn{}, err
	}
	if err := refuseWeak("password", in.Password, user.Email, user.Username); err != nil {
		return SignedIn{}, err
	}
	hash, err := s.passwords.hash(ctx, in.Password)
	if err != nil {
		return SignedIn{}, err
	}
	code, err := s.codes.issue(verifyEmail, user.ID, s.Clock.Now())
	if err != nil {
		return SignedIn{}, err
	}
	session := s.opening(d)
	err = insertUser(ctx, s.DB, user, hash, session, code)
	switch {
	case pg.Violates(err, "users_email_key"):
		return SignedIn{}, apperr.EmailTaken.New("There is an account with this e-mail address.").At("body.email", "is already in use")
	case pg.Violates(err, "users_username_key"):
		return SignedIn{}, apperr.UsernameTaken.New("Somebody else has this username.").At("body.username", "is already in use")
	case err != nil:
		return SignedIn{}, err
	}
	events.UserRegistered.Committed(ctx, s.Relay, user.event())
	return SignedIn{Token: session.Token, User: user}, nil
}

func (s *Service) newUser(actor identity.Actor, in Registration) (User, error) {
	now := s.Clock.Now().Truncate(time.Microsecond) // as the database keeps it
	user := User{
		ID: uuid.Must(uuid.NewV7()), Email: strings.TrimSpace(in.Email), Username: in.Username,
		FirstName: strings.TrimSpace(in.FirstName), LastName: strings.TrimSpace(in.LastName),
		Timezone: in.Timezone, Locale: in.Locale, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if user.Timezone == "" && day.IsZone(actor.Zone) {
		user.Timezone = actor.Zone
	}
	if user.Timezone == "" {
		user.Timezone = "UTC"
	}
	if user.Locale == "" {
		user.Locale = "en"
	}
	if !contact.IsAddress(user.Email) {
		return user, apperr.InvalidField("body.email", "must be an e-mail address")
	}
	return user, refusePlace(patch.To(user.Timezone), patch.To(user.Locale))
}

// Me is the actor.
func (s *Service) Me(ctx context.Context, actor identity.Actor) (User, error) {
	user, found, err := findUser(ctx, s.DB, actor.UserID)
	if err == nil && !found {
		err = invalidToken()
	}
	return user, err
}

// ReplaceProfile replaces the whole profile of the actor.
func (s *Service) ReplaceProfile(ctx context.Context, actor identity.Actor, p Profile, version *int) (User, error) {
	if err := refusePlace(p.Timezone, p.Locale); err != nil {
		return User{}, err
	}
	return s.changeProfile(ctx, actor, p, p.AvatarUploadID, version)
}

// PatchProfile changes parts of the actor's profile.
func (s *Service) PatchProfile(ctx context.Context, actor identity.Actor, p ProfilePatch, version *int) (User, error) {
	if err := refusePlace(p.Timezone, p.Locale); err != nil {
		return User{}, err
	}
	return s.changeProfile(ctx, actor, p, p.AvatarUploadID.Value, version)
}

func (s *Service) changeProfile(ctx context.Context, actor identity.Actor, members any, avatar *uuid.UUID, version *int) (User, error) {
	raw, err := json.Marshal(members)
	if err != nil {
		return User{}, fmt.Errorf("profile: %w", err)
	}
	denied := s.refuseAvatar(ctx, actor, avatar)
	changed, found, err := updateProfile(ctx, s.DB, actor.UserID, string(raw), version, denied != nil, s.Clock.Now())
	switch {
	case err != nil:
		return User{}, err
	case !found:
		return User{}, invalidToken()
	case changed.Denied:
		return User{}, denied
	case changed.Stale:
		return User{}, apperr.VersionConflict.New("Your profile was changed elsewhere; read it again.").With("etag", httpx.ETag(changed.Version))
	}
	s.changed(ctx, changed.User, changed.TokenHashes)
	return changed.User, nil
}

// refuseAvatar says why the actor may not take this picture, nil when they may. It is asked before it is known whether they
// have it already: then they may keep it, whatever is said here.
func (s *Service) refuseAvatar(ctx context.Context, actor identity.Actor, avatar *uuid.UUID) error {
	if avatar == nil {
		return nil
	}
	answer, err := s.documents.Attachable(ctx, internalapi.AttachQuery{UserID: actor.UserID, UploadIDs: []uuid.UUID{*avatar}, ImagesOnly: true})
	if err == nil && len(answer.UploadIDs) > 0 {
		err = apperr.InvalidField("body.avatar_upload_id", "is not an image that you uploaded or see")
	}
	return err
}

// changed lets everybody know, and the gateways read the sessions anew.
func (s *Service) changed(ctx context.Context, u User, tokenHashes []string) {
	events.UserChanged.Committed(ctx, s.Relay, events.UserChange{User: u.event(), TokenHashes: tokenHashes})
}

// SetTimezone notes where the person is now. It changes nothing when that is known.
func (s *Service) SetTimezone(ctx context.Context, user uuid.UUID, zone string) error {
	if !day.IsZone(zone) {
		return apperr.InvalidField("body.timezone", "must be an IANA time zone")
	}
	changed, found, err := updateTimezone(ctx, s.DB, user, zone, s.Clock.Now())
	if err != nil || !found {
		return err
	}
	s.changed(ctx, changed.User, changed.TokenHashes)
	return nil
}

// refusePlace checks what decides on a person's days and language.
func refusePlace(zone, locale patch.Optional[string]) error {
	if zone.Set && !day.IsZone(zone.Value) {
		return apperr.InvalidField("body.timezone", "must be an IANA time zone, such as Europe/Berlin")
	}
	if locale.Set && !localeTag.MatchString(locale.Value) {
		return apperr.InvalidField("body.locale", "must be a BCP 47 language tag, such as en-US")
	}
	return nil
}

// localeTag is the shape of BCP 47 (RFC 5646), without looking the parts up.
var localeTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
