package testkit

import (
	"context"
	"slices"
	"testing"
	"time"

	"hearth.internal/pkg/cache"
)

// Stale asserts which of the keys a change of the service's makes stale: those alone are dropped at once, and again by the
// relay.
func Stale(t testing.TB, s *Service, keys, stale []string, change func()) {
	t.Helper()
	settled := func() {
		t.Helper()
		Eventually(t, "the relay has dropped its keys", func() bool {
			var waiting bool
			err := s.DB.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM outbox WHERE dropped_at IS NULL)`).Scan(&waiting)
			return err == nil && !waiting
		})
	}
	read := func(key, fresh string) string {
		t.Helper()
		got, err := cache.Load(t.Context(), s.Cache, key, time.Minute, func(context.Context) (string, error) { return fresh, nil })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	fill := func() {
		t.Helper()
		for _, key := range keys {
			s.Cache.Drop(t.Context(), key)
			read(key, "kept")
		}
	}
	settled()
	var before time.Time
	if err := s.DB.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&before); err != nil {
		t.Fatal(err)
	}
	fill()
	change()
	for _, key := range stale {
		if read(key, "gone") != "gone" {
			t.Errorf("%s is not dropped at once", key)
		}
	}
	settled()
	fill()
	if _, err := s.DB.Exec(t.Context(), `UPDATE outbox SET dropped_at = NULL WHERE created_at >= $1`, before); err != nil {
		t.Fatal(err)
	}
	settled()
	for _, key := range keys {
		if gone := read(key, "gone") == "gone"; gone != slices.Contains(stale, key) {
			t.Errorf("%s is dropped by the relay: %t", key, gone)
		}
	}
}
