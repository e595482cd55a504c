package residence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const base = "/api/residences/"

var shareKey = config.Keys{bytes.Repeat([]byte("s"), 32)}

// notificationKey opens what is sealed for notification.
var notificationKey = seal.PrivateKey(bytes.Repeat([]byte("n"), 32))

func configured(t *testing.T) residence.Config {
	t.Helper()
	return residence.Config{Service: testkit.Config(t, "residence"), ShareKey: shareKey, SealPublicKey: notificationKey.Public()}
}

// house is a running service with somebody who owns a residence in it.
type house struct {
	*testkit.Service
	tasks *tasks
	owner *testkit.Client
	home  residence.Residence
}

func setUp(t *testing.T, change ...func(*residence.Config)) house {
	t.Helper()
	return setUpWith(t, nil, change...)
}

func setUpWith(t *testing.T, options []func(*boot.Options), change ...func(*residence.Config)) house {
	t.Helper()
	cfg := configured(t)
	counting := newTasks(t)
	cfg.TaskURL = counting.url
	for _, f := range change {
		f(&cfg)
	}
	s := testkit.Run(t, cfg.Service, residence.New(cfg), options...)
	h := house{Service: s, tasks: counting, owner: s.As(t, newID())}
	h.home = add(t, h.owner, `{"name":"Lake house"}`)
	return h
}

// tasks stands in for the task service: one statement there for each answer.
type tasks struct {
	url    string
	mu     sync.Mutex
	counts map[uuid.UUID]internalapi.TaskCounts
	asked  []internalapi.TaskCountsQuery
}

