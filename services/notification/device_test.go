package notification_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/notification"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/page"
	"hearth.internal/pkg/testkit"
)

const devices = "/api/notifications/devices/"

var aToken = strings.Repeat("0a", 32)

// phone is a device of iOS with a token of its own.
func phone(n int) map[string]any {
	return map[string]any{"platform": "ios", "token": fmt.Sprintf("%064x", n)}
}

func device(t *testing.T, a testkit.Answer) notification.Device {
	t.Helper()
	return testkit.JSON[notification.Device](t, a)
}

func devicesOf(t *testing.T, c *testkit.Client) []notification.Device {
	t.Helper()
	a := c.Want(200, "GET", devices, nil)
	wantTrips(t, a, 1)
	return testkit.JSON[page.List[notification.Device]](t, a).Items
}

func TestADeviceIsRegisteredOnce(t *testing.T) {
	for _, prepare := range []bool{true, false} {
		t.Run(fmt.Sprintf("prepared %t", prepare), func(t *testing.T) {
			cfg := configuration(t)
			cfg.DatabasePrepare = prepare
			var log safeBuffer
			s := testkit.Run(t, cfg.Service, notification.New(cfg), func(o *boot.Options) { o.LogOut = &log })
			me := s.As(t, ann)
			body := map[string]any{"platform": "ios", "token": strings.ToUpper(aToken), "name": "Ann's iPhone", "app_version": "2.4.0"}
			a := me.Want(201, "POST", devices, body)
			wantTrips(t, a, 1)
			first := device(t, a)
			if first.Platform != "ios" || first.Token != aToken || first.Environment != "production" || *first.Name != "Ann's iPhone" || *first.AppVersion != "2.4.0" ||
				!first.CreatedAt.Equal(testkit.Start) || !first.SeenAt.Equal(testkit.Start) {
				t.Errorf("%+v", first)
			}
			s.Clock.Advance(time.Hour)
			body["token"], body["app_version"], body["environment"], body["id"] = aToken, "2.5.0", "sandbox", uuid.Must(uuid.NewV7())
			again := device(t, me.Want(200, "POST", devices, body))
			if again.ID != first.ID || *again.AppVersion != "2.5.0" || again.Environment != "sandbox" || !again.CreatedAt.Equal(testkit.Start) || !again.SeenAt.Equal(s.Clock.Now()) {
				t.Errorf("again %+v", again)
			}
			if list := devicesOf(t, me); len(list) != 1 || list[0].ID != first.ID || list[0].Token != aToken {
				t.Errorf("devices %+v", list)
			}
			// The same characters on another platform are another token.
			s.Clock.Advance(time.Second)
			other := device(t, me.Want(201, "POST", devices, map[string]any{"platform": "android", "token": aToken}))
			if other.Name != nil || other.AppVersion != nil {
				t.Errorf("%+v", other)
			}
			newest := testkit.JSON[page.List[notification.Device]](t, me.Want(200, "GET", devices+"?limit=1", nil))
			rest := testkit.JSON[page.List[notification.Device]](t, me.Want(200, "GET", devices+"?limit=1&cursor="+*newest.NextCursor, nil))
			if newest.Items[0].ID != other.ID || len(rest.Items) != 1 || rest.Items[0].ID != first.ID || rest.NextCursor != nil {
				t.Errorf("pages %+v, %+v", newest, rest)
			}
			me.Refused(422, "invalid_cursor", "GET", devices+"?cursor=x", nil)
			wantTrips(t, me.Want(204, "DELETE", devices+first.ID.String()+"/", nil), 1)
			me.Refused(404, "not_found", "DELETE", devices+first.ID.String()+"/", nil)
			s.As(t, bob).Refused(404, "not_found", "DELETE", devices+other.ID.String()+"/", nil)
			if log.contains(aToken) {
				t.Error("the log has a token")
			}
		})
	}
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) contains(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.buf.String(), text)
}

func TestWhatIsNoDevice(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	good := func(change string, value any) map[string]any {
		body := map[string]any{"platform": "ios", "token": aToken}
		body[change] = value
		if value == nil {
			delete(body, change)
		}
		return body
	}
	fcm := func(token string) map[string]any { return map[string]any{"platform": "android", "token": token} }
	for _, body := range []any{
		good("platform", nil), good("platform", "web"), good("token", nil), good("token", "0a0a0a0a0a0a0a"), good("token", strings.Repeat("0a", 2049)),
		good("token", aToken+"0"), good("token", strings.Repeat("xy", 20)), good("token", aToken+"\n"), good("environment", "staging"), good("environment", ""),
		good("name", strings.Repeat("x", 201)), good("app_version", strings.Repeat("1", 51)), good("id", "x"), good("id", uuid.Nil), good("user_id", ann),
		fcm("a token with spaces in it"), fcm("a-token-with-\u00e9-in-it-of-length"), fcm(strings.Repeat("x", 4097)),
	} {
		a := me.Refused(422, "validation_failed", "POST", devices, body)
		if strings.Contains(string(a.Body), aToken) {
			t.Errorf("the answer repeats the token: %s", a.Body)
		}
	}
	me.Want(201, "POST", devices, fcm(strings.Repeat("dGo:APA91b-_", 341)))
	if n := len(devicesOf(t, me)); n != 1 {
		t.Errorf("%d devices", n)
	}
}

