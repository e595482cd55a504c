package apperr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"hearth.internal/pkg/apperr"
)

func TestAnErrorSurvivesTheHop(t *testing.T) {
	sent := apperr.LimitReached.New("No more tasks.").With("trigger_key", "tasks").With("limit", 10)
	body, err := json.Marshal(sent.Problem("r-1"))
	if err != nil {
		t.Fatal(err)
	}
	got := apperr.Parse(403, body)
	if !apperr.LimitReached.Has(got) || got.Detail != "No more tasks." || got.Extra["trigger_key"] != "tasks" {
		t.Errorf("arrived as %+v", got)
	}
	if broken := apperr.Parse(502, []byte("<html>")); !apperr.ServiceUnavailable.Has(broken) {
		t.Errorf("a proxy's page is %v", broken)
	}
}

func TestTheCauseIsNotShown(t *testing.T) {
	err := fmt.Errorf("add task: %w", errors.New("password=hunter2"))
	body, _ := json.Marshal(apperr.Of(err).Problem(""))
	if strings.Contains(string(body), "hunter2") {
		t.Errorf("shown: %s", body)
	}
	if !strings.Contains(apperr.Of(err).Error(), "hunter2") {
		t.Error("the log does not learn the cause")
	}
}

// TestEveryCodeIsListed: All makes the documentation, and a code that it lacks would not survive a hop.
func TestEveryCodeIsListed(t *testing.T) {
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`= Code\{"([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		if _, known := apperr.ByName(m[1]); !known {
			t.Errorf("%s is not in All()", m[1])
		}
	}
	seen := map[string]bool{}
	for _, c := range apperr.All() {
		if seen[c.Name] || c.Kind.Status() == 0 || c.Title == "" {
			t.Errorf("%+v is doubled or incomplete", c)
		}
		seen[c.Name] = true
	}
}
