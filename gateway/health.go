package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sync/errgroup"

	"hearth.internal/pkg/internalapi"
)

const (
	healthTime  = 3 * time.Second
	healthFresh = time.Second // how long an answer is given again: asking is free, looking is not
)

// Overview is how the whole is, and each part of it. Down: it cannot serve. Degraded: it serves with something missing.
type Overview struct {
	Status  string                        `json:"status" enum:"ok,degraded,down" doc:"The whole: down when nobody could be served"`
	Cache   string                        `json:"cache" enum:"ok,down" doc:"The gateway's cache; without it everything is slower"`
	Service map[string]internalapi.Health `json:"services" doc:"Each service with its stores; a store is left out when the service does not answer"`
}

type health struct {
	mu   sync.Mutex
	at   time.Time
	last Overview
}

// serveHealth answers GET /api/health/.
func (g *Gateway) serveHealth(x *exchange) error {
	h := g.howIsIt(x.ctx)
	status := http.StatusOK
	if h.Status == "down" {
		status = http.StatusServiceUnavailable
	}
	return answerJSON(x.c.Status(status), h)
}

func answerJSON(c *fiber.Ctx, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(raw)
	return nil
}

// howIsIt looks at every part at once. Who asks while somebody looks waits for that look.
func (g *Gateway) howIsIt(ctx context.Context) Overview {
	g.health.mu.Lock()
	defer g.health.mu.Unlock()
	if time.Since(g.health.at) < healthFresh {
		return g.health.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthTime)
	defer cancel()
	h := Overview{Cache: "ok", Service: map[string]internalapi.Health{}}
	var mu sync.Mutex
	var group errgroup.Group
	for name, part := range g.parts {
		group.Go(func() error {
			answer, err := part.Health(ctx)
			if err != nil {
				answer = internalapi.Health{Status: "down"}
			}
			mu.Lock()
			defer mu.Unlock()
			h.Service[name] = answer
			return nil
		})
	}
	group.Go(func() error {
		if g.redis.Ping(ctx).Err() != nil {
			h.Cache = "down"
		}
		return nil
	})
	_ = group.Wait() // no look fails
	h.Status = g.overall(h)
	g.health.at, g.health.last = time.Now(), h
	return h
}

// overall: without auth nobody can be recognized, and without any other service that answers requests there is nothing
// to be had.
func (g *Gateway) overall(h Overview) string {
	ok, others := h.Cache == "ok", 0
	for name, part := range h.Service {
		ok = ok && part.Status == "ok"
		if name != auth && g.upstreams[name] != nil && part.Status != "down" {
			others++
		}
	}
	switch {
	case h.Service[auth].Status == "down" || others == 0:
		return "down"
	case ok:
		return "ok"
	}
	return "degraded"
}
