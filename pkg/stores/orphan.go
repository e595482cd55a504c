package stores

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An orphan is a server of ours whose run was killed: its data's lock is free, but the process is there.

const (
	postgresPID = "postmaster.pid"
	redisPIDs   = "redis-*.pid"
)

// stopOrphan ends the server that still runs on a data directory, if there is one. The caller holds the data's lock.
func stopOrphan(data string) error {
	pid := orphanOf(data)
	if pid == 0 {
		return nil
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		_ = syscall.Kill(pid, signal)
		if gone(data, 5*time.Second) {
			return nil
		}
	}
	return fmt.Errorf("process %d still runs on %s from an earlier run and does not stop: end it by hand", pid, data)
}

// gone waits for a process that is not our child: all there is to do is to look again.
func gone(data string, within time.Duration) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-tick.C {
		if orphanOf(data) == 0 {
			return true
		}
	}
	return false
}

// orphanOf returns the process that its pid file names, if its command line proves that it serves this data: by the
// time we look, the number may be anybody's.
func orphanOf(data string) int {
	if pid := readPID(filepath.Join(data, postgresPID)); pid > 0 && runsWith(pid, data) {
		return pid
	}
	for _, path := range matches(data, redisPIDs) {
		pid := readPID(path)
		if pid > 0 && (runsWith(pid, data) || runsWith(pid, redisTitle(path))) {
			return pid
		}
	}
	return 0
}

func redisPIDName(port int) string { return fmt.Sprintf("redis-%d.pid", port) }

// redisTitle is what Redis makes of its command line once it listens; the pid file's name remembers the port.
func redisTitle(pidFile string) string {
	port := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(pidFile), "redis-"), ".pid")
	return redisProgram + " 127.0.0.1:" + port
}

func readPID(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(first))
	return pid
}

// runsWith reports whether the process has these words in its command line, whole.
func runsWith(pid int, words string) bool {
	line := commandLine(pid)
	for _, before := range []string{" ", "/"} {
		if strings.Contains(" "+line+" ", before+words+" ") {
			return true
		}
	}
	return false
}

// commandLine is empty for a process that is gone, or dead and waiting for its parent.
func commandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil {
		return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
	}
	if _, err := os.Stat("/proc/self"); err == nil {
		return ""
	}
	text, _ = exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(text))
}

// disownPID helps PostgreSQL over the pid file of a server that was killed, when that server's number now belongs to
// another process: PostgreSQL would take that one for the server. It ignores its parent's number, which is ours; the
// file must stay, for it leads PostgreSQL to what is left of the killed server's shared memory.
func disownPID(data string) error {
	path := filepath.Join(data, postgresPID)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	return os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600)
}
