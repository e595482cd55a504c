package appstore_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth.internal/billing/appstore"
	"hearth.internal/billing/appstore/appstoretest"
)

const app = "app.hearth.test"

func client(t *testing.T, clock *time.Time, apis ...*appstoretest.API) *appstore.Client {
	t.Helper()
	key, err := appstore.ParseKey(apis[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	c := &appstore.Client{
		HTTP: &http.Client{Timeout: 5 * time.Second}, Key: appstore.Key{ID: apis[0].KeyID, Issuer: apis[0].Issuer, Private: key},
		Bundles: []string{app}, Now: func() time.Time { return *clock },
	}
	for _, api := range apis {
		c.Bases = append(c.Bases, api.URL)
	}
	return c
}

func TestProductionIsAskedFirstAndThenTheSandbox(t *testing.T) {
	clock := now
	tell := func() time.Time { return clock }
	production := appstoretest.NewAPI(t, tell, app)
	sandbox := appstoretest.NewAPI(t, tell, app).Like(production)
	c := client(t, &clock, production, sandbox)
	production.Know(appstore.LastTransaction{OriginalTransactionID: "1", Status: appstore.Active})
	sandbox.Know(appstore.LastTransaction{OriginalTransactionID: "2", Status: appstore.Expired})

	if got, err := c.Subscription(t.Context(), "1"); err != nil || got.Status != appstore.Active || sandbox.Asked() != 0 {
		t.Errorf("in production: %v, %+v, the sandbox was asked %d times", err, got, sandbox.Asked())
	}
	if got, err := c.Subscription(t.Context(), "2"); err != nil || got.Status != appstore.Expired {
		t.Errorf("in the sandbox: %v, %+v", err, got)
	}
	for _, id := range []string{"3", "../../inApps/v1/subscriptions/1", "another one of the same customer"} {
		if _, err := c.Subscription(t.Context(), id); err == nil {
			t.Errorf("%s: known", id)
		}
	}
	if _, err := c.Subscription(t.Context(), "3"); !errors.Is(err, appstore.ErrNotFound) {
		t.Errorf("what is nowhere: %v", err)
	}
	if refused := append(production.Refused(), sandbox.Refused()...); len(refused) > 0 {
		t.Errorf("tokens refused: %v", refused)
	}
}

func TestAStoreThatDoesNotAnswerSaysNothing(t *testing.T) {
	for _, status := range []int{404, 401, 403, 500, 502, 503, 302} { // a 404 without Apple's code is somebody else's
		clock := now
		api := appstoretest.NewAPI(t, func() time.Time { return clock }, app)
		api.Fail(status, "Location", "/elsewhere")
		_, err := client(t, &clock, api).Subscription(t.Context(), "1")
		if _, ok := errors.AsType[*appstore.UnavailableError](err); !ok {
			t.Errorf("%d: %v", status, err)
		}
	}
	clock := now
	api := appstoretest.NewAPI(t, func() time.Time { return clock }, app)
	c := client(t, &clock, api)
	c.Bases = []string{"http://127.0.0.1:9"}
	_, err := c.Subscription(t.Context(), "1234567")
	if _, ok := errors.AsType[*appstore.UnavailableError](err); !ok || strings.Contains(err.Error(), "1234567") {
		t.Errorf("nobody there: %v", err)
	}
}

// TestAStoreIsLeftAloneWhenItWants: Apple says until when in milliseconds, what is in between says it in seconds.
func TestAStoreIsLeftAloneWhenItWants(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		wait   time.Duration
	}{
		"until": {fmt.Sprint(now.Add(90 * time.Second).UnixMilli()), 90 * time.Second}, "for": {"120", 2 * time.Minute}, "nothing": {"", time.Minute},
		"nonsense": {"soon", time.Minute}, "for ever": {"999999999", time.Hour},
	} {
		clock := now
		api := appstoretest.NewAPI(t, func() time.Time { return clock }, app)
		api.Know(appstore.LastTransaction{OriginalTransactionID: "1", Status: appstore.Active})
		api.Fail(http.StatusTooManyRequests, "Retry-After", c.header)
		store := client(t, &clock, api)
		for range 3 {
			_, err := store.Subscription(t.Context(), "1")
			if e, ok := errors.AsType[*appstore.UnavailableError](err); !ok || e.RetryAfter != c.wait {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if api.Asked() != 1 {
			t.Errorf("%s: asked %d times", name, api.Asked())
		}
		api.Fail(0)
		clock = clock.Add(c.wait)
		if _, err := store.Subscription(t.Context(), "1"); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}

func TestAKeyIsOneOfApples(t *testing.T) {
	for _, text := range []string{"", "key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := appstore.ParseKey(text); err == nil {
			t.Errorf("taken: %q", text)
		}
	}
}