func newTasks(t *testing.T) *tasks {
	t.Helper()
	c := &tasks{counts: map[uuid.UUID]internalapi.TaskCounts{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		var q internalapi.TaskCountsQuery
		if r.Method != http.MethodPost || r.URL.Path != "/internal/task-counts" || json.NewDecoder(r.Body).Decode(&q) != nil {
			t.Errorf("asked of task: %s %s", r.Method, r.URL)
		}
		c.asked = append(c.asked, q)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0", total;dur=1`)
		if err := json.NewEncoder(w).Encode(c.counts); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func add(t *testing.T, c *testkit.Client, body string) residence.Residence {
	t.Helper()
	return testkit.JSON[residence.Residence](t, c.Want(201, "POST", base, body))
}

func at(home residence.Residence, rest string) string { return base + home.ID.String() + "/" + rest }

func (h house) read(t *testing.T, c *testkit.Client) residence.Residence {
	t.Helper()
	return testkit.JSON[residence.Residence](t, c.Want(200, "GET", at(h.home, ""), nil))
}

// join makes a new person of that role.
func (h house) join(t *testing.T, role string) *testkit.Client {
	t.Helper()
	c := h.As(t, newID())
	code := testkit.JSON[residence.ShareCode](t, h.owner.Want(201, "POST", at(h.home, "generate-share-code/"), `{"role":"`+role+`"}`))
	c.Want(200, "POST", base+"join-with-code/", `{"code":"`+code.Code+`"}`)
	return c
}

// settle waits until the relay is through with what was changed: it drops cache keys a second time.
func (h house) settle(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the outbox is settled", func() bool {
		var waiting int
		err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM outbox WHERE published_at IS NULL OR dropped_at IS NULL`).Scan(&waiting)
		return err == nil && waiting == 0
	})
}

// trips fails the test unless the answer took that many round trips to the database, one after the other.
func trips(t *testing.T, want int, what string, a testkit.Answer) {
	t.Helper()
	if got := roundtrip.Parse(a.Header.Get("Server-Timing"), roundtrip.DB); got != want {
		t.Errorf("%s: %d round trips, wanted %d", what, got, want)
	}
}

func TestResidenceIsAddedWithAllItsFieldsAndDefaults(t *testing.T) {
	h := setUp(t)
	h.owner.Actor.Zone = "Europe/Berlin"
	full := `{"name":"  Altbau ","residence_type_id":"01910000-0000-7000-8000-000000000102","street_address":"Hauptstr. 1","apartment_unit":"2",
		"city":"Köln","state_province":"NRW","postal_code":"50667","country":"DE","bedrooms":3,"bathrooms":1.5,"square_footage":900,
		"lot_size":0.25,"year_built":1905,"description":"old","purchase_date":"2019-02-28","purchase_price":"450000.50","is_primary":true}`
	a := h.owner.Want(201, "POST", base, full)
	got := testkit.JSON[residence.Residence](t, a)
	if got.Name != "Altbau" || got.Currency != "EUR" || got.Timezone != "Europe/Berlin" || !got.IsPrimary || got.Role != "owner" ||
		got.OwnerID != h.owner.Actor.UserID || got.MemberCount != 1 || got.Version != 1 || *got.Bathrooms != 1.5 || *got.LotSize != 0.25 ||
		got.PurchasePrice.String() != "450000.50" || got.PurchaseDate.String() != "2019-02-28" || *got.City != "Köln" || !got.CreatedAt.Equal(testkit.Start) {
		t.Errorf("added %s", a.Body)
	}
	if a.Header.Get("ETag") != got.ETag() {
		t.Errorf("ETag %q", a.Header.Get("ETag"))
	}
	if again := h.owner.Want(200, "GET", base+got.ID.String(), nil); !bytes.Equal(again.Body, a.Body) {
		t.Errorf("read\n%s after adding\n%s", again.Body, a.Body)
	}
	if h.home.Currency != "USD" || h.home.Timezone != "UTC" || h.home.IsPrimary {
		t.Errorf("defaults %+v", h.home)
	}
	payloads := h.Outbox(t, "residence.created")
	var event events.Home
	if err := json.Unmarshal(payloads[len(payloads)-1], &event); err != nil {
		t.Fatal(err)
	}
	if event.ID != got.ID || event.Name != "Altbau" || event.OwnerID != got.OwnerID || event.Currency != "EUR" ||
		!slices.Equal(event.MemberIDs, []uuid.UUID{got.OwnerID}) || event.Version != 1 {
		t.Errorf("event %s", payloads[len(payloads)-1])
	}
}

func TestFieldsThatAreRefused(t *testing.T) {
	h := setUp(t)
	for _, c := range []struct{ name, field string }{
		{"blank name", `"name":"  "`},
		{"no name", `"name":""`},
		{"long name", `"name":"` + strings.Repeat("a", 121) + `"`},
		{"currency of nobody", `"currency":"ABC"`},
		{"no currency at all", `"currency":"XXX"`},
		{"currency in small letters", `"currency":"usd"`},
		{"zone of nobody", `"timezone":"Mars/Olympus"`},
		{"the server's zone", `"timezone":"Local"`},
		{"zone that is a path", `"timezone":"../etc/passwd"`},
		{"country of nobody", `"country":"QQ"`},
		{"country by another name", `"country":"UK"`},
		{"region that is no country", `"country":"EU"`},
		{"third of a bathroom", `"bathrooms":1.3`},
		{"negative bedrooms", `"bedrooms":-1`},
		{"half a bedroom", `"bedrooms":1.5`},
		{"endless square footage", `"square_footage":99999999`},
		{"built too far ahead", `"year_built":2037`},
		{"type of nobody", `"residence_type_id":"01910000-0000-7000-8000-0000000001ff"`},
		{"price as a number", `"purchase_price":1000`},
		{"negative price", `"purchase_price":"-1.00"`},
		{"impossible date", `"purchase_date":"2025-02-29"`},
		{"unknown field", `"owner_id":"` + uuid.NewString() + `"`},
		{"field in another case", `"City":"Oslo"`},
		{"field in a case that only Unicode folds", `"\u017ftreet_address":"1 Shore Road"`},
		{"field twice, the unchecked one in another case", `"city":"Oslo","CITY":"` + strings.Repeat("a", 101) + `"`},
		{"number too large for its column, in another case", `"bedrooms":3,"BEDROOMS":4000000000`},
		{"id of zeros", `"id":"` + uuid.Nil.String() + `"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			owner := h.owner.For(t)
			name := `"name":"a",`
			if strings.HasPrefix(c.field, `"name"`) {
				name = ""
			}
			owner.Refused(422, "validation_failed", "POST", base, `{`+name+c.field+`}`)
			owner.Refused(422, "validation_failed", "PUT", at(h.home, ""), `{`+name+c.field+`}`)
			owner.Refused(422, "validation_failed", "PATCH", at(h.home, ""), `{`+c.field+`}`)
		})
	}
	for _, field := range []string{"name", "currency", "timezone", "is_primary"} {
		h.owner.Refused(422, "validation_failed", "PATCH", at(h.home, ""), `{"`+field+`":null}`)
	}
	if got := h.read(t, h.owner); got.Version != 1 {
		t.Errorf("version %d after refusals", got.Version)
	}
}

