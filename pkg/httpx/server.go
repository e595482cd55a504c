// Package httpx is a service's HTTP side: typed operations (huma) on Fiber, guards, one error format, one place where
// errors are logged, and the Server-Timing of every answer.
package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/roundtrip"
	"hearth.internal/pkg/telemetry"
)

// requestTime bounds one request inside a service; the gateway gives up a little later.
const requestTime = 15 * time.Second

// bodyLimit is for JSON; uploads have their own way.
const bodyLimit = 1 << 20

// Options are what a server needs to know.
type Options struct {
	Name      string
	Title     string
	Version   string
	Telemetry *telemetry.Telemetry
	Passports *identity.Passports
	// Files is for a service that takes files: it reads the bodies of forms as they come.
	Files bool
}

// Server is the HTTP side of one service.
type Server struct {
	App   *fiber.App
	API   huma.API
	Drain *Drain

	name      string
	passports *identity.Passports
	tel       *telemetry.Telemetry
	duration  *prometheus.HistogramVec
}

// New makes a server without operations.
func New(o Options) *Server {
	setUpHuma()
	s := &Server{name: o.Name, passports: o.Passports, tel: o.Telemetry}
	s.duration = RequestDuration(o.Telemetry.Registry)
	s.App = fiber.New(fiber.Config{
		AppName: "hearth-" + o.Name, DisableStartupMessage: true, Immutable: true, BodyLimit: bodyLimit,
		ReadTimeout: 30 * time.Second, IdleTimeout: 5 * time.Minute, ErrorHandler: s.fiberError,
		ReadBufferSize: 16 << 10, DisableDefaultContentType: true,
		StreamRequestBody: o.Files, DisablePreParseMultipartForm: o.Files,
	})
	s.Drain = NewDrain(s.App)
	s.App.Use(s.observe, s.recover, s.identify, refuseEncoded)
	if o.Files {
		s.App.Use(holdBody)
	}
	s.App.Use(refuseBadText)
	s.API = humafiber.New(s.App, apiConfig(o))
	return s
}

// RequestDuration is the histogram of request times by route, method and status.
func RequestDuration(r prometheus.Registerer) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hearth_http_request_duration_seconds", Help: "Time of requests by route, method and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"route", "method", "status"})
	r.MustRegister(h)
	return h
}

// apiConfig: the documents are served by the gateway, so huma serves nothing but the operations.
func apiConfig(o Options) huma.Config {
	cfg := huma.DefaultConfig(o.Title, o.Version)
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.CreateHooks = nil // no $schema members and Link headers in answers
	cfg.FieldsOptionalByDefault = true
	cfg.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[idText]())
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "apiKey", In: "header", Name: "Authorization", Description: "`Token <key>` or `Bearer <key>`, with the token of register or login"},
	}
	return cfg
}

// Schemas is an empty registry that describes types as every service's document does.
func Schemas() huma.Registry {
	return huma.NewAPI(apiConfig(Options{}), nil).OpenAPI().Components.Schemas // nothing is registered, so no adapter is asked
}

// idText stands for every uuid.UUID in the documents and in validation: without its format, a text that is no id would
// be refused without the field's name.
type idText string

// Schema is a string of format uuid.
func (idText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// appender is a body that writes its own JSON: the few that are long and asked for all day.
type appender interface{ AppendJSON([]byte) []byte }

// jsonFormat is huma's, but for bodies that write themselves.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		a, ok := v.(appender)
		if !ok {
			return huma.DefaultJSONFormat.Marshal(w, v)
		}
		_, err := w.Write(append(a.AppendJSON(nil), '\n'))
		return err
	},
	Unmarshal: unmarshal,
}

// observe is around everything: trace, request id, round trips, metrics, conditional answers.
func (s *Server) observe(c *fiber.Ctx) error {
	start := time.Now()
	ctx := telemetry.Propagation.Extract(c.UserContext(), headerCarrier{c})
	ctx, span := s.tel.Tracer.Start(ctx, c.Method(), trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	requestID := c.Get("X-Request-Id")
	if requestID == "" {
		requestID = uuid.NewString()
	}
	ctx = telemetry.WithRequestID(ctx, requestID)
	ctx, trips := roundtrip.With(ctx)
	c.SetUserContext(ctx)

	if err := c.Next(); err != nil {
		_ = s.fiberError(c, err) // writes the answer; the status is read below
	}
	answerConditionally(c)
	elapsed := time.Since(start)
	status := c.Response().StatusCode()
	route := c.Route().Path
	c.Set("Server-Timing", trips.Header(float64(elapsed.Microseconds())/1000))
	c.Set("X-Request-Id", requestID)
	s.duration.WithLabelValues(route, c.Method(), strconv.Itoa(status)).Observe(elapsed.Seconds())
	if span.IsRecording() {
		span.SetName(c.Method() + " " + route)
		span.SetAttributes(attribute.String("http.request.method", c.Method()), attribute.String("http.route", route),
			attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, http.StatusText(status))
		}
	}
	return nil
}

// answerConditionally turns an answer that the client already has into 304 (RFC 9110, section 13.1.2).
func answerConditionally(c *fiber.Ctx) {
	etag := string(c.Response().Header.Peek(fiber.HeaderETag))
	if etag == "" || c.Method() != fiber.MethodGet || c.Response().StatusCode() != http.StatusOK {
		return
	}
	if ETagMatches(c.Get(fiber.HeaderIfNoneMatch), etag) {
		c.Status(http.StatusNotModified)
		c.Response().ResetBody()
	}
}

// recover turns a panic into an error with its stack, so that one request's bug ends one request.
func (s *Server) recover(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return c.Next()
}

// identify puts the passport's holder into the context. A request without a passport goes on as nobody: the guards
// refuse it.
func (s *Server) identify(c *fiber.Ctx) error {
	passport := c.Get(identity.Header)
	if passport == "" {
		return c.Next()
	}
	actor, err := s.passports.Verify(passport)
	if err != nil {
		return apperr.AuthRequired.Wrap(err, "The passport is not valid.")
	}
	c.SetUserContext(identity.With(c.UserContext(), actor, passport))
	return c.Next()
}

// fiberError answers what went wrong outside of the operations.
func (s *Server) fiberError(c *fiber.Ctx, err error) error {
	var fe *fiber.Error
	if errors.As(err, &fe) {
		err = fromFiber(fe)
	}
	e := apperr.Of(err)
	s.logFailure(c.UserContext(), e)
	return WriteProblem(c, e)
}

// logFailure logs what is our fault. What the client got wrong is in the answer already.
func (s *Server) logFailure(ctx context.Context, e *apperr.Error) {
	if e.Code.Kind.Status() < http.StatusInternalServerError {
		return
	}
	s.tel.Log.ErrorContext(ctx, "request failed", "code", e.Code.Name, "error", e.Error())
}

type headerCarrier struct{ c *fiber.Ctx }

func (h headerCarrier) Get(key string) string { return h.c.Get(key) }
func (h headerCarrier) Set(key, value string) { h.c.Request().Header.Set(key, value) }
func (h headerCarrier) Keys() []string        { return nil }
