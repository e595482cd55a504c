package document_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/document"
	"hearth.internal/document/blob"
	"hearth.internal/document/filetype"
	"hearth.internal/document/filetype/samples"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/testkit"
)

// everyStorage runs the test on each kind of storage.
func everyStorage(t *testing.T, test func(t *testing.T, h house)) {
	t.Run("directory", func(t *testing.T) { test(t, open(t)) })
	t.Run("S3", func(t *testing.T) { test(t, openWith(t, onS3(t))) })
}

func sum(raw []byte) string {
	s := sha256.Sum256(raw)
	return hex.EncodeToString(s[:])
}

// fetch gets a file, wherever it is.
func fetch(t *testing.T, c *testkit.Client, at string) testkit.Answer {
	t.Helper()
	a := c.For(t).Call("GET", at, nil)
	if a.Status != http.StatusFound {
		return a
	}
	return get(t, a.Header.Get("Location"))
}

func media(id uuid.UUID) string { return "/api/media/" + id.String() + "/" }

// paper ties an upload to a residence, as a document does.
func (h house) paper(t *testing.T, home uuid.UUID, upload uuid.UUID) uuid.UUID {
	t.Helper()
	return h.paperIn(t, h.DB, home, upload)
}

func (h house) paperIn(t *testing.T, q pg.Querier, home uuid.UUID, upload uuid.UUID) uuid.UUID {
	t.Helper()
	id := newID()
	_, err := pg.Exec(t.Context(), q, `
		INSERT INTO documents (id, residence_id, created_by_id, title, document_type, upload_id, words, created_at, updated_at)
		VALUES (@id::uuid, @home::uuid, @by::uuid, 'Warranty', 'warranty', @upload::uuid, '', @now::timestamptz, @now::timestamptz)`,
		pgx.NamedArgs{"id": id, "home": home, "by": h.owner.Actor.UserID, "upload": upload, "now": h.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h house) check(t *testing.T) document.Finding {
	t.Helper()
	store, err := blob.Open(t.Context(), h.cfg.Config, h.Tel)
	if err != nil {
		t.Fatal(err)
	}
	f, err := document.Check(t.Context(), h.DB, store, true)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// looked waits until everything that came in was looked into.
func (h house) looked(t *testing.T) {
	t.Helper()
	// The first PDF of all waits until its reader is compiled.
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		n, _, err := pg.Scalar[int](t.Context(), h.DB, `SELECT count(*)::int FROM uploads WHERE work = 'todo'`, nil)
		if err == nil && n == 0 {
			return
		}
	}
	t.Fatal("there are uploads that are not looked into")
}

func TestEveryKindOfFileIsKeptAsItIsAnswered(t *testing.T) {
	everyStorage(t, func(t *testing.T, h house) {
		for _, s := range samples.Allowed() {
			t.Run(s.Name, func(t *testing.T) {
				got := sent(t, h.owner, s.Filename, s.Body)
				kept := s.Type
				if kept == filetype.HEIC {
					kept = filetype.JPEG
				}
				if got.ContentType != kept.MIME || got.State != "stored" || filepath.Ext(got.Filename) != kept.Ext && kept.Kind != filetype.Text {
					t.Errorf("it is %+v", got)
				}
				if image := kept.Kind == filetype.Image; image != (got.Width != nil && got.Height != nil) {
					t.Errorf("width and height: %v", got)
				}
				a := fetch(t, h.owner, media(got.ID))
				if a.Status != 200 || sum(a.Body) != *got.SHA256 || int64(len(a.Body)) != got.Size || a.Header.Get("Content-Type") != kept.MIME {
					t.Errorf("handed out: %d, %d bytes of %s, %s", a.Status, len(a.Body), a.Header.Get("Content-Type"), sum(a.Body))
				}
				how, _, _ := strings.Cut(a.Header.Get("Content-Disposition"), ";")
				if want := map[bool]string{true: "inline", false: "attachment"}[kept.Inline()]; how != want {
					t.Errorf("handed out %s, not %s", how, want)
				}
			})
		}
		h.looked(t)
		if f := h.check(t); !f.Sound() || f.Uploads != len(samples.Allowed()) {
			t.Errorf("the storage: %+v", f)
		}
	})
}

func TestHostileFiles(t *testing.T) {
	h := open(t)
	taken := 0
	for _, s := range samples.Hostile() {
		t.Run(s.Name, func(t *testing.T) {
			a := send(t, h.owner, s.Filename, s.Body)
			if a.Status != s.Status || a.Code() != s.Code {
				t.Fatalf("%d %s, want %d %s", a.Status, a.Body, s.Status, s.Code)
			}
			if a.Status != 201 {
				return
			}
			taken++
			got := testkit.JSON[document.Upload](t, a)
			if strings.ContainsAny(got.Filename, "/\\\x00\r\n\u202e") || strings.Contains(got.Filename, "..") || got.Filename == "" {
				t.Errorf("it is called %q", got.Filename)
			}
			body := fetch(t, h.owner, media(got.ID)).Body
			for _, secret := range []string{"Exif", "GPS", "PK\x03\x04", "<script"} {
				if strings.HasPrefix(got.ContentType, "image/") && bytes.Contains(body, []byte(secret)) {
					t.Errorf("%s is still in it", secret)
				}
			}
		})
	}
	if f := h.check(t); f.Uploads != taken || f.Blobs < taken || len(f.OrphanBlobs)+len(f.LostBlobs) > 0 {
		t.Errorf("%d were taken: %+v", taken, f)
	}
	if left, _ := filepath.Glob(filepath.Join(h.cfg.SpoolDir, "hearth-file-*")); len(left) > 0 && !eventuallyGone(h.cfg.SpoolDir) {
		t.Errorf("left in the spool: %v", left)
	}
}

func eventuallyGone(spool string) bool {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if left, _ := filepath.Glob(filepath.Join(spool, "hearth-file-*")); len(left) == 0 {
			return true
		}
	}
	return false
}

func TestAFormIsReadStrictly(t *testing.T) {
	h := open(t)
	file := []byte("The boiler's serial number is 4711.\n")
	id := newID().String()
	first := sent(t, h.owner, "notes.txt", file, "id", id, "sha256", strings.ToUpper(sum(file)))
	if first.ID.String() != id {
		t.Errorf("its id is %s", first.ID)
	}
	if a := send(t, h.owner, "notes.txt", file, "id", id); a.Status != 200 || testkit.JSON[document.Upload](t, a).ID != first.ID {
		t.Errorf("sent again: %d %s", a.Status, a.Body)
	}
	if a := send(t, h.member, "notes.txt", file, "id", id); a.Status != 409 || a.Code() != "id_taken" {
		t.Errorf("somebody else's id: %d %s", a.Status, a.Body)
	}
	for name, c := range map[string]struct {
		fields []string
		code   string
		at     string
	}{
		"another digest":  {[]string{"sha256", sum([]byte("x"))}, "digest_mismatch", "body.sha256"},
		"no digest":       {[]string{"sha256", "abc"}, "validation_failed", "body.sha256"},
		"no id":           {[]string{"id", "abc"}, "validation_failed", "body.id"},
		"the zero id":     {[]string{"id", uuid.Nil.String()}, "validation_failed", "body.id"},
		"another field":   {[]string{"color", "red"}, "validation_failed", "body.color"},
		"a NUL":           {[]string{"id", "\x00"}, "validation_failed", "body.id"},
		"a long field":    {[]string{"id", strings.Repeat("x", 2000)}, "validation_failed", "body.id"},
		"too many fields": {strings.Fields("a 1 b 1 c 1 d 1 e 1 f 1 g 1 h 1 i 1 j 1 k 1"), "validation_failed", `"body"`},
		"the id twice":    {[]string{"id", newID().String(), "id", newID().String()}, "validation_failed", "body.id"},
	} {
		if a := send(t, h.owner, "notes.txt", file, c.fields...); a.Status != 422 || a.Code() != c.code || !strings.Contains(string(a.Body), c.at) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	body, contentType := form(t, "notes.txt", file)
	boundary := contentType[strings.Index(contentType, "=")+1:]
	for name, c := range map[string]struct {
		status     int
		body, kind string
	}{
		"JSON":           {415, `{}`, "application/json"},
		"no type":        {415, "x", ""},
		"no boundary":    {415, string(body), "multipart/form-data"},
		"another form":   {415, string(body), "multipart/mixed; boundary=" + boundary},
		"cut off":        {400, string(body[:len(body)-30]), contentType},
		"nothing":        {422, "", contentType},
		"other boundary": {422, string(body), "multipart/form-data; boundary=xyz"},
		"long headers":   {422, strings.Replace(string(body), "\r\n", "\r\nX-Long: "+strings.Repeat("x", 2<<20)+"\r\n", 1), contentType},
		"no file":        {422, "--" + boundary + "--\r\n", contentType},
		"two files":      {422, strings.Replace(string(body), "--"+boundary+"--", strings.TrimSuffix(string(body), "\r\n"), 1), contentType},
	} {
		if a := h.owner.Call("POST", "/api/uploads/", c.body, "Content-Type", c.kind); a.Status != c.status {
			t.Errorf("%s: %d %s, want %d", name, a.Status, a.Body, c.status)
		}
	}
	h.owner.Want(200, "GET", path("uploads", first.ID), nil) // the connection is as good as before
}

func TestWhoSeesAFile(t *testing.T) {
	h := open(t)
	photo := sent(t, h.owner, "roof.jpg", samples.Allowed()[0].Body)
	read := func(c *testkit.Client, status int) {
		t.Helper()
		c.Want(status, "GET", media(photo.ID), nil)
		c.Want(status, "GET", path("uploads", photo.ID), nil)
	}
	for c, status := range map[*testkit.Client]int{h.owner: 200, h.member: 404, h.viewer: 404, h.stranger: 404} {
		read(c, status)
	}
	h.AsNobody(t).Want(401, "GET", media(photo.ID), nil)
	h.paper(t, h.home, photo.ID)
	for c, status := range map[*testkit.Client]int{h.owner: 200, h.member: 200, h.viewer: 200, h.stranger: 404} {
		read(c, status)
	}
	h.owner.Refused(409, "impossible_move", "DELETE", path("uploads", photo.ID), nil)
	h.member.Refused(404, "not_found", "DELETE", path("uploads", photo.ID), nil)
	// Who leaves sees it no more, though they have sent it.
	h.homes.Take(h.owner.Actor.UserID)
	h.Cache.Drop(t.Context(), "hearth:residence_ids_user:"+h.owner.Actor.UserID.String())
	read(h.owner, 404)
}

func TestAnAvatarIsSeenByWhoSharesAHome(t *testing.T) {
	h := open(t)
	face := sent(t, h.member, "me.jpg", samples.Allowed()[0].Body)
	user := events.User{ID: h.member.Actor.UserID, AvatarID: face.ID, Version: 2}
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: user})
	for c, status := range map[*testkit.Client]int{h.owner: 200, h.member: 200, h.viewer: 200, h.stranger: 404} {
		c.Want(status, "GET", media(face.ID), nil)
	}
	user.Version, user.AvatarID = 1, uuid.Nil // an older one that comes late
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: user})
	h.viewer.Want(200, "GET", media(face.ID), nil)
	user.Version = 3
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: user})
	h.viewer.Want(404, "GET", media(face.ID), nil)
	// What is somebody else's does not become one's own by naming it.
	stolen := sent(t, h.stranger, "me.jpg", samples.Allowed()[0].Body)
	h.paper(t, h.elsewhere, stolen.ID)
	user.Version, user.AvatarID = 4, stolen.ID
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: user})
	h.member.Want(404, "GET", media(stolen.ID), nil)
}

