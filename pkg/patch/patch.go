// Package patch holds the fields of a JSON merge patch (RFC 7396): absent keeps, null clears, anything else replaces.
//
// A struct of these marshals to just the members that were sent (tag the fields omitzero), which is what
// jsonb_populate_record wants: one UPDATE applies any patch.
package patch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Optional is a member that may be absent but not null.
type Optional[T any] struct {
	Set   bool
	Value T
	null  bool // sent as null: Resolve refuses it
}

// To is a member that was sent.
func To[T any](value T) Optional[T] { return Optional[T]{Set: true, Value: value} }

// IsZero reports whether the member was absent.
func (o Optional[T]) IsZero() bool { return !o.Set }

// UnmarshalJSON notes that the member was sent.
func (o *Optional[T]) UnmarshalJSON(raw []byte) error {
	if o.null = bytes.Equal(raw, []byte("null")); o.null {
		return nil
	}
	if err := json.Unmarshal(raw, &o.Value); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	o.Set = true
	return nil
}

// Resolve refuses null where the operation's input is read, because there the member's name is known.
func (o *Optional[T]) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	if !o.null {
		return nil
	}
	// In a patch inside of a patch, the way leads through the Value of the outer one.
	location := strings.ReplaceAll(at.String(), ".value.", ".")
	return []error{&huma.ErrorDetail{Location: location, Message: "cannot be null: leave it out to keep what it is"}}
}

// MarshalJSON is the value alone.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	return json.Marshal(o.Value)
}

// Schema is that of the value.
func (o Optional[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// Nullable is a member that may be absent, null or a value.
type Nullable[T any] struct {
	Set   bool
	Value *T
}

// Null is a member that was sent as null.
func Null[T any]() Nullable[T] { return Nullable[T]{Set: true} }

// IsZero reports whether the member was absent.
func (n Nullable[T]) IsZero() bool { return !n.Set }

// UnmarshalJSON notes that the member was sent.
func (n *Nullable[T]) UnmarshalJSON(raw []byte) error {
	n.Set = true
	if bytes.Equal(raw, []byte("null")) {
		n.Value = nil
		return nil
	}
	n.Value = new(T)
	if err := json.Unmarshal(raw, n.Value); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	return nil
}

// MarshalJSON is the value or null.
func (n Nullable[T]) MarshalJSON() ([]byte, error) {
	return json.Marshal(n.Value)
}

// Schema is that of the value, and null.
func (n Nullable[T]) Schema(r huma.Registry) *huma.Schema {
	s := r.Schema(reflect.TypeFor[T](), true, "")
	if s.Ref == "" {
		copied := *s
		copied.Nullable = true
		return &copied
	}
	return s
}
