package config_test

import (
	"strings"
	"testing"

	"hearth.internal/pkg/config"
)

type own struct {
	config.Service
	Extra string `env:"EXTRA" secret:"true" doc:"Something"`
}

var needed = []string{"HEARTH_CACHE_REDIS_URL=redis://x", "HEARTH_PASSPORT_KEYS=a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}

func TestConfiguration(t *testing.T) {
	cfg, err := config.Load[own](append(needed, "HEARTH_EXTRA=swordfish", "PATH=/bin"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Extra != "swordfish" || cfg.DatabasePool != 20 || len(cfg.PassportKeys) != 1 {
		t.Errorf("read as %+v", cfg)
	}
	for _, v := range config.Variables(cfg) {
		if v.Doc == "" {
			t.Errorf("%s is not documented", v.Name)
		}
		if strings.Contains(v.Value, "swordfish") || strings.Contains(v.Value, "redis://x") {
			t.Errorf("%s shows its secret: %s", v.Name, v.Value)
		}
	}
}

func TestConfigurationThatStopsTheStart(t *testing.T) {
	for name, environ := range map[string][]string{
		"misspelt":   append(needed, "HEARTH_DATABSE_URL=x"),
		"missing":    needed[1:],
		"no number":  append(needed, "HEARTH_DATABASE_POOL=many"),
		"key broken": {needed[0], "HEARTH_PASSPORT_KEYS=%%%"},
	} {
		if _, err := config.Load[own](environ); err == nil {
			t.Errorf("%s: started", name)
		} else if strings.Contains(err.Error(), "%%%") {
			t.Errorf("%s: the error repeats the secret: %v", name, err)
		}
	}
}
