package push_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hearth.internal/notification/delivery"
	"hearth.internal/notification/push"
	"hearth.internal/notification/push/pushtest"
)

func TestWhatAppleAnswers(t *testing.T) {
	r := start(t)
	since := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	const ours = "the provider refuses our configuration, nothing is pushed: "
	misconfigured := func(reason string) delivery.Result {
		return delivery.Result{Outcome: delivery.Later, Provider: true, After: 5 * time.Minute, Reason: ours + reason}
	}
	for name, c := range map[string]struct {
		fails pushtest.Failure
		want  delivery.Result
	}{
		"unregistered":                 {pushtest.Failure{Status: 410, Reason: "Unregistered", Since: since}, delivery.Result{Outcome: delivery.Dead, Reason: "410 Unregistered", Since: since}},
		"an expired token":             {pushtest.Failure{Status: 410, Reason: "ExpiredToken", Since: since}, delivery.Result{Outcome: delivery.Dead, Reason: "410 ExpiredToken", Since: since}},
		"gone without a reason":        {pushtest.Failure{Status: 410}, delivery.Result{Outcome: delivery.Dead, Reason: "410"}},
		"a token of another place":     {pushtest.Failure{Status: 400, Reason: "BadDeviceToken"}, delivery.Result{Outcome: delivery.Dead, Reason: "400 BadDeviceToken"}},
		"a token of another app":       {pushtest.Failure{Status: 400, Reason: "DeviceTokenNotForTopic"}, delivery.Result{Outcome: delivery.Dead, Reason: "400 DeviceTokenNotForTopic"}},
		"another 400":                  {pushtest.Failure{Status: 400, Reason: "BadExpirationDate"}, delivery.Result{Outcome: delivery.Refused, Reason: "400 BadExpirationDate"}},
		"too large":                    {pushtest.Failure{Status: 413, Reason: "PayloadTooLarge"}, delivery.Result{Outcome: delivery.Refused, Reason: "413 PayloadTooLarge"}},
		"an idle connection":           {pushtest.Failure{Status: 400, Reason: "IdleTimeout"}, delivery.Result{Outcome: delivery.Later, Reason: "400 IdleTimeout"}},
		"too many to a device":         {pushtest.Failure{Status: 429, Reason: "TooManyRequests", RetryAfter: "7"}, delivery.Result{Outcome: delivery.Later, Reason: "429 TooManyRequests", After: 7 * time.Second}},
		"too many to a device, still":  {pushtest.Failure{Status: 429, Reason: "TooManyRequests"}, delivery.Result{Outcome: delivery.Later, Reason: "429 TooManyRequests"}},
		"too many provider tokens":     {pushtest.Failure{Status: 429, Reason: "TooManyProviderTokenUpdates"}, misconfigured("429 TooManyProviderTokenUpdates")},
		"an error of Apple's":          {pushtest.Failure{Status: 500, Reason: "InternalServerError"}, delivery.Result{Outcome: delivery.Later, Provider: true, Reason: "500 InternalServerError"}},
		"unavailable for a minute":     {pushtest.Failure{Status: 503, Reason: "ServiceUnavailable", RetryAfter: "60"}, delivery.Result{Outcome: delivery.Later, Provider: true, Reason: "503 ServiceUnavailable", After: time.Minute}},
		"unavailable for years":        {pushtest.Failure{Status: 503, Reason: "ServiceUnavailable", RetryAfter: "999999999"}, delivery.Result{Outcome: delivery.Later, Provider: true, Reason: "503 ServiceUnavailable", After: 24 * time.Hour}},
		"unavailable, not well said":   {pushtest.Failure{Status: 503, Reason: "Shutdown", RetryAfter: "soon"}, delivery.Result{Outcome: delivery.Later, Provider: true, Reason: "503 Shutdown"}},
		"unavailable until yesterday":  {pushtest.Failure{Status: 503, RetryAfter: time.Now().Add(-24 * time.Hour).UTC().Format(http.TimeFormat)}, delivery.Result{Outcome: delivery.Later, Provider: true, Reason: "503"}},
		"a provider token that is bad": {pushtest.Failure{Status: 403, Reason: "InvalidProviderToken"}, misconfigured("403 InvalidProviderToken")},
		"another environment's key":    {pushtest.Failure{Status: 403, Reason: "BadEnvironmentKeyIdInToken"}, misconfigured("403 BadEnvironmentKeyIdInToken")},
		"a certificate":                {pushtest.Failure{Status: 403, Reason: "BadCertificateEnvironment"}, misconfigured("403 BadCertificateEnvironment")},
		"a topic that is not ours":     {pushtest.Failure{Status: 400, Reason: "TopicDisallowed"}, misconfigured("400 TopicDisallowed")},
		"a place that is not APNs":     {pushtest.Failure{Status: 404}, misconfigured("404")},
		"a redirect":                   {pushtest.Failure{Status: 307}, misconfigured("307")},
	} {
		t.Run(name, func(t *testing.T) {
			m := message(pushtest.NewToken())
			r.APNs.Fail(m.Token, c.fails)
			before := r.APNs.Asked()
			want(t, r.apns.Push(t.Context(), m), c.want)
			if got := r.APNs.Asked() - before; got != 1 {
				t.Errorf("asked %d times", got)
			}
			r.APNs.Heal(m.Token)
			want(t, r.apns.Push(t.Context(), m), delivery.Result{Outcome: delivery.Sent, ID: m.ID.String()})
		})
	}
}

