package document_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
)

// refs stands in for the task service where only its answer to "where is what" matters.
type refs struct {
	mu    sync.Mutex
	known internalapi.RefsAnswer
	asked int
}

func (r *refs) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var q internalapi.RefsQuery
	if err := json.NewDecoder(req.Body).Decode(&q); err != nil || req.URL.Path != "/internal/refs" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	among := func(known []internalapi.Ref, ids []uuid.UUID) []internalapi.Ref {
		return slices.DeleteFunc(slices.Clone(known), func(ref internalapi.Ref) bool { return !slices.Contains(ids, ref.ID) })
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
	_ = json.NewEncoder(w).Encode(internalapi.RefsAnswer{ // a client that is gone needs no answer
		Tasks: among(r.known.Tasks, q.TaskIDs), Contractors: among(r.known.Contractors, q.ContractorIDs),
	})
}

// task is a new task of the residence, and contractor a new contractor; a personal one without a residence.
func (r *refs) task(residence uuid.UUID) uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known.Tasks = append(r.known.Tasks, internalapi.Ref{ID: newID(), ResidenceID: residence})
	return r.known.Tasks[len(r.known.Tasks)-1].ID
}

func (r *refs) contractor(residence uuid.UUID) uuid.UUID {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known.Contractors = append(r.known.Contractors, internalapi.Ref{ID: newID(), ResidenceID: residence})
	return r.known.Contractors[len(r.known.Contractors)-1].ID
}

// file adds a paper to the shared residence.
func (h house) file(t *testing.T, c *testkit.Client, more doc) document.Document {
	t.Helper()
	body := with(doc{"residence_id": h.home, "title": "Furnace warranty"}, more)
	return testkit.JSON[document.Document](t, c.For(t).Want(201, "POST", "/api/documents/", body))
}

func (h house) readDocument(t *testing.T, id uuid.UUID) document.Document {
	t.Helper()
	return testkit.JSON[document.Document](t, h.owner.For(t).Want(200, "GET", path("documents", id), nil))
}

