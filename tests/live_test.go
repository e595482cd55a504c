package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hearth.internal/dev/system"
	"hearth.internal/gateway"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/testkit"
)

// heard is an event of GET /api/events/.
type heard struct {
	id, kind string
	gateway.LiveUpdate
}

// ear is an open stream; heard is closed when it ends.
type ear struct {
	t     *testing.T
	resp  *http.Response
	heard chan heard
	drop  context.CancelFunc
}

// tryListen opens a stream, resuming after an event if one is named.
func (p *person) tryListen(after string) (*ear, error) {
	ctx, cancel := context.WithCancel(context.Background())
	p.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/events/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Token "+p.Token)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("answered %d", resp.StatusCode)
	}
	e := &ear{t: p.t, resp: resp, heard: make(chan heard, 10_000), drop: cancel}
	go e.read()
	return e, nil
}

// listen opens a stream and hears its ready.
func (p *person) listen() *ear {
	p.t.Helper()
	e, err := p.tryListen("")
	if err != nil {
		p.t.Fatal(err)
	}
	e.next("ready")
	return e
}

func (e *ear) read() {
	defer close(e.heard)
	defer func() { _ = e.resp.Body.Close() }()
	var h heard
	for lines := bufio.NewScanner(e.resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			h.id = value
		case "event":
			h.kind = value
		case "data":
			_ = json.Unmarshal([]byte(value), &h.LiveUpdate)
		case "":
			if h.kind != "" {
				e.heard <- h
			}
			h = heard{}
		}
	}
}

// next waits for an event of that kind about the thing, whatever comes before it.
func (e *ear) next(kind string, thing ...string) heard {
	e.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case h, open := <-e.heard:
			if !open {
				e.t.Fatalf("the stream ended before %s", kind)
			}
			if h.kind == kind && (len(thing) == 0 || h.ID != nil && h.ID.String() == thing[0]) {
				return h
			}
		case <-deadline:
			e.t.Fatalf("waited 10 s in vain for %s", kind)
		}
	}
}

// rest is what comes until the stream ends.
func (e *ear) rest() []heard {
	e.t.Helper()
	var rest []heard
	deadline := time.After(10 * time.Second)
	for {
		select {
		case h, open := <-e.heard:
			if !open {
				return rest
			}
			rest = append(rest, h)
		case <-deadline:
			e.t.Fatal("waited 10 s in vain for the end of the stream")
		}
	}
}

// secondGateway runs another gateway beside the system's, and answers its address.
func (w *world) secondGateway(t *testing.T) string {
	t.Helper()
	o := w.cache.Options()
	env := []string{
		"HEARTH_CACHE_REDIS_URL=redis://" + o.Addr + fmt.Sprintf("/%d", o.DB), "HEARTH_PASSPORT_KEYS=" + w.secrets.PassportKey,
	}
	for name, url := range w.Services {
		env = append(env, "HEARTH_"+strings.ToUpper(name)+"_URL="+url)
	}
	cfg, err := config.Load[gateway.Config](env)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Open(t.Context(), cfg, gateway.Options{Listener: listener, OpsOff: true, LogOut: testLog{t}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the second gateway did not stop cleanly: %v", err)
		}
	})
	testkit.Eventually(t, "the second gateway is ready", g.Ready)
	return system.URL(listener.Addr())
}

// liveLimit is the promise: heard within a second, with all the tests at work.
const liveLimit = time.Second

