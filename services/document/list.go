package document

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/page"
)

// ListView is a list that is not read yet: its ETag is known before any SQL.
type ListView struct {
	ETag  string // empty: not known
	today day.Day
	homes []uuid.UUID // of which it lists what they hold
}

// ViewList says what the actor's list, or that of one residence, depends on, beside what is named: the days until
// something ends are counted from their day.
func (s *Service) ViewList(ctx context.Context, actor identity.Actor, residence uuid.UUID, depends ...string) (ListView, error) {
	homes, err := s.Access.Homes(ctx, actor)
	if err != nil {
		return ListView{}, err
	}
	if residence != uuid.Nil {
		home, found := access.Among(homes, residence)
		if !found {
			return ListView{}, access.NoSuchResidence()
		}
		homes = []access.Home{home}
	}
	today := actor.Today(s.Clock)
	etag := s.Access.ETag(ctx, homes, append(slices.Clone(depends), today.String())...)
	return ListView{ETag: etag, today: today, homes: access.IDs(homes)}, nil
}

// DocumentFilter is what a list of documents leaves out; zero values leave out nothing.
type DocumentFilter struct {
	Type           string
	Active         *bool
	ExpiringWithin *int // days, today included
	ContractorID   uuid.UUID
	TaskID         uuid.UUID
	EquipmentID    uuid.UUID
	Text           string // words, each of which begins one of the document's
}

// documentPlace is where a document stands in the list, newest first.
type documentPlace struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// Documents lists those that the actor sees, newest first.
func (s *Service) Documents(ctx context.Context, v ListView, f DocumentFilter, q page.Query) (page.List[Document], error) {
	before, err := page.After[documentPlace](q)
	if err != nil {
		return page.List[Document]{}, err
	}
	rows, err := readDocuments(ctx, s.DB, v, f, before, q.Limit+1)
	if err != nil {
		return page.List[Document]{}, err
	}
	for i := range rows {
		rows[i] = rows[i].on(v.today)
	}
	return page.Cut(rows, q.Limit, func(d Document) documentPlace { return documentPlace{d.CreatedAt, d.ID} })
}

// foundDocument knows how well it fits what was looked for.
type foundDocument struct {
	Document
	Rank float64
}

// foundPlace is where a document stands in the list of what was found, the best first.
type foundPlace struct {
	Rank float64   `json:"r"`
	ID   uuid.UUID `json:"i"`
}

// FindDocuments lists those that have all the words, the best match first. Where a text has no word, such as one of
// punctuation alone, nothing is found.
func (s *Service) FindDocuments(ctx context.Context, v ListView, f DocumentFilter, q page.Query) (page.List[Document], error) {
	after, err := page.After[foundPlace](q)
	if err != nil {
		return page.List[Document]{}, err
	}
	rows, err := findDocuments(ctx, s.DB, v, f, after, q.Limit+1)
	if err != nil {
		return page.List[Document]{}, err
	}
	found, err := page.Cut(rows, q.Limit, func(d foundDocument) foundPlace { return foundPlace{d.Rank, d.ID} })
	out := page.List[Document]{Items: make([]Document, len(found.Items)), NextCursor: found.NextCursor}
	for i, item := range found.Items {
		out.Items[i] = item.on(v.today)
	}
	return out, err
}
