package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"hearth.internal/dev/bench"
	"hearth.internal/pkg/testkit"
)

// runBench measures on stores of its own, so that what it leaves behind goes with them.
func runBench(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	each := flags.Duration("each", 12*time.Second, "how long to measure each target")
	grown := flags.Int("grown", 1_000_000, "tasks of others, among which boards are measured in the end; 0: leave that out")
	profile := flags.String("cpuprofile", "", "write a CPU profile of the whole run to this file")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil // it has been printed
	case err != nil:
		return err
	}
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		defer func() { _ = file.Close() }()
		if err := pprof.StartCPUProfile(file); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	postgres, redis, stop, err := testkit.StartStores()
	if err != nil {
		return err
	}
	defer stop()
	return bench.Boards(ctx, bench.Options{Postgres: postgres, Redis: redis, Each: *each, Grown: *grown, Out: os.Stdout})
}
