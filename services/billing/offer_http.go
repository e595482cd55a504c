package billing

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"hearth.internal/pkg/httpx"
)

// KeyPath names a feature or a trigger; exported, as are all that inputs embed, because huma fills no others.
type KeyPath struct {
	Key string `path:"key" pattern:"^[a-z][a-z0-9_]{0,63}$" doc:"Its key"`
}

// Put is embedded in the input of an operation that adds or replaces.
type Put struct {
	httpx.IfMatch
	IfNoneMatch string `header:"If-None-Match" enum:"*" doc:"Only add: 412 when it is there already"`
}

// Remove is embedded in the input of an operation that removes.
type Remove struct {
	httpx.IfMatch
	StaffID uuid.UUID `query:"staff_id" required:"true" format:"uuid" doc:"Who of the staff does it"`
}

// edit is what a removal asks for.
func (in Remove) edit() edit { return edit{version: in.Version(), by: By{in.StaffID}} }

// edit is what a put asks for.
func (in Put) edit(by By) edit {
	return edit{version: in.Version(), fresh: in.IfNoneMatch != "", by: by}
}

// taggedOutput is an answer that everybody may keep.
type taggedOutput[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

func tagged[T any](body T, err error) (*taggedOutput[T], error) {
	if err != nil {
		return nil, err
	}
	etag, err := tagOf(body)
	return &taggedOutput[T]{ETag: etag, Body: body}, err
}

// versioned is a row that staff edit.
type versioned interface{ version() int }

type versionedOutput[T versioned] struct {
	Status int    `json:"-"`
	ETag   string `header:"ETag"`
	Body   T
}

func answerVersioned[T versioned](body T, added bool, err error) (*versionedOutput[T], error) {
	if err != nil {
		return nil, err
	}
	out := &versionedOutput[T]{Status: http.StatusOK, ETag: httpx.ETag(body.version()), Body: body}
	if added {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func list[T any](ctx context.Context, load func(context.Context, bool) ([]T, error)) (*bodyOutput[[]T], error) {
	all, err := load(ctx, false)
	return &bodyOutput[[]T]{all}, err
}
