package document_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

func TestWhatAResidenceHasOnPaper(t *testing.T) {
	h := open(t)
	add := func(path string, more doc) {
		t.Helper()
		h.owner.Want(201, "POST", path, with(doc{"residence_id": h.home}, more))
	}
	add("/api/equipment/", doc{"name": "Furnace", "manufacturer": "Lennox", "model_number": "SL280V", "serial_number": "5913", "location": "Basement",
		"purchase_price": "4200", "purchase_date": "2014-01-01", "install_date": "2014-02-28", "expected_life_years": 20})
	add("/api/equipment/", doc{"name": "dishwasher", "purchase_date": "2016-02-29", "expected_life_years": 5})
	add("/api/equipment/", doc{"name": "Sold", "removed_date": "2026-03-10"})
	add("/api/equipment/", doc{"name": "To go", "removed_date": "2026-03-11"})
	add("/api/documents/", doc{"title": "Expired", "document_type": "warranty", "end_date": "2025-01-01", "is_active": true})
	add("/api/documents/", doc{"title": "Boiler warranty", "document_type": "warranty", "item_name": "Boiler", "model_number": "X", "serial_number": "9", "provider": "Vaillant",
		"provider_contact": "Ada", "claim_phone": "+1 503 555 0142", "claim_email": "claims@example.com", "claim_website": "https://example.com", "start_date": "2024-01-01",
		"purchase_date": "2023-12-24", "end_date": "2029-10-01", "price": "12.50"})
	add("/api/documents/", doc{"title": "Roof for life", "document_type": "warranty"})
	add("/api/documents/", doc{"title": "Put away", "document_type": "warranty", "is_active": false})
	add("/api/documents/", doc{"title": "Fire insurance", "document_type": "insurance", "provider": "Helvetia", "start_date": "2026-01-01", "end_date": "2026-12-31"})
	add("/api/documents/", doc{"title": "Deed"})
	h.stranger.Want(201, "POST", "/api/documents/", doc{"residence_id": h.elsewhere, "title": "Theirs", "document_type": "warranty"})

	part := h.AsPart(t, "task")
	a := part.Want(200, "POST", "/internal/residence-papers", internalapi.PapersQuery{ResidenceID: h.home, On: day.Must("2026-03-10")})
	if trips(a) != 1 {
		t.Errorf("%d round trips", trips(a))
	}
	p := testkit.JSON[internalapi.Papers](t, a)
	var told []string
	for _, e := range p.Equipment {
		told = append(told, fmt.Sprint(e.Name, " ", e.ReplaceBy))
	}
	for _, w := range p.Warranties {
		told = append(told, fmt.Sprint(w.Item, " ", w.EndDate, " ", w.IsActive))
	}
	for _, d := range p.Documents {
		told = append(told, fmt.Sprint(d.DocumentType, " ", d.Title, " ", d.EndDate))
	}
	want := "dishwasher 2021-02-28, Furnace 2034-02-28, To go <nil>, Roof for life <nil> true, Boiler 2029-10-01 true, Expired 2025-01-01 true, Put away <nil> false, " +
		"general Deed <nil>, insurance Fire insurance 2026-12-31"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
	if p.AllEquipment != 3 || p.AllWarranties != 4 || p.AllDocuments != 2 {
		t.Errorf("in all %d, %d, %d", p.AllEquipment, p.AllWarranties, p.AllDocuments)
	}
	raw, err := json.Marshal([]any{p.Equipment[1], p.Warranties[1]})
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{
		`"manufacturer":"Lennox"`, `"model_number":"SL280V"`, `"serial_number":"5913"`, `"location":"Basement"`, `"purchase_price":"4200.00"`, `"install_date":"2014-02-28"`,
		`"provider":"Vaillant"`, `"contact":"Ada"`, `"claim_phone":"+1 503 555 0142"`, `"claim_email":"claims@example.com"`, `"claim_website":"https://example.com"`,
		`"start_date":"2024-01-01"`, `"purchase_date":"2023-12-24"`, `"price":"12.50"`,
	} {
		if !strings.Contains(string(raw), member) {
			t.Errorf("it does not say %s: %s", member, raw)
		}
	}
	empty := part.Want(200, "POST", "/internal/residence-papers", internalapi.PapersQuery{ResidenceID: anID(), On: day.Must("2026-03-10")})
	if got := string(empty.Body); !strings.HasPrefix(got, `{"equipment":[],"warranties":[],"documents":[],`) {
		t.Errorf("of nothing it says %s", got)
	}
	part.Refused(422, "validation_failed", "POST", "/internal/residence-papers", doc{"residence_id": h.home})
	part.Refused(422, "validation_failed", "POST", "/internal/residence-papers", doc{"on": "2026-03-10"})
}

func TestPapersHaveALimit(t *testing.T) {
	h := open(t)
	if _, err := h.DB.Exec(t.Context(), `
		INSERT INTO documents (id, residence_id, created_by_id, title, document_type, created_at, updated_at)
		SELECT gen_random_uuid(), $1, $2, 'n' || n, CASE WHEN n % 2 = 0 THEN 'warranty' ELSE 'receipt' END, now(), now() FROM generate_series(1, 2004) n`,
		h.home, h.owner.Actor.UserID); err != nil {
		t.Fatal(err)
	}
	p, err := h.Calls.Document(h.URL).Papers(t.Context(), internalapi.PapersQuery{ResidenceID: h.home, On: day.Must("2026-03-10")})
	if err != nil || len(p.Warranties) != 1000 || p.AllWarranties != 1002 || len(p.Documents) != 1000 || p.AllDocuments != 1002 {
		t.Errorf("%d of %d, %d of %d, %v", len(p.Warranties), p.AllWarranties, len(p.Documents), p.AllDocuments, err)
	}
}
