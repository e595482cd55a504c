package document_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

func TestADocumentKeepsWhatItWasGiven(t *testing.T) {
	h := open(t)
	id, file, images := newID(), h.uploaded(t, h.owner, "application/pdf"), []string{h.uploaded(t, h.owner, "image/png").String(), h.uploaded(t, h.owner, "image/jpeg").String()}
	task, contractor, equipment := h.refs.task(h.home), h.refs.contractor(uuid.Nil), h.installed(t, h.home)
	fields := doc{
		"id": id.String(), "residence_id": h.home.String(), "title": "Furnace warranty", "description": "ten years", "document_type": "warranty", "upload_id": file.String(),
		"is_active": false, "contractor_id": contractor.String(), "task_id": task.String(), "equipment_id": equipment.String(), "item_name": "Furnace", "model_number": "AB-12C",
		"serial_number": "7", "provider": "Heat & Co", "provider_contact": "Ada", "claim_phone": "+49 30 1", "claim_email": "claims@example.com",
		"claim_website": "https://example.com", "purchase_date": "2026-01-01", "start_date": "2026-01-02", "end_date": "2026-03-20", "price": "12.50",
	}
	got := testkit.JSON[doc](t, h.owner.Want(201, "POST", "/api/documents/", with(fields, doc{"image_ids": append(images, images[0]), "title": "  Furnace warranty "})))
	for field, want := range with(fields, doc{"version": 1.0, "created_by_id": h.owner.Actor.UserID.String(), "days_until_expiry": 10.0}) {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	if fmt.Sprint(got["image_ids"]) != fmt.Sprint(images) { // each once
		t.Errorf("images %v, want %v", got["image_ids"], images)
	}
	h.owner.Want(200, "POST", "/api/documents/", with(fields, doc{"task_id": nil, "title": "again"}))
	h.member.Refused(409, "id_taken", "POST", "/api/documents/", with(fields, doc{"upload_id": nil, "contractor_id": nil, "task_id": nil}))
	h.stranger.Refused(409, "id_taken", "POST", "/api/documents/", doc{"id": id, "residence_id": h.elsewhere, "title": "x"})
	if other := testkit.JSON[document.Document](t, h.owner.Want(201, "POST", "/api/documents/", doc{"residence_id": h.home, "title": "x", "description": " ", "document_type": nil, "is_active": nil})); other.DocumentType != "general" ||
		!other.IsActive || other.Description != nil || other.ImageIDs == nil || other.DaysUntilExpiry != nil {
		t.Errorf("defaults %+v", other)
	}

	patched := testkit.JSON[document.Document](t, h.member.Want(200, "PATCH", path("documents", id), doc{"description": nil, "price": "0", "provider": " ", "is_active": true, "end_date": "2026-03-10"}))
	if patched.Description != nil || *patched.Price != 0 || patched.Provider != nil || !patched.IsActive || patched.Version != 2 || *patched.DaysUntilExpiry != 0 || *patched.ItemName != "Furnace" || *patched.TaskID != task {
		t.Errorf("patched %+v", patched)
	}
	put := testkit.JSON[document.Document](t, h.member.Want(200, "PUT", path("documents", id), doc{"residence_id": h.home, "title": "Plain"}))
	if put.UploadID != nil || len(put.ImageIDs) != 0 || put.DocumentType != "general" || put.EndDate != nil || put.TaskID != nil || put.Version != 3 {
		t.Errorf("replaced %+v", put)
	}
	h.owner.Refused(412, "version_conflict", "PATCH", path("documents", id), doc{"title": "z"}, "If-Match", `"2"`)
	h.owner.Refused(412, "version_conflict", "DELETE", path("documents", id), nil, "If-Match", `"2"`)
	h.owner.Want(200, "PATCH", path("documents", id), doc{"title": "z"}, "If-Match", `"3"`)
	h.owner.Want(204, "DELETE", path("documents", id), nil, "If-Match", `"4"`)
	h.owner.Refused(404, "not_found", "GET", path("documents", id), nil)

	var told []string
	for _, raw := range h.Outbox(t, "document.changed") {
		var e events.DocumentRef
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if e.ID == id {
			told = append(told, fmt.Sprint(e.Change, e.Version, e.Type, e.EndDate, e.ItemName, e.IsActive, e.ResidenceID == h.home))
		}
	}
	want := []string{"created1warranty2026-03-20Furnacefalse true", "changed2warranty2026-03-10Furnacetrue true", "changed3generaltrue true", "changed4generaltrue true", "deleted5generaltrue true"}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%q\nwant\n%q", told, want)
	}
}

