// Command hearth runs all of Hearth on this machine.
//
//	hearth run               everything, in one terminal
//	hearth run -processes    the same, every part a process of its own
//	hearth migrate           bring the databases up to date and end
//	hearth check [-deep]     compare the stored files with the database
//	hearth clean             remove everything that run keeps
//	hearth stores COMMAND    run COMMAND with a throw-away PostgreSQL and Redis (tests)
//	hearth bench             measure the board beside a bare floor
//	hearth config            print the table of all configuration variables
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	_ "time/tzdata" // a machine without zone files still knows every zone

	"hearth.internal/dev/system"
	"hearth.internal/document/reader"
	"hearth.internal/document/reader/readertest"
	"hearth.internal/pkg/stores"
	"hearth.internal/pkg/testkit"
)

const usage = `usage: hearth run [-processes] | migrate | check [-deep] | clean | stores COMMAND... | bench | config`

func main() {
	if reader.Asked(os.Args[1:]) { // the document service starts this program anew to decode files
		if err := reader.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "hearth:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the program at once; the stores that it started end with it
	if err := command(ctx, os.Args[1:]); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "\nhearth:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "part":
		if len(args) == 2 {
			return system.RunPart(args[1])
		}
	case "migrate":
		return migrate(ctx)
	case "check":
		return check(ctx, len(args) == 2 && args[1] == "-deep")
	case "clean":
		return clean()
	case "stores":
		return withStores(ctx, args[1:])
	case "bench":
		return runBench(ctx, args[1:])
	case "config":
		return printConfig(os.Stdout)
	}
	return errors.New(usage)
}

// clean removes what the stores keep, unless they are in use, and then what run keeps beside them.
func clean() error {
	if err := stores.Remove(directory); err != nil {
		return err
	}
	for _, name := range []string{system.SecretsFile, system.SecretsDraft, logFile} {
		if err := os.Remove(filepath.Join(directory, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(directory, filesDir)); err != nil {
		return err
	}
	_ = os.Remove(directory) // not empty: somebody else's files are in it
	return nil
}

// withStores runs a command that finds a PostgreSQL and a Redis in its environment, and stops them after it.
func withStores(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	postgres, redis, stop, err := testkit.StartStores()
	if err != nil {
		return err
	}
	defer stop()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the caller's own command
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), testkit.PostgresVariable+"="+postgres, testkit.RedisVariable+"="+redis)
	if program, err := os.Executable(); err == nil { // else they build their own
		cmd.Env = append(cmd.Env, readertest.Variable+"="+program)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run() // main hands the exit code on
}
