package document_test

import (
	"testing"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/pkg/internalapi"
)

func TestWarrantiesAreListedByTheirEnd(t *testing.T) {
	h := open(t)
	second, equipment := newID(), h.installed(t, h.home)
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	for _, more := range []doc{
		{"title": "d"}, {"title": "e"}, // without an end
		{"title": "c", "end_date": "2027-03-10", "residence_id": second},
		{"title": "a", "end_date": "2026-03-09", "equipment_id": equipment},
		{"title": "b", "end_date": "2026-03-10"},
		{"title": "x", "end_date": "2026-03-12", "is_active": false},
	} {
		h.file(t, h.owner, with(more, doc{"document_type": "warranty"}))
	}
	h.file(t, h.owner, doc{"title": "contract", "document_type": "contract", "end_date": "2026-03-10"})
	titles := func(query string) (out string) {
		t.Helper()
		for next := ""; ; {
			page := list[document.Document](t, h.owner.Want(200, "GET", "/api/documents/warranties/?limit=1&"+query+"&cursor="+next, nil))
			for _, d := range page.Items {
				out += d.Title
			}
			if page.NextCursor == nil {
				return out
			}
			next = *page.NextCursor
		}
	}
	for query, want := range map[string]string{
		"": "abxcde", "status=all": "abxcde", "status=active": "bcde", "status=expired": "a", "residence_id=" + second.String(): "c",
		"equipment_id=" + equipment.String(): "a", "expiring_within_days=0": "b", "expiring_within_days=2": "bx", "status=active&expiring_within_days=3650": "bc",
		"equipment_id=" + uuid.NewString(): "",
	} {
		if got := titles(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	h.owner.Refused(422, "validation_failed", "GET", "/api/documents/warranties/?status=perhaps", nil)
	h.settle(t)
	a := h.owner.Want(200, "GET", "/api/documents/warranties/", nil)
	if again := h.owner.Want(304, "GET", "/api/documents/warranties/", nil, "If-None-Match", a.Header.Get("ETag")); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
}
