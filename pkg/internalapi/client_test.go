package internalapi_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/telemetry"
)

func caller(t *testing.T) *internalapi.Caller {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	passports, err := identity.NewPassports([][]byte{bytes.Repeat([]byte("k"), 32)}, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	return internalapi.NewCaller("test", passports, tel)
}

func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestErrorsShowNoTokenHash(t *testing.T) {
	hash := bytes.Repeat([]byte{0xab}, 32)
	for name, base := range map[string]string{
		"nobody there":  "http://127.0.0.1:1",
		"refused":       answering(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }),
		"not an answer": answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }),
	} {
		_, err := caller(t).Auth(base).Session(t.Context(), hash)
		if err == nil || strings.Contains(err.Error(), hex.EncodeToString(hash)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCallersThatGoAwayOpenNoCircuit(t *testing.T) {
	residence := caller(t).Residence(answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") }))
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 20 {
		if _, err := residence.Homes(gone, uuid.New()); !errors.Is(err, context.Canceled) {
			t.Fatalf("who went away got %v", err)
		}
	}
	if _, err := residence.Homes(t.Context(), uuid.New()); err != nil {
		t.Errorf("who stays got %v", err)
	}
}

func TestAServiceThatDoesNotAnswerOpensTheCircuit(t *testing.T) {
	asked := 0
	residence := caller(t).Residence(answering(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusInternalServerError)
	}))
	for range 30 {
		if _, err := residence.Homes(t.Context(), uuid.New()); !apperr.ServiceUnavailable.Has(err) {
			t.Fatalf("got %v", err)
		}
	}
	if asked > 20 { // ten calls, each tried twice
		t.Errorf("it is asked %d times", asked)
	}
}
