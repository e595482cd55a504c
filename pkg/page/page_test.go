package page_test

import (
	"encoding/base64"
	"testing"
	"time"

	"hearth.internal/pkg/page"
)

type place struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"`
}

func TestCursorIsTheLastItemsPlace(t *testing.T) {
	last := place{time.Date(2026, 3, 10, 12, 0, 0, 1000, time.UTC), `<b> & "é"`}
	list, err := page.Cut([]place{{}, last, {}}, 2, func(p place) place { return p })
	if err != nil || len(list.Items) != 2 || list.NextCursor == nil {
		t.Fatalf("%+v, %v", list, err)
	}
	got, err := page.After[place](page.Query{Cursor: *list.NextCursor})
	if err != nil || *got != last {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOnlyOurCursorsAreRead(t *testing.T) {
	for name, cursor := range map[string]string{
		"not base64":      "???",
		"not JSON":        encode("{"),
		"null":            encode("null"),
		"empty":           encode("{}"),
		"of another list": encode(`{"a":"2026-03-10T12:00:00Z","i":"b"}`),
		"with more":       encode(`{"at":"2026-03-10T12:00:00Z","name":"b","x":1}`),
		"with less":       encode(`{"at":"2026-03-10T12:00:00Z"}`),
		"with null":       encode(`{"at":"2026-03-10T12:00:00Z","name":null}`),
		"with a NUL":      encode(`{"at":"2026-03-10T12:00:00Z","name":"\u0000"}`),
	} {
		if got, err := page.After[place](page.Query{Cursor: cursor}); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
