package gateway

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/internalapi"
)

const (
	syncVersion   = 1
	maxSyncCursor = 12 << 10 // of text: headers of 16 KiB are taken
	maxSyncState  = 256 << 10
)

// syncCursor is what the client keeps between two pages of the delta sync: where each part stands. It is as text what a
// person with few residences can carry in an address and one with hundreds can too: JSON, packed, in base64url. It holds
// no secret and is not believed: every part asks anew what the person sees.
type syncCursor struct {
	Version int                              `json:"v"`
	User    uuid.UUID                        `json:"u"`
	Parts   map[string]internalapi.SyncState `json:"p"`
}

// packers are kept: one is the better part of a megabyte.
var packers = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // it knows that level
	return w
}}

// String is the cursor as text.
func (c syncCursor) String() (string, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("cursor: %w", err)
	}
	var packed bytes.Buffer
	w := packers.Get().(*flate.Writer) // the pool holds nothing else
	defer packers.Put(w)
	w.Reset(&packed)
	_, _ = w.Write(raw) // a buffer never fails
	_ = w.Close()
	return base64.RawURLEncoding.EncodeToString(packed.Bytes()), nil
}

// readSyncCursor reads the cursor of that person; no text is the beginning. It is refused unless it is what String would
// have written, and when another person was given it.
func readSyncCursor(text string, user uuid.UUID) (syncCursor, error) {
	if text == "" {
		return syncCursor{User: user}, nil
	}
	refused := apperr.InvalidCursor.New("Use next_cursor of the answer before, or none.").At("query.cursor", "is not a cursor of your sync")
	packed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) > maxSyncCursor {
		return syncCursor{}, refused
	}
	left := bytes.NewReader(packed)
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(left), maxSyncState))
	var c syncCursor
	if err != nil || left.Len() > 0 || json.Unmarshal(raw, &c) != nil || c.User != user {
		return syncCursor{}, refused
	}
	if c.Version != syncVersion {
		return syncCursor{}, apperr.CursorExpired.New("The cursor is of another version: drop what you have and start again without a cursor.")
	}
	if written, err := json.Marshal(c); err != nil || !bytes.Equal(written, raw) {
		return syncCursor{}, refused
	}
	return c, nil
}