func TestSameCreateTwiceMakesOne(t *testing.T) {
	h := setUp(t)
	id := newID()
	body := fmt.Sprintf(`{"id":%q,"name":"Cabin"}`, id)
	first := h.owner.Want(201, "POST", base, body)
	second := h.owner.Want(200, "POST", base, body)
	if !bytes.Equal(first.Body, second.Body) {
		t.Errorf("first %s, second %s", first.Body, second.Body)
	}
	trips(t, 1, "create", first)
	trips(t, 1, "create again", second)
	h.As(t, newID()).Refused(409, "id_taken", "POST", base, body)
	if n := len(h.Outbox(t, "residence.created")); n != 2 { // with setUp's
		t.Errorf("%d events", n)
	}
	// All at once: one is new, the others find it.
	id = newID()
	body = fmt.Sprintf(`{"id":%q,"name":"Cabin"}`, id)
	statuses := atOnce(8, func(int) int { return h.owner.Call("POST", base, body).Status })
	if created := count(statuses, 201); created != 1 || count(statuses, 200) != 7 {
		t.Errorf("statuses %v", statuses)
	}
}

// atOnce runs f n times at the same time.
func atOnce[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			out[i] = f(i)
		})
	}
	close(begin)
	all.Wait()
	return out
}

func count[T comparable](all []T, one T) int {
	n := 0
	for _, x := range all {
		if x == one {
			n++
		}
	}
	return n
}

func TestPatchKeepsWhatIsAbsentAndClearsWhatIsNull(t *testing.T) {
	h := setUp(t)
	h.owner.Want(200, "PATCH", at(h.home, ""), `{"city":"Madison","purchase_price":"10.50","bathrooms":2.5,"purchase_date":"2020-01-01"}`)
	a := h.owner.Want(200, "PATCH", at(h.home, ""), `{"name":"Cabin","city":null,"purchase_date":null,"country":"US"}`)
	got := testkit.JSON[residence.Residence](t, a)
	if got.Name != "Cabin" || got.City != nil || got.PurchaseDate != nil || got.PurchasePrice.String() != "10.50" || *got.Bathrooms != 2.5 || got.Version != 3 {
		t.Errorf("patched %s", a.Body)
	}
	trips(t, 1, "patch", a)
	if got := testkit.JSON[residence.Residence](t, h.owner.Want(200, "PATCH", at(h.home, ""), `{}`)); got.Version != 3 {
		t.Errorf("a patch of nothing made version %d", got.Version)
	}
	var event events.Home
	payloads := h.Outbox(t, "residence.changed")
	if err := json.Unmarshal(payloads[1], &event); err != nil || len(payloads) != 2 {
		t.Fatal(err, len(payloads))
	}
	if event.ID != h.home.ID || event.Name != "Cabin" || event.Version != 3 || event.OwnerID != h.home.OwnerID || len(event.MemberIDs) != 1 {
		t.Errorf("event %s", payloads[1])
	}
}

func TestPutReplacesEverything(t *testing.T) {
	h := setUp(t)
	h.owner.Want(200, "PATCH", at(h.home, ""), `{"city":"Madison","purchase_price":"10.50","currency":"CAD","is_primary":true}`)
	a := h.owner.Want(200, "PUT", at(h.home, ""), `{"name":"Hut","bedrooms":1,"purchase_price":null,"country":"JP"}`)
	got := testkit.JSON[residence.Residence](t, a)
	if got.Name != "Hut" || got.City != nil || got.PurchasePrice != nil || *got.Bedrooms != 1 || got.Currency != "JPY" || got.IsPrimary {
		t.Errorf("put %s", a.Body)
	}
	trips(t, 1, "put", a)
}

