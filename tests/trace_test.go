package e2e

import (
	"net/http/httptest"
	"strings"
	"testing"

	"hearth.internal/dev/system"
	"hearth.internal/dev/traces"
	"hearth.internal/pkg/testkit"
)

// branch reports whether the trace has spans of these kinds, each below the one before: "service name" or a part of it.
func branch(t traces.Trace, steps ...string) bool {
	byID := map[string]traces.Span{}
	for _, span := range t.Spans {
		byID[span.ID] = span
	}
	for _, span := range t.Spans {
		i := len(steps) - 1
		for at, known := span, true; known && i >= 0; at, known = byID[at.Parent], byID[at.Parent].ID != "" {
			if strings.Contains(at.Service+" "+at.Name, steps[i]) {
				i--
			} else if at.ID == span.ID {
				break
			}
		}
		if i < 0 {
			return true
		}
	}
	return false
}

func TestTraces(t *testing.T) {
	store := traces.NewStore()
	collector := httptest.NewServer(store.Handler())
	t.Cleanup(collector.Close)
	w := start(t, func(o *system.Options) { o.Environ = []string{"HEARTH_OTLP_ENDPOINT=" + collector.URL} })
	ada, sam := w.join(t, "Ada"), w.join(t, "Sam")
	house := ada.home("Maple Street")
	ada.invite(sam, house)
	task := ada.task(house, "Sweep", nil)
	traceOf := func(a answer) string { return strings.Split(a.Header.Get("Traceparent"), "-")[1] }

	w.forget(t)
	board := traceOf(ada.want(200, "GET", "/api/tasks/", nil))
	done := traceOf(ada.want(201, "POST", "/api/tasks/"+task+"/quick-complete/", map[string]any{}))
	const callers = "00f067aa0ba902b7"
	followed := ada.want(200, "GET", "/api/tasks/", nil, "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-"+callers+"-01")
	if traceOf(followed) != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("the caller's trace is not gone on with: %s", followed.Header.Get("Traceparent"))
	}
	for _, c := range []struct {
		trace string
		steps []string
	}{
		{board, []string{"gateway GET /api/tasks/", "task GET /api/tasks/", "task SELECT"}},
		{board, []string{"gateway GET /api/tasks/", "task GET /api/tasks/", "task redis.pipeline get"}},
		{board, []string{"gateway GET /api/tasks/", "task GET /api/tasks/", "residence GET /internal/users", "residence SELECT"}},
		{done, []string{"gateway POST /api/tasks/", "task POST /api/tasks/", "task WITH"}},
		{done, []string{"gateway POST /api/tasks/", "task POST /api/tasks/", "task publish task.completed", "notification consume task.completed", "notification INSERT"}},
	} {
		testkit.Eventually(t, strings.Join(c.steps, " → "), func() bool {
			trace, found := store.Get(c.trace)
			return found && branch(trace, c.steps...)
		})
	}
	for _, trace := range store.Latest(1000) {
		for _, span := range trace.Spans {
			for key, value := range span.Attributes {
				for _, secret := range []string{ada.Token, ada.Password, sam.Token} {
					if strings.Contains(value, secret) || strings.Contains(span.Name, secret) {
						t.Errorf("%s %s shows a secret in %s", span.Service, span.Name, key)
					}
				}
			}
		}
	}
}
