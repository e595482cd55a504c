package document

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/patch"
)

// tries is how often a write that found the thing changed under it looks again.
const tries = 5

// createdOr is 201 for what is new and 200 for what was there.
func createdOr(added bool) int {
	if added {
		return http.StatusCreated
	}
	return http.StatusOK
}

// idOrNew is the client's id for what it adds, or a new one.
func idOrNew(id *uuid.UUID, location string) (uuid.UUID, error) {
	switch {
	case id == nil:
		return uuid.Must(uuid.NewV7()), nil
	case *id == uuid.Nil:
		return uuid.Nil, apperr.InvalidField(location+".id", "must not be the zero UUID")
	}
	return *id, nil
}

// writable refuses a residence that is not the actor's, or that they may only look at.
func writable(homes []access.Home, residence uuid.UUID) error {
	home, found := homeOf(homes, residence)
	switch {
	case !found:
		return access.NoSuchResidence()
	case home.Role == access.Viewer:
		return access.ReadOnly()
	}
	return nil
}

func homeOf(homes []access.Home, residence uuid.UUID) (access.Home, bool) {
	for _, home := range homes {
		if home.ID == residence {
			return home, true
		}
	}
	return access.Home{}, false
}

func refuseVersion(wanted *int, is int) error {
	if wanted != nil && *wanted != is {
		return apperr.VersionConflict.New("It is at version %d now: read it again.", is).With("version", is)
	}
	return nil
}

func busy() error {
	return apperr.Busy.New("Several changes came at the same time; try again.").After(time.Second)
}

// contains is the LIKE pattern of a text that stands for itself.
func contains(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

func nullable[T any](value *T) patch.Nullable[T] { return patch.Nullable[T]{Set: true, Value: value} }

// list is a list that was sent; null is the empty one.
func list[T any](items []T) patch.Nullable[[]T] {
	if items == nil {
		items = []T{}
	}
	return patch.Nullable[[]T]{Set: true, Value: &items}
}