func TestWhoMayDoWhatWithDocuments(t *testing.T) {
	h := open(t)
	d := h.file(t, h.member, nil)
	image := h.uploaded(t, h.owner, "image/png")
	body := doc{"residence_id": h.home, "title": "x"}
	writes := []struct {
		method, path string
		body         any
	}{
		{"PUT", path("documents", d.ID), body},
		{"PATCH", path("documents", d.ID), doc{"title": "x"}},
		{"DELETE", path("documents", d.ID), nil},
		{"POST", path("documents", d.ID, "activate"), nil},
		{"POST", path("documents", d.ID, "deactivate"), nil},
		{"POST", path("documents", d.ID, "images"), doc{"upload_id": image}},
		{"DELETE", path("documents", d.ID, "images", image.String()), nil},
	}
	for _, w := range writes {
		h.viewer.Refused(403, "not_permitted", w.method, w.path, w.body)
		mine := w.body
		if w.method == "PUT" {
			mine = doc{"residence_id": h.elsewhere, "title": "x"}
		}
		h.stranger.Refused(404, "not_found", w.method, w.path, mine)
		h.stranger.Refused(404, "not_found", w.method, strings.Replace(w.path, d.ID.String(), newID().String(), 1), mine)
	}
	h.viewer.Refused(403, "not_permitted", "POST", "/api/documents/", body)
	h.stranger.Refused(404, "not_found", "POST", "/api/documents/", body)
	h.stranger.Refused(404, "not_found", "GET", path("documents", d.ID), nil)
	h.stranger.Refused(404, "not_found", "GET", "/api/documents/?residence_id="+h.home.String(), nil)
	h.stranger.Refused(404, "not_found", "GET", "/api/documents/warranties/?residence_id="+h.home.String(), nil)
	if got := list[document.Document](t, h.stranger.Want(200, "GET", "/api/documents/?q=furnace", nil)); len(got.Items) != 0 {
		t.Errorf("a stranger finds %+v", got)
	}
	h.viewer.Want(200, "GET", path("documents", d.ID), nil)
	h.AsNobody(t).Refused(401, "authentication_required", "GET", "/api/documents/", nil)
}

func TestWhatIsNotValidInADocument(t *testing.T) {
	h := open(t)
	base := doc{"residence_id": h.home, "title": "x"}
	d := h.file(t, h.owner, doc{"start_date": "2026-02-01"})
	theirs, pdf := h.uploaded(t, h.stranger, "image/png"), h.uploaded(t, h.owner, "application/pdf")
	member := h.uploaded(t, h.member, "image/png") // nothing names it yet: the member's alone
	many := make([]uuid.UUID, 21)
	for i := range many {
		many[i] = newID()
	}
	for name, c := range map[string]struct {
		body doc
		at   string
	}{
		"blank title":              {doc{"title": "  "}, "body.title"},
		"long title":               {doc{"title": strings.Repeat("x", 201)}, "body.title"},
		"unknown type":             {doc{"document_type": "poem"}, "body.document_type"},
		"address":                  {doc{"claim_email": "nobody"}, "body.claim_email"},
		"website and phone":        {doc{"claim_website": "javascript:alert(1)", "claim_phone": "x"}, "body.claim_phone body.claim_website"},
		"negative price":           {doc{"price": "-1"}, "body.price"},
		"no such day":              {doc{"end_date": "2026-02-30"}, "body.end_date"},
		"ends before it starts":    {doc{"start_date": "2026-02-01", "end_date": "2026-01-31"}, "body.end_date"},
		"ends before it is bought": {doc{"purchase_date": "2026-02-01", "end_date": "2026-01-31"}, "body.end_date"},
		"no such file":             {doc{"upload_id": newID()}, "body.upload_id"},
		"somebody else's file":     {doc{"upload_id": theirs}, "body.upload_id"},
		"a member's own file":      {doc{"upload_id": member}, "body.upload_id"},
		"somebody else's image":    {doc{"image_ids": []uuid.UUID{theirs}}, "body.image_ids"},
		"no image":                 {doc{"image_ids": []uuid.UUID{pdf}}, "body.image_ids"},
		"too many images":          {doc{"image_ids": many}, "body.image_ids"},
		"all that could be named":  {doc{"task_id": newID(), "contractor_id": newID(), "equipment_id": newID(), "upload_id": newID()}, "body.contractor_id body.equipment_id body.task_id body.upload_id"},
		"things of elsewhere": {doc{"task_id": h.refs.task(h.elsewhere), "contractor_id": h.refs.contractor(h.elsewhere), "equipment_id": h.installed(t, h.elsewhere)},
			"body.contractor_id body.equipment_id body.task_id"},
	} {
		t.Run(name, func(t *testing.T) {
			a := h.owner.For(t).Refused(422, "validation_failed", "POST", "/api/documents/", with(base, c.body))
			if got := locations(t, a); got != c.at {
				t.Errorf("at %q, want %q: %s", got, c.at, a.Body)
			}
			a = h.owner.For(t).Refused(422, "validation_failed", "PATCH", path("documents", d.ID), c.body)
			if got := locations(t, a); got != c.at {
				t.Errorf("patched at %q, want %q: %s", got, c.at, a.Body)
			}
		})
	}
	missing, other := h.owner.Call("POST", "/api/documents/", with(base, doc{"upload_id": newID()})), h.owner.Call("POST", "/api/documents/", with(base, doc{"upload_id": theirs}))
	message := func(a testkit.Answer) string {
		return testkit.JSON[struct{ Errors []struct{ Message string } }](t, a).Errors[0].Message
	}
	if message(missing) != message(other) {
		t.Errorf("missing and somebody else's are told apart: %s %s", missing.Body, other.Body)
	}
	h.owner.Refused(422, "validation_failed", "PATCH", path("documents", d.ID), doc{"end_date": "2026-01-31"}) // before the start that it has
	h.owner.Refused(422, "validation_failed", "PATCH", path("documents", d.ID), doc{"title": nil})
	h.owner.Refused(422, "validation_failed", "POST", "/api/documents/", with(base, doc{"id": uuid.Nil}))
	for _, query := range []string{"expiring_within_days=-1", "expiring_within_days=3651", "expiring_within_days=x", "is_active=perhaps", "document_type=poem", "limit=0", "q=" + strings.Repeat("x", 201)} {
		h.owner.Refused(422, "validation_failed", "GET", "/api/documents/?"+query, nil)
	}
	if got := h.readDocument(t, d.ID); got.Version != 1 {
		t.Errorf("something was written: %+v", got)
	}
}

