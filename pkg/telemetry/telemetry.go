// Package telemetry sets up what a process says of itself: traces (W3C context in, OTLP out), metrics for Prometheus,
// and JSON logs that carry the trace and request ids. Nothing is global: in one process several services each have
// their own.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says what to collect and where it goes.
type Config struct {
	Service string
	Version string
	// Endpoint is the base URL of an OTLP/HTTP collector; empty: traces are not sent anywhere.
	Endpoint string
	// Ratio of new traces that are recorded, 0 to 1. A caller's decision is always followed.
	Ratio float64
	Level slog.Level
	Out   io.Writer
	// Processors receive finished spans beside the exporter.
	Processors []sdktrace.SpanProcessor
}

// exporterSilence is how long a collector that is away is not mentioned again.
const exporterSilence = time.Minute

// sayWhenTracesAreLost replaces OpenTelemetry's error handler, which is the process's own: a collector that is away
// would fill the log with one line a batch.
var sayWhenTracesAreLost = sync.OnceFunc(func() {
	var mu sync.Mutex
	var said time.Time
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(said) > exporterSilence {
			said = time.Now()
			slog.Warn("telemetry", "error", err)
		}
	}))
})

// Telemetry is one service's.
type Telemetry struct {
	Log      *slog.Logger
	Provider *sdktrace.TracerProvider
	Tracer   trace.Tracer
	Registry *prometheus.Registry
	// Meters feeds the registry with what OpenTelemetry's instrumentations measure.
	Meters metric.MeterProvider
}

// Propagation is how trace context travels: W3C traceparent and baggage.
var Propagation = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// New starts the exporters.
func New(ctx context.Context, cfg Config) (*Telemetry, error) {
	sayWhenTracesAreLost()
	res := resource.NewSchemaless(
		attribute.String("service.namespace", "hearth"),
		attribute.String("service.name", cfg.Service),
		attribute.String("service.version", cfg.Version),
	)
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(res),
		sdktrace.WithSampler(sdktrace.ParentBased(requests{sdktrace.TraceIDRatioBased(cfg.Ratio)})),
	}
	if cfg.Endpoint != "" {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(cfg.Endpoint, "/")+"/v1/traces"))
		if err != nil {
			return nil, fmt.Errorf("trace exporter: %w", err)
		}
		options = append(options, sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Second)))
	}
	for _, processor := range cfg.Processors {
		options = append(options, sdktrace.WithSpanProcessor(processor))
	}
	provider := sdktrace.NewTracerProvider(options...)
	registry := prometheus.NewRegistry()
	if err := errors.Join(
		registry.Register(collectors.NewGoCollector()),
		registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	); err != nil {
		return nil, fmt.Errorf("register runtime metrics: %w", err)
	}
	reader, err := promexporter.New(promexporter.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return &Telemetry{
		Meters:   sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
		Log:      newLogger(cfg),
		Provider: provider,
		Tracer:   provider.Tracer("hearth"),
		Registry: registry,
	}, nil
}

// requests begins traces with a request or an event, never with a query: what background loops ask their stores all day
// would bury everything else.
type requests struct{ sdktrace.Sampler }

func (r requests) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Kind == trace.SpanKindClient || p.Kind == trace.SpanKindInternal {
		return sdktrace.SamplingResult{Decision: sdktrace.Drop}
	}
	return r.Sampler.ShouldSample(p)
}

// Close sends what is still held back.
func (t *Telemetry) Close(ctx context.Context) error {
	if err := t.Provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("flush traces: %w", err)
	}
	return nil
}

// TraceParent is the context's W3C traceparent, to be stored with work that goes on later; empty without a span.
func TraceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Continue is a context inside the trace that TraceParent described.
func Continue(ctx context.Context, traceParent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceParent})
}
