package testkit

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"hearth.internal/pkg/events"
)

// Delivery says how an event comes to a service, where that matters to a test.
type Delivery struct {
	ID    uuid.UUID // the event's; none: a new one
	At    time.Time // when it occurred; none: now, by the service's clock
	Trace string    // the W3C traceparent that it belongs to
}

// Deliver puts an event into the service's queue the way its producer's relay does, waits until it has had its effect
// and is gone from the queue, and answers its id.
func Deliver[P any](t testing.TB, s *Service, e events.Event[P], payload P) uuid.UUID {
	t.Helper()
	return DeliverAs(t, s, e, payload, Delivery{})
}

// DeliverAs is Deliver of a particular event: one that came before, say, or late.
func DeliverAs[P any](t testing.TB, s *Service, e events.Event[P], payload P, d Delivery) uuid.UUID {
	t.Helper()
	id := Enqueue(t, s, e, payload, d)
	inspector := asynq.NewInspectorFromRedisClient(s.Queue)
	Eventually(t, e.Name+" has had its effect", func() bool {
		_, err := inspector.GetTaskInfo(s.Name, events.TaskID(id, s.Name))
		return errors.Is(err, asynq.ErrTaskNotFound)
	})
	var received bool
	if err := s.DB.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM inbox WHERE event_id = $1)`, id).Scan(&received); err != nil || !received {
		t.Fatalf("%s left the queue and is not in the inbox (%v)", e.Name, err)
	}
	return id
}

// Enqueue is DeliverAs that does not wait.
func Enqueue[P any](t testing.TB, s *Service, e events.Event[P], payload P, d Delivery) uuid.UUID {
	t.Helper()
	raw, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	if d.ID == uuid.Nil {
		d.ID = uuid.Must(uuid.NewV7())
	}
	if d.At.IsZero() {
		d.At = s.Clock.Now()
	}
	task, err := events.NewTask(e.Name, d.ID, d.At, raw, d.Trace, s.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asynq.NewClientFromRedisClient(s.Queue).EnqueueContext(t.Context(), task); err != nil {
		t.Fatalf("enqueue %s: %v", e.Name, err)
	}
	return d.ID
}

// NewTrace is a traceparent, and the trace's id in it.
func NewTrace() (traceParent, traceID string) {
	trace, span := uuid.New(), uuid.New()
	traceID = hex.EncodeToString(trace[:])
	return "00-" + traceID + "-" + hex.EncodeToString(span[:8]) + "-01", traceID
}

// Spans are the names of the service's finished spans in a trace.
func (s *Service) Spans(traceID string) []string {
	var names []string
	for _, span := range s.spans.Ended() {
		if span.SpanContext().TraceID().String() == traceID {
			names = append(names, span.Name())
		}
	}
	return names
}
