package events

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/telemetry"
)

// idlePoll is how soon an idle consumer notices a new task; asynq's own second is felt by people.
const idlePoll = 100 * time.Millisecond

// Consumer applies the events that one service hears of.
type Consumer struct {
	service  string
	db       *pg.DB
	server   *asynq.Server
	tel      *telemetry.Telemetry
	log      *slog.Logger
	handlers map[string]func(context.Context, envelope) error
}

// NewConsumer makes the consumer of a service. The caller closes db and queue.
func NewConsumer(service string, db *pg.DB, queue redis.UniversalClient, tel *telemetry.Telemetry) *Consumer {
	c := &Consumer{service: service, db: db, tel: tel, log: tel.Log, handlers: map[string]func(context.Context, envelope) error{}}
	c.server = asynq.NewServerFromRedisClient(queue, asynq.Config{
		Concurrency: 8, Queues: map[string]int{service: 1}, TaskCheckInterval: idlePoll, ShutdownTimeout: 15 * time.Second,
		DelayedTaskCheckInterval: time.Second, Logger: asynqLog{tel.Log}, LogLevel: asynq.WarnLevel,
		RetryDelayFunc: backOff, ErrorHandler: asynq.ErrorHandlerFunc(c.failed), HealthCheckFunc: func(error) {},
	})
	return c
}

// On says what the service does about an event. handle runs inside the transaction that also records the event, so that
// its effect happens once however often the event arrives; it must not reach outside of that transaction. after, if
// any, runs once it is committed, and again if the event arrives again: it must be harmless to repeat.
func On[P any](c *Consumer, e Event[P], handle func(context.Context, pgx.Tx, Received[P]) error, after ...func(context.Context, P) error) {
	c.handlers[e.Name] = func(ctx context.Context, env envelope) error {
		ev := Received[P]{ID: env.ID, OccurredAt: env.OccurredAt}
		if err := json.Unmarshal(env.Payload, &ev.Payload); err != nil {
			return fmt.Errorf("payload: %w", err)
		}
		if err := c.once(ctx, env.ID, func(tx pgx.Tx) error { return handle(ctx, tx, ev) }); err != nil {
			return err
		}
		for _, f := range after {
			if err := f(ctx, ev.Payload); err != nil {
				return err
			}
		}
		return nil
	}
}

// once remembers an event from its last arrival on: each time that it is published again, its outbox row begins a new
// life, and the inbox must outlast that one too.
func (c *Consumer) once(ctx context.Context, id uuid.UUID, effect func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, c.db, func(tx pgx.Tx) error {
		first, _, err := pg.Scalar[bool](ctx, tx, `
			INSERT INTO inbox (event_id) VALUES (@id)
			ON CONFLICT (event_id) DO UPDATE SET received_at = now() RETURNING xmax = 0`, pgx.NamedArgs{"id": id})
		if err != nil {
			return fmt.Errorf("inbox: %w", err)
		}
		if !first {
			return nil
		}
		return effect(tx)
	})
}

// Check reports a catalogue that says the service hears of something it does not handle, or the reverse.
func (c *Consumer) Check() error {
	for _, d := range Catalogue() {
		_, handled := c.handlers[d.name()]
		listed := slices.Contains(d.consumers(), c.service)
		if handled != listed {
			return fmt.Errorf("event %s: the catalogue lists %s as its consumer: %t, handled there: %t", d.name(), c.service, listed, handled)
		}
	}
	return nil
}

// Start begins to consume.
func (c *Consumer) Start() error {
	if err := c.server.Start(asynq.HandlerFunc(c.process)); err != nil {
		return fmt.Errorf("start consumer: %w", err)
	}
	return nil
}

// Stop lets what is being handled end. What is not, stays in the queue.
func (c *Consumer) Stop() { c.server.Shutdown() }

func (c *Consumer) process(ctx context.Context, task *asynq.Task) (err error) {
	ctx = telemetry.Continue(ctx, task.Headers()["traceparent"])
	ctx, span := c.tel.Tracer.Start(ctx, "consume "+task.Type(), trace.WithSpanKind(trace.SpanKindConsumer))
	defer func() {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}()
	handler, known := c.handlers[task.Type()]
	if !known {
		return fmt.Errorf("no handler for %s", task.Type())
	}
	var env envelope
	if err := json.Unmarshal(task.Payload(), &env); err != nil {
		return fmt.Errorf("%s: %w", task.Type(), err)
	}
	if err := handler(ctx, env); err != nil {
		return fmt.Errorf("%s %s: %w", task.Type(), env.ID, err)
	}
	return nil
}

// failed logs a handler's error, once per try.
func (c *Consumer) failed(ctx context.Context, task *asynq.Task, err error) {
	tried, _ := asynq.GetRetryCount(ctx)
	message := "event not applied; it will be tried again"
	if tried >= maxTries {
		message = "event not applied and given up; staff can try it again"
	}
	c.log.ErrorContext(ctx, message, "event", task.Type(), "tries", tried+1, "error", err)
}

// backOff waits 1 s, 2 s, 4 s ... and an hour at most: a database restart is over in seconds, an outage is not.
func backOff(tried int, _ error, _ *asynq.Task) time.Duration {
	return min(time.Second<<min(tried, 12), time.Hour)
}

// asynqLog puts asynq's own words into our log.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Debug(fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Error(fmt.Sprint(args...)) }
func (l asynqLog) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...)) }
