package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/testkit"
)

// village is who sees which residence, as residence's stand-in knows it.
type village struct {
	mu    sync.Mutex
	homes map[uuid.UUID][]uuid.UUID
	stop  <-chan struct{} // when set, an answer waits for it after it was looked up
}

func (w *town) village() *village {
	v := &village{homes: map[uuid.UUID][]uuid.UUID{}}
	w.residence.answers(func(rw http.ResponseWriter, r *http.Request) {
		user, _ := uuid.Parse(strings.Split(strings.TrimPrefix(r.URL.Path, "/internal/users/"), "/")[0])
		v.mu.Lock()
		homes, stop := []internalapi.Home{}, v.stop
		for _, id := range v.homes[user] {
			homes = append(homes, internalapi.Home{ID: id, Role: "member"})
		}
		v.mu.Unlock()
		if stop != nil {
			<-stop
		}
		_ = json.NewEncoder(rw).Encode(homes)
	})
	return v
}

func (v *village) sees(user uuid.UUID, homes ...uuid.UUID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.homes[user] = homes
}

func (v *village) holdsBack(until <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stop = until
}

// heard is one event of a stream.
type heard struct {
	ID, Kind string
	LiveUpdate
}

// ear is a client's open stream. heard is closed when the stream ends.
type ear struct {
	t     testing.TB
	resp  *http.Response
	retry int
	heard chan heard
	drop  context.CancelFunc
}

// listen opens a stream and does not wait for what it says.
func (w *town) listen(t testing.TB, token string, header ...string) *ear {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", w.url+"/api/events/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Token "+token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	e := &ear{t: t, resp: resp, heard: make(chan heard, 10_000), drop: cancel}
	go e.read()
	return e
}

func (e *ear) read() {
	defer close(e.heard)
	var h heard
	lines := bufio.NewScanner(e.resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "retry":
			e.retry, _ = strconv.Atoi(value)
		case "id":
			h.ID = value
		case "event":
			h.Kind = value
		case "data":
			_ = json.Unmarshal([]byte(value), &h.LiveUpdate)
		case "":
			if h.Kind != "" {
				e.heard <- h
			}
			h = heard{}
		}
	}
}

// next is what comes next, of that kind.
func (e *ear) next(kind string) heard {
	e.t.Helper()
	select {
	case h, open := <-e.heard:
		if !open || h.Kind != kind || h.Type != kind {
			e.t.Fatalf("heard %+v (open: %t), wanted %s", h, open, kind)
		}
		return h
	case <-time.After(10 * time.Second):
		e.t.Fatalf("waited 10 s in vain for %s", kind)
	}
	return heard{}
}

// ends asserts that nothing comes any more.
func (e *ear) ends() {
	e.t.Helper()
	select {
	case h, open := <-e.heard:
		if open {
			e.t.Fatalf("heard %+v, and not the end", h)
		}
	case <-time.After(10 * time.Second):
		e.t.Fatal("waited 10 s in vain for the end")
	}
}

// tell appends an update as a relay does.
func (w *town) tell(t testing.TB, updates ...events.Update) string {
	t.Helper()
	var texts []string
	for _, u := range updates {
		raw, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(raw))
	}
	last, err := w.authCache.Announce(context.Background(), texts...)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func in(home uuid.UUID, version int) events.Update {
	return events.Update{Type: "task.changed", ResidenceIDs: []uuid.UUID{home}, Subject: uuid.New(), Version: version, ActorID: uuid.New()}
}

// hears is a stream that has begun.
func (w *town) hears(t testing.TB, token string) (*ear, string) {
	t.Helper()
	e := w.listen(t, token)
	return e, e.next("ready").ID
}

