package document_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/document"
	"hearth.internal/document/blob"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/money"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
)

type fields = map[string]any

// estate is the service with two residences, one that its owner shares with a member and a viewer, and a stranger's; and
// something that answers for task.
type estate struct {
	*testkit.Service
	homes                           *testkit.Homes
	owner, member, viewer, stranger *testkit.Client
	home, elsewhere                 uuid.UUID
	work                            *workshop
}

// workshop stands in for task where only its answer about equipment matters.
type workshop struct {
	mu     sync.Mutex
	answer internalapi.EquipmentWork
	asked  internalapi.EquipmentWorkQuery
}

func (w *workshop) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(&w.asked); err != nil || r.URL.Path != "/internal/equipment-work" {
		out.WriteHeader(http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
	_ = json.NewEncoder(out).Encode(w.answer)
}

func openEstate(t *testing.T) estate {
	t.Helper()
	return openEstateWith(t, func(*config.Service) {})
}

func openEstateWith(t *testing.T, change func(*config.Service), options ...func(*boot.Options)) estate {
	t.Helper()
	work := &workshop{answer: internalapi.EquipmentWork{Completions: []internalapi.WorkDone{}, OpenTasks: []internalapi.WorkToDo{}}}
	tasks := httptest.NewServer(work)
	t.Cleanup(tasks.Close)
	homes := testkit.NewHomes(t)
	cfg := testkit.Config(t, "document")
	cfg.ResidenceURL, cfg.TaskURL = homes.URL, tasks.URL
	change(&cfg)
	s := testkit.Run(t, cfg, document.New(document.Config{Service: cfg, Config: blob.Config{StorageDir: t.TempDir()}}), options...)
	e := estate{Service: s, homes: homes, home: anID(), elsewhere: anID(), work: work}
	e.owner, e.member, e.viewer, e.stranger = s.As(t, anID()), s.As(t, anID()), s.As(t, anID()), s.As(t, anID())
	for role, c := range map[string]*testkit.Client{"owner": e.owner, "member": e.member, "viewer": e.viewer} {
		homes.Give(c.Actor.UserID, internalapi.Home{ID: e.home, OwnerID: e.owner.Actor.UserID, Role: role, Timezone: "Europe/Berlin", Currency: "EUR"})
	}
	homes.Give(e.stranger.Actor.UserID, internalapi.Home{ID: e.elsewhere, OwnerID: e.stranger.Actor.UserID, Role: "owner", Timezone: "UTC", Currency: "USD"})
	return e
}

func anID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func (e estate) install(t *testing.T, c *testkit.Client, more fields) document.Equipment {
	t.Helper()
	body := fields{"residence_id": e.home, "name": "Furnace", "category": "heating"}
	maps.Copy(body, more)
	return testkit.JSON[document.Equipment](t, c.For(t).Want(201, "POST", "/api/equipment/", body))
}

// upload is a stored file of somebody's that nothing claims.
func (e estate) upload(t *testing.T, owner *testkit.Client, contentType string) uuid.UUID {
	t.Helper()
	id := anID()
	_, err := e.DB.Exec(t.Context(), `
		INSERT INTO uploads (id, owner_id, state, filename, content_type, size, blob_key, work, work_at, unclaimed_at, created_at)
		VALUES (@id, @owner, 'stored', 'f', @type, 1, @key, 'none', now(), now(), now())`,
		pgx.NamedArgs{"id": id, "owner": owner.Actor.UserID, "type": contentType, "key": id.String()})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// paper is a document that names the equipment.
func (e estate) paper(t *testing.T, equipment uuid.UUID, title, end string) uuid.UUID {
	t.Helper()
	id := anID()
	_, err := e.DB.Exec(t.Context(), `
		INSERT INTO documents (id, residence_id, created_by_id, title, document_type, equipment_id, end_date, created_at, updated_at)
		VALUES (@id, @home, @by, @title, 'warranty', @equipment, nullif(@end, '')::date, now(), now())`,
		pgx.NamedArgs{"id": id, "home": e.home, "by": e.owner.Actor.UserID, "title": title, "equipment": equipment, "end": end})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (e estate) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := e.DB.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func equipmentAt(id uuid.UUID, more ...string) string {
	return "/api/equipment/" + strings.Join(append([]string{id.String()}, more...), "/") + "/"
}

func trips(a testkit.Answer) int { return roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB) }

func TestEquipmentKeepsWhatItWasGiven(t *testing.T) {
	e := openEstate(t)
	id, photo := anID(), e.upload(t, e.owner, "image/jpeg")
	body := fields{"id": id, "residence_id": e.home, "name": " Dishwasher ", "category": "appliance", "manufacturer": "Bosch", "model_number": "SMV 500", "serial_number": "FD 9", "location": "Kitchen",
		"notes": "  ", "purchase_date": "2020-02-01", "purchase_price": "899.90", "install_date": "2020-02-29", "expected_life_years": 9, "removed_date": nil, "upload_ids": []uuid.UUID{photo}}
	got := testkit.JSON[fields](t, e.owner.Want(201, "POST", "/api/equipment/", body))
	for field, want := range (fields{"id": id.String(), "residence_id": e.home.String(), "created_by_id": e.owner.Actor.UserID.String(), "name": "Dishwasher", "category": "appliance",
		"manufacturer": "Bosch", "model_number": "SMV 500", "serial_number": "FD 9", "location": "Kitchen", "notes": nil, "purchase_date": "2020-02-01", "purchase_price": "899.90",
		"install_date": "2020-02-29", "expected_life_years": 9.0, "replace_by": "2029-02-28", "removed_date": nil, "version": 1.0}) {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	e.owner.Want(200, "POST", "/api/equipment/", body)
	e.member.Refused(409, "id_taken", "POST", "/api/equipment/", body)
	patched := testkit.JSON[document.Equipment](t, e.member.Want(200, "PATCH", equipmentAt(id), fields{"install_date": nil, "notes": "Descale", "residence_id": e.home}))
	if patched.ReplaceBy.String() != "2029-02-01" || *patched.Notes != "Descale" || *patched.Manufacturer != "Bosch" || !slices.Equal(patched.UploadIDs, []uuid.UUID{photo}) || patched.Version != 2 {
		t.Errorf("patched %+v", patched)
	}
	put := testkit.JSON[document.Equipment](t, e.member.Want(200, "PUT", equipmentAt(id), fields{"name": "Washer"}))
	if put.Name != "Washer" || put.Category != "other" || put.Manufacturer != nil || put.PurchasePrice != nil || put.ReplaceBy != nil || len(put.UploadIDs) != 0 || put.CreatedByID != e.owner.Actor.UserID {
		t.Errorf("put %+v", put)
	}
	if n := e.count(t, `SELECT count(*) FROM uploads WHERE id = $1 AND unclaimed_at IS NOT NULL`, photo); n != 1 {
		t.Error("the photo that it lost is still claimed")
	}
	e.owner.Refused(412, "version_conflict", "PATCH", equipmentAt(id), fields{"name": "x"}, "If-Match", `"1"`)
	e.owner.Refused(412, "version_conflict", "DELETE", equipmentAt(id), nil, "If-Match", `"1"`)
	etag := e.owner.Want(200, "GET", equipmentAt(id), nil).Header.Get("ETag")
	e.owner.Want(304, "GET", equipmentAt(id), nil, "If-None-Match", etag)
	e.owner.Want(200, "PUT", equipmentAt(id), fields{"name": "Washer", "residence_id": e.home}, "If-Match", etag)
	e.owner.Want(204, "DELETE", equipmentAt(id), nil, "If-Match", `"4"`)
	e.owner.Refused(404, "not_found", "GET", equipmentAt(id), nil)
	var changes []string
	for _, raw := range e.Outbox(t, "equipment.changed") {
		var ref struct{ Change, Name string }
		if err := json.Unmarshal(raw, &ref); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, ref.Change+" "+ref.Name)
	}
	if want := []string{"created Dishwasher", "changed Dishwasher", "changed Washer", "changed Washer", "deleted Washer"}; !slices.Equal(changes, want) {
		t.Errorf("events %q, want %q", changes, want)
	}
}

func TestWhatEquipmentCannotBe(t *testing.T) {
	e := openEstate(t)
	photo, text := e.upload(t, e.owner, "image/png"), e.upload(t, e.owner, "application/pdf")
	theirs, members := e.upload(t, e.stranger, "image/png"), e.upload(t, e.member, "image/png")
	many := make([]uuid.UUID, 21)
	for i := range many {
		many[i] = anID()
	}
	furnace := e.install(t, e.owner, fields{"install_date": "2020-01-02"})
	for _, wrong := range []struct {
		field string
		value any
	}{
		{"name", ""}, {"name", " \u00a0"}, {"name", strings.Repeat("x", 201)}, {"category", "spaceship"}, {"notes", strings.Repeat("x", 10_001)}, {"expected_life_years", 0}, {"expected_life_years", 201},
		{"purchase_price", "-1"}, {"purchase_price", 12}, {"install_date", "1899-12-31"}, {"install_date", "2026-02-30"}, {"purchase_date", "1899-12-31"}, {"removed_date", "2020-01-01"},
		{"upload_ids", []uuid.UUID{anID()}}, {"upload_ids", []uuid.UUID{theirs}}, {"upload_ids", []uuid.UUID{members}}, {"upload_ids", []uuid.UUID{text}}, {"upload_ids", []uuid.UUID{photo, photo}}, {"upload_ids", many},
		{"residence_id", e.elsewhere}, {"version", 7}, {"replace_by", "2030-01-01"},
	} {
		for method, path := range map[string]string{"POST": "/api/equipment/", "PATCH": equipmentAt(furnace.ID), "PUT": equipmentAt(furnace.ID)} {
			body := fields{"name": "x", "install_date": "2020-01-02"}
			switch {
			case method == "POST" && wrong.field == "residence_id":
				continue
			case method == "POST":
				body["residence_id"] = e.home
			}
			body[wrong.field] = wrong.value
			a := e.owner.For(t).Refused(422, "validation_failed", method, path, body)
			if !strings.Contains(string(a.Body), `"body.`+wrong.field) {
				t.Errorf("%s %v does not name %s: %s", method, wrong.value, wrong.field, a.Body)
			}
		}
	}
	missing, foreign := e.owner.Want(422, "PATCH", equipmentAt(furnace.ID), fields{"upload_ids": []uuid.UUID{anID()}}), e.owner.Want(422, "PATCH", equipmentAt(furnace.ID), fields{"upload_ids": []uuid.UUID{theirs}})
	told := func(a testkit.Answer) string {
		p := testkit.JSON[struct {
			Errors []struct{ Location, Message string }
		}](t, a)
		return p.Errors[0].Location + " " + p.Errors[0].Message
	}
	if told(missing) != told(foreign) {
		t.Errorf("told apart:\n%s\n%s", told(missing), told(foreign))
	}
	// What a member's photo shows, everybody may name once it is shown there.
	e.member.Want(200, "PATCH", equipmentAt(furnace.ID), fields{"upload_ids": []uuid.UUID{members}})
	e.install(t, e.owner, fields{"upload_ids": []uuid.UUID{members}})
	got := testkit.JSON[document.Equipment](t, e.owner.Want(200, "PATCH", equipmentAt(furnace.ID), fields{"upload_ids": []uuid.UUID{photo, members}}))
	if !slices.Equal(got.UploadIDs, []uuid.UUID{photo, members}) {
		t.Errorf("photos %v", got.UploadIDs)
	}
}

func TestWhoSeesEquipment(t *testing.T) {
	e := openEstate(t)
	furnace := e.install(t, e.owner, nil)
	for c, status := range map[*testkit.Client]int{e.owner: 200, e.member: 200, e.viewer: 200, e.stranger: 404} {
		c.Want(status, "GET", equipmentAt(furnace.ID), nil)
		c.Want(status, "GET", equipmentAt(furnace.ID, "history"), nil)
		c.Want(status, "GET", "/api/equipment/?residence_id="+e.home.String(), nil)
	}
	for c, refusal := range map[*testkit.Client]struct {
		status int
		code   string
	}{e.viewer: {403, "not_permitted"}, e.stranger: {404, "not_found"}} {
		c.Refused(refusal.status, refusal.code, "POST", "/api/equipment/", fields{"name": "x", "residence_id": e.home})
		c.Refused(refusal.status, refusal.code, "PUT", equipmentAt(furnace.ID), fields{"name": "x"})
		c.Refused(refusal.status, refusal.code, "PATCH", equipmentAt(furnace.ID), fields{"name": "x"})
		c.Refused(refusal.status, refusal.code, "DELETE", equipmentAt(furnace.ID), nil)
	}
	// The same id elsewhere is taken, whoever's it is.
	e.stranger.Refused(409, "id_taken", "POST", "/api/equipment/", fields{"id": furnace.ID, "name": "x", "residence_id": e.elsewhere})
}

func TestEquipmentIsListedByName(t *testing.T) {
	e := openEstate(t)
	second := anID()
	e.homes.Give(e.owner.Actor.UserID, internalapi.Home{ID: second, Role: "owner", Timezone: "UTC"})
	e.install(t, e.owner, fields{"name": "delta", "manufacturer": "Müller & Söhne", "install_date": "2006-03-10", "expected_life_years": 20})
	e.install(t, e.member, fields{"name": "Bravo", "category": "roof", "location": "100% attic", "purchase_date": "2020-02-29", "expected_life_years": 7})
	e.install(t, e.owner, fields{"name": "alpha", "residence_id": second, "serial_number": "XB-12", "removed_date": "2026-03-10", "purchase_date": "2000-01-01", "expected_life_years": 1})
	e.install(t, e.owner, fields{"name": "Charlie", "model_number": "T1000", "removed_date": "2026-03-11"})
	e.install(t, e.stranger, fields{"name": "stranger's", "residence_id": e.elsewhere})
	names := func(path string) []string {
		t.Helper()
		var out []string
		for next := ""; ; {
			page := testkit.JSON[page.List[document.Equipment]](t, e.owner.Want(200, "GET", path+"&limit=2&cursor="+next, nil))
			for _, item := range page.Items {
				out = append(out, item.Name)
			}
			if page.NextCursor == nil {
				return out
			}
			next = *page.NextCursor
		}
	}
	for path, want := range map[string][]string{
		"?":                                  {"alpha", "Bravo", "Charlie", "delta"},
		"?residence_id=" + e.home.String():   {"Bravo", "Charlie", "delta"},
		"?category=roof":                     {"Bravo"},
		"?in_use=true":                       {"Bravo", "Charlie", "delta"},
		"?in_use=false":                      {"alpha"},
		"?replace_within_years=1":            {"Bravo", "delta"},
		"?q=muller":                          {"delta"},
		"?q=S%C3%96HNE":                      {"delta"},
		"?q=t1000":                           {"Charlie"},
		"?q=xb-":                             {"alpha"},
		"?q=100%25%20attic":                  {"Bravo"},
		"?q=%25":                             nil,
		"?q=attic%20x":                       nil,
		"?q=XB%2012":                         {"alpha"},
		"?q=a&in_use=false&category=heating": {"alpha"},
	} {
		if got := names("/api/equipment/" + path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for _, wrong := range []string{"category=x", "in_use=maybe", "replace_within_years=0", "cursor=x", "residence_id=" + uuid.Nil.String()} {
		e.owner.Want(422, "GET", "/api/equipment/?"+wrong, nil)
	}
	e.settled(t)
	a := e.owner.Want(200, "GET", "/api/equipment/", nil)
	if again := e.owner.Want(304, "GET", "/api/equipment/", nil, "If-None-Match", a.Header.Get("ETag")); trips(again) != 0 {
		t.Error("304 took SQL")
	}
	e.install(t, e.member, nil)
	e.owner.Want(200, "GET", "/api/equipment/", nil, "If-None-Match", a.Header.Get("ETag"))
	e.settled(t)
	// What is in use is a matter of the day.
	a = e.owner.Want(200, "GET", "/api/equipment/?in_use=false", nil)
	e.Clock.Advance(24 * time.Hour)
	if got := names("/api/equipment/?in_use=false"); !slices.Equal(got, []string{"alpha", "Charlie"}) {
		t.Errorf("tomorrow %q", got)
	}
	e.owner.Want(200, "GET", "/api/equipment/?in_use=false", nil, "If-None-Match", a.Header.Get("ETag"))
}

// settled waits until the relay has dropped from the cache, for a second time, what changes made stale.
func (e estate) settled(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the outbox is settled", func() bool {
		return e.count(t, `SELECT count(*) FROM outbox WHERE dropped_at IS NULL`) == 0
	})
}

func TestDocumentsOutliveTheirEquipment(t *testing.T) {
	e := openEstate(t)
	photo := e.upload(t, e.owner, "image/png")
	furnace := e.install(t, e.owner, fields{"upload_ids": []uuid.UUID{photo}})
	one, two := e.paper(t, furnace.ID, "Warranty", "2027-01-01"), e.paper(t, furnace.ID, "Manual", "")
	other := e.paper(t, e.install(t, e.owner, nil).ID, "Other", "")
	e.member.Want(204, "DELETE", equipmentAt(furnace.ID), nil)
	for id, version := range map[uuid.UUID]int{one: 2, two: 2, other: 1} {
		if n := e.count(t, `SELECT count(*) FROM documents WHERE id = $1 AND version = $2 AND (equipment_id IS NULL) = ($2 = 2)`, id, version); n != 1 {
			t.Errorf("document %s is not at version %d", id, version)
		}
	}
	told := map[string]string{}
	for _, raw := range e.Outbox(t, "document.changed") {
		var ref struct {
			ID, Title, Change string
			EndDate           string `json:"end_date"`
			Version           int
		}
		if err := json.Unmarshal(raw, &ref); err != nil || ref.Version != 2 || ref.Change != "changed" {
			t.Errorf("event %s (%v)", raw, err)
		}
		told[ref.Title] = ref.EndDate
	}
	if want := map[string]string{"Warranty": "2027-01-01", "Manual": ""}; !maps.Equal(told, want) {
		t.Errorf("told of %v", told)
	}
	if n := e.count(t, `SELECT count(*) FROM uploads WHERE id = $1 AND unclaimed_at IS NOT NULL`, photo); n != 1 {
		t.Error("its photo is still claimed")
	}
}

func TestOneOfManyEqualCreatesAddsIt(t *testing.T) {
	e := openEstate(t)
	body := fields{"id": anID(), "residence_id": e.home, "name": "Furnace"}
	var group sync.WaitGroup
	statuses := make(chan int, 20)
	for range cap(statuses) {
		group.Go(func() { statuses <- e.owner.For(t).Call("POST", "/api/equipment/", body).Status })
	}
	group.Wait()
	close(statuses)
	counts := map[int]int{}
	for status := range statuses {
		counts[status]++
	}
	if counts[201] != 1 || counts[200] != 19 || e.count(t, `SELECT count(*) FROM equipment`) != 1 || len(e.Outbox(t, "equipment.changed")) != 1 {
		t.Errorf("answers %v", counts)
	}
}

// The collector removes an upload between the look and the claim: the foreign key says so.
func TestAPhotoThatIsCollectedMeanwhileIsRefused(t *testing.T) {
	e := openEstate(t)
	photo := e.upload(t, e.owner, "image/png")
	furnace := e.install(t, e.owner, nil)
	collector, err := e.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collector.Exec(t.Context(), `DELETE FROM uploads WHERE id = $1`, photo); err != nil {
		t.Fatal(err)
	}
	answers := make(chan testkit.Answer, 2)
	go func() {
		answers <- e.owner.For(t).Call("PATCH", equipmentAt(furnace.ID), fields{"upload_ids": []uuid.UUID{photo}})
	}()
	go func() {
		answers <- e.owner.For(t).Call("POST", "/api/equipment/", fields{"name": "x", "residence_id": e.home, "upload_ids": []uuid.UUID{photo}})
	}()
	testkit.Eventually(t, "both wait for the collector", func() bool {
		return e.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 2
	})
	if err := collector.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range cap(answers) {
		if a := <-answers; a.Status != 422 || !strings.Contains(string(a.Body), `"body.upload_ids"`) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
}

func TestAttachable(t *testing.T) {
	e := openEstate(t)
	fresh, furnace := e.upload(t, e.owner, "image/png"), e.install(t, e.owner, nil)
	shown := e.upload(t, e.member, "application/pdf")
	if _, err := e.DB.Exec(t.Context(), `INSERT INTO claims (upload_id, kind, subject_id, residence_id) VALUES ($1, 'completion', $2, $3)`, shown, anID(), e.home); err != nil {
		t.Fatal(err)
	}
	theirs, away, nothing := e.upload(t, e.stranger, "image/png"), e.install(t, e.stranger, fields{"residence_id": e.elsewhere}), anID()
	part := e.AsPart(t, "task")
	ask := func(who *testkit.Client, home uuid.UUID) internalapi.AttachAnswer {
		t.Helper()
		a := part.Want(200, "POST", "/internal/attachable", internalapi.AttachQuery{
			UserID: who.Actor.UserID, ResidenceID: home, UploadIDs: []uuid.UUID{fresh, shown, theirs, nothing}, EquipmentIDs: []uuid.UUID{furnace.ID, away.ID, nothing},
		})
		if n := trips(a); n > 2 {
			t.Errorf("%d round trips", n)
		}
		return testkit.JSON[internalapi.AttachAnswer](t, a)
	}
	same := func(what string, got []uuid.UUID, want ...uuid.UUID) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	got := ask(e.owner, e.home)
	same("uploads not the owner's", got.UploadIDs, theirs, nothing)
	same("equipment not of the home", got.EquipmentIDs, away.ID, nothing)
	if !maps.Equal(got.EquipmentHomes, map[uuid.UUID]uuid.UUID{furnace.ID: e.home}) {
		t.Errorf("where it is: %v", got.EquipmentHomes)
	}
	got = ask(e.viewer, uuid.Nil)
	same("uploads not a viewer's", got.UploadIDs, fresh, theirs, nothing)
	same("equipment in something personal", got.EquipmentIDs, furnace.ID, away.ID, nothing)
	same("equipment that a stranger may not name", ask(e.stranger, e.home).EquipmentIDs, furnace.ID, away.ID, nothing)
	if a := part.Want(200, "POST", "/internal/attachable", internalapi.AttachQuery{UserID: e.owner.Actor.UserID}); trips(a) != 0 {
		t.Error("nothing asked, and SQL run")
	}
	images := testkit.JSON[internalapi.AttachAnswer](t, part.Want(200, "POST", "/internal/attachable", internalapi.AttachQuery{
		UserID: e.owner.Actor.UserID, UploadIDs: []uuid.UUID{fresh, shown, theirs}, ImagesOnly: true,
	}))
	same("uploads that are no images of the owner's", images.UploadIDs, shown, theirs)
	e.owner.Want(404, "GET", "/internal/attachable/x", nil)
}

func TestTheHistoryOfEquipment(t *testing.T) {
	e := openEstate(t)
	furnace := e.install(t, e.owner, fields{"purchase_price": "1000.00", "install_date": "2022-03-10", "purchase_date": "2022-01-01"})
	e.paper(t, furnace.ID, "Warranty", "2026-03-12")
	at := func(d int) time.Time { return time.Date(2026, 3, d, 10, 0, 0, 0, time.UTC) }
	cost := money.Amount(5050)
	done := []internalapi.WorkDone{
		{ID: anID(), TaskID: anID(), TaskTitle: "Filter", ResidenceID: e.home, CompletedAt: at(3), ActualCost: &cost, UploadIDs: []uuid.UUID{}, Version: 1},
		{ID: anID(), TaskID: anID(), TaskTitle: "Flame", ResidenceID: e.home, CompletedAt: at(2), UploadIDs: []uuid.UUID{}, Version: 1},
	}
	e.work.answer = internalapi.EquipmentWork{
		Completions: done, OpenTasks: []internalapi.WorkToDo{{ID: anID(), Title: "Filter"}},
		Totals: internalapi.WorkTotals{Completions: 7, Cost: 46050, FirstAt: new(at(1)), LastAt: new(at(3))},
	}
	a := e.owner.Want(200, "GET", equipmentAt(furnace.ID, "history")+"?limit=1", nil)
	got := testkit.JSON[document.EquipmentHistory](t, a)
	if got.Equipment.ID != furnace.ID || len(got.Items) != 1 || got.Items[0].ID != done[0].ID || got.Items[0].Currency != "EUR" || got.Items[0].EquipmentID != furnace.ID || got.NextCursor == nil {
		t.Errorf("history %+v", got)
	}
	if len(got.Documents) != 1 || *got.Documents[0].DaysUntilExpiry != 2 || len(got.OpenTasks) != 1 {
		t.Errorf("papers %+v, to do %+v", got.Documents, got.OpenTasks)
	}
	want := fields{"completions": 7.0, "maintenance_cost": "460.50", "purchase_price": "1000.00", "total_cost": "1460.50", "cost_per_year": "365.13", "currency": "EUR",
		"first_at": "2026-03-01T10:00:00Z", "last_at": "2026-03-03T10:00:00Z"}
	if totals := testkit.JSON[struct{ Totals fields }](t, a).Totals; !maps.Equal(totals, want) {
		t.Errorf("totals %v, want %v", totals, want)
	}
	if asked := e.work.asked; asked.EquipmentID != furnace.ID || asked.Limit != 2 || asked.Before != nil || !slices.Equal(asked.ResidenceIDs, []uuid.UUID{e.home}) {
		t.Errorf("asked %+v", asked)
	}
	e.owner.Want(200, "GET", equipmentAt(furnace.ID, "history")+"?cursor="+*got.NextCursor, nil)
	if before := e.work.asked.Before; before == nil || before.ID != done[0].ID || !before.At.Equal(at(3)) {
		t.Errorf("asked from %+v on", before)
	}
	e.settled(t)
	a = e.owner.Want(200, "GET", equipmentAt(furnace.ID, "history"), nil)
	if again := e.owner.Want(304, "GET", equipmentAt(furnace.ID, "history"), nil, "If-None-Match", a.Header.Get("ETag")); trips(again) != 0 {
		t.Error("304 took SQL")
	}
	for body, perYear := range map[string]any{ // from its installation to its removal, at least a year
		`{"removed_date": "2024-03-09"}`: "730.75", `{"removed_date": "2022-03-11"}`: "1460.50", `{"removed_date": "2030-01-01"}`: "365.13", `{"install_date": null, "removed_date": null, "purchase_date": null}`: nil,
	} {
		e.owner.Want(200, "PATCH", equipmentAt(furnace.ID), fields{"install_date": "2022-03-10"})
		e.owner.Want(200, "PATCH", equipmentAt(furnace.ID), body)
		a := e.owner.Want(200, "GET", equipmentAt(furnace.ID, "history"), nil)
		if got := testkit.JSON[struct{ Totals fields }](t, a).Totals["cost_per_year"]; got != perYear {
			t.Errorf("%s: %v a year, want %v", body, got, perYear)
		}
	}
}

func TestWithoutTaskThereIsNoHistory(t *testing.T) {
	e := openEstateWith(t, func(cfg *config.Service) { cfg.TaskURL = "http://127.0.0.1:9" })
	furnace := e.install(t, e.owner, nil)
	e.owner.Refused(503, "service_unavailable", "GET", equipmentAt(furnace.ID, "history"), nil)
}

func TestRoundTripsOfEquipment(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { countTripsOfEquipment(t, openEstate(t)) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		countTripsOfEquipment(t, openEstateWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = false }))
	})
}

