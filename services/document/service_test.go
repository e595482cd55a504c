package document_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/document"
	"hearth.internal/document/blob"
	"hearth.internal/document/reader/readertest"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type doc = map[string]any

var newID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// house is the service with two residences: one that its owner shares with a member and a viewer, and a stranger's.
type house struct {
	*testkit.Service
	cfg                             document.Config
	homes                           *testkit.Homes
	refs                            *refs
	owner, member, viewer, stranger *testkit.Client
	home, elsewhere                 uuid.UUID
}

func open(t *testing.T) house {
	t.Helper()
	return openWith(t, func(*document.Config) {})
}

func openWith(t *testing.T, change func(*document.Config), options ...func(*boot.Options)) house {
	t.Helper()
	homes, refs := testkit.NewHomes(t), &refs{}
	tasks := httptest.NewServer(refs)
	t.Cleanup(tasks.Close)
	cfg := document.Config{Service: testkit.Config(t, "document"), SpoolDir: t.TempDir(), ReaderProgram: readertest.Program(t)}
	shareCompiled(t, cfg.SpoolDir)
	cfg.StorageDir = t.TempDir()
	cfg.ResidenceURL, cfg.TaskURL = homes.URL, tasks.URL
	change(&cfg)
	s := testkit.Run(t, cfg.Service, document.New(cfg), options...)
	h := house{Service: s, cfg: cfg, homes: homes, refs: refs, home: newID(), elsewhere: newID()}
	h.owner, h.member, h.viewer, h.stranger = s.As(t, newID()), s.As(t, newID()), s.As(t, newID()), s.As(t, newID())
	for role, c := range map[string]*testkit.Client{"owner": h.owner, "member": h.member, "viewer": h.viewer} {
		homes.Give(c.Actor.UserID, internalapi.Home{ID: h.home, OwnerID: h.owner.Actor.UserID, Role: role, Timezone: "Europe/Berlin", Currency: "EUR"})
	}
	homes.Give(h.stranger.Actor.UserID, internalapi.Home{ID: h.elsewhere, OwnerID: h.stranger.Actor.UserID, Role: "owner", Timezone: "UTC", Currency: "USD"})
	return h
}

// with is the document with other members.
func with(base, more doc) doc {
	out := maps.Clone(base)
	maps.Copy(out, more)
	return out
}

// path is the address of something under a collection.
func path(collection string, id uuid.UUID, more ...string) string {
	p := "/api/" + collection + "/" + id.String() + "/"
	for _, m := range more {
		p += m + "/"
	}
	return p
}

// form is a multipart body with a file and the fields before it, and its content type.
func form(t testing.TB, filename string, file []byte, fields ...string) (body []byte, contentType string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename*=UTF-8''` + url.PathEscape(filename)},
		"Content-Type":        {"application/octet-stream"},
	})
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w.FormDataContentType()
}

// send uploads a file.
func send(t testing.TB, c *testkit.Client, filename string, file []byte, fields ...string) testkit.Answer {
	t.Helper()
	body, contentType := form(t, filename, file, fields...)
	return c.For(t).Call("POST", "/api/uploads/", body, "Content-Type", contentType)
}

// sent uploads a file that is taken.
func sent(t testing.TB, c *testkit.Client, filename string, file []byte, fields ...string) document.Upload {
	t.Helper()
	a := send(t, c, filename, file, fields...)
	if a.Status != http.StatusCreated {
		t.Fatalf("%s: %d %s", filename, a.Status, a.Body)
	}
	var out document.Upload
	if err := json.Unmarshal(a.Body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// onS3 keeps files in a bucket.
func onS3(t *testing.T) func(*document.Config) {
	t.Helper()
	b := testkit.S3(t)
	return func(cfg *document.Config) {
		cfg.Config = blob.Config{
			S3Endpoint: b.Endpoint, S3Region: b.Region, S3Bucket: b.Name, S3AccessKey: b.AccessKey, S3SecretKey: b.SecretKey,
			S3PathStyle: true, S3Patience: 5 * time.Second,
		}
	}
}

// get is a request of somebody who has an address and nothing else.
func get(t testing.TB, address string) testkit.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return testkit.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// shareCompiled lets all tests use what the first of them has compiled.
func shareCompiled(t testing.TB, spool string) {
	t.Helper()
	shared := filepath.Join(os.TempDir(), "hearth-reader-tests")
	err := os.MkdirAll(shared, 0o700)
	if err == nil {
		err = os.Symlink(shared, filepath.Join(spool, "hearth-reader"))
	}
	if err != nil {
		t.Fatal(err)
	}
}
