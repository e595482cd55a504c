package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/dev/system"
	papers "hearth.internal/document"
	"hearth.internal/document/blob"
	"hearth.internal/document/filetype"
	"hearth.internal/document/filetype/samples"
	"hearth.internal/document/reader/readertest"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
	"hearth.internal/pkg/testkit"
)

// form is a file as an app sends it, with its id.
func form(t *testing.T, filename string, file []byte, id string) (body []byte, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	err := w.WriteField("id", id)
	if err == nil {
		var part io.Writer
		part, err = w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename*=UTF-8''` + url.PathEscape(filename)}})
		if err == nil {
			_, err = part.Write(file)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.FormDataContentType()
}

// send uploads a file; body and type are form's.
func (p *person) send(filename string, file []byte, id string) (answer, error) {
	body, contentType := form(p.t, filename, file, id)
	return p.try("POST", "/api/uploads/", string(body), "Content-Type", contentType)
}

// upload sends a file that is taken, and answers its id.
func (p *person) upload(filename string, file []byte) string {
	p.t.Helper()
	a, err := p.send(filename, file, uuid.Must(uuid.NewV7()).String())
	if err != nil || a.Status != http.StatusCreated {
		p.t.Fatalf("%s: %v %d %s", filename, err, a.Status, a.Body)
	}
	return a.text("id")
}

// inBucket keeps files on S3.
func inBucket(t *testing.T) func(*system.Options) {
	t.Helper()
	b := testkit.S3(t)
	return func(o *system.Options) {
		o.Storage = append(b.Environ(), "HEARTH_READER_PROGRAM="+readertest.Program(t))
	}
}

func sha(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// TestFilesThroughTheGateway sends everything that is taken and everything that is hostile, on both kinds of storage.
func TestFilesThroughTheGateway(t *testing.T) {
	for storage, change := range map[string]func(*testing.T) func(*system.Options){
		"directory": func(*testing.T) func(*system.Options) { return func(*system.Options) {} }, "S3": inBucket,
	} {
		t.Run(storage, func(t *testing.T) {
			w := start(t, change(t))
			ada, eve := w.join(t, "Ada"), w.join(t, "Eve")
			for _, s := range samples.Allowed() {
				id := ada.upload(s.Filename, s.Body)
				about := ada.want(200, "GET", "/api/uploads/"+id+"/", nil)
				got := ada.want(200, "GET", "/api/media/"+id+"/", nil) // an app follows a redirect by itself
				if sha(got.Body) != about.text("sha256") || got.Header.Get("Content-Type") != about.text("content_type") {
					t.Errorf("%s: %s, %d bytes", s.Name, got.Header.Get("Content-Type"), len(got.Body))
				}
				if s.Type == filetype.PDFFile {
					if part := ada.call("GET", "/api/media/"+id+"/", nil, "Range", "bytes=0-4"); part.Status != 206 || string(part.Body) != "%PDF-" {
						t.Errorf("the first five bytes: %d %q", part.Status, part.Body)
					}
				}
				eve.want(404, "GET", "/api/media/"+id+"/", nil)
				eve.want(404, "GET", "/api/uploads/"+id+"/", nil)
			}
			for _, s := range samples.Hostile() {
				a, err := ada.send(s.Filename, s.Body, uuid.Must(uuid.NewV7()).String())
				if err != nil || a.Status != s.Status || s.Code != "" && a.Status != 413 && a.value("code") != s.Code { // the gateway refuses by the size already
					t.Errorf("%s: %v %d %s, want %d %s", s.Name, err, a.Status, a.Body, s.Status, s.Code)
				}
			}
			huge, err := ada.send("huge.pdf", make([]byte, 30<<20), uuid.NewString())
			if err != nil || huge.Status != 413 {
				t.Errorf("30 MiB: %v %d %s", err, huge.Status, huge.Body)
			}
			if storage == "directory" {
				w.sound(t)
			}
		})
	}
}

// sound asserts that storage and database agree, and answers how many uploads there are.
func (w *world) sound(t *testing.T) int {
	t.Helper()
	found := w.findings(t)
	if !found.Sound() {
		t.Errorf("the storage: %+v", found)
	}
	return found.Uploads
}

// withPapers lends the document service's database.
func (w *world) withPapers(t *testing.T, use func(*pg.DB)) {
	t.Helper()
	address, err := w.Database("document")
	if err != nil {
		t.Fatal(err)
	}
	db, err := pg.Open(t.Context(), pg.Config{URL: address, Pool: 1}, w.silent(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	use(db)
}

// silent collects nothing.
func (w *world) silent(t *testing.T) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "check", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

func (w *world) findings(t *testing.T) papers.Finding {
	t.Helper()
	store, err := blob.Open(t.Context(), blob.Config{StorageDir: w.files}, w.silent(t))
	if err != nil {
		t.Fatal(err)
	}
	var found papers.Finding
	w.withPapers(t, func(db *pg.DB) { found, err = papers.Check(t.Context(), db, store, true) })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// unclaimed is how many uploads there are that nothing uses.
func (w *world) unclaimed(t *testing.T) int {
	t.Helper()
	var n int
	var err error
	w.withPapers(t, func(db *pg.DB) {
		n, _, err = pg.Scalar[int](t.Context(), db, `SELECT count(*)::int FROM uploads WHERE unclaimed_at IS NOT NULL`, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNoUploadIsHalf kills the document service while files are sent: what was acknowledged is there, byte for byte, and
// nothing else is that the database does not know.
func TestNoUploadIsHalf(t *testing.T) {
	b := startBreakable(t)
	ada := b.join(t, "Ada")
	done := make(chan struct{})
	var senders sync.WaitGroup
	kept := make([]map[string]string, 4) // SHA-256 by id
	var acknowledged atomic.Int64
	for i := range kept {
		kept[i] = map[string]string{}
		senders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				file := []byte(fmt.Sprintf("File %d of sender %d\n", len(kept[i]), i))
				file = bytes.Repeat(file, 1+rand.IntN(40_000)) // up to about 1 MiB
				id := uuid.Must(uuid.NewV7()).String()
				if a, err := ada.send("notes.txt", file, id); err == nil && a.Status == http.StatusCreated {
					kept[i][id] = sha(file)
					acknowledged.Add(1)
				}
			}
		})
	}
	for range 6 {
		more := acknowledged.Load() + 10
		eventually(t, time.Minute, "files are taken", func() bool { return acknowledged.Load() >= more })
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond) // in the middle of something
		b.KillPart("document")
	}
	more := acknowledged.Load() + 10
	eventually(t, time.Minute, "files are taken again", func() bool { return acknowledged.Load() >= more })
	close(done)
	senders.Wait()
	n := 0
	for _, files := range kept {
		for id, sum := range files {
			n++
			if got := ada.call("GET", "/api/media/"+id+"/", nil); got.Status != 200 || sha(got.Body) != sum {
				t.Errorf("an acknowledged file: %d, %d bytes", got.Status, len(got.Body))
			}
		}
	}
	found := b.findings(t)
	t.Logf("%d files acknowledged, %d kept, %d blobs of which %d are left over for the collector", n, found.Uploads, found.Blobs, found.Waiting)
	if !found.Sound() {
		t.Errorf("the storage: %+v", found)
	}
}

// TestADeletedResidenceLeavesNoFile: what documents, equipment, completions and contractors kept is gone from the
// database and from the storage, and nothing else.
func TestADeletedResidenceLeavesNoFile(t *testing.T) {
	w := start(t)
	ada, sam := w.join(t, "Ada"), w.join(t, "Sam")
	house := ada.home("Maple Street")
	ada.invite(sam, house)
	photo := func() string { return ada.upload("photo.jpg", samples.Allowed()[0].Body) }
	kept := map[string]string{"a document": photo(), "an image": photo(), "equipment": photo(), "a completion": photo(), "a contractor": photo(), "an avatar": photo()}
	ada.paper(house, map[string]any{"upload_id": kept["a document"], "image_ids": []string{kept["an image"]}})
	ada.want(201, "POST", "/api/equipment/", map[string]any{"residence_id": house, "name": "Furnace", "category": "heating", "upload_ids": []string{kept["equipment"]}})
	ada.want(201, "POST", "/api/task-completions/", map[string]any{"task_id": ada.task(house, "Sweep", nil), "upload_ids": []string{kept["a completion"]}})
	ada.want(201, "POST", "/api/contractors/", map[string]any{"name": "Rosa", "residence_id": house, "upload_ids": []string{kept["a contractor"]}})
	ada.want(200, "PATCH", "/api/auth/profile/", map[string]any{"avatar_upload_id": kept["an avatar"]})
	for what, id := range kept {
		testkit.Eventually(t, "the other member sees what is of "+what, func() bool { return sam.call("GET", "/api/media/"+id+"/", nil).Status == 200 })
	}
	if a := sam.call("POST", "/api/task-completions/", map[string]any{"task_id": ada.task(house, "Mop", nil), "upload_ids": []string{ada.upload("mine.jpg", samples.Allowed()[0].Body)}}); a.Status != 422 {
		t.Errorf("somebody else's photo: %d %s", a.Status, a.Body)
	}
	ada.want(204, "DELETE", "/api/residences/"+house+"/", nil)
	eventually(t, time.Minute, "all but the avatar, and what nothing uses, is gone", func() bool {
		found := w.findings(t)
		return found.Sound() && found.Uploads == 2 && found.Blobs == 2*3
	})
	ada.want(200, "GET", "/api/media/"+kept["an avatar"]+"/", nil)
	sam.want(404, "GET", "/api/media/"+kept["an avatar"]+"/", nil) // they share no home any more
}
