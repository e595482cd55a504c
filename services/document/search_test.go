package document_test

import (
	"net/url"
	"testing"

	"hearth.internal/document"
)

func (h house) finds(t *testing.T, text string, more string) (out string) {
	t.Helper()
	for next := ""; ; {
		page := list[document.Document](t, h.owner.Want(200, "GET", "/api/documents/?limit=2&q="+url.QueryEscape(text)+more+"&cursor="+next, nil))
		for _, d := range page.Items {
			out += d.Title[:1]
		}
		if page.NextCursor == nil {
			return out
		}
		next = *page.NextCursor
	}
}

func TestDocumentsAreFoundByTheirWords(t *testing.T) {
	h := open(t)
	h.file(t, h.owner, doc{"title": "A receipt", "description": "for the Gewährleistung of the furnace"})
	h.file(t, h.owner, doc{"title": "B Straßenplan", "item_name": "Furnace", "model_number": "WX-330/C", "claim_email": "claims@heat.example.com"})
	furnace := h.file(t, h.owner, doc{"title": "Furnace manual", "serial_number": "SN 12-34", "provider": "Œuvre Café", "document_type": "manual"})
	file := h.uploaded(t, h.owner, "application/pdf")
	h.file(t, h.owner, doc{"title": "Zettel", "upload_id": file})
	if _, err := h.DB.Exec(t.Context(), `UPDATE uploads SET words = setweight(words_of('the furnace of somebody, Überprüfung'), 'D') WHERE id = $1`, file); err != nil {
		t.Fatal(err)
	}
	h.file(t, h.stranger, doc{"residence_id": h.elsewhere, "title": "furnace of a stranger"})
	for text, want := range map[string]string{
		"furnace": "FBAZ", "FURN": "FBAZ", "furnace man": "F", "gewahr": "A", "Gewährleistung furnace": "A", "strass": "B", "wx-3": "B", "wx 330": "B",
		"330/c": "B", "sn12": "", "12-3": "F", "heat.example": "B", "claims@heat": "B", "cafe oeuvre": "F", "uberprufung": "Z", "furnace nothing": "", "urnace": "",
	} {
		if got := h.finds(t, text, ""); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	if got := h.finds(t, "furnace", "&document_type=manual"); got != "F" {
		t.Errorf("of the manuals %q", got)
	}
	h.owner.Want(200, "PATCH", path("documents", furnace.ID), doc{"title": "Xylophone"})
	if got := h.finds(t, "furnace", ""); got != "BAZ" {
		t.Errorf("after the change %q", got)
	}
}

// Whatever is typed is looked for or not, and never an error.
func TestNoTextBreaksTheSearch(t *testing.T) {
	h := open(t)
	h.file(t, h.owner, doc{"title": "O'Hara's \\ plan & furnace 🏠", "description": "100% (sure)!"})
	for text, want := range map[string]string{
		"'": "", `"`: "", "&": "", ":*": "", "\\": "", "!": "", "()": "", "<->": "", " ": "", "%": "", "''''": "", "a' | 'b": "", "'; DROP TABLE documents; --": "",
		"o'hara": "O", "hara's": "O", "plan & furn": "O", "plan:*": "O", "plan \\": "O", "!plan": "O", "100%": "O", "(sure": "O", "plan | nothing": "", "🏠 plan": "O",
		"\\'plan": "O", "plan:A": "", "'plan':*B": "",
	} {
		if got := h.finds(t, text, ""); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
}
