package delta

import (
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

// Stream is the rows of one kind.
type Stream interface {
	queue(w *Walk, b *pgx.Batch, args pgx.NamedArgs)
	take(w *Walk)
}

// Rows is a stream of T. Its statement answers, of Scopes, @rows rows in the order of sync_xid, scope and id.
type Rows[T interface{ Place() internalapi.SyncPlace }] struct {
	Kind, SQL string
	Found     []T // the page's rows, never nil once they were read
}

func (r *Rows[T]) queue(w *Walk, b *pgx.Batch, args pgx.NamedArgs) {
	w.kinds = append(w.kinds, r.Kind)
	if w.state.Places[r.Kind].End {
		return
	}
	mine := w.args(r.Kind)
	maps.Copy(mine, args)
	b.Queue(r.SQL, mine).Query(pg.Rows(&r.Found))
}

// take leaves the rows that belong to the page. One row more than the limit tells whether there are more below the
// horizon; those above it come at the end of the stream, as many as there is room for.
func (r *Rows[T]) take(w *Walk) {
	place := w.state.Places[r.Kind]
	if place.End || r.Kind != tombstones && !w.state.Places[tombstones].End {
		r.Found = []T{}
		return
	}
	if len(r.Found) > w.limit {
		place = r.Found[w.limit-1].Place()
		place.End = r.Found[w.limit].Place().Xid >= w.state.Horizon
		r.Found = r.Found[:w.limit]
	} else {
		place.End = true
	}
	if place.End {
		place = internalapi.SyncPlace{End: true}
	}
	w.state.Places[r.Kind] = place
	if r.Found == nil {
		r.Found = []T{}
	}
}

// args say from where on each of the person's scopes is read.
func (w *Walk) args(kind string) pgx.NamedArgs {
	s := w.state
	place := s.Places[kind]
	var scopes, after []uuid.UUID
	var from []string
	read := func(scope uuid.UUID, since uint64) {
		xid, behind := place.Xid, uuid.Nil
		switch order := compare(scope, place.Scope); {
		case xid < since:
			xid = since
		case order < 0:
			behind = uuid.Max
		case order == 0:
			behind = place.ID
		}
		scopes, from, after = append(scopes, scope), append(from, strconv.FormatUint(xid, 10)), append(after, behind)
	}
	read(w.own, s.Since)
	for _, home := range s.Homes {
		read(home, s.Since)
	}
	for _, home := range s.Joined {
		if slices.Contains(s.Homes, home) {
			continue
		}
		// The client has no row of it, but those of a residence that another part called gone in the same answer.
		if kind == tombstones {
			read(home, s.Since)
		} else {
			read(home, 0)
		}
	}
	return pgx.NamedArgs{"scopes": scopes, "from": from, "after": after, "rows": w.limit + 1}
}