func TestATokenMovesToWhoeverRegistersIt(t *testing.T) {
	s := run(t, configuration(t))
	a, b := s.As(t, ann), s.As(t, bob)
	first := device(t, a.Want(201, "POST", devices, phone(1)))
	s.Clock.Advance(time.Hour)
	moved := device(t, b.Want(200, "POST", devices, phone(1)))
	if moved.ID != first.ID || !moved.CreatedAt.Equal(s.Clock.Now()) || len(devicesOf(t, a)) != 0 || len(devicesOf(t, b)) != 1 {
		t.Errorf("moved %+v; %d, %d", moved, len(devicesOf(t, a)), len(devicesOf(t, b)))
	}
	a.Refused(404, "not_found", "DELETE", devices+first.ID.String()+"/", nil)
	// Whoever signs out of the session in which it was Ann's does not silence it.
	testkit.Deliver(t, s, events.SessionsEnded, events.Sessions{UserID: ann, SessionIDs: []uuid.UUID{a.Actor.SessionID}})
	if len(devicesOf(t, b)) != 1 {
		t.Error("silenced by its former owner")
	}
	testkit.Deliver(t, s, events.SessionsEnded, events.Sessions{UserID: bob, SessionIDs: []uuid.UUID{b.Actor.SessionID}})
	if len(devicesOf(t, b)) != 0 {
		t.Error("listed although it is silent")
	}
	b.Refused(404, "not_found", "DELETE", devices+first.ID.String()+"/", nil)
	if back := device(t, a.Want(200, "POST", devices, phone(1))); back.ID != first.ID || len(devicesOf(t, a)) != 1 {
		t.Errorf("back %+v", back)
	}
}

func TestADeviceKeepsItsIDWhenItsTokenChanges(t *testing.T) {
	s := run(t, configuration(t))
	a, b := s.As(t, ann), s.As(t, bob)
	id := uuid.Must(uuid.NewV7())
	with := func(n int) map[string]any { body := phone(n); body["id"] = id; return body }
	a.Want(201, "POST", devices, with(1))
	a.Want(200, "POST", devices, with(1))
	b.Refused(409, "id_taken", "POST", devices, with(2))
	if got := device(t, a.Want(200, "POST", devices, with(3))); got.ID != id || got.Token != phone(3)["token"] {
		t.Errorf("%+v", got)
	}
	b.Want(201, "POST", devices, phone(1)) // nobody's any more
	if len(devicesOf(t, a)) != 1 || len(devicesOf(t, b)) != 1 {
		t.Error("a device too many, or too few")
	}
	if got := device(t, b.Want(200, "POST", devices, with(3))); got.ID != id { // the token is what counts
		t.Errorf("%+v", got)
	}
}

func TestPushesThatWaitGoWithTheirDevice(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	d := device(t, me.Want(201, "POST", devices, phone(1)))
	id := notify(t, s, ann, "Mow")
	exec(t, s, `UPDATE messages SET device_id = @device WHERE channel = 'push'`, pgx.NamedArgs{"device": d.ID})
	me.Want(204, "DELETE", devices+d.ID.String()+"/", nil)
	if got := waiting(t, s, id); got != "email pending, push suppressed no_device" {
		t.Errorf("messages: %s", got)
	}
}

func TestOfManyDevicesTheLongestUnseenGoes(t *testing.T) {
	s := run(t, configuration(t))
	me := s.As(t, ann)
	for n := range 20 {
		me.Want(201, "POST", devices, phone(n))
		s.Clock.Advance(time.Minute)
	}
	me.Want(200, "POST", devices, phone(0)) // seen again
	s.Clock.Advance(time.Minute)
	s.As(t, bob).Want(201, "POST", devices, phone(100))
	var everybody sync.WaitGroup
	for n := range 5 {
		everybody.Go(func() { me.Want(201, "POST", devices, phone(20+n)) })
	}
	everybody.Wait()
	alive := map[string]bool{}
	for _, d := range devicesOf(t, me) {
		alive[d.Token] = true
	}
	for n := range 25 {
		if want := n == 0 || n > 5; alive[phone(n)["token"].(string)] != want {
			t.Errorf("device %d is listed: %t", n, !want)
		}
	}
	if len(devicesOf(t, s.As(t, bob))) != 1 {
		t.Error("another's device went")
	}
}

func TestATokenIsOnesHoweverManyRegisterItAtOnce(t *testing.T) {
	s := run(t, configuration(t))
	people := []*testkit.Client{s.As(t, ann), s.As(t, bob), s.As(t, cyd)}
	var everybody sync.WaitGroup
	var mu sync.Mutex
	created, ids := 0, map[uuid.UUID]bool{}
	for i := range 30 {
		everybody.Go(func() {
			body := phone(1)
			body["id"] = uuid.Must(uuid.NewV7())
			a := people[i%len(people)].Call("POST", devices, body)
			mu.Lock()
			defer mu.Unlock()
			switch a.Status {
			case 201:
				created++
				fallthrough
			case 200:
				ids[device(t, a).ID] = true
			default:
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	everybody.Wait()
	listed := 0
	for _, p := range people {
		listed += len(devicesOf(t, p))
	}
	if created != 1 || len(ids) != 1 || listed != 1 {
		t.Errorf("made %d times, %d ids, listed %d times", created, len(ids), listed)
	}
}

func TestOneDeviceWhoseTokenChangesTwiceAtOnce(t *testing.T) {
	s := run(t, configuration(t))
	id := uuid.Must(uuid.NewV7())
	people := []*testkit.Client{s.As(t, ann), s.As(t, ann), s.As(t, bob)}
	var everybody sync.WaitGroup
	for i := range 30 {
		everybody.Go(func() {
			body := phone(i % 4)
			body["id"] = id
			if a := people[i%len(people)].Call("POST", devices, body); a.Status != 200 && a.Status != 201 && a.Code() != "id_taken" {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	everybody.Wait()
}
