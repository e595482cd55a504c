// Command gateway is the one door that the apps know.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // X-Timezone must not depend on what the image has

	"hearth.internal/gateway"
	"hearth.internal/pkg/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "hearth:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg, err := config.Load[gateway.Config](os.Environ())
	if err != nil {
		return err // says what it is
	}
	g, err := gateway.Open(ctx, cfg, gateway.Options{})
	if err != nil {
		return err // says what it is
	}
	g.LogStart()
	return g.Run(ctx)
}