func TestAChangeIsHeardAtOnceByWhoMayKnow(t *testing.T) {
	w := start(t)
	second := w.secondGateway(t)
	ada, sam, vic, eve := w.join(t, "Ada"), w.join(t, "Sam"), w.join(t, "Vic"), w.join(t, "Eve")
	house := ada.home("Maple Street")
	ada.invite(sam, house)
	ada.invite(vic, house)
	ada.want(200, "PATCH", "/api/residences/"+house+"/users/"+vic.ID+"/", map[string]any{"role": "viewer"})
	eves := eve.home("Elsewhere")
	sam.base = second
	var mine, sams, vics, stranger *ear
	testkit.Eventually(t, "what was before is told", func() bool { // each in its own time: a stream that it regroups ends
		for _, l := range []struct {
			ear  **ear
			whom *person
		}{{&mine, ada}, {&sams, sam}, {&vics, vic}, {&stranger, eve}} {
			*l.ear = l.whom.listen()
		}
		ada.want(200, "PATCH", "/api/residences/"+house+"/", map[string]any{"description": "Brick"})
		eve.want(200, "PATCH", "/api/residences/"+eves+"/", map[string]any{"description": "Wood"})
		for ear, home := range map[*ear]string{mine: house, sams: house, vics: house, stranger: eves} {
			if !ear.hears("residence.changed", home) {
				return false
			}
		}
		return true
	})
	begun := time.Now()
	task := ada.task(house, "Sweep", nil)
	for name, e := range map[string]*ear{"a member, at another gateway": sams, "a viewer": vics, "who did it": mine} {
		h := e.next("task.created", task)
		if h.ResidenceID == nil || h.ResidenceID.String() != house || h.ActorID == nil || h.ActorID.String() != ada.ID || h.Version != 1 {
			t.Errorf("%s heard %+v", name, h)
		}
	}
	if took := time.Since(begun); took > liveLimit {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("a task was added and heard of by three, at two gateways, in %v", took.Round(time.Millisecond))
	}
	completion := sam.want(201, "POST", "/api/task-completions/", map[string]any{"task_id": task}).text("id")
	vics.next("task.completed", task)
	ada.want(204, "DELETE", "/api/task-completions/"+completion+"/", nil)
	vics.next("task.completion_changed", task)
	ada.want(200, "PATCH", "/api/tasks/"+task+"/", map[string]any{"title": "Mop"})
	if h := vics.next("task.changed", task); h.Version != 4 {
		t.Errorf("version %d", h.Version)
	}
	vics.next("document.changed", ada.paper(house, nil))
	vics.next("equipment.changed", ada.equipment(house, "Furnace"))
	vics.next("contractor.changed", ada.want(201, "POST", "/api/contractors/", map[string]any{"name": "Rosa", "residence_id": house}).text("id"))
	personal := ada.want(201, "POST", "/api/contractors/", map[string]any{"name": "Otto"}).text("id")
	mine.next("contractor.changed", personal)
	ada.want(204, "DELETE", "/api/tasks/"+task+"/", nil)
	sams.next("task.deleted", task)

	begun = time.Now()
	ada.want(204, "DELETE", "/api/residences/"+house+"/users/"+sam.ID+"/", nil)
	last := sams.rest()
	if took := time.Since(begun); took > liveLimit {
		t.Errorf("who was removed was sent away after %v", took)
	}
	for _, h := range last {
		if h.ID != nil && h.ID.String() == personal {
			t.Error("another's personal contractor was told of")
		}
	}
	if h := last[len(last)-1]; h.kind != "residence.members_changed" || h.Change != "removed" {
		t.Errorf("the last was %+v", h)
	}
	again, err := sam.tryListen(last[len(last)-1].id)
	if err != nil {
		t.Fatal(err)
	}
	vics.next("task.created", ada.task(house, "Not his", nil))
	ada.want(204, "DELETE", "/api/residences/"+house+"/", nil)
	vics.next("residence.deleted", house)
	if rest := vics.rest(); len(rest) != 0 {
		t.Errorf("a viewer heard %+v of a residence that is gone", rest)
	}
	own := sam.home("Tent") // is told of, whatever came before it
	for _, h := range again.rest() {
		if h.kind != "notification.changed" && (h.kind != "residence.created" || h.ID.String() != own) { // his inbox is his
			t.Errorf("who was removed heard %+v", h)
		}
	}
	eve.want(200, "PATCH", "/api/residences/"+eves+"/", map[string]any{"description": "Stone"})
	stranger.drop()
	for _, h := range stranger.rest() {
		if h.kind != "notification.changed" && (h.ID == nil || h.ID.String() != eves) {
			t.Errorf("a stranger heard %+v", h)
		}
	}
}

// hears reports whether an event of that kind about the thing comes before the stream ends.
func (e *ear) hears(kind, thing string) bool {
	for {
		select {
		case h, open := <-e.heard:
			if !open {
				return false
			}
			if h.kind == kind && h.ID != nil && h.ID.String() == thing {
				return true
			}
		case <-time.After(5 * time.Second):
			return false
		}
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	w := start(t)
	ada := w.join(t, "Ada")
	device := func() *person {
		p := *ada
		p.Token = p.want(200, "POST", "/api/auth/login/", map[string]any{"email": ada.Email, "password": ada.Password}).text("token")
		return &p
	}
	phone, tablet := device(), device()
	kept, phones, tablets := ada.listen(), phone.listen(), tablet.listen()
	for name, c := range map[string]struct {
		end    func()
		stream *ear
	}{
		"logout":                   {func() { phone.want(204, "POST", "/api/auth/logout/", nil) }, phones},
		"a session ended remotely": {func() { ada.want(204, "DELETE", "/api/auth/sessions/"+sessionOf(t, tablet)+"/", nil) }, tablets},
	} {
		begun := time.Now()
		c.end()
		c.stream.rest()
		if took := time.Since(begun); took > revocationLimit {
			t.Errorf("%s: the stream lived %v longer", name, took)
		}
	}
	ada.want(200, "PATCH", "/api/auth/profile/", map[string]any{"first_name": "Augusta"})
	if !kept.hears("user.changed", ada.ID) { // her sessions were read anew, which may have ended the stream first
		e, err := ada.tryListen("")
		if err != nil {
			t.Fatal(err)
		}
		e.next("ready")
	}
	begun := time.Now()
	if err := w.StopPart(system.GatewayName); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("streams held the gateway's stop for %v", took)
	}
	if err := w.StartPart(t.Context(), system.GatewayName); err != nil {
		t.Fatal(err)
	}
}

