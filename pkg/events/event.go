// Package events moves what happened in one service to the others: written to the outbox by the statement that makes
// the change, carried by a relay to asynq, applied once through the inbox of each consumer.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/telemetry"
)

// Event declares one kind of event: who makes it, who hears of it, and which cache keys it makes stale.
type Event[P any] struct {
	Name      string
	Producer  string
	Consumers []string
	// Keys are dropped at once after the commit by the producer, and again by the relay.
	Keys func(P) []string
	// Live is what the apps that listen are told; the relay does, together with its dropping of the keys. Without it they
	// are not told.
	Live func(P) Update
}

// Columns is what a data-modifying CTE writes an event with; follow it with FROM and the CTE of the change, so that no
// change means no event:
//
//	WITH task AS (INSERT INTO tasks ... RETURNING id),
//	     event AS (` + events.Columns + ` FROM task)
//	SELECT id FROM task
const Columns = `INSERT INTO outbox (id, name, payload, trace) SELECT @event_id::uuid, @event_name, @event_payload::jsonb, @event_trace`

// ColumnsWith is Columns with members of the payload that only the statement knows: an SQL expression of type jsonb.
func ColumnsWith(members string) string {
	return `INSERT INTO outbox (id, name, payload, trace) SELECT @event_id::uuid, @event_name, @event_payload::jsonb || ` + members + `, @event_trace`
}

// ColumnsAs is ColumnsWith for a statement that writes more than one event, each under its own name for ArgsAs. An
// empty members adds nothing to the payload.
func ColumnsAs(name, members string) string {
	if members != "" {
		members = " || " + members
	}
	return `INSERT INTO outbox (id, name, payload, trace) SELECT @` + name + `_id::uuid, @` + name + `_name, @` + name + `_payload::jsonb` +
		members + `, @` + name + `_trace`
}

// Args adds the named arguments that Columns wants, and answers them for chaining.
func (e Event[P]) Args(ctx context.Context, payload P, args pgx.NamedArgs) pgx.NamedArgs {
	return e.ArgsAs(ctx, "event", payload, args)
}

// ArgsAs adds the named arguments that ColumnsAs of that name wants, and answers them for chaining.
func (e Event[P]) ArgsAs(ctx context.Context, name string, payload P, args pgx.NamedArgs) pgx.NamedArgs {
	raw, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("event %s: its payload does not marshal: %v", e.Name, err)) // a type that cannot, not a value
	}
	args[name+"_id"] = uuid.Must(uuid.NewV7())
	args[name+"_name"] = e.Name
	args[name+"_payload"] = string(raw)
	args[name+"_trace"] = telemetry.TraceParent(ctx)
	return args
}

// Received is an event as a consumer sees it.
type Received[P any] struct {
	ID         uuid.UUID
	OccurredAt time.Time
	Payload    P
}

// AsOf sorts what is told of one thing, the latest last: its producer stamps an event while it holds the lock on what it
// changes.
func (e Received[P]) AsOf() string {
	return e.OccurredAt.UTC().Format("2006-01-02T15:04:05.000000000Z ") + e.ID.String()
}

// definition is an Event without its type, for the relay and the checks at the start.
type definition interface {
	name() string
	producer() string
	consumers() []string
	keys(payload []byte) ([]string, error)
	live(payload []byte) (string, error)
	isLive() bool
}

func (e Event[P]) name() string        { return e.Name }
func (e Event[P]) producer() string    { return e.Producer }
func (e Event[P]) consumers() []string { return e.Consumers }

func (e Event[P]) keys(payload []byte) ([]string, error) {
	if e.Keys == nil {
		return nil, nil
	}
	var p P
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, fmt.Errorf("payload of %s: %w", e.Name, err)
	}
	return e.Keys(p), nil
}

func find(name string) (definition, bool) {
	for _, d := range Catalogue() {
		if d.name() == name {
			return d, true
		}
	}
	return nil, false
}

func names() []string {
	all := Catalogue()
	out := make([]string, len(all))
	for i, d := range all {
		out[i] = d.name()
	}
	return out
}

// envelope is what travels in the queue.
type envelope struct {
	ID         uuid.UUID       `json:"id"`
	OccurredAt time.Time       `json:"occurred_at"`
	Payload    json.RawMessage `json:"payload"`
}

// NewTask is an event on its way to one consumer, as the relay puts it into the queue: its id makes it be there once.
func NewTask(name string, id uuid.UUID, occurredAt time.Time, payload json.RawMessage, trace, consumer string) (*asynq.Task, error) {
	body, err := json.Marshal(envelope{ID: id, OccurredAt: occurredAt, Payload: payload})
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", name, err)
	}
	return asynq.NewTaskWithHeaders(name, body, map[string]string{"traceparent": trace},
		asynq.TaskID(TaskID(id, consumer)), asynq.Queue(consumer), asynq.MaxRetry(maxTries), asynq.Timeout(handlerTime)), nil
}

// TaskID names an event's task for a consumer.
func TaskID(event uuid.UUID, consumer string) string { return event.String() + ":" + consumer }

// Committed is called by the producer right after its commit: what has become stale is dropped before the client hears
// back, and the relay is woken.
func (e Event[P]) Committed(ctx context.Context, r *Relay, payload P) {
	if e.Keys != nil {
		r.cache.Drop(ctx, e.Keys(payload)...)
	}
	r.Nudge()
}
