// Package delta sends what has changed for a person since they last asked, in pages, so that no change is ever missed.
//
// Every row carries the transaction that wrote it last (sync_xid), which its table's trigger sets. Sequences and clocks
// are given out before a commit and would hide what commits late; transaction ids are too, but PostgreSQL says which of
// them are still under way. So a walk fixes its horizon: the oldest transaction that has not ended (the snapshot's
// xmin). What was written below it is final and can be read in pages, in the order of (sync_xid, scope, id). Whatever is
// written later, or is under way, gets a mark at the horizon or above, and the next walk begins there. Rows above the
// horizon that can be seen already are sent at once as well, so that people see what they have just written: those may
// come twice.
//
// What was deleted or moved away has a row in the table tombstones, in the scope that it left. A walk sends tombstones
// before rows, and a row's mark never goes back, so that a row follows the tombstones of where it was before.
//
// The tables, their triggers and the table sync_marks are made by the migrations of the services that take part.
package delta

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// CursorLife is how old a cursor may be: tombstones are kept a day longer, for clocks that differ.
const CursorLife = 90 * 24 * time.Hour

// Scopes are the person's scopes in a stream's statement, each with the place behind which it is to be read:
//
//	(sync_xid, id) > (scope.xid, scope.after)
const Scopes = `(SELECT s.id, s.xid::xid8 AS xid, s.after
	FROM unnest(@scopes::uuid[], @from::text[], @after::uuid[]) AS s(id, xid, after)) AS scope`

// Placed is embedded in a stream's rows: its columns are sync_xid, sync_scope and sync_id.
type Placed struct {
	SyncXid   uint64    `json:"-"`
	SyncScope uuid.UUID `json:"-"`
	SyncID    uuid.UUID `json:"-"`
}

// Place is where the row stands in its stream.
func (p Placed) Place() internalapi.SyncPlace {
	return internalapi.SyncPlace{Xid: p.SyncXid, Scope: p.SyncScope, ID: p.SyncID}
}

// Walk is one page of a walk.
type Walk struct {
	state internalapi.SyncState
	limit int
	own   uuid.UUID
	today []uuid.UUID // the residences that the person sees, sorted
	lost  []uuid.UUID
	mark  mark
	kinds []string
}

// Begin takes the walk up where the query says, or begins another. today are the residences that the person sees now:
// nothing of any other is read, whatever the query names. own is the scope that is the person's alone. It fails with
// cursor_expired when tombstones may be gone that the client has not seen.
func Begin(q internalapi.SyncQuery, own uuid.UUID, today []uuid.UUID, now time.Time) (*Walk, error) {
	w := &Walk{state: q.State, limit: q.Limit, own: own, today: slices.SortedFunc(slices.Values(today), compare)}
	s := &w.state
	for _, at := range []int64{s.SinceAt, s.BegunAt} {
		if at != 0 && now.Sub(time.Unix(at, 0)) > CursorLife {
			return nil, Expired()
		}
	}
	s.Homes, s.Joined, s.Again = w.visible(s.Homes), w.visible(s.Joined), w.visible(s.Again)
	if s.Horizon == 0 {
		s.Joined, s.Again, s.Places = w.without(s.Homes), nil, nil
		s.BegunAt = now.Unix()
	}
	if s.Places == nil {
		s.Places = map[string]internalapi.SyncPlace{}
	}
	if s.Since == 0 { // the client has nothing that it could let go
		s.Places[tombstones] = internalapi.SyncPlace{End: true}
	}
	return w, nil
}

// Expired is the answer to a cursor that leads nowhere any more.
func Expired() error {
	return apperr.CursorExpired.New("Too much has happened since: drop what you have and start again without a cursor.")
}

// visible are those of the residences that the person sees; the others are lost.
func (w *Walk) visible(homes []uuid.UUID) []uuid.UUID {
	var seen []uuid.UUID
	for _, id := range homes {
		if w.sees(id) {
			seen = append(seen, id)
		} else if !slices.Contains(w.lost, id) {
			w.lost = append(w.lost, id)
		}
	}
	return seen
}

func (w *Walk) sees(id uuid.UUID) bool {
	_, found := slices.BinarySearchFunc(w.today, id, compare)
	return found
}

// without are the residences that the person sees and that the lists do not name.
func (w *Walk) without(lists ...[]uuid.UUID) []uuid.UUID {
	named := map[uuid.UUID]bool{}
	for _, list := range lists {
		for _, id := range list {
			named[id] = true
		}
	}
	var others []uuid.UUID
	for _, id := range w.today {
		if !named[id] {
			others = append(others, id)
		}
	}
	return others
}

func compare(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) } // as PostgreSQL does

// mark is the snapshot that a page is read in.
type mark struct{ Xmin uint64 }

const markSQL = `SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin`

// Read reads a page of every stream that has not ended, all in one snapshot and one round trip, and answers the
// tombstones among it. args are what the streams' statements want beside Scopes and @rows.
func (w *Walk) Read(ctx context.Context, q pg.Querier, args pgx.NamedArgs, streams ...Stream) ([]Tombstone, error) {
	buried := &Rows[Tombstone]{Kind: tombstones, SQL: TombstonesSQL}
	all := append([]Stream{buried}, streams...) // the others wait for its end
	var found bool
	err := pg.SendInSnapshot(ctx, q, func(b *pgx.Batch) {
		b.Queue(markSQL).Query(pg.Row(&w.mark, &found))
		for _, s := range all {
			s.queue(w, b, args)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	// A horizon never goes back, but in a cluster that has lost what it had.
	if w.state.Since > w.mark.Xmin || w.state.Horizon > w.mark.Xmin {
		return nil, Expired()
	}
	if w.state.Horizon == 0 {
		w.state.Horizon = w.mark.Xmin
	}
	for _, s := range all {
		s.take(w)
	}
	return buried.Found, nil
}

// End is what the client's cursor is to hold, the residences that are lost, and whether another page waits.
func (w *Walk) End() (next internalapi.SyncState, lost []uuid.UUID, more bool) {
	next = w.state
	if slices.ContainsFunc(w.kinds, func(kind string) bool { return !next.Places[kind].End }) {
		return next, w.lost, true
	}
	known := append(slices.Clone(next.Homes), next.Joined...)
	slices.SortFunc(known, compare)
	next = internalapi.SyncState{Since: next.Horizon, SinceAt: next.BegunAt, Homes: slices.Compact(known), Again: next.Again}
	return next, w.lost, len(w.without(known)) > 0
}
