package billing_test

import (
	"slices"
	"strings"
	"testing"

	"hearth.internal/billing"
	"hearth.internal/pkg/testkit"
)

// TestDocumentTellsTheAppsWhatTheyNeed: which words an answer may have, and which codes a refusal.
func TestDocumentTellsTheAppsWhatTheyNeed(t *testing.T) {
	s := run(t)
	doc := testkit.JSON[struct {
		Paths map[string]map[string]struct {
			Description string
			Responses   map[string]any
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []string }
			}
		}
	}](t, s.AsPart(t, "gateway").Want(200, "GET", "/internal/openapi.json", nil))
	reasons := []string{}
	for _, r := range []billing.Reason{
		billing.NeverBought, billing.IsPaid, billing.IsTried, billing.IsGiven, billing.InGrace, billing.PaymentFailed, billing.IsPaused, billing.NotPaidYet,
		billing.HasExpired, billing.IsRefunded,
	} {
		reasons = append(reasons, string(r))
	}
	for _, answer := range []string{"Status", "Subscription", "Restored"} {
		if listed := doc.Components.Schemas[answer].Properties["reason"].Enum; !slices.Equal(listed, reasons) {
			t.Errorf("%s has the reasons %v", answer, listed)
		}
	}
	for path, methods := range doc.Paths {
		post, changes := methods["post"]
		if !changes {
			continue
		}
		codes := []string{"409"}
		if strings.Contains(path, "/webhook/") {
			codes = []string{"400", "409", "413", "415"}
		}
		for _, code := range codes {
			if post.Responses[code] == nil {
				t.Errorf("POST %s does not say that it answers %s", path, code)
			}
		}
		if !strings.Contains(post.Description, "409: `") {
			t.Errorf("POST %s does not say what refuses it", path)
		}
	}
}
