package httpx

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Optional is a query parameter of which it matters whether it was sent: its zero value means something.
type Optional[T any] struct {
	Set   bool
	Value T
}

// Pointer is the value, or nil when it was not sent.
func (o Optional[T]) Pointer() *T {
	if !o.Set {
		return nil
	}
	return &o.Value
}

// Receiver is where the value is read into.
func (o *Optional[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().FieldByName("Value") }

// OnParamSet notes whether it was sent.
func (o *Optional[T]) OnParamSet(set bool, _ any) { o.Set = set }

// Schema is that of the value.
func (o Optional[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}
