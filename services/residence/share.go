package residence

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/contact"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/seal"
)

// NewCode is what may be said of a code that is to be made.
type NewCode struct {
	ExpiresInHours int    `json:"expires_in_hours" minimum:"1" maximum:"168" default:"24"`
	Role           string `json:"role" enum:"member,viewer" default:"member" doc:"What the code makes of whoever uses it"`
}

// Invitation is a code that is to be made, and mailed to the address if there is one.
type Invitation struct {
	NewCode
	Email *string `json:"email" maxLength:"254" doc:"Whom to mail the code to" example:"sam@example.com"`
}

// ShareCode lets one person join.
type ShareCode struct {
	Code      string    `json:"code" doc:"Upper and lower case, spaces and hyphens do not matter" example:"K7PX4MQ2"`
	Role      string    `json:"role" enum:"member,viewer" doc:"What it makes of whoever uses it"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SharePackage is a file that invites somebody: it says who and where to before anybody has joined.
type SharePackage struct {
	Version       int       `json:"version" doc:"Of this format" example:"1"`
	ResidenceName string    `json:"residence_name" example:"Lake house"`
	InviterName   string    `json:"inviter_name" example:"Anna Berg"`
	Role          string    `json:"role" enum:"member,viewer"`
	Code          string    `json:"code" example:"K7PX4MQ2"`
	ExpiresAt     time.Time `json:"expires_at"`
	Signature     string    `json:"signature,omitempty" doc:"Shows that Hearth made it"`
}

const packageVersion = 1

// Who tries wrong codes waits an hour after so many.
const (
	maxTries  = 10
	triesTime = time.Hour
)

// Who has had so many invitations mailed waits until a day after the first of them: we are no means to write to strangers.
const (
	maxInvitations  = 20
	invitationsTime = 24 * time.Hour
)

// drawings is how often a code is drawn that another residence has had already, before something must be wrong.
const drawings = 3

// MakeCode makes the residence's share code, instead of the one before, and has it mailed if that is asked for. Viewers
// may not. It fails with rate_limited for who has had many mailed within a day.
func (s *Service) MakeCode(ctx context.Context, actor identity.Actor, residence uuid.UUID, in Invitation) (ShareCode, error) {
	email := ""
	if in.Email != nil {
		email = strings.TrimSpace(*in.Email)
		if !contact.IsAddress(email) {
			return ShareCode{}, apperr.InvalidField("body.email", contact.NoAddress)
		}
	}
	code, _, err := s.makeCode(ctx, actor, residence, in.NewCode, email)
	if err == nil && email != "" {
		s.Relay.Nudge()
	}
	return code, err
}

// MakePackage makes the residence's share code and the file around it.
func (s *Service) MakePackage(ctx context.Context, actor identity.Actor, residence uuid.UUID, in NewCode) (SharePackage, error) {
	code, from, err := s.makeCode(ctx, actor, residence, in, "")
	if err != nil {
		return SharePackage{}, err
	}
	return s.codes.sign(SharePackage{
		Version: packageVersion, ResidenceName: from.ResidenceName, InviterName: from.InviterName,
		Role: code.Role, Code: code.Code, ExpiresAt: code.ExpiresAt,
	})
}

// makeCode mails the code to the address, if it is not empty.
func (s *Service) makeCode(ctx context.Context, actor identity.Actor, residence uuid.UUID, in NewCode, email string) (ShareCode, inviter, error) {
	now := s.Clock.Now().Truncate(time.Second)
	code := ShareCode{Role: in.Role, ExpiresAt: now.Add(time.Duration(in.ExpiresInHours) * time.Hour)}
	var from inviter
	var err error
	for range drawings {
		code.Code = newCode()
		var mailed *events.Invitation
		if mailed, err = s.invitation(actor, residence, code, email); err != nil {
			return ShareCode{}, inviter{}, err
		}
		from, err = replaceCode(ctx, s.DB, actor, residence, code, s.codes, mailed, now)
		if !pg.Violates(err, "share_codes_lookup") {
			break
		}
	}
	if err == nil {
		err = mayShare(from.Role)
	}
	if err == nil && from.RefusedSince != nil {
		err = apperr.RateLimited.New("You have invited many people by e-mail today: try again later, or give them the code yourself.").
			After(from.RefusedSince.Add(invitationsTime).Sub(now))
	}
	if err != nil {
		return ShareCode{}, inviter{}, err
	}
	return code, from, nil
}

// invitation is the code on its way to an address, sealed for notification; nil without an address. Who invites where,
// the statement that makes the code knows.
func (s *Service) invitation(actor identity.Actor, residence uuid.UUID, code ShareCode, email string) (*events.Invitation, error) {
	if email == "" {
		return nil, nil //nolint:nilnil // no address, no invitation
	}
	box, err := json.Marshal(events.CodeBox{Code: code.Code})
	if err != nil {
		return nil, fmt.Errorf("invitation: %w", err)
	}
	sealed, err := seal.Seal(s.reader, box)
	if err != nil {
		return nil, fmt.Errorf("invitation: %w", err)
	}
	return &events.Invitation{
		ResidenceID: residence, InviterID: actor.UserID, Email: email, Role: code.Role, Sealed: sealed,
		ExpiresAt: code.ExpiresAt.UTC().Format(time.RFC3339),
	}, nil
}

// ShowCode answers the residence's active share code. Viewers may not see it.
func (s *Service) ShowCode(ctx context.Context, actor identity.Actor, residence uuid.UUID) (ShareCode, error) {
	row, err := selectCode(ctx, s.DB, actor, residence, s.Clock.Now())
	if err == nil {
		err = mayShare(row.Role)
	}
	switch {
	case err != nil:
		return ShareCode{}, err
	case row.Sealed == nil:
		return ShareCode{}, noCode()
	}
	code, err := s.codes.open(residence, row.Sealed)
	if err != nil {
		// It was sealed with another key, and so can be used no more.
		s.Log.WarnContext(ctx, "share code of another key", "residence", residence, "error", err)
		return ShareCode{}, noCode()
	}
	return ShareCode{Code: code, Role: row.JoinsAs, ExpiresAt: *row.ExpiresAt}, nil
}

// WithdrawCode ends the residence's active share code. Viewers may not.
func (s *Service) WithdrawCode(ctx context.Context, actor identity.Actor, residence uuid.UUID) error {
	v, err := endCode(ctx, s.DB, actor, residence, s.Clock.Now())
	if err == nil {
		err = mayShare(v.Role)
	}
	if err == nil && !v.Done {
		err = noCode()
	}
	return err
}

// Join makes the actor a member of the residence of that code. Expired, unknown and used codes are one error, and so
// many of them an hour are answered; a code that somebody uses who belongs there already stays good.
func (s *Service) Join(ctx context.Context, actor identity.Actor, typed string) (Residence, error) {
	now := s.Clock.Now()
	home, try, err := join(ctx, s.DB, actor, s.codes.lookup(plainCode(typed)), now)
	switch {
	case err != nil:
		return Residence{}, err
	case try.Joined:
		// They are a member now, and were none before.
		s.membersChanged(ctx, home.ID, verdict{MemberIDs: append(try.MemberIDs, actor.UserID)})
		return home, nil
	case try.Failures >= maxTries:
		return Residence{}, apperr.RateLimited.New("Too many wrong codes: try again later.").After(try.Since.Add(triesTime).Sub(now))
	case try.Known:
		return Residence{}, apperr.AlreadyMember.New("You belong to this residence already.")
	}
	return Residence{}, badCode()
}

// JoinByPackage is Join with the code of a package that is genuine.
func (s *Service) JoinByPackage(ctx context.Context, actor identity.Actor, text string) (Residence, error) {
	p, genuine := s.codes.read(text)
	if !genuine {
		return Residence{}, badCode()
	}
	return s.Join(ctx, actor, p.Code)
}

// mayShare refuses those who only look, and those who do not even do that.
func mayShare(role string) error {
	switch role {
	case "":
		return access.NoSuchResidence()
	case access.Viewer:
		return apperr.NotPermitted.New("You can look at this residence but not share it.")
	}
	return nil
}

func noCode() error { return apperr.NoSuchThing.New("There is no active share code.") }

func badCode() error {
	return apperr.InvalidShareCode.New("The code is wrong, used or too old: ask for another one.")
}

// fileName is a name for the package of that residence that every file system takes.
func (p SharePackage) fileName() string {
	words := strings.FieldsFunc(strings.ToLower(p.ResidenceName), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	name := strings.Join(words, "-")
	if name == "" {
		name = "residence"
	}
	return name + ".hearth"
}