func countTripsOfEquipment(t *testing.T, e estate) {
	t.Helper()
	furnace := e.install(t, e.owner, nil)
	for _, step := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"GET", "/api/equipment/", nil, 200},
		{"GET", "/api/equipment/?q=x&in_use=true&replace_within_years=3&category=tool&residence_id=" + e.home.String(), nil, 200},
		{"POST", "/api/equipment/", fields{"name": "x", "residence_id": e.home}, 201},
		{"GET", equipmentAt(furnace.ID), nil, 200},
		{"PATCH", equipmentAt(furnace.ID), fields{"name": "y", "purchase_price": "12.50", "expected_life_years": 3, "install_date": "2020-01-01"}, 200},
		{"PUT", equipmentAt(furnace.ID), fields{"name": "y"}, 200},
		{"GET", equipmentAt(furnace.ID, "history"), nil, 200},
		{"DELETE", equipmentAt(furnace.ID), nil, 204},
		{"DELETE", equipmentAt(furnace.ID), nil, 404},
	} {
		if n := trips(e.owner.For(t).Want(step.status, step.method, step.path, step.body)); n != 1 {
			t.Errorf("%s %s: %d round trips", step.method, step.path, n)
		}
	}
	kept := e.install(t, e.owner, nil)
	for _, path := range []string{"/api/equipment/", equipmentAt(kept.ID), equipmentAt(kept.ID, "history")} {
		fresh := e.As(t, anID())
		e.homes.Give(fresh.Actor.UserID, internalapi.Home{ID: e.home, Role: "viewer", Timezone: "UTC", Currency: "EUR"})
		if n := trips(fresh.Want(200, "GET", path, nil)); n != 2 {
			t.Errorf("GET %s, cold: %d round trips", path, n)
		}
	}
}

