package stores

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets this binary be a run that is killed: see killedRun.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STORES_TEST_RUN"); dir != "" {
		runUntilKilled(Options{Dir: dir})
	}
	os.Exit(m.Run())
}

func runUntilKilled(opts Options) {
	p, err := StartPostgres(context.Background(), opts)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	r, err := StartRedis(context.Background(), opts, queue)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID(), r.PID())
	select {}
}

var queue = RedisConfig{Name: "queue", Policy: "noeviction", AppendOnly: true}

// killedRun starts both stores in another process, kills that, and returns their process ids.
func killedRun(t *testing.T, dir string) (postgres, redis int) {
	t.Helper()
	run := exec.Command(os.Args[0])
	run.Env = append(os.Environ(), "STORES_TEST_RUN="+dir)
	out, err := run.StdoutPipe()
	check(t, err)
	check(t, run.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	if _, err := fmt.Sscan(line, &postgres, &redis); err != nil {
		t.Fatal(line)
	}
	check(t, run.Process.Kill())
	_ = run.Wait() // it was killed
	return postgres, redis
}

func TestAKilledRunIsTakenOver(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	first := startPostgres(t, opts)
	execSQL(t, first, writeNote)
	check(t, first.Stop(t.Context()))
	postgres, redis := killedRun(t, opts.Dir)

	p, r := startPostgres(t, opts), startRedis(t, opts, queue)
	wantNote(t, p)
	check(t, redisClient(t, r).Ping(t.Context()).Err())
	eventually(t, "the killed run's servers are gone", func() bool {
		return !strings.Contains(commandLine(postgres), first.data) && (redis == 0 || commandLine(redis) == "")
	})
}

// orphaned starts a server outside of our care, as one is that its run left behind.
func orphaned(t *testing.T, s *server) *exec.Cmd {
	t.Helper()
	cmd := s.command(s, s.port)
	cmd.Dir, cmd.Env = "/", serverEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as.credential()}
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	eventually(t, "the orphan answers", func() bool { return s.answers(t.Context(), s, cmd.Process.Pid, s.port) == nil })
	return cmd
}

func TestAnOrphanedPostgresIsReplaced(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	first := startPostgres(t, opts)
	execSQL(t, first, writeNote)
	check(t, first.Stop(t.Context()))
	orphan := orphaned(t, first.server)

	p := startPostgres(t, opts)
	wantNote(t, p)
	if line := commandLine(orphan.Process.Pid); line != "" {
		t.Errorf("the orphan is still there: %s", line)
	}
	if p.Port() != first.Port() {
		t.Error("the orphan's port was not taken back")
	}
}

func TestAnOrphanedRedisIsReplaced(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	first := startRedis(t, opts, queue)
	check(t, redisClient(t, first).Set(t.Context(), "note", "kept", 0).Err())
	check(t, first.Stop(t.Context()))
	process, ok := first.redisServer.(processServer)
	if !ok {
		return // an embedded one cannot outlive its run
	}
	orphan := orphaned(t, process.server)

	r := startRedis(t, opts, queue)
	if got := redisClient(t, r).Get(t.Context(), "note").Val(); got != "kept" {
		t.Errorf("note is %q", got)
	}
	if line := commandLine(orphan.Process.Pid); line != "" {
		t.Errorf("the orphan is still there: %s", line)
	}
}

// A killed server's pid file may name a process that has nothing to do with it, by the time of the next start.
func TestAnInnocentProcessIsLeftAlone(t *testing.T) {
	t.Parallel()
	opts := testOptions(t)
	p := startPostgres(t, opts)
	execSQL(t, p, writeNote)
	pidFile := filepath.Join(p.data, postgresPID)
	left, err := os.ReadFile(pidFile)
	check(t, err)
	p.Kill()
	check(t, p.Stop(t.Context()))

	innocent := exec.Command("sleep", "600")
	innocent.SysProcAttr = &syscall.SysProcAttr{Credential: p.as.credential()}
	check(t, innocent.Start())
	_, rest, _ := strings.Cut(string(left), "\n")
	check(t, os.WriteFile(pidFile, []byte(strconv.Itoa(innocent.Process.Pid)+"\n"+rest), 0o600))

	wantNote(t, startPostgres(t, opts))
	if commandLine(innocent.Process.Pid) == "" {
		t.Error("it was ended")
	}
	check(t, innocent.Process.Kill())
	_ = innocent.Wait() // it was killed
}