func TestImagesOfADocument(t *testing.T) {
	h := open(t)
	d := h.file(t, h.owner, nil)
	images := make([]uuid.UUID, 21)
	for i := range images {
		images[i] = h.uploaded(t, h.owner, "image/webp")
	}
	at := path("documents", d.ID, "images")
	h.owner.Want(200, "POST", at, doc{"upload_id": images[2]})
	got := testkit.JSON[document.Document](t, h.owner.Want(200, "POST", at, doc{"upload_ids": []uuid.UUID{images[1], images[2], images[1], images[0]}}))
	if !slices.Equal(got.ImageIDs, []uuid.UUID{images[2], images[1], images[0]}) || got.Version != 3 {
		t.Errorf("images %+v", got)
	}
	again := testkit.JSON[document.Document](t, h.owner.Want(200, "POST", at, doc{"upload_ids": []uuid.UUID{images[0]}}))
	if again.Version != 3 || len(h.Outbox(t, "document.changed")) != 3 {
		t.Errorf("the same again wrote %+v", again)
	}
	// A member sees what the document names, and may name it too.
	other := h.file(t, h.member, doc{"upload_id": images[0], "image_ids": images[1:2]})
	if a := h.owner.Refused(422, "validation_failed", "POST", at, doc{"upload_ids": images}); locations(t, a) != "body.upload_ids" {
		t.Errorf("too many: %s", a.Body)
	}
	if a := h.owner.Refused(422, "validation_failed", "POST", at, doc{"upload_ids": images[3:]}); locations(t, a) != "body.upload_ids" {
		t.Errorf("more than 20 in all: %s", a.Body)
	}
	h.owner.Want(200, "POST", at, doc{"upload_ids": images[3:20]})
	for _, body := range []doc{{"upload_ids": []uuid.UUID{newID()}}, {"upload_id": h.uploaded(t, h.stranger, "image/png")}, {"upload_id": h.uploaded(t, h.owner, "text/plain")}, {}} {
		if a := h.owner.Refused(422, "validation_failed", "POST", path("documents", other.ID, "images"), body); locations(t, a) != "body.upload_ids" {
			t.Errorf("%v: %s", body, a.Body)
		}
	}
	h.owner.Refused(412, "version_conflict", "DELETE", at+images[0].String()+"/", nil, "If-Match", `"3"`)
	h.owner.Want(204, "DELETE", at+images[1].String()+"/", nil, "If-Match", `"4"`)
	h.owner.Refused(404, "not_found", "DELETE", at+images[1].String()+"/", nil)
	if left := h.readDocument(t, d.ID).ImageIDs; len(left) != 19 || slices.Contains(left, images[1]) {
		t.Errorf("left %v", left)
	}
}

