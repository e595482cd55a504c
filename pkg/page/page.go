// Package page is how lists are paged: by keyset, so that a page costs the same however deep it is and rows that are
// added meanwhile neither repeat nor hide others.
package page

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"hearth.internal/pkg/apperr"
)

// Query is embedded in a list operation's input.
type Query struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before"`
}

// List is a page of items. NextCursor is null on the last one.
type List[T any] struct {
	Items      []T     `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor"`
}

// Cut makes a page out of limit+1 rows: the extra row only tells that there is more. position says where an item
// stands in the order.
func Cut[T, P any](rows []T, limit int, position func(T) P) (List[T], error) {
	if rows == nil {
		rows = []T{}
	}
	if len(rows) <= limit {
		return List[T]{Items: rows}, nil
	}
	rows = rows[:limit]
	raw, err := json.Marshal(position(rows[limit-1]))
	if err != nil {
		return List[T]{}, apperr.InternalError.Wrap(err, "cursor")
	}
	cursor := base64.RawURLEncoding.EncodeToString(raw)
	return List[T]{Items: rows, NextCursor: &cursor}, nil
}

// After reads the position that a cursor stands for; nil for the first page. A cursor is refused unless it is what Cut
// would have written, and when it holds a NUL, which no text in the database does.
func After[P any](q Query) (*P, error) {
	if q.Cursor == "" {
		return nil, nil // no cursor is no position
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		var p P
		if err = json.Unmarshal(raw, &p); err == nil && isOurs(raw, p) {
			return &p, nil
		}
	}
	return nil, apperr.InvalidCursor.New("Use next_cursor of the page before, or none.").At("query.cursor", "is not a cursor of this list")
}

func isOurs(raw []byte, position any) bool {
	written, err := json.Marshal(position)
	return err == nil && bytes.Equal(written, raw) && !bytes.Contains(raw, []byte(`\u0000`))
}