func TestEquipmentUpToTheLimitHoweverMuchComesAtOnce(t *testing.T) {
	for name, prepare := range map[string]bool{"prepared": true, "behind an old PgBouncer": false} {
		t.Run(name, func(t *testing.T) {
			raceForEquipment(t, openEstateWith(t, func(cfg *config.Service) { cfg.DatabasePrepare = prepare }, testkit.OnFreePlan))
		})
	}
}

func raceForEquipment(t *testing.T, e estate) {
	t.Helper()
	const limit = 10
	e.member.Want(200, "GET", "/api/equipment/", nil) // who sees what is known to the cache
	e.owner.Want(200, "GET", "/api/equipment/", nil)
	first := anID()
	e.install(t, e.owner, fields{"id": first})
	var group sync.WaitGroup
	answers := make(chan testkit.Answer, 60)
	for i := range cap(answers) {
		who := []*testkit.Client{e.owner, e.member}[i%2]
		group.Go(func() {
			answers <- who.For(t).Call("POST", "/api/equipment/", fields{"name": "x", "residence_id": e.home})
		})
	}
	group.Wait()
	close(answers)
	counts := map[int]int{}
	for a := range answers {
		counts[a.Status]++
		if a.Status == 403 {
			p := testkit.JSON[fields](t, a)
			if p["code"] != "limit_reached" || p["trigger_key"] != "add_equipment" || p["limit"] != 10.0 || p["used"] != 10.0 {
				t.Errorf("refused with %s", a.Body)
			}
		}
		if trips(a) != 1 {
			t.Errorf("%d took %d round trips", a.Status, trips(a))
		}
	}
	if counts[201] != limit-1 || counts[403] != 51 || e.count(t, `SELECT count(*) FROM equipment`) != limit {
		t.Errorf("answers %v", counts)
	}
	e.owner.Want(200, "POST", "/api/equipment/", fields{"id": first, "name": "Furnace", "residence_id": e.home}) // it is there already
	e.owner.Want(200, "PATCH", equipmentAt(first), fields{"name": "Boiler"})
	e.install(t, e.stranger, fields{"residence_id": e.elsewhere}) // another owner's plan
	e.owner.Want(204, "DELETE", equipmentAt(first), nil)
	e.install(t, e.member, nil)
	e.member.Refused(403, "limit_reached", "POST", "/api/equipment/", fields{"name": "x", "residence_id": e.home})
}
