package stores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Stripe is stripe-mock: it knows what requests Stripe's API takes, answers each with an example, and remembers nothing.
type Stripe struct {
	port  int
	child *child
}

// StartStripe starts the stripe-mock program, which logs to a file, and returns once it answers.
func StartStripe(ctx context.Context, program, logFile string) (*Stripe, error) {
	s := &Stripe{}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return s, startOn(port, func(port int) error { return s.launch(ctx, program, logFile, port) }, func(err error) bool { return errors.Is(err, errExited) })
}

func (s *Stripe) launch(ctx context.Context, program, logFile string, port int) error {
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, "-http-addr", address(port))
	cmd.Stdout, cmd.Stderr = log, log
	c, err := startChild(cmd, nil, syscall.SIGTERM)
	if err != nil {
		return fmt.Errorf("stripe-mock did not start: %w", err)
	}
	if err := awaitPort(ctx, c, port); err != nil {
		c.abort()
		return fmt.Errorf("stripe-mock did not start (its log is %s): %w", logFile, err)
	}
	s.child, s.port = c, port
	return nil
}

// URL is where it answers.
func (s *Stripe) URL() string { return "http://" + address(s.port) }

// Stop ends it.
func (s *Stripe) Stop() {
	s.child.signal(syscall.SIGKILL)
	<-s.child.done
}

// BuildStripe builds the stripe-mock program of the module in tools/stripe: see buildTool.
func BuildStripe(ctx context.Context, root string, progress func(string)) (program string, err error) {
	return buildTool(ctx, root, "stripe", "stripe-mock", "github.com/stripe/stripe-mock", func() {
		progress("building the Stripe of the tests: some seconds, once")
	})
}
