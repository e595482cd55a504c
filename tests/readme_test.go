package e2e

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth.internal/dev/seed"
	"hearth.internal/dev/system"
	"hearth.internal/dev/traces"
)

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestReadmeTour runs the README's commands as they stand there, against a system with the demo household.
func TestReadmeTour(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(readme), "<!-- tour")
	tour, _, found := strings.Cut(tour, "<!-- end of tour -->")
	if !found {
		t.Fatal("the README has no tour")
	}
	viewer := httptest.NewServer(traces.NewStore().Handler())
	t.Cleanup(viewer.Close)
	w := start(t, func(o *system.Options) { o.Environ = []string{"HEARTH_OTLP_ENDPOINT=" + viewer.URL} })
	if _, err := seed.Demo(t.Context(), w.URL, time.Now()); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, m := range block.FindAllStringSubmatch(tour, -1) {
		script.WriteString(m[1] + "\necho\n")
	}
	commands := strings.NewReplacer("http://127.0.0.1:8080", w.URL, "http://127.0.0.1:8081", viewer.URL).Replace(script.String())
	out, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands).CombinedOutput()
	if err != nil {
		t.Fatalf("the tour breaks off: %v\n%s", err, out)
	}
	for _, want := range []string{
		`"username":"kim"`, `"name":"Birch Lane 3"`, `"role":"member"`, `"member_count":2`, `"currency":"EUR"`,
		`Server-Timing: db;desc="1"`, `"name":"overdue","title":"Overdue","color":"#DC2626","icon":"warning","count":1`,
		`"body":"Kim completed “Replace the filter”."`, "event: task.changed",
		`"reason":"The new filter is still good"`, `"title":"Test the smoke alarms"`, "SUMMARY:Test the smoke alarms", "application/pdf, ",
		`Server-Timing: db;desc="0", redis;desc="1"`, `"usage":{"properties":1,`, "Furnace data sheet", "Furnace NW-96V", `"title":"Replace the furnace filter"`, "gateway  POST /api/tasks/{id}/quick-complete/", "task  publish task.completed", "notification  consume task.completed",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the tour does not show %s", want)
		}
	}
	if next := regexp.MustCompile(`(?m)^20\d\d-\d\d-(28|29|30|31)$`); !next.Match(out) {
		t.Error("the tour does not show a next date at the end of a month")
	}
	if saturdays := regexp.MustCompile(`\{"dates":\[("20\d\d-(0[4-9]|10)-0[1-7]",?){8}\]\}`); !saturdays.Match(out) {
		t.Error("the tour does not show eight dates in season")
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