func TestWhoSeesAResidenceHearsOfIt(t *testing.T) {
	w := build(t)
	v := w.village()
	ada, adas := w.signIn("UTC")
	sam, sams := w.signIn("UTC")
	eve, _ := w.signIn("UTC")
	house, cabin := uuid.New(), uuid.New()
	v.sees(adas.UserID, house, cabin)
	v.sees(sams.UserID, cabin)
	a, _ := w.hears(t, ada)
	s, _ := w.hears(t, sam)
	e, _ := w.hears(t, eve)
	if a.retry < 1000 || a.retry > 5000 {
		t.Errorf("retry %d", a.retry)
	}
	told := in(house, 7)
	told.Change = "changed"
	moved := in(house, 2)
	moved.ResidenceIDs = []uuid.UUID{house, cabin}
	w.tell(t, told, moved, events.Update{Type: "subscription.changed", UserIDs: []uuid.UUID{sams.UserID}, Version: 3}, in(cabin, 1))
	if h := a.next("task.changed"); *h.LiveUpdate.ID != told.Subject || *h.ResidenceID != house || h.Version != 7 || *h.ActorID != told.ActorID || h.Change != "changed" {
		t.Errorf("Ada heard %+v", h)
	}
	if h := a.next("task.changed"); *h.LiveUpdate.ID != moved.Subject || *h.ResidenceID != house {
		t.Errorf("Ada heard %+v", h)
	}
	if h := a.next("task.changed"); *h.ResidenceID != cabin {
		t.Errorf("Ada heard %+v", h)
	}
	if h := s.next("task.changed"); *h.LiveUpdate.ID != moved.Subject || *h.ResidenceID != cabin { // nothing of a residence that he does not see
		t.Errorf("Sam heard %+v", h)
	}
	if h := s.next("subscription.changed"); h.LiveUpdate.ID != nil || h.ResidenceID != nil || h.ActorID != nil || h.Version != 3 {
		t.Errorf("Sam heard %+v", h)
	}
	s.next("task.changed")
	if len(a.heard)+len(s.heard)+len(e.heard) != 0 {
		t.Error("somebody heard what is not theirs, or twice")
	}
	testkit.Eventually(t, "the streams are counted", func() bool { return w.metric(t, "hearth_live_streams{}") == 3 })
	a.drop()
	testkit.Eventually(t, "a client that goes is noticed", func() bool {
		return w.metric(t, "hearth_live_streams{}") == 2 && w.metric(t, `hearth_live_closed_total{reason="gone"}`) == 1
	})
}

func TestAStreamsHeaders(t *testing.T) {
	w := build(t, func(s *setup) { s.cfg.CORSOrigins = []string{"https://app.example.com"} })
	w.village()
	token, _ := w.signIn("UTC")
	e := w.listen(t, token, "X-Request-Id", "abc", "Origin", "https://app.example.com", "Accept-Encoding", "gzip")
	h := e.resp.Header
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Request-Id": "abc",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "https://app.example.com", "Content-Encoding": "", "Content-Length": "",
	} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if h.Get("Traceparent") == "" || !strings.HasPrefix(h.Get("Server-Timing"), "db;") || !slices.Equal(e.resp.TransferEncoding, []string{"chunked"}) {
		t.Errorf("%v %v", h, e.resp.TransferEncoding)
	}
	head := w.want(t, 200, "HEAD", "/api/events/", token, nil)
	if head.Header.Get("Content-Type") != "text/event-stream" || len(head.body) != 0 {
		t.Errorf("HEAD: %v", head.Header)
	}
	if allow := w.want(t, 204, "OPTIONS", "/api/events/", "", nil).Header.Get("Allow"); !strings.Contains(allow, "GET") {
		t.Errorf("Allow: %s", allow)
	}
	w.refused(t, 405, "method_not_allowed", "POST", "/api/events/", token, "{}")
	w.refused(t, 401, "authentication_required", "GET", "/api/events/", "", nil)
	w.refused(t, 401, "invalid_token", "GET", "/api/events", "nobody", nil)
	w.refused(t, 422, "validation_failed", "GET", "/api/events/", token, nil, "X-Timezone", "Mars/Phobos")
	w.residence.answers(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
	other, _ := w.signIn("UTC")
	w.refused(t, 503, "service_unavailable", "GET", "/api/events/", other, nil)
}

