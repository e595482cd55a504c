package internalapi

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/google/uuid"
)

// Session is what a token stands for.
type Session struct {
	ID       uuid.UUID `json:"id"`
	UserID   uuid.UUID `json:"user_id"`
	Timezone string    `json:"timezone"`
}

// Auth is the auth service as the others call it.
type Auth struct{ remote }

// Auth answers a client of the auth service.
func (c *Caller) Auth(base string) Auth { return Auth{c.to("auth", base)} }

// sessionsPath is followed by the hash of a token.
const sessionsPath = "/internal/sessions/"

// Session finds the live session of a token by the token's SHA-256: GET /internal/sessions/{hash}. It fails with
// invalid_token when there is none.
func (a Auth) Session(ctx context.Context, tokenHash []byte) (Session, error) {
	return call[Session](ctx, a.remote, http.MethodGet, sessionsPath+hex.EncodeToString(tokenHash), nil)
}

// Zone is a person's new time zone.
type Zone struct {
	Timezone string `json:"timezone"`
}

// SetZone notes that the session's person is in another zone now: PUT /internal/users/{id}/timezone.
func (a Auth) SetZone(ctx context.Context, user uuid.UUID, zone string) error {
	_, err := call[struct{}](ctx, a.remote, http.MethodPut, "/internal/users/"+user.String()+"/timezone", Zone{zone})
	return err
}