func TestStaleChangesAreRefused(t *testing.T) {
	h := setUp(t)
	stale := h.owner.Want(200, "GET", at(h.home, ""), nil).Header.Get("ETag")
	fresh := h.owner.Want(200, "PATCH", at(h.home, ""), `{"name":"Hut"}`, "If-Match", stale).Header.Get("ETag")
	heir := h.join(t, "member")
	for _, tag := range []string{stale, `"1"`, `"nonsense"`} {
		h.owner.Refused(412, "version_conflict", "PATCH", at(h.home, ""), `{"name":"Den"}`, "If-Match", tag)
		h.owner.Refused(412, "version_conflict", "PUT", at(h.home, ""), `{"name":"Den"}`, "If-Match", tag)
		h.owner.Refused(412, "version_conflict", "DELETE", at(h.home, ""), nil, "If-Match", tag)
		h.owner.Refused(412, "version_conflict", "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, heir.Actor.UserID), "If-Match", tag)
	}
	h.owner.Want(304, "GET", at(h.home, ""), nil, "If-None-Match", h.owner.Want(200, "GET", at(h.home, ""), nil).Header.Get("ETag"))
	// Somebody has joined meanwhile: the answer is another one, but the owner's edit goes through.
	h.owner.Want(200, "GET", at(h.home, ""), nil, "If-None-Match", fresh)
	h.owner.Want(200, "PATCH", at(h.home, ""), `{"name":"Den"}`, "If-Match", fresh)
	h.owner.Want(200, "PATCH", at(h.home, ""), `{"name":"Hut"}`, "If-Match", `"3"`)
}

func TestOfEditsOfOneVersionOneWins(t *testing.T) {
	h := setUp(t)
	statuses := atOnce(8, func(i int) int {
		return h.owner.Call("PATCH", at(h.home, ""), fmt.Sprintf(`{"name":"Name %d"}`, i), "If-Match", `"1"`).Status
	})
	if count(statuses, 200) != 1 || count(statuses, 412) != 7 {
		t.Errorf("statuses %v", statuses)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	h := setUp(t)
	people := map[string]*testkit.Client{
		"owner": h.owner, "member": h.join(t, "member"), "viewer": h.join(t, "viewer"), "stranger": h.As(t, newID()),
	}
	nobody := h.AsNobody(t)
	other := h.join(t, "member").Actor.UserID.String()
	h.settle(t)
	for _, c := range people {
		c.Want(200, "GET", base, nil) // from here on each one's access is cached
	}
	type refusal struct {
		status int
		code   string
	}
	hidden, forbidden := refusal{404, "not_found"}, refusal{403, "not_permitted"}
	for _, c := range []struct {
		method, path, body string
		refused            map[string]refusal // whoever is not in it may
	}{
		{"GET", "", "", map[string]refusal{"stranger": hidden}},
		{"GET", "users/", "", map[string]refusal{"stranger": hidden}},
		{"PATCH", "", `{"name":"a"}`, map[string]refusal{"stranger": hidden, "member": forbidden, "viewer": forbidden}},
		{"PATCH", "", `{"name":"a","is_primary":true}`, map[string]refusal{"stranger": hidden, "member": forbidden, "viewer": forbidden}},
		{"PATCH", "", `{"is_primary":true}`, map[string]refusal{"stranger": hidden}},
		{"PUT", "", `{"name":"a"}`, map[string]refusal{"stranger": hidden, "member": forbidden, "viewer": forbidden}},
		{"POST", "generate-share-code/", `{}`, map[string]refusal{"stranger": hidden, "viewer": forbidden}},
		{"POST", "generate-share-package/", `{}`, map[string]refusal{"stranger": hidden, "viewer": forbidden}},
		{"GET", "share-code/", "", map[string]refusal{"stranger": hidden, "viewer": forbidden}},
		{"PATCH", "users/" + other + "/", `{"role":"member"}`, map[string]refusal{"stranger": hidden, "member": forbidden, "viewer": forbidden}},
		{"DELETE", "users/" + other + "/", "", map[string]refusal{"stranger": hidden, "member": forbidden, "viewer": forbidden, "owner": {204, ""}}},
		{"DELETE", "share-code/", "", map[string]refusal{"stranger": hidden, "viewer": forbidden, "member": {404, "not_found"}, "owner": {404, "not_found"}}},
		{"POST", "transfer/", `{"user_id":"` + other + `"}`, map[string]refusal{"stranger": hidden, "member": forbidden, "viewer": forbidden, "owner": {422, "validation_failed"}}},
		{"DELETE", "", "", map[string]refusal{"stranger": hidden, "member": forbidden, "viewer": forbidden, "owner": {204, ""}}},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			var body any
			if c.body != "" {
				body = c.body
			}
			nobody.For(t).Refused(401, "authentication_required", c.method, at(h.home, c.path), body)
			for _, who := range []string{"stranger", "viewer", "member", "owner"} {
				a := people[who].For(t).Call(c.method, at(h.home, c.path), body)
				want, refused := c.refused[who]
				if refused && (a.Status != want.status || a.Code() != want.code) || !refused && a.Status >= 300 {
					t.Errorf("%s: %d %s, wanted %v", who, a.Status, a.Body, want)
				}
				trips(t, map[bool]int{true: 0, false: 1}[c.path == "users/" && who == "stranger"], who, a)
			}
		})
	}
	for _, c := range people {
		c.Refused(404, "not_found", "GET", at(h.home, ""), nil)
	}
}