// TestOldAndHurriedClients: HTTP/1.0 knows no chunks; and who says that they will close still gets a stream.
func TestOldAndHurriedClients(t *testing.T) {
	w := build(t)
	v := w.village()
	house := uuid.New()
	for _, kind := range []string{"HTTP/1.0\r\n", "HTTP/1.1\r\nConnection: close\r\n"} {
		token, session := w.signIn("UTC")
		v.sees(session.UserID, house)
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, "GET /api/events/ "+kind+"Host: gateway\r\nAuthorization: Token "+token+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if old := strings.HasPrefix(kind, "HTTP/1.0"); old == (len(resp.TransferEncoding) > 0) || !resp.Close || resp.ContentLength != -1 {
			t.Errorf("framed by %v, close: %t", resp.TransferEncoding, resp.Close)
		}
		e := &ear{t: t, resp: resp, heard: make(chan heard, 10)}
		go e.read()
		e.next("ready")
		w.tell(t, in(house, 1))
		e.next("task.changed")
		w.endSession(token)
		e.ends()
		_ = conn.Close()
	}
}

func TestAStreamResumesWhereItWasCut(t *testing.T) {
	w := build(t)
	v := w.village()
	token, session := w.signIn("UTC")
	house, other := uuid.New(), uuid.New()
	v.sees(session.UserID, house)
	first, at := w.hears(t, token)
	first.drop()
	w.tell(t, in(house, 1), in(other, 1), in(house, 2))
	again := w.listen(t, token, "Last-Event-ID", at)
	if again.next("task.changed").Version != 1 {
		t.Error("not in order")
	}
	last := again.next("task.changed")
	if last.Version != 2 {
		t.Errorf("%+v", last)
	}
	w.tell(t, in(house, 3))
	if again.next("task.changed").Version != 3 {
		t.Error("what is new does not follow what was missed")
	}
	req := w.url
	w.url += "/api/events/?last_event_id=" + last.ID + "&x=" // a polyfill cannot set the header
	polyfill := w.listen(t, token)
	w.url = req
	if polyfill.next("task.changed").Version != 3 {
		t.Error("the query is not read")
	}
	for _, unknown := range []string{"nonsense", "1-1", "0-0", "-", "99999999999999-0", "18446744073709551616-0", strings.Repeat("9", 400)} {
		e := w.listen(t, token, "Last-Event-ID", unknown)
		if h := e.next("reset"); h.ID == "" || h.ID == unknown {
			t.Errorf("%q: %+v", unknown, h)
		}
		w.tell(t, in(house, 9))
		e.next("task.changed")
		e.drop()
	}
}

func TestAReplayThatIsTooLongIsAReset(t *testing.T) {
	w := build(t)
	w.village()
	token, _ := w.signIn("UTC")
	e, at := w.hears(t, token)
	e.drop()
	updates := make([]events.Update, liveReplay+1)
	for i := range updates {
		updates[i] = in(uuid.New(), i)
	}
	last := w.tell(t, updates...)
	testkit.Eventually(t, "the gateway has read them", func() bool {
		at, _ := w.live.position()
		return at.id.String() == last
	})
	w.listen(t, token, "Last-Event-ID", at).next("reset")
}

// TestARedisThatForgotIsAReset: whoever listens is told, and whoever comes back too.
func TestARedisThatForgotIsAReset(t *testing.T) {
	w := build(t)
	v := w.village()
	token, session := w.signIn("UTC")
	house := uuid.New()
	v.sees(session.UserID, house)
	e, at := w.hears(t, token)
	if err := w.rdb.Del(context.Background(), cache.LiveKey).Err(); err != nil {
		t.Fatal(err)
	}
	w.tell(t, in(house, 1))
	begun := e.next("reset").ID
	e.ends()
	w.listen(t, token, "Last-Event-ID", at).next("reset")
	if w.listen(t, token, "Last-Event-ID", begun).next("task.changed").Version != 1 {
		t.Error("what came after the reset is not replayed")
	}
}

// TestAStreamThatBeginsBeforeItsEnd: a new Redis with a clock that is behind gives entries that nobody waits for.
func TestAStreamThatBeginsBeforeItsEnd(t *testing.T) {
	w := build(t)
	w.village()
	token, _ := w.signIn("UTC")
	e, _ := w.hears(t, token)
	ctx := context.Background()
	if err := w.rdb.Del(ctx, cache.LiveKey).Err(); err != nil {
		t.Fatal(err)
	}
	if err := w.rdb.Do(ctx, "XADD", cache.LiveKey, "5-0", cache.LiveBegin, "").Err(); err != nil {
		t.Fatal(err)
	}
	e.ends()
	testkit.Eventually(t, "the gateway reads the new stream", func() bool {
		at, following := w.live.position()
		return following && at.id == liveID{5, 0}
	})
	if _, at := w.hears(t, token); at != "5-0" {
		t.Errorf("ready at %s", at)
	}
}

