//go:build linux

package reader

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// What a child may use at most: backstops for what its parent cannot stop because it is gone.
const (
	cpuSeconds  = 3600      // in all its life: more than its files may take together
	fileSize    = 512 << 20 // of what it writes: the compiled decoders are the largest
	lowPriority = 10
)

// confine limits what the process may do. In the background it gives way to everything else.
func confine(background bool) error {
	for limit, value := range map[int]uint64{unix.RLIMIT_CPU: cpuSeconds, unix.RLIMIT_FSIZE: fileSize, unix.RLIMIT_CORE: 0} {
		err := unix.Setrlimit(limit, &unix.Rlimit{Cur: value, Max: value})
		if err != nil && !errors.Is(err, unix.EPERM) { // a lower limit is set already
			return fmt.Errorf("limit %d: %w", limit, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if !background {
		return nil
	}
	// The priority is a thread's; later ones inherit it.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("own threads: %w", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err == nil {
			err = unix.Setpriority(unix.PRIO_PROCESS, id, lowPriority)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) { // gone, or lower already
			return fmt.Errorf("priority: %w", err)
		}
	}
	return nil
}