func TestBothEnvironmentsAtOnce(t *testing.T) {
	r := start(t)
	released, debugged := message(pushtest.NewToken()), message(pushtest.NewToken())
	debugged.Sandbox = true
	wantSent(t, r.apns.Push(t.Context(), released))
	wantSent(t, r.apns.Push(t.Context(), debugged))
	if r.APNs.Pushes(released.Token)[0].Sandbox || !r.APNs.Pushes(debugged.Token)[0].Sandbox {
		t.Error("they went to each other's place")
	}
	if r.APNs.Connections() != 2 || r.APNs.Bearers() != 1 {
		t.Errorf("%d connections, %d provider tokens", r.APNs.Connections(), r.APNs.Bearers())
	}
}

func TestWhatIsNoTokenIsNotAskedFor(t *testing.T) {
	r := start(t)
	for _, token := range []string{"", "abc", "../../etc", pushtest.NewToken() + "/x", "zz"} {
		if got := r.apns.Push(t.Context(), message(token)); got.Outcome != delivery.Dead {
			t.Errorf("%q: %+v", token, got)
		}
	}
	if r.APNs.Asked() != 0 {
		t.Error("Apple was asked")
	}
}

func TestTheProviderTokenIsRenewedInTime(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	for minutes, bearers := range []int{0: 1, 49: 1, 51: 2, 100: 2, 102: 3, 200: 4} {
		if bearers == 0 {
			continue
		}
		r.clock.Set(r.clock.Now().Truncate(time.Hour).Add(time.Duration(minutes) * time.Minute))
		wantSent(t, r.apns.Push(t.Context(), m))
		if got := r.APNs.Bearers(); got != bearers {
			t.Errorf("after %d minutes it is the %d. token, not the %d.", minutes, got, bearers)
		}
	}
}

