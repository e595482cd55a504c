package boot_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/day"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/patch"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type thing struct {
	Title string   `json:"title" required:"true" minLength:"1" maxLength:"10"`
	Due   *day.Day `json:"due"`
	Note  *string  `json:"note" maxLength:"10"`

	HomeID *uuid.UUID  `json:"home_id"`
	Rooms  *int        `json:"rooms"`
	Tags   []uuid.UUID `json:"tags" maxItems:"3"`
}

type thingPatch struct {
	Title patch.Optional[string]  `json:"title,omitzero" minLength:"1" maxLength:"10"`
	Note  patch.Nullable[string]  `json:"note,omitzero" maxLength:"10"`
	Due   patch.Nullable[day.Day] `json:"due,omitzero"`
}

type thingInput struct{ Body thing }
type thingOutput struct {
	ETag string `header:"ETag"`
	Body thing
}
type patchInput struct {
	httpx.IfMatch
	ID   uuid.UUID `path:"id"`
	Body thingPatch
}

// things is a service with just enough in it to look at what every service gets from here.
func things() boot.Service {
	return boot.Service{Name: "admin", Title: "Things", Hot: []string{`SELECT @n::int`}, Register: func(d *boot.Deps) error {
		httpx.Post(d.HTTP, "/api/things/", identity.User, func(ctx context.Context, in *thingInput) (*thingOutput, error) {
			_, _, err := pg.Scalar[int](ctx, d.DB, `SELECT @n::int`, pgx.NamedArgs{"n": 1})
			return &thingOutput{Body: in.Body, ETag: httpx.ETag(3)}, err
		}, "Add a thing", httpx.Status(http.StatusCreated))
		httpx.Get(d.HTTP, "/api/things/", identity.User, func(context.Context, *struct{}) (*thingOutput, error) {
			return &thingOutput{ETag: httpx.ETag(3)}, nil
		}, "Read a thing")
		httpx.Patch(d.HTTP, "/api/things/{id}/", identity.User, func(_ context.Context, in *patchInput) (*thingOutput, error) {
			return &thingOutput{Body: thing{Title: in.Body.Title.Value, Note: in.Body.Note.Value}}, nil
		}, "Change a thing")
		httpx.Get(d.HTTP, "/api/panic/", identity.Anyone, func(context.Context, *struct{}) (*thingOutput, error) {
			panic("secret detail")
		}, "Break")
		events.On(d.Consumer, events.UserRegistered, func(context.Context, pgx.Tx, events.Received[events.User]) error { return nil })
		return nil
	}}
}

