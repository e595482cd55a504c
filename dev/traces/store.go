// Package traces collects the traces of a development system (OTLP over HTTP) and shows them: in a browser as a
// waterfall, in a terminal as a tree.
package traces

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// How much is kept: a development system's last minutes.
const (
	maxTraces = 2000
	maxSpans  = 2000 // of one trace
	maxBody   = 16 << 20
)

// Span is one finished piece of work.
type Span struct {
	ID, Parent string
	Service    string
	Name       string
	Start, End time.Time
	Failed     bool
	Attributes map[string]string
}

// Trace is all that is known of one trace, in order of start.
type Trace struct {
	ID      string
	Spans   []Span
	Arrived time.Time // the newest of them
}

// Store keeps the newest traces.
type Store struct {
	mu     sync.Mutex
	traces map[string]*Trace
	order  []string
}

// NewStore is empty.
func NewStore() *Store { return &Store{traces: map[string]*Trace{}} }

// Receive is the OTLP/HTTP endpoint: POST /v1/traces with a protobuf body.
func (s *Store) Receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, resource := range request.GetResourceSpans() {
		service := attribute(resource.GetResource().GetAttributes(), "service.name")
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				s.add(service, span)
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (s *Store) add(service string, span *otlp.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := hex.EncodeToString(span.GetTraceId())
	t := s.traces[id]
	if t == nil {
		if len(s.order) >= maxTraces {
			delete(s.traces, s.order[0])
			s.order = s.order[1:]
		}
		t = &Trace{ID: id}
		s.traces[id] = t
		s.order = append(s.order, id)
	}
	if len(t.Spans) >= maxSpans {
		return
	}
	t.Arrived = time.Now()
	attributes := map[string]string{}
	for _, a := range span.GetAttributes() {
		attributes[a.GetKey()] = text(a.GetValue())
	}
	t.Spans = append(t.Spans, Span{
		ID: hex.EncodeToString(span.GetSpanId()), Parent: hex.EncodeToString(span.GetParentSpanId()),
		Service: service, Name: span.GetName(), Attributes: attributes,
		Start: time.Unix(0, int64(span.GetStartTimeUnixNano())), End: time.Unix(0, int64(span.GetEndTimeUnixNano())), //nolint:gosec // nanoseconds until 2262
		Failed: span.GetStatus().GetCode() == otlp.Status_STATUS_CODE_ERROR,
	})
}

func attribute(attributes []*common.KeyValue, key string) string {
	for _, a := range attributes {
		if a.GetKey() == key {
			return text(a.GetValue())
		}
	}
	return ""
}

func text(v *common.AnyValue) string {
	switch v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.GetStringValue()
	case *common.AnyValue_IntValue:
		return fmt.Sprint(v.GetIntValue())
	case *common.AnyValue_BoolValue:
		return fmt.Sprint(v.GetBoolValue())
	case *common.AnyValue_DoubleValue:
		return fmt.Sprint(v.GetDoubleValue())
	}
	return strings.TrimSpace(v.String())
}

// Get answers a trace as far as it has arrived.
func (s *Store) Get(id string) (Trace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.traces[id]
	if t == nil {
		return Trace{}, false
	}
	spans := slices.Clone(t.Spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return Trace{ID: id, Spans: spans, Arrived: t.Arrived}, true
}

// Latest answers the newest traces first.
func (s *Store) Latest(n int) []Trace {
	s.mu.Lock()
	ids := slices.Clone(s.order)
	s.mu.Unlock()
	slices.Reverse(ids)
	var out []Trace
	for _, id := range ids[:min(n, len(ids))] {
		if t, ok := s.Get(id); ok {
			out = append(out, t)
		}
	}
	return out
}

// Line is a span at its place in the tree.
type Line struct {
	Span
	Depth  int
	Branch string // the lines that lead to it, as text
	// Left and Width are its place in the trace's time, in percent.
	Left, Width float64
}

// Duration is how long the span took.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// Tree lays the spans out, children under their parents. A span whose parent has not arrived stands at the root.
func (t Trace) Tree() []Line {
	if len(t.Spans) == 0 {
		return nil
	}
	known := map[string]bool{}
	first, last := t.Spans[0].Start, t.Spans[0].End
	for _, span := range t.Spans {
		known[span.ID] = true
		if span.End.After(last) {
			last = span.End
		}
	}
	children := map[string][]Span{}
	for _, span := range t.Spans {
		parent := span.Parent
		if !known[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], span)
	}
	whole := max(float64(last.Sub(first)), 1)
	var lines []Line
	var walk func(parent, indent string, depth int)
	walk = func(parent, indent string, depth int) {
		for i, span := range children[parent] {
			branch, next := indent, indent
			if depth > 0 {
				branch, next = indent+"├─ ", indent+"│  "
				if i == len(children[parent])-1 {
					branch, next = indent+"└─ ", indent+"   "
				}
			}
			lines = append(lines, Line{
				Span: span, Depth: depth, Branch: branch,
				Left: 100 * float64(span.Start.Sub(first)) / whole, Width: max(100*float64(span.Duration())/whole, 0.3),
			})
			walk(span.ID, next, depth+1)
		}
	}
	walk("", "", 0)
	return lines
}

// Text is the tree for a terminal.
func (t Trace) Text() string {
	var b strings.Builder
	lines := t.Tree()
	for _, line := range lines {
		at := line.Start.Sub(lines[0].Start)
		label := fmt.Sprintf("%s%s  %s", line.Branch, line.Service, line.Name)
		fmt.Fprintf(&b, "%-72s %8.1f ms  at %8.1f ms%s\n", label, millis(line.Duration()), millis(at), map[bool]string{true: "  failed"}[line.Failed])
	}
	return b.String()
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
