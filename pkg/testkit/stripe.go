package testkit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hearth.internal/pkg/stores"
)

// StripeMock starts stripe-mock, which checks requests as Stripe's API describes them; it stops with the test. It answers
// its URL.
func StripeMock(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // a build may be part of it
	defer cancel()
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	program, err := stores.BuildStripe(ctx, root, func(step string) { fmt.Fprintln(os.Stderr, "#", step) })
	if err != nil {
		t.Fatalf("Stripe for the test: %v", err)
	}
	mock, err := stores.StartStripe(ctx, program, filepath.Join(t.TempDir(), "stripe.log"))
	if err != nil {
		t.Fatalf("Stripe for the test: %v", err)
	}
	t.Cleanup(mock.Stop)
	return mock.URL()
}