func TestWhoseViewChangesComesAgain(t *testing.T) {
	w := build(t)
	v := w.village()
	token, session := w.signIn("UTC")
	sam, sams := w.signIn("UTC")
	house := uuid.New()
	v.sees(session.UserID, house)
	v.sees(sams.UserID, house)
	e, _ := w.hears(t, token)
	other, _ := w.hears(t, sam)
	user := []uuid.UUID{session.UserID}
	gone := events.Update{Type: "residence.members_changed", ResidenceIDs: []uuid.UUID{house}, UserIDs: user, Regrouped: user, Change: "removed", Subject: house}
	v.sees(session.UserID)
	w.authCache.Drop(context.Background(), cache.HomesKey(session.UserID))
	w.tell(t, gone, in(house, 2))
	h := e.next("residence.members_changed")
	if h.Change != "removed" || *h.LiveUpdate.ID != house {
		t.Errorf("%+v", h)
	}
	e.ends() // and nothing of version 2
	other.next("residence.members_changed")
	other.next("task.changed")
	again := w.listen(t, token, "Last-Event-ID", h.ID)
	w.tell(t, in(house, 3))
	w.tell(t, events.Update{Type: "user.changed", UserIDs: user, Version: 4})
	again.next("user.changed") // and nothing of the house
}

// all opens a stream, and answers all that it said once it has ended.
func (w *town) all(token string) <-chan string {
	body := make(chan string, 1)
	go func() {
		req, _ := http.NewRequest("GET", w.url+"/api/events/", nil) // the address is good
		req.Header.Set("Authorization", "Token "+token)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			body <- err.Error()
			return
		}
		raw, _ := io.ReadAll(resp.Body) // it may be cut
		_ = resp.Body.Close()
		body <- string(raw)
	}()
	return body
}

// TestAViewThatChangesWhileAStreamOpens: who was looked up before the change must not hear with what they saw.
func TestAViewThatChangesWhileAStreamOpens(t *testing.T) {
	w := build(t)
	v := w.village()
	token, session := w.signIn("UTC")
	house := uuid.New()
	v.sees(session.UserID, house)
	closed, open := gate(t)
	v.holdsBack(closed)
	body := w.all(token)
	testkit.Eventually(t, "the residences are being looked up", func() bool { return w.residence.hits.Load() > 0 })
	user := []uuid.UUID{session.UserID}
	v.sees(session.UserID)
	w.authCache.Drop(context.Background(), cache.HomesKey(session.UserID))
	last := w.tell(t, events.Update{Type: "residence.members_changed", UserIDs: user, Regrouped: user, Change: "removed"})
	testkit.Eventually(t, "the gateway has heard of the change", func() bool {
		at, _ := w.live.position()
		return at.id.String() == last
	})
	open()
	testkit.Eventually(t, "the stream is open", func() bool { return w.metric(t, "hearth_live_streams{}") == 1 })
	w.tell(t, in(house, 1), events.Update{Type: "user.changed", UserIDs: user})
	w.endSession(token)
	if said := await(t, "the stream ends", body); strings.Contains(said, house.String()) {
		t.Errorf("it said %s", said)
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	w := build(t)
	w.village()
	token, session := w.signIn("UTC")
	other, _ := w.signIn("UTC")
	e, _ := w.hears(t, token)
	o, _ := w.hears(t, other)
	begun := time.Now()
	w.endSession(token)
	e.ends()
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v", took)
	}
	w.refused(t, 401, "invalid_token", "GET", "/api/events/", token, nil)
	w.tell(t, events.Update{Type: "user.changed", UserIDs: []uuid.UUID{session.UserID}})
	if len(o.heard) != 0 {
		t.Error("another's stream heard something")
	}
	w.tokens.memory.lost() // nothing is known of any session
	o.ends()
	testkit.Eventually(t, "the reasons are counted", func() bool {
		return w.metric(t, `hearth_live_closed_total{reason="session"}`) == 1 && w.metric(t, `hearth_live_closed_total{reason="lost"}`) == 1
	})
}