func TestATokenThatAppleCallsExpiredIsRenewedOnce(t *testing.T) {
	r := start(t)
	wantSent(t, r.apns.Push(t.Context(), message(pushtest.NewToken())))
	r.clock.Advance(30 * time.Minute)
	r.APNs.Fail("", pushtest.Failure{Status: 403, Reason: "ExpiredProviderToken", Times: 50})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { r.apns.Push(t.Context(), message(pushtest.NewToken())) })
	}
	wg.Wait()
	wantSent(t, r.apns.Push(t.Context(), message(pushtest.NewToken())))
	if got := r.APNs.Bearers(); got != 2 {
		t.Errorf("%d tokens were made", got)
	}

	// A minute later it is too soon for another one: Apple would refuse that.
	r.clock.Advance(time.Minute)
	r.APNs.Fail("", pushtest.Failure{Status: 403, Reason: "ExpiredProviderToken"})
	before := r.APNs.Asked()
	want(t, r.apns.Push(t.Context(), message(pushtest.NewToken())), delivery.Result{
		Outcome: delivery.Later, Provider: true, After: 5 * time.Minute, Reason: "the provider refuses our configuration, nothing is pushed: 403 ExpiredProviderToken",
	})
	if got := r.APNs.Asked() - before; got != 1 {
		t.Errorf("asked %d times", got)
	}
	r.APNs.Heal("")

	// One is enough: the push itself goes on with the new token.
	r.clock.Advance(30 * time.Minute)
	m := message(pushtest.NewToken())
	r.APNs.Fail(m.Token, pushtest.Failure{Status: 403, Reason: "ExpiredProviderToken", Times: 1})
	wantSent(t, r.apns.Push(t.Context(), m))
	if got := r.APNs.Bearers(); got != 3 || len(r.APNs.Pushes(m.Token)) != 1 {
		t.Errorf("%d tokens, %d pushes", got, len(r.APNs.Pushes(m.Token)))
	}
}

func TestWhatAppleHasNotLookedAtIsSentAgain(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	wantSent(t, r.apns.Push(t.Context(), m))
	r.APNs.Fail("", pushtest.Failure{Mishap: pushtest.GoAway, Times: 1})
	wantSent(t, r.apns.Push(t.Context(), m))
	if r.APNs.Count() != 2 || r.APNs.Connections() != 2 {
		t.Errorf("%d pushes over %d connections", r.APNs.Count(), r.APNs.Connections())
	}
}

func TestMoreAtOnceThanAppleAllows(t *testing.T) {
	r := start(t)
	r.APNs.Allow(10)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { wantSent(t, r.apns.Push(ctx, message(pushtest.NewToken()))) })
	}
	wg.Wait()
	if got := r.APNs.Count(); got != 200 {
		t.Errorf("%d arrived", got)
	}
}

func TestAppleMustBeApple(t *testing.T) {
	r := start(t)
	cfg := settings(t, r.Environ())
	cfg.APNsCAFile = ""
	stranger, _ := r.open(cfg)
	got := stranger.Push(t.Context(), message(pushtest.NewToken()))
	if got.Outcome != delivery.Later || !got.Provider || r.APNs.Asked() != 0 {
		t.Errorf("it was told to a stranger: %+v", got)
	}
}

// deaf is a way to a server that can fall silent, as a firewall does that has forgotten a connection.
type deaf struct {
	net.Listener
	silent atomic.Int32 // how many of the connections
}

func newDeaf(t *testing.T, address string) *deaf {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{Listener: listener}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for n := int32(1); ; n++ {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", address)
			if err != nil {
				in.Close()
				continue
			}
			t.Cleanup(func() { in.Close(); out.Close() })
			go d.carry(n, out, in)
			go d.carry(n, in, out)
		}
	}()
	return d
}

func (d *deaf) carry(n int32, to io.WriteCloser, from io.Reader) {
	buffer := make([]byte, 4096)
	for {
		read, err := from.Read(buffer)
		if err != nil {
			return
		}
		if d.silent.Load() >= n {
			continue
		}
		if _, err := to.Write(buffer[:read]); err != nil {
			return
		}
	}
}

func TestADeadConnectionIsNoticed(t *testing.T) {
	r := start(t)
	cfg := settings(t, r.Environ())
	u, err := url.Parse(cfg.APNsURL)
	if err != nil {
		t.Fatal(err)
	}
	way := newDeaf(t, u.Host)
	cfg.APNsURL = "https://" + way.Addr().String()
	p, _ := r.open(cfg)
	push.PingEvery(p, 250*time.Millisecond)

	m := message(pushtest.NewToken())
	wantSent(t, p.Push(t.Context(), m))
	way.silent.Store(1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got := p.Push(ctx, m); got.Outcome != delivery.Later || got.Reason != "answer cut off" {
		t.Errorf("got %+v", got)
	}
	wantSent(t, p.Push(ctx, m))
	if r.APNs.Count() != 2 || r.APNs.Connections() != 2 {
		t.Errorf("%d pushes over %d connections", r.APNs.Count(), r.APNs.Connections())
	}
}