func TestUploadThatGoesWhileItIsNamed(t *testing.T) {
	h := open(t)
	for range 5 {
		image := h.uploaded(t, h.owner, "image/png")
		tx, err := h.DB.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `DELETE FROM uploads WHERE id = $1`, image); err != nil {
			t.Fatal(err)
		}
		answer := make(chan testkit.Answer)
		go func() {
			answer <- h.owner.Call("POST", "/api/documents/", doc{"residence_id": h.home, "title": "x", "image_ids": []uuid.UUID{image}})
		}()
		testkit.Eventually(t, "the document waits for the collector", func() bool {
			var waiting int
			err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&waiting)
			return err == nil && waiting > 0
		})
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := <-answer; a.Status != 422 || locations(t, a) != "body.image_ids" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
}

func TestADocumentMoves(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	h.homes.Give(h.member.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "viewer", Timezone: "UTC"})
	image := h.uploaded(t, h.owner, "image/png")
	d := h.file(t, h.owner, doc{"image_ids": []uuid.UUID{image}, "task_id": h.refs.task(h.home), "contractor_id": h.refs.contractor(h.home), "equipment_id": h.installed(t, h.home)})
	before := h.viewer.Want(200, "GET", "/api/documents/", nil).Header.Get("ETag")
	h.member.Refused(403, "not_permitted", "PATCH", path("documents", d.ID), doc{"residence_id": second})
	h.viewer.Refused(404, "not_found", "PATCH", path("documents", d.ID), doc{"residence_id": second})
	a := h.owner.Refused(422, "validation_failed", "PATCH", path("documents", d.ID), doc{"residence_id": second})
	if got := locations(t, a); got != "body.contractor_id body.equipment_id body.task_id" {
		t.Errorf("refused at %s", got)
	}
	task := h.refs.task(second)
	moved := testkit.JSON[document.Document](t, h.owner.Want(200, "PATCH", path("documents", d.ID), doc{"residence_id": second, "task_id": task, "contractor_id": nil, "equipment_id": h.installed(t, second)}))
	if moved.ResidenceID != second || *moved.TaskID != task || !slices.Equal(moved.ImageIDs, []uuid.UUID{image}) {
		t.Errorf("moved %+v", moved)
	}
	h.viewer.Refused(404, "not_found", "GET", path("documents", d.ID), nil)
	h.viewer.Want(200, "GET", "/api/documents/", nil, "If-None-Match", before)
	h.member.Want(200, "GET", path("documents", d.ID), nil)
	var claimed uuid.UUID
	if err := h.DB.QueryRow(t.Context(), `SELECT residence_id FROM claims WHERE upload_id = $1`, image).Scan(&claimed); err != nil || claimed != second {
		t.Errorf("the image is %s's (%v)", claimed, err)
	}
	var e events.DocumentRef
	told := h.Outbox(t, "document.changed")
	if err := json.Unmarshal(told[len(told)-1], &e); err != nil || e.PreviousResidenceID != h.home || e.ResidenceID != second {
		t.Errorf("told %+v (%v)", e, err)
	}
}

