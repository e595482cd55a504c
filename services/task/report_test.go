package task_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ledongthuc/pdf"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/testkit"
)

var between = regexp.MustCompile(`\n+`)

// textOf is what a PDF says; signs beyond Latin letters come out as others.
func textOf(t *testing.T, a testkit.Answer) string {
	t.Helper()
	if got := a.Header.Get("Content-Type"); got != "application/pdf" {
		t.Fatalf("it is %s: %s", got, a.Body)
	}
	doc, err := pdf.NewReader(bytes.NewReader(a.Body), int64(len(a.Body)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range doc.NumPage() {
		text, err := doc.Page(i + 1).GetPlainText(nil)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(text)
	}
	return between.ReplaceAllString(strings.ReplaceAll(b.String(), "\u00a0", " "), "|")
}

func says(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, w := range wanted {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q: %s", w, text)
		}
	}
}

func tasksReport(home uuid.UUID) string   { return path("residences", home, "generate-tasks-report") }
func historyReport(home uuid.UUID) string { return path("residences", home, "generate-history-report") }

func (h house) know(t *testing.T, who *testkit.Client, first, locale string) {
	t.Helper()
	testkit.Deliver(t, h.Service, events.UserRegistered, events.User{ID: who.Actor.UserID, Username: strings.ToLower(first), FirstName: first, LastName: "Tester", Locale: locale, Version: 1})
}

func (h house) done(t *testing.T, task uuid.UUID, at string, more doc) {
	t.Helper()
	h.owner.Want(201, "POST", "/api/task-completions/", with(doc{"task_id": task, "completed_at": at}, more))
}

func TestTasksReport(t *testing.T) {
	h := open(t)
	h.know(t, h.owner, "Ada", "de-DE")
	h.know(t, h.member, "Sam", "en-US")
	rosa := testkit.JSON[struct{ ID uuid.UUID }](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Rosa", "company": "Becker", "residence_id": h.home})).ID
	secret := testkit.JSON[struct{ ID uuid.UUID }](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Personal Pete", "company": "Pete and Sons"})).ID
	h.add(t, h.owner, doc{"title": "Late one", "due_date": "2026-03-09", "estimated_cost": "12.50", "category_id": plumbing, "assigned_to_id": nil})
	h.add(t, h.owner, doc{"title": "Soon one", "due_date": "2026-04-09"})
	h.add(t, h.owner, doc{"title": "Far one", "due_date": "2026-04-10"})
	begun := h.add(t, h.owner, doc{"title": "Begun one"})
	h.owner.Want(200, "POST", path("tasks", begun.ID, "mark-in-progress"), nil)
	given := h.add(t, h.owner, doc{"title": "Dropped one"})
	h.owner.Want(200, "POST", path("tasks", given.ID, "cancel"), nil)
	once := h.add(t, h.owner, doc{"title": "Boiler serviced", "due_date": "2026-03-01", "estimated_cost": "240"})
	h.done(t, once.ID, "2026-03-01T10:00:00Z", doc{"actual_cost": "189.90", "notes": "Pressure set", "rating": 4, "contractor_id": rosa})
	hidden := h.add(t, h.owner, doc{"title": "Put away"})
	h.done(t, hidden.ID, "2026-02-01T10:00:00Z", doc{"actual_cost": "10.10", "contractor_id": secret, "notes": strings.Repeat("long ", 500)})
	h.owner.Want(200, "POST", path("tasks", hidden.ID, "archive"), nil)
	old := h.add(t, h.owner, doc{"title": "Long ago"})
	h.done(t, old.ID, "2024-02-01T10:00:00Z", doc{"actual_cost": "1000"})

	a := h.owner.Want(200, "POST", tasksReport(h.home), nil)
	text := textOf(t, a)
	says(t, text, "Maple Street 12|", "12 Maple Street|", "Graz|", "Austria|", "11 Mar 2025", "10 Mar 2026", "Ada Tester", "Overdue|1 task|", "Late one|Plumbing|9 Mar 2026|",
		"est. 12,50", "In progress|1 task|", "Begun one|", "Due soon|1 task|", "Soon one|", "Upcoming|1 task|", "Far one|", "Completed|2 tasks|", "Boiler serviced|1 Mar 2026|189,90", "Cancelled|1 task|", "Dropped one|",
		"Pressure set|", "Contractor: Rosa, Becker", "Put away|", "Contractor: Personal Pete, Pete and Sons", "(shortened)", "200,00", "page 1 of")
	if !strings.Contains(text, "Long ago|1 Feb 2024|1.000,00") || strings.Contains(text, "1.200,00") { // with 200,00 in the period
		t.Errorf("it counts what was done before the period: %s", text)
	}
	if d, n := a.Header.Get("Content-Disposition"), a.Header.Get("X-Content-Type-Options"); d != `attachment; filename=maple-street-12-tasks-2026-03-10.pdf` || n != "nosniff" {
		t.Errorf("headers %q, %q", d, n)
	}
	if sqlTrips(a) != 1 {
		t.Errorf("it takes %d round trips", sqlTrips(a))
	}
	members := textOf(t, h.member.Want(200, "POST", tasksReport(h.home), doc{"paper": "letter"}))
	says(t, members, "Sam Tester", "Mar 10, 2026", "Contractor: Personal Pete")
	if strings.Contains(members, "Pete and Sons") {
		t.Error("a member reads more than the name of a contractor that is somebody else's own")
	}
	years := textOf(t, h.viewer.Want(200, "POST", tasksReport(h.home), doc{"from": "2024-01-01", "to": "2024-12-31"}))
	says(t, years, "1,000.00", "Long ago|", "1 Jan 2024")
	if strings.Contains(years, "Pressure set") {
		t.Error("it tells of what was done after the period")
	}
}

func TestTodayIsTheResidencesInAReport(t *testing.T) {
	h := open(t)
	h.Clock.Advance(11*60*60*1e9 + 30*60*1e9) // 23:30 UTC: tomorrow in Berlin
	h.done(t, h.add(t, h.owner, doc{"title": "At night"}).ID, "2026-03-10T23:10:00Z", nil)
	h.add(t, h.owner, doc{"title": "Due on the tenth", "due_date": "2026-03-10"})
	text := textOf(t, h.owner.Want(200, "POST", tasksReport(h.home), nil))
	says(t, text, "11 Mar 2026", "Overdue|1 task|", "At night|")
	h.owner.Want(200, "POST", tasksReport(h.home), doc{"from": "2026-03-11"})
	h.owner.Refused(422, "validation_failed", "POST", tasksReport(h.home), doc{"from": "2026-03-12"})
}

func TestHistoryReport(t *testing.T) {
	h := open(t)
	h.know(t, h.viewer, "Vera", "en")
	rosa := testkit.JSON[struct{ ID uuid.UUID }](t, h.owner.Want(201, "POST", "/api/contractors/", doc{"name": "Rosa", "company": "Becker", "residence_id": h.home})).ID
	yearly := h.add(t, h.owner, doc{"title": "Sweep the chimney", "frequency_id": monthly, "due_date": "2024-01-01"})
	furnace := newID()
	replaceBy, ends, ended, price := day.Must("2040-02-01"), day.Must("2027-01-31"), day.Must("2026-03-09"), money.Amount(129900)
	installed := day.Must("2020-02-01")
	h.documents.Keep(h.home, internalapi.Papers{
		Equipment: []internalapi.PaperEquipment{
			{ID: furnace, Name: "Furnace", Manufacturer: "Lennox", ModelNumber: "SL280V", SerialNumber: "5913", Location: "Basement", InstallDate: &installed, ReplaceBy: &replaceBy},
			{ID: newID(), Name: "Fridge", PurchaseDate: &installed},
		},
		Warranties: []internalapi.PaperWarranty{
			{Item: "Furnace", Provider: "Lennox Inc", ClaimPhone: "+1 503 555 0142", ClaimEmail: "claims@example.com", EndDate: &ends, Price: &price, IsActive: true},
			{Item: "Fridge", EndDate: &ended, IsActive: true}, {Item: "Roof", IsActive: true}, {Item: "Sold", IsActive: false},
		},
		Documents:    []internalapi.Paper{{Title: "Fire insurance", DocumentType: "insurance", AddedAt: time.Date(2026, 1, 1, 23, 30, 0, 0, time.UTC), IsActive: true}},
		AllEquipment: 2, AllWarranties: 4, AllDocuments: 1001,
	})
	for _, at := range []string{"2024-01-02T10:00:00Z", "2025-01-02T10:00:00Z", "2025-12-31T23:30:00Z"} { // the last is 2026 in Berlin
		h.done(t, yearly.ID, at, doc{"actual_cost": "50.25", "contractor_id": rosa})
	}
	if _, err := h.DB.Exec(t.Context(), `UPDATE completions SET equipment_id = $1 WHERE completed_at < timestamptz '2025-06-01'`, furnace); err != nil {
		t.Fatal(err)
	}
	a := h.viewer.Want(200, "POST", historyReport(h.home), nil)
	says(t, textOf(t, a), "HOME HISTORY|", "Vera Tester", "Total 2026|", "Total 2025|", "Total 2024|", "Sweep the chimney|", "Rosa|Becker|3|", "150.75",
		"Furnace|Basement|Lennox|SL280V|No. 5913|1 Feb 2020|6 years|1 Feb 2040|", "100.50|2 works|", "Fridge|1 Feb 2020|bought, 6 years|", "warranties in force", "Furnace|for", "1,299.00|Lennox Inc|+1 503 555 0142|claims@example.com|31 Jan 2027|Active|",
		"Fridge|9 Mar 2026|Expired|", "Roof|for life|Active|", "Sold|for life|Put away|", "Fire insurance|Insurance|2 Jan 2026|", "1 document of 1,001")
	if n := sqlTrips(h.viewer.Want(200, "POST", historyReport(h.home), nil)); n != 1 {
		t.Errorf("it takes %d round trips", n)
	}
	h.documents.Break(true)
	h.viewer.Refused(503, "service_unavailable", "POST", historyReport(h.home), nil)
	h.viewer.Want(200, "POST", tasksReport(h.home), nil) // says nothing of papers
	h.documents.Break(false)
	h.owner.Want(204, "DELETE", path("contractors", rosa), nil)
	says(t, textOf(t, h.viewer.Want(200, "POST", historyReport(h.home), nil)), "Contractors|", "Rosa|3|", "150.75")
	if d := a.Header.Get("Content-Disposition"); d != `attachment; filename=maple-street-12-history-2026-03-10.pdf` {
		t.Errorf("it is called %q", d)
	}
}

func TestWhoMayNotHaveAReport(t *testing.T) {
	h := open(t)
	for _, address := range []string{tasksReport(h.home), historyReport(h.home)} {
		for _, body := range []any{nil, doc{}, doc{"email": true}} {
			h.stranger.Refused(404, "not_found", "POST", address, body)
		}
		h.AsNobody(t).Refused(401, "authentication_required", "POST", address, nil)
		h.owner.Refused(422, "validation_failed", "POST", address, doc{"paper": "a5"})
		h.owner.Refused(422, "validation_failed", "POST", address, doc{"email": "yes"})
		h.owner.Refused(422, "validation_failed", "POST", address, doc{"ink": "blue"})
	}
	h.owner.Refused(404, "not_found", "POST", tasksReport(newID()), nil)
	for _, body := range []doc{
		{"from": "2026-03-11"}, {"from": "2026-02-02", "to": "2026-02-01"}, {"from": "2016-03-10", "to": "2026-03-10"}, {"from": "2026-02-30"},
		{"from": "2026-03-11", "email": true},
	} {
		a := h.owner.Refused(422, "validation_failed", "POST", tasksReport(h.home), body)
		if !strings.Contains(string(a.Body), `"location":"body.from"`) {
			t.Errorf("%v: %s", body, a.Body)
		}
	}
	h.owner.Want(200, "POST", tasksReport(h.home), doc{"from": "2016-03-11", "to": "2026-03-10"})
	if out := h.Outbox(t, "task.report_requested"); len(out) != 0 {
		t.Errorf("refused, and yet %s", out)
	}
}

func TestAReportByMailIsAnEvent(t *testing.T) {
	h := open(t)
	h.know(t, h.viewer, "Vera", "sv")
	h.viewer.Want(200, "GET", "/api/tasks/", nil) // what they see is known
	a := h.viewer.Want(http.StatusAccepted, "POST", tasksReport(h.home), doc{"email": true, "paper": "letter", "from": "2026-01-01"})
	if got := strings.TrimSpace(string(a.Body)); got != `{"status":"queued"}` || a.Header.Get("Content-Type") != "application/json" || sqlTrips(a) != 1 {
		t.Errorf("%s, %s, %d round trips", got, a.Header.Get("Content-Type"), sqlTrips(a))
	}
	h.owner.Want(http.StatusAccepted, "POST", historyReport(h.home), doc{"email": true})
	out := h.Outbox(t, "task.report_requested")
	want := []events.ReportRequest{
		{Kind: "tasks", ResidenceID: h.home, UserID: h.viewer.Actor.UserID, From: "2026-01-01", To: "2026-03-10", Paper: "letter", Locale: "sv"},
		{Kind: "history", ResidenceID: h.home, UserID: h.owner.Actor.UserID, Paper: "a4"},
	}
	if len(out) != len(want) {
		t.Fatalf("events %s", out)
	}
	for i := range want {
		var got events.ReportRequest
		if err := json.Unmarshal(out[i], &got); err != nil || got != want[i] {
			t.Errorf("event %s, %v", out[i], err)
		}
	}
}

func TestTheMailersReport(t *testing.T) {
	h := open(t)
	h.know(t, h.viewer, "Vera", "sv")
	h.done(t, h.add(t, h.owner, doc{"title": "Once"}).ID, "2026-03-01T10:00:00Z", doc{"actual_cost": "1234.50"})
	part := h.AsPart(t, "notification")
	query := doc{"kind": "tasks", "user_id": h.viewer.Actor.UserID, "residence_id": h.home, "from": "2026-01-01", "to": "2026-03-10", "paper": "letter", "locale": "en-US"}
	says(t, textOf(t, part.Want(200, "POST", "/internal/reports", query)), "Jan 1, 2026", "Vera Tester", "1,234.50")
	says(t, textOf(t, part.Want(200, "POST", "/internal/reports", doc{"kind": "history", "user_id": h.viewer.Actor.UserID, "residence_id": h.home})), "HOME HISTORY")
	raw, err := h.Calls.Task(h.URL).Report(t.Context(), internalapi.ReportQuery{Kind: "tasks", UserID: h.viewer.Actor.UserID, ResidenceID: h.home})
	if err != nil || !bytes.HasPrefix(raw, []byte("%PDF-")) {
		t.Errorf("by the client: %.20q, %v", raw, err)
	}
	part.Refused(404, "not_found", "POST", "/internal/reports", with(query, doc{"user_id": h.stranger.Actor.UserID}))
	part.Refused(422, "validation_failed", "POST", "/internal/reports", with(query, doc{"kind": "novel"}))
	part.Refused(422, "validation_failed", "POST", "/internal/reports", doc{"kind": "tasks"})
}

func TestAReportSaysWhatItLeavesOut(t *testing.T) {
	h := open(t)
	if _, err := h.DB.Exec(t.Context(), `
		WITH t AS (
			INSERT INTO tasks (id, residence_id, title, created_by_id, created_at, updated_at)
			SELECT gen_random_uuid(), $1, 'Task ' || n, $2, now(), now() FROM generate_series(1, 5001) n RETURNING id)
		INSERT INTO completions (id, task_id, residence_id, completed_at, completed_by_id, created_at, updated_at)
		SELECT gen_random_uuid(), id, $1, timestamptz '2026-03-10' - make_interval(mins => k * 10), $2, now(), now() FROM t, generate_series(1, 4) k`,
		h.home, h.owner.Actor.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.DB.Exec(t.Context(), `ANALYZE`, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	a := h.owner.Want(200, "POST", historyReport(h.home), nil)
	if n := bytes.Count(a.Body, []byte("/Type /Page\n")); n < 300 {
		t.Errorf("%d pages", n)
	}
	doc, err := pdf.NewReader(bytes.NewReader(a.Body), int64(len(a.Body)))
	if err != nil {
		t.Fatal(err)
	}
	last, err := doc.Page(doc.NumPage()).GetPlainText(nil)
	if err != nil || !strings.Contains(last, "This report is about 20,000 completions of 20,004") {
		t.Errorf("the last of %d pages says %q, %v", doc.NumPage(), last, err)
	}
	t.Logf("%d pages, %d KiB, %s", doc.NumPage(), len(a.Body)>>10, a.Header.Get("Server-Timing"))
}
