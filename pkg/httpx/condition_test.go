package httpx_test

import (
	"testing"

	"hearth.internal/pkg/httpx"
)

func TestIfMatchNamesAVersion(t *testing.T) {
	for header, want := range map[string]int{
		`"3"`: 3, `3`: 3, `"3-a"`: 3, `"2147483647"`: 2147483647,
		// No resource has version 0: these match nothing.
		`"2147483648"`: 0, `"99999999999999999999"`: 0, `"-1"`: 0, `W/"3"`: 0, `x`: 0, `"`: 0,
	} {
		if got := (httpx.IfMatch{IfMatch: header}).Version(); got == nil || *got != want {
			t.Errorf("%s: %v, want %d", header, got, want)
		}
	}
	for _, header := range []string{"", "*"} {
		if got := (httpx.IfMatch{IfMatch: header}).Version(); got != nil {
			t.Errorf("%q: %d", header, *got)
		}
	}
}
