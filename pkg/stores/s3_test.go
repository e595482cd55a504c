package stores

import (
	"net/http"
	"path/filepath"
	"testing"
)

func TestS3LetsNobodyInAndEnds(t *testing.T) {
	root, err := filepath.Abs("../..")
	check(t, err)
	program, err := BuildS3(t.Context(), root, func(step string) { t.Log(step) })
	check(t, err)
	s, err := StartS3(t.Context(), program, t.TempDir(), "access", "secret")
	check(t, err)
	check(t, s.AddBucket("kept"))
	resp, err := http.Get(s.URL() + "/kept")
	check(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("anonymous: %d", resp.StatusCode)
	}
	s.Stop()
	if !portFree(s.port) {
		t.Error("it still listens")
	}
}

func TestS3SaysWhyItDoesNotStart(t *testing.T) {
	_, err := StartS3(t.Context(), "/bin/false", t.TempDir(), "access", "secret")
	wantError(t, err, "did not start", "s3.log")
}
