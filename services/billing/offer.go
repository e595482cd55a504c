package billing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
)

// By says who of the staff changes something.
type By struct {
	StaffID uuid.UUID `json:"staff_id" required:"true" format:"uuid" doc:"Who of the staff does it"`
}

func (by By) refuse() error {
	if by.StaffID == uuid.Nil {
		return apperr.InvalidField("body.staff_id", "must not be the zero UUID")
	}
	return nil
}

// edit is a change that staff make to one row of a table.
type edit struct {
	table   table
	by      By
	key     string // of the row, as the audit names it
	version *int   // that they saw; nil: whichever it has
	fresh   bool   // there must be no such row yet
	row     any    // the whole row; of one to be removed, its key
}

// maxEdits is how often an edit is tried anew because another came in between.
const maxEdits = 20

// put adds the row or replaces it, and answers its version. It fails with version_conflict when it has moved on.
func (s *Service) put(ctx context.Context, e edit) (version int, added bool, err error) {
	out, err := s.edit(ctx, e.table.put, e, func() error { return staleVersion(0) })
	return out.Version, out.Outcome == "added", err
}

// remove removes the row. It fails with not_found, with version_conflict when it has moved on, and with product_in_use when
// something counts on it.
func (s *Service) remove(ctx context.Context, e edit) error {
	_, err := s.edit(ctx, e.table.remove, e, noSuchOffer)
	return err
}

// edit does it until it applies or there is a reason why it does not. What is written down is the row, who changed it from
// what, and the event: all or nothing. absent is the refusal where there is no such row, and there should be.
func (s *Service) edit(ctx context.Context, sql string, e edit, absent func() error) (edited, error) {
	if err := e.by.refuse(); err != nil {
		return edited{}, err
	}
	removes := sql == e.table.remove
	for range maxEdits {
		event := events.Terms{What: e.table.name, ActorID: e.by.StaffID}
		out, found, err := runEdit(ctx, s.DB, sql, e, event, s.Clock.Now())
		switch {
		case err != nil:
			return edited{}, fmt.Errorf("%s %s: %w", e.table.name, e.key, err)
		case !found && (removes || e.version != nil):
			return edited{}, absent()
		case !found: // somebody is adding it this very moment
			continue
		case out.Outcome != "kept" && out.Outcome != "pinned":
			e.table.event.Committed(ctx, s.Relay, event)
			return out, nil
		case e.fresh || e.version != nil && *e.version != out.Version:
			return edited{}, staleVersion(out.Version)
		case out.Outcome == "pinned":
			return edited{}, apperr.ProductInUse.New("Somebody has bought it: take it off sale (is_active) instead.")
		}
	}
	return edited{}, apperr.Busy.New("Several changes came at the same time; try again.").After(time.Second)
}

// staleVersion is the refusal of a change to a version that is not there any more; 0: the row is not.
func staleVersion(is int) error {
	return apperr.VersionConflict.New("It is at version %d now: read it again.", is).With("version", is)
}

func noSuchOffer() error { return apperr.NoSuchThing.New("There is no such thing.") }

// offered answers what is active of a table, as everybody sees it: from the cache, or else from load.
func offered[T any](ctx context.Context, s *Service, t table, load func(context.Context, bool) ([]T, error)) ([]T, error) {
	return cache.Load(ctx, s.Cache, cache.OffersKey(t.name), cache.OffersTTL, func(ctx context.Context) ([]T, error) {
		return load(ctx, true)
	})
}

// oneOf finds what staff ask for by its key. The tables are small: each is read whole.
func oneOf[T any](all []T, err error, is func(T) bool) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	for _, one := range all {
		if is(one) {
			return one, nil
		}
	}
	return none, noSuchOffer()
}

// tagOf is the entity tag of an answer that has no version.
func tagOf(answer any) (string, error) {
	raw, err := json.Marshal(answer)
	if err != nil {
		return "", fmt.Errorf("entity tag: %w", err)
	}
	sum := sha256.Sum256(raw)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}
