package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"hearth.internal/notification/delivery"
	"hearth.internal/notification/push"
	"hearth.internal/notification/push/pushtest"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/testkit"
)

// rig is both providers, and both servers.
type rig struct {
	*pushtest.Servers
	t         *testing.T
	clock     *clock.Manual
	spans     *tracetest.SpanRecorder
	apns, fcm push.Pusher
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{Servers: pushtest.Start(t), t: t, clock: clock.At(time.Now().Truncate(time.Second)), spans: tracetest.NewSpanRecorder()}
	r.APNs.UseClock(r.clock)
	cfg := settings(t, r.Environ())
	r.apns, r.fcm = r.open(cfg)
	return r
}

func settings(t *testing.T, environ []string) push.Config {
	t.Helper()
	cfg, err := config.Load[push.Config](environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func (r *rig) open(cfg push.Config) (apns, fcm push.Pusher) {
	r.t.Helper()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans)).Tracer("push")
	apns, err := push.OpenAPNs(cfg.APNsConfig, r.clock, tracer)
	if err != nil {
		r.t.Fatal(err)
	}
	fcm, err = push.OpenFCM(cfg.FCMConfig, r.clock, tracer)
	if err != nil {
		r.t.Fatal(err)
	}
	return apns, fcm
}

func message(token string) push.Message {
	return push.Message{
		ID: uuid.MustParse("0199d3a0-7c1e-7d00-8000-000000000001"), Token: token,
		Title: "Clean the gutters", Body: "Due tomorrow at Elm Street", Badge: 3,
		Collapse: "task-0199d3a0-7c1e-7d00-8000-0000000000aa", Thread: "0199d3a0-7c1e-7d00-8000-0000000000bb", Category: "TASK",
		Data: map[string]string{
			"notification_id": "0199d3a0-7c1e-7d00-8000-000000000001", "kind": "task_due_soon",
			"residence_id": "0199d3a0-7c1e-7d00-8000-0000000000bb", "subject_id": "0199d3a0-7c1e-7d00-8000-0000000000aa",
		},
	}
}

func want(t *testing.T, got, want delivery.Result) {
	t.Helper()
	if got != want {
		t.Errorf("got  %+v,\nwant %+v", got, want)
	}
}

func wantSent(t *testing.T, got delivery.Result) {
	t.Helper()
	if got.Outcome != delivery.Sent || got.ID == "" || got.Reason != "" {
		t.Errorf("it was not sent: %+v", got)
	}
}

// documented answers the JSON of docs/push.md that stands under a heading.
func documented(t *testing.T, heading string) any {
	t.Helper()
	text, err := os.ReadFile("../../../docs/push.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n### "+heading+"\n")
	_, block, opened := strings.Cut(section, "```json\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !opened || !closed {
		t.Fatalf("docs/push.md shows no JSON under %q", heading)
	}
	return parsed(t, []byte(block))
}

