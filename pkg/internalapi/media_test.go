package internalapi_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/roundtrip"
)

func TestAFileFlows(t *testing.T) {
	id, goOn := uuid.New(), make(chan struct{})
	documents := caller(t).Document(answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/internal/media/"+id.String() || r.URL.RawQuery != "size=preview" || r.Header.Get("X-Hearth-Passport") == "" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"status":404,"code":"not_found"}`)
			return
		}
		w.Header().Set("Server-Timing", `db;desc="1", redis;desc="0"`)
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-goOn // the rest only comes when the beginning was read
		_, _ = io.WriteString(w, " and last")
	}))
	ctx, trips := roundtrip.With(t.Context())
	file, err := documents.Media(ctx, id, "preview")
	if err != nil {
		t.Fatal(err)
	}
	begin := make([]byte, 5)
	if _, err := io.ReadFull(file, begin); err != nil || string(begin) != "first" {
		t.Fatalf("it begins with %q, %v", begin, err)
	}
	close(goOn)
	rest, err := io.ReadAll(file)
	if err != nil || string(rest) != " and last" || file.Close() != nil || trips.Series(roundtrip.DB) != 1 {
		t.Errorf("it goes on with %q, %v, after %d round trips", rest, err, trips.Series(roundtrip.DB))
	}
	if _, err := documents.Media(t.Context(), uuid.New(), "preview"); !apperr.NoSuchThing.Has(err) {
		t.Errorf("what is not there is %v", err)
	}
}

func TestAFileHasAnEnd(t *testing.T) {
	gone := make(chan struct{})
	documents := caller(t).Document(answering(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for chunk := bytes.Repeat([]byte("x"), 1<<20); ; {
			if _, err := w.Write(chunk); err != nil {
				return // nobody wants more
			}
		}
	}))
	file, err := documents.Media(t.Context(), uuid.New(), "thumb")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, file)
	if err != nil || n != 8<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	_ = file.Close()
	<-gone
}

func TestFilesOfAServiceThatDoesNotAnswerOpenTheCircuit(t *testing.T) {
	asked := 0
	documents := caller(t).Document(answering(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusInternalServerError)
	}))
	for range 30 {
		if _, err := documents.Media(t.Context(), uuid.New(), "preview"); !apperr.ServiceUnavailable.Has(err) {
			t.Fatalf("got %v", err)
		}
	}
	if asked > 10 {
		t.Errorf("it is asked %d times", asked)
	}
}
