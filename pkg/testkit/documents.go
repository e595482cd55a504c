package testkit

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/internalapi"
)

// Documents stands in for the document service where only its answers to other services matter.
type Documents struct {
	URL     string
	mu      sync.Mutex
	may     map[uuid.UUID][]uuid.UUID // by person
	noImage []uuid.UUID
	files   map[uuid.UUID][]byte
	papers  map[uuid.UUID]internalapi.Papers // by residence
	asked   int
	broken  bool
	delay   time.Duration
	opened  int // thumbnails that are on their way
	atOnce  int // the most of them
}

// NewDocuments starts it; nobody may name anything yet.
func NewDocuments(t testing.TB) *Documents {
	t.Helper()
	d := &Documents{may: map[uuid.UUID][]uuid.UUID{}, files: map[uuid.UUID][]byte{}, papers: map[uuid.UUID]internalapi.Papers{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /internal/attachable", func(w http.ResponseWriter, r *http.Request) {
		answerTo(t, w, r, d.attachable)
	})
	mux.HandleFunc("POST /internal/residence-papers", func(w http.ResponseWriter, r *http.Request) {
		answerTo(t, w, r, func(q internalapi.PapersQuery) internalapi.Papers {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.papers[q.ResidenceID]
		})
	})
	mux.HandleFunc("GET /internal/media/{id}", func(w http.ResponseWriter, r *http.Request) {
		file := d.file(uuid.MustParse(r.PathValue("id")))
		defer d.sent()
		if file == nil || r.URL.Query().Get("size") != "thumb" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"status":404,"code":"not_found"}`)
			return
		}
		w.Header().Set("Content-Type", "image/jpeg")
		w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
		_, _ = w.Write(file) // whoever has seen enough goes away
	})
	server := httptest.NewServer(d.unlessBroken(mux))
	t.Cleanup(server.Close)
	d.URL = server.URL
	return d
}

func (d *Documents) unlessBroken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.asked++
		broken := d.broken
		d.mu.Unlock()
		if broken {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answerTo answers one internal operation that costs one round trip.
func answerTo[Q, A any](t testing.TB, w http.ResponseWriter, r *http.Request, answer func(Q) A) {
	var q Q
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
	if err := json.NewEncoder(w).Encode(answer(q)); err != nil {
		t.Error(err)
	}
}

func (d *Documents) attachable(q internalapi.AttachQuery) internalapi.AttachAnswer {
	d.mu.Lock()
	defer d.mu.Unlock()
	denied := []uuid.UUID{}
	for _, id := range q.UploadIDs {
		if !slices.Contains(d.may[q.UserID], id) || q.ImagesOnly && slices.Contains(d.noImage, id) {
			denied = append(denied, id)
		}
	}
	return internalapi.AttachAnswer{UploadIDs: denied, EquipmentIDs: []uuid.UUID{}}
}

// file is a thumbnail, after the delay.
func (d *Documents) file(id uuid.UUID) []byte {
	d.mu.Lock()
	delay := d.delay
	d.opened++
	d.atOnce = max(d.atOnce, d.opened)
	d.mu.Unlock()
	<-time.After(delay)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[id]
}

func (d *Documents) sent() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened--
}

// Delay is how far away thumbnails are.
func (d *Documents) Delay(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = by
}

// AtOnce is how many thumbnails were on their way at the same time, at the most.
func (d *Documents) AtOnce() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.atOnce
}

// Upload is a new image that the people may name.
func (d *Documents) Upload(by ...uuid.UUID) uuid.UUID {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := uuid.Must(uuid.NewV7())
	for _, person := range by {
		d.may[person] = append(d.may[person], id)
	}
	return id
}

// UploadPaper is a new file that is no image, which the people may name.
func (d *Documents) UploadPaper(by ...uuid.UUID) uuid.UUID {
	id := d.Upload(by...)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noImage = append(d.noImage, id)
	return id
}

// Hold gives an upload its thumbnail.
func (d *Documents) Hold(upload uuid.UUID, thumb []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[upload] = thumb
}

// Keep gives a residence its papers.
func (d *Documents) Keep(residence uuid.UUID, p internalapi.Papers) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.papers[residence] = p
}

// Break makes it answer nothing, or again.
func (d *Documents) Break(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

// Asked is how often it was asked anything.
func (d *Documents) Asked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}