func parsed(t *testing.T, text []byte) (out any) {
	t.Helper()
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

func TestPayloadsAreTheDocumentedOnes(t *testing.T) {
	r := start(t)
	token := pushtest.NewToken()
	m := message(token)
	m.Expires = r.clock.Now().Add(24 * time.Hour)
	wantSent(t, r.apns.Push(t.Context(), m))
	m.Token = "fcm-token"
	wantSent(t, r.fcm.Push(t.Context(), m))

	apple, google := r.APNs.Pushes(token)[0], r.FCM.Pushes("fcm-token")[0]
	if got, want := parsed(t, apple.Payload), documented(t, "What an iPhone gets"); !reflect.DeepEqual(got, want) {
		t.Errorf("APNs got\n%s", apple.Payload)
	}
	if got, want := parsed(t, google.Payload), documented(t, "What a phone with Android gets"); !reflect.DeepEqual(got, want) {
		t.Errorf("FCM got\n%s", google.Payload)
	}
	for name, want := range map[string]string{
		"apns-id": m.ID.String(), "apns-collapse-id": m.Collapse, "apns-expiration": fmt.Sprint(m.Expires.Unix()), "apns-priority": "10",
		"apns-push-type": "alert", "apns-topic": pushtest.Topic,
	} {
		if got := apple.Header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
}

func TestAQuietPushWaitsAndMakesNoSound(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	m.Quiet, m.Category, m.Thread, m.Collapse, m.Data, m.Badge = true, "", "", "", nil, 0
	wantSent(t, r.apns.Push(t.Context(), m))
	wantSent(t, r.fcm.Push(t.Context(), m))
	apple, google := r.APNs.Pushes(m.Token)[0], r.FCM.Pushes(m.Token)[0]
	if !apple.Quiet || apple.Sound != "" || apple.Header.Get("apns-priority") != "5" || !google.Quiet {
		t.Errorf("it is not quiet: %+v, %+v", apple, google)
	}
	if got := string(apple.Payload); strings.Contains(got, "thread-id") || strings.Contains(got, "category") || !strings.Contains(got, `"badge":0`) {
		t.Errorf("what is not there is told, or the badge does not go: %s", got)
	}
	if apple.Header.Get("apns-collapse-id") != "" || apple.Header.Get("apns-expiration") != "" {
		t.Errorf("headers without a value: %v", apple.Header)
	}
}

func TestALifeThatIsOverOrLongerThanGoogleAllows(t *testing.T) {
	r := start(t)
	for expires, want := range map[time.Duration]string{-time.Hour: `"ttl":"0s"`, 1000 * time.Hour: `"ttl":"2419200s"`, 90 * time.Second: `"ttl":"90s"`} {
		m := message(pushtest.NewToken())
		m.Expires = r.clock.Now().Add(expires)
		wantSent(t, r.fcm.Push(t.Context(), m))
		if got := string(r.FCM.Pushes(m.Token)[0].Payload); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in %s", expires, want, got)
		}
	}
}

func TestALongCollapseNameStillMeetsItself(t *testing.T) {
	r := start(t)
	token := pushtest.NewToken()
	for _, name := range []string{strings.Repeat("n", 65), strings.Repeat("n", 65), strings.Repeat("n", 66), "with\nline"} {
		m := message(token)
		m.Collapse = name
		wantSent(t, r.apns.Push(t.Context(), m))
	}
	got := r.APNs.Pushes(token)
	if got[0].Collapse != got[1].Collapse || got[0].Collapse == got[2].Collapse || len(got[3].Collapse) != 64 {
		t.Errorf("%q, %q, %q, %q", got[0].Collapse, got[1].Collapse, got[2].Collapse, got[3].Collapse)
	}
}

func TestWhatIsTooLongIsCutAtARune(t *testing.T) {
	r := start(t)
	for name, piece := range map[string]string{"emoji": "🏡🪣", "umlauts": "äöü", "what JSON escapes": `<"&>` + "\n", "letters": "abc", "a family": "👨‍👩‍👧‍👦"} {
		t.Run(name, func(t *testing.T) {
			m := message(pushtest.NewToken())
			m.Body = strings.Repeat(piece, 5000)
			wantSent(t, r.apns.Push(t.Context(), m))
			wantSent(t, r.fcm.Push(t.Context(), m))
			for provider, got := range map[string]pushtest.Push{"APNs": r.APNs.Pushes(m.Token)[0], "FCM": r.FCM.Pushes(m.Token)[0]} {
				text, cut := strings.CutSuffix(got.Body, "…")
				if !cut || !utf8.ValidString(got.Body) || strings.ContainsRune(got.Body, utf8.RuneError) || !strings.HasPrefix(m.Body, text) {
					t.Errorf("%s: cut to %q", provider, got.Body)
				}
				if got.Title != m.Title || !reflect.DeepEqual(got.Data["subject_id"], m.Data["subject_id"]) {
					t.Errorf("%s: more than the body was touched: %+v", provider, got)
				}
				if provider == "APNs" && (len(got.Payload) > 4096 || len(got.Payload) < 4096-12) {
					t.Errorf("the payload has %d bytes", len(got.Payload))
				}
			}
		})
	}
	t.Run("a title that leaves no room for a body", func(t *testing.T) {
		m := message(pushtest.NewToken())
		m.Title = strings.Repeat("🏡", 2000)
		wantSent(t, r.apns.Push(t.Context(), m))
		got := r.APNs.Pushes(m.Token)[0]
		if !strings.HasSuffix(got.Title, "🏡…") || got.Body != "" || len(got.Payload) > 4096 {
			t.Errorf("%d bytes: %q, %q", len(got.Payload), got.Title, got.Body)
		}
	})
	t.Run("data alone", func(t *testing.T) {
		m := message(pushtest.NewToken())
		m.Data = map[string]string{"kind": strings.Repeat("k", 5000)}
		want(t, r.apns.Push(t.Context(), m), delivery.Result{Outcome: delivery.Refused, Reason: "413 PayloadTooLarge"})
		want(t, r.fcm.Push(t.Context(), m), delivery.Result{Outcome: delivery.Refused, Reason: "400 INVALID_ARGUMENT"})
	})
}

func TestAThousandAtOnce(t *testing.T) {
	r := start(t)
	for name, p := range map[string]struct {
		push.Pusher
		count func() int
	}{"APNs": {r.apns, r.APNs.Count}, "FCM": {r.fcm, r.FCM.Count}} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() {
					m := message(pushtest.NewToken())
					m.ID = uuid.New()
					wantSent(t, p.Push(t.Context(), m))
				})
			}
			wg.Wait()
			if got := p.count(); got != 1000 {
				t.Errorf("%d arrived", got)
			}
		})
	}
	if r.APNs.Connections() != 1 || r.APNs.Bearers() != 1 || r.FCM.Exchanges() != 1 {
		t.Errorf("%d connections to Apple, %d provider tokens, %d access tokens", r.APNs.Connections(), r.APNs.Bearers(), r.FCM.Exchanges())
	}
}

