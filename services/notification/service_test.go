package notification_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"hearth.internal/notification"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func configuration(t *testing.T) notification.Config {
	t.Helper()
	_, key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return notification.Config{Service: testkit.Config(t, "notification"), SealPrivateKey: key}
}

func run(t *testing.T, cfg notification.Config, options ...notification.Option) *testkit.Service {
	t.Helper()
	return testkit.Run(t, cfg.Service, notification.New(cfg, options...))
}

func all[T any](t *testing.T, s *testkit.Service, sql string, args pgx.NamedArgs) []T {
	t.Helper()
	rows, err := pg.All[T](t.Context(), s.DB, sql, args)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// screen is a terminal that a test reads.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSuffix(s.buf.String(), "\n"), "\n")
}

func TestItIsWell(t *testing.T) {
	s := run(t, configuration(t))
	h := testkit.JSON[internalapi.Health](t, s.AsPart(t, "gateway").Want(200, "GET", "/internal/health", nil))
	if h != (internalapi.Health{Status: "ok", Database: "ok", Cache: "ok", Queue: "ok"}) {
		t.Errorf("health: %+v", h)
	}
}

func TestConfiguration(t *testing.T) {
	_, key, err := seal.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	needed := []string{
		"HEARTH_CACHE_REDIS_URL=redis://localhost/0", "HEARTH_PASSPORT_KEYS=" + base64.StdEncoding.EncodeToString(testkit.Key),
	}
	cfg, err := config.Load[notification.Config](append(needed, "HEARTH_SEAL_PRIVATE_KEY="+key.Reveal()))
	if err != nil || cfg.SealPrivateKey != key {
		t.Errorf("read another key (%v)", err)
	}
	for _, v := range config.Variables(cfg) {
		if strings.Contains(v.Value, key.Reveal()) {
			t.Errorf("%s shows the key", v.Name)
		}
	}
	for _, bad := range []string{"", "c2hvcnQ=", "no base64 !"} {
		_, err := config.Load[notification.Config](append(needed, "HEARTH_SEAL_PRIVATE_KEY="+bad))
		if err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
