package pg

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"hearth.internal/pkg/apperr"
)

func TestWhatADatabaseSaysIsTranslated(t *testing.T) {
	for code, want := range map[string]int{
		"57P01": http.StatusServiceUnavailable, "53300": http.StatusServiceUnavailable, "08006": http.StatusServiceUnavailable,
		"25006": http.StatusServiceUnavailable, "40P01": http.StatusServiceUnavailable, "40001": http.StatusServiceUnavailable,
		"57014": http.StatusGatewayTimeout,
		"23505": http.StatusInternalServerError, "42601": http.StatusInternalServerError, "5": http.StatusInternalServerError, "": http.StatusInternalServerError,
	} {
		err := translate(fmt.Errorf("query: %w", &pgconn.PgError{Code: code}))
		if got := apperr.Of(err).Code.Kind.Status(); got != want {
			t.Errorf("%q: %d, want %d", code, got, want)
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != code {
			t.Errorf("%q: its cause is lost", code)
		}
	}
	if err := translate(context.Canceled); !errors.Is(err, context.Canceled) || apperr.ServiceUnavailable.Has(err) {
		t.Errorf("who went away blames the database: %v", err)
	}
}

func TestADatabaseThatDoesNotLetUsInIsUnavailable(t *testing.T) {
	_, err := pgconn.Connect(t.Context(), "postgres://nobody@127.0.0.1:1/nothing")
	if err := translate(err); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("refused: %v", err)
	}
}
