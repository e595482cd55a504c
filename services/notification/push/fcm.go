package push

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/api/fcm/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"hearth.internal/notification/delivery"
	"hearth.internal/pkg/clock"
)

// quotaPause is how long to wait when FCM is told too much at once and does not say itself: a minute, as Google asks.
const quotaPause = time.Minute

// firebase is Google.
type firebase struct {
	messages *fcm.ProjectsMessagesService
	parent   string
	access   *access
	clock    clock.Clock
	tracer   trace.Tracer
}

// OpenFCM prepares pushes to Android; nothing is connected to before the first. It answers nil when Google is not
// configured, and fails when it is by half.
func OpenFCM(cfg FCMConfig, c clock.Clock, tracer trace.Tracer) (Pusher, error) {
	if given, err := cfg.given(); !given || err != nil {
		return nil, err
	}
	account, project, err := cfg.account()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DialContext: (&net.Dialer{Timeout: dialTime, KeepAlive: pingAfter}).DialContext,
		TLSHandshakeTimeout: dialTime, MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: pingTime},
	}
	// The library sends a message once: what it repeats elsewhere is uploads and storage.
	service, err := fcm.NewService(context.Background(), option.WithHTTPClient(client(transport)),
		option.WithEndpoint(strings.TrimSuffix(cfg.FCMURL, "/")+"/"), option.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, fmt.Errorf("fcm: %w", err)
	}
	tokens := client(transport)
	tokens.Timeout = dialTime
	return &firebase{
		messages: service.Projects.Messages, parent: "projects/" + project,
		access: &access{account: account, client: tokens}, clock: c, tracer: tracer,
	}, nil
}

// Push sends the message to FCM.
func (f *firebase) Push(ctx context.Context, m Message) (result delivery.Result) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ctx, span := f.tracer.Start(ctx, "fcm push", trace.WithSpanKind(trace.SpanKindClient))
	defer func() { settle(span, m, result) }()

	if m.Token == "" {
		return delivery.Result{Outcome: delivery.Dead, Reason: "the token is none of Google's"}
	}
	message := googleMessage(m, f.clock.Now())
	for try := 1; ; try++ {
		bearer, err := f.access.token(ctx)
		if err != nil {
			return noAccess(ctx, err)
		}
		tried, x := begin(ctx, bearer)
		name, err := f.messages.Send(f.parent, &fcm.SendMessageRequest{Message: message}).Context(tried).Do()
		if x.status == 0 {
			return x.unanswered(ctx, err)
		}
		span.SetAttributes(attribute.Int("http.response.status_code", x.status))
		refused, ok := errors.AsType[*googleapi.Error](err)
		if !ok {
			return taken(name)
		}
		if x.status == http.StatusUnauthorized {
			f.access.forget(bearer)
			if try == 1 { // an access token that was revoked before its end
				continue
			}
		}
		return f.failure(x, refused)
	}
}

// taken is the result of what was taken, whatever became of the rest of the answer.
func taken(as *fcm.Message) delivery.Result {
	r := delivery.Result{Outcome: delivery.Sent}
	if as != nil {
		r.ID = as.Name
	}
	return r
}

// refusal is what FCM says when it does not take a message.
type refusal struct {
	Error struct {
		Status  string `json:"status"`
		Message string `json:"message"`
		Details []struct {
			ErrorCode       string `json:"errorCode"` // of google.firebase.fcm.v1.FcmError
			FieldViolations []struct {
				Field string `json:"field"`
			} `json:"fieldViolations"` // of google.rpc.BadRequest
		} `json:"details"`
	} `json:"error"`
}

// failure is what an error of FCM's means: see Google's "ErrorCode" and "best practices when sending at scale".
func (f *firebase) failure(x *exchange, e *googleapi.Error) delivery.Result {
	var said refusal
	_ = json.Unmarshal([]byte(e.Body), &said) // without it the status has to do
	code := ""
	// FCM either names the field or says nothing but this sentence.
	badToken := said.Error.Message == "The registration token is not a valid FCM registration token"
	for _, d := range said.Error.Details {
		code = cmp.Or(code, d.ErrorCode)
		for _, v := range d.FieldViolations {
			badToken = badToken || v.Field == "message.token"
		}
	}
	reason := x.named(cmp.Or(code, said.Error.Status))
	after := x.after(f.clock.Now())
	switch {
	case code == "UNREGISTERED", code == "SENDER_ID_MISMATCH", x.status == http.StatusBadRequest && badToken:
		return delivery.Result{Outcome: delivery.Dead, Reason: reason}
	case x.status == http.StatusTooManyRequests:
		// Of one device or of all: that is not told. Whoever sends sees whether it is one.
		return delivery.Result{Outcome: delivery.Later, Reason: reason, After: cmp.Or(after, quotaPause)}
	case x.status >= http.StatusInternalServerError:
		return delivery.Result{Outcome: delivery.Later, Provider: true, Reason: reason, After: after}
	case x.status == http.StatusBadRequest, x.status == http.StatusRequestEntityTooLarge:
		return delivery.Result{Outcome: delivery.Refused, Reason: reason}
	}
	// 401, 403: our service account, or what it may do. 404 without a code: there is no such project.
	return refusesUs(reason)
}