func TestPartsOfAFile(t *testing.T) {
	h := open(t)
	file := samples.PDF("Furnace warranty")
	got := sent(t, h.owner, "warranty.pdf", file)
	at, n := media(got.ID), len(file)
	whole := h.owner.Want(200, "GET", at, nil)
	etag := whole.Header.Get("ETag")
	if whole.Header.Get("Accept-Ranges") != "bytes" || whole.Header.Get("X-Content-Type-Options") != "nosniff" || whole.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("headers: %v", whole.Header)
	}
	for wanted, want := range map[string][]byte{
		"bytes=0-9": file[:10], "bytes=10-": file[10:], "bytes=-5": file[n-5:], "bytes=0-99999999": file, "bytes=5-5": file[5:6], "bytes=-99999999": file,
	} {
		if a := h.owner.Call("GET", at, nil, "Range", wanted); a.Status != 206 || !bytes.Equal(a.Body, want) || !strings.HasSuffix(a.Header.Get("Content-Range"), "/"+strconv.Itoa(n)) {
			t.Errorf("%s: %d, %d bytes, %s", wanted, a.Status, len(a.Body), a.Header.Get("Content-Range"))
		}
	}
	for _, unknown := range []string{"bytes=0-1,4-5", "lines=1-2", "bytes=x-y", "bytes=9-2", "bytes="} {
		if a := h.owner.Call("GET", at, nil, "Range", unknown); unknown != "bytes=9-2" && (a.Status != 200 || !bytes.Equal(a.Body, file)) {
			t.Errorf("%s: %d", unknown, a.Status)
		}
	}
	for _, beyond := range []string{"bytes=" + strconv.Itoa(n) + "-", "bytes=-0"} {
		h.owner.Refused(416, "range_not_satisfiable", "GET", at, nil, "Range", beyond)
	}
	h.owner.Want(206, "GET", at, nil, "Range", "bytes=0-9", "If-Range", etag)
	h.owner.Want(200, "GET", at, nil, "Range", "bytes=0-9", "If-Range", `"another"`)
	h.owner.Want(304, "GET", at, nil, "If-None-Match", etag)
	h.stranger.Want(404, "GET", at, nil, "If-None-Match", etag)
	if saved := h.owner.Want(200, "GET", at+"?download=true", nil); !strings.HasPrefix(saved.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("saved as %s", saved.Header.Get("Content-Disposition"))
	}
	h.owner.Refused(422, "validation_failed", "GET", at+"?size=huge", nil)
}

