package push

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/http"
	"time"

	"github.com/sideshow/apns2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/notification/delivery"
	"hearth.internal/pkg/clock"
)

const (
	pingAfter   = 15 * time.Second // of silence; a connection that a firewall has forgotten shows itself
	pingTime    = 5 * time.Second
	dialTime    = 10 * time.Second
	longestSize = 200 // bytes of a device's token; they have 32 today, and may have more
)

// apns is Apple. There is one connection to each of its environments, which all pushes share: Apple takes many for an
// attack.
type apns struct {
	production, sandbox *lane
	topic               string
	provider            *provider
	clock               clock.Clock
	tracer              trace.Tracer
}

// OpenAPNs prepares pushes to Apple's devices; nothing is connected to before the first. It answers nil when Apple is not
// configured, and fails when it is by half.
func OpenAPNs(cfg APNsConfig, c clock.Clock, tracer trace.Tracer) (Pusher, error) {
	if given, err := cfg.given(); !given || err != nil {
		return nil, err
	}
	key, err := cfg.key()
	if err != nil {
		return nil, err
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	only2 := new(http.Protocols)
	only2.SetHTTP2(true)
	shared := client(&http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTime, KeepAlive: pingAfter}).DialContext,
		TLSHandshakeTimeout: dialTime, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Protocols: only2,
		MaxConnsPerHost: 1, HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: pingTime},
	})
	return &apns{
		production: newLane(cfg.APNsURL, shared), sandbox: newLane(cfg.APNsSandboxURL, shared),
		topic: cfg.APNsTopic, provider: &provider{key: key, keyID: cfg.APNsKeyID, teamID: cfg.APNsTeamID, clock: c}, clock: c, tracer: tracer,
	}, nil
}

// Push sends the message to APNs.
func (a *apns) Push(ctx context.Context, m Message) (result delivery.Result) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ctx, span := a.tracer.Start(ctx, "apns push", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.Bool("push.sandbox", m.Sandbox)))
	defer func() { settle(span, m, result) }()

	// A token becomes a part of the address: what is none would make another one of it.
	if raw, err := hex.DecodeString(m.Token); err != nil || len(raw) == 0 || len(raw) > longestSize {
		return delivery.Result{Outcome: delivery.Dead, Reason: "the token is none of Apple's"}
	}
	payload, err := applePayload(m)
	if err != nil {
		return delivery.Result{Outcome: delivery.Refused, Reason: "the message cannot be written as JSON"}
	}
	priority := apns2.PriorityHigh
	if m.Quiet {
		priority = apns2.PriorityLow
	}
	n := &apns2.Notification{
		ApnsID: m.ID.String(), CollapseID: collapse(m), DeviceToken: m.Token, Topic: a.topic, Expiration: m.Expires,
		Priority: priority, Payload: payload, PushType: apns2.PushTypeAlert,
	}
	bearer, err := a.provider.token()
	if err != nil {
		return refusesUs("no provider token can be signed")
	}
	result, expired := a.send(ctx, n, m.Sandbox, bearer)
	if expired {
		if other, ok := a.provider.instead(bearer); ok {
			result, _ = a.send(ctx, n, m.Sandbox, other)
		}
	}
	return result
}

// send asks Apple once. It also says whether Apple calls the provider token expired.
func (a *apns) send(ctx context.Context, n *apns2.Notification, sandbox bool, bearer string) (r delivery.Result, expired bool) {
	to := a.production
	if sandbox {
		to = a.sandbox
	}
	tried, x := begin(ctx, bearer)
	answer, err := to.send(tried, x, n)
	if x.status == 0 {
		return x.unanswered(ctx, err), false
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int("http.response.status_code", x.status))
	if answer == nil {
		answer = &apns2.Response{} // a body that cannot be read: the status says enough
	}
	return a.result(x, answer), answer.Reason == apns2.ReasonExpiredProviderToken
}

// result is what Apple's answer means: see Apple's "handling notification responses from APNs".
func (a *apns) result(x *exchange, answer *apns2.Response) delivery.Result {
	reason := x.named(answer.Reason)
	after := x.after(a.clock.Now())
	switch answer.Reason {
	// BadDeviceToken also is a good token of the other environment.
	case apns2.ReasonBadDeviceToken, apns2.ReasonMissingDeviceToken, apns2.ReasonDeviceTokenNotForTopic, apns2.ReasonUnregistered, apns2.ReasonExpiredToken:
		return delivery.Result{Outcome: delivery.Dead, Reason: reason, Since: answer.Timestamp.UTC()}
	case apns2.ReasonTooManyProviderTokenUpdates, apns2.ReasonTopicDisallowed, apns2.ReasonBadTopic, apns2.ReasonMissingTopic:
		return refusesUs(reason)
	case apns2.ReasonIdleTimeout: // of the connection
		return delivery.Result{Outcome: delivery.Later, Reason: reason, After: after}
	}
	switch {
	case x.status == http.StatusOK:
		return delivery.Result{Outcome: delivery.Sent, ID: x.header.Get("apns-id")}
	case x.status == http.StatusGone:
		return delivery.Result{Outcome: delivery.Dead, Reason: reason, Since: answer.Timestamp.UTC()}
	case x.status == http.StatusTooManyRequests: // to that device
		return delivery.Result{Outcome: delivery.Later, Reason: reason, After: after}
	case x.status >= http.StatusInternalServerError:
		return delivery.Result{Outcome: delivery.Later, Reason: reason, After: after, Provider: true}
	case x.status == http.StatusBadRequest, x.status == http.StatusRequestEntityTooLarge:
		return delivery.Result{Outcome: delivery.Refused, Reason: reason}
	}
	// 403: our key, or what it may do. Anything else does not come from APNs as we know it.
	return refusesUs(reason)
}
