// Package access answers who sees which residence: from the cache, and on a miss from the residence service (or, inside
// that service, from its own table).
package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

// The roles, as they stand in internalapi.Home.Role.
const (
	Owner  = "owner"
	Member = "member"
	Viewer = "viewer"
)

// Home is a residence that somebody sees, and as what.
type Home = internalapi.Home

// Directory knows who sees what.
type Directory struct {
	cache *cache.Cache
	load  func(context.Context, uuid.UUID) ([]Home, error)
}

// New makes a directory that loads what the cache does not have.
func New(c *cache.Cache, load func(ctx context.Context, user uuid.UUID) ([]Home, error)) *Directory {
	return &Directory{cache: c, load: load}
}

// Homes lists what the actor sees, sorted by id.
func (d *Directory) Homes(ctx context.Context, actor identity.Actor) ([]Home, error) {
	return d.HomesOf(ctx, actor.UserID)
}

// HomesOf lists what a person sees, sorted by id.
func (d *Directory) HomesOf(ctx context.Context, user uuid.UUID) ([]Home, error) {
	return cache.Load(ctx, d.cache, cache.HomesKey(user), cache.HomesTTL, func(ctx context.Context) ([]Home, error) {
		homes, err := d.load(ctx, user)
		if err != nil {
			return nil, fmt.Errorf("residences of a person: %w", err)
		}
		slices.SortFunc(homes, func(a, b Home) int { return slices.Compare(a.ID[:], b.ID[:]) })
		return homes, nil
	})
}

// Readable answers the residence if the actor sees it, and not_found otherwise.
func (d *Directory) Readable(ctx context.Context, actor identity.Actor, residence uuid.UUID) (Home, error) {
	homes, err := d.Homes(ctx, actor)
	if err != nil {
		return Home{}, err
	}
	home, found := Among(homes, residence)
	if !found {
		return Home{}, NoSuchResidence()
	}
	return home, nil
}

// Writable answers the residence if the actor may change what is in it; viewers get not_permitted.
func (d *Directory) Writable(ctx context.Context, actor identity.Actor, residence uuid.UUID) (Home, error) {
	home, err := d.Readable(ctx, actor, residence)
	if err == nil && home.Role == Viewer {
		return Home{}, ReadOnly()
	}
	return home, err
}

// NoSuchResidence is the answer for a residence that does not exist and for one that is not theirs alike.
func NoSuchResidence() error { return apperr.NoSuchThing.New("There is no such residence.") }

// ReadOnly is the answer to a viewer who tries to change something.
func ReadOnly() error {
	return apperr.NotPermitted.New("You can look at this residence but not change it.")
}

// Among answers the residence of that id among those that somebody sees.
func Among(homes []Home, residence uuid.UUID) (Home, bool) {
	for _, home := range homes {
		if home.ID == residence {
			return home, true
		}
	}
	return Home{}, false
}

// WritableAmong refuses a residence that is not among those that somebody sees, or that they may only look at.
func WritableAmong(homes []Home, residence uuid.UUID) error {
	home, found := Among(homes, residence)
	switch {
	case !found:
		return NoSuchResidence()
	case home.Role == Viewer:
		return ReadOnly()
	}
	return nil
}

// IDs are the residences' ids, for SQL.
func IDs(homes []Home) []uuid.UUID {
	ids := make([]uuid.UUID, len(homes))
	for i, home := range homes {
		ids[i] = home.ID
	}
	return ids
}

// WritableIDs are the ids of those that the person may change things in.
func WritableIDs(homes []Home) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(homes))
	for _, home := range homes {
		if home.Role != Viewer {
			ids = append(ids, home.ID)
		}
	}
	return ids
}

// OwnerAmong is the owner of the residence, of those that somebody sees; none when it is not among them.
func OwnerAmong(homes []Home, residence uuid.UUID) uuid.UUID {
	home, _ := Among(homes, residence)
	return home.OwnerID
}

// OwnerIDs are the residences' owners, in the order of IDs, for SQL.
func OwnerIDs(homes []Home) []uuid.UUID {
	ids := make([]uuid.UUID, len(homes))
	for i, home := range homes {
		ids[i] = home.OwnerID
	}
	return ids
}

// OwnerOf is OwnerAmong in SQL, of an expression: @mine are the IDs and @mine_owners the OwnerIDs of what somebody sees.
func OwnerOf(residence string) string {
	return `(SELECT s.seen_owner FROM unnest(@mine::uuid[], @mine_owners::uuid[]) AS s(seen_id, seen_owner) WHERE s.seen_id = ` + residence + `)`
}

// ETag is a tag for an answer made of everything in these residences, with whatever else it depends on (the day, the
// filters). It is empty when the cache cannot know, and then the answer must be made.
func (d *Directory) ETag(ctx context.Context, homes []Home, depends ...string) string {
	states, known := d.cache.Revisions(ctx, IDs(homes))
	if !known {
		return ""
	}
	h := sha256.New()
	for i, home := range homes {
		_, _ = fmt.Fprintf(h, "%s %s %s %s %s %s\n", home.ID, home.Role, home.OwnerID, home.Timezone, home.Currency, states[i]) // a hash never fails
	}
	_, _ = h.Write([]byte(strings.Join(depends, "\x00")))
	return `W/"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}
