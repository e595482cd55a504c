package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/sync/singleflight"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/redisx"
	"hearth.internal/pkg/telemetry"
)

// Options are what differs between a production start, the dev command and a test.
type Options struct {
	Clock      clock.Clock              // nil: the system's
	Processors []sdktrace.SpanProcessor // beside the exporter
	LogOut     io.Writer                // nil: standard error
	Listener   net.Listener             // nil: listen on Config.Addr
	OpsOff     bool                     // several parts in one process share no ops port
}

// Gateway is the one door.
type Gateway struct {
	cfg       Config
	options   Options
	clock     clock.Clock
	tel       *telemetry.Telemetry
	log       *slog.Logger
	passports *identity.Passports
	redis     redis.UniversalClient
	app       *fiber.App
	drain     *httpx.Drain
	router    *router
	table     []Route
	upstreams map[string]*upstream        // by service, those of the table
	parts     map[string]internalapi.Part // every service, to ask how it is
	auth      internalapi.Auth
	residence internalapi.Residence
	task      internalapi.Task
	tokens    *tokens
	zones     *zones
	live      *broadcast
	origins   map[string]bool
	own       map[string]func(*exchange) error
	document  document
	lookups   lookups
	health    health
	page      *page
	duration  *prometheus.HistogramVec
	exchanges sync.Pool
	flights   singleflight.Group
	work      sync.WaitGroup // what requests have left behind
	ready     atomic.Bool
	closeOnce sync.Once
}

// Open prepares a gateway. Run it, or Close it.
func Open(ctx context.Context, cfg Config, o Options) (*Gateway, error) {
	return open(ctx, cfg, o, Table())
}

func open(ctx context.Context, cfg Config, o Options, table []Route) (*Gateway, error) {
	g := &Gateway{cfg: cfg.withDefaults(), options: o, clock: o.Clock, table: table, origins: map[string]bool{}}
	if g.clock == nil {
		g.clock = clock.System{}
	}
	if err := g.open(ctx); err != nil {
		g.Close()
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return g, nil
}

func (g *Gateway) open(ctx context.Context) (err error) {
	cfg := g.cfg
	g.tel, err = telemetry.New(ctx, telemetry.Config{
		Service: itself, Version: boot.Version, Endpoint: cfg.OTLPEndpoint, Ratio: cfg.TraceRatio, Level: cfg.LogLevel,
		Out: g.options.LogOut, Processors: g.options.Processors,
	})
	if err != nil {
		return err // says what it is
	}
	g.log = g.tel.Log
	if g.passports, err = identity.NewPassports(cfg.PassportKeys, g.clock); err != nil {
		return err // says what it is
	}
	if g.redis, err = redisx.Open(cfg.CacheURL, 64, g.tel); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if g.router, err = newRouter(g.table); err != nil {
		return err
	}
	for _, origin := range cfg.CORSOrigins {
		g.origins[origin] = true
	}
	g.duration = httpx.RequestDuration(g.tel.Registry)
	calls := internalapi.NewCaller(itself, g.passports, g.tel)
	g.auth, g.residence, g.task = calls.Auth(cfg.AuthURL), calls.Residence(cfg.ResidenceURL), calls.Task(cfg.TaskURL)
	if err := g.openUpstreams(calls); err != nil {
		return err
	}
	shared := cache.New(g.redis, cfg.CachePatience, g.tel)
	g.tokens = newTokens(g.redis, shared, g.auth, g.tel)
	g.live = newBroadcast(g.redis, shared, g.tokens, access.New(shared, g.residence.Homes), g.tel)
	g.zones = newZones()
	if g.page, err = newPage(); err != nil {
		return err
	}
	own, err := ownPart()
	if err != nil {
		return err
	}
	g.document.parts = map[string]part{itself: own}
	g.own = map[string]func(*exchange) error{
		"/api/static_data/":  g.serveLookups,
		"/api/sync/":         g.serveSync,
		"/api/events/":       g.serveEvents,
		"/api/health/":       g.serveHealth,
		"/api/openapi.json":  g.serveDocument,
		"/api/docs/":         g.servePage,
		"/api/docs/{asset}/": g.servePage,
	}
	g.exchanges.New = func() any { return &exchange{} }
	g.openApp()
	return nil
}

// openApp: the body streams in, so that a large one is never held; what is small is read whole in body.go.
func (g *Gateway) openApp() {
	g.app = fiber.New(fiber.Config{
		AppName: "hearth-gateway", DisableStartupMessage: true, Immutable: true, ErrorHandler: g.beforeRouting,
		StreamRequestBody: true, DisablePreParseMultipartForm: true, DisableDefaultContentType: true,
		ReadTimeout: readTime, IdleTimeout: 2 * time.Minute, ReadBufferSize: 16 << 10,
	})
	g.app.Use(g.serve)
	g.drain = httpx.NewDrain(g.app)
	server := g.app.Server()
	server.KeepHijackedConns = true // fasthttp takes its buffers back, and leaves the connection to the stream
	routed := g.app.Handler()
	server.Handler = func(c *fiberRequest) {
		// Fiber answers methods that it does not know by itself, in plain text. For us they are one more that no route takes.
		if !knownMethods[string(c.Method())] {
			c.Request.Header.SetMethod(http.MethodTrace)
		}
		routed(c)
	}
}

var knownMethods = map[string]bool{
	get: true, post: true, put: true, patch: true, del: true, http.MethodHead: true, http.MethodOptions: true,
	http.MethodTrace: true, http.MethodConnect: true,
}

// serve is every request's way, from the first step to the last.
func (g *Gateway) serve(c *fiber.Ctx) error {
	x := g.begin(c)
	if err := g.answer(x); err != nil {
		g.refuse(x, err)
	}
	g.finish(x)
	return nil
}

// answer is what happens between begin and finish: the steps in order. An error is the refusal.
func (g *Gateway) answer(x *exchange) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	if err := g.route(x); err != nil || x.route == nil {
		return err
	}
	if err := g.identify(x); err != nil {
		return err
	}
	if err := g.locate(x); err != nil {
		return err
	}
	if x.route.Service == itself {
		return g.own[x.route.Path](x)
	}
	if err := g.stamp(x); err != nil {
		return err
	}
	return g.forward(x)
}

