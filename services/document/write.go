package document

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/pg"
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
func idOrNew(id *uuid.UUID) (uuid.UUID, error) {
	switch {
	case id == nil:
		return uuid.Must(uuid.NewV7()), nil
	case *id == uuid.Nil:
		return uuid.Nil, apperr.InvalidField("body.id", "must not be the zero UUID")
	}
	return *id, nil
}

func idTaken() error { return apperr.IDTaken.New("There is something else with that id.") }

// refuseWrite says why a write to what stands there does not apply; nil when it should have, and is worth another try.
func refuseWrite(homes []access.Home, residence uuid.UUID, wanted *int, is int) error {
	if err := access.WritableAmong(homes, residence); err != nil {
		return err
	}
	if wanted != nil && *wanted != is {
		return apperr.VersionConflict.New("It is at version %d now: read it again.", is).With("version", is)
	}
	return nil
}

// raced reports whether the write of a document lost a race and is to be done again: what it names went away after it had
// looked.
func raced(err error) bool {
	return pg.Violates(err, "claims_upload") || pg.Violates(err, "documents_equipment")
}

func busy() error {
	return apperr.Busy.New("Several changes came at the same time; try again.").After(time.Second)
}

// writeArgs are what a write to something of a residence is about.
func writeArgs(id uuid.UUID, version *int, homes []access.Home) pgx.NamedArgs {
	return pgx.NamedArgs{"id": id, "version": version, "mine": access.IDs(homes), "mine_owners": access.OwnerIDs(homes), "writable": access.WritableIDs(homes)}
}

func nullable[T any](value *T) patch.Nullable[T] { return patch.Nullable[T]{Set: true, Value: value} }
