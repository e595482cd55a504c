// Command migrate brings one service's database up to date and ends: what a Kubernetes Job runs before a deploy.
//
//	HEARTH_DATABASE_URL=postgres://... migrate task
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"hearth.internal/migrations"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	url := os.Getenv("HEARTH_DATABASE_URL")
	if len(os.Args) != 2 || !slices.Contains(migrations.Services(), os.Args[1]) || url == "" {
		fmt.Fprintln(os.Stderr, "usage: HEARTH_DATABASE_URL=postgres://... migrate SERVICE, one of", migrations.Services())
		os.Exit(2)
	}
	n, err := migrations.Up(ctx, os.Args[1], url)
	if err != nil {
		fmt.Fprintln(os.Stderr, "migrate:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d migrations applied\n", os.Args[1], n)
}
