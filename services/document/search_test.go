package document_test

import (
	"net/url"
	"strconv"
	"sync"
	"testing"

	"hearth.internal/document"
	"hearth.internal/pkg/testkit"
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
		"330/c": "B", "CAFE\u0301": "F", "\ufb01ndings": "", "\uff26urn man": "F", "sn12": "", "12-3": "F", "heat.example": "B", "claims@heat": "B", "cafe oeuvre": "F", "uberprufung": "Z", "furnace nothing": "", "urnace": "",
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

func TestTextsAreFoundInWhateverFormTheyAreWritten(t *testing.T) {
	h := open(t)
	for _, title := range []string{"Cafe\u0301", "Gas \ufb01re", "Hợp đồng", "ΑΘΗΝΑΣ Σύμβαση", "İstanbul", "Łódź", "Yasunori ガス 가스"} {
		h.file(t, h.owner, doc{"title": title})
	}
	for text, want := range map[string]string{
		"café": "C", "cafe": "C", "cafe\u0301": "C", "fire": "G", "\ufb01re": "G", "hop dong": "H", "hợp": "H", "αθηνας": "Α", "συμβαση": "Α", "Σύμβαση": "Α",
		"istanbul": "İ", "lodz": "Ł", "ガス": "Y", "가": "Y",
	} {
		var got string
		for _, d := range list[document.Document](t, h.owner.Want(200, "GET", "/api/documents/?q="+url.QueryEscape(text), nil)).Items {
			got += string([]rune(d.Title)[:1])
		}
		if got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
}

// A list that was asked for before the file's text was known has another ETag afterwards.
func TestTextThatIsFoundLaterChangesTheList(t *testing.T) {
	h := open(t)
	file := sent(t, h.owner, "manual.txt", []byte("How to bleed the radiators\n"))
	h.looked(t)
	if _, err := h.DB.Exec(t.Context(), `UPDATE uploads SET work = 'todo', words = NULL, work_at = 'infinity' WHERE id = $1`, file.ID); err != nil {
		t.Fatal(err)
	}
	d := h.file(t, h.owner, doc{"title": "Zettel", "upload_id": file.ID})
	h.settle(t)
	const at = "/api/documents/?q=radiators"
	before := h.owner.Want(200, "GET", at, nil)
	if found := list[document.Document](t, before); len(found.Items) != 0 {
		t.Fatalf("found before it was looked into: %+v", found)
	}
	if _, err := h.DB.Exec(t.Context(), `UPDATE uploads SET work_at = now() - interval '100 years' WHERE id = $1`, file.ID); err != nil {
		t.Fatal(err)
	}
	send(t, h.owner, "other.txt", []byte("wakes the work\n"))
	h.looked(t)
	testkit.Eventually(t, "the list is another", func() bool {
		return h.owner.Call("GET", at, nil, "If-None-Match", before.Header.Get("ETag")).Status == 200
	})
	if found := list[document.Document](t, h.owner.Want(200, "GET", at, nil)); len(found.Items) != 1 || found.Items[0].ID != d.ID || found.Items[0].Version != d.Version {
		t.Errorf("found %+v", found)
	}
}

// Whoever names a file while its text becomes known has it found, and who lets go of it then waits for nobody who waits
// for them.
func TestTextThatIsFoundWhileAFileIsNamed(t *testing.T) {
	h := open(t)
	for i := range 20 {
		file := sent(t, h.owner, "manual.txt", []byte("How to bleed radiator number "+strconv.Itoa(i)+"\n"))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { h.file(t, h.owner, doc{"title": "Zettel", "upload_id": file.ID}) })
			all.Go(func() {
				d := h.file(t, h.owner, doc{"title": "Xerox", "upload_id": file.ID})
				h.owner.For(t).Want(200, "PATCH", path("documents", d.ID), doc{"upload_id": nil})
			})
		}
		all.Wait()
	}
	h.looked(t)
	if found := list[document.Document](t, h.owner.Want(200, "GET", "/api/documents/?limit=200&q=radiator", nil)); len(found.Items) != 80 {
		t.Errorf("found %d of 80", len(found.Items))
	}
}