func TestRequestsThatAreRefused(t *testing.T) {
	s := testkit.Run(t, testkit.Config(t, "admin"), things())
	user, nobody := s.As(t, uuid.New()), s.AsNobody(t)
	id := uuid.NewString()
	for _, c := range []struct {
		name, method, path, body string
		client                   *testkit.Client
		status                   int
		code                     string
	}{
		{"no token", "POST", "/api/things/", `{"title":"a"}`, nobody, 401, "authentication_required"},
		{"no token and a bad body", "POST", "/api/things/", `{`, nobody, 401, "authentication_required"},
		{"malformed JSON", "POST", "/api/things/", `{"title":`, user, 400, "malformed_request"},
		{"two documents", "POST", "/api/things/", `{"title":"a"} {}`, user, 400, "malformed_request"},
		{"empty body", "POST", "/api/things/", ``, user, 400, "malformed_request"},
		{"a list", "POST", "/api/things/", `[]`, user, 422, "validation_failed"},
		{"null", "POST", "/api/things/", `null`, user, 422, "validation_failed"},
		{"unknown field", "POST", "/api/things/", `{"title":"a","x":1}`, user, 422, "validation_failed"},
		{"a field in another case", "POST", "/api/things/", `{"Title":"a"}`, user, 422, "validation_failed"},
		{"missing field", "POST", "/api/things/", `{}`, user, 422, "validation_failed"},
		{"wrong type", "POST", "/api/things/", `{"title":1}`, user, 422, "validation_failed"},
		{"too long", "POST", "/api/things/", `{"title":"aaaaaaaaaaa"}`, user, 422, "validation_failed"},
		{"Feb 30", "POST", "/api/things/", `{"title":"a","due":"2026-02-30"}`, user, 422, "validation_failed"},
		{"a NUL", "POST", "/api/things/", `{"title":"a\u0000"}`, user, 422, "validation_failed"},
		{"bad UTF-8", "POST", "/api/things/", "{\"title\":\"\xff\"}", user, 422, "validation_failed"},
		{"NUL in the query", "GET", "/api/things/?q=%00", "", user, 422, "validation_failed"},
		{"NUL in the path", "GET", "/api/things/%00/", "", user, 422, "validation_failed"},
		{"wrong content type", "POST", "/api/things/", `title=a`, user, 415, "unsupported_media_type"},
		{"no such address", "GET", "/api/nothing/", "", user, 404, "route_not_found"},
		{"wrong method", "PUT", "/api/things/", `{}`, user, 405, "method_not_allowed"},
		{"id that is none", "PATCH", "/api/things/x/", `{}`, user, 422, "validation_failed"},
		{"null for what must be", "PATCH", "/api/things/" + id + "/", `{"title":null}`, user, 422, "validation_failed"},
		{"too long in a patch", "PATCH", "/api/things/" + id + "/", `{"note":"aaaaaaaaaaa"}`, user, 422, "validation_failed"},
		{"Feb 30 in a patch", "PATCH", "/api/things/" + id + "/", `{"due":"2026-02-30"}`, user, 422, "validation_failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			contentType := "application/json"
			if c.status == 415 {
				contentType = "application/x-www-form-urlencoded"
			}
			a := c.client.For(t).Refused(c.status, c.code, c.method, c.path, c.body, "Content-Type", contentType)
			if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %q", got)
			}
		})
	}
}

func TestRefusalsNameTheField(t *testing.T) {
	s := testkit.Run(t, testkit.Config(t, "admin"), things())
	user, one := s.As(t, uuid.New()), "/api/things/"+uuid.NewString()+"/"
	for _, c := range []struct{ name, method, path, body, location string }{
		{"null for what must be", "PATCH", one, `{"title":null}`, "body.title"},
		{"no id", "POST", "/api/things/", `{"title":"a","home_id":"x"}`, "body.home_id"},
		{"no id in a list", "POST", "/api/things/", `{"title":"a","tags":["` + uuid.NewString() + `","x"]}`, "body.tags[1]"},
		{"a fraction that is none", "POST", "/api/things/", `{"title":"a","rooms":3.0}`, "body.rooms"},
		{"the same in another case", "POST", "/api/things/", `{"title":"a","TITLE":"aaaaaaaaaaa"}`, "body.TITLE"},
		{"the same in another case in a patch", "PATCH", one, `{"title":"a","Title":"aaaaaaaaaaa"}`, "body.Title"},
		{"a member twice", "POST", "/api/things/", `{"title":"a","rooms":-1,"rooms":null}`, "body.rooms"},
		{"a member twice, once escaped", "POST", "/api/things/", `{"title":"a","t\u0069tle":"b"}`, "body.title"},
		{"a member twice in a patch", "PATCH", one, `{"title":"a","title":"b"}`, "body.title"},
		{"a year out of bounds", "POST", "/api/things/", `{"title":"a","due":"1599-01-01"}`, "body.due"},
		{"a year out of bounds in a patch", "PATCH", one, `{"title":"a","due":"1599-01-01"}`, "body.due"},
		{"an escaped NUL", "POST", "/api/things/", `{"title":"a\u0000"}`, "body.title"},
		{"a NUL in a list", "POST", "/api/things/", `{"title":"a","tags":["","\u0000"]}`, "body.tags[1]"},
		{"a NUL in a name", "POST", "/api/things/", `{"title\u0000":"a"}`, "body"},
		{"bad UTF-8", "POST", "/api/things/", "{\"title\":\"\xff\"}", "body.title"},
		{"half a surrogate pair", "POST", "/api/things/", `{"title":"a\ud83d"}`, "body.title"},
		{"the other half", "POST", "/api/things/", `{"title":"\udd27"}`, "body.title"},
		{"two first halves", "POST", "/api/things/", `{"title":"\\\ud83d\uD83D"}`, "body.title"},
		{"a NUL as it is", "POST", "/api/things/", "{\"title\":\"\x00\"}", "body"},
		{"a NUL in the query", "GET", "/api/things/?p=1&q=%00", "", "query.q"},
		{"a NUL in a parameter's name", "GET", "/api/things/?p=1&%00=1", "", "query"},
		{"a query that cannot be decoded", "GET", "/api/things/?q=%zz", "", "query.q"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := user.For(t).Refused(422, "validation_failed", c.method, c.path, c.body)
			if !strings.Contains(string(a.Body), `"location":"`+c.location+`"`) {
				t.Errorf("want %s in %s", c.location, a.Body)
			}
			if strings.Contains(string(a.Body), "Go ") || strings.Contains(string(a.Body), `\u0000`) {
				t.Errorf("not for people: %s", a.Body)
			}
		})
	}
}

