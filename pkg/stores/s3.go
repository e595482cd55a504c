package stores

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// S3 is a private S3-compatible storage for tests. It is no engine like the others: it lasts no longer than its run, and
// serves as whoever starts it.
type S3 struct {
	Access, Secret string

	dir   string
	port  int
	child *child
}

// StartS3 serves the directory, made by the caller, with the versitygw program, and returns once it answers.
func StartS3(ctx context.Context, program, dir, access, secret string) (*S3, error) {
	s := &S3{Access: access, Secret: secret, dir: dir}
	for _, part := range []string{s.buckets(), s.metadata()} {
		if err := os.MkdirAll(part, 0o700); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return s, startOn(port, func(port int) error { return s.launch(ctx, program, port) }, func(err error) bool { return errors.Is(err, errExited) })
}

func (s *S3) buckets() string  { return filepath.Join(s.dir, "buckets") }
func (s *S3) metadata() string { return filepath.Join(s.dir, "metadata") } // not in attributes: not every file system has them

func (s *S3) launch(ctx context.Context, program string, port int) error {
	log, err := os.Create(filepath.Join(s.dir, "s3.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, "--access", s.Access, "--secret", s.Secret, "--port", address(port), "--quiet", "--keep-alive",
		"posix", "--sidecar", s.metadata(), s.buckets())
	cmd.Stdout, cmd.Stderr = log, log
	c, err := startChild(cmd, nil, syscall.SIGTERM)
	if err != nil {
		return fmt.Errorf("the S3 storage did not start: %w", err)
	}
	if err := awaitPort(ctx, c, port); err != nil {
		c.abort()
		return fmt.Errorf("the S3 storage did not start (its log is %s): %w", log.Name(), err)
	}
	s.child, s.port = c, port
	return nil
}

// awaitPort waits until somebody answers; with our access key only our server would.
func awaitPort(ctx context.Context, c *child, port int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ctx, release := c.whileAlive(ctx)
	defer release()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(port))
		if err == nil {
			conn.Close()
		}
		switch {
		case c.gone():
			return errExited
		case err == nil:
			return nil
		case !pause(ctx, 5*time.Millisecond):
			return err
		}
	}
}

// URL is how clients reach it.
func (s *S3) URL() string { return "http://" + address(s.port) }

// AddBucket makes an empty bucket.
func (s *S3) AddBucket(name string) error { return os.Mkdir(filepath.Join(s.buckets(), name), 0o700) }

// Stop ends it, as a crash would: in order, it would wait for every client that keeps a connection. What it kept stays in
// its directory.
func (s *S3) Stop() {
	s.child.signal(syscall.SIGKILL)
	<-s.child.done
}

// BuildS3 builds the versitygw program of the module in tools/s3: see buildTool.
func BuildS3(ctx context.Context, root string, progress func(string)) (program string, err error) {
	return buildTool(ctx, root, "s3", "versitygw", "github.com/versity/versitygw/cmd/versitygw", func() {
		progress("building the S3 storage of the tests: a minute or two, once")
	})
}

// buildTool builds a program of a module in tools into bin, unless it is there; root is the repository's. Processes that
// want it at the same time take turns.
func buildTool(ctx context.Context, root, module, name, path string, progress func()) (program string, err error) {
	program = filepath.Join(root, "bin", name)
	turn, err := installTurn()
	if err != nil {
		return "", err
	}
	defer turn.release()
	if executable(program) != "" {
		return program, nil
	}
	progress()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, path)
	cmd.Dir, cmd.Env = filepath.Join(root, "tools", module), append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return program, nil
}
