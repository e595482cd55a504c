package stores

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A child is a server process that this process started. Only such processes are ever waited for or signalled here.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the process is gone
}

// startChild runs a server in its own process group, where a terminal's Ctrl-C does not reach it. If this process dies
// without stopping it, the kernel sends it the signal farewell (where the kernel can).
func startChild(cmd *exec.Cmd, as *account, farewell syscall.Signal) (*child, error) {
	cmd.Dir = "/" // the server's user need not reach the caller's directory
	cmd.Env = serverEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as.credential()}
	dieWithParent(cmd.SysProcAttr, farewell)
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go c.live(started)
	return c, <-started
}

// live keeps its thread until the child is gone: the kernel takes the thread that forked for the
// parent, and Go may end that one any time.
func (c *child) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = c.cmd.Wait() // why it ended is in its log
	close(c.done)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) gone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// end sends one signal after the other until the child is gone, and says whether the first one sufficed. ctx bounds
// the first one's time; the last one's is not bounded, so let it be SIGKILL.
func (c *child) end(ctx context.Context, signals ...syscall.Signal) (gently bool) {
	for i, signal := range signals[:len(signals)-1] {
		c.signal(signal)
		if c.goneBefore(ctx) {
			return i == 0
		}
		next, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		ctx = next
	}
	c.signal(signals[len(signals)-1])
	<-c.done
	return false
}

// abort ends a server that did not get ready.
func (c *child) abort() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c.end(ctx, syscall.SIGQUIT, syscall.SIGKILL)
}

// whileAlive is ctx, cut short when the child ends.
func (c *child) whileAlive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		c.goneBefore(ctx)
	}()
	return ctx, cancel
}

func (c *child) goneBefore(ctx context.Context) bool {
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// signal does nothing to a child that is gone: its id may be another process's by now, and os.Process knows.
func (c *child) signal(signal syscall.Signal) { _ = c.cmd.Process.Signal(signal) }

// serverEnv passes on what finds programs and libraries, and nothing else: PGDATA and its kin would change a server, and
// the services' secrets are none of its business. English messages are needed to read its log.
func serverEnv() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
