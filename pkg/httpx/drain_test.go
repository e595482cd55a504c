package httpx_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"hearth.internal/pkg/httpx"
)

func TestASilentConnectionHoldsNoStop(t *testing.T) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ReadTimeout: time.Hour})
	begun, release := make(chan struct{}), make(chan struct{})
	app.Get("/slow", func(c *fiber.Ctx) error {
		close(begun)
		<-release
		return c.SendString("done")
	})
	drain := httpx.NewDrain(app)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = drain.Serve(listener) }()
	silent, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Get("http://" + listener.Addr().String() + "/slow")
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		stopped <- drain.Shutdown(ctx)
	}()
	if _, err := silent.Read(make([]byte, 1)); err == nil { // waits until the other side closes
		t.Error("the silent connection is answered")
	}
	select {
	case err := <-stopped:
		t.Fatalf("it stopped with a request in flight: %v", err)
	default:
	}
	close(release)
	if status := <-answered; status != 200 {
		t.Errorf("the request in flight was answered %d", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
