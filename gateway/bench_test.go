package gateway

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/proxy"
	"github.com/valyala/fasthttp"

	"hearth.internal/pkg/identity"
)

// trivial is a service that costs nearly nothing.
func trivial(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 2<<10)
	server := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(c *fasthttp.RequestCtx) {
		c.SetContentType("application/json")
		c.Response.Header.Set("Server-Timing", `db;desc="0", redis;desc="1", total;dur=0.3`)
		c.Response.Header.Set("ETag", `"7"`)
		c.Response.Header.Set("X-Request-Id", string(c.Request.Header.Peek("X-Request-Id")))
		c.Response.SetBodyRaw(body)
	}}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.ShutdownWithContext(ctx)
	})
	return "http://" + listener.Addr().String()
}

// hammer asks the same thing over 32 kept connections.
func hammer(b *testing.B, base, token string) {
	b.Helper()
	client := &fasthttp.HostClient{Addr: base[len("http://"):], MaxConns: 64}
	b.SetParallelism(16)
	b.ReportAllocs()
	var failed atomic.Int64
	before := cpuTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		req.SetRequestURI(base + "/api/tasks/?days_threshold=30")
		for k, v := range map[string]string{
			"Authorization": "Token " + token, "User-Agent": "Hearth/4.2 (iPhone; iOS 19.1)", "Accept": "application/json",
			"Accept-Language": "de-DE", "Accept-Encoding": "gzip", "X-Timezone": "Europe/Berlin",
		} {
			req.Header.Set(k, v)
		}
		for pb.Next() {
			if err := client.Do(req, resp); err != nil || resp.StatusCode() != http.StatusOK {
				failed.Add(1)
			}
		}
	})
	b.StopTimer()
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d requests failed", n)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// cpuTime is what this process has used: a fairer measure than the clock on a machine that others use too. The client
// and the service behind are in it, the same for all.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkGateway(b *testing.B) {
	upstream := trivial(b)
	w := build(b, func(s *setup) { s.cfg.TaskURL, s.cfg.TraceRatio = upstream, 0.1 })
	token, _ := w.signIn("Europe/Berlin")
	w.want(b, 200, "GET", "/api/tasks/", token, nil)
	hammer(b, w.url, token)
}

// BenchmarkBareProxy is what Fiber does at its barest, to compare with.
func BenchmarkBareProxy(b *testing.B) {
	upstream := trivial(b)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	client := &fasthttp.Client{MaxConnsPerHost: 512, NoDefaultUserAgentHeader: true, DisablePathNormalizing: true}
	app.Use(func(c *fiber.Ctx) error { return proxy.Do(c, upstream+c.OriginalURL(), client) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = app.Listener(listener) }()
	b.Cleanup(func() { _ = app.ShutdownWithTimeout(time.Second) })
	hammer(b, "http://"+listener.Addr().String(), "x")
}

func BenchmarkSignPassport(b *testing.B) {
	w := build(b)
	s := &session{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.passports.Sign(identity.Actor{Kind: identity.Person, UserID: s.UserID, SessionID: s.ID, Zone: "UTC", ClientIP: "192.0.2.1"}); err != nil {
			b.Fatal(err)
		}
	}
}
