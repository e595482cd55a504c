package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
)

// syncing makes a stand-in answer the sync with a page, and remembers what it was asked.
type syncing struct {
	page  atomic.Pointer[string]
	asked atomic.Pointer[internalapi.SyncQuery]
	actor atomic.Pointer[identity.Actor]
}

func (w *town) syncing(s *service, page string) *syncing {
	f := &syncing{}
	f.page.Store(&page)
	s.answers(func(rw http.ResponseWriter, r *http.Request) {
		var q internalapi.SyncQuery
		if r.Method != http.MethodPost || r.URL.Path != "/internal/sync" || json.NewDecoder(r.Body).Decode(&q) != nil {
			w.t.Errorf("asked %s %s", r.Method, r.URL.Path)
		}
		actor, _ := s.passports.Verify(r.Header.Get(identity.Header))
		f.asked.Store(&q)
		f.actor.Store(&actor)
		rw.Header().Set("Server-Timing", `db;desc="1", redis;desc="1", total;dur=1`)
		if strings.Contains(*f.page.Load(), `"code"`) {
			rw.WriteHeader(http.StatusGone)
		}
		_, _ = rw.Write([]byte(*f.page.Load()))
	})
	return f
}

type synced struct {
	Residences, Tasks []map[string]any
	Removed           map[string][]any
	NextCursor        string `json:"next_cursor"`
	HasMore           bool   `json:"has_more"`
}

func (w *town) sync(t *testing.T, token, query string) synced {
	t.Helper()
	var s synced
	a := w.want(t, 200, "GET", "/api/sync/"+query, token, nil)
	if err := json.Unmarshal(a.body, &s); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return s
}

const home1, home2 = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"

func TestSyncIsOneAnswerOfAllParts(t *testing.T) {
	w := build(t)
	token, session := w.signIn("UTC")
	homes := w.syncing(w.residence, `{"rows":{"residences":[{"id":"`+home1+`"}],"members":[]},"removed":{"members":[]},"lost":["`+home2+`"],"state":{"s":7,"r":["`+home1+`"]},"more":false}`)
	tasks := w.syncing(w.task, `{"rows":{"tasks":[],"completions":[],"contractors":[]},"removed":{"task_ids":["`+home1+`"]},"lost":null,"state":{"s":9,"r":["`+home1+`","`+home2+`"]},"more":false}`)
	w.syncing(w.papers, `{"rows":{"documents":[],"equipment":[]},"removed":{"document_ids":["`+home1+`"]},"lost":null,"state":{"s":3,"r":["`+home1+`"]},"more":false}`)
	a := w.want(t, 200, "GET", "/api/sync/?limit=7", token, nil)
	if timing := a.Header.Get("Server-Timing"); !strings.HasPrefix(timing, `db;desc="2"`) { // the session, then all parts at once
		t.Errorf("timing %s", timing)
	}
	first := w.sync(t, token, "?limit=7")
	if len(first.Residences) != 1 || first.Tasks == nil || !slices.Equal(first.Removed["residence_ids"], []any{home2}) || len(first.Removed["task_ids"]) != 1 || len(first.Removed["document_ids"]) != 1 {
		t.Errorf("%+v", first)
	}
	if q := tasks.asked.Load(); q.Limit != 7 || q.State.Since != 0 || tasks.actor.Load().UserID != session.UserID || homes.actor.Load().Kind != identity.Person {
		t.Errorf("asked %+v by %+v", q, tasks.actor.Load())
	}
	// The client has dropped all of the lost residence: task is told, and asked at once whether it has anything of it.
	if !first.HasMore {
		t.Error("what was dropped is not asked for")
	}
	w.sync(t, token, "?cursor="+first.NextCursor)
	id1, id2 := uuid.MustParse(home1), uuid.MustParse(home2)
	if s := tasks.asked.Load().State; s.Since != 9 || !slices.Equal(s.Homes, []uuid.UUID{id1}) || !slices.Equal(s.Again, []uuid.UUID{id2}) {
		t.Errorf("task is asked %+v", s)
	}
	if s := homes.asked.Load().State; s.Since != 7 || !slices.Equal(s.Homes, []uuid.UUID{id1}) || s.Again != nil {
		t.Errorf("residence is asked %+v", s)
	}
	if limit := tasks.asked.Load().Limit; limit != 200 {
		t.Errorf("limit %d", limit)
	}
}

func TestSyncHandsOnThatACursorIsTooOld(t *testing.T) {
	w := build(t)
	token, _ := w.signIn("UTC")
	w.syncing(w.residence, `{"rows":{},"removed":{},"lost":[],"state":{},"more":false}`)
	w.syncing(w.papers, `{"rows":{},"removed":{},"lost":[],"state":{},"more":false}`)
	w.syncing(w.task, `{"code":"cursor_expired","status":410,"detail":"Too old."}`)
	w.refused(t, 410, "cursor_expired", "GET", "/api/sync/", token, nil)
}

func TestSyncCursorsAreOnesOwn(t *testing.T) {
	me, other := uuid.New(), uuid.New()
	var homes []uuid.UUID
	for range 300 {
		homes = append(homes, uuid.Must(uuid.NewV7()))
	}
	state := internalapi.SyncState{Since: 1 << 40, SinceAt: 1, Homes: homes}
	c := syncCursor{Version: syncVersion, User: me, Parts: map[string]internalapi.SyncState{residence: state, task: state, papers: state}}
	text, err := c.String()
	if err != nil || len(text) > maxSyncCursor {
		t.Fatalf("%d bytes for 300 residences: %v", len(text), err)
	}
	t.Logf("%d bytes for 300 residences in three parts", len(text))
	got, err := readSyncCursor(text, me)
	if err != nil || got.Parts[task].Since != state.Since || len(got.Parts[residence].Homes) != 300 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := readSyncCursor(text, other); err == nil {
		t.Error("another person's cursor is taken")
	}
	for _, more := range []string{"A", "AA", "AAA", "AAAA"} {
		if _, err := readSyncCursor(text+more, me); err == nil {
			t.Errorf("a cursor with %s behind it is taken", more)
		}
	}
	c.Version++
	newer, err := c.String()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readSyncCursor(newer, me); err == nil || !strings.Contains(err.Error(), "cursor_expired") {
		t.Errorf("a cursor of another version: %v", err)
	}
	for i := range min(len(text), 200) {
		if _, err := readSyncCursor(text[:i]+"!"+text[i+1:], me); err == nil {
			t.Fatal("a broken cursor is taken")
		}
	}
}
