package push_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth.internal/notification/delivery"
	"hearth.internal/notification/push/pushtest"
)

func TestWhatGoogleAnswers(t *testing.T) {
	r := start(t)
	const ours = "the provider refuses our configuration, nothing is pushed: "
	misconfigured := func(reason string) delivery.Result {
		return delivery.Result{Outcome: delivery.Later, Provider: true, After: 5 * time.Minute, Reason: ours + reason}
	}
	away := func(reason string, after time.Duration) delivery.Result {
		return delivery.Result{Outcome: delivery.Later, Provider: true, Reason: reason, After: after}
	}
	for name, c := range map[string]struct {
		fails pushtest.Failure
		want  delivery.Result
		asked int
	}{
		"unregistered":                {pushtest.Failure{Status: 404, Reason: "UNREGISTERED"}, delivery.Result{Outcome: delivery.Dead, Reason: "404 UNREGISTERED"}, 1},
		"a token of another project":  {pushtest.Failure{Status: 403, Reason: "SENDER_ID_MISMATCH"}, delivery.Result{Outcome: delivery.Dead, Reason: "403 SENDER_ID_MISMATCH"}, 1},
		"a token that is none":        {pushtest.Failure{Status: 400, Reason: "INVALID_ARGUMENT", Field: "message.token"}, delivery.Result{Outcome: delivery.Dead, Reason: "400 INVALID_ARGUMENT"}, 1},
		"a token that is none, again": {pushtest.Failure{Status: 400, Reason: "INVALID_ARGUMENT", Text: "The registration token is not a valid FCM registration token"}, delivery.Result{Outcome: delivery.Dead, Reason: "400 INVALID_ARGUMENT"}, 1},
		"another field":               {pushtest.Failure{Status: 400, Reason: "INVALID_ARGUMENT", Field: "message.android.ttl"}, delivery.Result{Outcome: delivery.Refused, Reason: "400 INVALID_ARGUMENT"}, 1},
		"no field":                    {pushtest.Failure{Status: 400, Reason: "INVALID_ARGUMENT", Text: "Message is too big"}, delivery.Result{Outcome: delivery.Refused, Reason: "400 INVALID_ARGUMENT"}, 1},
		"a 400 without details":       {pushtest.Failure{Status: 400}, delivery.Result{Outcome: delivery.Refused, Reason: "400 INVALID_ARGUMENT"}, 1},
		"too much at once":            {pushtest.Failure{Status: 429, Reason: "QUOTA_EXCEEDED"}, delivery.Result{Outcome: delivery.Later, Reason: "429 QUOTA_EXCEEDED", After: time.Minute}, 1},
		"too much, for ten seconds":   {pushtest.Failure{Status: 429, Reason: "QUOTA_EXCEEDED", RetryAfter: "10"}, delivery.Result{Outcome: delivery.Later, Reason: "429 QUOTA_EXCEEDED", After: 10 * time.Second}, 1},
		"an error of Google's":        {pushtest.Failure{Status: 500, Reason: "INTERNAL"}, away("500 INTERNAL", 0), 1},
		"unavailable":                 {pushtest.Failure{Status: 503, Reason: "UNAVAILABLE", RetryAfter: "30"}, away("503 UNAVAILABLE", 30*time.Second), 1},
		"a gateway before it":         {pushtest.Failure{Status: 502}, away("502", 0), 1},
		"not allowed":                 {pushtest.Failure{Status: 403}, misconfigured("403 PERMISSION_DENIED"), 1},
		"no such project":             {pushtest.Failure{Status: 404}, misconfigured("404 NOT_FOUND"), 1},
		"a redirect":                  {pushtest.Failure{Status: 302}, misconfigured("302"), 1},
		// An access token may have been revoked: another one is tried, once.
		"not let in": {pushtest.Failure{Status: 401}, misconfigured("401 UNAUTHENTICATED"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := message(pushtest.NewToken())
			r.FCM.Fail(m.Token, c.fails)
			before := r.FCM.Asked()
			want(t, r.fcm.Push(t.Context(), m), c.want)
			if got := r.FCM.Asked() - before; got != c.asked {
				t.Errorf("asked %d times", got)
			}
			r.FCM.Heal(m.Token)
			wantSent(t, r.fcm.Push(t.Context(), m))
		})
	}
}

func TestRetryAfterAsADate(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	r.FCM.Fail("", pushtest.Failure{Status: 503, Reason: "UNAVAILABLE", RetryAfter: time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat)})
	got := r.fcm.Push(t.Context(), m)
	if got.After < 9*time.Minute || got.After > 10*time.Minute || !got.Provider {
		t.Errorf("got %+v", got)
	}
}

func TestAnAccessTokenIsKept(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	for range 5 {
		wantSent(t, r.fcm.Push(t.Context(), m))
	}
	if got := r.FCM.Exchanges(); got != 1 {
		t.Errorf("%d access tokens were asked for", got)
	}
	r.FCM.Revoke()
	wantSent(t, r.fcm.Push(t.Context(), m))
	if r.FCM.Exchanges() != 2 || r.FCM.Count() != 6 {
		t.Errorf("%d access tokens, %d pushes", r.FCM.Exchanges(), r.FCM.Count())
	}
}

func TestWithoutAnAccessTokenNothingIsSent(t *testing.T) {
	r := start(t)
	m := message(pushtest.NewToken())
	const ours = "the provider refuses our configuration, nothing is pushed: "
	for name, c := range map[string]struct {
		fails pushtest.Failure
		want  delivery.Result
	}{
		"a key that was withdrawn": {
			pushtest.Failure{Status: 400, Reason: "invalid_grant", Text: "Invalid JWT Signature."},
			delivery.Result{Outcome: delivery.Later, Provider: true, After: 5 * time.Minute, Reason: ours + "no access token: 400 invalid_grant"},
		},
		"unavailable": {
			pushtest.Failure{Status: 503, Reason: "backend error", RetryAfter: "20"},
			delivery.Result{Outcome: delivery.Later, Provider: true, After: 20 * time.Second, Reason: "no access token: 503"},
		},
		"cut off": {
			pushtest.Failure{Mishap: pushtest.Cut},
			delivery.Result{Outcome: delivery.Later, Provider: true, Reason: "no access token: the token endpoint does not answer"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r.FCM.FailTokens(c.fails)
			want(t, r.fcm.Push(t.Context(), m), c.want)
		})
	}
	t.Run("silent", func(t *testing.T) {
		r.FCM.FailTokens(pushtest.Failure{Mishap: pushtest.Hang})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		got := r.fcm.Push(ctx, m)
		if got.Outcome != delivery.Later || !got.Provider || !strings.HasPrefix(got.Reason, "no access token: ") {
			t.Errorf("got %+v", got)
		}
	})
	if r.FCM.Asked() != 0 {
		t.Error("something was sent")
	}
}
