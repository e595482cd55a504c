// Package config reads a service's configuration from the environment. Every variable is a field here with its
// meaning beside it: the table in the documentation is made from these structs.
package config

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Prefix of every variable.
const Prefix = "HEARTH_"

// Service is the configuration that every part shares.
type Service struct {
	Addr            string        `env:"ADDR" envDefault:"0.0.0.0:8080" doc:"Where the service answers"`
	OpsAddr         string        `env:"OPS_ADDR" envDefault:"0.0.0.0:9090" doc:"Where /livez, /readyz and /metrics answer; never exposed"`
	DatabaseURL     string        `env:"DATABASE_URL" secret:"true" doc:"The service's own PostgreSQL database (not used by the gateway)"`
	DatabasePool    int           `env:"DATABASE_POOL" envDefault:"20" doc:"Connections, all opened at the start"`
	DatabasePrepare bool          `env:"DATABASE_PREPARE" envDefault:"true" doc:"Keep the hot statements prepared; false behind PgBouncer in transaction mode"`
	CacheURL        string        `env:"CACHE_REDIS_URL,required,notEmpty" secret:"true" doc:"Redis of the caches (allkeys-lru); several URLs with commas: a cluster"`
	CachePatience   time.Duration `env:"CACHE_PATIENCE" envDefault:"50ms" doc:"How long a request waits for the caches before it goes to the source instead"`
	QueueURL        string        `env:"QUEUE_REDIS_URL" secret:"true" doc:"Redis of the job queues (noeviction, AOF; not used by the gateway)"`
	PassportKeys    Keys          `env:"PASSPORT_KEYS,required,notEmpty" secret:"true" doc:"Base64 keys of 32 bytes or more, the first signs; the same for every part"`
	AuthURL         string        `env:"AUTH_URL" envDefault:"http://auth:8080" doc:"Where auth answers"`
	ResidenceURL    string        `env:"RESIDENCE_URL" envDefault:"http://residence:8080" doc:"Where residence answers"`
	TaskURL         string        `env:"TASK_URL" envDefault:"http://task:8080" doc:"Where task answers"`
	DocumentURL     string        `env:"DOCUMENT_URL" envDefault:"http://document:8080" doc:"Where document answers"`
	NotificationURL string        `env:"NOTIFICATION_URL" envDefault:"http://notification:8080" doc:"Where notification answers"`
	BillingURL      string        `env:"BILLING_URL" envDefault:"http://billing:8080" doc:"Where billing answers"`
	AdminURL        string        `env:"ADMIN_URL" envDefault:"http://admin:8080" doc:"Where admin answers"`
	OTLPEndpoint    string        `env:"OTLP_ENDPOINT" doc:"Base URL of an OTLP/HTTP collector, such as http://jaeger:4318; empty: no traces are sent"`
	TraceRatio      float64       `env:"TRACE_RATIO" envDefault:"0.1" doc:"Share of new traces that are recorded, 0 to 1"`
	LogLevel        slog.Level    `env:"LOG_LEVEL" envDefault:"INFO" doc:"DEBUG, INFO, WARN or ERROR"`
	DrainDelay      time.Duration `env:"DRAIN_DELAY" envDefault:"0s" doc:"After a stop signal: how long to go on answering while readyz already says no"`
	DrainTime       time.Duration `env:"DRAIN_TIME" envDefault:"20s" doc:"After that: how long what is in flight may take to end"`
}

// Keys are secrets in base64, separated by commas.
type Keys [][]byte

// UnmarshalText reads the keys. The error does not repeat them.
func (k *Keys) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("a key is not base64")
		}
		*k = append(*k, key)
	}
	return nil
}

// Load reads a configuration struct (Service, or one that embeds it) from the environment given as KEY=value. A
// variable with our prefix that nobody knows stops the start: it is most likely misspelt.
func Load[T any](environ []string) (T, error) {
	cfg, err := env.ParseAsWithOptions[T](env.Options{Prefix: Prefix, Environment: env.ToMap(environ)})
	if err != nil {
		return cfg, fmt.Errorf("configuration: %w", err)
	}
	known := map[string]bool{}
	for _, v := range Variables(cfg) {
		known[v.Name] = true
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, Prefix) && !known[name] {
			return cfg, fmt.Errorf("configuration: there is no variable %s", name)
		}
	}
	return cfg, nil
}

// Variable is one line of the documented table.
type Variable struct {
	Name, Default, Doc string
	Value              string // masked when secret
	Secret, Required   bool
}

// Variables lists a configuration struct's variables with their present values.
func Variables(cfg any) []Variable {
	var out []Variable
	v := reflect.ValueOf(cfg)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			out = append(out, Variables(v.Field(i).Interface())...)
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("env"), ",")
		if name == "" {
			continue
		}
		variable := Variable{
			Name: Prefix + name, Default: field.Tag.Get("envDefault"), Doc: field.Tag.Get("doc"),
			Secret: field.Tag.Get("secret") != "", Required: slices.Contains(strings.Split(options, ","), "required"),
			Value: fmt.Sprint(v.Field(i).Interface()),
		}
		if variable.Secret {
			variable.Value = "***"
		}
		out = append(out, variable)
	}
	return out
}