// route finds the line of the table. OPTIONS is answered here, and leaves the exchange without a route.
func (g *Gateway) route(x *exchange) error {
	uri := x.c.Request().URI()
	at := g.router.find(uri.PathOriginal())
	if at == nil {
		return apperr.RouteNotFound.New("There is nothing at this address.")
	}
	if !plainQuery(uri.QueryString()) {
		return apperr.MalformedRequest.New("The query has characters that must be encoded.")
	}
	method := x.method
	switch method {
	case http.MethodOptions:
		g.answerOptions(x, at)
		return nil
	case http.MethodHead:
		method = get
	}
	route := at.methods[method]
	if route == nil {
		x.c.Set(fiber.HeaderAllow, at.allow)
		return apperr.MethodNotAllowed.New("This address does not take that method.")
	}
	x.route, x.pattern = route, route.Path
	return nil
}

// refuse answers an error with its problem document.
func (g *Gateway) refuse(x *exchange, err error) {
	e := apperr.Of(err)
	status := e.Code.Kind.Status()
	if status >= http.StatusInternalServerError {
		g.log.ErrorContext(x.ctx, "request failed", "route", x.pattern, "code", e.Code.Name, "error", err.Error())
	}
	allow := x.c.GetRespHeader(fiber.HeaderAllow)
	x.c.Response().Reset()
	if allow != "" {
		x.c.Set(fiber.HeaderAllow, allow)
	}
	if status == http.StatusUnauthorized {
		x.c.Set(fiber.HeaderWWWAuthenticate, challenge(e))
	}
	if err := httpx.WriteProblem(x.c, e); err != nil {
		g.log.ErrorContext(x.ctx, "problem not written", "error", err)
	}
}

// beforeRouting answers what never became a request of ours: headers that cannot be read or are too long.
func (g *Gateway) beforeRouting(c *fiber.Ctx, err error) error {
	x := g.begin(c)
	e := apperr.MalformedRequest.Wrap(err, "The request could not be read.")
	var fe *fiber.Error
	if errors.As(err, &fe) && fe.Code == http.StatusRequestHeaderFieldsTooLarge {
		e.Detail = "The headers are too long."
	}
	g.refuse(x, e)
	c.Response().SetConnectionClose()
	g.finish(x)
	return nil
}