func TestWhatNothingUsesIsCollected(t *testing.T) {
	everyStorage(t, func(t *testing.T, h house) {
		used, unused, gone := sent(t, h.owner, "a.txt", []byte("used")), sent(t, h.owner, "b.txt", []byte("unused")), sent(t, h.owner, "c.jpg", samples.Allowed()[0].Body)
		paper := h.paper(t, h.home, used.ID)
		h.looked(t)
		h.owner.Want(204, "DELETE", path("uploads", gone.ID), nil)
		h.owner.Want(404, "GET", media(gone.ID), nil)
		settle := func(what string, uploads int) {
			t.Helper()
			testkit.Eventually(t, what, func() bool {
				f := h.check(t)
				return f.Uploads == uploads && f.Blobs == uploads && f.Sound()
			})
		}
		settle("what was deleted is out of the storage", 2)
		// A process that died between the blob and the row.
		_, err := pg.Exec(t.Context(), h.DB, `INSERT INTO loose_blobs (key, due_at) VALUES ('ab/0123456789abcdef0123456789abcd', @due::timestamptz)`,
			pgx.NamedArgs{"due": h.Clock.Now().Add(24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		store, err := blob.Open(t.Context(), h.cfg.Config, h.Tel)
		if err == nil {
			err = store.Put(t.Context(), "ab/0123456789abcdef0123456789abcd", strings.NewReader("half"), 4, "text/plain")
		}
		if err != nil {
			t.Fatal(err)
		}
		h.Clock.Advance(23 * time.Hour)
		wake(t, h)
		h.owner.Want(200, "GET", path("uploads", unused.ID), nil)
		h.Clock.Advance(2 * time.Hour)
		wake(t, h)
		settle("what nothing has used for a day is gone, and what was left over", 1)
		h.owner.Want(404, "GET", path("uploads", unused.ID), nil)
		// What is let go has another day.
		if _, err := pg.Exec(t.Context(), h.DB, `DELETE FROM documents WHERE id = @id::uuid`, pgx.NamedArgs{"id": paper}); err != nil {
			t.Fatal(err)
		}
		wake(t, h)
		h.owner.Want(200, "GET", path("uploads", used.ID), nil)
		h.member.Want(404, "GET", path("uploads", used.ID), nil)
		h.Clock.Advance(25 * time.Hour)
		wake(t, h)
		settle("nothing is left", 0)
	})
}

// wake makes the collector look, and waits until it has.
func wake(t *testing.T, h house) {
	t.Helper()
	done := sent(t, h.owner, "wake.txt", []byte("wake up"))
	h.owner.Want(204, "DELETE", path("uploads", done.ID), nil)
	testkit.Eventually(t, "the collector has looked", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), h.DB, `SELECT count(*)::int FROM loose_blobs WHERE due_at <= @now::timestamptz OR due_at = '-infinity'`, pgx.NamedArgs{"now": h.Clock.Now()})
		return err == nil && n == 0
	})
}