// uploaded is an upload of the person's that nothing names yet.
func (h house) uploaded(t *testing.T, c *testkit.Client, contentType string) uuid.UUID {
	t.Helper()
	id := newID()
	_, err := h.DB.Exec(t.Context(), `
		INSERT INTO uploads (id, owner_id, state, filename, content_type, size, blob_key, work, work_at, unclaimed_at, created_at)
		VALUES ($1, $2, 'stored', 'x', $3, 1, $4, 'none', now(), now(), now())`, id, c.Actor.UserID, contentType, id.String())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// installed is a piece of equipment of a residence.
func (h house) installed(t *testing.T, residence uuid.UUID) uuid.UUID {
	t.Helper()
	id := newID()
	_, err := h.DB.Exec(t.Context(), `
		INSERT INTO equipment (id, residence_id, created_by_id, name, category, created_at, updated_at)
		VALUES ($1, $2, $3, 'Furnace', 'heating', now(), now())`, id, residence, h.owner.Actor.UserID)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// settle waits until the relay has dropped from the cache, for a second time, what changes made stale.
func (h house) settle(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the outbox is settled", func() bool {
		var waiting int
		err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM outbox WHERE dropped_at IS NULL`).Scan(&waiting)
		return err == nil && waiting == 0
	})
}

func sqlTrips(a testkit.Answer) int {
	return roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB)
}

func list[T any](t *testing.T, a testkit.Answer) page.List[T] {
	t.Helper()
	return testkit.JSON[page.List[T]](t, a)
}

// locations are the fields that a refusal names, sorted.
func locations(t *testing.T, a testkit.Answer) string {
	t.Helper()
	p := testkit.JSON[struct {
		Errors []struct{ Location string }
	}](t, a)
	out := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		out[i] = e.Location
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestRoundTripsOfPapers(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { countRoundTrips(t, open(t)) })
	t.Run("behind an old PgBouncer", func(t *testing.T) {
		countRoundTrips(t, openWith(t, func(cfg *document.Config) { cfg.DatabasePrepare = false }))
	})
}

func countRoundTrips(t *testing.T, h house) {
	t.Helper()
	d, image := h.file(t, h.owner, nil), h.uploaded(t, h.owner, "image/png")
	task, contractor := h.refs.task(h.home), h.refs.contractor(uuid.Nil)
	fresh := h.As(t, newID())
	h.homes.Give(fresh.Actor.UserID, internalapi.Home{ID: h.home, Role: "member", Timezone: "Europe/Berlin"})
	body := doc{"residence_id": h.home, "title": "x"}
	for _, step := range []struct {
		method, path string
		body         any
		status       int
		trips        int
	}{
		{"GET", "/api/documents/", nil, 200, 1},
		{"GET", "/api/documents/?q=furn&document_type=general&is_active=true&expiring_within_days=3", nil, 200, 1},
		{"GET", "/api/documents/warranties/?status=active", nil, 200, 1},
		{"POST", "/api/documents/", body, 201, 1},
		{"POST", "/api/documents/", with(body, doc{"task_id": task, "contractor_id": contractor}), 201, 2},
		{"POST", "/api/documents/", with(body, doc{"equipment_id": newID()}), 422, 1},
		{"GET", path("documents", d.ID), nil, 200, 1},
		{"PATCH", path("documents", d.ID), doc{"price": "12.50", "end_date": "2026-03-20"}, 200, 1},
		{"PATCH", path("documents", d.ID), doc{"task_id": task}, 200, 2},
		{"PUT", path("documents", d.ID), body, 200, 1},
		{"POST", path("documents", d.ID, "deactivate"), nil, 200, 1},
		{"POST", path("documents", d.ID, "deactivate"), nil, 200, 1},
		{"POST", path("documents", d.ID, "activate"), nil, 200, 1},
		{"POST", path("documents", d.ID, "images"), doc{"upload_ids": []uuid.UUID{image}}, 200, 1},
		{"DELETE", path("documents", d.ID, "images", image.String()), nil, 204, 1},
		{"DELETE", path("documents", d.ID), nil, 204, 1},
		{"DELETE", path("documents", d.ID), nil, 404, 1},
	} {
		a := h.owner.For(t).Want(step.status, step.method, step.path, step.body)
		if got := sqlTrips(a); got != step.trips {
			t.Errorf("%s %s: %d round trips, wanted %d", step.method, step.path, got, step.trips)
		}
	}
	// What is asked of the task service is asked while the residences are.
	if got := sqlTrips(fresh.Want(201, "POST", "/api/documents/", with(body, doc{"task_id": task}))); got != 2 {
		t.Errorf("a cold document with a task: %d round trips, wanted 2", got)
	}
}

func TestTheAPIDocumentNamesWhatIsAnswered(t *testing.T) {
	h := open(t)
	d := testkit.JSON[struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}](t, h.AsPart(t, "gateway").Want(200, "GET", "/internal/openapi.json", nil))
	for _, c := range []struct{ method, path, statuses string }{
		{"get", "/api/documents/", "200 304 401 404 422 500 503"},
		{"get", "/api/documents/warranties/", "200 304 401 404 422 500 503"},
		{"post", "/api/documents/", "200 201 400 401 403 404 409 413 415 422 500 503"},
		{"patch", "/api/documents/{id}/", "200 400 401 403 404 409 412 413 415 422 500 503"},
		{"post", "/api/documents/{id}/activate/", "200 401 403 404 409 412 422 500 503"},
		{"delete", "/api/documents/{id}/images/{image_id}/", "204 401 403 404 409 412 422 500 503"},
	} {
		if got := strings.Join(slices.Sorted(maps.Keys(d.Paths[c.path][c.method].Responses)), " "); got != c.statuses {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.statuses)
		}
	}
}