func TestConnectionsThatKeepEndingHoldNothingUp(t *testing.T) {
	r := start(t)
	for name, p := range map[string]struct {
		push.Pusher
		fail   func(token string, f pushtest.Failure)
		pushes func(token string) []pushtest.Push
	}{"APNs": {r.apns, r.APNs.Fail, r.APNs.Pushes}, "FCM": {r.fcm, r.FCM.Fail, r.FCM.Pushes}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					m := message(pushtest.NewToken())
					if i%20 == 0 {
						p.fail(m.Token, pushtest.Failure{Mishap: pushtest.Cut, Times: 2})
					}
					for p.Push(ctx, m).Outcome != delivery.Sent {
						if ctx.Err() != nil {
							t.Error("it never arrived")
							return
						}
					}
					if len(p.pushes(m.Token)) == 0 {
						t.Error("it is said to have arrived")
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestNobodyWaitsLongerThanTheyWant(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	wantSent(t, r.apns.Push(t.Context(), m)) // so that there are connections, and a token
	wantSent(t, r.fcm.Push(t.Context(), m))
	r.APNs.Fail("", pushtest.Failure{Mishap: pushtest.Hang})
	r.FCM.Fail("", pushtest.Failure{Mishap: pushtest.Hang})
	for name, p := range map[string]struct {
		push.Pusher
		asked func() int
	}{"APNs": {r.apns, r.APNs.Asked}, "FCM": {r.fcm, r.FCM.Asked}} {
		t.Run(name, func(t *testing.T) {
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			want(t, p.Push(short, m), delivery.Result{Outcome: delivery.Later, Reason: "no answer in time"})

			left, leave := context.WithCancel(t.Context())
			before := p.asked()
			done := make(chan delivery.Result, 1)
			go func() { done <- p.Push(left, m) }()
			testkit.Eventually(t, "the server has been asked", func() bool { return p.asked() > before })
			leave()
			want(t, <-done, delivery.Result{Outcome: delivery.Later, Reason: "given up before an answer came"})
			want(t, p.Push(left, m), delivery.Result{Outcome: delivery.Later, Reason: "given up before an answer came"})
		})
	}
}

func TestAServerThatIsAwayAndComesBack(t *testing.T) {
	r := start(t)
	r.APNs.Down()
	r.FCM.Down()
	m := message(pushtest.NewToken())
	for name, p := range map[string]push.Pusher{"APNs": r.apns, "FCM": r.fcm} {
		got := p.Push(t.Context(), m)
		if got.Outcome != delivery.Later || !got.Provider || got.Reason == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	r.APNs.Up()
	r.FCM.Up()
	wantSent(t, r.apns.Push(t.Context(), m))
	wantSent(t, r.fcm.Push(t.Context(), m))

	// Now there are connections, and a token.
	r.APNs.Down()
	r.FCM.Down()
	for name, p := range map[string]push.Pusher{"APNs": r.apns, "FCM": r.fcm} {
		testkit.Eventually(t, name+" is known to be away", func() bool {
			got := p.Push(t.Context(), m)
			return got.Outcome == delivery.Later && got.Provider && strings.HasPrefix(got.Reason, "not connected: ")
		})
	}
	r.APNs.Up()
	r.FCM.Up()
	wantSent(t, r.apns.Push(t.Context(), m))
	wantSent(t, r.fcm.Push(t.Context(), m))
}

func TestAnAnswerThatIsCutOffMayMeanThatItWasTaken(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	wantSent(t, r.apns.Push(t.Context(), m)) // so that the connections are kept ones
	wantSent(t, r.fcm.Push(t.Context(), m))
	cutOff := delivery.Result{Outcome: delivery.Later, Reason: "answer cut off"}
	for _, mishap := range []pushtest.Mishap{pushtest.TakenThenCut, pushtest.Cut} {
		r.APNs.Fail(m.Token, pushtest.Failure{Mishap: mishap, Times: 1})
		r.FCM.Fail(m.Token, pushtest.Failure{Mishap: mishap, Times: 1})
		want(t, r.apns.Push(t.Context(), m), cutOff)
		want(t, r.fcm.Push(t.Context(), m), cutOff)
	}
	if r.APNs.Asked() != 3 || r.FCM.Asked() != 3 || r.APNs.Count() != 2 || r.FCM.Count() != 2 {
		t.Errorf("asked %d and %d times, taken %d and %d", r.APNs.Asked(), r.FCM.Asked(), r.APNs.Count(), r.FCM.Count())
	}
	wantSent(t, r.apns.Push(t.Context(), m))
	wantSent(t, r.fcm.Push(t.Context(), m))
}

func TestSecretsStayOutOfReasonsAndSpans(t *testing.T) {
	r := start(t)
	environ := settings(t, r.Environ())
	var results []delivery.Result
	token := pushtest.NewToken()
	m := message(token)
	collect := func() {
		for _, p := range []push.Pusher{r.apns, r.fcm} {
			results = append(results, p.Push(t.Context(), m))
		}
	}
	collect()
	// Servers that repeat what they heard.
	for _, status := range []int{400, 403, 404, 410, 413, 429, 500, 503} {
		f := pushtest.Failure{Status: status, Reason: token, Text: "no " + token, Field: "message.token " + token}
		r.APNs.Fail("", f)
		r.FCM.Fail("", f)
		collect()
	}
	r.FCM.Revoke()
	r.FCM.FailTokens(pushtest.Failure{Status: 400, Reason: "invalid_grant", Text: environ.FCMCredentials})
	collect()
	for _, mishap := range []pushtest.Mishap{pushtest.Cut, pushtest.TakenThenCut} {
		r.FCM.FailTokens(pushtest.Failure{Mishap: mishap})
		r.APNs.Fail("", pushtest.Failure{Mishap: mishap})
		collect()
	}
	r.APNs.Down()
	r.FCM.Down()
	collect()
	m.Token = "token/../?" + token
	collect()

	var said strings.Builder
	for _, result := range results {
		fmt.Fprintln(&said, result.Reason)
	}
	spans := r.spans.Ended()
	if len(spans) != len(results) {
		t.Errorf("%d spans of %d pushes", len(spans), len(results))
	}
	for _, s := range spans {
		fmt.Fprintln(&said, s.Name(), s.Attributes(), s.Events(), s.Status())
	}
	for name, secret := range map[string]string{
		"the device's token": token, "a part of Apple's key": keyBody(environ.APNsKey), "a part of Google's key": "PRIVATE KEY", "a bearer token": "eyJ",
		"an access token": "ya29",
		"the body":        m.Body, "the title": m.Title,
	} {
		if strings.Contains(said.String(), secret) {
			t.Errorf("%s is told:\n%s", name, said.String())
		}
	}
	for _, name := range []string{"apns push", "fcm push", "push.outcome", "http.response.status_code"} {
		if !strings.Contains(said.String(), name) {
			t.Errorf("no span tells of %s", name)
		}
	}
}

func keyBody(pem string) string { return strings.Split(pem, "\n")[1][:20] }

func TestConfiguration(t *testing.T) {
	servers := pushtest.Start(t)
	whole := settings(t, servers.Environ())
	other := strings.Replace(whole.FCMCredentials, `"service_account"`, `"authorized_user"`, 1)
	for name, c := range map[string]struct {
		change func(*push.Config)
		fails  string
	}{
		"none":                     {func(c *push.Config) { *c = push.Config{} }, ""},
		"no key":                   {func(c *push.Config) { c.APNsKey = "" }, "needed together"},
		"no topic":                 {func(c *push.Config) { c.APNsTopic = "" }, "needed together"},
		"the topic alone":          {func(c *push.Config) { c.APNsConfig = push.APNsConfig{APNsTopic: "com.example"} }, "needed together"},
		"a topic that is none":     {func(c *push.Config) { c.APNsTopic = "com example" }, "HEARTH_APNS_TOPIC"},
		"a key that is none":       {func(c *push.Config) { c.APNsKey = "hunter2" }, "HEARTH_APNS_KEY is not"},
		"a key cut short":          {func(c *push.Config) { c.APNsKey = c.APNsKey[:60] }, "HEARTH_APNS_KEY is not"},
		"plain HTTP to Apple":      {func(c *push.Config) { c.APNsURL = "http://127.0.0.1" }, "HEARTH_APNS_URL"},
		"no sandbox":               {func(c *push.Config) { c.APNsSandboxURL = "" }, "HEARTH_APNS_SANDBOX_URL"},
		"no such CA file":          {func(c *push.Config) { c.APNsCAFile = "/nonexistent" }, "HEARTH_APNS_CA_FILE"},
		"an empty CA file":         {func(c *push.Config) { c.APNsCAFile = os.DevNull }, "HEARTH_APNS_CA_FILE"},
		"a project alone":          {func(c *push.Config) { c.FCMCredentials, c.FCMProject = "", "p" }, "HEARTH_FCM_CREDENTIALS"},
		"credentials that are not": {func(c *push.Config) { c.FCMCredentials = "hunter2" }, "HEARTH_FCM_CREDENTIALS"},
		"somebody's own":           {func(c *push.Config) { c.FCMCredentials = other }, "HEARTH_FCM_CREDENTIALS"},
		"no private key": {func(c *push.Config) {
			c.FCMCredentials = `{"type":"service_account","client_email":"a","project_id":"p"}`
		}, "private_key"},
		"no project":              {func(c *push.Config) { c.FCMCredentials = strings.Replace(c.FCMCredentials, "project_id", "x", 1) }, "HEARTH_FCM_PROJECT"},
		"a project that is none":  {func(c *push.Config) { c.FCMProject = "../p" }, "HEARTH_FCM_PROJECT"},
		"an address that is none": {func(c *push.Config) { c.FCMURL = "fcm" }, "HEARTH_FCM_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := whole
			c.change(&cfg)
			tracer := sdktrace.NewTracerProvider().Tracer("push")
			apns, err := push.OpenAPNs(cfg.APNsConfig, clock.System{}, tracer)
			if err == nil {
				var fcm push.Pusher
				fcm, err = push.OpenFCM(cfg.FCMConfig, clock.System{}, tracer)
				if c.fails == "" && (apns != nil || fcm != nil) {
					t.Error("something was opened")
				}
			}
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "BEGIN")) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}