func TestADeletedResidenceLeavesNoFile(t *testing.T) {
	everyStorage(t, func(t *testing.T, h house) {
		here, elsewhere, both := sent(t, h.owner, "a.jpg", samples.Allowed()[0].Body), sent(t, h.stranger, "b.txt", []byte("theirs")), sent(t, h.owner, "c.txt", []byte("both"))
		h.paper(t, h.home, here.ID)
		h.paper(t, h.elsewhere, elsewhere.ID)
		h.paper(t, h.home, both.ID)
		h.paper(t, h.elsewhere, both.ID)
		h.looked(t)
		testkit.Deliver(t, h.Service, events.ResidenceDeleted, events.Home{ID: h.home})
		testkit.Eventually(t, "what the residence held is gone, and nothing else", func() bool {
			f := h.check(t)
			return f.Uploads == 2 && f.Blobs == 2 && f.Sound()
		})
		h.stranger.Want(200, "GET", path("uploads", both.ID), nil)
		h.stranger.Want(200, "GET", path("uploads", elsewhere.ID), nil)
	})
}

func TestUnusedUploadsAreBounded(t *testing.T) {
	h := open(t)
	_, err := pg.Exec(t.Context(), h.DB, `
		INSERT INTO uploads (id, owner_id, state, filename, content_type, size, sha256, blob_key, work, work_at, unclaimed_at, created_at)
		SELECT gen_random_uuid(), @owner::uuid, 'stored', 'x', 'text/plain', 1, '\x00', 'none/' || n, 'done', now(), @now::timestamptz, @now::timestamptz FROM generate_series(1, 499) n`,
		pgx.NamedArgs{"owner": h.owner.Actor.UserID, "now": h.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	sent(t, h.owner, "last.txt", []byte("last"))
	if a := send(t, h.owner, "more.txt", []byte("more")); a.Status != 429 || a.Code() != "too_many_uploads" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	sent(t, h.member, "theirs.txt", []byte("others are not bound"))
}

func TestTheSameFileTwentyTimesAtOnceIsOneUpload(t *testing.T) {
	h := open(t)
	id := newID().String()
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 20 {
		all.Go(func() {
			a := send(t, h.owner, "notes.txt", []byte("once"), "id", id)
			for a.Status == 503 || a.Status == 429 { // another was just being added, or enough are on their way: what a client does then
				a = send(t, h.owner, "notes.txt", []byte("once"), "id", id)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[a.Status]++
		})
	}
	all.Wait()
	if statuses[201] != 1 || statuses[200] != 19 {
		t.Errorf("answers: %v", statuses)
	}
	if f := h.check(t); f.Uploads != 1 || len(f.OrphanBlobs) > 0 {
		t.Errorf("the storage: %+v", f)
	}
}

func TestRoundTripsOfFiles(t *testing.T) {
	h := open(t)
	trips := func(a testkit.Answer) int { return roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB) }
	testkit.Eventually(t, "keys are reserved", func() bool {
		n, _, err := pg.Scalar[int](t.Context(), h.DB, `SELECT count(*)::int FROM loose_blobs`, nil)
		return err == nil && n > 0
	})
	a := send(t, h.owner, "notes.txt", []byte("x"))
	if n := trips(a); a.Status != 201 || n != 1 {
		t.Errorf("sending a file: %d round trips", n)
	}
	got := testkit.JSON[document.Upload](t, a)
	h.owner.Want(200, "GET", media(got.ID), nil) // from now on it is known who sees what
	if n := trips(h.owner.Want(200, "GET", media(got.ID), nil)); n != 1 {
		t.Errorf("getting a file: %d round trips", n)
	}
}

func TestAStorageThatFailsLeavesNothingHalf(t *testing.T) {
	h := open(t)
	if err := os.Chmod(h.cfg.StorageDir, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // root writes everywhere: take the directory away instead
		if err := os.Rename(h.cfg.StorageDir, h.cfg.StorageDir+".away"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.cfg.StorageDir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if a := send(t, h.owner, "notes.txt", []byte("x")); a.Status != 503 && a.Status != 500 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if n, _, err := pg.Scalar[int](t.Context(), h.DB, `SELECT count(*)::int FROM uploads`, nil); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestSmallVersionsAndWhatIsInAFile(t *testing.T) {
	everyStorage(t, func(t *testing.T, h house) {
		photo := sent(t, h.owner, "roof.jpg", samples.JPEG(samples.Corners(2000, 1000), samples.EXIF(6)))
		if *photo.Width != 1000 || *photo.Height != 2000 || len(photo.Thumbnails) != 0 {
			t.Errorf("at first: %+v", photo)
		}
		paper, text := sent(t, h.owner, "warranty.pdf", samples.PDF("Furnace warranty")), sent(t, h.owner, "notes.txt", []byte("The boiler's serial number is 4711."))
		for _, size := range []string{"thumb", "preview"} {
			if early := fetch(t, h.owner, media(photo.ID)+"?size="+size); early.Status != 200 || early.Header.Get("Content-Type") != "image/jpeg" {
				t.Errorf("%s, whether it is there or not: %d", size, early.Status)
			}
		}
		h.looked(t)
		read := func(id uuid.UUID) document.Upload {
			return testkit.JSON[document.Upload](t, h.owner.Want(200, "GET", path("uploads", id), nil))
		}
		want := []document.Thumbnail{
			{Size: "thumb", Width: 160, Height: 320, URL: media(photo.ID) + "?size=thumb"}, {Size: "preview", Width: 640, Height: 1280, URL: media(photo.ID) + "?size=preview"},
		}
		if got := read(photo.ID).Thumbnails; !slices.Equal(got, want) {
			t.Errorf("thumbnails: %+v", got)
		}
		small := fetch(t, h.owner, media(photo.ID)+"?size=thumb")
		if cfg, err := jpeg.DecodeConfig(bytes.NewReader(small.Body)); err != nil || cfg.Width != 160 || cfg.Height != 320 {
			t.Errorf("the thumbnail: %v %v", cfg, err)
		}
		if !strings.Contains(small.Header.Get("Content-Disposition"), "roof-thumb.jpg") {
			t.Errorf("it is called %s", small.Header.Get("Content-Disposition"))
		}
		if got := read(paper.ID); got.PageCount == nil || *got.PageCount != 1 || len(got.Thumbnails) != 2 {
			t.Errorf("the PDF: %+v", got)
		}
		if got := read(text.ID); got.PageCount != nil || len(got.Thumbnails) != 0 {
			t.Errorf("the text: %+v", got)
		}
		h.owner.Refused(404, "not_found", "GET", media(text.ID)+"?size=thumb", nil)
		for file, word := range map[uuid.UUID]string{paper.ID: "warranty", text.ID: "4711"} {
			n, _, err := pg.Scalar[int](t.Context(), h.DB, `SELECT count(*)::int FROM uploads WHERE id = @id::uuid AND words @@ to_tsquery('simple', @word::text)`, pgx.NamedArgs{"id": file, "word": word})
			if err != nil || n != 1 {
				t.Errorf("%s is not found: %v", word, err)
			}
		}
	})
}

// put sends a file straight to the storage.
func put(t *testing.T, d document.DirectUpload, body []byte) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), d.Method, d.SendTo, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range d.Headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestAFileGoesStraightToTheStorage(t *testing.T) {
	h := openWith(t, onS3(t))
	file := samples.PDF("Inspection of the roof")
	id := newID()
	announce := func(status int) document.DirectUpload {
		t.Helper()
		return testkit.JSON[document.DirectUpload](t, h.owner.Want(status, "POST", "/api/uploads/direct/",
			doc{"id": id, "filename": "../Inspection.pdf", "content_type": "application/pdf", "size": len(file)}))
	}
	direct := announce(201)
	if direct.State != "awaited" || direct.Method != "PUT" {
		t.Errorf("announced: %+v", direct)
	}
	h.owner.Refused(404, "not_found", "GET", media(id), nil)
	h.owner.Refused(409, "file_not_uploaded", "POST", path("uploads", id, "confirm"), nil)
	h.stranger.Refused(404, "not_found", "POST", path("uploads", id, "confirm"), nil)
	again := announce(200)
	if status := put(t, direct, append(file, '!')); status < 400 {
		t.Errorf("a larger file is taken: %d", status)
	}
	if status := put(t, again, file); status != 200 {
		t.Fatalf("the storage answers %d", status)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			got := testkit.JSON[document.Upload](t, h.owner.Want(200, "POST", path("uploads", id, "confirm"), nil))
			if got.State != "stored" || got.Filename != "Inspection.pdf" || *got.SHA256 != sum(file) || got.Size != int64(len(file)) {
				t.Errorf("confirmed: %+v", got)
			}
		})
	}
	all.Wait()
	h.owner.Refused(409, "impossible_move", "POST", "/api/uploads/direct/", doc{"id": id, "filename": "x", "content_type": "application/pdf", "size": 1})
	h.member.Refused(409, "id_taken", "POST", "/api/uploads/direct/", doc{"id": id, "filename": "x", "content_type": "application/pdf", "size": 1})
	if a := fetch(t, h.owner, media(id)); !bytes.Equal(a.Body, file) {
		t.Errorf("handed out: %d", a.Status)
	}
	// The address is good for an hour: whatever comes there until then is deleted after it.
	if status := put(t, direct, file); status != 200 {
		t.Errorf("sent once more: %d", status)
	}
	h.looked(t)
	h.Clock.Advance(3 * time.Hour)
	wake(t, h)
	testkit.Eventually(t, "what came to the address is gone", func() bool {
		f := h.check(t)
		return f.Sound() && f.Uploads == 1 && f.Blobs == 3
	})
	evil := []byte("<html><script>alert(1)</script></html>")
	bad := testkit.JSON[document.DirectUpload](t, h.owner.Want(201, "POST", "/api/uploads/direct/", doc{"filename": "x.pdf", "content_type": "application/pdf", "size": len(evil)}))
	put(t, bad, evil)
	h.owner.Refused(422, "file_type_not_allowed", "POST", path("uploads", bad.ID, "confirm"), nil)
}

func TestADirectoryTakesNoFilesItself(t *testing.T) {
	h := open(t)
	h.owner.Refused(409, "direct_upload_unavailable", "POST", "/api/uploads/direct/", doc{"filename": "x.pdf", "content_type": "application/pdf", "size": 10})
	h.owner.Refused(422, "validation_failed", "POST", "/api/uploads/direct/", doc{"filename": "x.pdf", "content_type": "pdf", "size": 0})
}

func TestADeletedPersonLeavesNoFileOfTheirOwn(t *testing.T) {
	h := open(t)
	shared, face, card := sent(t, h.member, "a.txt", []byte("shared")), sent(t, h.member, "me.jpg", samples.Allowed()[0].Body), sent(t, h.member, "card.txt", []byte("card"))
	sent(t, h.member, "unused.txt", []byte("unused"))
	h.paper(t, h.home, shared.ID)
	id := h.member.Actor.UserID
	testkit.Deliver(t, h.Service, events.UserChanged, events.UserChange{User: events.User{ID: id, AvatarID: face.ID, Version: 2}})
	testkit.Deliver(t, h.Service, events.ContractorChanged, events.Contractor{ID: newID(), CreatedBy: id, ActorID: id, Change: "created", UploadIDs: []uuid.UUID{card.ID}, Version: 1})
	h.looked(t)
	testkit.Deliver(t, h.Service, events.UserDeleted, events.Person{ID: id})
	testkit.Eventually(t, "what was theirs alone is gone", func() bool {
		f := h.check(t)
		return f.Uploads == 1 && f.Blobs == 1 && f.Sound()
	})
	h.owner.Want(200, "GET", path("uploads", shared.ID), nil)
}
