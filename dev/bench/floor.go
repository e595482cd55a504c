package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/valyala/fasthttp"

	"hearth.internal/document"
	"hearth.internal/task"
)

// floor is the least that a gateway and a service can do for a list: a Redis GET each (a token, the residences), the
// list's SQL, and its rows as JSON. No token check, no tracing, no metrics, no validation, no columns.
type floor struct {
	url   string
	close func()
}

// floorKeys hold what the floor reads in Redis: values of about the size of the real ones.
const (
	floorToken  = "floor:token"
	floorHomes  = "floor:homes:" // and the residence
	floorCached = "floor:cached"
)

// The lists that the floor has.
const (
	floorBoard  = "board"
	floorPapers = "papers"
)

func startFloor(ctx context.Context, tasks, papers, redisURL string) (*floor, error) {
	pool, err := pgxpool.New(ctx, tasks)
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	paperPool, err := pgxpool.New(ctx, papers)
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	rdb := redis.NewClient(options)
	service, serviceAddr, err := listenFiber(ctx)
	if err != nil {
		return nil, err
	}
	list := func(what string, read func(ctx context.Context, homes []uuid.UUID) (any, error)) {
		service.Get("/"+what+"/:home", func(c *fiber.Ctx) error {
			var homes []uuid.UUID
			raw, err := rdb.Get(c.Context(), floorHomes+c.Params("home")).Bytes()
			if err == nil {
				err = json.Unmarshal(raw, &homes)
			}
			if err != nil {
				return err
			}
			rows, err := read(c.Context(), homes)
			if err != nil {
				return err
			}
			return c.JSON(fiber.Map{"items": rows})
		})
	}
	list(floorBoard, func(ctx context.Context, homes []uuid.UUID) (any, error) { return task.ReadBoard(ctx, pool, homes) })
	list(floorPapers, func(ctx context.Context, homes []uuid.UUID) (any, error) {
		return document.ReadDocuments(ctx, paperPool, homes, fullBoard)
	})
	service.Get("/cached/:what", func(c *fiber.Ctx) error {
		raw, err := rdb.Get(c.Context(), floorCached).Bytes()
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(raw)
	})
	gateway, gatewayAddr, err := listenFiber(ctx)
	if err != nil {
		return nil, err
	}
	upstream := &fasthttp.HostClient{Addr: serviceAddr, MaxConns: 512}
	gateway.Get("/:list/:home", func(c *fiber.Ctx) error {
		if err := rdb.Get(c.Context(), floorToken).Err(); err != nil {
			return err
		}
		request, response := c.Request(), c.Response()
		request.Header.Del(fiber.HeaderConnection)
		request.SetRequestURI("http://" + serviceAddr + c.Path())
		if err := upstream.Do(request, response); err != nil {
			return err
		}
		response.Header.Del(fiber.HeaderConnection)
		return nil
	})
	if err := rdb.Set(ctx, floorToken, `{"id":"0190","user_id":"0190","timezone":"UTC"}`, 0).Err(); err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	return &floor{url: "http://" + gatewayAddr, close: func() {
		_ = gateway.Shutdown() // nothing is in flight any more
		_ = service.Shutdown()
		pool.Close()
		paperPool.Close()
		_ = rdb.Close()
	}}, nil
}

func listenFiber(ctx context.Context) (*fiber.App, string, error) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("floor: %w", err)
	}
	go func() { _ = app.Listener(listener) }() // ends with Shutdown
	return app, listener.Addr().String(), nil
}

// list is the floor's answer to a list of one residence.
func (f *floor) list(ctx context.Context, what, redisURL, home string, least int) (target, error) {
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return target{}, fmt.Errorf("floor: %w", err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	if err := rdb.Set(ctx, floorHomes+home, `["`+home+`"]`, 0).Err(); err != nil {
		return target{}, fmt.Errorf("floor: %w", err)
	}
	return target{name: "bare floor", url: f.url + "/" + what + "/" + home, wants: least, header: map[string]string{"Accept": "application/json"}}, nil
}