func TestEscapesOfCharactersAreNotRefused(t *testing.T) {
	s := testkit.Run(t, testkit.Config(t, "admin"), things())
	user := s.As(t, uuid.New())
	for _, title := range []string{`\ud83d\uDD27`, `\\ud83d`, `\\u0000`, `\u00e9`, `\"`, `\ufffd`} {
		if a := user.Call("POST", "/api/things/", `{"title":"`+title+`"}`); a.Status >= 300 {
			t.Errorf("%s: %d %s", title, a.Status, a.Body)
		}
	}
}

func TestRefusalsDoNotRepeatTheBody(t *testing.T) {
	s := testkit.Run(t, testkit.Config(t, "admin"), things())
	user := s.As(t, uuid.New())
	for body, status := range map[string]int{`{"password":"hush"`: 400, `{"password":"hush"} x`: 400, `"hush"`: 422, `{"password":"hush"}`: 422} {
		if a := user.Want(status, "POST", "/api/things/", body); strings.Contains(string(a.Body), "hush") {
			t.Errorf("%s: %s", body, a.Body)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := testkit.Run(t, testkit.Config(t, "admin"), things())
	user := s.As(t, uuid.New())
	a := user.Want(201, "POST", "/api/things", `{"title":"a"}`)
	if got := a.Header.Get("Server-Timing"); !strings.HasPrefix(got, `db;desc="1", redis;desc="0"`) {
		t.Errorf("Server-Timing %q", got)
	}
	if a.Header.Get("X-Request-Id") == "" || a.Header.Get("ETag") != `"3"` {
		t.Errorf("headers %v", a.Header)
	}
	if a := user.Want(304, "GET", "/api/things/", nil, "If-None-Match", `"3"`); len(a.Body) != 0 {
		t.Errorf("304 with a body: %s", a.Body)
	}
	user.Want(200, "PATCH", "/api/things/"+uuid.NewString()+"/", `{"note":null}`)
	if a := s.AsNobody(t).Refused(500, "internal_error", "GET", "/api/panic/", nil); strings.Contains(string(a.Body), "secret") {
		t.Errorf("the panic's words are shown: %s", a.Body)
	}
}

func TestDatabaseGoneIsUnavailableAndComesBack(t *testing.T) {
	s := testkit.Run(t, testkit.Config(t, "admin"), things())
	user := s.As(t, uuid.New())
	user.Want(201, "POST", "/api/things/", `{"title":"a"}`)
	if _, err := s.DB.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	// The goodbyes of the backends are on their way; once they have come, none of the dead connections is handed out.
	testkit.Eventually(t, "more requests in a row are served than there are connections", func() bool {
		for range 8 {
			if user.Call("POST", "/api/things/", `{"title":"a"}`).Status != 201 {
				return false
			}
		}
		return true
	})
}

func TestABodyThatIsTooLargeIsRefused(t *testing.T) {
	s := testkit.Run(t, testkit.Config(t, "admin"), things())
	body := `{"title":"` + strings.Repeat("a", 2<<20) + `"}`
	// The service answers and closes while the client may still be writing: then the client sees only the closing.
	testkit.Eventually(t, "the refusal is seen", func() bool {
		resp, err := http.Post(s.URL+"/api/things/", "application/json", strings.NewReader(body)) //nolint:noctx // the test's own limit
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode == http.StatusRequestEntityTooLarge
	})
}