func TestPrimaryHomeIsEachPersonsOwnAndOnlyOne(t *testing.T) {
	h := setUp(t)
	member := h.join(t, "viewer")
	first := add(t, member, `{"name":"Own","is_primary":true}`)
	a := member.Want(200, "PATCH", at(h.home, ""), `{"is_primary":true}`)
	if got := testkit.JSON[residence.Residence](t, a); !got.IsPrimary || got.Version != 1 {
		t.Errorf("primary %s", a.Body)
	}
	if h.read(t, h.owner).IsPrimary {
		t.Error("it is primary for its owner too")
	}
	if got := testkit.JSON[residence.Residence](t, member.Want(200, "GET", at(first, ""), nil)); got.IsPrimary {
		t.Error("the first one is primary still")
	}
	member.Want(200, "PATCH", at(h.home, ""), `{"is_primary":false}`)
	if h.read(t, member).IsPrimary {
		t.Error("it is primary still")
	}
	// At once, everywhere: no error, and one is left.
	homes := []residence.Residence{h.home, first, add(t, member, `{"name":"Third"}`)}
	statuses := atOnce(12, func(i int) int {
		return member.Call("PATCH", at(homes[i%3], ""), `{"is_primary":true}`).Status
	})
	list := testkit.JSON[page.List[residence.Residence]](t, member.Want(200, "GET", base, nil))
	primary := 0
	for _, home := range list.Items {
		if home.IsPrimary {
			primary++
		}
	}
	if count(statuses, 200) != 12 || primary != 1 {
		t.Errorf("statuses %v, primary homes %d", statuses, primary)
	}
}

func TestDeletedResidenceIsGoneForEverybodyAtOnce(t *testing.T) {
	h := setUp(t)
	member := h.join(t, "member")
	for _, c := range []*testkit.Client{h.owner, member} {
		if list := testkit.JSON[page.List[residence.Residence]](t, c.Want(200, "GET", base, nil)); len(list.Items) != 1 {
			t.Fatalf("before: %+v", list)
		}
	}
	a := h.owner.Want(204, "DELETE", at(h.home, ""), nil)
	trips(t, 1, "delete", a)
	for _, c := range []*testkit.Client{h.owner, member} {
		if list := testkit.JSON[page.List[residence.MyResidence]](t, c.Want(200, "GET", base+"my-residences/", nil)); len(list.Items) != 0 {
			t.Errorf("after: %+v", list)
		}
		c.Refused(404, "not_found", "DELETE", at(h.home, ""), nil)
	}
	var event events.Home
	if err := json.Unmarshal(h.Outbox(t, "residence.deleted")[0], &event); err != nil {
		t.Fatal(err)
	}
	if event.ID != h.home.ID || event.OwnerID != h.home.OwnerID || len(event.MemberIDs) != 2 || !slices.Contains(event.MemberIDs, member.Actor.UserID) {
		t.Errorf("event %+v", event)
	}
	for _, table := range []string{"residences", "members", "share_codes", "primary_homes"} {
		var n int
		if err := h.DB.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d rows stay (%v)", table, n, err)
		}
	}
}

// What residences are called is told of those that were there before anybody wanted to know.
func TestResidencesThatAreThereAreToldOfWithTheirNames(t *testing.T) {
	h := setUp(t)
	heir := h.join(t, "member")
	h.owner.Want(200, "PATCH", at(h.home, ""), `{"name":"Hut"}`)
	h.owner.Want(200, "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, heir.Actor.UserID))
	for i := range 110 {
		add(t, h.owner, fmt.Sprintf(`{"name":"House %d"}`, i))
	}
	before := len(h.Outbox(t, "residence.changed"))
	testkit.Reapply(t, h.Service, "residence/00005_tell_names.sql")
	told := map[string]events.Home{}
	for _, raw := range h.Outbox(t, "residence.changed")[before:] {
		var e events.Home
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		told[e.Name] = e
	}
	if len(told) != 111 || len(h.Outbox(t, "residence.changed")) != before+111 {
		t.Errorf("%d residences were told of", len(told))
	}
	if e := told["Hut"]; e.ID != h.home.ID || e.OwnerID != heir.Actor.UserID || e.Version != 3 || e.Timezone != h.home.Timezone ||
		e.Currency != h.home.Currency || len(e.MemberIDs) != 0 || e.ActorID != uuid.Nil {
		t.Errorf("told %+v", e)
	}
}
