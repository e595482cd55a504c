package internalapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/google/uuid"
)

// SyncState is what the client's cursor holds of one part of the delta sync. It goes from walk to walk: a walk sends, in
// pages, all that changed from Since to its horizon, and the next one goes on from there. Nothing in it is believed: it
// only says what the client has.
type SyncState struct {
	Since   uint64 `json:"s,omitempty"` // what transactions below it wrote is at the client
	SinceAt int64  `json:"t,omitempty"` // when that was fixed, in Unix seconds
	Horizon uint64 `json:"h,omitempty"` // of the walk that is under way; 0: none is
	BegunAt int64  `json:"b,omitempty"` // when that was fixed
	// Homes are the residences of which the client has everything below Since; of those Joined since then the walk sends
	// everything; those to be sent Again were called gone by another part, so that the client has dropped what they held.
	Homes  []uuid.UUID          `json:"r,omitempty"`
	Joined []uuid.UUID          `json:"j,omitempty"`
	Again  []uuid.UUID          `json:"a,omitempty"`
	Places map[string]SyncPlace `json:"p,omitempty"` // how far the walk has come, by kind
}

// SyncPlace is a row's place in the order in which its kind is sent.
type SyncPlace struct {
	Xid   uint64    `json:"x,omitempty"`
	Scope uuid.UUID `json:"s,omitzero"`
	ID    uuid.UUID `json:"i,omitzero"`
	End   bool      `json:"e,omitempty"` // there is nothing behind it in this walk
}

// SyncQuery asks a part for the next page. Limit is the most rows of each kind.
type SyncQuery struct {
	State SyncState `json:"state"`
	Limit int       `json:"limit" minimum:"1" maximum:"500"`
}

// SyncPage is a part's page: R are its rows by kind, D the ids of what is gone.
type SyncPage[R, D any] struct {
	Rows    R           `json:"rows"`
	Removed D           `json:"removed"`
	Lost    []uuid.UUID `json:"lost"` // residences that the person sees no more, with all they hold
	State   SyncState   `json:"state"`
	More    bool        `json:"more"` // another page waits
}

// AnySyncPage is a page of any part.
type AnySyncPage = SyncPage[map[string]json.RawMessage, map[string]json.RawMessage]

// Sync asks the service for its page of what changed for the request's person: POST /internal/sync.
func (p Part) Sync(ctx context.Context, q SyncQuery) (AnySyncPage, error) {
	return call[AnySyncPage](ctx, p.remote, http.MethodPost, "/internal/sync", q)
}
