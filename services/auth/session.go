package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
)

const (
	// sessionLife is how long a session lasts after its last use.
	sessionLife = 90 * 24 * time.Hour
	// touchEvery is how exact last_used_at is at best; the caches in front of it make it an hour.
	touchEvery = 10 * time.Minute
	// tokenPrefix lets people and secret scanners recognise a token that is where it should not be.
	tokenPrefix = "hearth_"
)

// DeviceSession is a device that is signed in.
type DeviceSession struct {
	ID         uuid.UUID `json:"id"`
	DeviceName string    `json:"device_name" doc:"As the app named the device" example:"Ada's iPhone"`
	Platform   string    `json:"platform" doc:"As the app named it" example:"ios"`
	AppVersion string    `json:"app_version" example:"2.4.0"`
	CreatedAt  time.Time `json:"created_at" doc:"Signed in"`
	LastUsedAt time.Time `json:"last_used_at" doc:"To within an hour"`
	Current    bool      `json:"current" doc:"The one that is asking"`
}

// Device is what an app says of where it runs.
type Device struct {
	Name       string `json:"device_name" maxLength:"200" doc:"For the list of sessions; or the header X-Device-Name" example:"Ada's iPhone"`
	Platform   string `json:"platform" maxLength:"50" doc:"ios, android, web, ...; or the header X-Platform" example:"ios"`
	AppVersion string `json:"app_version" maxLength:"50" doc:"Or the header X-App-Version" example:"2.4.0"`
}

// newToken makes an access token of 256 random bits and its hash, which is all that is kept of it.
func newToken(prefix string) (token string, hash []byte) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	token = prefix + base64.RawURLEncoding.EncodeToString(raw)
	return token, hashToken(token)
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// opening is a session about to begin.
type opening struct {
	ID     uuid.UUID
	Token  string
	Hash   []byte
	Device Device
	At     time.Time
}

func (s *Service) opening(d Device) opening {
	token, hash := newToken(tokenPrefix)
	return opening{ID: uuid.Must(uuid.NewV7()), Token: token, Hash: hash, Device: d, At: s.Clock.Now()}
}

func (o opening) expires() time.Time { return o.At.Add(sessionLife) }

// SignIn checks the password and opens a session. It fails with invalid_credentials alike for an unknown name and a
// wrong password, with account_disabled only for who knows the password, and with rate_limited after too many failures.
func (s *Service) SignIn(ctx context.Context, actor identity.Actor, login, password string, d Device) (SignedIn, error) {
	a, right, outdated, err := s.tryPassword(ctx, actor, login, nil, password)
	if err != nil {
		return SignedIn{}, err
	}
	if !right {
		return SignedIn{}, wrongCredentials()
	}
	if !a.IsActive {
		return SignedIn{}, apperr.AccountDisabled.New("This account is disabled. Write to support.")
	}
	var rehash *string
	if outdated {
		fresh, err := s.passwords.hash(ctx, password)
		if err != nil {
			return SignedIn{}, err
		}
		rehash = &fresh
	}
	session := s.opening(d)
	user, open, err := openSession(ctx, s.DB, a, session, rehash)
	if err != nil {
		return SignedIn{}, err
	}
	if !open { // the password was changed, or the account disabled, since it was checked
		return SignedIn{}, wrongCredentials()
	}
	return SignedIn{Token: session.Token, User: user}, nil
}

func wrongCredentials() error {
	return apperr.InvalidCredentials.New("The name or the password is not right.")
}

// SignOut ends one session of the actor's, the present one included. It reports whether there was such a session.
func (s *Service) SignOut(ctx context.Context, actor identity.Actor, session uuid.UUID) (bool, error) {
	hashes, err := endSessions(ctx, s.DB, actor.UserID, &session)
	if err != nil || hashes == nil {
		return false, err
	}
	s.ended(ctx, actor.UserID, hashes)
	return true, nil
}

// SignOutEverywhere ends all the actor's sessions.
func (s *Service) SignOutEverywhere(ctx context.Context, actor identity.Actor) error {
	hashes, err := endSessions(ctx, s.DB, actor.UserID, nil)
	if err != nil || hashes == nil {
		return err
	}
	s.ended(ctx, actor.UserID, hashes)
	return nil
}

// ended makes the tokens dead everywhere, now.
func (s *Service) ended(ctx context.Context, user uuid.UUID, hashes []string) {
	events.SessionsEnded.Committed(ctx, s.Relay, events.Sessions{UserID: user, TokenHashes: hashes})
}

// Sessions lists where the actor is signed in, the newest sign-in first.
func (s *Service) Sessions(ctx context.Context, actor identity.Actor, q page.Query) (page.List[DeviceSession], error) {
	after, err := page.After[uuid.UUID](q)
	if err != nil {
		return page.List[DeviceSession]{}, err
	}
	rows, err := listSessions(ctx, s.DB, actor, after, q.Limit+1, s.Clock.Now())
	if err != nil {
		return page.List[DeviceSession]{}, err
	}
	return page.Cut(rows, q.Limit, func(row DeviceSession) uuid.UUID { return row.ID })
}

// LiveSession answers whose the token of that hash is, and notes that it is in use. It fails with invalid_token when
// the session has ended or expired, or its person is disabled.
func (s *Service) LiveSession(ctx context.Context, tokenHash string) (internalapi.Session, error) {
	hash, err := hex.DecodeString(tokenHash)
	if err != nil {
		return internalapi.Session{}, apperr.InvalidField("path.hash", "must be hex")
	}
	session, live, err := liveSession(ctx, s.DB, hash, s.Clock.Now())
	if err == nil && !live {
		err = invalidToken()
	}
	return session, err
}

func invalidToken() error { return apperr.InvalidToken.New("The session has ended; sign in again.") }

// or fills what the body left out from the headers.
func (d Device) or(h DeviceHeaders) Device {
	return Device{
		Name: bounded(d.Name, h.Name, 100), Platform: bounded(d.Platform, h.Platform, 20), AppVersion: bounded(d.AppVersion, h.AppVersion, 32),
	}
}

// bounded cuts the first one that is there to a length and to characters that can be shown: a strange name of a
// device is no reason to refuse a sign-in.
func bounded(first, second string, length int) string {
	text := first
	if strings.TrimSpace(text) == "" {
		text = second
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(text, ""))
	runes := []rune(strings.TrimSpace(text))
	return string(runes[:min(len(runes), length)])
}