func TestDocumentsAreListedNewestFirst(t *testing.T) {
	h := open(t)
	second := newID()
	h.homes.Give(h.owner.Actor.UserID, internalapi.Home{ID: second, OwnerID: h.owner.Actor.UserID, Role: "owner", Timezone: "UTC"})
	task, contractor, equipment := h.refs.task(h.home), h.refs.contractor(uuid.Nil), h.installed(t, h.home)
	for _, more := range []doc{
		{"title": "a", "document_type": "receipt", "task_id": task},
		{"title": "b", "contractor_id": contractor, "end_date": "2026-03-09"},
		{"title": "c", "residence_id": second, "end_date": "2026-03-10"},
		{"title": "d", "is_active": false, "end_date": "2026-03-17"},
		{"title": "e", "equipment_id": equipment, "end_date": "2026-03-18"},
	} {
		h.file(t, h.owner, more)
		h.Clock.Advance(time.Second)
	}
	titles := func(query string) (out string) {
		t.Helper()
		for next := ""; ; {
			page := list[document.Document](t, h.owner.Want(200, "GET", "/api/documents/?limit=2&"+query+"&cursor="+next, nil))
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
		"": "edcba", "residence_id=" + second.String(): "c", "document_type=receipt": "a", "is_active=true": "ecba", "is_active=false": "d",
		"expiring_within_days=0": "c", "expiring_within_days=7": "dc", "expiring_within_days=8": "edc", "contractor_id=" + contractor.String(): "b",
		"task_id=" + task.String(): "a", "equipment_id=" + equipment.String(): "e", "task_id=" + newID().String(): "",
	} {
		if got := titles(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	h.owner.Refused(422, "invalid_cursor", "GET", "/api/documents/?cursor=x", nil)
}

func TestWhatEndsChangesWithTheDay(t *testing.T) {
	h := open(t)
	h.file(t, h.owner, doc{"end_date": "2026-03-11"})
	h.settle(t)
	a := h.owner.Want(200, "GET", "/api/documents/", nil)
	etag := a.Header.Get("ETag")
	if again := h.owner.Want(304, "GET", "/api/documents/", nil, "If-None-Match", etag); sqlTrips(again) != 0 {
		t.Error("304 took SQL")
	}
	one := list[document.Document](t, a).Items[0]
	single := h.owner.Want(200, "GET", path("documents", one.ID), nil).Header.Get("ETag")
	h.owner.Want(304, "GET", path("documents", one.ID), nil, "If-None-Match", single)
	h.owner.Want(200, "GET", "/api/documents/?expiring_within_days=0", nil, "If-None-Match", etag)

	h.owner.Actor.Zone = "Pacific/Kiritimati" // it is the 11th there already
	if got := list[document.Document](t, h.owner.Want(200, "GET", "/api/documents/?expiring_within_days=0", nil, "If-None-Match", etag)).Items; len(got) != 1 || *got[0].DaysUntilExpiry != 0 {
		t.Errorf("there %+v", got)
	}
	h.owner.Want(200, "GET", path("documents", one.ID), nil, "If-None-Match", single)
	h.owner.Actor.Zone = "UTC"
	h.Clock.Advance(48 * time.Hour)
	got := testkit.JSON[document.Document](t, h.owner.Want(200, "GET", path("documents", one.ID), nil, "If-None-Match", single))
	if *got.DaysUntilExpiry != -1 || got.Version != 1 {
		t.Errorf("two days later %+v", got)
	}
	h.owner.Want(200, "PATCH", path("documents", one.ID), doc{"title": "x"}, "If-Match", got.ETag())
}

func TestManyChangeADocumentAtOnce(t *testing.T) {
	h := open(t)
	d := h.file(t, h.owner, nil)
	h.member.Want(200, "GET", "/api/documents/", nil)
	images := make([]uuid.UUID, 12)
	for i := range images {
		images[i] = h.uploaded(t, h.owner, "image/png")
	}
	var group sync.WaitGroup
	answers := make([]testkit.Answer, len(images))
	for i, image := range images {
		group.Go(func() { answers[i] = h.owner.Call("POST", path("documents", d.ID, "images"), doc{"upload_id": image}) })
	}
	group.Wait()
	added := 0
	for _, a := range answers {
		switch a.Status {
		case 200:
			added++
		case 409: // it gave way to the others
		default:
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if got := h.readDocument(t, d.ID); len(got.ImageIDs) != added || got.Version != 1+added || added == 0 {
		t.Errorf("%d were added: %+v", added, got)
	}
	// With the version that all have read, one of them wins.
	version := fmt.Sprintf(`"%d"`, 1+added)
	won := 0
	for i := range answers {
		group.Go(func() {
			answers[i] = h.member.Call("PATCH", path("documents", d.ID), doc{"title": fmt.Sprint(i)}, "If-Match", version)
		})
	}
	group.Wait()
	for _, a := range answers {
		if a.Status == 200 {
			won++
		} else if a.Status != 412 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if won != 1 {
		t.Errorf("%d have won", won)
	}
}

func TestTheSameDocumentManyTimesAtOnce(t *testing.T) {
	h := open(t)
	id := newID()
	var group sync.WaitGroup
	answers := make([]testkit.Answer, 20)
	for i := range answers {
		group.Go(func() {
			answers[i] = h.owner.Call("POST", "/api/documents/", doc{"id": id, "residence_id": h.home, "title": "x"})
		})
	}
	group.Wait()
	counts := map[int]int{}
	for _, a := range answers {
		counts[a.Status]++
	}
	if counts[201] != 1 || counts[200] != 19 || len(h.Outbox(t, "document.changed")) != 1 {
		t.Errorf("answers %v", counts)
	}
}
