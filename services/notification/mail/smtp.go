package mail

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/notification/delivery"
)

// sendTime is how long one mail may take, from the first byte to the server's answer, when the context gives it longer.
const sendTime = 45 * time.Second

// SMTP hands letters to a mail server. It is safe for concurrent use, keeps a few connections for as long as there is
// something to send, and has nothing to be started.
type SMTP struct {
	server   *server
	renderer *Renderer
	pool     *pool
}

// Open looks into the configuration and answers nil when there is none. It does not ask the server: one that is away at the
// start may be back when there is something to send.
func Open(cfg Config) (*SMTP, error) {
	at, err := cfg.read()
	if err != nil || at == nil {
		return nil, err
	}
	renderer, err := New(Options{AppURL: cfg.AppURL})
	if err != nil {
		return nil, err
	}
	return &SMTP{server: at, renderer: renderer, pool: newPool(at)}, nil
}

// Close ends the connections that are kept. What is being sent is sent.
func (s *SMTP) Close() { s.pool.close() }

// Send writes a letter and hands it to the mail server, and answers what came of it; whatever goes wrong is in the result.
// Its trace is that of the context.
func (s *SMTP) Send(ctx context.Context, l Letter) delivery.Result {
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("hearth").Start(ctx, "smtp send", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	result := s.send(ctx, l)
	span.SetAttributes(attribute.String("hearth.purpose", clean(l.Purpose, longestName)), attribute.Bool("hearth.sent", result.Outcome == delivery.Sent))
	if result.Outcome != delivery.Sent {
		span.SetStatus(codes.Error, result.Reason)
	}
	return result
}

func (s *SMTP) send(ctx context.Context, l Letter) delivery.Result {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	m, err := s.build(l)
	switch {
	case errors.Is(err, errAddress):
		return delivery.Result{Outcome: delivery.Dead, Reason: err.Error()}
	case err != nil:
		return delivery.Result{Outcome: delivery.Refused, Reason: err.Error()}
	}
	answer, failed := s.pool.deliver(ctx, m)
	if failed != nil {
		return failed.result(ctx)
	}
	id := providerID(answer)
	if id == "" {
		id = l.ID.String()
	}
	return delivery.Result{Outcome: delivery.Sent, ID: id}
}