// TestASessionThatEndsWhileAStreamOpens: the announcement comes before there is a stream to close.
func TestASessionThatEndsWhileAStreamOpens(t *testing.T) {
	w := build(t)
	v := w.village()
	token, _ := w.signIn("UTC")
	closed, open := gate(t)
	v.holdsBack(closed)
	body := w.all(token)
	testkit.Eventually(t, "the residences are being looked up", func() bool { return w.residence.hits.Load() > 0 })
	w.endSession(token)
	testkit.Eventually(t, "the gateway has heard of it", func() bool { return w.call(t, "GET", "/api/auth/me/", token, nil).StatusCode == 401 })
	open()
	if said := await(t, "the stream ends", body); strings.Contains(said, "ready") {
		t.Errorf("it said %q", said)
	}
}

func TestATenthStreamIsTheLast(t *testing.T) {
	w := build(t)
	w.village()
	token, _ := w.signIn("UTC")
	oldest, _ := w.hears(t, token)
	for range livePerPerson {
		w.hears(t, token)
	}
	oldest.ends()
	if n := w.metric(t, "hearth_live_streams{}"); n != livePerPerson {
		t.Errorf("%v streams", n)
	}
}

// TestASlowClientIsCutAndHoldsNobodyUp: it reads nothing, and is told more than the system's buffers and ours take.
func TestASlowClientIsCutAndHoldsNobodyUp(t *testing.T) {
	w := build(t)
	v := w.village()
	token, session := w.signIn("UTC")
	quick, quicks := w.signIn("UTC")
	house := uuid.New()
	v.sees(session.UserID, house)
	v.sees(quicks.UserID, house)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	if _, err := fmt.Fprintf(conn, "GET /api/events/ HTTP/1.1\r\nHost: gateway\r\nAuthorization: Token %s\r\n\r\n", token); err != nil {
		t.Fatal(err)
	}
	q, _ := w.hears(t, quick)
	testkit.Eventually(t, "both are open", func() bool { return w.metric(t, "hearth_live_streams{}") == 2 })
	updates := make([]events.Update, 200)
	told := 0
	testkit.Eventually(t, "the slow one is cut", func() bool {
		for i := range updates {
			told++
			updates[i] = in(house, told)
		}
		w.tell(t, updates...)
		for range updates {
			q.next("task.changed")
		}
		return w.metric(t, `hearth_live_closed_total{reason="slow"}`) == 1
	})
	if w.metric(t, "hearth_live_streams{}") != 1 {
		t.Error("the quick one is not open any more")
	}
}

func TestStreamsLiveAndBeat(t *testing.T) {
	w := build(t)
	w.village()
	token, _ := w.signIn("UTC")
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintf(conn, "GET /api/events/ HTTP/1.1\r\nHost: gateway\r\nAuthorization: Token %s\r\n\r\n", token); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("%q does not come: %v", want, lines.Err())
	}
	until("event: ready")
	w.live.tick(time.Now().Add(heartbeat + time.Second))
	until(":")
	w.live.tick(time.Now().Add(liveLife + time.Second))
	for lines.Scan() { // to its end
	}
	if err := lines.Err(); err != nil {
		t.Errorf("it does not end in order: %v", err)
	}
}

func TestAStopEndsStreams(t *testing.T) {
	w := build(t)
	w.village()
	token, _ := w.signIn("UTC")
	e, _ := w.hears(t, token)
	begun := time.Now()
	if err := w.live.stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	e.ends()
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v", took)
	}
	w.refused(t, 503, "service_unavailable", "GET", "/api/events/", token, nil)
}

func TestTwoGatewaysTellTheSame(t *testing.T) {
	w := build(t)
	two := build(t, func(s *setup) { s.cfg.CacheURL = w.cfg.CacheURL })
	house := uuid.New()
	var ears []*ear
	for _, w := range []*town{w, two} {
		v := w.village()
		token, session := w.signIn("UTC")
		v.sees(session.UserID, house)
		e, _ := w.hears(t, token)
		ears = append(ears, e)
	}
	told := in(house, 1)
	w.tell(t, told)
	a, b := ears[0].next("task.changed"), ears[1].next("task.changed")
	if a.ID != b.ID || *a.LiveUpdate.ID != told.Subject || *b.LiveUpdate.ID != told.Subject {
		t.Errorf("%+v, %+v", a, b)
	}
}