// TestAStormIsHeardWhole: while a hundred changes a second are made, a client is cut off and comes back ten times. What it
// has heard is what has happened, each once.
func TestAStormIsHeardWhole(t *testing.T) {
	w := start(t)
	ada := w.join(t, "Ada")
	house := ada.home("Maple Street")
	const writers, each, cuts = 5, 100, 10
	tasks := make([]string, writers)
	for i := range tasks {
		tasks[i] = ada.task(house, "Sweep", nil)
	}
	e := settledEar(t, ada, tasks[0])
	version := func(task string) int {
		return int(ada.want(200, "GET", "/api/tasks/"+task+"/", nil).value("version").(float64))
	}
	before := map[string]int{}
	for _, task := range tasks {
		before[task] = version(task)
	}
	var made atomic.Int32
	var group sync.WaitGroup
	for i, task := range tasks {
		group.Go(func() {
			for n := range each {
				a, err := ada.try("PATCH", "/api/tasks/"+task+"/", map[string]any{"title": fmt.Sprintf("Sweep %d of %d", n, i)})
				if err != nil || a.Status != 200 {
					t.Errorf("%v %d", err, a.Status)
					return
				}
				made.Add(1)
			}
		})
	}
	got := map[string]int{}
	last, cut := "", 0
	deadline := time.After(2 * time.Minute)
	for len(got) < writers*each && !t.Failed() {
		if last != "" && cut < cuts && int(made.Load()) > (cut+1)*writers*each/(cuts+2) {
			cut++
			e.drop()
			again, err := ada.tryListen(last)
			if err != nil {
				t.Fatal(err)
			}
			e = again
		}
		select {
		case h, open := <-e.heard:
			if !open {
				t.Fatal("the stream ended by itself")
			}
			last = h.id
			if h.kind == "reset" {
				t.Fatal("a reset, though nothing was lost")
			}
			if h.kind == "task.changed" && h.Version > before[h.ID.String()] {
				got[fmt.Sprintf("%s %d", h.ID, h.Version)]++
			}
		case <-deadline:
			t.Fatalf("heard %d of %d changes", len(got), writers*each)
		case <-time.After(50 * time.Millisecond): // look whether it is time for a cut
		}
	}
	group.Wait()
	for _, task := range tasks {
		for v := before[task] + 1; v <= version(task); v++ {
			key := fmt.Sprintf("%s %d", task, v)
			if n := got[key]; n != 1 {
				t.Errorf("%s was heard %d times", key, n)
			}
			delete(got, key)
		}
	}
	if len(got) != 0 || cut != cuts {
		t.Errorf("heard what did not happen: %v; cut %d times", got, cut)
	}
}

// settledEar is a stream that hears of a task: what the person sees has settled.
func settledEar(t *testing.T, p *person, task string) *ear {
	t.Helper()
	var e *ear
	testkit.Eventually(t, "what was before is told", func() bool {
		e = p.listen()
		p.want(201, "POST", "/api/task-completions/", map[string]any{"task_id": task})
		return e.hears("task.completed", task)
	})
	return e
}

// TestARedisThatIsAway: streams end, and come back with all that was missed, or say that they cannot.
func TestARedisThatIsAway(t *testing.T) {
	redis, own := withOwnCache(t)
	w := start(t, own)
	ada := w.join(t, "Ada")
	house := ada.home("Maple Street")
	task := ada.task(house, "Sweep", map[string]any{"rrule": "FREQ=DAILY", "due_date": "2026-01-01"})
	e := settledEar(t, ada, task)
	away := func(missed func(h heard)) {
		t.Helper()
		var last string
		change := func() string {
			return ada.want(201, "POST", "/api/contractors/", map[string]any{"name": "Rosa", "residence_id": house}).text("id")
		}
		first := change()
		last = e.next("contractor.changed", first).id
		if err := syscall.Kill(redis.PID(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		thaw := sync.OnceFunc(func() { _ = syscall.Kill(redis.PID(), syscall.SIGCONT) })
		defer thaw()
		e.rest() // the stream is closed: nothing can be heard
		while := change()
		if _, err := ada.tryListen(last); err == nil {
			t.Error("a stream opens without Redis")
		}
		<-time.After(3 * time.Second) // long enough for every time-out there is
		if missed != nil {
			redis.Kill()
			if err := redis.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		thaw()
		testkit.Eventually(t, "streams open again", func() (open bool) {
			again, err := ada.tryListen(last)
			if err == nil {
				e = again
			}
			return err == nil
		})
		if missed != nil {
			missed(e.next("reset"))
		} else {
			e.next("contractor.changed", while)
		}
		e.next("contractor.changed", change())
	}
	away(nil)
	away(func(h heard) {
		if h.id == "" {
			t.Error("a reset without a place to resume from")
		}
	})
}
