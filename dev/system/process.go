package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"hearth.internal/gateway"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
)

// restartPause is how soon a part that died is started again.
const restartPause = 100 * time.Millisecond

// stopTime is how long a part may drain before it is killed.
const stopTime = 30 * time.Second

// spawn runs the part as a process of its own and starts it again whenever it dies, as Kubernetes would.
func (s *System) spawn(ctx context.Context, p part) (*runner, error) {
	address := p.listener.Addr().String()
	if err := p.listener.Close(); err != nil { // the process listens itself
		return nil, fmt.Errorf("free the port: %w", err)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	k := &keeper{system: s, part: p}
	r := &runner{stop: stop, ended: make(chan struct{}), kill: k.kill, pid: k.pid}
	go func() {
		defer close(r.ended)
		k.keep(life)
	}()
	return r, waitUntil(ctx, r, func() bool { return answers("http://" + address + "/") })
}

// keeper keeps one part's process alive.
type keeper struct {
	system *System
	part   part
	mu     sync.Mutex
	cmd    *exec.Cmd
}

func (k *keeper) keep(life context.Context) {
	for life.Err() == nil {
		cmd, err := k.begin()
		if err != nil {
			k.system.failures <- fmt.Errorf("%s: %w", k.part.name, err)
			return
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }() // how it ended does not matter: it is started again
		select {
		case <-ended:
			time.Sleep(restartPause)
		case <-life.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
			select {
			case <-ended:
			case <-time.After(stopTime):
				_ = cmd.Process.Kill()
				<-ended
			}
		}
	}
}

func (k *keeper) begin() (*exec.Cmd, error) {
	program := k.system.options.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("own program: %w", err)
		}
	}
	cmd := exec.Command(program, "part", k.part.name) //nolint:gosec // this very program, a name out of our own list
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, k.part.environ)
	cmd.Stdout, cmd.Stderr = k.system.options.Terminal, k.system.options.LogOut
	// Ctrl-C in the terminal must not reach it before the gateway has drained.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cmd = cmd
	return cmd, nil
}

func (k *keeper) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd != nil && k.cmd.Process != nil {
		_ = k.cmd.Process.Kill() // it may be dead already
	}
}

func (k *keeper) pid() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cmd == nil || k.cmd.Process == nil {
		return 0
	}
	return k.cmd.Process.Pid
}

// RunPart is the process of one part: what `hearth part <name>` does. It ends with SIGTERM, and when its parent does:
// a part must not outlive the system it belongs to.
func RunPart(name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go endWithParent(stop)
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return e == "" })
	if name == GatewayName {
		cfg, err := config.Load[gateway.Config](env)
		if err != nil {
			return err
		}
		g, err := gateway.Open(ctx, cfg, gateway.Options{})
		if err != nil {
			return err
		}
		return g.Run(ctx)
	}
	for _, p := range services() {
		if p.name != name {
			continue
		}
		cfg, service, err := p.build(env, os.Stdout)
		if err != nil {
			return err
		}
		d, err := boot.Open(ctx, service, boot.Options{Config: cfg})
		if err != nil {
			return err
		}
		return d.Run(ctx)
	}
	return fmt.Errorf("there is no part %q", name)
}

func endWithParent(stop func()) {
	parent := os.Getppid()
	for os.Getppid() == parent {
		time.Sleep(500 * time.Millisecond)
	}
	stop()
}
