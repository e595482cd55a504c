package redisx_test

import (
	"io"
	"strings"
	"testing"

	"hearth.internal/pkg/redisx"
	"hearth.internal/pkg/telemetry"
)

func TestAnAddressThatIsNoneIsRefusedWithoutItsPassword(t *testing.T) {
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"redis://:sword%fish@127.0.0.1:6379/0", "swordfish@127.0.0.1:6379", "redis://127.0.0.1:1/0,redis://:swordfish@127.0.0.1:x/0", ""} {
		_, err := redisx.Open(url, 1, tel)
		if err == nil {
			t.Errorf("%q is opened", url)
		} else if strings.Contains(err.Error(), "fish") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}
